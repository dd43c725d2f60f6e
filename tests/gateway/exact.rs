//! What no policy changed comes out byte for byte.

use std::collections::BTreeMap;

use crate::support::*;

const BUNDLED: &str = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}";
const NONE: &str = "policies: {chain: []}";

/// Requests whose answers have nothing in them that the bundled policies would change.
fn clean() -> Vec<Value> {
    let mut all = Vec::new();
    for text in [
        "say: Hello, world! A plain answer in two sentences.",
        "think: Let me see. | say: Es grüßt die Straße: 你好 👋🏽!",
        "chunk: 1 | say: one at a time",
        "chunk: whole | think: first | say: and then",
        "words: 300",
        "fault: bytewise | say: byte by byte",
        "fault: crlf | say: with comments",
        "fault: crlf,bytewise | chunk: 2 | think: hm | say: both",
        "fault: no-done | say: hello there",
        "fault: empty-length | say: nothing",
    ] {
        all.push(ask(text));
        all.push(ask_stream(text));
    }
    let call = "call: lookup {\"who\": \"Zoë \\u00e9\"} | call: lookup {}";
    for body in [
        ask(call),
        ask_stream(call),
        ask_stream("fault: text-and-tools | say: both"),
    ] {
        all.push(with(body, tools()));
    }
    all.push(with(ask_stream("say: twice"), json!({"n": 2})));
    all.push(with(
        ask_stream("say: likely"),
        json!({"logprobs": true, "top_logprobs": 2}),
    ));
    all.push(with(ask("say: likely"), json!({"logprobs": true})));
    all.push(with(
        ask_stream("say: counted"),
        json!({"stream_options": {"include_usage": true}}),
    ));
    all.push(with(
        ask_stream("Anything at all."),
        json!({"model": "gpt-oss-120b"}),
    ));
    all
}

/// The events of a stream, or a whole answer, byte for byte, by the lane of their text. The last word of a lane may be held until the choice
/// finishes, and holds up no other lane. So it is within a lane that the order stays.
fn lanes(text: &str) -> BTreeMap<&'static str, Vec<String>> {
    let mut lanes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let text = text.replace("\r\n", "\n");
    for event in text.split("\n\n").filter(|event| !event.starts_with(':')) {
        let mut named = ["reasoning", "content", "tool_calls"].into_iter();
        let lane = named.find(|lane| event.contains(&format!("{{\"{lane}\":")));
        lanes
            .entry(lane.unwrap_or("none"))
            .or_default()
            .push(event.to_owned());
    }
    lanes
}

async fn comes_out_as_it_was_sent(config: &str) {
    let bench = Bench::of(config).await;
    for body in clean() {
        let sent = body.to_string();
        let through = bench.send(sent.clone(), &[]).await;
        let arrived = bench.upstream().recorder.requests().pop().unwrap();
        assert_eq!(arrived.body, sent, "the request changed");
        let straight = bench.straight(arrived.body).await;
        assert_eq!(
            (through.status, straight.status),
            (200, 200),
            "{sent}: {}",
            through.text()
        );
        assert_eq!(lanes(through.text()), lanes(straight.text()), "{sent}");
        if config == NONE || lanes(straight.text()).len() < 3 {
            assert_eq!(through.text(), straight.text(), "{sent}");
        }
        assert_eq!(
            through.header("content-type"),
            straight.header("content-type"),
            "{sent}"
        );
        assert_eq!(through.broken, None, "{sent}");
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_policies_every_answer_comes_out_as_it_was_sent() {
    comes_out_as_it_was_sent(NONE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_bundled_policies_a_clean_answer_comes_out_as_it_was_sent() {
    comes_out_as_it_was_sent(BUNDLED).await;
}

/// Events as no simulator sends them: members that nobody knows, odd spacing, several `data` lines, other fields.
const ODD: &str = concat!(
    ": hello\n\n",
    "retry: 100\nid: 7\ndata: {\"id\":\"c\",\"x_unknown\":{\"a\":[1,2.50,1e3]},\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "data:   { \"id\" : \"c\" , \"choices\":[ {\"delta\":{\"content\":\"caf\\u00e9 \\ud83d\\ude00 \"},\"index\":0, \"weird\":null} ],\"model\":\"m\"}\n\n",
    "event: message\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\n",
    "data: \"delta\":{\"content\":\"two lines \"}}]}\n\n",
    "data: {\"id\":\"c\",\"choices\":[]}\n\n",
    "\n\n",
    "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"total_tokens\":3},\"time_info\":{\"z\":0.10}}\n\n",
    "data: [DONE]\n\n",
);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_events_come_out_as_they_were_sent_and_unknown_members_where_they_may() {
    use crate::support::scripted::{Scripted, Step};
    let passing = format!(
        "{BUNDLED}\nproviders: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://@0/v1\", unknown_members: pass}}]}}"
    );
    let known = ODD.replace("\"x_unknown\":{\"a\":[1,2.50,1e3]},", "");
    for (config, wanted) in [(NONE, ODD), (&*passing, ODD), (BUNDLED, &*known)] {
        for cut in [1, 7, 64, 4096] {
            let cut: Vec<Step> = ODD
                .as_bytes()
                .chunks(cut)
                .map(|part| Step::Write(String::from_utf8(part.to_vec()).unwrap()))
                .collect();
            let upstream = Scripted::serve(cut).await;
            let bench = Bench::to(config, vec![upstream.address]).await;
            let reply = bench.chat(&ask_stream("hi")).await;
            assert_eq!(reply.status, 200);
            assert_eq!(reply.text(), wanted);
            bench.settled().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_no_policy_edits_arrive_as_the_client_wrote_them() {
    let bench = Bench::of(BUNDLED).await;
    let odd = r#" {"messages" : [ {"content":"say: caf\u00e9", "role":"user"} ],"model":"llama3.1-8b" , "temperature":0.50 , "seed":7 }"#;
    let reply = bench.send(odd, &[]).await;
    assert_eq!((reply.status, reply.said().content()), (200, "café"));
    assert_eq!(bench.upstream().recorder.requests()[0].body, odd);
    // The provider's name in front of the model is all that is taken out.
    let named = odd.replace("llama3.1-8b", "cerebras/llama3.1-8b");
    assert_eq!(bench.send(named, &[]).await.status, 200);
    assert_eq!(bench.upstream().recorder.requests()[1].body, odd);
}

/// Masking one text leaves every digit and space of the rest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_a_policy_edits_keeps_all_that_was_not_edited() {
    let bench = Bench::of("policies: {chain: [pii-detector]}").await;
    let body = r#"{ "model" : "llama3.1-8b", "temperature": 0.10,"seed":123456789012345678901234567890,
      "messages":[{"content":"say: hi \u0041 \/ 1e400" , "role":"user"},{"role":"user","content":"I am jane.doe@example.org"}],"top_p":1E0 }"#;
    bench.send(body, &[]).await;
    let requests = bench.upstream().recorder.requests();
    let sent = String::from_utf8_lossy(&requests[0].body).into_owned();
    let (before, after) = body.split_once("jane.doe@example.org").unwrap_or_default();
    assert!(sent.starts_with(before) && sent.ends_with(after), "{sent}");
    assert!(!sent.contains("jane.doe"), "{sent}");
}

/// A guard may have something to mask in every text that there is: each is an edit, and none is one too many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_one_of_very_many_texts_can_be_masked() {
    let bench = Bench::of(
        "policies: {chain: [{id: pii-detector, limits: {request_cpu: 30s, exchange_cpu: 40s, call_time: 60s}}]}",
    )
    .await;
    let body = |address: &str| {
        let message = format!(r#"{{"role":"user", "content":"mail {address} now"}}"#);
        let messages = vec![message; 6000].join(" ,");
        format!(r#"{{"model":"llama3.1-8b","seed":1.0,"messages":[{messages}]}}"#)
    };
    bench.send(body("ann@example.org"), &[]).await;
    let sent = &bench.upstream().recorder.requests()[0].body;
    assert!(*sent == body("[EMAIL]"), "something else was sent");
}
