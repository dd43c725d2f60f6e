//! The exchange: one request and its answer, from first byte to last. Here wire and policy meet, and nowhere else.
//!
//! - [`run`] is the story, in the order of the contract: request, targets, answer, completion.
//! - [`passages`] takes text through the stages, with holding back and replacing; [`stream`] and [`whole`] are its two wires, and
//!   [`respond`] the answer that a stage gives itself.
//! - [`stages`] asks the stages, and [`part`] keeps what is each one's own: its instance, and what it did; [`request`] is what they
//!   see of the request.
//! - [`sending`] is a stream's client side; [`driver`] is how an exchange lives in its response, and outlives it.
//! - [`sample`] runs the exchanges that a policy ships beside itself, before it serves.

mod driver;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod heads;
mod part;
mod passages;
mod request;
mod respond;
mod run;
pub mod sample;
mod sending;
mod stages;
mod stream;
mod whole;

#[cfg(any(test, fuzzing))]
pub(crate) use {fuzz::answer, passages::fuzz::hold_back};

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::{HeaderMap, Response};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::api::{Caller, Permit, RequestId};
use crate::generation::Generation;
use crate::metrics::Metrics;
use crate::wire::chat::Request;

/// What begins an exchange.
pub struct Begin {
    /// In `x-request-id`.
    pub id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The request, read and checked.
    pub chat: Request,
    /// When its first byte was there.
    pub began: Instant,
    /// Room for this exchange and all its instances.
    pub permit: Permit,
}

/// Runs an exchange on that generation, up to its response. What is left to do then happens as the body is read, and after that on
/// one of `tasks`.
pub async fn begin(
    live: Arc<Generation>,
    metrics: Arc<Metrics>,
    tasks: &TaskTracker,
    begin: Begin,
) -> Response<Body> {
    let facts = request::Facts {
        id: begin.id.to_string(),
        principal: begin.caller.principal.as_deref().map(str::to_owned),
        received_at: millis(),
        headers: begin.headers,
        targets: Some(live.targets().clone()),
    };
    let asked = Arc::new(request::Asked {
        facts: Arc::new(facts),
        chat: begin.chat,
        allowed: None,
    });
    let exchange = run::Exchange {
        stages: stages::Stages::new(
            live.chain().stages(),
            live.exchanges().begin(),
            asked.clone(),
        ),
        metrics,
        live,
        request: asked,
        began: begin.began,
        permit: begin.permit,
    };
    driver::Driver::new(tasks, |out| exchange.run(out))
        .response()
        .await
}

fn millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
