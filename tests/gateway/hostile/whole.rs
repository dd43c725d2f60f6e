//! The hostile guest's misdeeds, many at once, in answers that come as fast as they can: streamed and whole.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};

use super::*;

/// Small where a misdeed uses all of it up, and enough for a build without optimisation to reach the other limits.
const LIMITS: &str = "request_cpu: 250ms, delta_cpu: 50ms, exchange_cpu: 250ms, held_text: 64B";
/// Exchanges at once, and as many well-behaved ones beside them.
const AT_ONCE: usize = 8;

/// Ended by a count that a slow build doesn't reach in time; it has a test of its name in the sandbox's tests.
const COUNTED: &str = "edits-in-on-request";

/// A long answer, in small pieces, with a shout in each word.
fn question(streamed: bool) -> Value {
    let text = format!("chunk: 2 | say: {}", "hello! ".repeat(200));
    with(ask(&text), json!({"stream": streamed}))
}

/// How it fails in such an answer.
fn failure_in((name, ends): &(&str, Ends), streamed: bool) -> Option<(&'static str, &'static str)> {
    // A whole answer is one delta, in which it burns less than it may.
    failure(ends).filter(|_| streamed || *name != "burn-in-on-delta")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_misdeed_ends_as_on_error_says_and_nobody_else_notices() {
    let on_errors = ["deny", "skip"].into_iter();
    for (on_error, sleeping) in on_errors.flat_map(|one| [(one, false), (one, true)]) {
        // Those that sleep needn't for long; the others need not hurry on a busy machine.
        let call_time = if sleeping { "100ms" } else { "60s" };
        let limits = format!("{LIMITS}, call_time: {call_time}");
        let bench = Bench::of(&chain(on_error, &limits)).await;
        // From the second time on, the prompt is in the simulator's cache, and every answer says so.
        bench.chat(&question(false)).await;
        let right = [
            bench.chat(&question(false)).await,
            bench.chat(&question(true)).await,
        ];
        for reply in &right {
            let content = reply.said().content().to_owned();
            assert_eq!(content.trim_end(), "hello. ".repeat(200).trim_end());
        }
        let exchanges = MISDEEDS
            .iter()
            .filter(|(name, ends)| !matches!(ends, Ends::Unloaded) && *name != COUNTED)
            .filter(|(name, _)| name.starts_with("sleep-") == sleeping)
            .flat_map(|misdeed| [(misdeed, false), (misdeed, true)]);
        let exchanges: Vec<_> = exchanges.collect();
        stream::iter(&exchanges)
            .for_each_concurrent(AT_ONCE, async |(misdeed, streamed)| {
                let name = misdeed.0;
                let (question, right) = (question(*streamed), &right[usize::from(*streamed)]);
                let asked = [
                    (MISDEED, name),
                    ("authorization", "Bearer sesame"),
                    ("cookie", "a=b"),
                    ("cf-access-jwt-assertion", "a.b.c"),
                    ("x-forwarded-client-cert", "cert"),
                    ("x-unlisted", "anything"),
                ];
                let (reply, beside) = tokio::join!(
                    bench.send(question.to_string(), &asked),
                    bench.chat(&question),
                );
                let what = format!("{name}, streamed: {streamed}, on_error: {on_error}");
                match failure_in(misdeed, *streamed) {
                    None => ends_well(&reply, name, &what, right),
                    // The answer is out before it fails.
                    Some(("on-complete", _)) => is_right(&reply, &what, right),
                    Some((_, class)) if on_error == "deny" => {
                        is_failure(&reply, &what, "hostile", class);
                    }
                    Some((_, class)) => {
                        is_right(&reply, &what, right);
                        let verdicts = reply.header("x-witgate-policies");
                        let all = format!("hostile=skip:{class}, calm=edit, audit-logger=proceed");
                        assert!(*streamed || verdicts == all, "{what}: {verdicts}");
                    }
                }
                is_right(&beside, &format!("beside {what}"), right);
            })
            .await;

        // Every one of them was told of at its end, whatever became of it, and counted.
        assert_eq!(bench.journal().await.len(), 3 + 2 * exchanges.len());
        let metrics = bench.ask_admin("/metrics").await;
        let mut expected = BTreeMap::new();
        for (misdeed, streamed) in exchanges {
            if let Some(failure) = failure_in(misdeed, streamed) {
                *expected.entry(failure).or_insert(0) += 1;
            }
        }
        for ((hook, class), expected) in expected {
            let found = counted(metrics.text(), "hostile", hook, class);
            assert!(found >= expected, "{found} of {expected} {hook} {class}");
        }
        assert_eq!(counted(metrics.text(), "calm", "on-delta", "deadline"), 0);
    }
}

/// What a misdeed that fails nowhere comes to.
#[track_caller]
fn ends_well(reply: &Reply, name: &str, what: &str, right: &Reply) {
    let event = "\r\n\r\ndata: [DONE]\n\nevent: error\ndata: {}\n\n";
    match name {
        "long-message"
        | "message-with-a-header"
        | "status-of-success"
        | "edits-then-denial"
        | "draw-in-configure"
        | "clock-in-configure" => {
            assert_eq!(reply.error().0, 403, "{what}");
            assert!(reply.headers.get("set-cookie").is_none(), "{what}");
            assert!(reply.body.len() < 20_000, "{what}");
        }
        "far-retry" => {
            assert_eq!(reply.error(), (429, "no".into()));
            assert_eq!(reply.header("retry-after"), u32::MAX.to_string());
        }
        "message-with-an-event-mid-stream" if reply.status == 200 => {
            assert_eq!(reply.said().denials[&0]["message"], event, "{what}");
        }
        "message-with-an-event-mid-stream" => {
            assert_eq!(reply.error(), (403, "no".into()), "{what}");
            assert_eq!(reply.json()["message"], event, "{what}");
        }
        "response-with-an-event" => assert_eq!(reply.said().content(), event, "{what}"),
        "replacement-with-an-event" => {
            let said = reply.said();
            assert!(said.content().starts_with(event), "{what}");
            assert_eq!(said.content().replace(event, ""), "", "{what}");
        }
        _ => is_right(reply, what, right),
    }
}
