//! Stages in shadow: they see real traffic, and nothing that they say or do changes it.

mod operations;

use crate::support::scripted::{DONE, Scripted, Step, delta, event, finish};
use crate::support::*;

const NONE: &str = "policies: {chain: []}";

/// A puppet in shadow. `@more` is what stands behind it in the chain.
fn shadow(more: &str) -> String {
    format!(
        "policies: {{chain: [{{id: puppet, component: @puppet, mode: shadow, \
         limits: {{held_time: 1ms, held_text: 32B, delta_cpu: 20ms}}}}{more}, audit-logger]}}"
    )
}

/// Alone with the answer, and beside a stage in earnest that sees it too and has nothing to say.
fn chains() -> [String; 2] {
    let beside = shadow(", {id: tone, component: @third-party}");
    [shadow(""), beside + "\npolicy: {tone: {limit: 100}}"]
}

fn in_answer(at: &str, then: Value) -> Value {
    json!({"answer": {"at": at, "then": then}})
}

/// What a metric of the puppet's has counted; `labels` are those after the stage's.
async fn counted(bench: &Bench, metric: &str, labels: &str) -> u64 {
    let name = format!("witgate_{metric}{{stage=\"puppet\",{labels}}} ");
    let metrics = bench.ask_admin("/metrics").await;
    let mut lines = metrics.text().lines();
    lines
        .find_map(|line| line.strip_prefix(&name)?.parse().ok())
        .unwrap_or(0)
}

/// How often hooks of the puppet's were called so far, the self-test's calls among them.
async fn calls<const N: usize>(bench: &Bench, hooks: [&str; N]) -> [u64; N] {
    let mut calls = [0; N];
    for (hook, calls) in hooks.iter().zip(&mut calls) {
        let label = format!("hook=\"{hook}\"");
        *calls = counted(bench, "hook_duration_seconds_count", &label).await;
    }
    calls
}

/// The puppet's part in the journal's last entry.
async fn account(bench: &Bench) -> Value {
    let journal = bench.journal().await;
    journal.last().unwrap()["stages"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_it_says_of_an_answer_every_byte_comes_out_as_it_was_sent() {
    let call = "call: lookup {\"who\": \"Zoë \\u00e9\"} | call: lookup {}";
    let asked = [
        ask("think: Let me see. | say: Es grüßt die Straße: 你好."),
        ask_stream("think: Let me see. | say: Es grüßt die Straße: 你好."),
        ask_stream("fault: crlf,bytewise | chunk: 2 | think: hm | say: both"),
        with(ask(call), tools()),
        with(ask_stream(call), tools()),
        with(ask_stream("say: twice"), json!({"n": 2, "logprobs": true})),
        with(ask("say: twice"), json!({"n": 2, "logprobs": true})),
        ask_stream("fault: no-done | say: without its end"),
    ];
    for chain in chains() {
        for (then, kind, verdict) in [
            (json!({"deny": "secret"}), "deny", "shadow:deny"),
            (json!({"replace": "another"}), "replace", "shadow:edit"),
            (json!({"replace": ""}), "replace", "shadow:edit"),
            (json!("hold"), "hold", "shadow:proceed"),
            (json!({"add": "more"}), "replace", "shadow:edit"),
        ] {
            let bench = Bench::of(&chain).await;
            let orders = in_answer("", then).to_string();
            for body in &asked {
                let sent = body.to_string();
                let reply = bench.send(sent.clone(), &[("x-puppet", &orders)]).await;
                let straight = bench.straight(sent.clone()).await;
                assert_eq!((reply.status, straight.status), (200, 200), "{sent}");
                assert_eq!(reply.text(), straight.text(), "{orders}: {sent}");
                assert_eq!(reply.broken, None, "{sent}");
                assert_eq!(account(&bench).await["verdict"], verdict, "{sent}");
            }
            let said = counted(&bench, "shadow_edits_total", &format!("kind=\"{kind}\"")).await;
            assert!(said >= asked.len() as u64, "{kind}: {said}");
            assert_eq!(
                counted(&bench, "edits_total", &format!("kind=\"{kind}\"")).await,
                0
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_would_finish_a_choice_that_is_noted_and_the_model_goes_on() {
    let length = |text: String| text.replace("\"stop\"", "\"length\"");
    let streamed = [
        delta(0, json!({"role": "assistant", "reasoning": "hm"})),
        delta(0, json!({"content": "It is "})),
        delta(0, json!({"content": "now "})),
        delta(0, json!({"content": "or never, and not now."})),
        length(finish(0)),
        DONE.into(),
    ]
    .concat();
    let message = json!({"role": "assistant", "reasoning": "hm", "content": "It is now or never, and not now."});
    let choice = json!({"index": 0, "message": message, "finish_reason": "length"});
    let whole = json!({"id": "1", "choices": [choice]}).to_string();
    for chain in chains() {
        for (body, kind, sent) in [
            (ask("hi"), "application/json", &whole),
            (ask_stream("hi"), "text/event-stream", &streamed),
        ] {
            let steps = vec![Step::Write(sent.clone())];
            let upstream = Scripted::serve_as("200 OK", kind, steps).await;
            let bench = Bench::to(&chain, vec![upstream.address]).await;
            let hooks = ["on-answer", "on-end"];
            let [answers, ends] = calls(&bench, hooks).await;
            let reply = bench
                .puppet(&body, in_answer("now", json!({"finish": "!"})))
                .await;
            assert_eq!((reply.status, reply.text()), (200, &**sent));
            let journal = bench.journal().await;
            assert_eq!(journal[0]["stages"][0]["verdict"], "shadow:edit");
            assert_eq!(journal[0]["finish_reasons"], json!(["length"]));
            // Of the content it sees no more, as if it had been heard: not the text, and no end. Reasoning has its end.
            let wanted = [answers + 2, ends + 1];
            assert_eq!(calls(&bench, hooks).await, wanted, "{kind}");
            for (metric, count) in [("shadow_edits_total", 1), ("edits_total", 0)] {
                let counted = counted(&bench, metric, "kind=\"finish\"").await;
                assert_eq!(counted, count, "{metric}, {kind}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_would_finish_a_choice_in_a_call_that_is_its_failure_and_the_call_goes_on() {
    let call = "call: lookup {\"who\": \"Zoë\"}";
    let bench = Bench::of(&shadow("")).await;
    for body in [ask(call), ask_stream(call)] {
        let sent = with(body, tools()).to_string();
        let orders = in_answer("", json!({"finish": "!"})).to_string();
        let reply = bench.send(sent.clone(), &[("x-puppet", &orders)]).await;
        let straight = bench.straight(sent.clone()).await;
        assert_eq!((reply.status, reply.text()), (200, straight.text()));
        assert_eq!(account(&bench).await["verdict"], "shadow:error:misuse");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_else_looks_what_cannot_be_read_goes_as_it_came() {
    let refused = json!({"error": {"message": "no more"}, "choices": [{"index": 0, "delta": {"content": "lost?"}}]});
    let streams = [
        event("one ") + "data: what is this\n\n" + &event("two") + &finish(0) + DONE,
        event("one ") + &format!("data: {refused}\n\n"),
        event("one ") + &finish(0) + DONE.trim_end(),
        event("one ") + finish(0).trim_end(),
        event("one ") + "data: [1]\n\n" + &finish(0) + DONE,
    ];
    for stream in streams {
        let upstream = Scripted::serve(vec![Step::Write(stream.clone())]).await;
        let plain = Bench::to(NONE, vec![upstream.address]).await;
        let bench = Bench::to(&shadow(""), vec![upstream.address]).await;
        let straight = plain.chat(&ask_stream("hi")).await;
        let reply = bench
            .puppet(&ask_stream("hi"), in_answer("one", json!({"deny": "no"})))
            .await;
        assert_eq!((straight.status, straight.text()), (200, &*stream));
        assert_eq!((reply.status, reply.text()), (200, &*stream));
        assert_eq!(account(&bench).await["verdict"], "shadow:deny");
    }
    let odd = json!({"id": "1", "choices": [{"index": 0, "message": {"content": {"parts": []}}}]});
    let steps = vec![Step::Write(odd.to_string())];
    let upstream = Scripted::serve_as("200 OK", "application/json", steps).await;
    let bench = Bench::to(&shadow(""), vec![upstream.address]).await;
    let reply = bench
        .puppet(&ask("hi"), in_answer("", json!({"deny": "no"})))
        .await;
    assert_eq!((reply.status, reply.text()), (200, &*odd.to_string()));
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_it_says_of_a_request_it_goes_as_the_client_wrote_it() {
    let chain = shadow("")
        + "\nproviders: {targets: [{id: one, provider: cerebras, base_url: \"http://@0/v1\"}, \
           {id: two, provider: cerebras, base_url: \"http://@0/v1\"}]}";
    let bench = Bench::of(&chain).await;
    for (act, verdict) in [
        (
            json!({"deny": {"code": "no", "message": "No."}}),
            "shadow:deny",
        ),
        (
            json!({"respond": [{"content": [0, "no need"]}]}),
            "shadow:respond",
        ),
        (json!({"rewrite": "say: another"}), "shadow:edit"),
        (json!({"set": ["/temperature", "0"]}), "shadow:edit"),
        (json!({"targets": ["two"]}), "shadow:edit"),
        (json!({"tag": ["team", "red"]}), "shadow:proceed"),
    ] {
        for body in [ask("say: hi"), ask_stream("say: hi")] {
            let reply = bench.puppet(&body, json!({"request": act})).await;
            assert_eq!((reply.status, reply.said().content()), (200, "hi"), "{act}");
            assert_eq!(
                reply.header("x-witgate-policies"),
                format!("puppet={verdict}, audit-logger=proceed"),
                "{act}"
            );
            assert_eq!(reply.header("x-witgate-target"), "one", "{act}");
            assert_eq!(reply.header("x-witgate-tags"), "", "{act}");
            let arrived = bench.upstream().recorder.requests().pop().unwrap();
            assert_eq!(arrived.body, body.to_string(), "{act}");
            let journal = bench.journal().await;
            let entry = journal.last().unwrap();
            assert_eq!(
                (&entry["ended"], &entry["verdict"], &entry["tags"]),
                (&json!("completed"), &json!("proceed"), &json!({}))
            );
            assert_eq!(entry["stages"][0]["verdict"], verdict);
        }
    }
    for (verdict, count) in [("deny", 2), ("respond", 2), ("proceed", 8)] {
        let label = format!("verdict=\"{verdict}\"");
        assert_eq!(
            counted(&bench, "shadow_verdicts_total", &label).await,
            count
        );
        assert_eq!(counted(&bench, "verdicts_total", &label).await, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_would_have_ended_the_exchange_is_told_its_end_alone() {
    for act in [
        json!({"deny": {"code": "no", "message": "No."}}),
        json!({"respond": [{"content": [0, "no need"]}]}),
    ] {
        let bench = Bench::of(&shadow("")).await;
        let hooks = ["on-request", "on-answer", "on-complete"];
        let [request, answer, complete] = calls(&bench, hooks).await;
        let orders = json!({"request": act, "answer": {"then": "trap"}});
        for body in [ask("say: hi"), ask_stream("say: hi")] {
            assert_eq!(
                bench.puppet(&body, orders.clone()).await.said().content(),
                "hi"
            );
        }
        bench.settled().await;
        let wanted = [request + 2, answer, complete + 2];
        assert_eq!(calls(&bench, hooks).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_first_failure_is_its_last_and_nobody_elses() {
    for chain in chains() {
        for (act, class) in [("trap", "trap"), ("spin", "deadline")] {
            let bench = Bench::of(&chain).await;
            let [loaded] = calls(&bench, ["on-complete"]).await;
            let failure = format!("class=\"{class}\"");
            // What would fail again is never asked again: not in the answer, not in its other choice.
            let everywhere = json!({"request": act, "answer": {"then": act}});
            let later = json!({"answer": {"at": "there", "then": act}});
            for (hook, orders) in [("on-request", everywhere), ("on-delta", later)] {
                let two = json!({"n": 2});
                for (number, body) in [ask("say: hi there"), ask_stream("say: hi there")]
                    .into_iter()
                    .enumerate()
                {
                    let sent = with(body, two.clone());
                    let reply = bench.puppet(&sent, orders.clone()).await;
                    let straight = bench.straight(sent.to_string()).await;
                    assert_eq!(
                        (reply.status, reply.text()),
                        (200, straight.text()),
                        "{hook}"
                    );
                    let account = account(&bench).await;
                    assert_eq!(
                        account["verdict"],
                        format!("shadow:error:{class}"),
                        "{hook}"
                    );
                    let label = format!("hook=\"{hook}\",{failure}");
                    let failures = counted(&bench, "stage_failures_total", &label).await;
                    assert_eq!(failures, number as u64 + 1, "{hook}");
                    if hook == "on-request" || number == 0 {
                        let shown = format!("puppet=shadow:error:{class}, ");
                        assert!(
                            reply.header("x-witgate-policies").starts_with(&shown),
                            "{}",
                            reply.header("x-witgate-policies")
                        );
                    }
                }
            }
            let reply = bench
                .puppet(&ask_stream("say: hi"), json!({"complete": act}))
                .await;
            assert_eq!((reply.said().content(), reply.is_done()), ("hi", true));
            assert_eq!(account(&bench).await["verdict"], "shadow:proceed");
            let label = format!("hook=\"on-complete\",{failure}");
            assert_eq!(counted(&bench, "stage_failures_total", &label).await, 1);
            // Each of the five exchanges was told to its end, and those that had lost their instance in a new one.
            assert_eq!(calls(&bench, ["on-complete"]).await, [loaded + 5]);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_it_holds_for_ever_is_with_the_client_at_once() {
    for chain in chains() {
        let upstream = Scripted::serve(vec![
            Step::Write(event("one ")),
            Step::Gate,
            Step::Write(event("two, and more than it may hold back at a time") + &finish(0) + DONE),
        ])
        .await;
        let bench = Bench::to(&chain, vec![upstream.address]).await;
        let orders = in_answer("", json!("hold")).to_string();
        let mut stream = bench
            .open(&ask_stream("hi"), &[("x-puppet", &orders)])
            .await;
        stream.read_until("one").await;
        upstream.go_on();
        let reply = stream.finish().await;
        assert!(reply.is_done(), "{}", reply.text());
        let said = reply.said();
        assert!(said.content().ends_with("at a time"), "{said:?}");
        assert_eq!(account(&bench).await["verdict"], "shadow:proceed");
        assert_eq!(
            counted(&bench, "shadow_edits_total", "kind=\"hold\"").await,
            2
        );
        let failed = bench.ask_admin("/metrics").await;
        assert!(
            !failed.text().contains("witgate_stage_failures_total{"),
            "{}",
            failed.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_choice_that_it_denied_it_sees_no_more_and_of_the_other_all() {
    for chain in chains() {
        let all = [
            delta(0, json!({"role": "assistant", "content": "one "})),
            delta(1, json!({"content": "fine "})),
            delta(0, json!({"content": "secret"})),
            delta(1, json!({"content": "too"})),
            delta(0, json!({"content": " and more"})),
            delta(0, json!({"reasoning": "another channel"})),
            delta(1, json!({"content": "."})),
            finish(0),
            finish(1),
            DONE.into(),
        ]
        .concat();
        let upstream = Scripted::serve(vec![Step::Write(all.clone())]).await;
        let bench = Bench::to(&chain, vec![upstream.address]).await;
        let hooks = ["on-answer", "on-end"];
        let [answers, ends] = calls(&bench, hooks).await;
        let body = with(ask_stream("hi"), json!({"n": 2}));
        let reply = bench
            .puppet(&body, in_answer("secret", json!({"deny": "secret"})))
            .await;
        assert_eq!((reply.status, reply.text()), (200, &*all));
        bench.settled().await;
        for (metric, label, count) in [
            ("shadow_edits_total", "kind=\"deny\"", 1),
            // Of choice 0 what came before the denial, of choice 1 its deltas and its end.
            ("shadow_edits_total", "kind=\"forward\"", 5),
        ] {
            assert_eq!(counted(&bench, metric, label).await, count, "{label}");
        }
        let wanted = [answers + 2, ends + 1];
        assert_eq!(calls(&bench, hooks).await, wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stages_behind_it_see_what_really_came_and_it_sees_what_they_made() {
    let orders = in_answer("secret", json!({"replace": "[X]"}));
    let ask = ask_stream("chunk: whole | say: a secret");
    for (chain, verdicts) in [
        (
            "{id: shade, component: @puppet, mode: shadow}, {id: puppet, component: @puppet}",
            ["shadow:edit", "edit"],
        ),
        (
            "{id: puppet, component: @puppet}, {id: shade, component: @puppet, mode: shadow}",
            ["edit", "shadow:proceed"],
        ),
    ] {
        let bench = Bench::of(&format!("policies: {{chain: [{chain}, audit-logger]}}")).await;
        let reply = bench.puppet(&ask, orders.clone()).await;
        assert_eq!(reply.said().content(), "[X]");
        let journal = bench.journal().await;
        let stages = &journal[0]["stages"];
        assert_eq!([&stages[0]["verdict"], &stages[1]["verdict"]], verdicts);
    }
    // On requests, too.
    let chain = "policies: {chain: [{id: shade, component: @puppet, mode: shadow}, pii-detector]}";
    let bench = Bench::of(chain).await;
    let orders = json!({"request": {"rewrite": "say: nothing"}});
    bench
        .puppet(&self::ask("say: ann@example.org"), orders)
        .await;
    assert_eq!(
        bench.upstream().bodies()[0]["messages"][0]["content"],
        "say: [EMAIL]"
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_another_stage_gave_passes_it_untouched() {
    let chain = "policies: {chain: [{id: puppet, component: @puppet}, {id: shade, component: @puppet, mode: shadow}, audit-logger]}";
    let bench = Bench::of(chain).await;
    let respond = json!({"respond": [{"reasoning": [0, "hm"]}, {"content": [0, "no need"]}, {"call": [1, 0, "lookup", "{}"]}]});
    for (then, verdict) in [
        (json!({"deny": "no"}), "shadow:deny"),
        (json!({"replace": ""}), "shadow:edit"),
        (json!("hold"), "shadow:proceed"),
        (json!({"add": "!"}), "shadow:edit"),
        (json!("trap"), "shadow:error:trap"),
    ] {
        for stream in [false, true] {
            let body = with(ask("say: hi"), json!({"n": 2, "stream": stream}));
            let orders = json!({"request": respond, "answer": {"then": then}});
            let reply = bench.puppet(&body, orders).await;
            let said = reply.said();
            assert_eq!((reply.status, said.content()), (200, "no need"), "{then}");
            assert_eq!(
                (said.of(0, "reasoning"), said.of(1, "tool 0")),
                ("hm", "{}")
            );
            assert!(said.denials.is_empty(), "{then}");
            let journal = bench.journal().await;
            assert_eq!(journal.last().unwrap()["stages"][1]["verdict"], verdict);
        }
    }
}
