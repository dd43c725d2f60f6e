//! Policies that fail: what `on_error` makes of it, and who gets to see it.

use crate::support::scripted::{DONE, Scripted, Step, event, finish};
use crate::support::*;

fn chain(on_error: &str) -> String {
    format!(
        "policies: {{chain: [{{id: puppet, component: @puppet, on_error: {on_error}, \
         limits: {{held_time: 100ms, held_text: 32B, delta_cpu: 20ms}}}}, audit-logger]}}"
    )
}

fn in_answer(at: &str, then: Value) -> Value {
    json!({"answer": {"at": at, "then": then}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_on_the_request_denies_or_skips() {
    let bench = Bench::of(&chain("deny")).await;
    for (act, class) in [("trap", "trap"), ("spin", "deadline")] {
        let reply = bench
            .puppet(&ask_stream("say: hi"), json!({"request": act}))
            .await;
        assert_eq!(reply.error(), (500, class.into()));
        let error = reply.json();
        assert_eq!(
            (&error["type"], &error["param"]),
            (&json!("policy_failed"), &json!("puppet"))
        );
        assert_eq!(reply.header("x-should-retry"), "false");
        assert_eq!(
            reply.header("x-witgate-policies"),
            format!("puppet=error:{class}, audit-logger=unreached")
        );
        assert_eq!(reply.header("x-witgate-target"), "");
    }
    assert!(bench.upstream().recorder.requests().is_empty());
    let journal = bench.journal().await;
    assert_eq!(journal.len(), 2);
    assert_eq!(
        (&journal[0]["ended"], &journal[0]["policy"]),
        (&json!("faulted"), &json!("puppet"))
    );

    let bench = Bench::of(&chain("skip")).await;
    for (act, class) in [("trap", "trap"), ("spin", "deadline")] {
        let reply = bench.puppet(&ask("say: hi"), json!({"request": act})).await;
        assert_eq!((reply.status, reply.said().content()), (200, "hi"));
        assert_eq!(
            reply.header("x-witgate-policies"),
            format!("puppet=skip:{class}, audit-logger=proceed")
        );
    }
    bench.settled().await;
    let metrics = bench.ask_admin("/metrics").await;
    let counted =
        r#"witgate_stage_failures_total{stage="puppet",hook="on-request",class="trap"} 1"#;
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_a_whole_answer_denies_or_skips() {
    for (act, class) in [("trap", "trap"), ("spin", "deadline")] {
        let denying = Bench::of(&chain("deny")).await;
        let reply = denying
            .puppet(&ask("say: hi there"), in_answer("there", json!(act)))
            .await;
        assert_eq!(reply.error(), (500, class.into()));
        denying.settled().await;
        let skipping = Bench::of(&chain("skip")).await;
        let reply = skipping
            .puppet(&ask("say: hi there"), in_answer("there", json!(act)))
            .await;
        assert_eq!((reply.status, reply.said().content()), (200, "hi there"));
        assert_eq!(
            reply.header("x-witgate-policies"),
            format!("puppet=skip:{class}, audit-logger=proceed")
        );
        skipping.settled().await;
    }
}

/// `one `, then, behind a gate, `two three`.
async fn in_two_parts() -> Scripted {
    let steps = [
        Step::Write(event("one ")),
        Step::Gate,
        Step::Write(event("two ") + &event("three") + &finish(0) + DONE),
    ];
    Scripted::serve(steps.to_vec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_in_mid_stream_ends_the_stream_with_an_error_or_is_skipped() {
    for (act, class) in [("trap", "trap"), ("spin", "deadline")] {
        for on_error in ["deny", "skip"] {
            let upstream = in_two_parts().await;
            let bench = Bench::to(&chain(on_error), vec![upstream.address]).await;
            let orders = in_answer("three", json!(act)).to_string();
            let mut stream = bench
                .open(&ask_stream("hi"), &[("x-puppet", &orders)])
                .await;
            stream.read_until("one").await;
            upstream.go_on();
            let reply = stream.finish().await;
            let said = reply.said();
            if on_error == "skip" {
                assert_eq!((said.content(), reply.is_done()), ("one two three", true));
                continue;
            }
            // What had passed before the failure is the client's.
            assert_eq!(said.content(), "one two ");
            let error = said.error.expect("the stream ends with an error");
            assert_eq!(
                (&error["status_code"], &error["error"]["code"]),
                (&json!(500), &json!(class))
            );
            assert_eq!(error["error"]["type"], "policy_failed");
            assert!(!reply.is_done(), "{}", reply.text());
            let journal = bench.journal().await;
            assert_eq!(journal[0]["ended"], "faulted");
        }
    }
}

/// `jane`, then, behind a gate, `@example.com.`, then, behind another, the finish.
async fn with_pauses() -> Scripted {
    let steps = [
        Step::Write(event("one, ") + &event("jane")),
        Step::Gate,
        Step::Write(event("@example.com")),
        Step::Gate,
        Step::Write(finish(0) + DONE),
    ];
    Scripted::serve(steps.to_vec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_pauses_while_text_is_held_is_no_failure() {
    for on_error in ["deny", "skip"] {
        let chain = format!(
            "policies: {{chain: [{{id: pii-detector, on_error: {on_error}, limits: {{held_time: 50ms}}}}]}}\n\
             policy: {{pii-detector: {{requests: false}}}}"
        );
        let upstream = with_pauses().await;
        let bench = Bench::to(&chain, vec![upstream.address]).await;
        let mut stream = bench.open(&ask_stream("hi"), &[]).await;
        stream.read_until("one").await;
        for _ in 0..2 {
            // The pause: many times what the policy may hold a text for.
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            upstream.go_on();
        }
        let reply = stream.finish().await;
        assert_eq!(
            (reply.said().content(), reply.is_done()),
            ("one, [EMAIL]", true),
            "{}",
            reply.text()
        );
        bench.settled().await;
        let metrics = bench.ask_admin("/metrics").await;
        assert!(
            !metrics.text().contains("witgate_stage_failures_total{"),
            "{}",
            metrics.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_must_go_at_a_limit_goes_with_the_policys_last_word() {
    // Words without a space, so that nothing is decided; behind them an address.
    let text = format!("{}-jane@example.com", "x".repeat(20));
    let chain = "policies: {chain: [{id: pii-detector, on_error: skip, limits: {held_text: 32B}}]}\n\
                 policy: {pii-detector: {requests: false}}";
    let events = text.as_bytes().chunks(4);
    let events: Vec<Step> = events
        .map(|piece| Step::Write(event(std::str::from_utf8(piece).unwrap())))
        .chain([
            Step::Write(event("abcdefghijk")),
            Step::Write(event(" and more") + &finish(0) + DONE),
        ])
        .collect();
    let upstream = Scripted::serve(events).await;
    let bench = Bench::to(chain, vec![upstream.address]).await;
    let reply = bench.chat(&ask_stream("hi")).await;
    assert!(
        !reply.text().contains("jane@example.com"),
        "{}",
        reply.text()
    );
    assert!(
        reply.said().content().ends_with(" and more"),
        "{}",
        reply.text()
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_held_too_much_is_a_failure() {
    let text = "x".repeat(100);
    for on_error in ["deny", "skip"] {
        let bench = Bench::of(&chain(on_error)).await;
        for stream in [false, true] {
            let body = with(
                ask(&format!("chunk: 4 | say: {text}")),
                json!({"stream": stream}),
            );
            let reply = bench.puppet(&body, in_answer("", json!("hold"))).await;
            if on_error == "skip" {
                assert_eq!(reply.said().content(), text);
            } else if reply.status == 200 {
                assert_eq!(reply.said().content(), "");
                assert_eq!(reply.said().error.unwrap()["error"]["code"], "output");
            } else {
                assert_eq!(reply.error(), (500, "output".into()));
            }
        }
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_that_are_no_longer_json_are_a_failure() {
    let body = with(ask("call: lookup {\"who\": \"me\"}"), tools());
    let bench = Bench::of(&chain("deny")).await;
    let reply = bench
        .puppet(&body, in_answer("me", json!({"replace": "\""})))
        .await;
    assert_eq!(reply.error(), (500, "output".into()));
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_at_the_end_costs_nobody_else_their_end() {
    let bench = Bench::of(&chain("deny")).await;
    for (number, act) in ["trap", "spin"].into_iter().enumerate() {
        let reply = bench
            .puppet(&ask_stream("say: hi"), json!({"complete": act}))
            .await;
        assert_eq!((reply.said().content(), reply.is_done()), ("hi", true));
        let journal = bench.journal().await;
        assert_eq!(
            (journal.len(), &journal[number]["ended"]),
            (number + 1, &json!("completed"))
        );
    }
    let metrics = bench.ask_admin("/metrics").await;
    assert!(
        metrics
            .text()
            .contains(r#"hook="on-complete",class="trap"} 1"#),
        "{}",
        metrics.text()
    );
}
