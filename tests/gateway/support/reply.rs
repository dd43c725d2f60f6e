//! Answers, read as a client reads them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{Value, soon};

/// An answer that was read to its end.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How the body broke off, if it did.
    pub broken: Option<String>,
}

impl Reply {
    pub async fn read(mut response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = BytesMut::new();
        let mut broken = None;
        loop {
            match soon("the answer goes on", response.chunk()).await {
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    broken = Some(error.to_string());
                    break;
                }
            }
        }
        Reply {
            status,
            headers,
            body: body.freeze(),
            broken,
        }
    }

    /// A header's value; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// Status and code of an error, after a check that it has the shape that every client reads.
    #[track_caller]
    pub fn error(&self) -> (u16, String) {
        let body = self.json();
        for field in ["message", "type", "param", "code"] {
            assert!(body[field].is_string(), "{field} is no string in {body}");
            assert_eq!(
                body[field], body["error"][field],
                "{field} is not the same twice in {body}"
            );
        }
        assert_ne!(body["message"], "", "an error says nothing: {body}");
        assert_eq!(self.header("content-type"), "application/json");
        (self.status, body["code"].as_str().unwrap().to_owned())
    }

    /// The data of a stream's events, `[DONE]` left out.
    pub fn events(&self) -> Vec<Value> {
        data(self.text())
            .filter(|data| *data != "[DONE]")
            .map(|data| serde_json::from_str(data).unwrap())
            .collect()
    }

    pub fn is_done(&self) -> bool {
        data(self.text()).last() == Some("[DONE]")
    }

    /// The same where there may be an error in its place.
    pub fn said_or_nothing(&self) -> Said {
        match self.status {
            200 => self.said(),
            _ => Said::default(),
        }
    }

    /// What was said, streamed or whole.
    pub fn said(&self) -> Said {
        let mut said = Said::default();
        if self.header("content-type").starts_with("text/event-stream") {
            let mut denied = Vec::new();
            for event in self.events() {
                said.chunk(&event, &mut denied);
            }
        } else {
            said.answer(&self.json());
        }
        said
    }
}

fn data(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.strip_prefix("data:"))
        .map(str::trim)
}

/// The texts of an answer: by choice, and by `content`, `reasoning`, `tool 0`.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub texts: BTreeMap<(u64, String), String>,
    pub finishes: BTreeMap<u64, String>,
    /// The member `witgate` of the choices that were denied.
    pub denials: BTreeMap<u64, Value>,
    /// An error in mid-stream.
    pub error: Option<Value>,
}

impl Said {
    /// The text of choice 0.
    pub fn content(&self) -> &str {
        self.of(0, "content")
    }

    pub fn of(&self, choice: u64, channel: &str) -> &str {
        self.texts
            .get(&(choice, channel.to_owned()))
            .map_or("", String::as_str)
    }

    fn chunk(&mut self, event: &Value, denied: &mut Vec<u64>) {
        if event.get("error").is_some() {
            self.error = Some(event.clone());
            return;
        }
        assert_eq!(self.error, None, "there is something after an error");
        for choice in event["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap();
            assert!(
                !denied.contains(&index),
                "there is something of a choice after its denial: {event}"
            );
            self.texts_of(index, &choice["delta"]);
            self.plain_text_of(index, choice);
            self.end_of(index, choice, event);
            if self.denials.contains_key(&index) {
                denied.push(index);
            }
        }
    }

    fn answer(&mut self, body: &Value) {
        for choice in body["choices"].as_array().unwrap() {
            let index = choice["index"].as_u64().unwrap();
            self.texts_of(index, &choice["message"]);
            self.plain_text_of(index, choice);
            self.end_of(index, choice, body);
        }
    }

    /// A text completion's choice has its text itself.
    fn plain_text_of(&mut self, index: u64, choice: &Value) {
        if let Some(text) = choice["text"].as_str() {
            self.add(index, "content".into(), text);
        }
    }

    fn texts_of(&mut self, choice: u64, from: &Value) {
        for channel in ["content", "reasoning"] {
            if let Some(text) = from[channel].as_str() {
                self.add(choice, channel.into(), text);
            }
        }
        for (at, call) in from["tool_calls"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
        {
            let index = call["index"].as_u64().unwrap_or(at as u64);
            if let Some(name) = call["function"]["name"].as_str() {
                self.add(choice, format!("tool {index} name"), name);
            }
            self.add(
                choice,
                format!("tool {index}"),
                call["function"]["arguments"].as_str().unwrap_or_default(),
            );
        }
    }

    fn end_of(&mut self, index: u64, choice: &Value, around: &Value) {
        if let Some(finish) = choice["finish_reason"].as_str() {
            assert!(
                self.finishes.insert(index, finish.to_owned()).is_none(),
                "choice {index} finished twice"
            );
        }
        let denial = choice.get("witgate").or_else(|| around.get("witgate"));
        if let Some(denial) = denial.filter(|_| choice["finish_reason"] == "content_filter") {
            self.denials.insert(index, denial.clone());
        }
    }

    fn add(&mut self, choice: u64, channel: String, text: &str) {
        if !text.is_empty() {
            self.texts
                .entry((choice, channel))
                .or_default()
                .push_str(text);
        }
    }
}

/// An answer that is being read.
pub struct Stream {
    response: reqwest::Response,
    read: BytesMut,
}

impl Stream {
    pub fn new(response: reqwest::Response) -> Self {
        Stream {
            response,
            read: BytesMut::new(),
        }
    }

    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    pub fn header(&self, name: &str) -> String {
        let value = self.response.headers().get(name);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    /// Reads on until the bytes so far hold this.
    pub async fn read_until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.read).contains(text) {
            let chunk = soon("the stream goes on", self.response.chunk())
                .await
                .unwrap();
            let Some(chunk) = chunk else {
                panic!(
                    "the stream ended without {text:?}: {}",
                    String::from_utf8_lossy(&self.read)
                );
            };
            self.read.extend_from_slice(&chunk);
        }
    }

    /// Reads the rest.
    pub async fn finish(self) -> Reply {
        let mut read = self.read;
        let mut reply = Reply::read(self.response).await;
        read.extend_from_slice(&reply.body);
        reply.body = read.freeze();
        reply
    }
}
