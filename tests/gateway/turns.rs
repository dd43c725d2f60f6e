//! What is large takes turns, and what is small waits for none.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::support::scripted::{Scripted, Step};
use crate::support::*;

const CHAIN: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";

/// Past what is read at once.
const LARGE: usize = 200 << 10;

fn large() -> Value {
    ask(&" and so on".repeat(LARGE / 10))
}

/// An upstream that says this to everybody.
async fn answering(text: &str) -> Scripted {
    let message = json!({"role": "assistant", "content": text});
    let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
    let answer = json!({"id": "1", "model": "m", "choices": [choice]}).to_string();
    Scripted::serve_as("200 OK", "application/json", vec![Step::Write(answer)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_requests_wait_for_no_large_one() {
    let upstream = answering("hi").await;
    let bench = Arc::new(Bench::to(CHAIN, vec![upstream.address]).await);
    // As if another large one had its turn all the time.
    let turn = bench.turns.next().await;
    let mut waiting = JoinSet::new();
    let clients = [(); 3].map(|()| {
        let bench = Arc::clone(&bench);
        waiting.spawn(async move { bench.chat(&large()).await.status })
    });
    let running = |count| {
        let running = bench.metrics.exchanges_running.clone();
        until("so many exchanges run", async move || {
            (running.get() == count).then_some(())
        })
    };
    running(3).await;
    for _ in 0..3 {
        assert_eq!(bench.chat(&ask("hi")).await.said().content(), "hi");
    }
    assert!(waiting.try_join_next().is_none(), "it had no turn");
    clients[0].abort();
    running(2).await;
    drop(turn);
    let mut done = Vec::new();
    while let Some(joined) = waiting.join_next().await {
        done.extend(joined);
    }
    assert_eq!(done, [200, 200], "one has left");
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_answers_wait_for_no_large_one() {
    let said = "and so on ".repeat(LARGE / 10);
    let upstream = answering(&said).await;
    let bench = Arc::new(Bench::to(CHAIN, vec![upstream.address]).await);
    let turn = bench.turns.next().await;
    let asking = Arc::clone(&bench);
    let waiting = tokio::spawn(async move { asking.chat(&ask("hi")).await });
    until("the answer is in", async || {
        (bench.metrics.memory.get() > 4 * LARGE as i64).then_some(())
    })
    .await;
    assert!(!waiting.is_finished(), "it had no turn");
    drop(turn);
    assert_eq!(waiting.await.unwrap().said().content(), said);
    bench.settled().await;
}
