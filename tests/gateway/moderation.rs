//! The bundled policy `moderation`, before a service that stands in for OpenAI's.

use crate::http::{Service, answer};
use crate::support::*;

/// A service to which is hateful whatever says so; it fails where a text says that.
async fn service() -> Service {
    Service::saying(|_, body| {
        let sent: Value = serde_json::from_str(body).unwrap();
        if body.contains("out of order") {
            return "HTTP/1.1 503 No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".into();
        }
        let texts = sent["input"].as_array().unwrap().iter();
        let results = texts.map(|text| {
            let hate = text.as_str().unwrap().contains("hate");
            json!({"flagged": hate, "categories": {"hate": hate}, "category_scores": {"hate": if hate { 0.9 } else { 0.1 }}})
        });
        answer(&json!({"results": results.collect::<Vec<_>>()}).to_string())
    })
    .await
}

async fn bench(service: &Service, upstream: &Upstream) -> Bench {
    let config = "policies: {chain: [{id: external-moderation, grants: [{http: {hosts: [{url: \"http://@1\", private: true}], timeout: 60s}}]}, audit-logger]}\n\
                  policy: {external-moderation: {endpoint: \"http://@1/v1/moderations\"}}\n";
    Bench::to(config, vec![upstream.address, service.address]).await
}

const SENTENCE: &str =
    "This is a sentence that says very little, and it is long enough to be asked about alone. ";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_service_flags_is_denied_on_the_way_up_and_down() {
    let (service, upstream) = (service().await, Upstream::simulated().await);
    let bench = bench(&service, &upstream).await;
    for streamed in [false, true] {
        let chat = async |text: &str| {
            let body = with(ask(text), json!({"stream": streamed}));
            bench.chat(&body).await
        };
        // What the simulator is to say is in the request, too: there it is in another word's place.
        let fine = chat(&format!("say: {}", SENTENCE.repeat(3).trim_end())).await;
        assert_eq!(fine.status, 200, "{}", fine.text());
        assert_eq!(fine.said().content(), SENTENCE.repeat(3).trim_end());
        let asked = service.heard().len();
        let denied = chat("I hate this").await;
        assert_eq!(denied.error(), (403, "moderation".into()));
        assert!(
            denied.text().contains("the request was flagged: hate"),
            "{}",
            denied.text()
        );
        assert_eq!(service.heard().len(), asked + 1);
        let unknown = chat("this is out of order").await;
        assert_eq!(unknown.error(), (503, "moderation-unavailable".into()));
    }
    let journal = bench.journal().await;
    let found = journal
        .iter()
        .filter(|entry| entry.to_string().contains("moderation.hate"));
    assert_eq!(found.count(), 2);
    let metrics = bench.ask_admin("/metrics").await;
    let line =
        r#"witgate_findings_total{stage="external-moderation",code="moderation.unavailable"} 2"#;
    assert!(metrics.text().contains(line), "{}", metrics.text());
}

/// The request says nothing that is flagged: it is the answer that is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_flagged_ends_before_that_sentence() {
    use crate::support::scripted::{DONE, Scripted, Step, event, finish};
    let service = service().await;
    let mut text = format!("{SENTENCE}There is hate in it, and it goes on.");
    let mut steps = Vec::new();
    while !text.is_empty() {
        let rest = text.split_off(text.floor_char_boundary(7));
        steps.push(Step::Write(event(&text)));
        text = rest;
    }
    steps.push(Step::Write(finish(0) + DONE));
    let upstream = Scripted::serve(steps).await;
    let config = "policies: {chain: [{id: moderation, grants: [{http: {hosts: [{url: \"http://@1\", private: true}], timeout: 60s}}]}]}\n\
                  policy: {moderation: {endpoint: \"http://@1/v1/moderations\"}}\n";
    let bench = Bench::to(config, vec![upstream.address, service.address]).await;
    let reply = bench.chat(&ask_stream("hello")).await;
    let said = reply.said();
    // What was held of the next sentence is gone, with the delta in which it began.
    assert!(SENTENCE.starts_with(said.content()), "{}", said.content());
    assert!(
        said.content().len() > SENTENCE.len() - 7,
        "{}",
        said.content()
    );
    assert_eq!(said.denials[&0]["code"], "moderation");
}
