//! Errors in the shape that clients of Anthropic's API read. Whoever makes an error needn't know who reads it: its response carries the
//! error itself, and is written anew before it goes out.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::error::ApiError;
use super::headers::ANTHROPIC_REQUEST_ID;
use super::request_id::RequestId;

/// Gives a response the header, and an error the body, that Anthropic's clients read.
pub fn speak_anthropic(response: &mut Response, id: &RequestId) {
    let headers = response.headers_mut();
    headers.insert(ANTHROPIC_REQUEST_ID, id.header());
    if let Some(error) = response.extensions_mut().remove::<ApiError>() {
        *response.body_mut() = Body::from(body(&error, id));
    }
}

fn body(error: &ApiError, id: &RequestId) -> Vec<u8> {
    let error = json!({
        "type": "error",
        "error": {
            "type": kind(error.status),
            "message": error.short_message(),
            // Anthropic has no such member. It tells one denial from another.
            "code": error.short_code(),
        },
        "request_id": id.to_string(),
    });
    error.to_string().into_bytes()
}

/// Anthropic's word for a status. Events of a stream have the same, of [`wire`](crate::wire::messages::error_kind)'s, which isn't known here;
/// a test of the exchange's compares the two.
fn kind(status: StatusCode) -> &'static str {
    match status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use axum::response::IntoResponse as _;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn an_error_is_told_in_anthropics_words_and_keeps_its_status_and_headers() {
        for (status, word) in [
            (400, "invalid_request_error"),
            (401, "authentication_error"),
            (404, "not_found_error"),
            (405, "invalid_request_error"),
            (413, "request_too_large"),
            (429, "rate_limit_error"),
            (500, "api_error"),
            (502, "api_error"),
            (503, "overloaded_error"),
            (504, "timeout_error"),
            (529, "overloaded_error"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let error = ApiError::new(status, "a", "b", "what \"happened\"").retry_after(7);
            let mut response = error.into_response();
            let id = RequestId::random();
            speak_anthropic(&mut response, &id);
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["retry-after"], "7");
            assert_eq!(response.headers()["request-id"], *id.to_string());
            let body = axum::body::to_bytes(response.into_body(), 1 << 10);
            let body: Value = serde_json::from_slice(&body.await.unwrap()).unwrap();
            let expected = json!({"type": "error", "request_id": id.to_string(),
                "error": {"type": word, "message": "what \"happened\"", "code": "b"}});
            assert_eq!(body, expected);
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_no_error_stays_as_it_is() {
        let mut response = "{}".into_response();
        speak_anthropic(&mut response, &RequestId::random());
        let body = axum::body::to_bytes(response.into_body(), 10);
        assert_eq!(body.await.unwrap(), "{}");
    }
}
