//! Routes, keys, headers and encodings.

use std::io::Write as _;

use super::super::{RateLimits, Windows};
use super::*;

#[tokio::test]
async fn a_key_must_be_there_and_right() {
    let only = Options {
        api_key: Some("csk-right".to_owned()),
        ..frozen()
    };
    for (options, key, status) in [
        (&frozen(), None, 401),
        (&frozen(), Some("Bearer "), 401),
        (&frozen(), Some("Basic x"), 401),
        (&frozen(), Some("bearer x"), 200),
        (&only, Some("Bearer csk-wrong"), 401),
        (&only, Some("Bearer csk-right"), 200),
    ] {
        for path in ["/v1/models", "/v1/chat/completions"] {
            let request = if path.ends_with("models") {
                Request::get(path)
            } else {
                Request::post(path)
            };
            let request = match key {
                Some(key) => request.header("authorization", key),
                None => request,
            };
            let reply = send(
                options,
                request.body(Body::from(say("hi").to_string())).unwrap(),
            )
            .await;
            assert_eq!(reply.status, status, "{key:?} {path}");
            if status == 401 {
                assert_eq!(
                    reply.text,
                    r#"{"message":"Wrong API Key","type":"invalid_request_error","param":"api_key","code":"wrong_api_key"}"#
                );
            }
        }
    }
    assert!(!format!("{only:?}").contains("csk-right"));
}

#[tokio::test]
async fn models_are_listed_plainly() {
    let reply = get("/v1/models").await;
    let first = r#"{"id":"gpt-oss-120b","object":"model","created":0,"owned_by":"Cerebras"}"#;
    let start = format!(r#"{{"object":"list","data":[{first},"#);
    assert!(reply.text.starts_with(&start), "{}", reply.text);
    let list = reply.json();
    let ids: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|model| model["id"].as_str().unwrap())
        .collect();
    for id in [
        "llama3.3-70b",
        "llama-3.3-70b",
        "llama3.1-8b",
        "llama3.1-70b",
        "llama-4-scout-17b-16e-instruct",
    ] {
        assert!(ids.contains(&id), "{id}");
    }
    assert!(!ids.contains(&"gpt-4o"), "{ids:?}");
    let one = get("/v1/models/zai-glm-4.7").await;
    assert_eq!(
        one.text,
        r#"{"id":"zai-glm-4.7","object":"model","created":0,"owned_by":"Cerebras"}"#
    );
    assert_eq!(get("/v1/models/gpt-4o").await.code(), "model_not_found");
}

#[tokio::test]
async fn the_public_catalog_needs_no_key_and_is_rich() {
    let request = Request::get("/public/v1/models")
        .body(Body::empty())
        .unwrap();
    let list = send(&frozen(), request).await.json();
    let gpt = &list["data"][0];
    assert_eq!(
        gpt["pricing"],
        json!({"prompt": "0.00000035", "completion": "0.00000075"})
    );
    assert_eq!(gpt["limits"]["max_context_length"], 131_072);
    assert_eq!(gpt["capabilities"]["reasoning"], true);
    let router = get("/public/v1/models?format=openrouter").await.json();
    assert_eq!(router["data"][0]["id"], "cerebras/gpt-oss-120b");
    let hugging = get("/public/v1/models/gpt-oss-120b?format=huggingface")
        .await
        .json();
    assert_eq!(hugging["pricing"]["input"], 0.35);
    assert_eq!(get("/v1/models?format=x").await.status, 400);
}

#[tokio::test]
async fn warming_answers_at_once_and_what_does_not_exist_is_404() {
    assert_eq!(get("/v1/tcp_warming").await.text, "{}");
    for path in ["/v1/v1/models", "/v1/responses", "/v1/embeddings", "/"] {
        let reply = get(path).await;
        assert_eq!(reply.status, 404);
        assert!(reply.json()["message"].as_str().unwrap().contains(path));
    }
    assert_eq!(get("/v1/chat/completions").await.status, 405);
}

#[tokio::test]
async fn headers_are_cloudflares_and_the_grid() {
    let reply = chat(&say("hi")).await;
    assert_eq!(reply.headers["server"], "cloudflare");
    assert_eq!(reply.headers["inference-id"].len(), 36);
    assert_eq!(reply.headers["cf-ray"].len(), 20);
    assert_eq!(reply.headers["cf-cache-status"], "DYNAMIC");
    for what in ["requests", "tokens"] {
        for window in ["minute", "hour", "day"] {
            for column in ["limit", "remaining", "reset"] {
                assert!(
                    reply
                        .headers
                        .contains_key(format!("x-ratelimit-{column}-{what}-{window}"))
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn limits_are_kept_for_each_key_and_model() {
    let windows = Windows {
        minute: 1,
        hour: 100,
        day: 100,
    };
    let router = router(Options {
        rate_limits: Some(RateLimits {
            requests: windows,
            tokens: RateLimits::FREE.tokens,
        }),
        ..frozen()
    });
    let ask = |model: &str| {
        let body = with(say("say: x"), json!({"model": model}));
        router
            .clone()
            .oneshot(request("/v1/chat/completions", &[], body.to_string()))
    };
    let first = ask("llama3.1-8b").await.unwrap();
    assert_eq!(first.status(), 200);
    assert_eq!(
        first.headers()["x-ratelimit-remaining-requests-minute"],
        "0"
    );
    assert_eq!(
        first.headers()["x-ratelimit-remaining-tokens-minute"],
        "29992"
    );
    let second = ask("llama3.1-8b").await.unwrap();
    assert_eq!(second.status(), 429);
    assert_eq!(second.headers()["retry-after"], "60");
    assert_eq!(second.headers()["x-ratelimit-limit-requests-minute"], "1");
    assert_eq!(
        read(second).await.json()["message"],
        "Requests per minute limit exceeded - too many requests sent."
    );
    assert_eq!(ask("gpt-oss-120b").await.unwrap().status(), 200);
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    assert_eq!(ask("llama3.1-8b").await.unwrap().status(), 200);
}

#[tokio::test]
async fn bodies_may_be_packed() {
    let body = say("say: packed");
    let packed = rmp_serde::to_vec_named(&body).unwrap();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zipped = gzip(body.to_string().as_bytes());
    let both = gzip(&packed);
    for (headers, bytes) in [
        (&[("content-encoding", "gzip")][..], zipped),
        (&[("content-type", "application/vnd.msgpack")][..], packed),
        (
            &[
                ("content-encoding", "gzip"),
                ("content-type", "application/x-msgpack; x=y"),
            ][..],
            both,
        ),
    ] {
        let reply = send(&frozen(), request("/v1/chat/completions", headers, bytes)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "packed");
    }
}

#[tokio::test]
async fn bodies_that_cannot_be_read_are_400() {
    for (headers, bytes, part) in [
        (&[][..], "{", "Invalid JSON"),
        (&[("content-encoding", "gzip")][..], "{}", "Invalid gzip"),
        (
            &[("content-encoding", "br")][..],
            "{}",
            "'br' is unsupported",
        ),
        (
            &[("content-type", "application/msgpack")][..],
            "\u{1}",
            "body: Input should be a valid dictionary",
        ),
    ] {
        let reply = send(&frozen(), request("/v1/chat/completions", headers, bytes)).await;
        assert_eq!(
            (reply.status.as_u16(), reply.code().as_str()),
            (400, "wrong_api_format")
        );
        assert!(
            reply.json()["message"].as_str().unwrap().contains(part),
            "{}",
            reply.text
        );
    }
}
