//! What an exchange took, in tokens and in money: to the client that asks, in the journal, in the metrics.

use crate::support::*;

const PRICED: &str = "policies: {chain: [audit-logger]}\n\
                      pricing: {models: {llama3.1-8b: {input: 0.85, cached_input: 0.5, output: 1.2}}}";

/// What an answer's header says, by name.
fn said(reply: &Reply) -> std::collections::BTreeMap<String, u64> {
    let parts = reply.header("x-witgate-usage").split(", ");
    let pairs = parts.filter_map(|part| part.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_exchange_cost_is_said_where_it_is_asked_for_and_counted_everywhere() {
    let bench = Bench::of(PRICED).await;
    let asks = [
        ("x-witgate-usage", "1"),
        ("content-type", "application/json"),
    ];
    let whole = bench
        .send(ask("say: one two three").to_string(), &asks)
        .await;
    let usage = &whole.json()["usage"];
    let counted = |name: &str| usage[name].as_u64().unwrap();
    let (input, output) = (counted("prompt_tokens"), counted("completion_tokens"));
    let cached = usage["prompt_tokens_details"]["cached_tokens"]
        .as_u64()
        .unwrap_or(0);
    // In millionths: prices are those of a million tokens.
    let cost =
        ((input - cached) * 850_000 + cached * 500_000 + output * 1_200_000 + 500_000) / 1_000_000;
    assert!(input > 0 && output > 0 && cost > 0, "{usage}");
    let told = said(&whole);
    assert_eq!(
        [
            told["input"],
            told["cached-input"],
            told["output"],
            told["cost-micros"]
        ],
        [input - cached, cached, output, cost]
    );

    // A stream's head leaves before it is known, so it is told behind the last event.
    let stream = bench.send(ask_stream("say: one").to_string(), &asks).await;
    assert_eq!(stream.header("x-witgate-usage"), "");
    let text = stream.text();
    let (events, told) = text.split_once("data: [DONE]\n\n").unwrap();
    let told = told.strip_prefix(": x-witgate-usage: ").unwrap();
    let told = told.strip_suffix("\n\n").unwrap();
    assert!(
        told.starts_with("input=") && told.contains(", cost-micros="),
        "{told}"
    );
    // Who doesn't ask isn't told, and has not a byte more.
    let unasked = bench.chat(&ask("say: one")).await;
    assert_eq!(unasked.header("x-witgate-usage"), "");
    let unasked = bench.chat(&ask_stream("say: one")).await;
    assert!(
        unasked.text().ends_with("data: [DONE]\n\n"),
        "{}",
        unasked.text()
    );
    assert_eq!(
        events.matches("data: ").count() + 1,
        unasked.text().matches("data: ").count()
    );
    // What has no price has tokens all the same.
    let other = with(ask("say: one"), json!({"model": "gpt-oss-120b"}));
    let other = bench.send(other.to_string(), &asks).await;
    let unpriced = said(&other);
    assert!(
        unpriced["output"] > 0 && !unpriced.contains_key("cost-micros"),
        "{unpriced:?}"
    );

    bench.settled().await;
    let journal = bench.journal().await;
    // Entries come in the order in which exchanges were over, not in that of their answers.
    let entry_of = |reply: &Reply| {
        let id = reply.header("x-request-id");
        journal.iter().find(|entry| entry["id"] == id).unwrap()
    };
    assert_eq!(entry_of(&whole)["cost_micros"], cost);
    assert!(entry_of(&stream)["cost_micros"].as_u64() > Some(0));
    assert_eq!(entry_of(&other).get("cost_micros"), None);

    let metrics = bench.ask_admin("/metrics").await;
    let value = |name: &str| {
        let line = metrics
            .text()
            .lines()
            .find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} isn't there"))
            .trim()
            .parse::<f64>()
            .unwrap()
    };
    let costs = journal
        .iter()
        .filter_map(|entry| entry["cost_micros"].as_u64());
    let all: u64 = costs.sum();
    let shown = value("witgate_cost_total{target=\"sim\"}");
    assert!((shown - all as f64 / 1e6).abs() < 1e-9, "{shown} {all}");
    let tokens: u64 = journal
        .iter()
        .map(|entry| entry["usage"]["completion_tokens"].as_u64().unwrap())
        .sum();
    assert_eq!(
        value("witgate_tokens_total{target=\"sim\",kind=\"output\"}"),
        tokens as f64
    );
    assert_eq!(value("witgate_unpriced_total{target=\"sim\"}"), 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_finds_and_counts_is_in_the_metrics() {
    let bench = Bench::of("policies: {chain: [{id: puppet, component: @puppet}]}").await;
    let orders = json!({"request": "tell", "complete": "tell"});
    for body in [ask("say: hi"), ask_stream("say: hi")] {
        assert_eq!(bench.puppet(&body, orders.clone()).await.status, 200);
    }
    bench.settled().await;
    let metrics = bench.ask_admin("/metrics").await;
    for line in [
        "witgate_findings_total{stage=\"puppet\",code=\"found\"} 8\n",
        "witgate_policy_count_total{stage=\"puppet\",name=\"seen\"} 12\n",
    ] {
        assert!(metrics.text().contains(line), "{line}{}", metrics.text());
    }
}
