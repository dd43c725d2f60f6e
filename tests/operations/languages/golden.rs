//! Components that were built against a contract of the past, and kept: each must load and behave as it did. `docs/decisions/contract.md`
//! says what may change so that they do.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// Those that are kept in the repository, with the contract that each was built against. Rust's plays the contract's cases in the gateway's
/// tests; Python's is too large to keep, and is built against the oldest contract by the tests beside this.
const KEPT: [(&str, &str); 4] = [
    ("0.1.0", "banned-words.c.wasm.gz"),
    ("0.1.0", "banned-words.js.wasm.gz"),
    ("1.0.0", "banned-words.c.wasm.gz"),
    ("1.0.0", "banned-words.js.wasm.gz"),
];

#[test]
fn components_built_against_an_older_contract_do_what_they_did() {
    for (version, name) in KEPT {
        let kept = root().join("tests/golden").join(version);
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("banned-words.wasm");
        let mut bytes = Vec::new();
        let file = std::fs::File::open(kept.join(name)).unwrap();
        GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        std::fs::write(&component, bytes).unwrap();
        let samples = kept.join("banned-words.samples.yaml");
        let settings =
            json!({"words": ["lynx", "Project X", "C++", "Büro"], "most": 3}).to_string();
        let args = [
            "policy",
            "test",
            component.to_str().unwrap(),
            "--settings",
            &settings,
            "--samples",
            samples.to_str().unwrap(),
        ];
        let came = ended(with_tools(&root(), &args));
        assert!(
            came.well && came.out.contains("14 passed, 0 failed"),
            "{version}/{name}: {came:?}"
        );
    }
}

/// Of the contract that is frozen, every type, hook and function is still there, and no type and no hook has more than it had.
#[test]
fn the_contract_has_gained_nothing_but_functions_and_interfaces() {
    let read =
        |path: &str| declared(&std::fs::read_to_string(root().join("wit").join(path)).unwrap());
    let (frozen, now) = (read("1.0.0/policy.wit"), read("policy.wit"));
    let shapes = |all: &[Declared]| -> Vec<Declared> {
        all.iter().filter(|it| it.is_shape()).cloned().collect()
    };
    let known = shapes(&frozen);
    let still = shapes(&now)
        .into_iter()
        .filter(|it| known.iter().any(|known| known.place == it.place));
    assert_eq!(still.collect::<Vec<_>>(), known);
    let gone: Vec<_> = frozen.iter().filter(|it| !now.contains(it)).collect();
    assert!(gone.is_empty(), "{gone:?}");
}

/// A line of a contract, and the blocks in which it stands.
#[derive(Clone, Debug, PartialEq)]
struct Declared {
    place: Vec<String>,
    line: String,
}

impl Declared {
    /// Whether it is part of a type, or of what a component exports: neither may grow.
    fn is_shape(&self) -> bool {
        let frozen = [
            "record ",
            "variant ",
            "enum ",
            "flags ",
            "resource ",
            "interface policy ",
        ];
        let mut place = self.place.iter();
        place.any(|block| frozen.iter().any(|kind| block.starts_with(kind)))
    }
}

/// All that a contract declares, without its words.
fn declared(text: &str) -> Vec<Declared> {
    let mut place: Vec<String> = Vec::new();
    let mut all = Vec::new();
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("//")) {
        if line.starts_with('}') {
            place.pop();
            continue;
        }
        // What stands on one line has no block of its own.
        let opens = line.ends_with('{');
        if !line.starts_with("use ") {
            all.push(Declared {
                place: place.clone(),
                line: line.to_owned(),
            });
        }
        if opens {
            place.push(line.to_owned());
        }
    }
    all
}

/// A contract that was released isn't touched: what may change is the one that isn't.
#[test]
fn every_contract_that_is_kept_is_one_of_its_version() {
    for entry in std::fs::read_dir(root().join("wit")).unwrap() {
        let folder = entry.unwrap().path();
        if !folder.is_dir() {
            continue;
        }
        let version = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(folder.join("policy.wit")).unwrap();
        assert!(
            text.contains(&format!("package witgate:policy@{version};")),
            "{version}"
        );
        assert!(
            KEPT.iter().any(|(of, _)| *of == version),
            "no component is kept of {version}"
        );
    }
}
