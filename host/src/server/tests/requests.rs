//! The answers to requests, and their headers.

use super::*;

#[tokio::test]
async fn an_unknown_path_is_a_404_that_names_the_routes() {
    let server = Running::plain().await;
    let answer = server.ask("GET /chat/completions").await;
    assert_eq!(answer.status, 404);
    let [message, kind, param, code] = answer.error();
    for offered in ["/chat/completions", "GET /v1/models"] {
        assert!(message.contains(offered), "{message}");
    }
    assert_eq!(
        [&*kind, &param, &code],
        ["not_found_error", "path", "unknown_route"]
    );
    assert!(
        server
            .metrics
            .render()
            .contains(r#"endpoint="other",status="404"} 1"#)
    );
}

#[tokio::test]
async fn what_this_release_lacks_is_a_404_that_says_so() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    for path in [
        "/v1/responses/resp_1",
        "/openai/v1/responses/resp_1/cancel",
        "/v1/messages",
    ] {
        let answer = client.ask(&format!("POST {path}"), "{}").await;
        let [message, _, _, code] = answer.error();
        assert_eq!((answer.status, &*code), (404, "not_offered"));
        assert!(
            message.starts_with(&format!("{path} is not offered in this release")),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_nothing_behind_the_gateway_does_is_a_400_that_says_what_is_supported() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    for head in [
        "POST /v1/embeddings",
        "GET /openai/v1/files",
        "DELETE /v1/threads/t",
    ] {
        let answer = client.ask(head, "{}").await;
        let [message, kind, param, code] = answer.error();
        assert_eq!((answer.status, &*code), (400, "unsupported_operation"));
        assert_eq!((&*kind, &*param), ("invalid_request_error", "path"));
        assert!(message.contains("POST /v1/chat/completions"), "{message}");
    }
}

#[tokio::test]
async fn whoever_asks_as_anthropics_clients_do_reads_errors_as_they_do() {
    let gateway = Fake {
        keys: team_a(),
        ..Fake::default()
    };
    let server = Running::start(gateway, ServerSettings::default()).await;
    let mut client = server.client().await;
    for (head, status, kind) in [
        ("GET /anthropic/v1/models", 401, "authentication_error"),
        ("POST /anthropic/v1/models", 405, "invalid_request_error"),
        ("GET /anthropic/v1/models/..", 404, "not_found_error"),
        ("GET /anthropic/v1/nothing", 404, "not_found_error"),
        ("GET /anthropic/v1/messages", 405, "invalid_request_error"),
        ("POST /anthropic/v1/messages", 401, "authentication_error"),
        ("POST /anthropic/v1/files", 400, "invalid_request_error"),
    ] {
        let answer = client.ask(head, "").await;
        assert_eq!(answer.status, status, "{head}");
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(
            (&body["type"], &body["error"]["type"]),
            (&"error".into(), &kind.into())
        );
        assert!(!body["error"]["message"].as_str().unwrap().is_empty());
        assert_eq!(body["request_id"], *answer.headers["x-request-id"]);
        assert_eq!(answer.headers["request-id"], answer.headers["x-request-id"]);
    }
    // Its SDKs send the key by another name.
    let answer = client
        .ask("GET /anthropic/v1/models?limit=1\nx-api-key: key-a", "")
        .await;
    assert_eq!(
        answer.body,
        r#"Anthropic None Some("limit=1") Some("team-a")"#
    );
    assert_eq!(answer.headers["request-id"], answer.headers["x-request-id"]);
}

#[tokio::test]
async fn a_wrong_method_is_a_405_with_allow() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    for (head, allow) in [
        ("GET /v1/chat/completions", "POST"),
        ("DELETE /v1/models/gpt-oss-120b", "GET, HEAD"),
        ("POST /v1/tcp_warming", "GET, HEAD"),
    ] {
        let answer = client.ask(head, "").await;
        assert_eq!((answer.status, &*answer.headers["allow"]), (405, allow));
        assert_eq!(answer.code(), "method_not_allowed");
    }
    let answer = client.ask("HEAD /v1/chat/completions", "").await;
    assert_eq!(answer.status, 405);
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    for path in ["/v1/models", "/v1/tcp_warming"] {
        let get = client.ask(&format!("GET {path}"), "").await;
        let head = client.ask(&format!("HEAD {path}"), "").await;
        assert_eq!((get.status, head.status), (200, 200));
        let length = |answer: &Answer| answer.headers.get("content-length").cloned();
        assert_eq!(length(&head), length(&get), "{path}");
    }
}

#[tokio::test]
async fn a_base_url_with_v1_and_an_sdk_that_adds_its_own_get_along() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    assert_eq!(client.ask("GET /v1/v1/tcp_warming", "").await.body, "{}");
    assert_eq!(
        client
            .ask("POST /v1/v1/chat/completions/", "{}")
            .await
            .status,
        200
    );
    let answer = client
        .ask("GET /v1/v1/models/org%2Fmodel?format=openrouter", "")
        .await;
    assert_eq!(
        answer.body,
        r#"Plain Some("org/model") Some("format=openrouter") None"#
    );
    let answer = client.ask("GET /v1/models/", "").await;
    assert_eq!(answer.body, "Plain None None None");
    let answer = client.ask("GET /openai/v1/v1/models", "").await;
    assert_eq!(answer.body, "Plain None None None");
    let answer = client.ask("GET /public/v1/models?format=x", "").await;
    assert_eq!(answer.body, r#"Public None Some("format=x") None"#);
}

#[tokio::test]
async fn every_answer_carries_the_id_that_the_gateway_was_given() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    let answer = client
        .ask("POST /v1/chat/completions\nx-request-id: mine", "{}")
        .await;
    let id = answer.headers["x-request-id"].clone();
    assert_eq!(answer.body, format!("{id} nobody 2"));
    assert_ne!(id, "mine");
    for head in [
        "GET /",
        "GET /v1/tcp_warming",
        "GET /v1/chat/completions",
        "GET /v1/models",
    ] {
        let other = client.ask(head, "").await.headers["x-request-id"].clone();
        assert!(other.len() == 36 && other != id, "{head}: {other}");
    }
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_connection_lives_on() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    let answer = client
        .ask("POST /v1/chat/completions\nx-do: panic", "")
        .await;
    assert_eq!((answer.status, &*answer.code()), (500, "internal_error"));
    assert!(answer.headers.contains_key("x-request-id"));
    let answer = client.ask("POST /v1/chat/completions", "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(server.metrics.panics.get(), 1);
    assert_eq!(server.metrics.exchanges_running.get(), 0);
}

#[tokio::test]
async fn a_panic_within_an_answer_ends_that_connection_alone() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    client
        .send("POST /v1/chat/completions\nx-do: panic later", "")
        .await;
    client.read_until("0\r\n\r\n").await.unwrap_err();
    until(|| server.metrics.exchanges_running.get() == 0).await;
    let answer = server.ask("POST /v1/chat/completions").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn without_a_good_key_nothing_but_the_warm_up_is_answered() {
    let keys = team_a();
    let gateway = Fake {
        keys,
        ..Fake::default()
    };
    let server = Running::start(gateway, ServerSettings::default()).await;
    let mut client = server.client().await;
    for head in [
        "POST /v1/chat/completions",
        "GET /v1/models",
        "GET /v1/models/x",
        "GET /public/v1/models",
        "GET /openai/v1/models",
    ] {
        let answer = client.ask(head, "").await;
        assert_eq!((answer.status, &*answer.code()), (401, "missing_api_key"));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        let answer = client
            .ask(&format!("{head}\nauthorization: Bearer b"), "")
            .await;
        assert_eq!((answer.status, &*answer.code()), (401, "wrong_api_key"));
        let answer = client
            .ask(&format!("{head}\nauthorization: Bearer key-a"), "")
            .await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.contains("team-a"), "{}", answer.body);
    }
    assert_eq!(client.ask("GET /v1/tcp_warming", "").await.status, 200);
}
