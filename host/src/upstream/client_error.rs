//! The errors that a client gets when an upstream gave no answer, an answer that broke off, or an error. They are the same
//! on every route.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use super::error_body::ErrorBody;
use super::failure::{BodyError, Failure};
use crate::api::ApiError;

const KIND: &str = "upstream_error";
const FIRST_TOKEN: &str = "upstream_first_token_timeout";
const DEADLINE: &str = "upstream_deadline";
const GATEWAY_TIMEOUT: StatusCode = StatusCode::GATEWAY_TIMEOUT;

/// An error that the upstream answered with: its status, its words, and of its headers those that are `passed_on`. The body is
/// written anew, in the shape that every client reads, so its content type doesn't go on.
pub(super) fn error_answer(mut passed_on: HeaderMap, error: ErrorBody) -> ApiError {
    passed_on.remove(CONTENT_TYPE);
    ApiError::new(error.status(), error.kind, error.code, error.message)
        .param(error.param)
        .with_headers(passed_on)
}

impl From<ErrorBody> for ApiError {
    fn from(error: ErrorBody) -> Self {
        error_answer(HeaderMap::new(), error)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let (status, code) = match failure {
            Failure::Status(failure) => {
                return error_answer(failure.headers, failure.error);
            }
            Failure::Refused(_) => {
                let why = "The upstream refuses this gateway's own key, whatever yours is; its operator has to see to it.";
                return ApiError::new(StatusCode::BAD_GATEWAY, KIND, "upstream_credentials", why);
            }
            Failure::Keyless(_) => {
                let why = "The upstream refuses this gateway, which has no key for it, whatever yours is; its operator has to see to it.";
                return ApiError::new(StatusCode::BAD_GATEWAY, KIND, "upstream_credentials", why);
            }
            Failure::Resting(rest) => {
                let why =
                    "This gateway has used up what the upstream allows it for the model for now.";
                let (status, kind) = (StatusCode::TOO_MANY_REQUESTS, "too_many_requests_error");
                let seconds = rest.as_secs_f64().ceil();
                return ApiError::new(status, kind, "upstream_quota", why)
                    .retry_after(seconds as u32);
            }
            Failure::ConnectTimeout(_) => (GATEWAY_TIMEOUT, "upstream_connect_timeout"),
            Failure::FirstByteTimeout(_) => (GATEWAY_TIMEOUT, "upstream_timeout"),
            Failure::FirstTokenTimeout(_) => (GATEWAY_TIMEOUT, FIRST_TOKEN),
            Failure::Deadline(_) => (GATEWAY_TIMEOUT, DEADLINE),
            Failure::Connect(_)
            | Failure::Redirect(_)
            | Failure::Broken(_)
            | Failure::Closed(_) => (StatusCode::BAD_GATEWAY, "upstream_unreachable"),
            Failure::NoName => {
                let (kind, code) = ("not_found_error", "model_not_found");
                return ApiError::new(StatusCode::NOT_FOUND, kind, code, failure.to_string())
                    .param("model");
            }
            Failure::NoStatus(_) | Failure::Coded(_) => {
                (StatusCode::BAD_GATEWAY, "upstream_unreadable")
            }
        };
        ApiError::new(status, KIND, code, failure.to_string())
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        let (status, code) = match error {
            BodyError::NoMemory(error) => return *error,
            BodyError::FirstTokenTimeout(_) => (GATEWAY_TIMEOUT, FIRST_TOKEN),
            BodyError::Silence(_) => (GATEWAY_TIMEOUT, "upstream_silent"),
            BodyError::Deadline(_) => (GATEWAY_TIMEOUT, DEADLINE),
            BodyError::Broken(_) | BodyError::TooLarge(_) => {
                (StatusCode::BAD_GATEWAY, "upstream_broke_off")
            }
        };
        let message = format!("The upstream's answer broke off: {error}.");
        ApiError::new(status, KIND, code, message)
    }
}
