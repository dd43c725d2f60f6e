//! Ways in which an upstream's text might go past the stages unseen, or an end be told twice.

use crate::support::scripted::{DONE, Scripted, Step, delta, event, finish};
use crate::support::*;

const NONE: &str = "policies: {chain: []}";
const REDACTS: &str =
    "policies: {chain: [{id: pii-detector}]}\npolicy: {pii-detector: {requests: false}}";
const DENIES: &str = "policies: {chain: [{id: pii-detector}]}\npolicy: {pii-detector: {requests: false, action: deny}}";
const ADDRESS: &str = "jane.doe@example.com";

async fn streamed(config: &str, events: Vec<String>) -> (Bench, Reply, Scripted) {
    let upstream = Scripted::serve(events.into_iter().map(Step::Write).collect()).await;
    let bench = Bench::to(config, vec![upstream.address]).await;
    let reply = bench.chat(&ask_stream("hi")).await;
    (bench, reply, upstream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_lacks_its_end_is_judged_like_any_other() {
    let tail = event(&format!("write to {ADDRESS}."));
    let tail = tail.trim_end().to_owned();
    for events in [
        vec![event("one "), tail.clone()],
        vec![event("one "), finish(0), tail.clone()],
        vec![event("one "), finish(0), DONE.to_owned(), tail.clone()],
    ] {
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        assert!(!reply.text().contains(ADDRESS), "{}", reply.text());
        bench.settled().await;
    }
    // And one that is all well but for its last blank line is whole.
    let (bench, reply, _upstream) = streamed(
        REDACTS,
        vec![event("one "), finish(0).trim_end().to_owned()],
    )
    .await;
    assert_eq!(reply.said().content(), "one ", "{}", reply.text());
    assert!(!reply.text().contains("error"), "{}", reply.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_beside_an_error_does_not_go_out() {
    let both = serde_json::json!({
        "status_code": 500, "error": {"message": "broke down", "type": "server_error", "param": "", "code": ""},
        "choices": [{"index": 0, "delta": {"content": format!("write to {ADDRESS}.")}}],
    });
    let (bench, reply, _upstream) =
        streamed(REDACTS, vec![event("one "), format!("data: {both}\n\n")]).await;
    assert!(!reply.text().contains(ADDRESS), "{}", reply.text());
    assert!(reply.text().contains("broke down"), "{}", reply.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_denied_at_its_end_ends_once() {
    // The address is decided only when the answer ends; the finish and the end come in one piece with it.
    let end = [
        event(&format!("write to {ADDRESS}")),
        finish(0),
        DONE.to_owned(),
    ]
    .concat();
    let upstream = Scripted::serve(vec![
        Step::Write(delta(0, serde_json::json!({"role": "assistant"}))),
        Step::Write(event("one, ")),
        Step::Gate,
        Step::Write(end),
    ])
    .await;
    let bench = Bench::to(DENIES, vec![upstream.address]).await;
    let mut stream = bench.open(&ask_stream("hi"), &[]).await;
    stream.read_until("one, ").await;
    upstream.go_on();
    let reply = stream.finish().await;
    assert_eq!(
        reply.text().matches("[DONE]").count(),
        1,
        "{}",
        reply.text()
    );
    assert_eq!(reply.said().finishes[&0], "content_filter");
    assert!(!reply.text().contains("jane"), "{}", reply.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_delta_with_a_short_open_end_is_no_fault() {
    let long = format!("{} and {ADDRESS}", "words ".repeat(5_000));
    let (bench, reply, _upstream) = streamed(
        REDACTS,
        vec![
            event(&long),
            event(" and more."),
            finish(0),
            DONE.to_owned(),
        ],
    )
    .await;
    let wanted = format!("{} and [EMAIL] and more.", "words ".repeat(5_000));
    assert_eq!(reply.said().content(), wanted);
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_another_channel_interrupts_is_judged_as_one() {
    let call = serde_json::json!({"tool_calls": [{"index": 0, "id": "1", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}]});
    for other in [
        serde_json::json!({"reasoning": "hm"}),
        serde_json::json!({"refusal": "no"}),
        call,
    ] {
        let events = vec![
            event("jane.doe@"),
            delta(0, other.clone()),
            event("example.com"),
            delta(0, other.clone())
                .replace("\"1\"", "\"2\"")
                .replace("\"index\":0,\"type\"", "\"index\":1,\"type\""),
            event(" said"),
            finish(0),
            DONE.to_owned(),
        ];
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        assert_eq!(reply.said().content(), "[EMAIL] said", "{}", reply.text());
        assert!(reply.is_done());
        bench.settled().await;
    }
    // Both in one delta, the other text in front of what was cut.
    let both = serde_json::json!({"content": "example.com", "reasoning": "hm"});
    let events = vec![
        event("jane.doe@"),
        delta(0, both),
        finish(0),
        DONE.to_owned(),
    ];
    let (bench, reply, _upstream) = streamed(REDACTS, events).await;
    assert_eq!(reply.said().content(), "[EMAIL]", "{}", reply.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_on_after_its_end_is_the_upstreams_fault() {
    let late = event(&format!("write to {ADDRESS} now"));
    for events in [
        vec![event("one "), finish(0), late.clone(), DONE.to_owned()],
        vec![event("one "), finish(0), DONE.to_owned(), late.clone()],
    ] {
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        assert_eq!(reply.said().content(), "one ");
        let code = &reply.said().error.expect("an error")["error"]["code"];
        assert_eq!(code, "upstream_unreadable", "{}", reply.text());
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_before_a_finish_is_none() {
    for chain in [NONE, REDACTS] {
        let (bench, reply, _upstream) = streamed(chain, vec![DONE.to_owned()]).await;
        assert_eq!(
            reply.error(),
            (502, "upstream_broke_off".into()),
            "{}",
            reply.text()
        );
        bench.settled().await;
        // What is held is dropped, as where a connection breaks.
        let events = vec![event("one, "), event("jane"), DONE.to_owned()];
        let (bench, reply, _upstream) = streamed(chain, events).await;
        let code = &reply.said().error.expect("an error")["error"]["code"];
        assert_eq!(code, "upstream_broke_off");
        assert!(!reply.is_done(), "{}", reply.text());
        assert_eq!(reply.said().content().contains("jane"), chain == NONE);
        bench.settled().await;
    }
}
