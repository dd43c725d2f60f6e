//! The command line: what it says of what is wrong, and with which exit code.

mod check;
mod policy;
mod policy_test;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::scene::{NONE, TONE_HERE, component, text};
use crate::support::process::{Done, run, witgate};
use crate::support::{Reply, Upstream, Value, ask, soon, until};

/// A folder with a configuration, and a component beside it.
struct Workspace {
    folder: tempfile::TempDir,
    upstream: Upstream,
}

impl Workspace {
    async fn with(config: &str) -> Self {
        let workspace = Workspace {
            folder: tempfile::tempdir().unwrap(),
            upstream: Upstream::simulated().await,
        };
        workspace.write(config).await;
        workspace
    }

    async fn write(&self, config: &str) {
        let text = text(self.folder.path(), config, self.upstream.address).await;
        std::fs::write(self.folder.path().join("policy-config.yaml"), text).unwrap();
    }

    fn tone(&self, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join("tone.wasm"), bytes).unwrap();
    }

    /// Runs a line; `@` is the configuration's path.
    async fn run(&self, line: &str) -> Done {
        let file = self.folder.path().join("policy-config.yaml");
        let file = file.to_str().unwrap();
        soon(
            "the command ends",
            run(
                self.folder.path(),
                line.split_whitespace()
                    .map(|word| if word == "@" { file } else { word }),
            ),
        )
        .await
    }

    async fn checked(&self) -> (i32, Value) {
        let done = self
            .run("check --policy-config @ --offline --format json")
            .await;
        (done.code, done.json())
    }
}

#[tokio::test]
async fn a_sample_that_does_not_hold_is_found_by_check_and_run() {
    let workspace = Workspace::with(TONE_HERE).await;
    workspace.tone(component().await);
    let sample = "- name: A shout is fine\n  request: {messages: [{role: user, content: LOUD}]}\n  expect: {verdict: proceed}\n";
    let file = workspace.folder.path().join("tone.samples.yaml");
    std::fs::write(&file, sample).unwrap();
    let said = "tone.samples.yaml: sample \"A shout is fine\" (whole): expected the verdict proceed, and what came is the verdict deny \
                with the code `shouting`";
    let done = workspace.run("check --policy-config @ --offline").await;
    assert!(done.code == 1 && done.out.contains(said), "{done:?}");
    let done = workspace
        .run("run --listen 127.0.0.1:0 --admin 127.0.0.1:0 --policy-config @")
        .await;
    assert!(done.code == 1 && done.err.contains(said), "{done:?}");
    std::fs::remove_file(file).unwrap();
    assert_eq!(workspace.checked().await.0, 0);
}

#[tokio::test]
async fn a_broken_configuration_is_found_by_check_and_run() {
    let workspace = Workspace::with("policies: {chian: []}\n").await;
    for line in [
        "check --policy-config @",
        "run --listen 127.0.0.1:0 --admin 127.0.0.1:0 --policy-config @",
    ] {
        let done = workspace.run(line).await;
        assert_eq!(done.code, 1, "{line}: {done:?}");
        assert!(
            done.err.contains("chian") && done.err.contains("chain"),
            "{done:?}"
        );
    }
    let (code, found) = workspace.checked().await;
    assert_eq!((code, &found["ok"]), (1, &Value::Bool(false)));
    let done = workspace
        .run("check --policy-config /nowhere/at-all.yaml")
        .await;
    assert_eq!(done.code, 1);
    assert!(done.err.contains("/nowhere/at-all.yaml"), "{done:?}");
}

#[tokio::test]
async fn a_key_that_is_not_set_is_named() {
    let workspace = Workspace::with(NONE).await;
    let target = "providers: {targets: [{id: a, provider: cerebras, base_url: \"http://@0/v1\", secret_key_ref: {env: WITGATE_TEST_UNSET}}]}\n";
    workspace.write(&format!("{NONE}{target}")).await;
    let (code, found) = workspace.checked().await;
    assert_eq!(code, 1);
    assert!(
        found["targets"][0]["error"]
            .as_str()
            .unwrap()
            .contains("WITGATE_TEST_UNSET"),
        "{found}"
    );
    let done = workspace
        .run("run --listen 127.0.0.1:0 --admin 127.0.0.1:0 --policy-config @")
        .await;
    assert_eq!(done.code, 1);
    assert!(
        done.err.contains("WITGATE_TEST_UNSET") && done.err.contains("--simulate"),
        "{done:?}"
    );
}

#[tokio::test]
async fn a_listener_that_cannot_be_had_is_explained() {
    let workspace = Workspace::with(NONE).await;
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = holder.local_addr().unwrap().to_string();
    for (line, option) in [
        (
            format!("run --policy-config @ --listen {taken} --admin 127.0.0.1:0"),
            "--listen",
        ),
        (
            format!("run --policy-config @ --listen 127.0.0.1:0 --admin {taken}"),
            "--admin",
        ),
        (format!("simulate --listen {taken}"), "--listen"),
    ] {
        let done = workspace.run(&line).await;
        assert_eq!(done.code, 1, "{done:?}");
        assert!(
            done.err.contains(&format!("{taken} is in use")) && done.err.contains(option),
            "{done:?}"
        );
    }
    let done = workspace
        .run("run --policy-config @ --listen 0.0.0.0:0 --admin 127.0.0.1:0")
        .await;
    assert_eq!(done.code, 1);
    assert!(done.err.contains("--open"), "{done:?}");
}

#[tokio::test]
async fn misuse_is_told_apart_from_what_is_wrong() {
    let workspace = Workspace::with(NONE).await;
    for line in [
        "",
        "dance",
        "run --no-such-option",
        "run --max-exchanges 0",
        "run --tokens-per-second 5",
        "check --format xml",
        "ask",
        "ask --temperature warm hi",
        "ask --top-p NaN hi",
        "ask --max-tokens 0.5 hi",
        "ask --gateway ftp://localhost hi",
        "ask --gateway localhost:41002 hi",
        "ask --json --format text hi",
        "policy",
        "policy new",
        "policy inspect --format xml",
        "audit verify --head zzz",
        "audit verify --store sqlite:/nowhere/at/all.db",
        "check --log =,= --offline",
        "check --log-format xml --offline",
    ] {
        let done = workspace.run(line).await;
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{line}: {done:?}");
        assert!(!done.err.is_empty(), "{line}");
    }
    for line in ["--help", "--version", "run --help"] {
        assert_eq!(workspace.run(line).await.code, 0, "{line}");
    }
}

#[tokio::test]
async fn inspect_says_what_a_component_is() {
    let workspace = Workspace::with(NONE).await;
    workspace.tone(component().await);
    let file = workspace.folder.path().join("tone.wasm");
    let inspected = async |file: &Path, settings: &str| {
        workspace
            .run(&format!(
                "policy inspect {} --format json --settings {settings}",
                file.display()
            ))
            .await
    };
    let done = inspected(&file, r#"{"limit":3}"#).await;
    let found = done.json();
    assert_eq!(
        (done.code, &found["name"], &found["version"]),
        (0, &"tone-police".into(), &"0.1.0".into()),
        "{found}"
    );
    assert_eq!(
        found["hooks"],
        serde_json::json!(["on-request", "on-answer"])
    );
    assert_eq!(found["grants"], serde_json::json!([]));
    // Without the setting that it wants its hooks are unknown; the rest is told all the same.
    let done = inspected(&file, "{}").await;
    assert_eq!(
        (done.code, &done.json()["name"]),
        (1, &"tone-police".into())
    );
    assert!(done.json()["error"].as_str().unwrap().contains("limit"));
    let done = inspected(&workspace.folder.path().join("none.wasm"), "{}").await;
    assert_eq!(done.code, 1);
    assert!(done.err.contains("none.wasm"), "{done:?}");
}

#[tokio::test]
async fn the_simulator_runs_alone_until_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = witgate(folder.path());
    command.args([
        "--log-format",
        "json",
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--api-key",
        "sesame",
    ]);
    let mut child = Running(
        command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let mut log = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let line = tokio::task::spawn_blocking(move || (log.next(), log));
    let (line, _log) = soon("it says where it listens", line).await.unwrap();
    let line = line.unwrap().unwrap();
    let url = line
        .split_once("http://")
        .unwrap()
        .1
        .split_once("/v1")
        .unwrap()
        .0;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for (key, status) in [("sesame", 200), ("another", 401)] {
        let request = http
            .post(format!("http://{url}/v1/chat/completions"))
            .bearer_auth(key)
            .header("content-type", "application/json");
        let reply = Reply::read(
            request
                .body(ask("say: hello").to_string())
                .send()
                .await
                .unwrap(),
        )
        .await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    let id = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    let status = until("it ends", async || child.0.try_wait().unwrap()).await;
    assert_eq!(status.code(), Some(0));
}

/// Killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
