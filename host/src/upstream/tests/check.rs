//! What a check says of each target.

use super::*;
use serde_json::{Value, json};

async fn checked(targets: &Targets) -> Vec<Value> {
    let checks = soon(targets.check()).await;
    checks.iter().map(TargetCheck::to_json).collect()
}

/// A target called `a`, with a key, with this model if any.
fn keyed(server: &str, more: &str) -> String {
    format!(
        "{{id: a, provider: cerebras, base_url: \"{server}\", secret_key_ref: {{env: KEY}}{more}}}"
    )
}

const LIST: &str = r#"{"object":"list","data":[{"id":"m"},{"id":"n"}]}"#;

#[tokio::test]
async fn each_result_says_who_has_to_act() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = format!("http://{}/v1", free.local_addr().unwrap());
    drop(free);
    assert_eq!(
        checked(&targets(&keyed(&gone, ""))).await[0]["keys"][0]["result"],
        "unreachable"
    );
    for (said, more, result, ok) in [
        (answer("200 OK", "", LIST), "", "valid", true),
        (answer("200 OK", "", LIST), ", model: n", "valid", true),
        (
            answer("200 OK", "", LIST),
            ", model: o",
            "model-not-offered",
            true,
        ),
        (answer("401 X", "", "{}"), "", "refused", false),
        (answer("402 X", "", "{}"), "", "refused", false),
        (answer("403 X", "", "<html>"), "", "refused", false),
        (answer("404 X", "", "{}"), "", "unclear", false),
        (answer("429 X", "", "{}"), "", "unclear", false),
        (answer("500 X", "", "{}"), "", "unclear", false),
        (answer("302 X", "location: /\r\n", ""), "", "unclear", false),
        (answer("200 OK", "", "<html>"), "", "unclear", false),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            ", timeouts: {silence: 50ms}",
            "unreachable",
            false,
        ),
    ] {
        let mut server = Server::start(&[&said]).await;
        let found = checked(&targets(&keyed(&server.base, more))).await;
        assert_eq!(found[0]["keys"][0]["result"], result, "{said}: {found:?}");
        assert_eq!(found[0]["ok"], ok, "{said}: {found:?}");
        assert_eq!(
            found[0]["keys"][0]["why"].is_string(),
            !ok,
            "{said}: {found:?}"
        );
        let asked = server.requests.recv().await.unwrap();
        assert!(
            asked.head.starts_with("get /v1/models http/1.1")
                && asked.head.contains("bearer csk-topsecret"),
            "{}",
            asked.head
        );
    }
}

#[tokio::test]
async fn a_key_is_named_and_never_shown() {
    let body = json!({"message": format!("Wrong API key {KEY}")}).to_string();
    let server = Server::start(&[&answer("401 X", "", &body)]).await;
    let found = checked(&targets(&keyed(&server.base, ""))).await;
    assert_eq!(
        found[0]["keys"],
        json!([{
            "key": "the environment variable KEY", "result": "refused",
            "why": "it answers 401 Unauthorized: Wrong API key [key]",
        }])
    );
    assert!(!found[0].to_string().contains(KEY), "{found:?}");
}

#[tokio::test]
async fn every_key_is_asked_with_and_one_that_is_taken_is_ready_again() {
    let (no, yes) = (answer("401 X", "", "{}"), answer("200 OK", "", LIST));
    let mut server = Server::start(&[&no, &no, &no, &yes]).await;
    let pool = format!(
        "{{id: a, provider: cerebras, base_url: \"{}\", secret_key_refs: [{{env: ONE}}, {{env: TWO}}]}}",
        server.base
    );
    let text = format!(
        "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\nproviders: {{targets: [{pool}]}}\n"
    );
    let config = Config::parse(&text, "test", Path::new("/")).unwrap();
    let read = |reference: &SecretRef| reference.read_with(|name| Some(name.into()));
    let targets = Targets::build_with(&config, None, &Metrics::new(), read).unwrap();
    let states = || {
        let state = targets.iter().next().unwrap().state();
        let keys = state["keys"].as_array().unwrap().clone();
        keys.into_iter()
            .map(|key| key["state"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let found = checked(&targets).await;
    assert_eq!(found[0]["keys"].as_array().unwrap().len(), 2, "{found:?}");
    assert_eq!(states(), ["refused", "refused"]);
    let sent: Vec<String> = std::iter::from_fn(|| server.requests.try_recv().ok())
        .map(|request| request.head)
        .collect();
    for key in ["bearer one", "bearer two"] {
        assert!(sent.iter().any(|head| head.contains(key)), "{sent:?}");
    }
    // Whichever of them gets the good answer.
    let found = checked(&targets).await;
    let results: Vec<&Value> = (0..2).map(|key| &found[0]["keys"][key]["result"]).collect();
    assert!(results.contains(&&json!("valid")), "{found:?}");
    assert!(states().contains(&"ready".to_owned()), "{:?}", states());
    assert_eq!(found[0]["ok"], false);
}

#[tokio::test(start_paused = true)]
async fn targets_that_say_nothing_are_waited_for_together() {
    let (one, two) = (Server::start(&[]).await, Server::start(&[]).await);
    let good = Server::start(&[&answer("200 OK", "", LIST)]).await;
    let target = |id: &str, server: &Server| {
        format!(
            "{{id: {id}, provider: cerebras, base_url: \"{}\"}}",
            server.base
        )
    };
    let list = [target("a", &one), target("b", &two), target("c", &good)].join(", ");
    let began = tokio::time::Instant::now();
    let found = checked(&targets(&list)).await;
    let ids: Vec<&Value> = found.iter().map(|target| &target["id"]).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(found[0]["keys"][0]["result"], "unreachable");
    assert_eq!(found[0]["keys"][0]["key"], "no key");
    // By the paused clock: one limit, not two.
    assert!(began.elapsed() < Duration::from_secs(11));
}
