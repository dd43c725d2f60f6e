//! Everything that an upstream can do wrong, and what the client gets to see of it.

mod targets;
mod unreadable;

use crate::support::scripted::{DONE, Scripted, Step, delta, event, finish};
use crate::support::*;

/// Short waits, so that silence is told soon.
const TARGET: &str = "providers: {targets: [{id: sim, provider: cerebras, base_url: \"http://@0/v1\", \
                      timeouts: {first_byte: 400ms, silence: 400ms}}], retries: {attempts: 1}}";
const NONE: &str = "policies: {chain: []}";
const BUNDLED: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";

fn faulty(fault: &str, stream: bool) -> Value {
    json!({
        "model": format!("llama3.1-8b+{fault}"), "stream": stream,
        "messages": [{"role": "user", "content": "chunk: 4 | say: one two three four five six seven."}],
    })
}

/// What the client sees.
enum Seen {
    /// An error with this status and code.
    Error(u16, &'static str),
    /// An error in mid-stream, with this status in it.
    Event(u16),
    /// An answer with this content.
    Says(&'static str),
}
use Seen::{Error, Event, Says};

const ALL: &str = "one two three four five six seven.";

/// Each fault; what is seen whole, and what is seen streamed.
const FAULTS: [(&str, Seen, Seen); 24] = [
    (
        "401",
        Error(502, "upstream_credentials"),
        Error(502, "upstream_credentials"),
    ),
    (
        "402",
        Error(502, "upstream_credentials"),
        Error(502, "upstream_credentials"),
    ),
    (
        "403-html",
        Error(502, "upstream_credentials"),
        Error(502, "upstream_credentials"),
    ),
    (
        "404",
        Error(404, "model_not_found"),
        Error(404, "model_not_found"),
    ),
    (
        "408",
        Error(408, "request_timeout"),
        Error(408, "request_timeout"),
    ),
    (
        "413",
        Error(413, "content_too_large"),
        Error(413, "content_too_large"),
    ),
    (
        "422",
        Error(422, "wrong_api_format"),
        Error(422, "wrong_api_format"),
    ),
    (
        "429-requests",
        Error(429, "request_quota_exceeded"),
        Error(429, "request_quota_exceeded"),
    ),
    (
        "429-tokens",
        Error(429, "token_quota_exceeded"),
        Error(429, "token_quota_exceeded"),
    ),
    (
        "429-queue",
        Error(429, "queue_exceeded"),
        Error(429, "queue_exceeded"),
    ),
    ("500", Error(500, ""), Error(500, "")),
    (
        "503",
        Error(503, "service_unavailable"),
        Error(503, "service_unavailable"),
    ),
    (
        "html-200",
        Error(502, "upstream_unreadable"),
        Error(502, "upstream_unreadable"),
    ),
    (
        "silent",
        Error(504, "upstream_timeout"),
        Error(504, "upstream_timeout"),
    ),
    ("slow-first-byte=100ms", Says(ALL), Says(ALL)),
    ("error-first", Error(500, ""), Error(500, "")),
    ("error-mid-stream", Error(500, ""), Event(500)),
    ("cut", Error(502, "upstream_broke_off"), Event(502)),
    ("stall", Error(504, "upstream_broke_off"), Event(504)),
    ("no-done", Says(ALL), Says(ALL)),
    ("empty-length", Says(""), Says("")),
    ("crlf", Says(ALL), Says(ALL)),
    ("bytewise", Says(ALL), Says(ALL)),
    (
        "nonsense",
        Error(400, "wrong_api_format"),
        Error(400, "wrong_api_format"),
    ),
];

async fn every_fault_is_told(chain: &str) {
    let bench = Bench::of(&format!("{chain}\n{TARGET}")).await;
    let all = &bench;
    for (fault, whole, streamed) in &FAULTS {
        for (stream, seen) in [(false, whole), (true, streamed)] {
            // A key that has used up its limit isn't sent again for a while.
            let fresh = match fault.starts_with("429") {
                true => Some(Bench::of(&format!("{chain}\n{TARGET}")).await),
                false => None,
            };
            let bench = fresh.as_ref().unwrap_or(all);
            let reply = bench.chat(&faulty(fault, stream)).await;
            let told = format!(
                "{fault}, stream {stream}: {} {}",
                reply.status,
                reply.text()
            );
            assert_eq!(reply.broken, None, "{told}");
            assert_ne!(reply.header("x-request-id"), "", "{told}");
            assert_ne!(reply.header("x-witgate-chain"), "", "{told}");
            assert_eq!(reply.header("x-witgate-target"), "sim", "{told}");
            match seen {
                Error(status, "") => assert_eq!(reply.error().0, *status, "{told}"),
                Error(status, code) => {
                    assert_eq!(reply.error(), (*status, (*code).into()), "{told}")
                }
                Event(status) => {
                    let said = reply.said();
                    assert_eq!(
                        (
                            reply.status,
                            said.error.as_ref().map(|error| &error["status_code"])
                        ),
                        (200, Some(&json!(status))),
                        "{told}"
                    );
                    assert!(
                        ALL.starts_with(said.content()) && !reply.is_done(),
                        "{told}"
                    );
                }
                Says(text) => assert_eq!(
                    (reply.status, reply.said().content()),
                    (200, *text),
                    "{told}"
                ),
            }
            let waits = if fault.starts_with("429") {
                reply.header("retry-after")
            } else {
                "none"
            };
            assert_ne!(waits, "", "{told}");
        }
        assert_eq!(
            bench.chat(&ask("say: still here")).await.said().content(),
            "still here"
        );
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_told_without_policies() {
    every_fault_is_told(NONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_is_told_through_the_bundled_policies() {
    every_fault_is_told(BUNDLED).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_no_json_passes_where_nobody_looks_and_ends_a_stream_that_is_judged() {
    let bench = Bench::of(NONE).await;
    let reply = bench.chat(&faulty("not-json", true)).await;
    assert!(
        reply.text().contains("data: {\"id\":\"chatcmpl-\n\n") && reply.is_done(),
        "{}",
        reply.text()
    );
    assert_eq!(
        bench.chat(&faulty("not-json", false)).await.error(),
        (502, "upstream_unreadable".into())
    );

    let bench = Bench::of(BUNDLED).await;
    let reply = bench.chat(&faulty("not-json", true)).await;
    match reply.status {
        200 => assert_eq!(
            reply.said().error.unwrap()["error"]["code"],
            "upstream_unreadable"
        ),
        _ => assert_eq!(reply.error(), (502, "upstream_unreadable".into())),
    }
    assert_eq!(
        bench.chat(&faulty("not-json", false)).await.error(),
        (502, "upstream_unreadable".into())
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_past_the_cap_ends_a_stream_and_a_large_answer_is_none() {
    for chain in [NONE, BUNDLED] {
        let bench = Bench::of(chain).await;
        let reply = bench.chat(&faulty("huge-event", true)).await;
        match reply.status {
            200 => assert_eq!(
                reply.said().error.unwrap()["error"]["code"],
                "upstream_unreadable"
            ),
            _ => assert_eq!(reply.error(), (502, "upstream_unreadable".into())),
        }
        assert!(reply.body.len() < 1 << 20, "{}", reply.body.len());
        let reply = bench.chat(&faulty("huge-event", false)).await;
        assert_eq!(
            (reply.status, reply.said().content().len() >= 4 << 20),
            (200, true),
            "{chain}"
        );
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_fields_and_text_beside_calls_go_through() {
    let bench = Bench::of(BUNDLED).await;
    let refused = with(
        faulty("penalties", false),
        json!({"frequency_penalty": 0.5}),
    );
    assert_eq!(bench.chat(&refused).await.error().0, 400);
    for stream in [false, true] {
        let both = with(faulty("text-and-tools", stream), tools());
        let said = bench.chat(&both).await.said();
        assert!(
            !said.content().is_empty() && said.of(0, "tool 0 name") == "lookup",
            "{said:?}"
        );
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_ends_before_all_its_choices_did_broke_off() {
    let steps = vec![Step::Write(
        delta(0, json!({"content": "a"})) + &delta(1, json!({"content": "b"})) + &finish(0),
    )];
    for chain in [NONE, BUNDLED] {
        let upstream = Scripted::serve(steps.clone()).await;
        let bench = Bench::to(chain, vec![upstream.address]).await;
        let reply = bench.chat(&with(ask_stream("hi"), json!({"n": 2}))).await;
        let said = reply.said();
        assert_eq!(
            said.error.expect("it is told")["error"]["code"],
            "upstream_broke_off",
            "{chain}"
        );
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_resets_the_connection_is_told_in_the_stream() {
    let upstream = Scripted::serve(vec![Step::Write(event("one ")), Step::Gate, Step::Reset]).await;
    let bench = Bench::to(NONE, vec![upstream.address]).await;
    let mut stream = bench.open(&ask_stream("hi"), &[]).await;
    stream.read_until("one").await;
    upstream.go_on();
    let said = stream.finish().await.said();
    assert_eq!(
        (
            said.content(),
            &said.error.as_ref().unwrap()["error"]["code"]
        ),
        ("one ", &json!("upstream_broke_off"))
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_goes_away_cancels_its_request_upstream() {
    for chain in [NONE, BUNDLED] {
        let bench = Bench::before(chain, vec![Upstream::paced(50.0).await]).await;
        let mut stream = bench.open(&ask_stream("words: 2000"), &[]).await;
        stream.read_until("content").await;
        drop(stream);
        soon(
            "it is cancelled",
            bench
                .upstream()
                .recorder
                .wait_until(|traffic| traffic.dropped == 1),
        )
        .await;
        // One that waits for a stream that stands still, and one that waits for a head.
        let mut stream = bench.open(&faulty("stall", true), &[]).await;
        stream.read_until("content").await;
        drop(stream);
        soon(
            "it is cancelled",
            bench
                .upstream()
                .recorder
                .wait_until(|traffic| traffic.dropped == 2),
        )
        .await;
        let body = faulty("silent", false);
        let waiting = std::time::Duration::from_millis(300);
        tokio::time::timeout(waiting, bench.chat(&body))
            .await
            .unwrap_err();
        soon(
            "it is cancelled",
            bench
                .upstream()
                .recorder
                .wait_until(|traffic| traffic.dropped == 3),
        )
        .await;
        if chain == BUNDLED {
            let journal = bench.journal().await;
            let ended: Vec<&Value> = journal.iter().map(|entry| &entry["ended"]).collect();
            assert_eq!(ended, ["disconnected", "disconnected", "disconnected"]);
        }
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_is_read_no_faster_than_its_client_reads() {
    const EVENTS: usize = 2048;
    let text = "x".repeat(32 << 10);
    let all = (EVENTS * event(&text).len()) as u64;
    for chain in [
        NONE,
        "policies: {chain: [{id: puppet, component: @puppet}]}",
    ] {
        let steps = vec![
            Step::Flood(event(&text), EVENTS),
            Step::Write(finish(0) + DONE),
        ];
        let upstream = Scripted::serve(steps).await;
        let bench = Bench::to(chain, vec![upstream.address]).await;
        let stream = bench.open(&ask_stream("hi"), &[]).await;
        soon("the upstream can't write on", upstream.blocked.cancelled()).await;
        let written = upstream.written.load(std::sync::atomic::Ordering::Relaxed);
        // What fits into the sockets' own buffers, and no more.
        assert!(
            written < all / 2,
            "{written} of {all} bytes were taken from the upstream"
        );
        let reply = stream.finish().await;
        assert_eq!(
            reply.body.len() as u64,
            all + (finish(0) + DONE).len() as u64
        );
        bench.settled().await;
    }
}
