//! Components that were built against a contract of the past, and kept: each must load and behave as it did. `docs/decisions/contract.md`
//! says what may change so that they do.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

/// Those that are kept in the repository, with the contract that each was built against. Rust's plays the contract's cases in the gateway's
/// tests; Python's is too large to keep, and is built against the oldest contract by the tests beside this.
const KEPT: [(&str, &str); 2] = [
    ("0.1.0", "banned-words.c.wasm.gz"),
    ("0.1.0", "banned-words.js.wasm.gz"),
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
