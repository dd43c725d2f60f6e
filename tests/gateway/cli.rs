//! The command line: what is checked, what is said, and with which exit code.

use std::path::Path;
use std::sync::Arc;

use crate::support::process::{Done, run};
use crate::support::*;

/// Writes a configuration and checks it.
async fn check(folder: &Path, config: &str, upstream: &Upstream, more: &[&str]) -> Done {
    let (text, addresses) = (config.to_owned(), [upstream.address]);
    let at = folder.to_owned();
    let text = tokio::task::spawn_blocking(move || bench::complete(&text, &addresses, &at))
        .await
        .unwrap();
    let file = folder.join("policy-config.yaml");
    std::fs::write(&file, text).unwrap();
    run(
        folder,
        [&["check", "--policy-config", file.to_str().unwrap()], more].concat(),
    )
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_says_what_would_happen() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::simulated().await);
    let config = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";
    let done = check(folder.path(), config, &upstream, &[]).await;
    assert_eq!(done.code, 0, "{done:?}");
    for said in [
        "prompt-injection",
        "pii-detector",
        "grants: journal",
        "snapshot",
        "all well",
        "anyone who can reach",
    ] {
        assert!(done.out.contains(said), "{said}: {}", done.out);
    }
    let done = check(folder.path(), config, &upstream, &["--format", "json"]).await;
    let found = done.json();
    assert_eq!(
        (
            done.code,
            &found["ok"],
            found["stages"].as_array().unwrap().len()
        ),
        (0, &json!(true), 3)
    );
    assert!(
        found["targets"][0]["models"]
            .as_array()
            .unwrap()
            .contains(&json!("llama3.1-8b"))
    );
    assert!(
        !folder.path().join("journal.db").exists(),
        "checking makes no journal"
    );

    // Without asking anyone.
    let asked = upstream.recorder.requests().len();
    let done = check(
        folder.path(),
        config,
        &upstream,
        &["--offline", "--format", "json"],
    )
    .await;
    assert_eq!((done.code, upstream.recorder.requests().len()), (0, asked));
    // A model that the target doesn't list is worth a warning.
    let pinned = format!(
        "{config}\nproviders: {{targets: [{{id: sim, provider: \"cerebras:chat:nothing\", base_url: \"http://@0/v1\"}}]}}"
    );
    let done = check(folder.path(), &pinned, &upstream, &["--format", "json"]).await;
    assert!(
        done.json()["targets"][0]["warning"]
            .to_string()
            .contains("nothing"),
        "{done:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn check_names_what_is_wrong_with_a_component() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::simulated().await);
    let puppet = tokio::task::spawn_blocking(policies::puppet).await.unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
    write("empty.wasm", b"");
    write("text.wasm", b"hello, I am no component");
    write("half.wasm", &std::fs::read(puppet).unwrap()[..70_000]);
    // A module of the older kind, not a component.
    write("module.wasm", b"\0asm\x01\0\0\0");
    // A component that exports nothing.
    write("bare.wasm", b"\0asm\x0d\0\x01\0");
    for name in ["missing", "empty", "text", "half", "module", "bare"] {
        let config =
            format!("policies: {{chain: [audit-logger, {{id: mine, component: ./{name}.wasm}}]}}");
        let done = check(folder.path(), &config, &upstream, &["--format", "json"]).await;
        let found = done.json();
        assert_eq!(
            (done.code, &found["ok"], &found["stages"][0]["ok"]),
            (1, &json!(false), &json!(true)),
            "{name}"
        );
        assert!(
            found["stages"][1]["error"]
                .as_str()
                .is_some_and(|error| error.len() > 20),
            "{name}: {found}"
        );
        let done = check(folder.path(), &config, &upstream, &["--offline"]).await;
        assert!(
            done.code == 1 && done.out.contains("✗ mine") && done.err.is_empty(),
            "{done:?}"
        );
    }
    // What is right in itself, in a chain where it can't be.
    for (config, named) in [
        (
            "policies: {chain: [{id: mine, component: @puppet}]}\npolicy: {mine: {what: 1}}",
            "what",
        ),
        (
            "policies: {chain: [{id: mine, component: \"bundled:audit-logger\", grants: []}]}",
            "grants",
        ),
    ] {
        let done = check(folder.path(), config, &upstream, &["--offline"]).await;
        assert!(done.code == 1 && done.out.contains(named), "{done:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_run_says_why_and_with_which_code() {
    let (folder, upstream) = (tempfile::tempdir().unwrap(), Upstream::simulated().await);
    let at = folder.path();
    let bad = check(at, "policies: {chian: []}", &upstream, &[]).await;
    assert!(
        bad.code == 1
            && bad.err.contains("policy-config.yaml:2:")
            && bad.err.contains("did you mean `chain`"),
        "{bad:?}"
    );
    let bad = check(
        at,
        "policies: {chian: []}",
        &upstream,
        &["--format", "json"],
    )
    .await;
    assert!(bad.code == 1 && bad.json()["ok"] == false, "{bad:?}");
    let file = at.join("policy-config.yaml");
    let file = file.to_str().unwrap();
    let started = run(
        at,
        [
            "run",
            "--policy-config",
            file,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
    )
    .await;
    assert!(
        started.code == 1 && started.err.contains("did you mean"),
        "{started:?}"
    );
    let missing = run(
        at,
        [
            "run",
            "--policy-config",
            "/nowhere.yaml",
            "--listen",
            "127.0.0.1:0",
        ],
    )
    .await;
    assert!(
        missing.code == 1 && missing.err.contains("/nowhere.yaml"),
        "{missing:?}"
    );
    // The built-in configuration needs a key.
    let keyless = run(
        at,
        ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"],
    )
    .await;
    assert!(
        keyless.code == 1 && keyless.err.contains("CEREBRAS_API_KEY"),
        "{keyless:?}"
    );
    for misused in [
        &["run", "--lisen", "x"][..],
        &["nonsense"],
        &[],
        &["check", "--format", "xml"],
        &["--log", "a=b=c", "check"],
    ] {
        let done = run(at, misused).await;
        assert!(
            done.code == 2 && !done.err.is_empty(),
            "{misused:?}: {done:?}"
        );
    }
    let version = run(at, ["--version"]).await;
    assert!(
        version.code == 0 && version.out.contains(env!("CARGO_PKG_VERSION")),
        "{version:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_or_a_journal_that_is_taken_is_named() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gateway = Process::with(folder.clone(), &["--simulate"]).await;
    let (traffic, admin) = (gateway.traffic.to_string(), gateway.admin.to_string());
    let other = tempfile::tempdir().unwrap();
    let taken = run(
        other.path(),
        [
            "run",
            "--simulate",
            "--listen",
            &traffic,
            "--admin",
            "127.0.0.1:0",
        ],
    )
    .await;
    assert!(
        taken.code == 1 && taken.err.contains(&traffic) && taken.err.contains("--listen"),
        "{taken:?}"
    );
    let taken = run(
        other.path(),
        [
            "run",
            "--simulate",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            &admin,
        ],
    )
    .await;
    assert!(
        taken.code == 1 && taken.err.contains(&admin) && taken.err.contains("--admin"),
        "{taken:?}"
    );
    let taken = run(
        folder.path(),
        [
            "run",
            "--simulate",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
    )
    .await;
    assert!(
        taken.code == 1 && taken.err.contains(&gateway.id().to_string()),
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_simulator_stands_in_for_the_upstream_and_alone() {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let gateway = Process::with(folder.clone(), &["--simulate", "--tokens-per-second", "0"]).await;
    let reply = gateway.chat(&ask_stream("say: mail ann@example.org")).await;
    assert_eq!(reply.said().content(), "mail [EMAIL]");
    assert_eq!(
        reply.header("x-witgate-policies"),
        "prompt-injection=proceed, pii-detector=edit, audit-logger=proceed"
    );
    // The default place of the journal, and the default chain's logger.
    until("it is in the journal", async || {
        let done = gateway
            .witgate(&["audit", "query", "--format", "json"])
            .await;
        (done.code == 0 && done.json().as_array().unwrap().len() == 1).then_some(())
    })
    .await;
    assert!(folder.path().join("witgate/journal.db").exists());

    let mut command = process::witgate(folder.path());
    command.args([
        "simulate",
        "--listen",
        "127.0.0.1:0",
        "--api-key",
        "right",
        "--tokens-per-second",
        "0",
    ]);
    let simulator = process::Listening::start(command).await;
    let url = format!("http://{}/v1/chat/completions", simulator.address);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |key: &str| {
        let request = client
            .post(&url)
            .header("content-type", "application/json")
            .bearer_auth(key);
        Reply::read(
            request
                .body(ask("say: hi").to_string())
                .send()
                .await
                .unwrap(),
        )
        .await
    };
    assert_eq!(send("right").await.said().content(), "hi");
    assert_eq!(send("wrong").await.status, 401);
}
