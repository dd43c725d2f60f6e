//! `isolation: reused` in whole exchanges.

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_reuses_its_instances_says_so_and_its_exchanges_come_out_right() {
    let chain = "policies: {chain: [{id: puppet, component: @puppet, isolation: reused}, {id: audit-logger, isolation: reused}]}";
    let bench = Bench::of(chain).await;
    let stages = bench.status().await["stages"].clone();
    for stage in stages.as_array().unwrap() {
        assert_eq!(stage["isolation"], "reused", "{stage}");
        let means = stage["isolation_means"].as_str().unwrap();
        assert!(means.contains("in another's"), "{means}");
    }
    let hi = async || {
        let reply = bench.puppet(&ask("say: hi"), json!({})).await;
        assert_eq!(reply.said().content(), "hi");
        over(&bench).await;
    };
    hi().await;
    let before = made(&bench);
    for _ in 0..5 {
        hi().await;
    }
    assert_eq!(made(&bench), before, "they served the others, too");
    // A fault is its own exchange's alone, and no other gets that instance.
    let trap = json!({"request": "trap"});
    let reply = bench.puppet(&ask("say: hi"), trap).await;
    assert_eq!(reply.error(), (500, "trap".into()));
    over(&bench).await;
    hi().await;
    assert!(made(&bench) > before);
}

/// Instances that were made so far.
fn made(bench: &Bench) -> u64 {
    bench.metrics.instances_created.get()
}

/// Every exchange is over; the instances that wait aren't.
async fn over(bench: &Bench) {
    until("every exchange is over", async || {
        let running = bench.metrics.exchanges_running.get();
        (running == 0 && bench.gateway.tasks().is_empty()).then_some(())
    })
    .await;
}
