#![expect(clippy::unwrap_used, reason = "a test")]

mod document;
mod mends;
mod sentences;

use super::*;
use crate::Dialect;

fn chat(body: &str) -> Request {
    Request::parse(Dialect::Chat, body.to_owned().into()).unwrap()
}

/// A chat request with these members beside a message.
fn with(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],{members}}}"#)
}

/// What of the members goes on, and what the rest is called.
fn mended(model: &str, members: &str) -> (String, String) {
    let Fitted { body, dropped } = chat(&with(members)).fitted("m");
    let fitted = if model == "m" {
        Fitted { body, dropped }
    } else {
        chat(&with(members)).fitted(model)
    };
    let body = String::from_utf8(fitted.body.to_vec()).unwrap();
    let rest = body.split_once("\"hi\"}]").unwrap().1;
    let rest = rest.strip_suffix('}').unwrap();
    (
        rest.strip_prefix(',').unwrap_or(rest).to_owned(),
        fitted.dropped.unwrap_or_default(),
    )
}
