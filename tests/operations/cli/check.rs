//! `witgate check`: what it shows of a configuration, and what it finds.

use super::Workspace;
use crate::scene::{NONE, TONE_HERE, component, tone};
use crate::support::{Value, json};

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
    let target = &found["targets"][0];
    assert!(!target["models"].as_array().unwrap().is_empty());
    assert_eq!(
        target["keys"],
        json!([{"key": "no key", "result": "valid"}])
    );
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
    assert!(
        done.out
            .contains("✗ with no key: unreachable, no connection could be made"),
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
    assert_eq!(counts(&workspace).await, [(4, 1), (7, 3), (2, 0)]);
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
async fn check_simulates_as_run_does() {
    let workspace = Workspace::with(NONE).await;
    let target = "providers: {targets: [{id: keyed, provider: cerebras, secret_key_ref: {env: WITGATE_TEST_UNSET}}]}\n";
    workspace.write(&format!("{NONE}{target}")).await;
    assert_eq!(workspace.run("check --policy-config @").await.code, 1);
    let done = workspace.run("check --policy-config @ --simulate").await;
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("✓ keyed"), "{}", done.out);
}
