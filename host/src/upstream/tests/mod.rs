//! Tests against small servers on this machine: what is sent, which answers count, and which connections are dropped.

#![expect(clippy::unwrap_used, reason = "a test")]

mod ask;
mod body;
mod candidates;
mod check;
mod encoded;
mod health_check;
mod hedge;
mod models;
mod own_secret;
mod renewed;
mod routing;
mod server;
mod tls;

use super::*;
use crate::api::headers::DROPPED;
use crate::api::{ApiError, Caller, Catalog, Charge, ModelsAsked};
use crate::config::Parameters;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{HeaderMap, HeaderValue, StatusCode};
use server::{Server, answer};
use std::path::Path;
use std::time::Duration;

const KEY: &str = "csk-topsecret";

fn targets(list: &str) -> Targets {
    targets_after(list, None)
}

fn targets_after(list: &str, previous: Option<&Targets>) -> Targets {
    targets_called(list, "", previous)
}

/// With these aliases of models.
fn aliased(list: &str, aliases: &str) -> Targets {
    targets_called(list, aliases, None)
}

fn targets_called(list: &str, aliases: &str, previous: Option<&Targets>) -> Targets {
    let text = format!(
        "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\nproviders: {{targets: [{list}]}}\n\
         models: {{aliases: {{{aliases}}}}}\n"
    );
    let config = Config::parse(&text, "test", Path::new("/")).unwrap();
    let read = |reference: &SecretRef| {
        reference.read_with(|name| match name {
            "UNSET" => None,
            "KEY" => Some(KEY.into()),
            _ => Some(format!("{KEY}-{name}").into()),
        })
    };
    Targets::build_with(&config, previous, &Metrics::new(), read).unwrap()
}

/// One target that takes any model, with a key.
fn one(base: &str) -> Targets {
    targets(&format!(
        "{{id: a, provider: cerebras, base_url: \"{base}\", secret_key_ref: {{env: KEY}}}}"
    ))
}

async fn chat(targets: &Targets, headers: &HeaderMap) -> Result<Answer, Failure> {
    let candidates = targets.candidates("m").unwrap();
    let body = Bytes::from_static(b"{\"model\":\"m\"}");
    candidates
        .first()
        .send("chat/completions", body, headers)
        .await
}

/// What a client is told that asks for models, all of them or one.
async fn listed(targets: &Targets, id: Option<&str>) -> Result<String, ApiError> {
    shown(targets, Catalog::Plain, id, None).await
}

/// The same in this form, with this query.
async fn shown(
    targets: &Targets,
    catalog: Catalog,
    id: Option<&str>,
    query: Option<&str>,
) -> Result<String, ApiError> {
    let asked = ModelsAsked { catalog, id, query };
    let answer = targets
        .models(asked, &Caller::anonymous(), &mut Charge::unbound())
        .await?;
    Ok(String::from_utf8(answer.into_body().into()).unwrap())
}

/// Waits for something that must come, and fails if it doesn't.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what)
        .await
        .expect("it should have come long ago")
}

const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_request_has_the_targets_key_and_only_what_may_go_on() {
    let mut server = Server::start(&[&answer(
        "200 OK",
        "inference-id: i\r\nset-cookie: c\r\n",
        "{}",
    )])
    .await;
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("authorization", "Bearer the-clients"),
        ("cookie", "session"),
        ("x-api-key", "the-clients"),
        ("queue_threshold", "50"),
        ("traceparent", "00-1-2-01"),
        ("accept-encoding", "gzip"),
        ("user-agent", "client"),
        ("content-type", "application/vnd.msgpack"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let answer = chat(&one(&server.base), &headers).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!((&*answer.target, &*answer.model), ("a", "m"));
    assert_eq!(answer.passed_on().len(), 1);
    assert_eq!(
        answer
            .whole(
                WHOLE_BODY_CAP,
                Duration::from_secs(60),
                &mut Charge::unbound()
            )
            .await
            .unwrap(),
        "{}"
    );

    let request = server.requests.recv().await.unwrap();
    let mut lines: Vec<&str> = request.head.lines().collect();
    lines.sort_unstable();
    let host = format!(
        "host: {}",
        server
            .base
            .trim_start_matches("http://")
            .trim_end_matches("/v1")
    );
    let agent = concat!("user-agent: witgate/", env!("CARGO_PKG_VERSION"));
    let expected = [
        "accept-encoding: identity",
        "accept: */*",
        "authorization: bearer csk-topsecret",
        "content-length: 13",
        "content-type: application/json",
        &host,
        "post /v1/chat/completions http/1.1",
        "queue_threshold: 50",
        "traceparent: 00-1-2-01",
        agent,
    ];
    assert_eq!(lines, expected);
    assert_eq!(request.body, "{\"model\":\"m\"}");
}

#[tokio::test]
async fn a_target_without_a_key_is_shown_none() {
    let mut server = Server::start(&[&answer("200 OK", "", "{}")]).await;
    let targets = targets(&format!(
        "{{id: a, provider: vllm, base_url: \"{}\"}}",
        server.base
    ));
    chat(&targets, &HeaderMap::new()).await.unwrap();
    let head = server.requests.recv().await.unwrap().head;
    assert!(!head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let mut elsewhere = Server::start(&[&answer("200 OK", "", "{}")]).await;
    let redirect = answer(
        "307 Temporary Redirect",
        &format!("location: {}\r\n", elsewhere.base),
        "",
    );
    let server = Server::start(&[&redirect]).await;
    let failure = chat(&one(&server.base), &HeaderMap::new())
        .await
        .unwrap_err();
    assert!(
        matches!(failure, Failure::Redirect(StatusCode::TEMPORARY_REDIRECT)),
        "{failure:?}"
    );
    elsewhere.requests.try_recv().unwrap_err();
}

#[tokio::test]
async fn not_now_is_a_failure_and_no_is_an_answer() {
    let body = r#"{"message":"m","type":"t","param":"p","code":"c"}"#;
    for status in ["408 X", "429 X", "500 X", "502 X", "503 X", "529 X"] {
        let server = Server::start(&[&answer(status, "retry-after: 7\r\n", body)]).await;
        let failure = chat(&one(&server.base), &HeaderMap::new())
            .await
            .unwrap_err();
        let Failure::Status(said) = &failure else {
            panic!("{status}: {failure:?}");
        };
        assert_eq!(said.status.as_str(), &status[..3]);
        assert_eq!(said.headers["retry-after"], "7");
        assert_eq!(
            (said.error.message.as_str(), said.error.code.as_str()),
            ("m", "c")
        );
        assert_eq!(failure.status(), Some(said.status));
    }
    for status in ["400 X", "404 X", "413 X", "422 X"] {
        let server = Server::start(&[&answer(status, "", body)]).await;
        let answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
        assert_eq!(answer.status.as_str(), &status[..3]);
    }
}

#[tokio::test]
async fn no_connection_is_told_from_no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let failure = chat(&one(&base), &HeaderMap::new()).await.unwrap_err();
    assert!(matches!(failure, Failure::Connect(_)), "{failure:?}");

    let server = Server::start(&[]).await;
    let targets = targets(&format!(
        "{{id: a, provider: x, base_url: \"{}\", timeouts: {{first_byte: 20ms}}}}",
        server.base
    ));
    let failure = soon(chat(&targets, &HeaderMap::new())).await.unwrap_err();
    assert!(
        matches!(failure, Failure::FirstByteTimeout(_)),
        "{failure:?}"
    );

    let server = Server::start(&["no HTTP\r\n\r\n"]).await;
    let failure = chat(&one(&server.base), &HeaderMap::new())
        .await
        .unwrap_err();
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
}

#[tokio::test]
async fn a_stream_can_be_looked_at_before_it_is_believed() {
    let error = "data: {\"status_code\":429,\"error\":{\"message\":\"busy\"}}\n\n";
    let chunk = format!("{STREAM_HEAD}{:x}\r\n{error}\r\n0\r\n\r\n", error.len());
    let server = Server::start(&[&chunk]).await;
    let mut answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
    let data = error.as_bytes().to_vec();
    answer.begins_by(ReadsBeginning::with(move |bytes| {
        assert_eq!(bytes, &data);
        Begins::Error(bytes.clone())
    }));
    assert_eq!(answer.begin().await.unwrap().unwrap(), error);
    // What was looked at is still there, and comes once.
    assert_eq!(answer.begin().await.unwrap(), None);
    let mut body = answer.into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), error);
    assert!(body.next().await.is_none());
    assert_eq!(body.begin().await.unwrap(), None);
}

#[tokio::test]
async fn a_stream_that_dies_before_its_first_byte_can_be_tried_elsewhere() {
    // An invalid chunk length breaks the body off before its first byte.
    let server = Server::start(&[&format!("{STREAM_HEAD}zz\r\n")]).await;
    let mut answer = chat(&one(&server.base), &HeaderMap::new()).await.unwrap();
    let failure = answer.begin().await.unwrap_err();
    assert!(matches!(failure, Failure::Broken(_)), "{failure:?}");
}

#[tokio::test]
async fn an_answer_that_is_dropped_is_cancelled() {
    let mut server = Server::start(&[&format!("{STREAM_HEAD}3\r\nabc\r\n")]).await;
    let mut body = chat(&one(&server.base), &HeaderMap::new())
        .await
        .unwrap()
        .into_body();
    assert_eq!(body.next().await.unwrap().unwrap(), "abc");
    server.closed.try_recv().unwrap_err();
    drop(body);
    soon(server.closed.recv()).await.unwrap();
}

#[tokio::test]
async fn a_request_that_is_dropped_is_cancelled() {
    let mut server = Server::start(&[]).await;
    let targets = one(&server.base);
    let sending = tokio::spawn(async move { chat(&targets, &HeaderMap::new()).await.map(|_| ()) });
    soon(server.requests.recv()).await.unwrap();
    sending.abort();
    soon(server.closed.recv()).await.unwrap();
}

#[tokio::test]
async fn connections_are_kept_across_configurations() {
    let ok = answer("200 OK", "", "{}");
    let mut server = Server::start(&[&ok, &ok]).await;
    let target = format!("{{id: a, provider: x, base_url: \"{}\"}}", server.base);
    let old = targets(&target);
    let read = async |answer: Answer| {
        let mut charge = Charge::unbound();
        answer
            .whole(100, Duration::from_secs(60), &mut charge)
            .await
    };
    read(chat(&old, &HeaderMap::new()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(server.requests.recv().await.unwrap().connection, 0);
    let new = targets_after(&target, Some(&old));
    drop(old);
    read(chat(&new, &HeaderMap::new()).await.unwrap())
        .await
        .unwrap();
    assert_eq!(server.requests.recv().await.unwrap().connection, 0);
}

#[tokio::test]
async fn a_key_is_never_shown() {
    let server = Server::start(&[&answer("500 X", "", "{}")]).await;
    let targets = one(&server.base);
    let failure = chat(&targets, &HeaderMap::new()).await.unwrap_err();
    let candidates = targets.candidates("m").unwrap();
    let shown = format!("{targets:#?} {candidates:?} {failure:?} {failure}");
    assert!(shown.contains("base_url"), "{shown}");
    assert!(!shown.contains("topsecret"), "{shown}");
}

#[test]
fn a_key_with_control_characters_leaves_its_target_out_without_showing_it() {
    let text = "pack: {name: t, version: 1.0.0, enabled: true}\npolicies: {chain: []}\nproviders: {targets: [{id: a, provider: cerebras}]}\n";
    let config = Config::parse(text, "test", Path::new("/")).unwrap();
    let read = |reference: &SecretRef| reference.read_with(|_| Some("csk\u{1}topsecret".into()));
    let error = Targets::build_with(&config, None, &Metrics::new(), read).unwrap_err();
    assert!(matches!(error, UpstreamError::NoTarget(_)), "{error:?}");
    assert!(
        !format!("{error} {error:?}").contains("topsecret"),
        "{error:?}"
    );
}
