//! Python: componentize-py, which puts CPython and the source into a component.

use std::fs;
use std::process::Command;

use super::contract::{Contract, WITH_GRANTS};
use super::tools;
use crate::cli::Wrong;
use crate::cli::policy::project::Project;

const TOOL: &str = "componentize-py";
const GET: &str = "get it by `pip install -r requirements.txt` in the project's folder";

/// The module with the class `Policy`. Its name is that of the contract's interface: the tool looks for the resources' classes there.
const MODULE: &str = "policy";

pub(super) fn make(project: &Project) -> Result<Vec<u8>, Wrong> {
    let folder = &project.folder;
    let wit = Contract::with_grants(folder, &project.grants())?;
    let made = wit.path().join("component.wasm");
    let mut tool = Command::new(tools::found(folder, &[".venv/bin"], TOOL));
    tool.current_dir(folder)
        .args(["--quiet", "--wit-path"])
        .arg(wit.path());
    tool.args(["--world", WITH_GRANTS, "componentize", MODULE]);
    tools::run(tool.arg("--output").arg(&made), GET)?;
    fs::read(&made).map_err(|error| format!("{}: {error}", made.display()).into())
}
