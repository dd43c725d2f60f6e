//! Which faults lead to the next target, and what is told when there is none.

use super::{ALL, NONE, TARGET, faulty};
use crate::support::scripted::{Scripted, Step};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_statuses_that_say_not_now_lead_to_another_target() {
    let config = "policies: {chain: [audit-logger]}\n\
                  providers: {targets: [\
                    {id: first, provider: cerebras, base_url: \"http://@0/v1\", timeouts: {first_byte: 400ms}, \
                     breaker: {failures: 0, rate: 0}}, \
                    {id: second, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@1/v1\"}]}";
    let bench = Bench::before(
        config,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    for stream in [false, true] {
        let mut expected = bench.upstreams[1].bodies().len();
        for fault in [
            "429-requests",
            "500",
            "503",
            "408",
            "401",
            "402",
            "403-html",
            "error-first",
            "silent",
        ] {
            let reply = bench.chat(&faulty(fault, stream)).await;
            assert_eq!(
                (reply.status, reply.said().content()),
                (200, ALL),
                "{fault}"
            );
            assert_eq!(reply.header("x-witgate-target"), "second", "{fault}");
            let bodies = bench.upstreams[1].bodies();
            expected += 1;
            assert_eq!(
                (bodies.len(), &bodies[expected - 1]["model"]),
                (expected, &json!("gpt-oss-120b")),
                "{fault}"
            );
        }
        for fault in ["404", "422", "html-200"] {
            let reply = bench.chat(&faulty(fault, stream)).await;
            assert_eq!(
                (reply.status >= 400, reply.header("x-witgate-target")),
                (true, "first"),
                "{fault}"
            );
        }
        assert_eq!(bench.upstreams[1].bodies().len(), expected);
    }
    let journal = bench.journal().await;
    assert_eq!(
        (
            &journal[0]["answered_by"]["target"],
            &journal[0]["answered_by"]["model"]
        ),
        (&json!("second"), &json!("gpt-oss-120b"))
    );
    let metrics = bench.ask_admin("/metrics").await;
    assert!(
        metrics
            .text()
            .contains(r#"witgate_failovers_total{target="first",reason="rate-limited"} 2"#),
        "{}",
        metrics.text()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_not_there_is_passed_over_and_said_when_there_is_no_other() {
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let upstream = Upstream::simulated().await;
    let config = "policies: {chain: []}\n\
                  providers: {targets: [{id: first, provider: cerebras, base_url: \"http://@0/v1\"}, \
                    {id: second, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@1/v1\"}]}";
    let bench = Bench::to(config, vec![gone, upstream.address]).await;
    let reply = bench.chat(&ask_stream("say: from the second")).await;
    assert_eq!(
        (reply.said().content(), reply.header("x-witgate-target")),
        ("from the second", "second")
    );

    let bench = Bench::to(NONE, vec![gone]).await;
    assert_eq!(
        bench.chat(&ask_stream("say: hi")).await.error(),
        (502, "upstream_unreachable".into())
    );
    assert_eq!(
        bench.get("/v1/models").await.error(),
        (502, "upstream_unreachable".into())
    );
}

/// However often stages look at the targets meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_turn_each_target_has_its_share_of_the_requests() {
    let config = "policies: {chain: [prompt-injection, pii-detector, audit-logger]}\n\
                  providers: {routing: {strategy: round-robin}, targets: [\
                    {id: first, provider: cerebras, base_url: \"http://@0/v1\"}, \
                    {id: second, provider: cerebras, base_url: \"http://@1/v1\"}]}";
    let bench = Bench::before(
        config,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    for _ in 0..10 {
        assert_eq!(bench.chat(&ask_stream("say: hi")).await.status, 200);
    }
    let asked = bench.upstreams.iter().map(|it| it.bodies().len());
    assert_eq!(asked.collect::<Vec<_>>(), [5, 5]);
    bench.settled().await;
}

/// A target that is down costs a few requests their wait, and then none until it is up again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails_too_often_is_passed_over_and_shown() {
    let config = "policies: {chain: []}\n\
                  providers: {retries: {attempts: 1}, targets: [\
                    {id: first, provider: cerebras, base_url: \"http://@0/v1\", breaker: {failures: 2, rest: 10m}}, \
                    {id: second, provider: \"cerebras:chat:gpt-oss-120b\", base_url: \"http://@1/v1\"}]}";
    let bench = Bench::before(
        config,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    for _ in 0..4 {
        let reply = bench.chat(&faulty("503", false)).await;
        assert_eq!(reply.header("x-witgate-target"), "second");
    }
    let asked = bench.upstreams.iter().map(|it| it.bodies().len());
    assert_eq!(asked.collect::<Vec<_>>(), [2, 4]);
    let health = bench.status().await["targets"][0]["health"].take();
    assert_eq!(health["breaker"], "open");
    assert!(health["rest_s"].as_f64().unwrap() > 0.0, "{health}");
    let metrics = bench.ask_admin("/metrics").await;
    for counted in [
        r#"witgate_target_breaker_trips_total{target="first"} 1"#,
        r#"witgate_target_breaker_open{target="first"} 1"#,
    ] {
        assert!(metrics.text().contains(counted), "{}", metrics.text());
    }
    // A reload forgets nothing of it.
    let other = config.replace("attempts: 1", "attempts: 1, budget: 10");
    bench.configure(&other);
    let state = bench
        .reloaded("it has another generation", |last| last["generation"] == 2)
        .await;
    assert_eq!(state["targets"][0]["health"]["breaker"], "open");
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_is_too_slow_is_a_504_for_models_as_for_chat() {
    let config = format!("{NONE}\n{TARGET}");
    // The system accepts its connections, and nobody ever answers.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bench = Bench::to(&config, vec![mute.local_addr().unwrap()]).await;
    let timeout = (504, "upstream_timeout".to_owned());
    assert_eq!(bench.chat(&ask("say: hi")).await.error(), timeout);
    assert_eq!(bench.get("/v1/models").await.error(), timeout);

    let steps = vec![Step::Write(r#"{"object":"list""#.into()), Step::Gate];
    let stalled = Scripted::serve_as("200 OK", "application/json", steps).await;
    let bench = Bench::to(&config, vec![stalled.address]).await;
    let silent = (504, "upstream_silent".to_owned());
    assert_eq!(bench.chat(&ask("say: hi")).await.error(), silent);
    assert_eq!(bench.get("/v1/models").await.error(), silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_every_target_fails_the_first_ones_reason_is_told() {
    let config = "policies: {chain: []}\n\
                  providers: {targets: [{id: first, provider: cerebras, base_url: \"http://@0/v1\"}, \
                    {id: second, provider: cerebras, base_url: \"http://@1/v1\"}], retries: {attempts: 1}}";
    let bench = Bench::before(
        config,
        vec![Upstream::simulated().await, Upstream::simulated().await],
    )
    .await;
    let reply = bench.chat(&faulty("429-tokens", true)).await;
    assert_eq!(reply.error(), (429, "token_quota_exceeded".into()));
    assert_eq!(
        (
            reply.header("x-witgate-target"),
            reply.header("retry-after")
        ),
        ("first", "7")
    );
    assert_eq!(bench.upstreams[1].bodies().len(), 1);
    bench.settled().await;
}

/// What may have passed by then is asked again; no answer is made twice, and a client hears of none of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_got_no_answer_is_sent_again() {
    let config = "policies: {chain: [audit-logger]}\n\
                  providers: {targets: [{id: sim, provider: cerebras, base_url: \"http://@0/v1\"}]}";
    let bench = Bench::of(config).await;
    let mut asked = 0;
    for (fault, stream) in [("503*1", false), ("500*1", true), ("error-first*1", true)] {
        let reply = bench.chat(&faulty(fault, stream)).await;
        assert_eq!(
            (reply.status, reply.said().content()),
            (200, ALL),
            "{fault}"
        );
        asked += 2;
        assert_eq!(bench.upstream().bodies().len(), asked, "{fault}");
    }
    // An answer that has begun is never made again.
    let reply = bench.chat(&faulty("cut*1", true)).await;
    assert!(reply.said().error.is_some(), "{}", reply.text());
    assert_eq!(bench.upstream().bodies().len(), asked + 1);
    assert_eq!(bench.journal().await.len(), 4);
    let metrics = bench.ask_admin("/metrics").await;
    let counted = r#"witgate_retries_total{target="sim"} 3"#;
    assert!(metrics.text().contains(counted), "{}", metrics.text());
}
