//! A policy's project: a folder with the sources of one policy, in any language, and `policy.yaml`, which says what the policy is.
//!
//! Building makes `NAME.wasm` in it, beside `NAME.samples.yaml`, so that a gateway that is given the component finds its samples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::cli::Wrong;
use crate::config::{Manifest, PolicyFile, read_file_within};

/// Sources that are looked at. A project has fewer.
const MOST_FILES: usize = 500;

/// Folders in which there are no sources.
const NO_SOURCES: [&str; 5] = ["target", "node_modules", "sdk", "build", "__pycache__"];

/// The project's file.
pub(super) const FILE: &str = "policy.yaml";

/// A policy's project.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// What its sources are written in.
    pub(super) language: Language,
    /// What the policy says of itself, its schema included.
    pub(super) manifest: Manifest,
    /// What it is tried with.
    pub(super) settings: Value,
}

/// What a policy is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Rust, with the SDK.
    Rust,
    /// C, with what `wit-bindgen` makes.
    C,
    /// JavaScript.
    JavaScript,
    /// Python.
    Python,
}

impl Language {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::C => "C",
            Language::JavaScript => "JavaScript",
            Language::Python => "Python",
        }
    }
}

impl Project {
    /// Reads the project in that folder.
    pub(super) fn read(folder: &Path) -> Result<Project, Wrong> {
        let file = folder.join(FILE);
        let text = text(&file).map_err(|error| -> Wrong {
            if error.kind() == std::io::ErrorKind::NotFound {
                let folder = folder.display();
                return format!("{folder}: there is no {FILE} in it, so it is no policy's project; `witgate policy new NAME` writes one").into();
            }
            format!("{}: {error}", file.display()).into()
        })?;
        let read = PolicyFile::parse(&text, &file.display().to_string())?;
        let mut manifest = read.manifest;
        if let Some(schema) = read.schema {
            manifest.schema = Some(read_schema(&folder.join(schema))?);
        }
        let size = manifest.to_json().to_string().len();
        if size > Manifest::MOST {
            let most = Manifest::MOST;
            return Err(format!("{}: with its schema it has {size} bytes, and a component takes {most} of it; shorten the schema", file.display()).into());
        }
        Ok(Project {
            folder: folder.to_owned(),
            language: language(folder)?,
            manifest,
            settings: read.settings,
        })
    }

    /// The names of the grants that it needs.
    pub(super) fn grants(&self) -> Vec<String> {
        let grants = self.manifest.grants.iter();
        grants.map(|grant| grant.name.clone()).collect()
    }

    /// The component that building makes.
    pub(super) fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.manifest.name))
    }

    /// What it is built from.
    pub(super) fn sources(&self) -> BTreeSet<PathBuf> {
        // Where it is written anew it isn't there for a moment.
        let mut files = BTreeSet::from([self.folder.join(FILE)]);
        collect_sources(&self.folder, &mut files);
        files
    }

    /// Whether a source is newer than the component, or there is no component.
    pub(super) fn is_stale(&self) -> bool {
        let changed = |file: &Path| std::fs::metadata(file).and_then(|it| it.modified()).ok();
        let Some(built) = changed(&self.component()) else {
            return true;
        };
        let sources = self.sources();
        sources
            .iter()
            .filter_map(|file| changed(file))
            .any(|at| at > built)
    }
}

fn collect_sources(folder: &Path, into: &mut BTreeSet<PathBuf>) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || into.len() >= MOST_FILES {
            continue;
        }
        // What building writes is no source, nor are samples.
        let none = name.contains(".wasm")
            || name.ends_with(".samples.yaml")
            || name.ends_with(".md")
            || matches!(&*name, "Cargo.lock" | "package-lock.json");
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && !NO_SOURCES.contains(&&*name) => {
                collect_sources(&path, into);
            }
            Ok(kind) if kind.is_file() && !none => {
                into.insert(path);
            }
            _ => {}
        }
    }
}

/// Tells a project's language by its files.
fn language(folder: &Path) -> Result<Language, Wrong> {
    let has = |name: &str| folder.join(name).is_file();
    let c = || {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut names = files.map(|file| file.path());
        names.any(|name| name.extension().is_some_and(|it| it == "c"))
    };
    if has("Cargo.toml") {
        Ok(Language::Rust)
    } else if has("package.json") {
        Ok(Language::JavaScript)
    } else if has("policy.py") {
        Ok(Language::Python)
    } else if c() {
        Ok(Language::C)
    } else {
        let folder = folder.display();
        Err(format!("{folder}: it can't be told what this policy is written in: there is no Cargo.toml (Rust), package.json (JavaScript), policy.py (Python), nor a file of C").into())
    }
}

fn read_schema(file: &Path) -> Result<Value, Wrong> {
    let name = file.display();
    let text =
        text(file).map_err(|error| format!("{name}: {error}; {FILE} names it under `schema`"))?;
    let schema: Value =
        serde_json::from_str(&text).map_err(|error| format!("{name}: it isn't JSON: {error}"))?;
    match schema {
        Value::Object(_) => Ok(schema),
        _ => Err(format!("{name}: a JSON Schema is an object").into()),
    }
}

fn text(file: &Path) -> std::io::Result<String> {
    let bytes = read_file_within(file, Manifest::MOST)?;
    String::from_utf8(bytes).map_err(|_| std::io::Error::other("it isn't UTF-8 text"))
}
