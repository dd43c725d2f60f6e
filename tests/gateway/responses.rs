//! Answers that a stage gives in the model's place, and requests that a stage changes.

use crate::support::*;

const PUPPET_FIRST: &str =
    "policies: {chain: [{id: puppet, component: @puppet}, pii-detector, audit-logger]}";
const PUPPET_LAST: &str =
    "policies: {chain: [pii-detector, audit-logger, {id: puppet, component: @puppet}]}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_is_an_ordinary_completion_and_passes_every_other_stage() {
    for chain in [PUPPET_FIRST, PUPPET_LAST] {
        let bench = Bench::of(chain).await;
        let said = json!([
            {"reasoning": [0, "ask ann@exa"]}, {"reasoning": [0, "mple.org"]},
            {"content": [0, "Call +1 415-"]}, {"content": [0, "555-0132."]},
        ]);
        for body in [ask("hi"), ask_stream("hi")] {
            let reply = bench
                .puppet(&body, json!({"request": {"respond": said}}))
                .await;
            assert_eq!(
                (reply.status, reply.header("x-witgate-target")),
                (200, "policy"),
                "{}",
                reply.text()
            );
            assert!(
                reply
                    .header("x-witgate-policies")
                    .contains("puppet=respond")
            );
            let said = reply.said();
            assert_eq!(
                (said.of(0, "reasoning"), said.content()),
                ("ask [EMAIL]", "Call [PHONE].")
            );
            assert_eq!(said.finishes[&0], "stop");
            if body["stream"] == true {
                assert!(reply.is_done(), "{}", reply.text());
                assert_eq!(reply.events()[0]["object"], "chat.completion.chunk");
                assert_eq!(
                    reply.events()[0]["choices"][0]["delta"]["role"],
                    "assistant"
                );
            } else {
                let answer = reply.json();
                assert_eq!(
                    (&answer["object"], &answer["usage"]["total_tokens"]),
                    (&json!("chat.completion"), &json!(0))
                );
                assert_eq!(answer["model"], body["model"]);
            }
        }
        let journal = bench.journal().await;
        assert_eq!(journal.len(), 2);
        assert_eq!(
            (&journal[1]["ended"], &journal[1]["policy"]),
            (&json!("responded"), &json!("puppet"))
        );
        assert!(bench.upstream().recorder.requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_names_the_model_that_the_stages_before_it_set() {
    let bench = Bench::of(
        "policies: {chain: [{id: puppet, component: @puppet}, {id: other, component: @puppet}, audit-logger]}\n\
         policy: {other: {header: x-other}}",
    )
    .await;
    let set = json!({"request": {"set": ["/model", "\"another\""]}}).to_string();
    let respond = json!({"request": {"respond": [{"content": [0, "hi"]}]}}).to_string();
    for body in [ask("hi"), ask_stream("hi")] {
        let orders = [("x-puppet", &*set), ("x-other", &*respond)];
        let reply = bench.send(body.to_string(), &orders).await;
        let answer = if body["stream"] == true {
            reply.events()[0].clone()
        } else {
            reply.json()
        };
        assert_eq!(answer["model"], "another", "{}", reply.text());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_may_be_a_call_or_several_choices_or_nothing() {
    let bench = Bench::of(PUPPET_FIRST).await;
    let call = json!([{"call": [0, 0, "lookup", "{\"who\": \"ann@example.org\"}"]}]);
    let two = json!([{"content": [1, "b"]}, {"content": [0, "a"]}]);
    for stream in [false, true] {
        let body = with(ask("hi"), json!({"stream": stream}));
        let reply = bench
            .puppet(&body, json!({"request": {"respond": call}}))
            .await;
        let said = reply.said();
        assert_eq!(
            (said.of(0, "tool 0 name"), said.of(0, "tool 0")),
            ("lookup", "{\"who\": \"[EMAIL]\"}")
        );
        assert_eq!(said.finishes[&0], "tool_calls");

        let said = bench
            .puppet(&body, json!({"request": {"respond": two}}))
            .await
            .said();
        assert_eq!(
            (
                said.of(0, "content"),
                said.of(1, "content"),
                said.finishes.len()
            ),
            ("a", "b", 2)
        );

        let reply = bench
            .puppet(&body, json!({"request": {"respond": []}}))
            .await;
        assert_eq!(
            (
                reply.status,
                reply.said().content(),
                reply.said().finishes.len()
            ),
            (200, "", 1)
        );
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_can_be_denied_by_another_stage() {
    let chain = format!("{PUPPET_FIRST}\npolicy: {{pii-detector: {{action: deny}}}}");
    let bench = Bench::of(&chain).await;
    for stream in [false, true] {
        let body = with(ask("hi"), json!({"stream": stream}));
        let reply = bench
            .puppet(
                &body,
                json!({"request": {"respond": [{"content": [0, "to ann@example.org "]}]}}),
            )
            .await;
        assert_eq!(reply.error(), (403, "pii".into()));
        let both = json!([{"content": [0, "to ann@example.org "]}, {"content": [1, "fine"]}]);
        let reply = bench
            .puppet(&body, json!({"request": {"respond": both}}))
            .await;
        let said = reply.said();
        assert_eq!(
            (reply.status, said.of(0, "content"), said.of(1, "content")),
            (200, "", "fine")
        );
        assert_eq!(
            (&said.denials[&0]["policy"], said.finishes[&1].as_str()),
            (&json!("pii-detector"), "stop")
        );
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn later_stages_and_the_upstream_see_what_a_stage_made_of_the_request() {
    let bench = Bench::of(PUPPET_FIRST).await;
    let orders = json!({"request": {"rewrite": "say: mail ann@example.org"}});
    let reply = bench.puppet(&ask("say: hi"), orders).await;
    assert_eq!(reply.said().content(), "mail [EMAIL]");
    assert_eq!(
        reply.header("x-witgate-policies"),
        "puppet=edit, pii-detector=edit, audit-logger=proceed"
    );
    assert_eq!(
        bench.upstream().bodies()[0]["messages"][0]["content"],
        "say: mail [EMAIL]"
    );

    let reply = bench
        .puppet(
            &ask("say: hi"),
            json!({"request": {"set": ["/temperature", "0.25"]}}),
        )
        .await;
    assert_eq!(
        (reply.status, &bench.upstream().bodies()[1]["temperature"]),
        (200, &json!(0.25))
    );
    // The way an answer is asked for is the client's alone.
    let reply = bench
        .puppet(
            &ask("say: hi"),
            json!({"request": {"set": ["/stream", "true"]}}),
        )
        .await;
    assert_eq!(reply.error(), (500, "trap".into()));
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stage_may_choose_model_and_target() {
    let config = "policies: {chain: [{id: puppet, component: @puppet}]}\n\
                  providers: {targets: [\
                    {id: small, provider: \"cerebras:chat:llama3.1-8b\", base_url: \"http://@0/v1\"}, \
                    {id: large, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@1/v1\"}]}";
    let bench = Bench::before(
        config,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    let plain = bench.chat(&ask("say: hi")).await;
    assert_eq!(plain.header("x-witgate-target"), "small");
    for orders in [
        json!({"set": ["/model", "\"gpt-oss-120b\""]}),
        json!({"targets": ["large"]}),
    ] {
        let reply = bench
            .puppet(&ask("say: hi"), json!({"request": orders}))
            .await;
        assert_eq!(
            (reply.status, reply.header("x-witgate-target")),
            (200, "large")
        );
    }
    let bodies = bench.upstreams[1].bodies();
    assert!(
        bodies.len() == 2 && bodies.iter().all(|body| body["model"] == "gpt-oss-120b"),
        "{bodies:?}"
    );
    let reply = bench
        .puppet(
            &ask("say: hi"),
            json!({"request": {"set": ["/model", "\"nothing\""]}}),
        )
        .await;
    assert_eq!(reply.error(), (404, "model_not_found".into()));
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_that_is_added_at_the_end_stands_before_the_finish() {
    let bench = Bench::of(PUPPET_FIRST).await;
    for stream in [false, true] {
        let body = with(
            ask("chunk: 4 | say: hello there"),
            json!({"stream": stream, "logprobs": true}),
        );
        let reply = bench
            .puppet(
                &body,
                json!({"answer": {"then": {"add": ", ann@example.org!"}}}),
            )
            .await;
        assert_eq!(reply.said().content(), "hello there, [EMAIL]!");
        assert!(!stream || reply.is_done());
    }
    bench.settled().await;
}
