//! Errors as Cerebras writes them: one flat object of four strings, never wrapped in `error`.

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

/// The error event of a stream that breaks, whose status line has gone out long before.
pub(super) const STREAM_ERROR: &str = concat!(
    r#"{"status_code":500,"error":{"message":"Encountered a server error, please try again.","#,
    r#""type":"server_error","param":"","code":"","id":""}}"#
);

/// A request that gets an error instead of an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) message: Cow<'static, str>,
    pub(super) kind: &'static str,
    pub(super) param: &'static str,
    pub(super) code: &'static str,
    /// Whole seconds for the `retry-after` header.
    pub(super) retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Flat<'a> {
    message: &'a str,
    r#type: &'a str,
    param: &'a str,
    code: &'a str,
}

impl Refusal {
    fn new(
        status: StatusCode,
        message: impl Into<Cow<'static, str>>,
        kind: &'static str,
        param: &'static str,
        code: &'static str,
    ) -> Self {
        Self {
            status,
            message: message.into(),
            kind,
            param,
            code,
            retry_after: None,
        }
    }

    fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// 400: the request isn't of the form that the API reads.
    pub(super) fn wrong_format(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            message,
            "invalid_request_error",
            "validation_error",
            "wrong_api_format",
        )
    }

    /// 422: what the API answered to a wrong form until April 2026.
    pub(super) fn unprocessable(message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            ..Self::wrong_format(message)
        }
    }

    /// 400: prompt and completion don't fit into the model's context.
    pub(super) fn too_long(length: u64, limit: u64) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            format!(
                "Please reduce the length of the messages or completion. \
                 Current length is {length} while limit is {limit}"
            ),
            "invalid_request_error",
            "messages",
            "context_length_exceeded",
        )
    }

    /// 401.
    pub(super) fn wrong_key() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Wrong API Key",
            "invalid_request_error",
            "api_key",
            "wrong_api_key",
        )
    }

    /// 402.
    pub(super) fn payment_required() -> Self {
        Self::new(
            StatusCode::PAYMENT_REQUIRED,
            "Payment required to access this resource. Visit your billing tab.",
            "payment_required_error",
            "quota",
            "payment_required",
        )
    }

    /// 404, for a model.
    pub(super) fn no_such_model() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Model does not exist or you do not have access to it.",
            "not_found_error",
            "model",
            "model_not_found",
        )
    }

    /// 404, for a path.
    pub(super) fn no_such_path(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            format!("Unknown request URL: {path}. Please check the URL for typos."),
            "not_found_error",
            "path",
            "not_found",
        )
    }

    /// 405.
    pub(super) fn wrong_method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "Method Not Allowed",
            "invalid_request_error",
            "method",
            "method_not_allowed",
        )
    }

    /// 408.
    pub(super) fn timed_out() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "Request timed out.",
            "request_timeout_error",
            "",
            "request_timeout",
        )
    }

    /// 413.
    pub(super) fn too_large(message: &'static str) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            message,
            "invalid_request_error",
            "body",
            "content_too_large",
        )
    }

    /// 429 for a spent quota of requests or tokens; `window` is "minute", "hour" or "day".
    pub(super) fn quota(tokens: bool, window: &str, retry_after: u64) -> Self {
        let (message, kind, code) = if tokens {
            (
                format!("Tokens per {window} limit exceeded - too many tokens processed."),
                "too_many_tokens_error",
                "token_quota_exceeded",
            )
        } else {
            (
                format!("Requests per {window} limit exceeded - too many requests sent."),
                "too_many_requests_error",
                "request_quota_exceeded",
            )
        };
        Self::new(StatusCode::TOO_MANY_REQUESTS, message, kind, "quota", code)
            .retry_after(retry_after)
    }

    /// 429 because the service is busy, whatever the caller's quota.
    pub(super) fn busy() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "We're experiencing high traffic right now! Please try again soon.",
            "too_many_requests_error",
            "queue",
            "queue_exceeded",
        )
        .retry_after(1)
    }

    /// 500.
    pub(super) fn server_error() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Encountered a server error, please try again.",
            "server_error",
            "",
            "",
        )
    }

    /// 503.
    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "The service is temporarily unavailable. Please try again later.",
            "service_unavailable_error",
            "",
            "service_unavailable",
        )
    }

    fn body(&self) -> Vec<u8> {
        serde_json::to_vec(&Flat {
            message: &self.message,
            r#type: self.kind,
            param: self.param,
            code: self.code,
        })
        .expect("four strings always serialise")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
