//! A policy's project: a folder with the sources of one policy, in any language, and `policy.yaml`, which says what the policy is.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::cli::Wrong;
use crate::config::read_file_within;

/// The project's file.
const FILE: &str = "policy.yaml";

/// A policy's project.
#[derive(Debug)]
pub(super) struct Project {
    /// Where it is.
    pub(super) folder: PathBuf,
    /// What its sources are written in.
    pub(super) language: Language,
    /// The policy's name.
    name: String,
    /// The names of the grants that it needs.
    pub(super) grants: Vec<String>,
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

impl Project {
    /// Reads the project in that folder.
    pub(super) fn read(folder: &Path) -> Result<Project, Wrong> {
        let file = folder.join(FILE);
        let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
        let text = read_file_within(&file, 256 << 10).map_err(|error| wrong(&error))?;
        let read: Value = serde_yaml::from_slice(&text).map_err(|error| wrong(&error))?;
        let name = read["name"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(plain) {
            return Err(wrong(&"`name`: give the policy's name, of a-z, 0-9 and `-`").into());
        }
        let grants = match &read["grants"] {
            Value::Null => Vec::new(),
            Value::Object(whys) => whys.keys().cloned().collect(),
            _ => {
                return Err(
                    wrong(&"`grants`: give each by its name, with why it is needed").into(),
                );
            }
        };
        let settings = match &read["settings"] {
            Value::Null => Value::Object(Map::new()),
            Value::Object(_) => read["settings"].clone(),
            _ => return Err(wrong(&"`settings`: give what would stand under policy.<id>").into()),
        };
        Ok(Project {
            folder: folder.to_owned(),
            language: language(folder)?,
            name: name.to_owned(),
            grants,
            settings,
        })
    }

    /// The component that building makes.
    pub(super) fn component(&self) -> PathBuf {
        self.folder.join(format!("{}.wasm", self.name))
    }
}

/// Tells a project's language by its files.
fn language(folder: &Path) -> Result<Language, Wrong> {
    let known = [
        ("Cargo.toml", Language::Rust),
        ("package.json", Language::JavaScript),
        ("policy.py", Language::Python),
        ("policy.c", Language::C),
    ];
    let found = known.iter().find(|(file, _)| folder.join(file).is_file());
    found.map(|(_, language)| *language).ok_or_else(|| {
        let folder = folder.display();
        format!("{folder}: it can't be told what this policy is written in: there is no Cargo.toml (Rust), package.json (JavaScript), policy.py (Python) or policy.c (C)").into()
    })
}
