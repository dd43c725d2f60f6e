//! JavaScript: componentize-qjs, which puts QuickJS and the source into a component.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::contract::{Contract, WITH_GRANTS};
use super::tools;
use crate::cli::Wrong;
use crate::cli::policy::project::Project;

const TOOL: &str = "componentize-qjs";
const GET: &str = "get it by `npm install` in the project's folder, whose package.json names it";

pub(super) fn make(project: &Project) -> Result<Vec<u8>, Wrong> {
    let folder = &project.folder;
    let wit = Contract::with_grants(folder, &project.grants())?;
    let made = wit.path().join("component.wasm");
    let mut tool = Command::new(tools::found(folder, &["node_modules/.bin"], TOOL));
    tool.current_dir(folder).args(["--js", &main(folder)?]);
    // Without `--sync` it needs a host with asynchronous functions of components, which this one hasn't.
    tool.args(["--sync", "--world", WITH_GRANTS, "--wit"]);
    tools::run(tool.arg(wit.path()).arg("--output").arg(&made), GET)?;
    fs::read(&made).map_err(|error| format!("{}: {error}", made.display()).into())
}

/// The file to begin with: what package.json says.
fn main(folder: &Path) -> Result<String, Wrong> {
    let file = folder.join("package.json");
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read(&file).map_err(|error| wrong(&error))?;
    let package: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| wrong(&error))?;
    Ok(package["main"].as_str().unwrap_or("policy.js").to_owned())
}
