//! `docs/authors/cookbook.md`, written from the recipes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const WRITE: &str = "WITGATE_WRITE_DOCS=1 cargo test -p cookbook --test page";

const HEAD: &str = "\
# Cookbook

Small policies, each of one idea. Each is a file of [`plugins/examples/cookbook/src`](../../plugins/examples/cookbook/src), has its tests below what is shown here, and
is a whole `lib.rs`: copy it into what `witgate policy new` made, and change it. This page is written from those files, which are compiled and tested with everything else.

One of them as a component, from the repository's root:

    cargo build -p cookbook --release --target wasm32-wasip2 --no-default-features --features canary
    witgate policy inspect target/wasm32-wasip2/release/cookbook.wasm

Whole policies of the same kind, with settings for everything: [`secrets`](../../plugins/secrets), [`pii-detector`](../../plugins/pii-detector),
[`audit-logger`](../../plugins/audit-logger), and for the grant `counters` [`quota`](../../plugins/examples/quota).

";

fn page() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = std::fs::read_dir(folder).expect("there is a folder");
    let mut files: Vec<PathBuf> = files
        .map(|file| file.expect("it can be read").path())
        .collect();
    files.sort();
    let (mut list, mut recipes) = (String::new(), String::new());
    for file in files {
        let name = file
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        if name == "lib" {
            continue;
        }
        let source = std::fs::read_to_string(&file).expect("a recipe");
        let (shown, _) = source.split_once("\n#[cfg(test)]").expect("it has tests");
        let code = shown.trim_start_matches("//! ");
        let (says, code) = code.split_once("\n\n").expect("it says what it does");
        let says = says.replace("\n//! ", " ");
        let first = says.split_inclusive(['.', ':']).next().unwrap_or_default();
        let first = first.trim_end_matches(['.', ':']);
        _ = writeln!(
            list,
            "- [`{name}`](#{name}): {}{}",
            first[..1].to_lowercase(),
            &first[1..]
        );
        _ = writeln!(
            recipes,
            "\n## {name}\n\n{says}\n\n```rust\n{}\n```",
            code.trim()
        );
    }
    format!("{HEAD}{list}{recipes}")
}

#[test]
fn the_cookbook_says_what_the_recipes_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/authors/cookbook.md");
    let page = page();
    if std::env::var_os("WITGATE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("it can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "docs/authors/cookbook.md differs from the recipes; this writes it: {WRITE}"
    );
}

#[test]
fn the_tutorial_ends_with_a_recipe_and_its_samples() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(here.join(path)).expect(path);
    let tutorial = read("../../../docs/authors/tutorial.md");
    let recipe = read("src/codenames.rs");
    let (code, _) = recipe.split_once("\n#[cfg(test)]").expect("it has tests");
    let (_, code) = code.split_once("\n\n").expect("it says what it does");
    for (what, text) in [("code", code), ("samples", &read("codenames.samples.yaml"))] {
        assert!(
            tutorial.contains(text.trim()),
            "docs/authors/tutorial.md has other {what}"
        );
    }
}
