//! The misdeeds of the answer's hooks, in streams of which something has gone out already.

use super::*;
use crate::support::scripted::{DONE, Scripted, Step, delta, event, finish};

const LIMITS: &str = "delta_cpu: 50ms, exchange_cpu: 150ms, call_time: 1s, held_text: 64B";

/// Some thought; then, behind a gate, the content, which is where the guest misbehaves.
async fn upstream() -> Scripted {
    let thought = delta(0, json!({"reasoning": "Let me see."}));
    let content = event("hello! ").repeat(200) + &finish(0) + DONE;
    Scripted::serve(vec![Step::Write(thought), Step::Gate, Step::Write(content)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_misdeed_of_an_answer_ends_the_stream_with_an_error_or_is_skipped() {
    for on_error in ["deny", "skip"] {
        let upstream = upstream().await;
        let bench = Bench::to(&chain(on_error, LIMITS), vec![upstream.address]).await;
        let in_answers =
            |(_, hook, _): &(_, &str, _)| matches!(*hook, "on-answer" | "on-delta" | "on-end");
        let misdeeds: Vec<_> = failing().filter(in_answers).collect();
        assert!(misdeeds.len() > 10, "the list has some");

        // All are open at once, each beside one that behaves.
        let mut open = Vec::new();
        for (name, ..) in &misdeeds {
            for header in [Some((MISDEED, *name)), None] {
                let mut stream = bench.open(&ask_stream("hi"), header.as_slice()).await;
                stream.read_until("Let me see.").await;
                open.push(stream);
            }
        }
        open.iter().for_each(|_| upstream.go_on());
        let mut open = open.into_iter();
        let good = "hello. ".repeat(200);
        for (name, hook, class) in misdeeds {
            let what = format!("{name}, on_error: {on_error}");
            let (stream, beside) = (open.next().unwrap(), open.next().unwrap());
            let (reply, right) = (stream.finish().await, beside.finish().await);
            assert_eq!(
                (right.said().content(), right.is_done()),
                (&*good, true),
                "beside {what}"
            );
            if on_error == "skip" {
                is_right(&reply, &what, &right);
                continue;
            }
            assert_eq!(reply.status, 200, "{what}: its head had gone");
            is_failure(&reply, &what, "hostile", class);
            let said = reply.said();
            assert_eq!(said.of(0, "reasoning"), "Let me see.", "{what}");
            // What had passed before the failure is the client's, and nothing else.
            assert!(
                good.starts_with(said.content()),
                "{what}: {}",
                said.content()
            );
            assert!(
                said.content().len() < good.len() || hook == "on-end",
                "{what}"
            );
        }
        bench.settled().await;
    }
}
