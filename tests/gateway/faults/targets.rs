//! Which faults lead to the next target, and what is told when there is none.

use super::{ALL, NONE, TARGET, faulty};
use crate::support::scripted::{Scripted, Step};
use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_statuses_that_say_not_now_lead_to_another_target() {
    let config = "policies: {chain: [audit-logger]}\n\
                  providers: {targets: [\
                    {id: first, provider: cerebras, base_url: \"http://@0/v1\", timeouts: {first_byte: 400ms}}, \
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
    let broke_off = (504, "upstream_broke_off".to_owned());
    assert_eq!(bench.chat(&ask("say: hi")).await.error(), broke_off);
    assert_eq!(bench.get("/v1/models").await.error(), broke_off);
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
