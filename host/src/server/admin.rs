//! The admin listener: health, readiness, metrics, status; reload, rollback and check.
//!
//! Without tokens in the configuration the loopback address protects it, from other machines and, by [`Pages`], from other sites' pages, or a
//! certificate that clients have to show. With tokens everything but health and readiness, which probes ask for, takes one.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::connections::Connections;
use super::pages::{Pages, one_host};
use super::{Certificate, Gateway, ServerSettings, listen};
use crate::api::ApiError;
use crate::config::AdminRole;
use crate::metrics::{self, Metrics};

/// Reloads and rollbacks that may be under way or wait. Beside them there is always room to ask for health.
const CHANGES: usize = 8;
/// Checks of the targets that may be under way. Each asks all of them.
const CHECKS: usize = 2;

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::admin";

/// The admin routes. A caller may merge in more before giving the router to [`serve_admin`].
pub fn admin_router<G: Gateway>(gateway: Arc<G>, metrics: Arc<Metrics>) -> Router {
    let changes = few(
        CHANGES,
        "As many reloads and rollbacks are under way as may be. Try again when one is over.",
    );
    let checks = few(
        CHECKS,
        "As many checks are under way as may be. Try again when one is over.",
    );
    let render = move |State(gateway): State<Arc<G>>| {
        let text = render(&*gateway, &metrics);
        std::future::ready(text)
    };
    // Who isn't let in takes none of the places.
    let operators = Router::new()
        .route("/reload", post(reload::<G>))
        .route("/rollback", post(roll_back::<G>))
        .route_layer(middleware::from_fn(changes))
        .route(
            "/check",
            post(check::<G>).route_layer(middleware::from_fn(checks)),
        )
        .route_layer(middleware::from_fn(takes(
            gateway.clone(),
            AdminRole::Operator,
        )));
    let viewers = Router::new()
        .route("/status", get(status::<G>))
        .route("/metrics", get(render))
        .route_layer(middleware::from_fn(takes(
            gateway.clone(),
            AdminRole::Viewer,
        )));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready::<G>))
        .merge(viewers)
        .merge(operators)
        .with_state(gateway)
        .fallback(unknown)
}

/// Lets those alone through who show a token for that role, where there are tokens.
fn takes<G: Gateway>(
    gateway: Arc<G>,
    role: AdminRole,
) -> impl Clone + Fn(Request, Next) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> {
    move |request: Request, next: Next| {
        let admitted = gateway.admit(request.headers(), role);
        Box::pin(async move {
            match admitted {
                Ok(who) => {
                    if let (Some(who), AdminRole::Operator) = (who, role) {
                        let what = request.uri().path();
                        tracing::info!(target: LOG, token = &*who, "an operator asks for {what}");
                    }
                    next.run(request).await
                }
                Err(why) => why.into_response(),
            }
        })
    }
}

/// Lets only so many through at once, and tells others this.
fn few(
    places: usize,
    refusal: &'static str,
) -> impl Clone + Fn(Request, Next) -> std::pin::Pin<Box<dyn Future<Output = Response> + Send>> {
    let places = Arc::new(Semaphore::new(places));
    move |request, next| {
        let place = Arc::clone(&places).try_acquire_owned();
        Box::pin(async move {
            match place {
                Ok(_place) => next.run(request).await,
                Err(_) => overloaded(refusal).into_response(),
            }
        })
    }
}

async fn ready<G: Gateway>(State(gateway): State<Arc<G>>) -> Response {
    match gateway.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response(),
    }
}

async fn status<G: Gateway>(State(gateway): State<Arc<G>>) -> Response {
    axum::Json(gateway.status()).into_response()
}

async fn reload<G: Gateway>(State(gateway): State<Arc<G>>) -> Response {
    json_or_error(gateway.reload().await)
}

async fn roll_back<G: Gateway>(State(gateway): State<Arc<G>>) -> Response {
    json_or_error(gateway.roll_back().await)
}

async fn check<G: Gateway>(State(gateway): State<Arc<G>>) -> Response {
    axum::Json(gateway.check().await).into_response()
}

fn json_or_error(done: Result<serde_json::Value, ApiError>) -> Response {
    match done {
        Ok(done) => axum::Json(done).into_response(),
        Err(error) => error.into_response(),
    }
}

fn render(gateway: &impl Gateway, metrics: &Metrics) -> Response {
    gateway.count();
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (kind, metrics.render()).into_response()
}

fn overloaded(message: &'static str) -> ApiError {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    ApiError::new(status, "overloaded", "overloaded", message).retry_after(5)
}

async fn unknown() -> ApiError {
    let message = "There is no such route here. The admin listener answers GET /healthz, /readyz, /metrics and /status, and \
                   POST /reload, /rollback and /check.";
    let status = StatusCode::NOT_FOUND;
    ApiError::new(status, "not_found_error", "unknown_route", message).param("path")
}

/// Serves the admin routes until `shutdown` is cancelled. Cancel it after the traffic listener has drained, so that
/// health and metrics can be read until the end. Where the listener is on loopback, only requests to a loopback host
/// are answered. With a certificate it speaks TLS.
pub async fn serve_admin(
    listener: TcpListener,
    router: Router,
    certificate: Option<Arc<Certificate>>,
    shutdown: CancellationToken,
) {
    let own = listener.local_addr().ok().map(|at| at.ip());
    let pages = Pages::of(own, certificate.is_some(), &[]);
    let guard = move |request: Request, next: Next| {
        let checked = one_host(&request).and_then(|()| match pages.on_loopback() {
            true => pages.check(&request),
            false => Ok(()),
        });
        async move {
            match checked {
                Ok(()) => next.run(request).await,
                Err(error) => error.into_response(),
            }
        }
    };
    let router = router.layer(middleware::from_fn(guard));
    let handler = move |request: Request<hyper::body::Incoming>| {
        let served = router.clone().oneshot(request.map(Body::new));
        async { served.await.unwrap_or_else(|never| match never {}) }
    };
    let settings = ServerSettings {
        certificate,
        max_connections: 64,
        drain_deadline: std::time::Duration::from_secs(1),
        ..ServerSettings::default()
    };
    listen::run(
        listener,
        Connections::new(settings.max_connections, settings.share),
        handler,
        settings,
        shutdown,
        None,
        std::future::ready(()),
    )
    .await;
}
