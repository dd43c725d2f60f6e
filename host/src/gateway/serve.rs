//! The gateway as the listeners see it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use tokio::time::{Duration, Instant};

use super::{BuildError, By, Gateway, ReloadError, Reloaded};
use crate::exchange;
use crate::server::{
    self, ApiError, BodyLimits, Caller, Permit, RequestId, Unauthorized, read_body,
};
use crate::upstream::{Answer, ErrorBody, Failure};
use crate::wire::chat::Request;

/// The most that is read of a list of models, in bytes, and for how long.
const MODELS: (usize, Duration) = (4 << 20, Duration::from_secs(60));

/// What the listeners are given.
pub struct Front(pub Arc<Gateway>);

impl server::Gateway for Front {
    async fn chat(&self, parts: Parts, body: Body, caller: Caller, permit: Permit) -> Response {
        let began = Instant::now();
        if let Err(why) = self.0.takes_requests() {
            return ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "unavailable",
                "journal_failed",
                why,
            )
            .retry_after(5)
            .into_response();
        }
        let body = match read_body(body, BodyLimits::default()).await {
            Ok(body) => body,
            Err(error) => return ApiError::from(error).into_response(),
        };
        self.0
            .workshop
            .metrics
            .request_bytes
            .inc_by(body.len() as u64);
        let chat = match Request::parse(body) {
            Ok(chat) => chat,
            Err(bad) => {
                return ApiError::new(
                    StatusCode::BAD_REQUEST,
                    "invalid_request_error",
                    "wrong_api_format",
                    bad.message,
                )
                .param(bad.param)
                .into_response();
            }
        };
        let id = parts.extensions.get::<RequestId>().cloned();
        let begin = exchange::Begin {
            id: id.unwrap_or_else(RequestId::random),
            caller,
            headers: parts.headers,
            chat,
            began,
            permit,
        };
        exchange::begin(&self.0, begin).await
    }

    async fn models(&self, id: Option<&str>, query: Option<&str>, _caller: &Caller) -> Response {
        let live = self.0.live();
        let answer = match id {
            None => live.targets().models(query).await,
            Some(id) => live.targets().model(id, query).await,
        };
        match answer {
            Ok(answer) => pass(answer).await,
            Err(failure) => failed(failure),
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.0.live.load().keys().authenticate(headers)
    }

    fn status(&self) -> serde_json::Value {
        self.0.describe()
    }

    async fn reload(&self) -> Result<serde_json::Value, ApiError> {
        let gateway = self.0.clone();
        let reloaded = to_its_end(async move { gateway.reload(By::Operator).await }).await?;
        Ok(self.0.runs(match reloaded {
            Reloaded::Swapped(_) => "swapped",
            Reloaded::Unchanged => "unchanged",
        }))
    }

    async fn roll_back(&self) -> Result<serde_json::Value, ApiError> {
        let gateway = self.0.clone();
        to_its_end(async move { gateway.roll_back().await }).await?;
        Ok(self.0.runs("rolled-back"))
    }

    fn ready(&self) -> Result<(), String> {
        if !self.0.live.load().writes_journal() {
            return Ok(());
        }
        let health = self.0.workshop.journal.health();
        health.map_err(|error| format!("the journal can't be written: {error}"))
    }
}

impl Gateway {
    /// What a change came to, and what runs now.
    fn runs(&self, result: &str) -> serde_json::Value {
        let live = self.live.load();
        serde_json::json!({
            "result": result,
            "generation": live.generation().number(),
            "chain": live.name(),
        })
    }

    /// A journal that fails refuses new requests where a stage that writes to it says `on_error: deny`.
    fn takes_requests(&self) -> Result<(), String> {
        let live = self.live.load();
        if !live.needs_journal() {
            return Ok(());
        }
        let health = self.workshop.journal.health();
        health.map_err(|error| format!("The journal can't be written, and this gateway answers nothing unrecorded: {error}."))
    }
}

/// On a task of its own: whoever asked may go away, and a change that is half made must be made.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ReloadError>> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(BuildError::Broken(error.to_string()).into()))
        .map_err(|error| refused(&error))
}

/// Why nothing changed.
fn refused(error: &ReloadError) -> ApiError {
    let (status, code) = match error {
        ReloadError::Config(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong_configuration"),
        ReloadError::Build(_) => (StatusCode::UNPROCESSABLE_ENTITY, "cannot_be_built"),
        ReloadError::Again(_) => (StatusCode::CONFLICT, "failed_before"),
        ReloadError::NothingBefore => (StatusCode::CONFLICT, "nothing_before"),
    };
    ApiError::new(status, "reload_error", code, error.to_string())
}

async fn pass(answer: Answer) -> Response {
    let (status, headers) = (answer.status, answer.passed_on());
    let (cap, time) = MODELS;
    let body = match answer.whole(cap, time).await {
        Ok(body) => body,
        Err(error) => {
            let why = format!("The upstream's answer broke off: {error}.");
            return ApiError::new(
                StatusCode::BAD_GATEWAY,
                "upstream_error",
                "upstream_broke_off",
                why,
            )
            .into_response();
        }
    };
    if !status.is_success() {
        return said(status, headers, ErrorBody::parse(status.as_u16(), &body));
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn said(status: StatusCode, mut passed_on: HeaderMap, error: ErrorBody) -> Response {
    passed_on.remove(CONTENT_TYPE);
    let error = ApiError::new(status, error.kind, error.code, error.message).param(error.param);
    let mut response = error.into_response();
    response.headers_mut().extend(passed_on);
    response
}

fn failed(failure: Failure) -> Response {
    match failure {
        Failure::Status(failure) => said(
            failure.status,
            crate::upstream::passed_on(&failure.headers),
            failure.error,
        ),
        failure => ApiError::new(
            StatusCode::BAD_GATEWAY,
            "upstream_error",
            "upstream_unreachable",
            failure.to_string(),
        )
        .into_response(),
    }
}
