//! What clients send that Cerebras refuses, in each of the ways that a target can have with it.

mod corpus;

use crate::support::*;
use corpus::{CHATS, COMPLETIONS, REFUSED};

const OPEN: &str = "policies: {chain: []}\nrequests: {opaque_parts: pass}";

/// A target before the simulator that deals with parameters in that way.
fn target(parameters: &str) -> String {
    format!(
        "{OPEN}\nproviders: {{targets: [{{id: sim, provider: cerebras, base_url: \"http://@0/v1\", parameters: {parameters}}}]}}"
    )
}

async fn sent(bench: &Bench, path: &str, body: &str) -> Reply {
    let url = format!("http://{}/v1/{path}", bench.traffic);
    let request = bench.client().post(url).body(body.to_owned());
    let request = request.header("content-type", "application/json");
    Reply::read(request.send().await.unwrap()).await
}

fn all() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    let of = |path, cases: &'static [(_, _, _)]| {
        cases
            .iter()
            .map(move |(client, body, dropped)| (path, *client, *body, *dropped))
    };
    of("chat/completions", CHATS).chain(of("completions", COMPLETIONS))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_stripped_is_taken_and_told() {
    let bench = Bench::of(OPEN).await;
    assert!(all().count() >= 60);
    for (path, client, body, dropped) in all() {
        let reply = sent(&bench, path, body).await;
        assert_eq!(reply.status, 200, "{client}: {}", reply.text());
        assert_eq!(reply.header("x-witgate-dropped"), dropped, "{client}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_passed_is_refused_by_upstream() {
    let bench = Bench::of(&target("pass")).await;
    for (path, client, body, _) in all() {
        let reply = sent(&bench, path, body).await;
        assert_eq!(reply.error(), (400, "wrong_api_format".into()), "{client}");
        assert_eq!(reply.header("x-witgate-dropped"), "", "{client}");
        let came = bench.upstream().recorder.requests().pop().unwrap();
        assert_eq!(came.body, body.as_bytes(), "{client}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_strict_is_refused_here_in_upstreams_words() {
    let bench = Bench::of(&target("strict")).await;
    let refused = REFUSED.iter();
    let refused = refused.map(|(what, body)| ("chat/completions", *what, *body, ""));
    for (path, client, body, _) in all().chain(refused) {
        let reply = sent(&bench, path, body).await;
        assert_eq!(reply.error(), (400, "wrong_api_format".into()), "{client}");
        assert_eq!(reply.json()["param"], "validation_error");
        assert_eq!(reply.header("x-witgate-target"), "sim");
        assert!(
            bench.upstream().bodies().is_empty(),
            "{client}: it was sent"
        );
    }
    let plain = sent(&bench, "chat/completions", &ask("say: ok").to_string()).await;
    assert_eq!(plain.said().content(), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_says_is_not_dropped_but_refused() {
    let bench = Bench::of(OPEN).await;
    for (what, body) in REFUSED {
        let reply = sent(&bench, "chat/completions", body).await;
        assert_eq!(reply.error(), (400, "wrong_api_format".into()), "{what}");
        assert_eq!(reply.header("x-witgate-dropped"), "", "{what}");
        let came = bench.upstream().recorder.requests().pop().unwrap();
        assert_eq!(came.body, body.as_bytes(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_user_is_dropped_and_a_small_limit_stays() {
    let bench = Bench::of(OPEN).await;
    let more = json!({"user": "u".repeat(65), "max_tokens": 1});
    let reply = bench.chat(&with(ask("say: one two three"), more)).await;
    assert_eq!(reply.header("x-witgate-dropped"), "user");
    let came = bench.upstream().bodies().pop().unwrap();
    assert_eq!(
        (&came["user"], &came["max_tokens"]),
        (&json!(null), &json!(1))
    );
    assert_eq!(reply.json()["usage"]["completion_tokens"], 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_that_was_asked_for_comes_once() {
    let bench = Bench::of(OPEN).await;
    for include in [json!(true), json!(false)] {
        let more = json!({"stream_options": {"include_usage": include}});
        let reply = bench.chat(&with(ask_stream("say: ok"), more)).await;
        let events = reply.events();
        let with_usage = events.iter().filter(|event| !event["usage"].is_null());
        assert_eq!(with_usage.count(), 1, "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_only_cerebras_knows_reach_it() {
    let bench = Bench::of(OPEN).await;
    let headers = [
        ("queue_threshold", "500"),
        ("x-cerebras-version-patch", "2"),
        ("x-cerebras-3rd-party-integration", "tests"),
    ];
    let reply = bench.send(ask("say: ok").to_string(), &headers).await;
    assert_eq!(reply.status, 200);
    let came = bench.upstream().recorder.requests().pop().unwrap();
    for (name, value) in headers {
        assert_eq!(came.headers[name], value);
    }
}

/// Every text of a request that goes up has been shown: what is renamed keeps its text, and what a stage masks stays masked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_renamed_has_been_judged() {
    let bench = Bench::of("policies: {chain: [pii-detector]}").await;
    let body = json!({"model": "gpt-oss-120b", "store": "ann@example.org", "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_content": "it is ann@example.org", "refusal": null},
        {"role": "user", "content": "say: ok"},
    ]});
    let reply = bench.chat(&body).await;
    assert_eq!(reply.said().content(), "ok");
    let came = bench.upstream().bodies().pop().unwrap();
    assert_eq!(came["messages"][1]["reasoning"], "it is [EMAIL]");
    assert!(!came.to_string().contains("ann@"), "{came}");
}
