//! A policy of somebody else's, built as they build it and named by its path.

use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, {id: tone, component: @third-party}, pii-detector, audit-logger]}\n\
                     policy: {tone: {limit: 5}}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_judges_requests_and_edits_answers() {
    let bench = Bench::of(CHAIN).await;
    for stream in [false, true] {
        let body = |text: &str| with(ask(text), json!({"stream": stream}));
        let loud = bench.chat(&body("say: WHY NOT")).await;
        assert_eq!(loud.error(), (403, "shouting".into()));
        assert_eq!(loud.json()["param"], "tone");
        let soft = bench
            .chat(&body("chunk: 2 | say: hey! mail ann@example.org!!"))
            .await;
        assert_eq!(soft.said().content(), "hey. mail [EMAIL]..");
        let quiet = bench.chat(&body("say: quiet words")).await;
        assert!(quiet.header("x-witgate-policies").contains("tone=proceed"));
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_can_be_inspected_and_checked() {
    let component = tokio::task::spawn_blocking(policies::third_party)
        .await
        .unwrap()
        .to_str()
        .unwrap();
    let state = tempfile::tempdir().unwrap();
    let inspect = [
        "policy",
        "inspect",
        component,
        "--format",
        "json",
        "--settings",
        r#"{"limit": 3}"#,
    ];
    let inspected = process::run(state.path(), inspect).await;
    let found = inspected.json();
    assert_eq!(
        (inspected.code, &found["name"], &found["grants"]),
        (0, &json!("tone-police"), &json!([]))
    );
    assert_eq!(found["hooks"], json!(["on-request", "on-answer"]));
    let text = process::run(
        state.path(),
        [
            "policy",
            "inspect",
            component,
            "--settings",
            "{\"limit\": 3}",
        ],
    )
    .await;
    assert!(
        text.out.contains("tone-police 0.1.0") && text.out.contains("witgate:policy 0.1.0"),
        "{}",
        text.out
    );
    // Without its setting it says what it lacks.
    let lacking = process::run(state.path(), ["policy", "inspect", component]).await;
    assert!(
        lacking.code == 1 && lacking.out.contains("limit"),
        "{lacking:?}"
    );
    let none = process::run(state.path(), ["policy", "inspect", "Cargo.toml"]).await;
    assert!(
        none.code == 1 && none.err.contains("Cargo.toml"),
        "{none:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pinned_digest_admits_no_other_component() {
    let component = tokio::task::spawn_blocking(policies::third_party)
        .await
        .unwrap()
        .to_str()
        .unwrap();
    let state = tempfile::tempdir().unwrap();
    let inspect = [
        "policy",
        "inspect",
        component,
        "--format",
        "json",
        "--settings",
        r#"{"limit": 3}"#,
    ];
    let digest = process::run(state.path(), inspect).await.json()["digest"]
        .as_str()
        .unwrap()
        .to_owned();
    let digest = if digest.starts_with("sha256:") {
        digest
    } else {
        format!("sha256:{digest}")
    };
    let file = state.path().join("policy-config.yaml");
    let check = async |digest: &str| {
        let chain = format!(
            "policies: {{chain: [{{id: tone, component: {component}, digest: \"{digest}\"}}]}}\npolicy: {{tone: {{limit: 3}}}}"
        );
        std::fs::write(
            &file,
            bench::complete(&chain, &[([127, 0, 0, 1], 9).into()], state.path()),
        )
        .unwrap();
        process::run(
            state.path(),
            [
                "check",
                "--offline",
                "--policy-config",
                file.to_str().unwrap(),
            ],
        )
        .await
    };
    let right = check(&digest).await;
    assert_eq!(right.code, 0, "{right:?}");
    let wrong = check(&format!("sha256:{}", "0".repeat(64))).await;
    assert!(wrong.code == 1 && wrong.out.contains(&digest), "{wrong:?}");
}
