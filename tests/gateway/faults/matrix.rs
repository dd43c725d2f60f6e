//! The fault matrix: every fault that the simulator knows and some that it doesn't, whole and streamed, before one target and before one with another to fall back on. Of each: what the
//! client sees, how often each target was asked, who is named, and what the journal has. No request is lost or made twice over, and nothing
//! that looks like content follows an error.

use super::{ALL, faulty};
use crate::support::scripted::{Scripted, Step, delta, event};
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
    /// It is told, or ends the answer with that status: by whether anything of it had come with another piece.
    Ends(u16, &'static str),
    /// It is an answer all the same, of which this is true.
    Answers(fn(&Reply) -> bool),
}
use Then::{Answers, Broken, Ends, Next, Told};

fn says_all(reply: &Reply) -> bool {
    reply.said().content() == ALL
}

fn says_nothing(reply: &Reply) -> bool {
    reply.said().content().is_empty()
}

/// Where no policy looks, an event that can't be read goes on like any other.
fn goes_on(reply: &Reply) -> bool {
    reply.is_done() && reply.text().contains("data: {\"id\":\"chatcmpl-\n\n")
}

fn says_and_calls(reply: &Reply) -> bool {
    let said = reply.said();
    !said.content().is_empty() && said.of(0, "tool 0 name") == "lookup"
}

fn is_large(reply: &Reply) -> bool {
    reply.said().content().len() >= 4 << 20
}

/// Each fault; what follows whole, and what streamed.
const MATRIX: [(&str, Then, Then); 29] = [
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
    both("429-queue", Next(2, 429, "queue_exceeded")),
    both("500", Next(2, 500, "")),
    both("503", Next(2, 503, "service_unavailable")),
    both("html-200", Told(502, "upstream_unreadable")),
    both("silent", Next(1, 504, "upstream_timeout")),
    both("error-first", Next(2, 500, "")),
    ("error-mid-stream", Next(2, 500, ""), Broken(500)),
    ("cut", Told(502, "upstream_broke_off"), Broken(502)),
    ("stall", Told(504, "upstream_silent"), Broken(504)),
    both("slow-first-byte=100ms", Answers(says_all)),
    (
        "not-json",
        Told(502, "upstream_unreadable"),
        Answers(goes_on),
    ),
    (
        "huge-event",
        Answers(is_large),
        Ends(502, "upstream_unreadable"),
    ),
    both("penalties", Told(400, "wrong_api_format")),
    both("no-done", Answers(says_all)),
    both("empty-length", Answers(says_nothing)),
    both("text-and-tools", Answers(says_and_calls)),
    both("crlf", Answers(says_all)),
    both("bytewise", Answers(says_all)),
    (
        "gone",
        Next(1, 502, "upstream_unreachable"),
        Next(1, 502, "upstream_unreachable"),
    ),
];

const fn both(fault: &'static str, then: Then) -> (&'static str, Then, Then) {
    (fault, then, then)
}

/// Short waits where silence is what is to be told; else none that a slow machine may reach.
fn first(fault: &str) -> String {
    let timeouts = match fault {
        "silent" => ", timeouts: {first_byte: 400ms}",
        "stall" => ", timeouts: {silence: 400ms}",
        _ => "",
    };
    format!("{{id: first, provider: cerebras, base_url: \"http://@0/v1\"{timeouts}}}")
}
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
        "policies: {{chain: [audit-logger]}}\nproviders: {{retries: {{attempts: 2, within: 5s}}, targets: [{}{second}]}}\n",
        first(fault)
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
    let body = match fault {
        "400" => faulty("nonsense", stream),
        "penalties" => with(faulty(fault, stream), json!({"frequency_penalty": 0.5})),
        "text-and-tools" => with(faulty(fault, stream), tools()),
        fault => faulty(fault, stream),
    };
    let reply = bench.chat(&body).await;
    let row = format!(
        "{fault}, stream {stream}, fallback {fallback}: {} {}",
        reply.status,
        reply.text()
    );
    let asked = |target: usize| bench.upstreams[target].bodies().len();
    let asked = if fault == "gone" {
        (0, asked(1))
    } else {
        (asked(0), asked(1))
    };
    let gone = fault == "gone";
    judged(&bench, &reply, (fallback, gone), then, asked, &row).await;
}

/// Holds what came of one request against its row. `asked`: how often each target was.
async fn judged(
    bench: &Bench,
    reply: &Reply,
    (fallback, gone): (bool, bool),
    then: Then,
    asked: (usize, usize),
    row: &str,
) {
    assert_eq!(reply.broken, None, "{row}");
    let then = match then {
        Ends(status, _) if reply.status == 200 => Broken(status),
        Ends(status, code) => Told(status, code),
        then => then,
    };
    let answered_by = match then {
        Next(..) if fallback => {
            assert_eq!((reply.status, reply.said().content()), (200, ALL), "{row}");
            Some("second")
        }
        Next(_, status, code) => {
            told(reply, status, code, row);
            None
        }
        Told(status, code) => {
            told(reply, status, code, row);
            Some("first")
        }
        Ends(..) => unreachable!("it is one of the two"),
        Answers(is_true) => {
            assert!(reply.status == 200 && is_true(reply), "{row}");
            Some("first")
        }
        Broken(status) => {
            let said = reply.said();
            assert_eq!(
                (
                    reply.status,
                    &said.error.as_ref().expect(row)["status_code"]
                ),
                (200, &json!(status)),
                "{row}"
            );
            assert!(ALL.starts_with(said.content()), "{row}");
            let last = reply.events().pop().expect(row);
            assert!(!last["error"].is_null() && !reply.is_done(), "{row}");
            Some("first")
        }
    };
    let named = answered_by.unwrap_or("first");
    assert_eq!(reply.header("x-witgate-target"), named, "{row}");

    let expected = match then {
        _ if gone => 0,
        Next(times, ..) if !fallback => times,
        _ => 1,
    };
    let by_second = usize::from(answered_by == Some("second"));
    assert_eq!(asked, (expected, by_second), "{row}");

    let journal = bench.journal().await;
    assert_eq!(journal.len(), 1, "{row}");
    let ended = match then {
        Answers(_) => "completed",
        _ if by_second == 1 => "completed",
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

/// Streams whose beginning is at fault; each is what one request gets.
fn beginnings() -> Vec<(&'static str, Vec<Step>, Then)> {
    let role = delta(0, json!({"role": "assistant"}));
    let error = "data: {\"error\":{\"message\":\"no\",\"code\":\"busy\"},\"status_code\":503}\n\n";
    let (write, comment) = (|text: &str| Step::Write(text.to_owned()), ": alive\n\n");
    vec![
        (
            "reset behind the head",
            vec![Step::Reset],
            Next(2, 502, "upstream_unreachable"),
        ),
        (
            "an error behind a comment",
            vec![write(comment), write(error)],
            Next(2, 503, "busy"),
        ),
        (
            "an error behind a role",
            vec![write(&role), write(error)],
            Next(2, 503, "busy"),
        ),
        (
            "reset behind a role",
            vec![write(&role), Step::Reset],
            Next(2, 502, "upstream_unreachable"),
        ),
        // A stream of which nothing comes for a while has begun, and nobody else is asked: but a comment is no beginning of what is waited for.
        (
            "silence behind a comment",
            vec![write(comment), Step::Gate],
            Broken(504),
        ),
        (
            "an error behind content",
            vec![write(&event("one ")), write(error)],
            Broken(503),
        ),
        (
            "silence behind content",
            vec![write(&event("one ")), Step::Gate],
            Broken(504),
        ),
        (
            "the end behind content",
            vec![write(&event("one "))],
            Broken(502),
        ),
    ]
}

async fn every_beginning(fallback: bool) {
    for (name, steps, then) in beginnings() {
        let second = if fallback { SECOND } else { "" };
        let timeouts = match name {
            "silence behind a comment" => "first_token: 2s",
            "silence behind content" => "silence: 400ms",
            _ => "",
        };
        let config = format!(
            "policies: {{chain: [audit-logger]}}\nproviders: {{retries: {{attempts: 2, within: 5s}}, targets: [\
             {{id: first, provider: cerebras, base_url: \"http://@0/v1\", timeouts: {{{timeouts}}}}}\
             {second}]}}\n"
        );
        let (first, upstream) = (Scripted::serve(steps).await, Upstream::simulated().await);
        let mut bench = Bench::to(&config, vec![first.address, upstream.address]).await;
        bench.upstreams = vec![upstream];
        let reply = bench.chat(&faulty("no-done", true)).await;
        let row = format!(
            "{name}, fallback {fallback}: {} {}",
            reply.status,
            reply.text()
        );
        let asked = (first.asked(), bench.upstreams[0].bodies().len());
        judged(&bench, &reply, (fallback, false), then, asked, &row).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beginnings_before_one_target() {
    every_beginning(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beginnings_with_a_fallback() {
    every_beginning(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_simulators_stands_in_the_matrix() {
    let bench = Bench::of("policies: {chain: []}").await;
    let reply = bench.chat(&faulty("no-such-fault", false)).await;
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    let (_, names) = message.split_once("it knows ").expect(&message);
    let (names, _) = names.split_once(';').expect(&message);
    let known: Vec<&str> = names.split(", ").collect();
    assert!(known.len() > 20, "{message}");
    for name in known {
        let row = |(row, ..): &(&str, Then, Then)| row.split('=').next() == Some(name);
        assert!(MATRIX.iter().any(row), "{name} is missing");
    }
}

/// As in the race's own tests, through a whole gateway: one answer, told of once, and counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_twice_is_answered_and_told_of_once() {
    let config = "policies: {chain: [audit-logger]}\n\
                  providers: {hedging: {percentile: 99, floor: 200ms}, retries: {budget: 100}, targets: [\
                    {id: first, provider: cerebras, base_url: \"http://@0/v1\"}, \
                    {id: second, provider: cerebras, base_url: \"http://@0/v1\"}]}";
    let bench = Bench::of(config).await;
    for (times, stream) in [(1, false), (2, true)] {
        // So many that it is known what is late.
        for _ in 0..20 {
            let quick = with(ask("say: quick"), json!({"stream": stream}));
            assert_eq!(bench.chat(&quick).await.said().content(), "quick");
        }
        let before = bench.journal().await.len();
        let asked = bench.upstream().bodies().len();
        // Whoever is asked first never answers.
        let late = "fault: silent*1 | say: late";
        let late = with(ask(late), json!({"stream": stream}));
        let reply = bench.chat(&late).await;
        assert_eq!(
            (reply.status, reply.said().content()),
            (200, "late"),
            "{}",
            reply.text()
        );
        assert_eq!(reply.header("x-witgate-target"), "second");
        assert!(bench.upstream().bodies().len() >= asked + 2);
        let recorder = &bench.upstream().recorder;
        let given_up = recorder.wait_until(|traffic| traffic.dropped == times);
        soon("the first is given up", given_up).await;
        let journal = bench.journal().await;
        assert_eq!(journal.len(), before + 1);
        assert_eq!(journal[before]["ended"], "completed");
        assert_eq!(journal[before]["answered_by"]["target"], "second");
        let metrics = bench.ask_admin("/metrics").await;
        for name in ["hedges", "hedges_won"] {
            let line = format!("witgate_{name}_total{{target=\"first\"}} ");
            let counted = metrics.text().lines().find_map(|it| it.strip_prefix(&line));
            let counted: u64 = counted.expect(name).parse().unwrap();
            // A quick one may have been late as well, on a machine with much to do.
            assert!(counted >= times as u64, "{name}: {counted}");
        }
    }
    bench.settled().await;
}
