//! The fault matrix: every fault, whole and streamed, before one target and before one with another to fall back on. Of each: what the
//! client sees, how often each target was asked, who is named, and what the journal has. No request is lost or made twice over, and nothing
//! that looks like content follows an error.

use super::{ALL, faulty};
use crate::support::*;

/// What a fault leads to.
#[derive(Clone, Copy)]
enum Then {
    /// Nothing has come yet, and who is asked next may do better: another target answers. Without one, the target has been asked so often,
    /// and the client is told this.
    Next(usize, u16, &'static str),
    /// It is told, and nobody else is asked.
    Told(u16, &'static str),
    /// The answer had begun: an error with this status ends it.
    Broken(u16),
}
use Then::{Broken, Next, Told};

/// Each fault; what follows whole, and what streamed.
const MATRIX: [(&str, Then, Then); 20] = [
    both("400", Told(400, "wrong_api_format")),
    both("401", Next(1, 502, "upstream_credentials")),
    both("402", Next(1, 502, "upstream_credentials")),
    both("403-html", Next(1, 502, "upstream_credentials")),
    both("404", Told(404, "model_not_found")),
    both("408", Next(2, 408, "request_timeout")),
    both("413", Told(413, "content_too_large")),
    both("422", Told(422, "wrong_api_format")),
    both("429-requests", Next(1, 429, "request_quota_exceeded")),
    both("429-tokens", Next(1, 429, "token_quota_exceeded")),
    both("429-queue", Next(1, 429, "queue_exceeded")),
    both("500", Next(2, 500, "")),
    both("503", Next(2, 503, "service_unavailable")),
    both("html-200", Told(502, "upstream_unreadable")),
    both("silent", Next(1, 504, "upstream_timeout")),
    both("error-first", Next(2, 500, "")),
    ("error-mid-stream", Next(2, 500, ""), Broken(500)),
    ("cut", Told(502, "upstream_broke_off"), Broken(502)),
    ("stall", Told(504, "upstream_silent"), Broken(504)),
    (
        "gone",
        Next(1, 502, "upstream_unreachable"),
        Next(1, 502, "upstream_unreachable"),
    ),
];

const fn both(fault: &'static str, then: Then) -> (&'static str, Then, Then) {
    (fault, then, then)
}

/// Short waits, so that silence is told soon.
const FIRST: &str = "{id: first, provider: cerebras, base_url: \"http://@0/v1\", \
                     timeouts: {first_byte: 400ms, silence: 400ms}}";
/// Under its own name the model has no fault.
const SECOND: &str =
    ", {id: second, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@1/v1\"}";

async fn every_fault(stream: bool, fallback: bool) {
    for (fault, whole, streamed) in MATRIX {
        let then = if stream { streamed } else { whole };
        one(fault, stream, fallback, then).await;
    }
}

async fn one(fault: &str, stream: bool, fallback: bool, then: Then) {
    let second = if fallback { SECOND } else { "" };
    let config = format!(
        "policies: {{chain: [audit-logger]}}\nproviders: {{retries: {{attempts: 2, within: 1s}}, targets: [{FIRST}{second}]}}\n"
    );
    let upstreams = vec![Upstream::simulated().await, Upstream::simulated().await];
    let bench = if fault == "gone" {
        // A port that was free a moment ago.
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = free.local_addr().unwrap();
        drop(free);
        let mut bench = Bench::to(&config, vec![gone, upstreams[1].address]).await;
        bench.upstreams = upstreams;
        bench
    } else {
        Bench::before(&config, upstreams).await
    };
    let fault = if fault == "400" { "nonsense" } else { fault };
    let reply = bench.chat(&faulty(fault, stream)).await;
    let row = format!(
        "{fault}, stream {stream}, fallback {fallback}: {} {}",
        reply.status,
        reply.text()
    );
    assert_eq!(reply.broken, None, "{row}");
    let answered_by = match then {
        Next(..) if fallback => {
            assert_eq!((reply.status, reply.said().content()), (200, ALL), "{row}");
            Some("second")
        }
        Next(_, status, code) => {
            told(&reply, status, code, &row);
            None
        }
        Told(status, code) => {
            told(&reply, status, code, &row);
            Some("first")
        }
        Broken(status) => {
            let said = reply.said();
            assert_eq!(
                (
                    reply.status,
                    &said.error.as_ref().expect(&row)["status_code"]
                ),
                (200, &json!(status)),
                "{row}"
            );
            assert!(ALL.starts_with(said.content()), "{row}");
            let last = reply.events().pop().expect(&row);
            assert!(!last["error"].is_null() && !reply.is_done(), "{row}");
            Some("first")
        }
    };
    let named = answered_by.unwrap_or("first");
    assert_eq!(reply.header("x-witgate-target"), named, "{row}");

    let asked = |target: usize| bench.upstreams[target].bodies().len();
    let expected = match then {
        _ if fault == "gone" => 0,
        Next(times, ..) if !fallback => times,
        _ => 1,
    };
    assert_eq!(asked(0), expected, "the first, of {row}");
    let by_second = usize::from(answered_by == Some("second"));
    assert_eq!(asked(1), by_second, "the second, of {row}");

    let journal = bench.journal().await;
    assert_eq!(journal.len(), 1, "{row}");
    let ended = match by_second {
        1 => "completed",
        _ => "upstream-failed",
    };
    assert_eq!(journal[0]["ended"], ended, "{row}: {}", journal[0]);
    assert_eq!(
        journal[0]["answered_by"]["target"].as_str(),
        answered_by,
        "{row}: {}",
        journal[0]
    );
}

#[track_caller]
fn told(reply: &Reply, status: u16, code: &str, row: &str) {
    let error = reply.error();
    assert_eq!(error.0, status, "{row}");
    if !code.is_empty() {
        assert_eq!(error.1, code, "{row}");
    }
    assert!(!reply.text().contains("choices"), "{row}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_before_one_target() {
    every_fault(false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_with_a_fallback() {
    every_fault(false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamed_before_one_target() {
    every_fault(true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streamed_with_a_fallback() {
    every_fault(true, true).await;
}
