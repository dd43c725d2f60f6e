//! Policies in other languages than Rust: the example in four of them, and components that were built against the contract as it was.
//!
//! What builds them comes from the package registries, once, into the target directory; what was built is kept by what it was built from.

mod golden;
mod projects;
mod templates;
mod tutorial;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::process::witgate;
use crate::support::python::{once, python};
use crate::support::{Value, json, kept, node};

/// The languages, as the folders of the example and of the templates are called.
const LANGUAGES: [&str; 4] = ["rust", "c", "js", "python"];

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn example() -> PathBuf {
    root().join("plugins/examples/banned-words")
}

/// What a command of the program came to, with the languages' tools on the path. In a folder: tools look for what is beside.
#[derive(Debug)]
struct Came {
    well: bool,
    out: String,
    err: String,
}

/// Runs a command of the program as an author does who has all tools.
fn author(folder: &Path, args: &[&str]) -> Came {
    let npm = node::installed(&root().join("host/templates/js"), "languages/npm");
    let tools = [
        python("languages").parent().unwrap().to_owned(),
        npm.join("node_modules/.bin"),
        node::node().parent().unwrap().to_owned(),
    ];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(tools.into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut command = with_tools(folder, args);
    command.env("PATH", path);
    ended(command)
}

/// A command of the program in that folder, with caches of the tests' own, and nothing of the builder's in its environment.
fn with_tools(folder: &Path, args: &[&str]) -> Command {
    let mut command = witgate(&kept().join("languages/state"));
    command.current_dir(folder).args(args).stdin(Stdio::null());
    command
        .env("ZIG_GLOBAL_CACHE_DIR", kept().join("languages/zig"))
        // Beside the other guests, whose dependencies are the same.
        .env("CARGO_TARGET_DIR", kept().join("guests"));
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_BUILD_TARGET",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "WASI_SDK_PATH",
        "VIRTUAL_ENV",
    ] {
        command.env_remove(name);
    }
    command
}

fn ended(mut command: Command) -> Came {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Came {
        well: output.status.success(),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}

/// Copies a folder's files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let from = entry.unwrap().path();
        let to = to.join(from.file_name().unwrap());
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

/// All files below a folder, with their texts, as one text: what something was made from.
fn text_of(folder: &Path) -> String {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let text = |file: &PathBuf| match file.is_dir() {
        true => text_of(file),
        false => format!(
            "== {}\n{}",
            file.display(),
            String::from_utf8_lossy(&std::fs::read(file).unwrap())
        ),
    };
    let skipped = |file: &PathBuf| {
        file.extension()
            .is_some_and(|it| it == "wasm" || it == "pyc")
    };
    files
        .iter()
        .filter(|file| !skipped(file))
        .map(text)
        .collect()
}
