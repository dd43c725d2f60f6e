//! What is told of an exchange beside its answer: lines of the log, findings, counters.

use std::collections::BTreeMap;

use crate::support::*;

const CHAIN: &str = "policies: {chain: [{id: puppet, component: @puppet, on_error: skip}]}";

/// The lines that policies wrote, and those about one that failed, by the request whose id they have.
fn lines(log: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let target = line["target"].as_str().unwrap_or_default();
        if target == "policy" || target.starts_with("witgate::exchange") {
            let request = line["request"].as_str().unwrap_or("none").to_owned();
            let message = line["message"].as_str().unwrap_or_default().to_owned();
            lines.entry(request).or_default().push(message);
        }
    }
    lines
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_about_an_exchange_has_its_requests_id() {
    let upstream = Upstream::simulated().await;
    let process = Process::run(CHAIN, &[upstream.address]).await;
    let mut ids = Vec::new();
    for orders in [
        json!({"request": "tell", "complete": "tell"}),
        json!({"request": "trap"}),
        json!({"answer": {"then": "trap"}}),
        json!({"complete": "trap"}),
    ] {
        let body = with(ask_stream("say: hi"), json!({"puppet": orders}));
        let reply = process.chat(&body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        ids.push(reply.header("x-request-id").to_owned());
    }
    let wanted = [
        &[("told", 2), ("printed", 2)][..],
        &[("a policy failed", 1)],
        &[("a policy failed", 1)],
        &[("on-complete failed", 1)],
    ];
    until("everything is logged", async || {
        let lines = lines(&process.log());
        assert_eq!(lines.get("none"), None, "{lines:?}");
        let said = |id: &String, (what, count): &(&str, usize)| {
            let lines = lines.get(id).into_iter().flatten();
            lines.filter(|line| line.starts_with(what)).count() == *count
        };
        let mut all = ids.iter().zip(wanted);
        all.all(|(id, wanted)| wanted.iter().all(|it| said(id, it)))
            .then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_client_asks_of_the_simulator_goes_through_the_gateway() {
    let folder = std::sync::Arc::new(tempfile::tempdir().unwrap());
    let process = Process::with(folder, &["--simulate"]).await;
    let url = format!("http://{}/v1/chat/completions", process.traffic);
    let asked = |name: &'static str, value: &'static str| {
        let request = reqwest::Client::new().post(&url).header(name, value);
        let body = ask_stream("say: one two").to_string();
        request
            .header("content-type", "application/json")
            .body(body)
    };
    let reply = asked("x-simulate-fault", "500").send().await.unwrap();
    assert_eq!(reply.status(), 500);
    let reply = asked("x-simulate-chunk", "1").send().await.unwrap();
    let text = reply.text().await.unwrap();
    let deltas = text.matches("\"content\":\"").count();
    assert!(deltas >= "one two".len(), "{text}");
}
