//! What a page in a browser can do with the traffic listener, and what it can't.

use super::*;

const CHAT: &str = "POST /v1/chat/completions";

async fn with_keys() -> Running {
    let keys = team_a();
    let gateway = Fake {
        keys,
        ..Fake::default()
    };
    Running::start(gateway, ServerSettings::default()).await
}

#[tokio::test]
async fn a_page_of_another_site_is_refused() {
    let server = Running::plain().await;
    let mut client = server.client().await;
    for from in [
        "origin: https://evil.example",
        "origin: null",
        "origin: http://localhost:3000",
        "sec-fetch-site: cross-site",
        "sec-fetch-site: same-site",
    ] {
        for head in [CHAT, "GET /v1/models", "GET /v1/models/x"] {
            let answer = client.ask(&format!("{head}\n{from}"), "").await;
            assert_eq!(
                (answer.status, &*answer.code()),
                (403, "wrong_origin"),
                "{head} {from}"
            );
        }
    }
    let evil = b"GET /v1/models HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    client.send_raw(evil).await.unwrap();
    let answer = client.answer(false).await;
    assert_eq!((answer.status, &*answer.code()), (403, "wrong_host"));
}

#[tokio::test]
async fn where_there_are_keys_a_key_is_enough() {
    let server = with_keys().await;
    let head = format!("{CHAT}\norigin: https://app.example\nauthorization: Bearer key-a");
    assert_eq!(server.ask(&head).await.status, 200);
    let head = format!("{CHAT}\norigin: https://app.example");
    assert_eq!(server.ask(&head).await.status, 401);
}

#[tokio::test]
async fn a_body_that_is_not_said_to_be_json_or_messagepack_is_a_415() {
    let server = Running::plain().await;
    let keyed = with_keys().await;
    let key = "authorization: Bearer key-a";
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=a",
        "application/jsonx",
        "application/msgpackx",
        "text/plain; application/vnd.msgpack",
        "text/json; application/json",
        "",
    ] {
        let head = format!("{CHAT}\ncontent-type: {kind}");
        let answer = server.ask(&head).await;
        assert_eq!(answer.status, 415, "{kind}");
        let [message, _, param, code] = answer.error();
        assert_eq!((&*param, &*code), ("content-type", "wrong_content_type"));
        assert!(message.contains("application/json"), "{message}");
        assert_eq!(keyed.ask(&format!("{head}\n{key}")).await.status, 415);
    }
    for kind in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/vnd.api+json",
        "application/vnd.msgpack",
        "application/MsgPack",
        "application/x-msgpack; x=y",
    ] {
        let head = format!("{CHAT}\ncontent-type: {kind}");
        assert_eq!(server.ask(&head).await.status, 200, "{kind}");
    }
    // A page can leave the type out, but it has no key.
    let bare =
        |key| format!("{CHAT} HTTP/1.1\r\nhost: localhost\r\n{key}content-length: 0\r\n\r\n");
    for (server, key, status) in [
        (&server, "", 415),
        (&keyed, "authorization: Bearer key-a\r\n", 200),
    ] {
        let mut client = server.client().await;
        client.send_raw(bare(key).as_bytes()).await.unwrap();
        assert_eq!(client.answer(false).await.status, status);
    }
}

#[tokio::test]
async fn a_body_is_encoded_with_gzip_or_not_at_all() {
    let server = Running::plain().await;
    for encoding in ["gzip", "GZip", "x-gzip", "identity", ""] {
        let head = format!("{CHAT}\ncontent-encoding: {encoding}");
        assert_eq!(server.ask(&head).await.status, 200, "{encoding}");
    }
    for encoding in [
        "br",
        "deflate",
        "zstd",
        "compress",
        "gzip, gzip",
        "gzip, identity",
        "gzip\ncontent-encoding: gzip",
        "identity\ncontent-encoding: gzip",
        "gzip\ncontent-encoding: ",
        "gz\u{ff}ip",
    ] {
        let head = format!("{CHAT}\ncontent-encoding: {encoding}");
        let answer = server.ask(&head).await;
        assert_eq!(answer.status, 415, "{encoding}");
        let [message, _, param, code] = answer.error();
        let said = (&*param, &*code);
        assert_eq!(said, ("content-encoding", "wrong_content_encoding"));
        assert!(message.contains("gzip"), "{message}");
        assert_eq!(answer.headers["accept-encoding"], "gzip");
    }
}

#[tokio::test]
async fn a_page_that_the_operator_named_may_ask_and_read() {
    let settings = ServerSettings {
        origins: [HeaderValue::from_static("https://app.example")].into(),
        ..ServerSettings::default()
    };
    let server = Running::start(Fake::default(), settings).await;
    let from = "origin: https://app.example\nsec-fetch-site: cross-site";
    let asks = "OPTIONS /v1/chat/completions\naccess-control-request-method: POST";
    let mut client = server.client().await;
    client.send(&format!("{asks}\n{from}"), "").await;
    let head = client.read_until("\r\n\r\n").await.unwrap();
    assert!(head.starts_with("HTTP/1.1 204"), "{head}");
    assert!(
        head.contains("access-control-allow-origin: https://app.example\r\n"),
        "{head}"
    );
    let answer = client.ask(&format!("{CHAT}\n{from}"), "{}").await;
    assert_eq!(answer.status, 200);
    let told = &answer.headers["access-control-allow-origin"];
    assert_eq!(told, "https://app.example");
    let evil = "origin: https://evil.example";
    let answer = client.ask(&format!("{asks}\n{evil}"), "").await;
    assert_eq!(answer.status, 405);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_request_names_one_host() {
    let server = Running::plain().await;
    for (hosts, status) in [
        ("", 400),
        ("host: localhost\r\nhost: localhost\r\n", 400),
        ("host: localhost\r\n", 200),
    ] {
        let mut client = server.client().await;
        let head = format!("GET /v1/models HTTP/1.1\r\n{hosts}\r\n");
        client.send_raw(head.as_bytes()).await.unwrap();
        let answer = client.answer(false).await;
        assert_eq!(answer.status, status, "{hosts}");
        assert!(answer.headers.contains_key("x-request-id"));
    }
}
