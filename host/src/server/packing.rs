//! How a request's body is packed, by its headers.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::api::{ApiError, Caller};

/// What a body is packed in. In neither, it is JSON as it stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Packing {
    /// Outside.
    pub gzip: bool,
    /// Inside.
    pub msgpack: bool,
}

impl Packing {
    /// Whether it is packed at all.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }

    /// What the headers say. For each of the types and encodings taken here a page must ask the browser first, which asks us. A page can
    /// also send a body without any type: so one that is missing is let through only where a key shows that no page sent it.
    ///
    /// # Errors
    /// A 415 that names what is taken.
    pub(super) fn of(headers: &HeaderMap, caller: &Caller) -> Result<Self, ApiError> {
        Ok(Self {
            gzip: is_gzip(headers)?,
            msgpack: is_msgpack(headers, caller)?,
        })
    }
}

const MSGPACK: [&str; 3] = ["vnd.msgpack", "msgpack", "x-msgpack"];

/// Whether the body is MessagePack. Else it is JSON.
fn is_msgpack(headers: &HeaderMap, caller: &Caller) -> Result<bool, ApiError> {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return if caller.principal.is_some() {
            Ok(false)
        } else {
            Err(wrong_type())
        };
    };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let kind = kind.to_ascii_lowercase();
    match kind.strip_prefix("application/") {
        Some(name) if name == "json" || name.ends_with("+json") => Ok(false),
        Some(name) if MSGPACK.contains(&name) => Ok(true),
        _ => Err(wrong_type()),
    }
}

/// Whether the body is encoded once, and as we know it.
fn is_gzip(headers: &HeaderMap) -> Result<bool, ApiError> {
    let mut said = headers.get_all(header::CONTENT_ENCODING).iter();
    let Some(first) = said.next() else {
        return Ok(false);
    };
    let coding = first.to_str().unwrap_or("?").trim();
    let is = |name| coding.eq_ignore_ascii_case(name);
    match said.next() {
        None if is("gzip") || is("x-gzip") => Ok(true),
        None if is("identity") || is("") => Ok(false),
        _ => Err(wrong_encoding()),
    }
}

fn wrong_type() -> ApiError {
    let message = "The body of a completion is JSON or MessagePack: send it with the header `content-type: application/json` or \
                   `content-type: application/vnd.msgpack`.";
    refusal("wrong_content_type", message).param("content-type")
}

fn wrong_encoding() -> ApiError {
    let message = "The body of a completion is encoded with gzip, once, or not at all: send it with the one header \
                   `content-encoding: gzip`, or with none.";
    let gzip = HeaderValue::from_static("gzip");
    refusal("wrong_content_encoding", message)
        .param("content-encoding")
        .with_headers(HeaderMap::from_iter([(header::ACCEPT_ENCODING, gzip)]))
}

fn refusal(code: &'static str, message: &'static str) -> ApiError {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    ApiError::new(status, "invalid_request_error", code, message)
}
