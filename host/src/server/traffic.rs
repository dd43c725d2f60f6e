//! The traffic listener: what stands between a client's request and the exchange.
//!
//! Checked in this order, so that cheap refusals come first: the route, the client's key, room for one more exchange.
//! Every answer made here or by the gateway carries the request's id and is counted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::body::discard;
use super::routes::{self, Route};
use super::{Gateway, ServerSettings, listen};
use crate::api::headers::REQUEST_ID;
use crate::api::{ApiError, Permits, RequestId};
use crate::metrics::Metrics;

/// The connections and exchanges that were left when the traffic listener's time to drain was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were dropped.
    pub connections: usize,
    /// Exchanges that had not given their permit back when `serve_traffic` returned.
    pub exchanges: usize,
}

/// Serves clients until `shutdown` is cancelled. Then the listener is closed, running exchanges finish, and
/// connections close after the answer at hand. After [`ServerSettings::drain_deadline`] what still runs is dropped.
pub async fn serve_traffic<G: Gateway>(
    listener: TcpListener,
    gateway: Arc<G>,
    metrics: Arc<Metrics>,
    settings: ServerSettings,
    shutdown: CancellationToken,
) -> Drained {
    let permits = Permits::new(
        settings.max_exchanges,
        metrics.exchanges_running.clone(),
        metrics.exchanges_refused.clone(),
    );
    let open = metrics.connections.clone();
    let traffic = Arc::new(Traffic {
        gateway,
        metrics,
        permits: permits.clone(),
    });
    let handler = move |request: Request<Incoming>| {
        let traffic = Arc::clone(&traffic);
        async move { traffic.answer(request.map(Body::new)).await }
    };
    let idle = permits.all_back();
    let connections = listen::run(listener, handler, settings, shutdown, Some(open), idle).await;
    let exchanges = permits.taken();
    if connections + exchanges > 0 {
        tracing::warn!(
            connections,
            exchanges,
            "the time to drain was over; what was left was dropped"
        );
    }
    Drained {
        connections,
        exchanges,
    }
}

struct Traffic<G> {
    gateway: Arc<G>,
    metrics: Arc<Metrics>,
    permits: Permits,
}

impl<G: Gateway> Traffic<G> {
    async fn answer(&self, mut request: Request<Body>) -> Response {
        let id = RequestId::random();
        request.extensions_mut().insert(id.clone());
        // The exchange takes the whole request, and the path is needed besides. A clone of the URI shares its text.
        let uri = request.uri().clone();
        let route = Route::find(request.method(), uri.path());
        let endpoint = route.endpoint();

        // After a panic nothing of the request is used again. The gateway's own state bears the loss of a request at any await
        // anyway, because clients go away.
        let served = AssertUnwindSafe(self.serve(route, request)).catch_unwind();
        let mut response = served.await.unwrap_or_else(|_| {
            tracing::error!(request = %id, "a handler panicked; this is a defect of the gateway's");
            self.metrics.panics.inc();
            let message = "The gateway failed on this request. That is a defect; its log says more under the id in \
                           the header x-request-id.";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            ApiError::new(status, "server_error", "internal_error", message).into_response()
        });

        response.headers_mut().insert(REQUEST_ID, id.header());
        self.metrics.request(endpoint, response.status());
        response
    }

    async fn serve(&self, route: Route<'_>, request: Request<Body>) -> Response {
        match route {
            Route::Chat => self.chat(request).await,
            Route::Models(model) => self.models(model.as_deref(), request).await,
            Route::Warming => warm(),
            refused => {
                let (method, path) = (request.method(), request.uri().path());
                let error = match refused {
                    Route::WrongMethod { allow } => routes::wrong_method(method, path, allow),
                    Route::NotOffered => routes::not_offered(path),
                    Route::BadId => routes::bad_id(),
                    _ => routes::unknown(path),
                };
                let mut response = refuse(error, request).await;
                if let Route::WrongMethod { allow } = refused {
                    let allow = HeaderValue::from_static(allow);
                    response.headers_mut().insert(header::ALLOW, allow);
                }
                response
            }
        }
    }

    async fn chat(&self, request: Request<Body>) -> Response {
        let caller = match self.gateway.authenticate(request.headers()) {
            Ok(caller) => caller,
            Err(why) => return refuse(why, request).await,
        };
        let permit = match self.permits.acquire() {
            Ok(permit) => permit,
            Err(overloaded) => return refuse(overloaded, request).await,
        };
        let (parts, body) = request.into_parts();
        self.gateway.chat(parts, body, caller, permit).await
    }

    async fn models(&self, id: Option<&str>, request: Request<Body>) -> Response {
        let caller = match self.gateway.authenticate(request.headers()) {
            Ok(caller) => caller,
            Err(why) => return refuse(why, request).await,
        };
        // A list of models waits for an upstream as an exchange does, so it takes a permit as an exchange does.
        let _permit = match self.permits.acquire() {
            Ok(permit) => permit,
            Err(overloaded) => return refuse(overloaded, request).await,
        };
        self.gateway
            .models(id, request.uri().query(), &caller)
            .await
    }
}

/// Cerebras' SDKs call this whenever a client is made, and give up after a second.
fn warm() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (json, "{}").into_response()
}

/// Refuses a request, after reading what its client is sending of the body: see [`discard`].
async fn refuse(error: impl IntoResponse, request: Request<Body>) -> Response {
    let (parts, mut body) = request.into_parts();
    if !body.is_end_stream() && !waits_to_be_asked(&parts.headers) {
        discard(&mut body).await;
    }
    error.into_response()
}

/// Whether the client sends no body before it is told to. Reading the body would tell it.
fn waits_to_be_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::EXPECT)
}
