//! The gateway as the listeners see it: each request is given to what answers it.

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use crate::api::{ApiError, Caller, ModelsAsked, Permit, RequestId, Unauthorized};
use crate::control::{BuildError, Controller, ReloadError, Reloaded, Trigger};
use crate::exchange;
use crate::server::{self, ChatRequest};
use crate::wire::{Endpoint, Request};

/// The largest body that is read where it arrives: a tenth of a millisecond at the most.
const AT_ONCE: usize = 64 << 10;

/// What the listeners are given.
pub struct App(pub Arc<Controller>);

impl server::Gateway for App {
    async fn chat(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Chat, admitted).await
    }

    async fn complete(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Completions, admitted).await
    }

    async fn act(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Action, admitted).await
    }

    async fn respond(&self, admitted: ChatRequest) -> Response {
        self.exchange(Endpoint::Responses, admitted).await
    }

    fn takes_requests(&self) -> Result<(), ApiError> {
        self.0.takes_requests().map_err(|why| {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let error = ApiError::new(status, "unavailable", "journal_failed", why);
            error.retry_after(5)
        })
    }

    async fn models(
        &self,
        asked: ModelsAsked<'_>,
        _caller: &Caller,
        permit: &mut Permit,
    ) -> Response {
        let generation = self.0.current();
        match generation.targets().models(asked, &mut permit.charge).await {
            Ok(answer) => answer.map(Body::from),
            Err(error) => error.into_response(),
        }
    }

    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.0.authenticate(headers)
    }

    fn status(&self) -> serde_json::Value {
        self.0.describe()
    }

    async fn reload(&self) -> Result<serde_json::Value, ApiError> {
        let controller = self.0.clone();
        let reload = async move { controller.reload(Trigger::Operator).await };
        Ok(self.result(match to_its_end(reload).await? {
            Reloaded::Swapped(_) => "swapped",
            Reloaded::Unchanged => "unchanged",
        }))
    }

    async fn roll_back(&self) -> Result<serde_json::Value, ApiError> {
        let controller = self.0.clone();
        to_its_end(async move { controller.roll_back().await }).await?;
        Ok(self.result("rolled-back"))
    }

    fn ready(&self) -> Result<(), String> {
        self.0.ready()
    }
}

impl App {
    /// Runs the exchange of a request that came to that endpoint.
    async fn exchange(&self, endpoint: Endpoint, admitted: ChatRequest) -> Response {
        let request = match self.read(endpoint, admitted.body).await {
            Ok(chat) => chat,
            Err(error) => return error.into_response(),
        };
        let generation = self.0.current();
        if let Some(pointer) = request.opaque_part()
            && generation.refuses_opaque_parts()
        {
            return opaque_part(pointer).into_response();
        }
        let parts = admitted.parts;
        let id = parts.extensions.get::<RequestId>().cloned();
        let begin = exchange::Begin {
            id: id.unwrap_or_else(RequestId::random),
            caller: admitted.caller,
            party: admitted.party,
            headers: parts.headers,
            request,
            began: admitted.began,
            permit: admitted.permit,
        };
        let metrics = self.0.services().metrics.clone();
        exchange::begin(generation, metrics, self.0.tasks(), begin).await
    }

    /// Reads a request: a large one off the workers, for which others wait.
    async fn read(&self, endpoint: Endpoint, body: Bytes) -> Result<Request, ApiError> {
        let metrics = &self.0.services().metrics;
        metrics.request_bytes.inc_by(body.len() as u64);
        let large = body.len() > AT_ONCE;
        let read = move || endpoint.read(body);
        let request = if large {
            let read = tokio::task::spawn_blocking(read).await;
            read.expect("reading a request never panics, and is never aborted")
        } else {
            read()
        };
        request.map_err(|bad| {
            let (kind, code) = ("invalid_request_error", "wrong_api_format");
            ApiError::new(StatusCode::BAD_REQUEST, kind, code, bad.message).param(bad.param)
        })
    }

    /// What a change came to, and what runs now.
    fn result(&self, result: &str) -> serde_json::Value {
        let current = self.0.current();
        serde_json::json!({
            "result": result,
            "generation": current.number(),
            "chain": current.name(),
        })
    }
}

/// Runs a change on a task of its own: its client may go away, and a change that has begun must be finished.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, ReloadError>> + Send + 'static,
) -> Result<T, ApiError> {
    let done = tokio::spawn(work).await;
    done.unwrap_or_else(|error| Err(BuildError::Broken(error).into()))
        .map_err(|error| refused(&error))
}

/// Why a request with something that no policy can read doesn't go on.
fn opaque_part(pointer: &str) -> ApiError {
    let message = format!(
        "`{pointer}` is no text, so the policies of this gateway can't read it; send text, or let its operator set `requests: {{opaque_parts: pass}}`"
    );
    let (kind, code) = ("invalid_request_error", "opaque_part");
    ApiError::new(StatusCode::BAD_REQUEST, kind, code, message).param(pointer.to_owned())
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
