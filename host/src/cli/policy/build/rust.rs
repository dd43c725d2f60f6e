//! Rust: plain cargo, for the target wasm32-wasip2.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::tools;
use crate::cli::Wrong;

const TARGET: &str = "wasm32-wasip2";
const GET: &str = "rustup.rs says how to get Rust";

pub(super) fn make(folder: &Path) -> Result<Vec<u8>, Wrong> {
    has_target(folder)?;
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    cargo.args(["build", "--release", "--target", TARGET]);
    cargo.arg("--message-format=json-render-diagnostics");
    let (well, said) = tools::read(&mut cargo, GET)?;
    if !well {
        return Err(tools::failed(&cargo));
    }
    let said = String::from_utf8_lossy(&said);
    let file = said.lines().filter_map(component).next_back();
    let file = file.ok_or_else(|| {
        format!("{}: cargo made no component; Cargo.toml needs [lib] with crate-type = [\"cdylib\", \"rlib\"]", folder.display())
    })?;
    fs::read(&file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// The component that a line of cargo's tells of.
fn component(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let made = message["reason"] == "compiler-artifact";
    let files = message["filenames"].as_array().filter(|_| made)?;
    let mut files = files.iter().filter_map(Value::as_str).map(PathBuf::from);
    files.find(|file| file.extension().is_some_and(|it| it == "wasm"))
}

/// Asks the compiler where its libraries are: cargo's own error is a page long. Where it can't be asked cargo says why.
fn has_target(folder: &Path) -> Result<(), Wrong> {
    let mut rustc = Command::new("rustc");
    rustc
        .current_dir(folder)
        .args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(output) = rustc.output() else {
        return Ok(());
    };
    let libraries = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && !Path::new(libraries.trim()).exists() {
        return Err(format!(
            "the compiler has no {TARGET}; get it, once, by `rustup target add {TARGET}`"
        )
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_what_cargo_names_as_made() {
        let line = |reason: &str, file: &str| {
            format!(r#"{{"reason": "{reason}", "filenames": ["/t/libx.rlib", "{file}"]}}"#)
        };
        assert_eq!(
            component(&line("compiler-artifact", "/t/x.wasm")),
            Some("/t/x.wasm".into())
        );
        assert_eq!(component(&line("compiler-artifact", "/t/x.d")), None);
        assert_eq!(component(&line("build-finished", "/t/x.wasm")), None);
        assert_eq!(component("warning: a line of another's"), None);
    }
}
