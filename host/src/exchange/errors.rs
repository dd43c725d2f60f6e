//! What a client is told where it gets no answer.

use http::StatusCode;

use crate::api::ApiError;
use crate::policy::Class;
use crate::policy::types::Denial;
use crate::wire::dialect::ErrorEvent;
use crate::wire::parameters::Refused;

/// The status of a denial, or that it would have if nothing of the answer had gone out.
pub(super) fn status_of(denial: &Denial) -> StatusCode {
    let status = denial
        .status
        .and_then(|status| StatusCode::from_u16(status).ok());
    status.unwrap_or(StatusCode::FORBIDDEN)
}

/// A denial: the status that it may have, and whether trying again makes sense.
pub(super) fn denied(stage: &str, denial: &Denial) -> ApiError {
    let status = status_of(denial);
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

/// A request that its target would refuse, in the target's words.
pub(super) fn unfit(Refused(says): Refused) -> ApiError {
    let (kind, code) = ("invalid_request_error", "wrong_api_format");
    ApiError::new(StatusCode::BAD_REQUEST, kind, code, says).param("validation_error")
}

/// A stage's failure under `on_error: deny`.
pub(super) fn failed(stage: &str, class: Class) -> ApiError {
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

/// An answer of the upstream's in which something can't be read. `why` says what and where, and nothing that the upstream said.
pub(super) fn unreadable(why: &impl std::fmt::Display) -> ApiError {
    let message = format!("The upstream's answer can't be read: {why}.");
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream_error",
        "upstream_unreadable",
        message,
    )
}

/// The upstream ended a stream with an error of which it said nothing that is known here.
pub(super) fn said() -> ApiError {
    ApiError::new(
        StatusCode::BAD_GATEWAY,
        "upstream_error",
        "upstream_error",
        "The upstream ended its answer with an error.",
    )
}

/// No target takes the request.
pub(super) fn no_target(why: String) -> ApiError {
    let status = StatusCode::NOT_FOUND;
    ApiError::new(status, "not_found_error", "model_not_found", why).param("model")
}

/// The same error in the middle of a stream.
pub(super) fn event(error: &ApiError) -> ErrorEvent<'_> {
    ErrorEvent {
        status: error.status.as_u16(),
        message: &error.message,
        kind: &error.kind,
        param: &error.param,
        code: &error.code,
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse as _;

    use super::*;
    use crate::api::{RequestId, speak_anthropic};
    use crate::wire::messages::error_kind;

    #[tokio::test]
    async fn an_error_is_of_one_kind_whether_a_stream_ends_with_it_or_it_is_the_answer() {
        for status in 400..600 {
            let code = StatusCode::from_u16(status).expect("a status");
            let mut answer = ApiError::new(code, "a", "b", "c").into_response();
            speak_anthropic(&mut answer, &RequestId::random());
            let body = axum::body::to_bytes(answer.into_body(), 1 << 10).await;
            let body: serde_json::Value =
                serde_json::from_slice(&body.expect("it was made here")).expect("JSON");
            assert_eq!(body["error"]["type"], error_kind(status), "{status}");
        }
    }
}
