//! What `witgate policy new` writes builds, and passes its own samples, as it stands. Rust's is tested beside the command.

use super::*;

fn new_build_test(language: &str) {
    let folder = tempfile::tempdir().unwrap();
    let name = format!("first-in-{language}");
    for args in [
        &["policy", "new", &name, "--lang", language][..],
        &["policy", "build", &name],
        &["policy", "test", &name],
    ] {
        let came = author(folder.path(), args);
        assert!(came.well, "{language}: {args:?}: {came:?}");
        if args[1] == "test" {
            assert!(came.out.contains("3 passed, 0 failed"), "{came:?}");
        }
    }
}

#[test]
fn a_first_policy_in_c_builds_and_passes_its_samples() {
    new_build_test("c");
}

#[test]
fn a_first_policy_in_javascript_builds_and_passes_its_samples() {
    new_build_test("js");
}

#[test]
fn a_first_policy_in_python_builds_and_passes_its_samples() {
    new_build_test("python");
}

/// A grant is named in `policy.yaml`, and can be imported then: no world needs to be written.
#[test]
fn a_policy_in_javascript_gets_the_grant_that_its_manifest_names() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("counting");
    let came = author(
        folder.path(),
        &["policy", "new", "counting", "--lang", "js"],
    );
    assert!(came.well, "{came:?}");
    let change = |file: &str, from: &str, to: &str| {
        let file = project.join(file);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from));
        std::fs::write(&file, text.replace(from, to)).unwrap();
    };
    change(
        "policy.js",
        "import host",
        "import kv from \"witgate:policy/kv@1.0.0\";\nimport host",
    );
    change(
        "policy.js",
        "onComplete() {}",
        "onComplete() { kv.put(\"last\", \"1\", 60); }",
    );
    let came = author(&project, &["policy", "build"]);
    assert!(!came.well && came.err.contains("kv"), "{came:?}");
    change(
        "policy.yaml",
        "# grants: {counters: it counts what each client has taken}",
        "grants: {kv: it remembers the last one}",
    );
    let came = author(&project, &["policy", "build"]);
    assert!(came.well && came.out.contains("grants    kv"), "{came:?}");
}
