//! Clients, as their users have them: the official SDKs, and what is built on them. What they must make of the gateway stands in
//! `clients/*.py` and `clients/node/*.mjs`.

use std::sync::Arc;

use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, pii-detector, {id: puppet, component: @puppet}, audit-logger]}\n\
                     clients: {keys: [{id: team-a, secret_ref: {file: ./key}}]}\n\
                     models: {aliases: {an-alias: llama3.1-8b}}";
const KEY: &str = "a-key-of-the-tests";

/// What runs a client's script.
enum Client {
    /// Python, in the environment of that name.
    Python(&'static str),
    Node,
}

/// A client's script passes, and its key goes nowhere. The gateway is given back, for what it put down.
async fn passes(client: Client, script: &'static str) -> Process {
    let upstream = Upstream::simulated().await;
    let folder = Arc::new(tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let gateway = Process::again(folder, CHAIN, &[upstream.address]).await;
    let variables = vec![
        ("GATEWAY", format!("http://{}", gateway.traffic)),
        ("ADMIN", format!("http://{}", gateway.admin)),
        ("CLIENT_KEY", KEY.to_owned()),
    ];
    match client {
        Client::Python(environment) => python::client(environment, script, variables).await,
        Client::Node => node::client(script, variables).await,
    }
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
    assert!(!gateway.log().contains(KEY), "{}", gateway.log());
    gateway
}

/// The same for a client that asks for completions, and once leaves before the end: the journal says who asked, and who left.
async fn passes_and_leaves(client: Client, script: &'static str) {
    let gateway = passes(client, script).await;
    // It is written when the stages have heard of the end, which may be after the script's.
    let journal = until("the journal says who left", async || {
        let journal = bench::entries(&gateway.journal());
        let left = journal.iter().any(|it| it["ended"] == "disconnected");
        left.then_some(journal)
    })
    .await;
    assert!(journal.iter().all(|entry| entry["principal"] == "team-a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_sdk_works() {
    passes_and_leaves(Client::Python("sdks"), "openai_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_openai_sdk_s_responses_work() {
    passes_and_leaves(Client::Python("sdks"), "responses_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cerebras_sdk_works() {
    passes_and_leaves(Client::Python("sdks"), "cerebras_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn anthropics_sdk_works() {
    passes(Client::Python("sdks"), "anthropic_sdk.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn langchain_works() {
    passes_and_leaves(Client::Python("langchain"), "lang_chain.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn litellm_works() {
    passes_and_leaves(Client::Python("litellm"), "lite_llm.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openais_sdk_for_node_works() {
    passes_and_leaves(Client::Node, "openai.mjs").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ai_sdk_works() {
    passes_and_leaves(Client::Node, "ai_sdk.mjs").await;
}
