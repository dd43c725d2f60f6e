//! The traffic listener: what stands between a client's request and the exchange.
//!
//! Checked in this order, so that cheap refusals come first: the one host, the route, the client's key, the page that sent it, the
//! body's type, room for one more exchange. Then the body is read; and only when it is in, the exchange takes its permit. Every answer
//! made here or by the gateway carries the request's id and is counted.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::body::{BodyLimits, Reader, discard};
use super::connections::Connections;
use super::listen::Peer;
use super::packing::Packing;
use super::pages::{Pages, one_host};
use super::reading::Reading;
use super::routes::{self, Route};
use super::{ChatRequest, Gateway, ServerSettings, listen};
use crate::api::headers::REQUEST_ID;
use crate::api::{
    ApiError, Caller, Catalog, Memory, ModelsAsked, Party, Permits, RequestId, Unauthorized,
    speak_anthropic,
};
use crate::metrics::Metrics;

/// The connections and exchanges that were left when the traffic listener's time to drain was over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were dropped.
    pub connections: usize,
    /// Exchanges that were not over when `serve_traffic` returned.
    pub exchanges: usize,
}

/// Serves clients until `shutdown` is cancelled. From then on connections close after the answer at hand. After
/// [`ServerSettings::linger`] the listener is closed, and running exchanges finish. After [`ServerSettings::drain_deadline`] what still runs is
/// dropped.
pub async fn serve_traffic<G: Gateway>(
    listener: TcpListener,
    gateway: Arc<G>,
    metrics: Arc<Metrics>,
    settings: ServerSettings,
    shutdown: CancellationToken,
) -> Drained {
    let (share, refused) = (settings.share, metrics.exchanges_refused.clone());
    let permits = Permits::new(
        settings.max_exchanges,
        share,
        metrics.exchanges_running.clone(),
        metrics.exchanges_open.clone(),
        refused.clone(),
    )
    .taking(settings.turns.clone())
    .patient(settings.room_wait);
    let open = metrics.connections.clone();
    let own = listener.local_addr().ok().map(|at| at.ip());
    let used = metrics.memory.clone();
    let connections = Connections::new(settings.max_connections, share);
    let traffic = Arc::new(Traffic {
        gateway,
        permits: permits.clone(),
        memory: Memory::new(settings.max_memory, share, used, refused),
        reading: Reading::new(settings.max_reading, share, metrics.bodies_reading.clone()),
        pages: Pages::of(own, settings.certificate.is_some(), &settings.origins),
        body: settings.body,
        connections: Arc::clone(&connections),
        reader_patience: settings.write_timeout,
        metrics,
    });
    let handler = move |request: Request<Incoming>| {
        let traffic = Arc::clone(&traffic);
        async move { traffic.answer(request.map(Body::new)).await }
    };
    let idle = permits.all_back();
    let connections = listen::run(
        listener,
        connections,
        handler,
        settings,
        shutdown,
        Some(open),
        idle,
    )
    .await;
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
    memory: Memory,
    reading: Reading,
    pages: Pages,
    body: BodyLimits,
    connections: Arc<Connections>,
    /// How long a client may leave an answer unread.
    reader_patience: Duration,
}

impl<G: Gateway> Traffic<G> {
    async fn answer(&self, mut request: Request<Body>) -> Response {
        let id = RequestId::random();
        request.extensions_mut().insert(id.clone());
        // The exchange takes the whole request, and the path is needed besides. A clone of the URI shares its text.
        let uri = request.uri().clone();
        let route = Route::find(request.method(), uri.path());
        let endpoint = route.endpoint();
        let told = self.pages.told(request.headers());

        // After a panic nothing of the request is used again. The gateway's own state bears the loss of a request at any await
        // anyway, because clients go away.
        let mut team = None;
        let served = AssertUnwindSafe(self.serve(route, request, &mut team)).catch_unwind();
        let mut response = served.await.unwrap_or_else(|_| {
            tracing::error!(request = %id, "a handler panicked; this is a defect of the gateway's");
            self.metrics.panics.inc();
            let message = "The gateway failed on this request. That is a defect; its log says more under the id in \
                           the header x-request-id.";
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            ApiError::new(status, "server_error", "internal_error", message).into_response()
        });

        if routes::speaks_anthropic(uri.path()) {
            speak_anthropic(&mut response, &id);
        }
        response.headers_mut().insert(REQUEST_ID, id.header());
        response.headers_mut().extend(told.unwrap_or_default());
        self.metrics.request(endpoint, response.status());
        if let Some(team) = &team {
            self.metrics.team_request(team, response.status());
        }
        response
    }

    /// `team`: whose request it is, as soon as that is known.
    async fn serve(
        &self,
        route: Route<'_>,
        request: Request<Body>,
        team: &mut Option<Arc<str>>,
    ) -> Response {
        if let Err(error) = one_host(&request) {
            return refuse(error, request).await;
        }
        if let Some(answer) = self.pages.preflight(&request) {
            return answer;
        }
        match route {
            Route::Chat
            | Route::Completions
            | Route::Action
            | Route::Messages
            | Route::CountTokens
            | Route::Responses => match self.admit(request, team).await {
                Ok(request) => self.run(&route, request).await,
                Err(response) => response,
            },
            Route::Models(catalog, model) => {
                // Apart: few ask for it, and every request would keep room for it.
                Box::pin(self.models(catalog, model.as_deref(), request, team)).await
            }
            Route::Warming => warm(),
            refused => {
                let (method, path) = (request.method(), request.uri().path());
                let error = match refused {
                    Route::WrongMethod { allow } => routes::wrong_method(method, path, allow),
                    Route::NotOffered => routes::not_offered(path),
                    Route::Unsupported => routes::unsupported(path),
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

    /// Answers a request that was let in.
    async fn run(&self, route: &Route<'_>, request: ChatRequest) -> Response {
        match route {
            Route::Completions => self.gateway.complete(request).await,
            Route::Action => self.gateway.act(request).await,
            Route::Messages => self.gateway.message(request).await,
            Route::CountTokens => self.gateway.count_tokens(request).await,
            Route::Responses => self.gateway.respond(request).await,
            _ => self.gateway.chat(request).await,
        }
    }

    /// Lets a request for a completion in, and reads it; or refuses it.
    async fn admit(
        &self,
        request: Request<Body>,
        team: &mut Option<Arc<str>>,
    ) -> Result<ChatRequest, Response> {
        let began = Instant::now();
        let known = self.gateway.authenticate(request.headers()).await;
        let (caller, party) = match self.let_in(&request, known) {
            Ok(known) => known,
            Err(error) => return Err(refuse(error, request).await),
        };
        team.clone_from(&caller.team);
        let takes = Packing::of(request.headers(), &caller).and_then(|packing| {
            self.gateway.takes_requests()?;
            self.has_permit(&party)?;
            Ok(packing)
        });
        let packing = match takes {
            Ok(packing) => packing,
            Err(error) => return Err(refuse(error, request).await),
        };
        let (parts, mut body) = request.into_parts();
        let mut charge = self.memory.charge(&party);
        let reader = Reader::new(self.body, &self.reading, &party, &mut charge);
        let bytes = match reader.read(&mut body).await {
            Ok(bytes) => bytes,
            Err(why) => {
                if why.is_still_coming() {
                    discard(&mut body).await;
                }
                return Err(ApiError::from(why).into_response());
            }
        };
        let mut permit = match self.permits.acquire(&party) {
            Ok(permit) => permit,
            Err(overloaded) => return Err(overloaded.into_response()),
        };
        permit.charge = charge;
        if let Err(overloaded) = self.permits.enter(&mut permit).await {
            return Err(overloaded.into_response());
        }
        Ok(ChatRequest {
            parts,
            body: bytes,
            packing,
            most: self.body.size,
            caller,
            party,
            began,
            permit,
        })
    }

    async fn models(
        &self,
        catalog: Catalog,
        id: Option<&str>,
        request: Request<Body>,
        team: &mut Option<Arc<str>>,
    ) -> Response {
        let known = self.gateway.authenticate(request.headers()).await;
        let (caller, party) = match self.let_in(&request, known) {
            Ok(known) => known,
            Err(error) => return refuse(error, request).await,
        };
        team.clone_from(&caller.team);
        // A list of models waits for an upstream as an exchange does, so it takes a permit as an exchange does.
        let mut permit = match self.permits.acquire(&party) {
            Ok(permit) => permit,
            Err(overloaded) => return refuse(overloaded, request).await,
        };
        permit.charge = self.memory.charge(&party);
        let query = request.uri().query();
        let asked = ModelsAsked { catalog, id, query };
        self.gateway.models(asked, &caller, &mut permit).await
    }

    /// Whether an exchange could begin now. Where as many run as may, and somebody hardly reads an answer, that one gives way: so the next
    /// try finds room.
    fn has_permit(&self, party: &Party) -> Result<(), ApiError> {
        let has = self.permits.check(party);
        if has
            .as_ref()
            .is_err_and(|error| error.status == StatusCode::SERVICE_UNAVAILABLE)
        {
            self.connections.hurry(self.reader_patience);
        }
        has
    }

    /// Lets in who sent a request. Without keys the address alone protects the listener, so pages are kept out of it.
    fn let_in(
        &self,
        request: &Request<Body>,
        caller: Result<Caller, Unauthorized>,
    ) -> Result<(Caller, Party), Refusal> {
        let caller = caller?;
        if caller.principal.is_none() && self.pages.on_loopback() {
            self.pages.check(request)?;
        }
        let peer = request.extensions().get().map(|Peer(address)| *address);
        let party = Party::of(&caller, peer);
        Ok((caller, party))
    }
}

/// A request isn't let in.
enum Refusal {
    Unauthorized(Unauthorized),
    Other(ApiError),
}

impl From<Unauthorized> for Refusal {
    fn from(why: Unauthorized) -> Self {
        Refusal::Unauthorized(why)
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        Refusal::Other(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Refusal::Unauthorized(why) => why.into_response(),
            Refusal::Other(error) => error.into_response(),
        }
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
