//! Tests over real loopback sockets, with a gateway that does what a request's `x-do` says.

#![expect(clippy::unwrap_used, reason = "a test")]

mod admin;
mod client;
mod crowds;
mod drain;
mod limits;
mod pages;
mod requests;
mod tls;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use futures_util::stream;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::api::{Keys, ModelsAsked, RequestId};
use crate::metrics::Metrics;
use client::{Answer, Client};

/// A gateway that stands in for the exchange.
#[derive(Default)]
struct Fake {
    keys: Keys,
    /// Who may use the admin listener; `op` may change something.
    admins: Keys,
    not_ready: Option<String>,
    /// The signal that `stream`, `slow` and `late` wait for.
    go: Option<Arc<Semaphore>>,
    /// How many reloads were asked for.
    reloads: Arc<AtomicUsize>,
}

impl Fake {
    fn go(&self) -> Arc<Semaphore> {
        Arc::clone(self.go.as_ref().unwrap())
    }
}

async fn wait(go: &Semaphore) {
    go.acquire().await.unwrap().forget();
}

impl Gateway for Fake {
    async fn complete(&self, request: ChatRequest) -> Response {
        self.chat(request).await
    }

    async fn act(&self, request: ChatRequest) -> Response {
        self.chat(request).await
    }

    async fn message(&self, request: ChatRequest) -> Response {
        self.chat(request).await
    }

    async fn count_tokens(&self, request: ChatRequest) -> Response {
        self.chat(request).await
    }

    async fn respond(&self, request: ChatRequest) -> Response {
        self.chat(request).await
    }

    async fn chat(&self, request: ChatRequest) -> Response {
        let ChatRequest {
            parts,
            body,
            caller,
            mut permit,
            ..
        } = request;
        let what = parts.headers.get("x-do").map(|what| what.to_str().unwrap());
        match what {
            // One piece comes at once, one when the test says so. The body holds the permit.
            Some("stream") => {
                let pieces = stream::unfold((0, permit, self.go()), async |(at, permit, go)| {
                    let piece = ["first\n", "last\n"].get(at)?;
                    if at > 0 {
                        wait(&go).await;
                    }
                    let piece = Bytes::from_static(piece.as_bytes());
                    Some((Ok::<_, Infallible>(piece), (at + 1, permit, go)))
                });
                Response::new(Body::from_stream(pieces))
            }
            // The answer is over before the exchange is.
            Some("late") => {
                let go = self.go();
                drop(permit.client_waits());
                tokio::spawn(async move {
                    wait(&go).await;
                    drop(permit);
                });
                Response::new(Body::from("late"))
            }
            // There is no answer before the test says so.
            Some("slow") => {
                wait(&self.go()).await;
                Response::new(Body::from("slow"))
            }
            Some("panic") => panic!("as asked"),
            Some("panic later") => {
                let pieces = stream::unfold((0, permit), async |(at, permit)| {
                    assert!(at == 0, "as asked");
                    let piece = Ok::<_, Infallible>(Bytes::from_static(b"first\n"));
                    tokio::task::yield_now().await;
                    Some((piece, (at + 1, permit)))
                });
                Response::new(Body::from_stream(pieces))
            }
            // Answers with the request's own parts.
            _ => {
                let id: &RequestId = parts.extensions.get().unwrap();
                let principal = caller.principal.as_deref().unwrap_or("nobody");
                Response::new(Body::from(format!("{id} {principal} {}", body.len())))
            }
        }
    }

    fn takes_requests(&self) -> Result<(), ApiError> {
        Ok(())
    }

    async fn models(
        &self,
        asked: ModelsAsked<'_>,
        caller: &Caller,
        _permit: &mut Permit,
    ) -> Response {
        let ModelsAsked { catalog, id, query } = asked;
        let principal = caller.principal.as_deref();
        Response::new(Body::from(format!(
            "{catalog:?} {id:?} {query:?} {principal:?}"
        )))
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        self.keys.authenticate(headers)
    }

    fn admit(
        &self,
        headers: &HeaderMap,
        takes: AdminRole,
    ) -> Result<Option<Arc<str>>, NotAdmitted> {
        let who = self.admins.authenticate(headers)?.principal;
        match (&who, takes) {
            (Some(id), AdminRole::Operator) if **id != *"op" => Err(NotAdmitted::Viewer),
            _ => Ok(who),
        }
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!({"generation": 7})
    }

    async fn reload(&self) -> Result<serde_json::Value, ApiError> {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        if let Some(go) = &self.go {
            wait(go).await;
        }
        Ok(serde_json::json!({"result": "unchanged"}))
    }

    async fn roll_back(&self) -> Result<serde_json::Value, ApiError> {
        let status = http::StatusCode::CONFLICT;
        Err(ApiError::new(
            status,
            "reload_error",
            "nothing_before",
            "there is none",
        ))
    }

    async fn check(&self) -> serde_json::Value {
        if let Some(go) = &self.go {
            wait(go).await;
        }
        serde_json::json!({"ok": true})
    }

    fn ready(&self) -> Result<(), String> {
        self.not_ready.clone().map_or(Ok(()), Err)
    }
}

/// A running traffic listener.
struct Running {
    at: SocketAddr,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
    served: JoinHandle<Drained>,
    go: Arc<Semaphore>,
}

impl Running {
    async fn start(mut gateway: Fake, settings: ServerSettings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (metrics, shutdown) = (Arc::new(Metrics::new()), CancellationToken::new());
        let go = Arc::new(Semaphore::new(0));
        gateway.go = Some(Arc::clone(&go));
        let served = tokio::spawn(serve_traffic(
            listener,
            Arc::new(gateway),
            Arc::clone(&metrics),
            settings,
            shutdown.clone(),
        ));
        Self {
            at,
            metrics,
            shutdown,
            served,
            go,
        }
    }

    async fn plain() -> Self {
        Self::start(Fake::default(), ServerSettings::default()).await
    }

    async fn client(&self) -> Client {
        Client::connect(self.at).await
    }

    /// One request on a connection of its own.
    async fn ask(&self, head: &str) -> Answer {
        self.client().await.ask(head, "").await
    }
}

/// Waits for a future, and fails if it takes longer than any test here should.
async fn soon<F: Future>(what: F) -> F::Output {
    let limit = Duration::from_secs(20);
    tokio::time::timeout(limit, what).await.expect("in time")
}

/// Waits until the condition holds.
async fn until(so: impl Fn() -> bool) {
    soon(async {
        while !so() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn team_a() -> Keys {
    Keys::new([crate::api::Client::with_key(
        Caller::named("team-a"),
        "key-a",
    )])
}
