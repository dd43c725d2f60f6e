//! Reads the body of an error, whatever its shape.
//!
//! Cerebras writes a flat object, OpenAI nests it under `error`, FastAPI writes a list of what is wrong, and proxies in front of them write
//! HTML or plain text. All of these become the same four texts, none of which is ever null or has the target's own secret in it.

use http::StatusCode;
use serde_json::{Map, Value};
use witgate_own_secret::OwnSecret;
use witgate_own_secret::lean_json;

/// An error as every client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// The HTTP status: 400 to 599. Where the answer's is none of these, as for an error within a stream, the status in the body, or 502.
    pub status: u16,
    /// What went wrong, as a sentence. Never empty.
    pub message: String,
    /// The error's type, such as `invalid_request_error`. Never empty.
    pub kind: String,
    /// The parameter that the error is about. May be empty.
    pub param: String,
    /// The error's code, such as `model_not_found`. May be empty.
    pub code: String,
}

/// The longest body that is looked at for an error in an answer's place, in bytes.
const LONGEST_BODY: usize = 1 << 20;
/// The longest message taken from a body that isn't JSON, in characters.
const LONGEST: usize = 500;
/// The longest message taken from JSON, in characters, and the longest of the other texts.
const LONGEST_MESSAGE: usize = 4000;
const LONGEST_WORD: usize = 200;
/// How deep lists and objects in a message are read, and how many members of a list.
const DEEPEST: usize = 4;
const MOST: usize = 20;

impl ErrorBody {
    /// Reads a body. This never fails: a body of unknown shape gets a message that describes it.
    pub fn parse(status: u16, body: &[u8], secret: &OwnSecret) -> ErrorBody {
        let error = match lean_json::value(body) {
            Some(value) => {
                read(status, &value).unwrap_or_else(|| ErrorBody::plain(status, described(status)))
            }
            None => ErrorBody::plain(status, text_of(status, body, secret)),
        };
        error.struck(secret)
    }

    /// The error that a whole answer is, though its status is one of success: it has an error object, or no choice and the shape of an
    /// error.
    pub fn in_place_of_an_answer(body: &[u8], secret: &OwnSecret) -> Option<ErrorBody> {
        // No error is that long, and an answer may be.
        let value: Value = match body.len() {
            0..=LONGEST_BODY => lean_json::value(body)?,
            _ => return None,
        };
        let said = |member: &Value| match member {
            Value::Object(members) => !members.is_empty(),
            Value::Array(values) => !values.is_empty(),
            Value::String(text) => !text.is_empty(),
            _ => false,
        };
        if value.get("choices").is_some_and(said) && !value.get("error").is_some_and(said) {
            return None;
        }
        Some(read(200, &value)?.struck(secret))
    }

    /// An error whose body can't be read, because it is encoded.
    pub(super) fn coded(status: u16, coding: &str, secret: &OwnSecret) -> ErrorBody {
        let message = format!(
            "the upstream answered {status}, and its body is encoded ({coding}), which was not asked for, so it can't be read"
        );
        ErrorBody::plain(status, message).struck(secret)
    }

    /// The status, as HTTP has it.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_GATEWAY)
    }

    fn plain(status: u16, message: String) -> ErrorBody {
        let status = if is_error(status) { status } else { 502 };
        ErrorBody {
            status,
            message,
            kind: usual_kind(status).to_owned(),
            param: String::new(),
            code: String::new(),
        }
    }

    /// Without the secret, and then no longer than clients and logs should be told: a cut through a secret would hide it from the search.
    fn struck(self, secret: &OwnSecret) -> ErrorBody {
        let text = |text: String, longest| cut(secret.strike(text), longest);
        ErrorBody {
            status: self.status,
            message: text(self.message, LONGEST_MESSAGE),
            kind: text(self.kind, LONGEST_WORD),
            param: text(self.param, LONGEST_WORD),
            code: text(self.code, LONGEST_WORD),
        }
    }
}

/// Reads a JSON value, if it is an error: an object with `error`, `errors`, `message` or `detail`, alone or in a list.
fn read(status: u16, value: &Value) -> Option<ErrorBody> {
    let outer = match value {
        Value::Object(outer) => outer,
        // Google's way.
        Value::Array(values) => values.first()?.as_object()?,
        _ => return None,
    };
    let nested = match outer.get("error") {
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    };
    let field = |name: &str| {
        let inner = nested.and_then(|inner| inner.get(name)).and_then(text);
        inner.or_else(|| outer.get(name).and_then(text))
    };
    let message = nested
        .and_then(message_in)
        .or_else(|| outer.get("error").and_then(text))
        .or_else(|| message_in(outer));
    if message.is_none() && nested.is_none() {
        return None;
    }
    let own = is_error(status).then_some(status);
    let status = own.or_else(|| status_in(outer, nested)).unwrap_or(502);
    Some(ErrorBody {
        status,
        message: message.unwrap_or_else(|| described(status)),
        kind: field("type").unwrap_or_else(|| usual_kind(status).to_owned()),
        param: field("param").unwrap_or_default(),
        code: field("code").unwrap_or_default(),
    })
}

/// The status that the body says it has, by whichever name.
fn status_in(outer: &Map<String, Value>, nested: Option<&Map<String, Value>>) -> Option<u16> {
    let number = |value: &Value| match value {
        Value::Number(number) => u16::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let objects = [nested, Some(outer)].into_iter().flatten();
    let names = ["status_code", "status", "code"];
    let mut found = objects.flat_map(|object| names.map(|name| object.get(name).and_then(number)));
    found.find_map(|status| status.filter(|status| is_error(*status)))
}

fn is_error(status: u16) -> bool {
    (400..600).contains(&status)
}

/// The words of an object, by whichever name.
fn message_in(object: &Map<String, Value>) -> Option<String> {
    let names = ["message", "msg", "detail", "errors"];
    names.iter().find_map(|name| words(object.get(*name)?, 0))
}

/// A message as text, be it a text, a list of what is wrong, or one such thing: `{"msg": .., "loc": ["body", "messages", 0]}`.
fn words(value: &Value, depth: usize) -> Option<String> {
    match value {
        _ if depth > DEEPEST => None,
        Value::Array(values) => {
            let each = values.iter().filter_map(|value| words(value, depth + 1));
            let each: Vec<String> = each.take(MOST).collect();
            Some(each.join("; ")).filter(|text| !text.is_empty())
        }
        Value::Object(members) => {
            let names = ["message", "msg", "detail", "errors", "error"];
            let said = names
                .iter()
                .find_map(|name| words(members.get(*name)?, depth + 1))?;
            let place = match members.get("loc") {
                Some(Value::Array(steps)) => {
                    steps.iter().filter_map(text).collect::<Vec<_>>().join(".")
                }
                _ => String::new(),
            };
            Some(match place.is_empty() {
                true => said,
                false => format!("{place}: {said}"),
            })
        }
        value => text(value),
    }
}

/// The text, at most so many characters of it.
fn cut(mut text: String, longest: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(longest) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A value as text. `None` for null, an empty text, lists and objects.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

fn usual_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        429 => "too_many_requests_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

fn described(status: u16) -> String {
    format!("the upstream answered {status} and did not say why")
}

/// The words of a body that isn't JSON: a page's title, or the text itself in one line.
fn text_of(status: u16, body: &[u8], secret: &OwnSecret) -> String {
    let start = body.trim_ascii_start();
    let page = start.starts_with(b"<");
    // A page of another encoding has a title all the same. Other bytes that aren't text say nothing.
    let is_text = |error: std::str::Utf8Error| error.error_len().is_none();
    if !page && !std::str::from_utf8(start).map_or_else(is_text, |_| true) {
        return described(status);
    }
    // JSON that was cut may be the request that the error repeats.
    if start.starts_with(b"{") || start.starts_with(b"[") {
        return described(status);
    }
    let start = String::from_utf8_lossy(start);
    let words = if page {
        between(&start, "<title>", "</title>").unwrap_or_default()
    } else {
        &start
    };
    let mut line = String::new();
    for word in words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    let line = cut(secret.strike(line), LONGEST);
    match (page, line.is_empty()) {
        (_, true) => described(status),
        (true, false) => format!("the upstream answered {status} with a page: {line}"),
        (false, false) => line,
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    // Changing only the case of ASCII letters keeps every offset.
    let lower = text.to_ascii_lowercase();
    let from = lower.find(start)? + start.len();
    let length = lower[from..].find(end)?;
    text.get(from..from + length)
}

#[cfg(test)]
mod tests;
