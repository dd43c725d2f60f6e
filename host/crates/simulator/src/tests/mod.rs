#![expect(clippy::unwrap_used, reason = "a test")]

mod answers;
mod faults;
mod routes;
mod streams;
mod validation;
mod wire;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Options, router};

const KEY: &str = "Bearer csk-test";

/// An answer, read to its end.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    /// Whether the body broke off.
    broken: bool,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The data of each event.
    fn events(&self) -> Vec<&str> {
        self.text
            .split("\n\n")
            .filter(|event| !event.is_empty())
            .map(|event| event.strip_prefix("data: ").unwrap())
            .collect()
    }

    /// The chunks, the final `[DONE]` aside.
    fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop(), Some("[DONE]"));
        events
            .iter()
            .map(|event| serde_json::from_str(event).unwrap())
            .collect()
    }

    /// The texts of one delta field of one choice, chunk by chunk.
    fn deltas(&self, choice: usize, field: &str) -> Vec<String> {
        self.chunks()
            .iter()
            .flat_map(|chunk| chunk["choices"].as_array().unwrap().clone())
            .filter(|one| one["index"] == choice)
            .filter_map(|one| one["delta"][field].as_str().map(str::to_owned))
            .collect()
    }

    fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

fn frozen() -> Options {
    Options {
        frozen: Some(1_775_751_421),
        ..Options::default()
    }
}

fn say(text: &str) -> Value {
    json!({"model": "llama3.1-8b", "messages": [{"role": "user", "content": text}]})
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn streamed(body: Value) -> Value {
    with(body, json!({"stream": true}))
}

fn request(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).header("authorization", KEY);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

async fn send(options: &Options, request: Request<Body>) -> Reply {
    read(router(options.clone()).oneshot(request).await.unwrap()).await
}

async fn read(response: Response) -> Reply {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    let mut broken = false;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) => bytes.extend(frame.into_data().unwrap()),
            Err(_) => {
                broken = true;
                break;
            }
        }
    }
    Reply {
        status: head.status,
        headers: head.headers,
        text: String::from_utf8(bytes).unwrap(),
        broken,
    }
}

async fn chat_with(headers: &[(&str, &str)], body: &Value) -> Reply {
    send(
        &frozen(),
        request("/v1/chat/completions", headers, body.to_string()),
    )
    .await
}

async fn chat(body: &Value) -> Reply {
    chat_with(&[], body).await
}

async fn get(path: &str) -> Reply {
    let request = Request::get(path).header("authorization", KEY);
    send(&frozen(), request.body(Body::empty()).unwrap()).await
}
