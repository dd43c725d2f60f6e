//! The official SDKs, as their users have them. What they must make of the gateway stands in `clients/*.py`.

use std::sync::Arc;

use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, pii-detector, {id: puppet, component: @puppet}, audit-logger]}\n\
                     clients: {keys: [{id: team-a, secret_ref: {file: ./key}}]}\n\
                     models: {aliases: {an-alias: llama3.1-8b}}";
const KEY: &str = "a-key-of-the-tests";

async fn passes(script: &str) {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let gateway = Process::again(folder, CHAIN, &[upstream.address]).await;
    let variables = vec![
        ("GATEWAY", format!("http://{}", gateway.traffic)),
        ("ADMIN", format!("http://{}", gateway.admin)),
        ("CLIENT_KEY", KEY.to_owned()),
    ];
    python::client(script, variables).await;
    let requests = upstream.recorder.requests();
    assert!(!requests.is_empty(), "{requests:?}");
    let carries_key = |request: &&witgate::simulator::Received| {
        request.headers.values().any(|value| {
            value
                .as_bytes()
                .windows(KEY.len())
                .any(|part| part == KEY.as_bytes())
        })
    };
    assert_eq!(
        requests.iter().filter(carries_key).count(),
        0,
        "a client's key went upstream"
    );
    let journal = bench::entries(&gateway.journal());
    assert!(journal.iter().all(|entry| entry["principal"] == "team-a"));
    assert!(!gateway.log().contains(KEY), "{}", gateway.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_sdk_works() {
    passes("openai_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_sdk_s_responses_work() {
    passes("responses_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cerebras_sdk_works() {
    passes("cerebras_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropics_sdk_finds_the_models() {
    passes("anthropic_sdk.py").await;
}
