//! HTTP towards clients: two listeners, their limits, routes and shutdown.
//!
//! - [`serve_traffic`] takes clients' requests and hands them to a [`Gateway`], which answers them.
//! - [`serve_admin`] answers for health, metrics and status.
//!
//! What must stay true: no client can hold a place for ever. Each phase of a connection has a limit, the number of
//! connections and of exchanges has one, and so has the time to drain.

mod admin;
mod bind;
mod body;
mod connection;
mod listen;
mod phase;
mod routes;
#[cfg(test)]
mod tests;
mod traffic;

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::HeaderMap;
use http::request::Parts;

use crate::api::{ApiError, Caller, Permit, Unauthorized};

pub use admin::{admin_router, serve_admin};
pub use bind::{ADMIN_ADDRESS, BindError, TRAFFIC_ADDRESS, bind};
pub use body::{BodyLimits, RequestBodyError, read_body};
pub use traffic::{Drained, serve_traffic};

/// The gateway behind the listeners.
pub trait Gateway: Send + Sync + 'static {
    /// Runs the exchange of `POST /v1/chat/completions`. A [`crate::api::RequestId`] is in the extensions of `parts`. The body is
    /// as the client sent it, of any size: [`read_body`] bounds it. The permit is held until the exchange is over,
    /// which is after the answer's last byte. When the client goes away, the future or the answer's body is dropped.
    fn chat(
        &self,
        parts: Parts,
        body: Body,
        caller: Caller,
        permit: Permit,
    ) -> impl Future<Output = Response> + Send;

    /// Lists the models, or shows the model of this id (decoded). `query` is as the client sent it.
    fn models(
        &self,
        id: Option<&str>,
        query: Option<&str>,
        caller: &Caller,
    ) -> impl Future<Output = Response> + Send;

    /// Finds the client that sent a request. Every request is checked anew, because the clients change with the
    /// configuration.
    ///
    /// # Errors
    ///
    /// When clients are configured, and the request carries no key of theirs.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized>;

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

    /// Whether requests can be served.
    ///
    /// # Errors
    ///
    /// The reason why not, as a sentence for `/readyz`.
    fn ready(&self) -> Result<(), String>;
}

/// The limits of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Connections that may be open. More wait in the system's queue.
    pub max_connections: usize,
    /// Exchanges that may run. One request more is answered 503 at once.
    pub max_exchanges: u32,
    /// Bytes that a request's head may have. A larger head is answered 431, and so are more than 100 headers.
    pub max_head: usize,
    /// How long a request's head may take from its first byte, or on a new connection from its beginning.
    pub head_timeout: Duration,
    /// How long a connection may be idle between requests.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// How long running exchanges have to finish after shutdown began.
    pub drain_deadline: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            max_connections: 4096,
            max_exchanges: 512,
            max_head: 64 << 10,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(60),
            drain_deadline: Duration::from_secs(30),
        }
    }
}
