//! The same text comes out however an answer was cut, and whether it was streamed or whole.

use crate::support::reply::Said;
use crate::support::scripted::Scripted;
use crate::support::*;

/// Redacts answers alone, so that what is asked for arrives at the simulator.
const REDACTS: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n\
                       policy: {pii-detector: {requests: false}}";
const DENIES: &str =
    "policies: {chain: [pii-detector]}\npolicy: {pii-detector: {requests: false, action: deny}}";

const CLEAN: &str =
    "Grüße, 你好, 👋🏽! Version 1.2.3.4.5 of git@host is out at 12:30; see (a@b) and +1 only.";
const PERSONAL: &str =
    "Zoë is zoë.x@exämple.com, 👋🏽 card 4111 1111 1111 1111; call +1 415-555-0132 or 81.2.69.142. é";
const ARGUMENTS: &str =
    r#"{"who": "ann\u0040example.org", "card": 4111111111111111, "é": ["+1 415-555-0132", "ok"]}"#;

/// Every way to cut a text of so many characters: in two at each place, and in pieces of a few sizes.
fn cuts(characters: usize) -> impl Iterator<Item = String> {
    let in_two = (1..characters).map(|at| format!("{at},100000"));
    in_two.chain(["1", "2", "3", "5", "7", "3,1,4,1,5,9", "whole", "token"].map(str::to_owned))
}

/// Asks whole, then streamed at every cut, and returns what was said each time.
async fn at_every_cut(bench: &Bench, directive: &str, more: &Value, characters: usize) -> Said {
    let whole = bench.chat(&with(ask(directive), more.clone())).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let whole = whole.said();
    for cut in cuts(characters) {
        let reply = bench
            .chat(&with(
                ask_stream(&format!("chunk: {cut} | {directive}")),
                more.clone(),
            ))
            .await;
        assert!(reply.is_done(), "{cut}: {}", reply.text());
        assert_eq!(reply.said(), whole, "cut {cut} of {directive}");
    }
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_with_nothing_in_it_is_the_same_at_every_cut() {
    let bench = Bench::of(REDACTS).await;
    let said = at_every_cut(
        &bench,
        &format!("say: {CLEAN}"),
        &json!({}),
        CLEAN.chars().count(),
    )
    .await;
    assert_eq!(said.content(), CLEAN);
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_and_reasoning_are_redacted_alike_at_every_cut() {
    let bench = Bench::of(REDACTS).await;
    let directive = format!("think: {PERSONAL} | say: {PERSONAL}");
    let said = at_every_cut(&bench, &directive, &json!({}), PERSONAL.chars().count()).await;
    let redacted = "Zoë is [EMAIL], 👋🏽 card [CARD]; call [PHONE] or [IP]. é";
    assert_eq!(
        (said.content(), said.of(0, "reasoning")),
        (redacted, redacted)
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tool_arguments_are_redacted_alike_at_every_cut_and_stay_json() {
    let bench = Bench::of(REDACTS).await;
    let directive = format!("call: lookup {ARGUMENTS} | call: lookup {{\"who\": \"nobody\"}}");
    let said = at_every_cut(&bench, &directive, &tools(), ARGUMENTS.chars().count()).await;
    let arguments: Value = serde_json::from_str(said.of(0, "tool 0")).unwrap();
    assert_eq!(
        arguments,
        json!({"who": "[EMAIL]", "card": "[CARD]", "é": ["[PHONE]", "ok"]})
    );
    assert_eq!(said.of(0, "tool 1"), "{\"who\": \"nobody\"}");
    assert_eq!(said.of(0, "tool 0 name"), "lookup");
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_not_be_said_is_not_said_at_any_cut() {
    let bench = Bench::of(DENIES).await;
    let text = "The card is 4111 1111 1111 1111, and more.";
    for cut in cuts(text.chars().count()) {
        let reply = bench
            .chat(&ask_stream(&format!("chunk: {cut} | say: {text}")))
            .await;
        if reply.status == 200 {
            let said = reply.said();
            assert!(
                "The card is ".starts_with(said.content()),
                "cut {cut}: {}",
                said.content()
            );
            assert_eq!(said.finishes[&0], "content_filter", "cut {cut}");
            assert_eq!(said.denials[&0]["code"], "pii", "cut {cut}");
            assert!(reply.is_done(), "cut {cut}: {}", reply.text());
        } else {
            assert_eq!(reply.error(), (403, "pii".into()), "cut {cut}");
        }
        assert!(
            !reply.text().contains("4111"),
            "cut {cut}: {}",
            reply.text()
        );
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bytes_of_a_stream_may_be_cut_anywhere() {
    let simulator = Bench::of(REDACTS).await;
    let directive = format!("chunk: 9 | think: hm | say: {PERSONAL}");
    let whole = simulator.chat(&ask_stream(&directive)).await;
    assert_eq!(whole.status, 200, "{}", whole.text());
    let (wanted, bytes) = (
        whole.said(),
        simulator.straight(ask_stream(&directive).to_string()).await,
    );
    let bytes = bytes.text().to_owned();
    let upstream = Scripted::cutting(&bytes).await;
    let bench = Bench::to(REDACTS, vec![upstream.address]).await;
    // A cut every few bytes, at a distance that has no factor in common with the length of an event.
    for turn in 0..bytes.len() / Scripted::STRIDE {
        if turn % 64 == 63 {
            // Each exchange keeps its place until the journal has its entry.
            bench.settled().await;
        }
        let reply = bench.chat(&ask_stream("hi")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.said(), wanted);
        assert_eq!(reply.body, whole.body);
    }
    bench.settled().await;
}
