//! Reads the body of an error, whatever its shape.
//!
//! Cerebras writes a flat object, OpenAI nests it under `error`, and proxies in front of them write HTML or plain text. All
//! of these become the same four texts, and none of the four is ever null.

use serde_json::Value;

/// An error as every client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorBody {
    /// The HTTP status. Where that one is a success, as for an error within a stream, the status in the body.
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

/// The longest message taken from a body that isn't JSON, in characters.
const LONGEST: usize = 500;

impl ErrorBody {
    /// Reads a body. This never fails: a body of unknown shape gets a message that describes it.
    pub fn parse(status: u16, body: &[u8]) -> ErrorBody {
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => ErrorBody::from_json(status, &value)
                .unwrap_or_else(|| ErrorBody::plain(status, described(status))),
            Err(_) => ErrorBody::plain(status, text_of(status, body)),
        }
    }

    /// Reads a JSON value, if it is an error: an object with `error`, `message` or `detail`.
    pub fn from_json(status: u16, value: &Value) -> Option<ErrorBody> {
        let outer = value.as_object()?;
        let nested = match outer.get("error") {
            Some(Value::Object(inner)) => Some(inner),
            _ => None,
        };
        let field = |name: &str| {
            let inner = nested.and_then(|inner| inner.get(name)).and_then(text);
            inner.or_else(|| outer.get(name).and_then(text))
        };
        let message = field("message")
            .or_else(|| outer.get("error").and_then(text))
            .or_else(|| outer.get("detail").and_then(text));
        if message.is_none() && nested.is_none() {
            return None;
        }
        let within = outer
            .get("status_code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok())
            .filter(|code| (400..600).contains(code) && status < 400);
        let status = within.unwrap_or(status);
        Some(ErrorBody {
            status,
            message: message.unwrap_or_else(|| described(status)),
            kind: field("type").unwrap_or_else(|| usual_kind(status).to_owned()),
            param: field("param").unwrap_or_default(),
            code: field("code").unwrap_or_default(),
        })
    }

    fn plain(status: u16, message: String) -> ErrorBody {
        ErrorBody {
            status,
            message,
            kind: usual_kind(status).to_owned(),
            param: String::new(),
            code: String::new(),
        }
    }
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
fn text_of(status: u16, body: &[u8]) -> String {
    let body = String::from_utf8_lossy(body);
    let start = body.trim_start();
    let page = start.starts_with('<');
    let words = if page {
        between(start, "<title>", "</title>").unwrap_or_default()
    } else {
        start
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
    if let Some((end, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(end);
    }
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
mod tests {
    use super::ErrorBody;

    fn read(status: u16, body: &str) -> (u16, String) {
        let read = ErrorBody::parse(status, body.as_bytes());
        let fields = [read.message, read.kind, read.param, read.code];
        (read.status, fields.join("|"))
    }

    #[test]
    fn flat_and_nested_say_the_same() {
        let same = (
            404,
            "no model|not_found_error|model|model_not_found".to_owned(),
        );
        let flat = r#"{"message":"no model","type":"not_found_error","param":"model","code":"model_not_found"}"#;
        assert_eq!(read(404, flat), same);
        assert_eq!(read(404, &format!(r#"{{"error":{flat}}}"#)), same);
        assert_eq!(
            read(404, &format!(r#"{{"status_code":500,"error":{flat}}}"#)),
            same
        );
    }

    #[test]
    fn nulls_and_numbers_become_texts() {
        assert_eq!(
            read(
                400,
                r#"{"error":{"message":"bad","type":null,"param":null,"code":42}}"#
            ),
            (400, "bad|invalid_request_error||42".to_owned())
        );
    }

    #[test]
    fn an_error_within_a_stream_has_its_own_status() {
        let event = r#"{"status_code":500,"error":{"message":"Encountered a server error, please try again.","type":"server_error","param":"","code":"","id":""}}"#;
        assert_eq!(
            read(200, event),
            (
                500,
                "Encountered a server error, please try again.|server_error||".to_owned()
            )
        );
    }

    #[test]
    fn a_text_in_place_of_the_object_is_the_message() {
        assert_eq!(read(500, r#"{"error":"boom"}"#).1, "boom|server_error||");
        assert_eq!(
            read(404, r#"{"detail":"Not Found"}"#).1,
            "Not Found|not_found_error||"
        );
        assert_eq!(
            read(502, "bad\n gateway\u{0}\n").1,
            "bad gateway|server_error||"
        );
    }

    #[test]
    fn a_page_is_its_title() {
        let page = "<!DOCTYPE html><html><head><TITLE>Attention Required!\n| Cloudflare</TITLE></head>é</html>";
        assert_eq!(
            read(403, page).1,
            "the upstream answered 403 with a page: Attention Required! | Cloudflare|permission_error||"
        );
    }

    #[test]
    fn nothing_to_read_is_said() {
        for body in ["", "[]", "{}", "null", "<html>", "   "] {
            assert_eq!(
                read(503, body).1,
                "the upstream answered 503 and did not say why|server_error||",
                "{body}"
            );
        }
        assert_eq!(
            read(500, &"é".repeat(2000))
                .1
                .chars()
                .filter(|c| *c == 'é')
                .count(),
            500
        );
    }

    #[test]
    fn a_chunk_is_no_error() {
        let chunk = serde_json::json!({"id": "chatcmpl-1", "choices": [], "error": null});
        assert_eq!(ErrorBody::from_json(200, &chunk), None);
    }
}
