//! `witgate policy build`: from a project's sources to a component that runs here.
//!
//! The language's own tools do it, as an author would by hand: [`rust`], [`c`], [`javascript`], [`python`]. What isn't installed is named, with
//! how to get it; nothing is fetched but what the project's own files name to cargo. A component takes the place of the one before only
//! once it was loaded as a gateway loads it, so a gateway that watches the file sees no broken one.

mod c;
mod contract;
mod javascript;
mod python;
mod rust;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::component::alone;
use super::project::{Language, Project};
use crate::cli::{Wrong, setup};
use crate::config::Config;
use crate::policy::{self, Instantiation, Loaded, hook_names, inspect};

/// The arguments of `witgate policy build`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BuildArgs {
    /// The project's folder: the one with policy.yaml
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) async fn build(args: BuildArgs) -> Result<ExitCode, Wrong> {
    let project = Project::read(&args.folder)?;
    let component = compile(&project)?;
    let file = project.component();
    let loaded = check(&project, &component)
        .await
        .map_err(|error| format!("{}: built, and not written: {error}", file.display()))?;
    put(&file, &component).map_err(|error| format!("{}: {error}", file.display()))?;
    tell(&file, &component, &loaded)?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the component, by the tools of the language.
fn compile(project: &Project) -> Result<Vec<u8>, Wrong> {
    match project.language {
        Language::Rust => rust::make(&project.folder),
        Language::C => c::make(&project.folder),
        Language::JavaScript => javascript::make(project),
        Language::Python => python::make(project),
    }
}

/// Loads it as a gateway does, with the project's settings and every grant.
async fn check(project: &Project, component: &[u8]) -> Result<Arc<Loaded>, Wrong> {
    let sandbox = setup::sandbox(&Config::embedded()?, 1)?;
    let spec = alone("built", &project.settings);
    Ok(policy::load(&sandbox, spec, component).await?)
}

/// In one step: a gateway may be reading the one before.
fn put(file: &Path, component: &[u8]) -> std::io::Result<()> {
    let aside = file.with_extension("wasm.new");
    fs::write(&aside, component)?;
    fs::rename(&aside, file)
}

fn tell(file: &Path, component: &[u8], loaded: &Loaded) -> Result<(), Wrong> {
    let inspection = inspect(component)?;
    let (name, version) = loaded.policy();
    println!("policy    {name} {version}");
    println!("file      {}", file.display());
    println!("contract  witgate:policy {}", inspection.contract);
    println!("hooks     {}", hook_names(loaded.hooks()).join(", "));
    let grants = match inspection.grants.as_slice() {
        [] => "none".to_owned(),
        grants => grants.join(", "),
    };
    println!("grants    {grants}");
    println!("size      {} bytes", inspection.size);
    println!("digest    {}", inspection.digest);
    let started = match loaded.instantiation() {
        Instantiation::Snapshot => "from a snapshot of its configured memory".to_owned(),
        Instantiation::PerInstance(why) => {
            format!("by configuring it anew for each exchange: {why}")
        }
    };
    println!("starts    {started}");
    println!("imports   {}", inspection.imports.join("\n          "));
    Ok(())
}
