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

/// A whole answer with these members of its choice, and others beside them.
async fn whole(config: &str, choice: Value, more: Value) -> (Bench, Reply, Scripted) {
    let choice = with(json!({"index": 0, "finish_reason": "stop"}), choice);
    let body = with(
        json!({"id": "chatcmpl-1", "choices": [choice], "created": 1, "model": "llama3.1-8b", "object": "chat.completion"}),
        more,
    );
    let steps = vec![Step::Write(body.to_string())];
    let upstream = Scripted::serve_as("200 OK", "application/json", steps).await;
    let bench = Bench::to(config, vec![upstream.address]).await;
    let reply = bench.chat(&ask("hi")).await;
    (bench, reply, upstream)
}

/// The pieces of a text that is redacted, however it is cut.
const CUTS: [&[&str]; 3] = [
    &["Mail jane.doe@example.com now"],
    &["Mail jane.do", "e@example.com now"],
    &["Mail j", "ane", ".doe", "@", "example", ".com", " now"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_shown_twice_is_redacted_in_both_places() {
    let one = |text: &str| json!({"reasoning": text, "reasoning_content": text});
    let parts = |text: &str| json!({"content": [{"type": "text", "text": text}, {"type": "output_text", "text": text}]});
    for cut in CUTS {
        let mut events: Vec<String> = cut.iter().map(|text| delta(0, one(text))).collect();
        events.extend([finish(0), DONE.to_owned()]);
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        for member in ["reasoning", "reasoning_content"] {
            let chunks = reply.events();
            let said = chunks
                .iter()
                .filter_map(|chunk| chunk["choices"][0]["delta"][member].as_str());
            assert_eq!(
                said.collect::<String>(),
                "Mail [EMAIL] now",
                "{member}: {}",
                reply.text()
            );
        }
        bench.settled().await;

        let mut events: Vec<String> = cut.iter().map(|text| delta(0, parts(text))).collect();
        events.extend([finish(0), DONE.to_owned()]);
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        // What a part is left to say may come as a text of its own.
        assert_eq!(
            reply.text().matches("[EMAIL]").count(),
            2,
            "{}",
            reply.text()
        );
        assert!(
            !reply.text().contains("jane") && !reply.text().contains("@ex"),
            "{}",
            reply.text()
        );
        bench.settled().await;
    }
    for message in [one, parts].map(|shown| shown("Mail jane.doe@example.com now")) {
        let (bench, reply, _upstream) =
            whole(REDACTS, json!({"message": message}), json!({})).await;
        assert_eq!(
            reply.text().matches("Mail [EMAIL] now").count(),
            2,
            "{}",
            reply.text()
        );
        bench.settled().await;
    }
}

/// What `unknown_members` may be.
fn telling(unknown: &str) -> String {
    format!(
        "{REDACTS}\nproviders: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://@0/v1\", unknown_members: {unknown}}}]}}"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_that_no_stage_can_read_do_not_go_unless_they_may() {
    let hides = |delta: &str| {
        [
            (json!({}), json!({"thinking": ADDRESS})),
            (json!({"text": ADDRESS}), json!({})),
            (json!({"tokens": [ADDRESS], "token_ids": [1]}), json!({})),
            (
                json!({delta: {"content": "one", "thinking": ADDRESS}}),
                json!({}),
            ),
            (
                json!({delta: {"content": "one", "audio": {"transcript": ADDRESS}}}),
                json!({}),
            ),
            (
                json!({delta: {"content": [{"type": "thinking", "thinking": ADDRESS}, {"type": "text", "text": "one"}]}}),
                json!({}),
            ),
            (
                json!({delta: {"content": "one"}}),
                json!({"usage": {ADDRESS: 1, "note": ADDRESS}}),
            ),
        ]
    };
    for unknown in ["drop", "refuse", "pass"] {
        let config = telling(unknown);
        for (choice, more) in hides("delta") {
            let choice = with(json!({"index": 0, "delta": {"content": "one"}}), choice);
            let chunk = with(
                json!({"id": "chatcmpl-1", "choices": [choice], "created": 1, "model": "m"}),
                more,
            );
            let events = vec![format!("data: {chunk}\n\n"), finish(0), DONE.to_owned()];
            let (bench, reply, _upstream) = streamed(&config, events).await;
            judge_unknown(unknown, &chunk, &reply);
            bench.settled().await;
        }
        for (choice, more) in hides("message") {
            let choice = with(json!({"message": {"content": "one"}}), choice);
            let (bench, reply, _upstream) = whole(&config, choice.clone(), more.clone()).await;
            judge_unknown(unknown, &json!([choice, more]), &reply);
            bench.settled().await;
        }
    }
}

fn judge_unknown(unknown: &str, sent: &Value, reply: &Reply) {
    let text = reply.text();
    let tells_again = sent.to_string().contains("token_ids");
    match unknown {
        "refuse" => {
            assert_eq!(reply.error(), (502, "upstream_unreadable".into()), "{text}");
            assert!(!text.contains("jane"), "{text}");
        }
        "pass" if !tells_again => assert!(text.contains(ADDRESS), "{sent}: {text}"),
        _ => {
            assert_eq!(
                (reply.status, text.contains("jane")),
                (200, false),
                "{sent}: {text}"
            );
            assert!(text.contains("one"), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logprobs_of_a_text_do_not_go_in_another_chunk() {
    let tells =
        json!({"content": [{"token": ADDRESS, "logprob": -1, "bytes": null, "top_logprobs": []}]});
    let beside = |delta: Value, finish: Value| {
        let choice =
            json!({"index": 0, "delta": delta, "logprobs": tells, "finish_reason": finish});
        format!(
            "data: {}\n\n",
            json!({"id": "c", "choices": [choice], "created": 1, "model": "m"})
        )
    };
    let text = event(&format!("{ADDRESS} "));
    for events in [
        vec![
            beside(json!({"content": ""}), Value::Null),
            text.clone(),
            finish(0),
        ],
        vec![text.clone(), beside(json!({}), Value::Null), finish(0)],
        vec![text.clone(), beside(json!({}), json!("stop"))],
        vec![
            event("one "),
            beside(json!({"content": "two "}), Value::Null),
            text.clone(),
            finish(0),
        ],
    ] {
        let events = [events, vec![DONE.to_owned()]].concat();
        let (bench, reply, _upstream) = streamed(REDACTS, events).await;
        assert!(
            reply.is_done() && !reply.text().contains("jane"),
            "{}",
            reply.text()
        );
        bench.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_about_an_answer_says_nothing_of_what_it_says() {
    for choice in [
        json!({"delta": ADDRESS}),
        json!({"message": ADDRESS}),
        json!({"index": ADDRESS}),
        json!({"delta": {"tool_calls": ADDRESS}}),
        json!({"delta": {"content": {"a": ADDRESS}}}),
    ] {
        let chunk = format!("data: {}\n\n", json!({"choices": [choice]}));
        for events in [
            vec![chunk.clone()],
            vec![event("one "), chunk.clone()],
            vec![event("one "), format!("data: \"{ADDRESS}\"\n\n")],
            vec![
                event("one "),
                format!("event: error\ndata: {{\"message\": \"{ADDRESS}\"}}\n\n"),
            ],
        ] {
            let (bench, reply, _upstream) = streamed(REDACTS, events).await;
            let text = reply.text();
            assert!(
                !text.contains("jane") && text.contains("upstream_"),
                "{text}"
            );
            bench.settled().await;
        }
        let (bench, reply, _upstream) = whole(REDACTS, choice, json!({})).await;
        assert_eq!(reply.error(), (502, "upstream_unreadable".into()));
        assert!(!reply.text().contains("jane"), "{}", reply.text());
        bench.settled().await;
    }
}
