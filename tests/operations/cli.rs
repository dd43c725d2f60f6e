//! The command line: what it says of what is wrong, and with which exit code.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::scene::{NONE, TONE_HERE, component, text, tone};
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
async fn check_shows_a_good_configuration_stage_by_stage() {
    let workspace = Workspace::with(&tone(3)).await;
    let done = workspace.run("check --policy-config @").await;
    assert_eq!(done.code, 0, "{done:?}");
    for said in [
        "✓ tone: tone-police 0.1.0",
        "on-request, on-answer",
        "snapshot",
        "✓ sim",
        "it lists",
        "all well",
    ] {
        assert!(done.out.contains(said), "no {said:?} in {}", done.out);
    }
    let found = workspace
        .run("check --policy-config @ --format json")
        .await
        .json();
    assert_eq!(found["ok"], true);
    assert_eq!(found["stages"][0]["policy"], "tone-police");
    assert!(!found["targets"][0]["models"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn check_says_which_stages_are_in_shadow() {
    let workspace = Workspace::with(&tone(3)).await;
    assert_eq!(workspace.checked().await.1["stages"][0]["mode"], "enforce");
    workspace
        .write(&tone(3).replace("id: tone", "mode: shadow, id: tone"))
        .await;
    assert_eq!(workspace.checked().await.1["stages"][0]["mode"], "shadow");
    let done = workspace.run("check --policy-config @ --offline").await;
    assert!(done.out.contains("in shadow"), "{}", done.out);
}

#[tokio::test]
async fn check_asks_no_target_offline_and_names_one_that_does_not_answer() {
    let workspace = Workspace::with(NONE).await;
    // A port that was free a moment ago.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let target = format!(
        "{NONE}providers: {{targets: [{{id: gone, provider: cerebras, base_url: \"http://{closed}/v1\"}}]}}\n"
    );
    workspace.write(&target).await;
    let (code, found) = workspace.checked().await;
    assert_eq!((code, &found["ok"]), (0, &Value::Bool(true)));
    let done = workspace.run("check --policy-config @").await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!(
        done.out.contains("✗ gone") && done.out.contains("something is wrong"),
        "{done:?}"
    );
}

#[tokio::test]
async fn check_says_what_is_wrong_with_a_component() {
    let good = component().await;
    let workspace = Workspace::with(TONE_HERE).await;
    let module = wat::parse_str("(module)").unwrap();
    let stranger = wat::parse_str("(component)").unwrap();
    let told = async |why: &str| {
        let (code, found) = workspace.checked().await;
        assert_eq!(
            (code, &found["ok"], &found["stages"][0]["ok"]),
            (1, &Value::Bool(false), &Value::Bool(false)),
            "{why}: {found}"
        );
        let error = found["stages"][0]["error"].as_str().unwrap().to_owned();
        assert!(error.contains(why), "{why:?} is not in: {error}");
        let done = workspace.run("check --policy-config @ --offline").await;
        assert_eq!(done.code, 1);
        assert!(
            done.out.contains("✗ tone") && done.out.contains(why),
            "{done:?}"
        );
    };
    told("tone.wasm").await;
    for (bytes, why) in [
        (&b""[..], "empty"),
        (b"not wasm at all", "isn't WebAssembly"),
        (&good[..good.len() / 2], "cut short"),
        (&module, "module"),
        (&stranger, "witgate:policy"),
    ] {
        workspace.tone(bytes);
        told(why).await;
    }
    workspace.tone(&good);
    workspace
        .write(&TONE_HERE.replace("limit: 3", "limt: 3"))
        .await;
    told("limt").await;
    workspace
        .write(&TONE_HERE.replace(
            "id: tone,",
            &format!("id: tone, digest: \"sha256:{}\",", "0".repeat(64)),
        ))
        .await;
    told("sha256").await;
    workspace.write(TONE_HERE).await;
    assert_eq!(workspace.checked().await.0, 0);
}

#[tokio::test]
async fn check_runs_the_samples_of_third_parties_and_of_bundled_policies() {
    let counts = async |workspace: &Workspace| {
        let (code, found) = workspace.checked().await;
        assert_eq!(code, 0, "{found}");
        let stages = found["stages"].as_array().unwrap().iter();
        let counted = stages.map(|stage| {
            let count = |key: &str| stage["samples"][key].as_u64().unwrap();
            (count("ran"), count("skipped"))
        });
        counted.collect::<Vec<_>>()
    };
    let workspace = Workspace::with(&tone(3)).await;
    assert_eq!(counts(&workspace).await, [(3, 0)]);
    workspace.write(&tone(4)).await;
    assert_eq!(counts(&workspace).await, [(1, 2)]);
    let done = workspace.run("check --policy-config @ --offline").await;
    let said = "samples: 1 ran, 2 for other settings";
    assert!(done.out.contains(said), "{done:?}");

    workspace
        .write("policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n")
        .await;
    assert_eq!(counts(&workspace).await, [(4, 1), (4, 3), (2, 0)]);
    // Whatever is set, none of them keeps its policy out.
    let others = "policies: {chain: [prompt-injection, pii-detector, audit-logger, \
         {id: lax, component: \"bundled:prompt-injection\"}, {id: hashed, component: \"bundled:pii-detector\"}, \
         {id: blind, component: \"bundled:pii-detector\"}]}\n\
         policy: {prompt-injection: {action: report}, pii-detector: {action: deny}, audit-logger: {capture: full}, \
         lax: {threshold: 1.0, roles: [system], patterns: [explain], max_bytes: 1024}, \
         hashed: {action: report, format: hash, salt: a}, blind: {entities: [iban], requests: false}}\n";
    workspace.write(others).await;
    let ran = counts(&workspace).await.into_iter().map(|(ran, _)| ran);
    assert_eq!(ran.collect::<Vec<_>>(), [3, 4, 2, 0, 3, 2]);
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
        "policy",
        "policy inspect",
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
            .bearer_auth(key);
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
