//! The admin listener: health, readiness, metrics, status; reload and rollback.
//!
//! It has no keys: only the loopback address protects it. Any web page can lead a browser on the same machine there, so a
//! request must name a loopback host, and may not come from another site's page.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode, Uri, header};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Gateway, ServerSettings, listen};
use crate::api::ApiError;
use crate::metrics::{self, Metrics};

/// The admin routes. A caller may merge in more before giving the router to [`serve_admin`].
pub fn admin_router<G: Gateway>(gateway: Arc<G>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready::<G>))
        .route("/status", get(status::<G>))
        .route("/reload", post(reload::<G>))
        .route("/rollback", post(roll_back::<G>))
        .with_state(gateway)
        .route("/metrics", get(render).with_state(metrics))
        .fallback(unknown)
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

fn json_or_error(done: Result<serde_json::Value, ApiError>) -> Response {
    match done {
        Ok(done) => axum::Json(done).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn render(State(metrics): State<Arc<Metrics>>) -> Response {
    let kind = [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)];
    (kind, metrics.render()).into_response()
}

async fn unknown() -> ApiError {
    let message = "There is no such route here. The admin listener answers GET /healthz, /readyz, /metrics and /status, and \
                   POST /reload and /rollback.";
    let status = StatusCode::NOT_FOUND;
    ApiError::new(status, "not_found_error", "unknown_route", message).param("path")
}

/// Serves the admin routes until `shutdown` is cancelled. Cancel it after the traffic listener has drained, so that
/// health and metrics can be read until the end. Where the listener is on loopback, only requests to a loopback host
/// are answered.
pub async fn serve_admin(listener: TcpListener, router: Router, shutdown: CancellationToken) {
    let on_loopback = listener.local_addr().is_ok_and(|at| at.ip().is_loopback());
    let router = if on_loopback {
        router.layer(middleware::from_fn(loopback_only))
    } else {
        router
    };
    let handler = move |request: Request<hyper::body::Incoming>| {
        let served = router.clone().oneshot(request.map(Body::new));
        async { served.await.unwrap_or_else(|never| match never {}) }
    };
    let settings = ServerSettings {
        max_connections: 64,
        drain_deadline: std::time::Duration::from_secs(1),
        ..ServerSettings::default()
    };
    listen::run(
        listener,
        handler,
        settings,
        shutdown,
        None,
        std::future::ready(()),
    )
    .await;
}

async fn loopback_only(request: Request, next: Next) -> Response {
    match check(request.uri(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// A page that rebinds its own name to 127.0.0.1 still sends that name as `host`. A page that posts here says where
/// it is from in `origin`.
fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), ApiError> {
    let refuse = |code: &'static str, message: &'static str| {
        let status = StatusCode::FORBIDDEN;
        Err(ApiError::new(status, "invalid_request_error", code, message).param("host"))
    };
    let host = headers.get(header::HOST).map(|host| host.to_str());
    let hosts = [uri.authority().map(|at| Ok(at.as_str())), host];
    for host in hosts.into_iter().flatten() {
        if !host.is_ok_and(is_loopback) {
            let message = "The admin listener answers only to localhost, 127.0.0.1 and [::1].";
            return refuse("wrong_host", message);
        }
    }
    if let Some(origin) = headers.get(header::ORIGIN) {
        let host = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.split_once("://"));
        if !host.is_some_and(|(_, host)| is_loopback(host)) {
            let message = "The admin listener takes no requests from other sites' pages.";
            return refuse("wrong_origin", message);
        }
    }
    Ok(())
}

/// Whether a `host[:port]` is one of this machine's own names.
fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn asked(name: header::HeaderName, value: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        check(&Uri::from_static("/status"), &headers).is_ok()
    }

    #[test]
    fn only_loopback_names_are_answered() {
        for host in [
            "localhost",
            "LocalHost:41003",
            "127.0.0.1:41003",
            "127.0.0.1",
            "[::1]:1",
            "[::1]",
        ] {
            assert!(asked(header::HOST, host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:41003",
            "localhost.evil.example",
            "127.0.0.1.evil.example:41003",
            "evil.example:127.0.0.1",
            "192.168.0.1",
            "",
        ] {
            assert!(!asked(header::HOST, host), "{host}");
        }
    }

    #[test]
    fn the_host_in_the_request_line_counts_too() {
        let uri = Uri::from_static("http://evil.example/status");
        check(&uri, &HeaderMap::new()).unwrap_err();
        let uri = Uri::from_static("http://127.0.0.1:41003/status");
        check(&uri, &HeaderMap::new()).unwrap();
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        assert!(asked(header::ORIGIN, "http://localhost:41003"));
        for origin in [
            "https://evil.example",
            "null",
            "http://localhost.evil.example",
        ] {
            assert!(!asked(header::ORIGIN, origin), "{origin}");
        }
    }
}
