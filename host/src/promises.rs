//! A test that every test that `docs/security.md` names for a promise is there, in some source of this repository.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_promise_has_the_tests_that_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (mut tests, mut files) = (BTreeSet::new(), Vec::new());
    for folder in [
        "host/src",
        "host/crates",
        "host/benches",
        "plugins",
        "tests",
    ] {
        collect(&root.join(folder), &mut tests, &mut files);
    }
    let doc = fs::read_to_string(root.join("docs/security.md")).unwrap();
    let named: Vec<&str> = doc
        .lines()
        .filter(|line| line.starts_with("| "))
        .filter_map(|line| line.trim_end_matches(" |").rsplit(" | ").next())
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect();
    let missing: Vec<&&str> = named
        .iter()
        .filter(|name| match name.strip_suffix(".rs") {
            Some(_) => !files.iter().any(|file| file.ends_with(**name)),
            None => name.contains('_') && !name.contains(['.', ' ']) && !tests.contains(**name),
        })
        .collect();
    assert!(missing.is_empty(), "docs/security.md names {missing:?}");
    let whole = named.iter().filter(|name| tests.contains(**name)).count();
    assert!(whole > 50, "only {whole} names were found in it");
}

/// The names of the functions in each source below, and the sources' paths.
fn collect(folder: &Path, tests: &mut BTreeSet<String>, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                collect(&path, tests, files);
            }
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let names = text.lines().filter_map(|line| {
                let line = line.trim_start().trim_start_matches("async ");
                line.strip_prefix("fn ")?.split(['(', '<']).next()
            });
            tests.extend(names.map(str::to_owned));
            files.push(path.to_string_lossy().into_owned());
        }
    }
}
