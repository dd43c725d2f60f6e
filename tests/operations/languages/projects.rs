//! The example in four languages: built, held to one set of samples, and compared on texts that nobody chose.

use super::*;

/// Tests with these settings by these samples; what isn't well is shown.
fn tested(component: &Path, settings: &Value, samples: &Path) -> Value {
    let settings = settings.to_string();
    let (component, samples) = (component.to_str().unwrap(), samples.to_str().unwrap());
    let args = [
        "policy",
        "test",
        component,
        "--settings",
        &settings,
        "--samples",
        samples,
        "--format",
        "json",
    ];
    let came = ended(with_tools(&root(), &args));
    assert!(came.well, "{component}: {came:?}");
    serde_json::from_str(&came.out).unwrap()
}

/// The example's component in that language, built by `witgate policy build`. What it was built from is kept beside it: without a change
/// of that it isn't built again.
fn component(language: &str) -> PathBuf {
    let from = example().join(language);
    let folder = kept().join("languages").join(language);
    // What builds is part of what it is made from.
    let made_from = [
        &from,
        &root().join("host/src/cli/policy/build"),
        &root().join("wit"),
        &root().join("plugins/sdk/src"),
    ];
    let made_from: String = made_from
        .into_iter()
        .map(|folder| text_of(folder))
        .collect();
    let list = kept().join("languages").join(format!("{language}.txt"));
    std::fs::create_dir_all(kept().join("languages")).unwrap();
    std::fs::write(&list, made_from).unwrap();
    once(&folder, &list, |folder| {
        copy(&from, folder);
        if language == "rust" {
            // A member of the workspace stays in it.
            std::fs::remove_dir_all(folder).unwrap();
            std::fs::create_dir_all(folder).unwrap();
            let came = author(&from, &["policy", "build"]);
            assert!(came.well, "{language}: {came:?}");
            let file = "banned-words.wasm";
            std::fs::rename(from.join(file), folder.join(file)).unwrap();
            return;
        }
        // Of Python no component is small enough to be kept: it is built against the oldest contract that must go on working.
        if language == "python" {
            copy(&root().join("wit/0.1.0"), &folder.join("wit"));
        }
        let came = author(folder, &["policy", "build"]);
        assert!(came.well, "{language}: {came:?}");
        for said in ["banned-words 0.1.0", "on-answer", "sha256:", "bytes"] {
            assert!(came.out.contains(said), "{language}: {came:?}");
        }
    });
    folder.join("banned-words.wasm")
}

fn passes_the_samples(language: &str) {
    let settings = json!({"words": ["lynx", "Project X", "C++", "Büro"], "most": 3});
    let report = tested(
        &component(language),
        &settings,
        &example().join("samples.yaml"),
    );
    assert_eq!(report["ok"], true);
    let cases = report["cases"].as_array().unwrap();
    assert!(
        cases.len() > 10 && cases.iter().all(|case| case["runs"].as_u64() > Some(1)),
        "{report}"
    );
}

#[test]
fn the_example_in_rust_passes_the_samples() {
    passes_the_samples("rust");
}

#[test]
fn the_example_in_c_passes_the_samples() {
    passes_the_samples("c");
}

/// As much memory for each text as there is left of the settings would be past the sandbox's.
#[test]
fn the_example_in_c_takes_many_words() {
    let mut words: Vec<String> = ["lynx", "Project X", "C++", "Büro"]
        .map(str::to_owned)
        .into();
    words.extend((0..3000).map(|n| format!("unsaid-{n:05}-and-some-letters")));
    let settings = json!({"words": words, "most": 3});
    let samples = example().join("samples.yaml");
    assert_eq!(tested(&component("c"), &settings, &samples)["ok"], true);
}

#[test]
fn the_example_in_javascript_passes_the_samples() {
    passes_the_samples("js");
}

#[test]
fn the_example_in_python_passes_the_samples() {
    passes_the_samples("python");
}

/// Words, what begins like one, what stands beside them, and what breaks where a byte is taken for a character.
const PARTS: [&str; 22] = [
    "lynx",
    "LYNX",
    "Lyn",
    "x",
    " ",
    "  ",
    "Project X",
    "project",
    "pro",
    "C++",
    "c+",
    "+",
    "Büro",
    "büro",
    "Bür",
    "_",
    "1",
    "→",
    "🙂",
    ".",
    "-",
    "\\n",
];

/// Samples of texts at random that expect nothing yet.
fn samples(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut all = String::new();
    for number in 0..24 {
        let count = random.usize(4..24);
        let text: String = (0..count)
            .map(|_| PARTS[random.usize(..PARTS.len())])
            .collect();
        all.push_str(&format!(
            "- name: Text {number}\n  request: {{messages: [{{role: user, content: hello}}]}}\n  answer: \"{text}\"\n  \
             expect:\n    verdict: respond\n    text: \"\"\n    findings: []\n"
        ));
    }
    all
}

/// What comes in Rust is written down, and must come in each other language, at every cut.
#[test]
fn the_example_does_the_same_in_every_language() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("random.samples.yaml");
    std::fs::write(&file, samples(0x6c79_6e78)).unwrap();
    let settings = json!({"words": ["lynx", "Project X", "C++", "Büro"], "mask": "[»]"});
    let (rust, given) = (component("rust"), settings.to_string());
    let (rust, given, samples) = (
        rust.to_str().unwrap(),
        given.as_str(),
        file.to_str().unwrap(),
    );
    let write = [
        "policy",
        "test",
        rust,
        "--settings",
        given,
        "--samples",
        samples,
        "--update",
    ];
    ended(with_tools(&root(), &write));
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(
        written.contains("[»]") && !written.contains("respond"),
        "{written}"
    );
    for language in LANGUAGES {
        tested(&component(language), &settings, &file);
    }
}

/// What authors copy is one text, wherever it lies.
#[test]
fn the_helpers_are_the_same_in_examples_and_templates() {
    for (language, files) in [
        (
            "c",
            &[
                "hold_back.c",
                "hold_back.h",
                "settings.c",
                "settings.h",
                "witgate.c",
                "witgate.h",
            ][..],
        ),
        ("js", &["hold-back.js"]),
        ("python", &["hold_back.py", "requirements.txt"]),
    ] {
        for file in files {
            let read = |folder: PathBuf| {
                std::fs::read_to_string(folder.join(language).join(file)).unwrap()
            };
            assert_eq!(
                read(example()),
                read(root().join("host/templates")),
                "{language}/{file}"
            );
        }
    }
}

/// The tools that the tests install are those that authors are told of.
#[test]
fn the_tools_are_pinned_once() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let tests = read("tests/gateway/clients/requirements/languages.txt");
    for language in ["c", "python"] {
        let pinned = read(&format!("host/templates/{language}/requirements.txt"));
        assert!(tests.contains(pinned.trim()), "{pinned}");
    }
    let [template, example] = [
        "host/templates/js/package-lock.json",
        "plugins/examples/banned-words/js/package-lock.json",
    ]
    .map(read);
    assert_eq!(template.replace("{{name}}", "banned-words"), example);
}

/// What C calls, the contract has: the bindings are made from it by `tools/c-bindings`.
#[test]
fn the_bindings_for_c_are_of_the_contract() {
    let wit = std::fs::read_to_string(root().join("wit/policy.wit")).unwrap();
    let bindings = std::fs::read_to_string(root().join("host/templates/c/witgate.c")).unwrap();
    let mut calls = 0;
    for line in bindings
        .lines()
        .filter(|line| line.contains("__import_module__(\"witgate:policy/"))
    {
        let mut quoted = line.split('"').skip(1).step_by(2);
        let (module, function) = (quoted.next().unwrap(), quoted.next().unwrap());
        let interface = module
            .trim_start_matches("witgate:policy/")
            .split('@')
            .next()
            .unwrap();
        let begins = format!("interface {interface} {{");
        let mut within = wit
            .lines()
            .skip_while(|line| *line != begins)
            .take_while(|line| *line != "}");
        let declared = format!("{function}: func(");
        assert!(
            within.any(|line| line.trim_start().starts_with(&declared)),
            "{module} {function}: run tools/c-bindings"
        );
        calls += 1;
    }
    assert!(calls > 30, "{calls}");
}

/// A tool that isn't there is named, with how to get it.
#[test]
fn a_missing_tool_is_named_with_how_to_get_it() {
    for (language, wanted) in [
        ("rust", &["cargo", "rustup.rs"][..]),
        (
            "c",
            &["no compiler for C", "pip install ziglang", "WASI_SDK_PATH"],
        ),
        ("js", &["componentize-qjs", "npm install"]),
        (
            "python",
            &["componentize-py", "pip install -r requirements.txt"],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy(&example().join(language), folder.path());
        let mut command = with_tools(folder.path(), &["policy", "build"]);
        let came = ended({
            command.env("PATH", folder.path());
            command
        });
        assert!(!came.well, "{language}: {came:?}");
        for words in wanted {
            assert!(came.err.contains(words), "{language}: {came:?}");
        }
        assert!(
            !folder.path().join("banned-words.wasm").exists(),
            "{language}"
        );
    }
}

/// What breaks the build leaves the component that was there: a gateway may be watching it.
#[test]
fn what_does_not_build_or_load_leaves_the_component_before() {
    let folder = tempfile::tempdir().unwrap();
    copy(&example().join("c"), folder.path());
    let kept = folder.path().join("banned-words.wasm");
    std::fs::write(&kept, "the one before").unwrap();
    let policy = folder.path().join("policy.c");
    let good = std::fs::read_to_string(&policy).unwrap();
    for (from, to, said) in [
        (
            "static words_t words;",
            "static words_t words",
            "error: expected ';'",
        ),
        (
            "free(self);",
            "free(self); puts(\"gone\");",
            "witgate_policy_host_log",
        ),
        (
            "ret->interest.is_some = false;",
            "__builtin_trap();",
            "configure",
        ),
    ] {
        let bad = good.replacen(from, to, 1).replace(
            "#include <string.h>",
            "#include <string.h>\n#include <stdio.h>",
        );
        assert_ne!(bad, good);
        std::fs::write(&policy, bad).unwrap();
        let came = author(folder.path(), &["policy", "build"]);
        assert!(!came.well && came.err.contains(said), "{came:?}");
        assert_eq!(std::fs::read_to_string(&kept).unwrap(), "the one before");
    }
}
