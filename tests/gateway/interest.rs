//! What a stage isn't interested in costs it nothing, and changes nothing.

use crate::support::*;

const PLAIN: &str = "say: Forests keep water in the ground, and a forest that is old keeps more of it. That is why rivers are slow there.";

async fn metric(bench: &Bench, line: &str) -> u64 {
    let reply = bench.ask_admin("/metrics").await;
    let found = reply.text().lines().find_map(|it| it.strip_prefix(line));
    found.map_or(0, |count| count.trim().parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_plain_text_no_instance_is_made_and_no_stage_is_called() {
    let bench = Bench::of("policies: {chain: [pii-detector]}").await;
    let at_first = bench.metrics.instances_created.get();
    for body in [ask(PLAIN), ask_stream(PLAIN)] {
        let reply = bench.chat(&body).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("x-witgate-policies"), "pii-detector=clear");
        assert_eq!(reply.said().content(), PLAIN.trim_start_matches("say: "));
    }
    bench.settled().await;
    assert_eq!(bench.metrics.instances_created.get(), at_first);
    let clear = r#"witgate_verdicts_total{stage="pii-detector",verdict="clear"}"#;
    assert_eq!(metric(&bench, clear).await, 2);
    let reply = bench.ask_admin("/metrics").await;
    let text = reply.text();
    assert!(!text.contains(r#"hook="on-delta""#), "{text}");
    let status = bench.status().await;
    assert!(status.to_string().contains(r#""interest":"#), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_of_interest_wakes_the_stage_and_the_journal_tells_which_exchanges_were_clear() {
    let bench = Bench::of("policies: {chain: [pii-detector, audit-logger]}").await;
    let text = format!("{PLAIN} Write to jane.doe@example.org about it. And that is all of it.");
    let wanted = text.replace("jane.doe@example.org", "[EMAIL]");
    for body in [ask(&text), ask_stream(&text)] {
        let reply = bench.chat(&body).await;
        assert_eq!(reply.said().content(), wanted.trim_start_matches("say: "));
        assert!(
            reply
                .header("x-witgate-policies")
                .contains("pii-detector=edit")
        );
    }
    let reply = bench.chat(&ask(PLAIN)).await;
    assert_eq!(reply.status, 200);
    bench.settled().await;
    let entries = bench.journal().await;
    let clear = |entry: &serde_json::Value| entry.to_string().contains(r#""verdict":"clear""#);
    assert_eq!(entries.iter().filter(|entry| clear(entry)).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_in_shadow_is_asked_of_everything() {
    let bench = Bench::of("policies: {chain: [{id: pii-detector, mode: shadow}]}").await;
    let at_first = bench.metrics.instances_created.get();
    let reply = bench.chat(&ask(PLAIN)).await;
    assert_eq!(
        reply.header("x-witgate-policies"),
        "pii-detector=shadow:proceed"
    );
    bench.settled().await;
    assert_eq!(bench.metrics.instances_created.get(), at_first + 1);
    assert_eq!(
        metric(
            &bench,
            r#"witgate_broken_interests_total{stage="pii-detector"}"#
        )
        .await,
        0
    );
}
