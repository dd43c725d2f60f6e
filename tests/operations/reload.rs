//! Files change while exchanges run.

mod pipes;
mod watching;

use std::sync::Arc;

use crate::files::touch;
use crate::scene::{NONE, Scene, TONE_HERE, component, in_two_parts, other, replace, text, tone};
use crate::support::{Process, Upstream, ask, ask_stream, json, until};

#[tokio::test]
async fn a_stream_keeps_its_chain_and_the_next_request_gets_the_new_one() {
    let upstream = in_two_parts().await;
    let scene = Scene::of(&tone(3), upstream.address).await;
    let mut before = scene.gateway.open(&ask_stream("hello")).await;
    before.read_until("one.").await;

    scene.configure(NONE).await;
    scene.runs(2).await;
    let mut after = scene.gateway.open(&ask_stream("HELLO")).await;
    after.read_until("one!").await;
    assert!(
        before.header("x-witgate-chain").starts_with("1-"),
        "{}",
        before.header("x-witgate-chain")
    );
    assert!(
        after.header("x-witgate-chain").starts_with("2-"),
        "{}",
        after.header("x-witgate-chain")
    );
    assert!(
        before.header("x-witgate-policies").contains("tone"),
        "{}",
        before.header("x-witgate-policies")
    );
    assert!(
        !after.header("x-witgate-policies").contains("tone"),
        "{}",
        after.header("x-witgate-policies")
    );

    upstream.go_on();
    upstream.go_on();
    let (before, after) = (before.finish().await, after.finish().await);
    for reply in [&before, &after] {
        assert!(reply.is_done(), "{}", reply.text());
    }
    assert_eq!(before.said().content(), "one. two.");
    assert_eq!(after.said().content(), "one! two!");

    scene.configure(&tone(5)).await;
    scene.runs(3).await;
    let denied = scene.gateway.chat(&ask("SHOUTS")).await;
    assert_eq!(denied.error(), (403, "shouting".into()));
    assert_eq!(
        scene.metric("witgate_reloads_total{result=\"ok\"}").await,
        2
    );
}

#[tokio::test]
async fn a_component_replaced_under_a_stream_answers_the_next_request() {
    let upstream = in_two_parts().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let file = folder.path().join("tone.wasm");
    std::fs::write(&file, &bytes).unwrap();
    let scene = Scene::within(folder, TONE_HERE, upstream.address).await;
    let first = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(first.json()["message"], "please don't shout");
    let mut stream = scene.gateway.open(&ask_stream("hello")).await;
    stream.read_until("one.").await;

    replace(&file, other(&bytes));
    scene.runs(2).await;
    let second = scene.gateway.chat(&ask("HELLO")).await;
    assert_eq!(second.json()["message"], "please talk softly");
    assert_ne!(
        first.header("x-witgate-chain")[2..],
        second.header("x-witgate-chain")[2..]
    );

    upstream.go_on();
    let stream = stream.finish().await;
    assert_eq!(
        stream.header("x-witgate-chain"),
        first.header("x-witgate-chain")
    );
    assert_eq!(stream.said().content(), "one. two.");
}

#[tokio::test]
async fn what_is_wrong_leaves_the_chain_and_says_why_until_it_is_right() {
    let upstream = Upstream::simulated().await;
    let (folder, bytes) = (Arc::new(tempfile::tempdir().unwrap()), component().await);
    let file = folder.path().join("tone.wasm");
    std::fs::write(&file, &bytes).unwrap();
    let scene = Scene::within(folder, TONE_HERE, upstream.address).await;
    let label = scene
        .gateway
        .chat(&ask("hello"))
        .await
        .header("x-witgate-chain")
        .to_owned();
    let still = async |failures: u64| {
        let denied = scene.gateway.chat(&ask("HELLO")).await;
        assert_eq!(denied.error(), (403, "shouting".into()));
        assert_eq!(denied.header("x-witgate-chain"), label);
        assert_eq!(scene.metric("witgate_config_generation").await, 1);
        assert!(
            scene
                .metric("witgate_reloads_total{result=\"failed\"}")
                .await
                >= failures
        );
        assert_eq!(
            scene.gateway.ask_admin("/readyz").await.unwrap().status,
            200
        );
    };

    scene.configure("policies: {chian: []}\n").await;
    scene.refused("chian").await;
    still(1).await;
    scene
        .configure(&TONE_HERE.replace("limit: 3", "limit: lots"))
        .await;
    scene.refused("policy.tone").await;
    still(2).await;
    scene
        .configure(&TONE_HERE.replace("tone.wasm", "none.wasm"))
        .await;
    scene.refused("none.wasm").await;
    still(3).await;
    // Truncated while the configuration was wrong: one reason gives way to the next.
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    scene.configure(TONE_HERE).await;
    scene.refused("cut short").await;
    still(4).await;

    // Back to the very same content, and what runs goes on as it is.
    std::fs::write(&file, &bytes).unwrap();
    let well = || {
        scene
            .gateway
            .log()
            .matches("the files say again what runs")
            .count()
    };
    let is_well = async |times: usize| {
        until("the state is well again", async || {
            (well() == times).then_some(())
        })
        .await;
        let status = scene.status().await;
        assert_eq!(
            (&status["last_reload"]["ok"], &status["generation"]),
            (&json!(true), &json!(1)),
            "{status}"
        );
    };
    is_well(1).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);

    // Also after a mistake that never became a configuration.
    scene.configure("policies: [").await;
    scene.refused("").await;
    scene.configure(TONE_HERE).await;
    is_well(2).await;

    scene
        .configure(&TONE_HERE.replace("limit: 3", "limit: 5"))
        .await;
    scene.runs(2).await;
}

#[tokio::test]
async fn clients_and_targets_follow_a_reload() {
    let (first, second) = (Upstream::simulated().await, Upstream::simulated().await);
    let mut scene = Scene::of(NONE, first.address).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert_eq!((first.bodies().len(), second.bodies().len()), (1, 0));
    scene.upstream = second.address;
    scene.configure(NONE).await;
    scene.runs(2).await;
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert_eq!((first.bodies().len(), second.bodies().len()), (1, 1));

    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    std::fs::write(&key, "sesame").unwrap();
    let clients = format!(
        "{NONE}clients: {{keys: [{{id: a, secret_ref: {{file: {}}}}}]}}\n",
        key.display()
    );
    scene.configure(&clients).await;
    scene.runs(3).await;
    let without = scene.gateway.chat(&ask("hello")).await;
    assert_eq!(without.error(), (401, "missing_api_key".into()));
    assert_eq!(with_key(&scene, "sesame").await, 200);

    // Its change is seen, without a signal.
    replace(&key, "another");
    scene.runs(4).await;
    assert_eq!(with_key(&scene, "sesame").await, 401);
    assert_eq!(with_key(&scene, "another").await, 200);
    std::fs::remove_file(&key).unwrap();
    scene.signal("-HUP");
    scene.refused("clients.keys: `a`").await;
    assert_eq!(with_key(&scene, "another").await, 200);
    std::fs::write(&key, "third").unwrap();
    scene.signal("-HUP");
    scene.runs(5).await;
    assert_eq!(with_key(&scene, "third").await, 200);
    let log = scene.gateway.log();
    for key in ["sesame", "another", "third"] {
        assert!(!log.contains(&format!("{key}\"")), "{key}: {log}");
    }
}

async fn with_key(scene: &Scene, key: &str) -> u16 {
    let url = format!("http://{}/v1/chat/completions", scene.gateway.traffic);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(url)
        .bearer_auth(key)
        .header("content-type", "application/json")
        .body(ask("hello").to_string());
    request.send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn another_store_for_the_journal_says_that_it_takes_a_restart() {
    let upstream = Upstream::simulated().await;
    let scene = Scene::of("policies: {chain: [audit-logger]}\n", upstream.address).await;
    let elsewhere = scene.folder().join("elsewhere.db");
    let store = format!("journal: {{store: \"sqlite:{}\"}}\n", elsewhere.display());
    scene
        .configure(&format!("policies: {{chain: [audit-logger]}}\n{store}"))
        .await;
    scene.runs(2).await;
    let told = scene.status().await["last_reload"]["needs_restart"].take();
    assert!(
        told[0].as_str().unwrap().contains("journal.store"),
        "{told}"
    );
    scene.logs("restart witgate to move the journal").await;
    // It stays so until the restart, or until the change is taken back.
    scene.configure(&format!("{NONE}{store}")).await;
    scene.runs(3).await;
    assert_eq!(
        scene.status().await["last_reload"]["needs_restart"][0],
        told[0]
    );
    scene.configure("policies: {chain: [audit-logger]}\n").await;
    scene.runs(4).await;
    assert_eq!(
        scene.status().await["last_reload"]["needs_restart"],
        json!([])
    );
    assert_eq!(scene.gateway.chat(&ask("hello")).await.status, 200);
    assert!(!elsewhere.exists());
}

#[tokio::test]
async fn the_same_content_is_no_new_generation() {
    let simulator = Upstream::simulated().await;
    let upstream = simulator.address;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let file = folder.path().join("policy-config.yaml");
    std::fs::write(&file, text(folder.path(), &tone(3), upstream).await).unwrap();
    let args = [
        "--policy-config",
        file.to_str().unwrap(),
        "--log",
        "witgate=debug",
    ];
    let scene = Scene {
        gateway: Process::with(folder.clone(), &args).await,
        upstream,
    };
    // Once for what changed before it was watched, then for the same bytes, for the touch, and for the signal.
    let reloads = || scene.gateway.log().matches("nothing changed").count();
    let more = async |than: usize| {
        until("it has looked again", async || {
            (reloads() > than).then_some(())
        })
        .await;
        reloads()
    };
    let seen = more(0).await;
    replace(&file, std::fs::read(&file).unwrap());
    let seen = more(seen).await;
    touch(&file);
    let seen = more(seen).await;
    scene.signal("-HUP");
    more(seen).await;
    scene.runs(1).await;
    assert!(scene.status().await["last_reload"].is_null());
}
