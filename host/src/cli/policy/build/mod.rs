//! `witgate policy build`: from a project's sources to a component that runs here.
//!
//! The language's own tools do it, as an author would by hand: [`rust`], [`c`], [`javascript`], [`python`]. What isn't installed is named, with
//! how to get it; nothing is fetched but what the project's own files name to cargo. What the project says of the policy goes into the
//! component. A component takes the place of the one before only once it was loaded as a gateway loads it, so a gateway that watches the file
//! sees no broken one.

mod c;
mod contract;
mod javascript;
mod python;
mod rust;
mod tools;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use super::component::alone;
use super::inspect::readable;
use super::project::{FILE, Language, Project};
use crate::cli::{Wrong, setup};
use crate::config::{Config, Manifest};
use crate::policy::{
    self, Instantiation, Loaded, Producer, Sandbox, hook_names, inspect, with_manifest,
    with_producers,
};

/// The arguments of `witgate policy build`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BuildArgs {
    /// The project's folder: the one with policy.yaml
    #[arg(default_value = ".")]
    folder: PathBuf,
}

pub(super) async fn build(args: BuildArgs) -> Result<ExitCode, Wrong> {
    let project = Project::read(&args.folder)?;
    let (component, loaded) = make(&project).await?;
    tell(&project.component(), &component, &loaded)?;
    Ok(ExitCode::SUCCESS)
}

/// Builds the project's component, and puts it in the place of the one before.
pub(super) async fn make(project: &Project) -> Result<(Vec<u8>, Arc<Loaded>), Wrong> {
    let file = project.component();
    // A compiler takes its time, and a gateway may be running beside it.
    let compiling = {
        let project = project.clone();
        move || compile(&project).map_err(|wrong| wrong.to_string())
    };
    let component = tokio::task::spawn_blocking(compiling).await??;
    let wrong = |error: Wrong| format!("{}: built, and not written: {error}", file.display());
    let (component, loaded) = finished(project, &component).await.map_err(wrong)?;
    put(&file, &component).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((component, loaded))
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

/// Loads it as a gateway does, with the project's settings and every grant, and writes its manifest into it.
async fn finished(project: &Project, component: &[u8]) -> Result<(Vec<u8>, Arc<Loaded>), Wrong> {
    let sandbox = setup::sandbox(&Config::embedded()?, 1)?;
    let described = describe(&sandbox, project, component).await?;
    let named = &project.manifest.name;
    if described.0 != *named {
        return Err(format!(
            "the policy calls itself `{}`, and {FILE} calls it `{named}`; one of the two is wrong",
            described.0
        )
        .into());
    }
    let needed = inspect(component)?.grants;
    if let Some(untold) = needed.iter().find(|it| project.manifest.why(it).is_none()) {
        return Err(format!("it needs the grant `{untold}`, and {FILE} doesn't say why; add `grants: {{{untold}: \"what it is for\"}}`, for whoever is to give it").into());
    }
    let manifest = Manifest {
        version: Some(described.1).filter(|version| !version.is_empty()),
        ..project.manifest.clone()
    };
    // Compilers write it, and stripping takes it out again.
    let made_by = [
        ("language", project.language.as_str(), ""),
        ("processed-by", "witgate", env!("CARGO_PKG_VERSION")),
    ];
    let made_by = made_by.map(|(field, name, version)| Producer {
        field: field.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
    });
    let component = with_manifest(&with_producers(component, &made_by), &manifest)?;
    let spec = alone(&project.settings, &component);
    let loaded = policy::load(&sandbox, spec, &component).await?;
    Ok((component, loaded))
}

/// The name and the version that the policy gives itself.
async fn describe(
    sandbox: &Sandbox,
    project: &Project,
    component: &[u8],
) -> Result<(String, String), Wrong> {
    let spec = alone(&project.settings, component);
    let (description, _) = policy::ask(sandbox, &spec, component).await?;
    Ok((description.name, description.version))
}

/// In one step: a gateway may be reading the one before, and another build be writing its own.
fn put(file: &Path, component: &[u8]) -> std::io::Result<()> {
    let mut aside = tempfile::Builder::new();
    aside.prefix(".").suffix(".wasm");
    #[cfg(unix)]
    {
        // As any file is made, and not for this user alone.
        use std::os::unix::fs::PermissionsExt as _;
        aside.permissions(fs::Permissions::from_mode(0o666));
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut aside = aside.tempfile_in(folder)?;
    aside.write_all(component)?;
    aside.persist(file)?;
    Ok(())
}

fn tell(file: &Path, component: &[u8], loaded: &Loaded) -> Result<(), Wrong> {
    let inspection = inspect(component)?;
    let (name, version) = loaded.policy();
    println!("policy    {} {}", readable(name), readable(version));
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
