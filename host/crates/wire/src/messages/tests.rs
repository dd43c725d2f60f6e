#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::json::BadRequest;
use crate::{Dialect, Endpoint};

mod answers;
mod requests;
mod streams;

fn read(body: &str) -> Result<crate::Request, BadRequest> {
    Endpoint::Messages.read(Bytes::copy_from_slice(body.as_bytes()))
}

/// The chat that stands for it, as text.
fn chat(body: &str) -> String {
    let request = read(body).unwrap_or_else(|bad| panic!("{bad}: {body}"));
    String::from_utf8(request.to_bytes(None).to_vec()).unwrap()
}

/// The messages of the chat that stands for a request with these.
fn turns(messages: &str) -> String {
    let chat = chat(&format!(
        r#"{{"model":"m","max_tokens":9,"messages":{messages}}}"#
    ));
    let turns = chat.strip_prefix(r#"{"model":"m","messages":"#).unwrap();
    let turns = turns.strip_suffix(r#","max_completion_tokens":9}"#);
    turns.unwrap().to_owned()
}

/// The members that a chat has of a request that has these besides.
fn beside(members: &str) -> String {
    let chat = chat(&format!(
        r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}],{members}}}"#
    ));
    let rest = chat.strip_prefix(
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":9"#,
    );
    rest.unwrap().trim_start_matches(',').to_owned()
}

fn refused(body: &str) -> (String, String) {
    let bad = read(body).expect_err(body);
    (bad.param, bad.message)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}
