//! Response heads and error answers of an exchange.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::passages::StageId;
use super::stages::Stages;
use crate::api::ApiError;
use crate::api::headers::{CHAIN, POLICIES, TAGS, TARGET};
use crate::generation::Generation;
use crate::policy::types::Denial;

/// The value of `x-witgate-target` where a stage answered.
pub(super) const BY_POLICY: &str = "policy";

/// What a response tells of the chain. `target`: who answered, once that is known.
pub(super) fn told(
    headers: &mut HeaderMap,
    live: &Generation,
    stages: &Stages,
    target: Option<&str>,
) {
    let mut put = |name: HeaderName, value: &str| {
        // Ids, verdicts and tags are names; a value that can't be a header isn't sent.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    if let Some(target) = target {
        put(TARGET, target);
    }
    let verdicts = stages.verdicts();
    if !verdicts.is_empty() {
        put(POLICIES, &verdicts);
    }
    let tags: Vec<String> = stages
        .tags()
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if !tags.is_empty() {
        put(TAGS, &tags.join(", "));
    }
    headers.insert(CHAIN, live.label().clone());
}

/// The head of a stream.
pub(super) fn stream(passed_on: HeaderMap) -> Response<()> {
    let mut response = Response::new(());
    *response.headers_mut() = passed_on;
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A whole answer in JSON.
pub(super) fn json(status: StatusCode, passed_on: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = passed_on;
    let headers = response.headers_mut();
    headers
        .entry(CONTENT_TYPE)
        .or_insert(HeaderValue::from_static("application/json"));
    response
}

/// An error answer.
pub(super) fn error(error: ApiError) -> Response<Bytes> {
    error.into_http().map(Bytes::from)
}

/// What a denial looks like: the status it may have, and whether trying again makes sense.
pub(super) fn denied(stage: &str, denial: &Denial) -> ApiError {
    let status = denial
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or(StatusCode::FORBIDDEN);
    let error = ApiError::new(
        status,
        "policy_denied",
        denial.code.clone(),
        denial.message.clone(),
    );
    let error = error.param(stage.to_owned());
    match (status, denial.retry_after) {
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, Some(seconds)) => {
            error.retry_after(seconds)
        }
        (_, Some(seconds)) => error.retry_after(seconds).should_retry(false),
        _ => error.should_retry(false),
    }
}

/// What a stage's failure looks like under `on_error: deny`.
pub(super) fn failed(stages: &Stages, stage: StageId) -> ApiError {
    let (stage, class) = stages.failure(stage);
    let message = format!(
        "The policy `{stage}` failed ({class}), and this gateway doesn't go on without it."
    );
    ApiError::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "policy_failed",
        class.as_str(),
        message,
    )
    .param(stage.to_owned())
    .should_retry(false)
}

/// An error in mid-stream, as Cerebras words them.
pub(super) fn event(error: &ApiError) -> Bytes {
    let body = serde_json::json!({
        "status_code": error.status.as_u16(),
        "error": {
            "message": error.message,
            "type": error.kind,
            "param": error.param,
            "code": error.code,
            "id": "",
        },
    });
    crate::wire::sse::event(body.to_string().as_bytes())
}
