//! The error body that every client reads.
//!
//! Clients disagree on the shape: some want the four fields at the top, some under `error`, and some refuse a field
//! that isn't a string. So both are there, and all eight are strings.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Serialize;

use super::headers::SHOULD_RETRY;

type Text = Cow<'static, str>;

/// An error on its way to a client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} ({code}): {message}", status.as_u16())]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The class of the error; `type` in the body.
    pub kind: Text,
    /// The word that tells this error from others; `code` in the body.
    pub code: Text,
    /// What the error is about: a field, a stage's id. May be empty.
    pub param: Text,
    /// The sentence for the person who will read it.
    pub message: Text,
    /// How many seconds the client should wait; becomes the header `retry-after`.
    pub retry_after: Option<u32>,
    /// Becomes the header `x-should-retry`.
    pub should_retry: Option<bool>,
    /// Headers that the response has besides its own, such as those passed on from an upstream. In a box, because errors are moved
    /// through many results and few of them have any.
    pub headers: Box<HeaderMap>,
}

#[derive(Serialize)]
struct ErrorFields<'a> {
    message: &'a str,
    r#type: &'a str,
    param: &'a str,
    code: &'a str,
}

#[derive(Serialize)]
struct Superset<'a> {
    message: &'a str,
    r#type: &'a str,
    param: &'a str,
    code: &'a str,
    error: ErrorFields<'a>,
}

impl ApiError {
    /// An error with an empty `param` and no retry headers.
    pub fn new(
        status: StatusCode,
        kind: impl Into<Text>,
        code: impl Into<Text>,
        message: impl Into<Text>,
    ) -> Self {
        Self {
            status,
            kind: kind.into(),
            code: code.into(),
            param: Cow::Borrowed(""),
            message: message.into(),
            retry_after: None,
            should_retry: None,
            headers: Box::default(),
        }
    }

    /// Says what the error is about.
    pub fn param(mut self, param: impl Into<Text>) -> Self {
        self.param = param.into();
        self
    }

    /// Asks the client to wait that many seconds.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Tells SDKs whether to try again.
    pub fn should_retry(mut self, should: bool) -> Self {
        self.should_retry = Some(should);
        self
    }

    /// Gives the response these headers too. They take the place of its own headers of the same name.
    pub fn with_headers(mut self, headers: HeaderMap) -> Self {
        *self.headers = headers;
        self
    }

    /// The body as JSON. What is long in it is cut: it may repeat what a client or an upstream sent, and each text stands there twice.
    pub fn to_json(&self) -> Vec<u8> {
        let (message, kind) = (cut(&self.message, LONGEST), cut(&self.kind, LONGEST_NAME));
        let (param, code) = (
            cut(&self.param, LONGEST_NAME),
            cut(&self.code, LONGEST_NAME),
        );
        let (message, kind, param, code) = (&*message, &*kind, &*param, &*code);
        let body = Superset {
            message,
            r#type: kind,
            param,
            code,
            error: ErrorFields {
                message,
                r#type: kind,
                param,
                code,
            },
        };
        serde_json::to_vec(&body).expect("a struct of strings is always JSON")
    }
}

impl ApiError {
    /// The message, cut where it is long.
    pub(super) fn short_message(&self) -> Cow<'_, str> {
        cut(&self.message, LONGEST)
    }

    /// The code, cut where it is long.
    pub(super) fn short_code(&self) -> Cow<'_, str> {
        cut(&self.code, LONGEST_NAME)
    }
}

/// The longest message, in bytes, and the longest of the three words beside it.
const LONGEST: usize = 8 << 10;
const LONGEST_NAME: usize = 1 << 10;

/// A text of so many bytes at most, and a mark where it was longer.
fn cut(text: &str, longest: usize) -> Cow<'_, str> {
    if text.len() <= longest {
        return Cow::Borrowed(text);
    }
    let start = &text[..text.floor_char_boundary(longest)];
    Cow::Owned(format!("{start}... (cut)"))
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.into_http().map(Body::from)
    }
}

impl ApiError {
    /// The response, with the body as bytes. It carries the error, for whoever must tell it in other words.
    pub fn into_http(self) -> http::Response<Vec<u8>> {
        let mut response = http::Response::new(self.to_json());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(should) = self.should_retry {
            let word = HeaderValue::from_static(if should { "true" } else { "false" });
            headers.insert(SHOULD_RETRY, word);
        }
        headers.extend((*self.headers).clone());
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_strings_stand_at_the_top_and_under_error() {
        let error = ApiError::new(
            StatusCode::FORBIDDEN,
            "policy_denied",
            "tone",
            "say \"please\"",
        )
        .param("no-shouting");
        let four = r#""message":"say \"please\"","type":"policy_denied","param":"no-shouting","code":"tone""#;
        let body = format!(r#"{{{four},"error":{{{four}}}}}"#);
        assert_eq!(String::from_utf8_lossy(&error.to_json()), body);
    }

    #[test]
    fn what_is_long_is_not_repeated_whole() {
        let long = "é".repeat(1 << 20);
        let error = ApiError::new(StatusCode::BAD_REQUEST, "a", "b", long.clone()).param(long);
        let json = error.to_json();
        assert!(json.len() < 3 * LONGEST, "{}", json.len());
        let text = String::from_utf8_lossy(&json);
        assert_eq!(text.matches("é... (cut)\"").count(), 4);
    }

    #[test]
    fn retry_headers_are_there_only_when_given() {
        let plain = ApiError::new(StatusCode::NOT_FOUND, "a", "b", "c");
        let response = plain.clone().into_response();
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert!(!response.headers().contains_key(SHOULD_RETRY));
        assert!(!response.headers().contains_key(header::RETRY_AFTER));

        let response = plain.retry_after(7).should_retry(false).into_response();
        assert_eq!(response.headers()[SHOULD_RETRY], "false");
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }

    #[test]
    fn given_headers_are_on_the_response() {
        let given = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from(9))]);
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "a", "b", "c");
        let response = error.with_headers(given).into_response();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "9");
    }
}
