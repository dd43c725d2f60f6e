//! HTTP towards clients: two listeners, their limits, routes and shutdown.
//!
//! - [`serve_traffic`] takes clients' requests and hands them to a [`Gateway`], which answers them.
//! - [`serve_admin`] answers for health, metrics and status.
//!
//! What must stay true: no client can hold a place for ever, nor keep others from theirs. Each phase of a connection has a limit; the
//! numbers of connections, of bodies being read and of exchanges have one, and so have the bytes that exchanges take and the time to
//! drain. What is slow gives way, and no caller takes all of anything.

mod admin;
mod bind;
mod body;
mod certificate;
mod connection;
mod connections;
mod inherited;
mod listen;
mod packing;
mod pages;
mod patience;
mod phase;
mod reading;
mod routes;
mod secured;
#[cfg(test)]
mod tests;
mod traffic;

use std::time::Duration;

use std::sync::Arc;

use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue};
use tokio::time::Instant;

use crate::api::{
    ApiError, Caller, ModelsAsked, NotAdmitted, Party, Permit, ROOM_WAIT, Share, Turns,
    Unauthorized,
};
use crate::config::AdminRole;

pub use admin::{admin_router, serve_admin};
pub use bind::{ADMIN_ADDRESS, BindError, TRAFFIC_ADDRESS, bind};
pub use body::BodyLimits;
pub use certificate::{Certificate, CertificateError, CertificateFiles};
pub use inherited::{InheritError, Inherited};
pub use packing::Packing;
pub use traffic::{Drained, serve_traffic};

/// The request of a completion of any kind, let in and read.
#[derive(Debug)]
pub struct ChatRequest {
    /// Its head. A [`crate::api::RequestId`] is in the extensions.
    pub parts: Parts,
    /// Its body as it came, within the limits of the listener.
    pub body: Bytes,
    /// What it is packed in.
    pub packing: Packing,
    /// The most bytes that it may have when it is unpacked.
    pub most: usize,
    /// Who sent it.
    pub caller: Caller,
    /// Whom what it takes is put down to.
    pub party: Party,
    /// When its head was there.
    pub began: Instant,
    /// Held until the exchange is over, which is after the answer's last byte.
    pub permit: Permit,
}

/// The gateway behind the listeners.
pub trait Gateway: Send + Sync + 'static {
    /// Runs the exchange of `POST /v1/chat/completions`. When the client goes away, the future or the answer's body is dropped.
    fn chat(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// The same for `POST /v1/completions`.
    fn complete(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// The same for `POST /v1/actions/text-completion`.
    fn act(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// The same for `POST /anthropic/v1/messages`.
    fn message(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// Answers `POST /anthropic/v1/messages/count_tokens`. No upstream is asked.
    fn count_tokens(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// The same for `POST /v1/responses`.
    fn respond(&self, request: ChatRequest) -> impl Future<Output = Response> + Send;

    /// Whether requests for completions are taken at all. Asked before the body is read.
    ///
    /// # Errors
    ///
    /// What the client is told.
    fn takes_requests(&self) -> Result<(), ApiError>;

    /// Lists the models, or shows one.
    fn models(
        &self,
        asked: ModelsAsked<'_>,
        caller: &Caller,
        permit: &mut Permit,
    ) -> impl Future<Output = Response> + Send;

    /// Finds the client that sent a request. Every request is checked anew, because the clients change with the
    /// configuration.
    ///
    /// # Errors
    ///
    /// When clients are configured, and the request carries no key of theirs and no token that says who they are. It may wait for the keys
    /// that tokens are checked with.
    fn authenticate(
        &self,
        headers: &HeaderMap,
    ) -> impl Future<Output = Result<Caller, Unauthorized>> + Send;

    /// Lets somebody in at the admin listener, for what takes that role, and says who it is. `None`: anyone is let in there. Asked with every
    /// request anew, because the tokens change with the configuration.
    ///
    /// # Errors
    ///
    /// When there are tokens, and the request carries none of them, or one that isn't enough.
    fn admit(&self, headers: &HeaderMap, takes: AdminRole)
    -> Result<Option<Arc<str>>, NotAdmitted>;

    /// Brings the metrics up to date that nobody counts before they are asked for.
    fn count(&self) {}

    /// What `/status` shows.
    fn status(&self) -> serde_json::Value;

    /// Reads the configuration and its components again, as `POST /reload` asks. The answer tells the result.
    ///
    /// # Errors
    ///
    /// Why nothing has changed.
    fn reload(&self) -> impl Future<Output = Result<serde_json::Value, ApiError>> + Send;

    /// Goes back to the chain that ran before. The answer says what runs now.
    ///
    /// # Errors
    ///
    /// Why nothing has changed.
    fn roll_back(&self) -> impl Future<Output = Result<serde_json::Value, ApiError>> + Send;

    /// Asks every target for its models with each of its keys, and says what came of it.
    fn check(&self) -> impl Future<Output = serde_json::Value> + Send;

    /// Whether requests can be served.
    ///
    /// # Errors
    ///
    /// The reason why not, as a sentence for `/readyz`.
    fn ready(&self) -> Result<(), String>;
}

/// The limits of a listener.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// What the listener shows in a TLS handshake. Without one it speaks in the clear.
    pub certificate: Option<Arc<Certificate>>,
    /// Connections that may be open. One more takes the place of one that is idle; where none is, it waits in the system's queue.
    pub max_connections: usize,
    /// Exchanges that may run. One request more is answered 503 at once.
    pub max_exchanges: u32,
    /// Bodies that may be read at once. For one more, the one that has been coming for the longest gives way.
    pub max_reading: u32,
    /// The bytes that all exchanges together may take with their bodies. Past it a request is answered 503.
    pub max_memory: u64,
    /// How long a request waits for the room of exchanges that complete. After it, it is answered 503.
    pub room_wait: Duration,
    /// The turns in which large requests and answers are read.
    pub turns: Turns,
    /// What one client or address may have of each of these.
    pub share: Share,
    /// The limits of a request's body.
    pub body: BodyLimits,
    /// Origins whose pages may use the listener, as browsers write them.
    pub origins: Arc<[HeaderValue]>,
    /// Bytes that a request's head may have. A larger head is answered 431, and so are more than 100 headers.
    pub max_head: usize,
    /// How long a request's head may take from its first byte, or on a new connection from its beginning.
    pub head_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// The least that a client must take of an answer that is there, in bytes a second on the average.
    pub read_rate: u32,
    /// How long new connections and requests are still taken after shutdown began.
    pub linger: Duration,
    /// How long running exchanges have to finish after that.
    pub drain_deadline: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            certificate: None,
            max_connections: 4096,
            max_exchanges: 512,
            max_reading: 1024,
            max_memory: 1 << 30,
            room_wait: ROOM_WAIT,
            turns: Turns::default(),
            share: Share::default(),
            body: BodyLimits::default(),
            origins: Arc::default(),
            max_head: 64 << 10,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            read_rate: 1 << 10,
            linger: Duration::ZERO,
            drain_deadline: Duration::from_secs(30),
        }
    }
}
