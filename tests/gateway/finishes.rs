//! Answers that a policy ends as the model would, and responses that say why they end.

use crate::support::*;

const PUPPET: &str = "policies: {chain: [{id: puppet, component: @puppet}, audit-logger]}";

fn finish_at(text: &str) -> Value {
    json!({"answer": {"at": text, "then": {"finish": "!"}}})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finish_in_mid_stream_is_the_model_s_stop_and_cancels_the_upstream() {
    let bench = Bench::before(PUPPET, vec![Upstream::paced(100.0).await]).await;
    let text = format!(
        "chunk: 5 | say: This is all. And now more. {}",
        "And on and on. ".repeat(400)
    );
    let orders = finish_at("now").to_string();
    let mut stream = bench
        .open(&ask_stream(&text), &[("x-puppet", &orders)])
        .await;
    assert_eq!(stream.status(), 200);
    stream.read_until("This ").await;
    let reply = stream.finish().await;
    let said = reply.said();
    let content = said.content();
    assert!(
        content.starts_with("This is all.") && content.ends_with('!'),
        "{content}"
    );
    assert!(!content.contains("more"), "{}", reply.text());
    assert_eq!(said.finishes[&0], "stop");
    assert!(
        said.denials.is_empty() && reply.is_done(),
        "{}",
        reply.text()
    );
    soon(
        "the upstream is cancelled",
        bench
            .upstream()
            .recorder
            .wait_until(|traffic| traffic.dropped == 1),
    )
    .await;
    let journal = bench.journal().await;
    assert_eq!(journal[0]["ended"], "completed", "{journal:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_answer_ends_where_a_stream_does() {
    let bench = Bench::of(PUPPET).await;
    for body in [ask("say: now or never"), ask_stream("say: now or never")] {
        let reply = bench.puppet(&body, finish_at("now")).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let said = reply.said();
        assert_eq!((said.content(), said.finishes[&0].as_str()), ("!", "stop"));
        assert!(said.denials.is_empty(), "{}", reply.text());
    }
    let metrics = bench.ask_admin("/metrics").await;
    let finished = r#"witgate_edits_total{stage="puppet",kind="finish"} 2"#;
    assert!(metrics.text().contains(finished), "{}", metrics.text());
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_choice_goes_on() {
    let bench = Bench::of(PUPPET).await;
    for stream in [false, true] {
        let mut body = ask("say: now or never");
        body["n"] = json!(2);
        body["stream"] = json!(stream);
        let orders = json!({"answer": {"at": "now", "choice": 1, "then": {"finish": "!"}}});
        let said = bench.puppet(&body, orders).await.said();
        assert_eq!(said.content(), "now or never");
        assert_eq!(said.of(1, "content"), "!");
        assert_eq!((&*said.finishes[&0], &*said.finishes[&1]), ("stop", "stop"));
    }
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_ends_as_its_stage_says() {
    let bench = Bench::of(PUPPET).await;
    let orders = json!({"request": {"respond_with": ["length", [{"content": [0, "so far"]}, {"content": [1, "all"]}]]}});
    for body in [ask("hi"), ask_stream("hi")] {
        let said = bench.puppet(&body, orders.clone()).await.said();
        assert_eq!((said.content(), said.of(1, "content")), ("so far", "all"));
        assert_eq!(
            (&*said.finishes[&0], &*said.finishes[&1]),
            ("length", "stop")
        );
    }
    let journal = bench.journal().await;
    assert_eq!(journal.len(), 2, "{journal:?}");
}
