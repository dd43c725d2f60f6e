//! A test that the folders of this crate depend on each other, and on the crates below them, downward only. `docs/contributing.md`
//! shows the arrows. The compiler keeps those between crates.
//!
//! It reads paths that begin with `crate::` (and the names of the crates that are re-exported) in every line that isn't a comment or
//! a test. Reaching past one's own folder by `super::` is refused, so nothing escapes it.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// For each folder, the folders and crates that it may name besides itself. `cli` stands on top and may name all of them.
const ARROWS: [(&str, &str); 8] = [
    (
        "app",
        "server control exchange generation upstream policy wire config metrics api",
    ),
    (
        "control",
        "exchange generation identity upstream policy wire journal state config metrics api",
    ),
    (
        "exchange",
        "generation upstream policy wire config metrics api",
    ),
    (
        "generation",
        "identity upstream policy journal config metrics api",
    ),
    ("identity", "config metrics api"),
    ("server", "config metrics api"),
    ("upstream", "config metrics api"),
    ("api", ""),
];

/// Crates that the library re-exports, and as what.
const CRATES: [(&str, &str); 7] = [
    ("witgate_config::", "crate::config::"),
    ("witgate_journal::", "crate::journal::"),
    ("witgate_metrics::", "crate::metrics::"),
    ("witgate_sandbox::", "crate::policy::"),
    ("witgate_simulator::", "crate::simulator::"),
    ("witgate_state::", "crate::state::"),
    ("witgate_wire::", "crate::wire::"),
];

#[test]
fn arrows_point_down() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 80, "the sources were not found");
    let mut wrong = Vec::new();
    for file in files {
        let place = file.strip_prefix(&root).unwrap();
        let mut parts: Vec<&str> = place.iter().map(|part| part.to_str().unwrap()).collect();
        let folder = parts[0].trim_end_matches(".rs");
        let allowed = ARROWS.iter().find(|(name, _)| *name == folder);
        if parts.last() == Some(&"mod.rs") {
            parts.pop();
        }
        let above = "super::".repeat(parts.len());
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in shipped(&text) {
            let mut complain =
                |what: &str| wrong.push(format!("{}:{number}: {what}", place.display()));
            if line.contains(&above) || line.contains("crate::{") {
                complain("name one folder, by `crate::folder`");
            }
            for named in names(&line) {
                let known = named == folder
                    || allowed.is_some_and(|(_, may)| may.split(' ').any(|may| may == named));
                if folder != "cli" && !known {
                    complain(&format!("{folder} must not know {named}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// Every source of a folder, except those of tests.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !["tests", "fuzzing", "fuzz"].contains(&name) {
                collect(&path, files);
            }
        } else if !["lib.rs", "main.rs", "arrows.rs"].contains(&name) && !name.ends_with("tests.rs")
        {
            files.push(path);
        }
    }
}

/// The lines that aren't comments, up to the tests at the end, with their numbers.
fn shipped(text: &str) -> impl Iterator<Item = (usize, String)> {
    let end = text
        .find("\n#[cfg(test)]\nmod tests {")
        .unwrap_or(text.len());
    let lines = (1..).zip(text[..end].lines());
    lines.filter_map(|(number, line)| {
        let code = line.split("//").next().unwrap_or_default();
        let mut code = code.to_owned();
        for (name, folder) in CRATES {
            code = code.replace(name, folder);
        }
        (!code.trim().is_empty()).then_some((number, code))
    })
}

/// What a line names directly below the crate's root.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let paths = line.split("crate::").skip(1);
    paths.filter_map(|path| {
        path.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    })
}
