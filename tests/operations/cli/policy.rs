//! What a policy's author does: a project from nothing, its component with what it says of itself, a talk with it, what it costs.

use std::io::{BufRead, BufReader, Lines, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use super::{Running, Workspace};
use crate::scene::{NONE, component};
use crate::support::process::{Done, run, witgate};
use crate::support::{DEADLINE, Value, json, kept, soon};

/// A new project in Rust as its author gets it: `new`, and `build`. Nobody changes it.
fn project() -> &'static Path {
    static COPY: OnceLock<PathBuf> = OnceLock::new();
    COPY.get_or_init(|| {
        let folder = kept().join("author");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let done = author(&folder, &["policy", "new", "no-moons"]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.out.contains("witgate policy build"), "{done:?}");
        let project = folder.join("no-moons");
        let done = author(&project, &["policy", "build"]);
        assert_eq!(done.code, 0, "{done:?}");
        for said in ["no-moons 0.1.0", "on-request, on-answer", "sha256:"] {
            assert!(done.out.contains(said), "{done:?}");
        }
        let aside = folder.join("copy");
        copy(&project, &aside);
        aside
    })
}

/// The one that tests change, one after another, and put back: built anywhere else it would take its SDK to be another.
static WORKSHOP: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn workshop() -> PathBuf {
    project().with_file_name("no-moons")
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Runs a command of the program to its end, with a target directory of the tests' own.
fn author(folder: &Path, args: &[&str]) -> Done {
    let mut command = witgate(folder);
    command.args(args).current_dir(folder);
    tools(&mut command);
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn tools(command: &mut Command) {
    // Beside the other guests, whose dependencies are the same.
    command.env("CARGO_TARGET_DIR", kept().join("guests"));
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        command.env_remove(name);
    }
}

async fn built() -> PathBuf {
    tokio::task::spawn_blocking(|| project().join("no-moons.wasm"))
        .await
        .unwrap()
}

#[test]
fn a_new_project_builds_and_passes_its_samples() {
    let done = author(project(), &["policy", "test", "--format", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    assert_eq!(
        (&found["failed"], &found["skipped"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(found["passed"], 3, "{found}");
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("mine")).unwrap();
    std::fs::write(folder.path().join("mine/notes"), "mine").unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for (name, said) in [
        ("mine", "it is there already, with something in it"),
        ("file", "nothing was written"),
        ("Not-A-Name", "can't be a policy's name"),
        ("a_b", "can't be a policy's name"),
        ("test", "`my-test` can be"),
        ("..", "there is no name in it"),
    ] {
        let done = author(folder.path(), &["policy", "new", name]);
        assert!(
            done.code == 1 && done.err.contains(said),
            "{name}: {done:?}"
        );
    }
    let left = std::fs::read_dir(folder.path().join("mine"))
        .unwrap()
        .count();
    assert_eq!(left, 1);
    let done = author(folder.path(), &["policy", "build", "mine"]);
    assert!(
        done.code == 1 && done.err.contains("no policy.yaml"),
        "{done:?}"
    );
}

#[test]
fn what_the_project_says_is_in_the_component() {
    let done = author(project(), &["policy", "inspect", "--format", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    let manifest = &found["manifest"];
    assert_eq!(
        (
            &manifest["name"],
            &manifest["version"],
            &manifest["license"]
        ),
        (&json!("no-moons"), &json!("0.1.0"), &json!("Apache-2.0"))
    );
    assert_eq!(manifest["schema"]["required"], json!(["words"]));
    let producers = found["producers"].as_array().unwrap();
    assert!(producers.iter().any(|it| it["name"] == "Rust"), "{found}");
    let text = author(project(), &["policy", "inspect"]).out;
    for said in [
        "license   Apache-2.0",
        "language: Rust",
        "does      Puts stars",
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_project_that_says_another_name_than_its_policy_is_not_built() {
    let folder = workshop();
    let _alone = WORKSHOP.blocking_lock();
    let file = folder.join("policy.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("name: no-moons", "name: no-suns")).unwrap();
    let done = author(&folder, &["policy", "build"]);
    std::fs::write(&file, text).unwrap();
    assert!(
        done.code == 1 && done.err.contains("calls itself `no-moons`"),
        "{done:?}"
    );
    assert!(!folder.join("no-suns.wasm").exists());
}

/// The component with a section at its end.
fn with_section(component: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let number = |mut number: usize| {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let section = [&number(name.len()), name.as_bytes(), data].concat();
    [component, &[0], &number(section.len()), &section].concat()
}

#[tokio::test]
async fn what_a_manifest_needs_is_told_before_anything_runs_and_a_broken_one_is_an_error() {
    let workspace = Workspace::with(
        "policies: {chain: [{id: tone, component: ./tone.wasm, limits: {held_text: 1KiB}}]}\npolicy: {tone: {limit: 3}}\n",
    )
    .await;
    let plain = component().await;
    let huge = vec![b' '; 300 << 10];
    let deep = vec![b'['; 100_000];
    let cases: [(&[u8], &str); 7] = [
        (
            br#"{"name": "tone", "limits": {"held_text": "64KiB", "memory": "1MiB"}}"#,
            "limits.held_text is 1KiB and must be 64KiB, by its author's word; write `limits: {held_text: 64KiB}`",
        ),
        (
            br#"{"name": "tone", "limits": {"held_text": 1e99}}"#,
            "limits.held_text",
        ),
        (br#"{"name": "\u001b[2J"}"#, "can't be an id"),
        (b"", "its manifest: it isn't JSON"),
        (b"\xff\x00", "its manifest: it isn't JSON"),
        (&deep, "its manifest: it isn't JSON"),
        (&huge, "may have"),
    ];
    for (manifest, said) in cases {
        workspace.tone(with_section(&plain, "witgate:manifest", manifest));
        let (code, found) = workspace.checked().await;
        let error = found["stages"][0]["error"].as_str().unwrap_or_default();
        assert!(code == 1 && error.contains(said), "{said}: {found}");
    }
    let good = br#"{"name": "tone", "description": "Lowers voices.", "of a later release": 1}"#;
    workspace.tone(with_section(&plain, "witgate:manifest", good));
    let (code, found) = workspace.checked().await;
    assert_eq!(
        (code, &found["stages"][0]["manifest"]["description"]),
        (0, &json!("Lowers voices."))
    );
    let done = workspace.run("check --policy-config @ --offline").await;
    assert!(
        done.out.contains("by its author: Lowers voices."),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_grant_that_is_missing_is_told_with_its_author_s_reason() {
    let workspace =
        Workspace::with("policies: {chain: [{id: q, component: ./tone.wasm}]}\npolicy: {q: {requests: 1, seconds: 60}}\n").await;
    let quota = tokio::task::spawn_blocking(crate::support::policies::quota)
        .await
        .unwrap();
    let manifest =
        br#"{"name": "quota", "grants": {"counters": "it counts what each client asks"}}"#;
    workspace.tone(with_section(
        &std::fs::read(quota).unwrap(),
        "witgate:manifest",
        manifest,
    ));
    let (code, found) = workspace.checked().await;
    let error = found["stages"][0]["error"].as_str().unwrap();
    assert_eq!(code, 1);
    for said in [
        "the grant `counters`",
        "it counts what each client asks",
        "`grants: [counters]`",
    ] {
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn settings_that_do_not_fit_their_schema_are_told_with_file_and_line() {
    let component = built().await;
    let config = format!(
        "policies:\n  chain:\n    - {{id: moons, component: {}}}\npolicy:\n  moons:\n    wrods: [a]\n    longest: many\n",
        component.display()
    );
    let workspace = Workspace::with(&config).await;
    for line in [
        "check --policy-config @ --offline",
        "run --listen 127.0.0.1:0 --admin 127.0.0.1:0 --policy-config @",
    ] {
        let done = workspace.run(line).await;
        let said = format!("{}{}", done.out, done.err);
        assert_eq!(done.code, 1, "{done:?}");
        let at = |wanted: &str| {
            let line = said.lines().find(|line| line.contains(wanted));
            let line = line.unwrap_or_else(|| panic!("{wanted}: {done:?}"));
            let (_, rest) = line.split_once("policy-config.yaml:").unwrap();
            rest.split(':').next().unwrap().parse::<usize>().unwrap()
        };
        let unknown = at("policy.moons: unknown key `wrods`; did you mean `words`?");
        let wrong = at("policy.moons.longest: expected a whole number, found a text");
        assert_eq!(wrong, unknown + 1, "{done:?}");
        assert!(said.contains("missing: `words`"), "{done:?}");
    }
}

#[tokio::test]
async fn what_a_policy_costs_is_measured_beside_an_empty_one() {
    let component = built().await;
    let component = component.to_str().unwrap().to_owned();
    let folder = tempfile::tempdir().unwrap();
    let bench = async |more: &[&str]| {
        let mut args = vec![
            "policy",
            "bench",
            &component,
            "--rounds",
            "1",
            "--settings",
            r#"{"words":["blue moon"]}"#,
        ];
        args.extend(more);
        soon("it is measured", run(folder.path(), args)).await
    };
    let done = bench(&["--format", "json"]).await;
    assert_eq!(done.code, 0, "{done:?}");
    let found = done.json();
    let figures = found["figures"].as_array().unwrap();
    let of = |what: &str| {
        figures
            .iter()
            .filter(|it| it["what"] == what)
            .collect::<Vec<_>>()
    };
    assert_eq!((of("on-request").len(), of("on-delta").len()), (3, 3));
    assert!(
        of("on-delta").iter().all(|it| it["ns"].as_u64() > Some(0)),
        "{found}"
    );
    // It doesn't want that hook.
    assert_eq!(of("on-complete")[0]["ns"], Value::Null);
    assert!(
        found["made"]["snapshot_bytes"].as_u64() > Some(10_000),
        "{found}"
    );
    let done = bench(&["--fail-above", "0.000001"]).await;
    assert!(done.code == 1 && done.out.contains('✗'), "{done:?}");
    assert_eq!(bench(&["--fail-above", "1e12"]).await.code, 0);
    assert_eq!(bench(&["--fail-above", "none"]).await.code, 2);
}

/// Someone at a terminal that is none.
struct Author {
    child: Running,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    says: ChildStdin,
}

impl Author {
    fn at(folder: &Path, args: &[&str]) -> Author {
        let mut command = witgate(folder);
        tools(&mut command);
        command.args(["policy", "run"]).args(args);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        Author {
            lines: Some(BufReader::new(child.stdout.take().unwrap()).lines()),
            says: child.stdin.take().unwrap(),
            child: Running(child),
        }
    }

    fn say(&mut self, line: &str) {
        writeln!(self.says, "{line}").unwrap();
    }

    /// What is said up to a line with that in it, and with it.
    async fn reads(&mut self, wanted: &'static str) -> String {
        let mut lines = self.lines.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut said = String::new();
            for line in lines.by_ref().map(Result::unwrap) {
                // How it is laid out is for people.
                said.extend(line.split_whitespace().flat_map(|word| [word, " "]));
                said.push('\n');
                if line.contains(wanted) {
                    return (said, lines);
                }
            }
            panic!("it ended without {wanted:?}: {said}");
        });
        // Longer than for other things: a policy may be compiled meanwhile.
        let read = tokio::time::timeout(10 * DEADLINE, read).await;
        let read = read.unwrap_or_else(|_| panic!("waited in vain until {wanted}"));
        let (said, lines) = read.unwrap();
        self.lines = Some(lines);
        said
    }
}

#[tokio::test]
async fn a_policy_is_talked_to_and_what_became_of_it_is_shown() {
    let component = built().await;
    let folder = tempfile::tempdir().unwrap();
    let settings = r#"{"words": ["blue moon"], "longest": 40}"#;
    let mut author = Author::at(
        folder.path(),
        &[component.to_str().unwrap(), "--settings", settings],
    );
    author.reads("is watched").await;
    author.say("say: once in a Blue Moon.");
    let said = author.reads("hooks ").await;
    for part in [
        "the model said once in a Blue Moon.",
        "the client reads once in a ***.",
        "findings word ×1",
        "on-request",
        "on-delta",
    ] {
        assert!(said.contains(part), "{said}");
    }
    author.say("say: this is longer than forty characters may be");
    let said = author.reads("hooks ").await;
    assert!(
        said.contains("403 too-long: a message may have 40 characters"),
        "{said}"
    );
    // The model wasn't asked.
    assert!(!said.contains("the model said"), "{said}");
    author.say(r#"{"stream": false, "messages": [{"role": "user", "content": "say: whole"}]}"#);
    assert!(
        author
            .reads("hooks ")
            .await
            .contains("the client reads whole")
    );
    author.say("{broken");
    author.reads("this isn't a request in JSON").await;
    drop(author.says);
    let ended = tokio::task::spawn_blocking(move || author.child.0.wait().unwrap());
    assert!(
        soon("it ends with its input", ended)
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn a_saved_change_is_built_and_runs() {
    let folder = tokio::task::spawn_blocking(workshop).await.unwrap();
    let _alone = WORKSHOP.lock().await;
    let source = folder.join("src/lib.rs");
    let text = std::fs::read_to_string(&source).unwrap();
    let state = tempfile::tempdir().unwrap();
    let mut author = Author::at(state.path(), &[folder.to_str().unwrap()]);
    author.reads("is watched").await;
    author.say("say: blue moon");
    assert!(
        author
            .reads("hooks ")
            .await
            .contains("the client reads ***")
    );
    std::fs::write(&source, text.replace("\"***\"", "broken(")).unwrap();
    author.reads("what ran before goes on").await;
    author.say("say: blue moon");
    assert!(
        author
            .reads("hooks ")
            .await
            .contains("the client reads ***")
    );
    std::fs::write(&source, text.replace("\"***\"", "\"[MOON]\"")).unwrap();
    author.reads("the change runs").await;
    author.say("say: blue moon");
    assert!(
        author
            .reads("hooks ")
            .await
            .contains("the client reads [MOON]")
    );
}

#[tokio::test]
async fn a_bundled_policy_can_be_run_and_nothing_else_by_that_way() {
    let workspace = Workspace::with(NONE).await;
    let done = workspace.run("policy run bundled:none").await;
    assert!(
        done.code == 1 && done.err.contains("no policy is bundled"),
        "{done:?}"
    );
    let done = workspace.run("policy run bundled:pii-detector").await;
    assert!(
        done.code == 0 && done.out.contains("running at http://127.0.0.1:"),
        "{done:?}"
    );
}
