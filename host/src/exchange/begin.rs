//! How an exchange begins: on the generation that runs then, whose stages and targets it keeps.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use http::{HeaderMap, Response};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use super::client::Client;
use super::driver::Driver;
use super::record::ExchangeRecord;
use super::request::{RequestMeta, RequestState};
use super::stages::Stages;
use super::upstream::TargetsInTurn;
use super::{Ended, Exchange};
use crate::api::headers::USAGE;
use crate::api::{Caller, Party, Permit, RequestId};
use crate::generation::Generation;
use crate::metrics::Metrics;
use crate::wire::Request;

/// What begins an exchange.
pub struct Begin {
    /// In `x-request-id`.
    pub id: RequestId,
    /// Who asks.
    pub caller: Caller,
    /// Whom it is put down to.
    pub party: Party,
    /// The client's headers.
    pub headers: HeaderMap,
    /// The request, read and checked.
    pub request: Request,
    /// When its first byte was there.
    pub began: Instant,
    /// Room for this exchange and all its instances. That its client waits is over when the client has its answer.
    pub permit: Permit,
}

/// Runs an exchange on a generation, up to its response. What is left to do then happens as the body is read, and after that on one of
/// the `tasks`.
pub async fn begin(
    generation: Arc<Generation>,
    metrics: Arc<Metrics>,
    tasks: &TaskTracker,
    mut begin: Begin,
) -> Response<Body> {
    let tells_usage = begin.headers.contains_key(USAGE);
    let meta = RequestMeta {
        id: begin.id.to_string(),
        caller: begin.caller,
        received_at: millis(),
        headers: begin.headers,
        shown: generation.config().headers.clone(),
        targets: Some(generation.targets().clone()),
        pricing: generation.config().pricing.clone(),
        turns: begin.permit.turns.clone(),
    };
    let bridge = begin.request.bridge().cloned();
    let request = Arc::new(RequestState::new(meta, begin.request));
    let (chain, guard) = (generation.chain(), generation.exchanges().begin());
    let stages = Stages::new(chain.stages(), chain.answers(), guard, request);
    let label = generation.label().clone();
    let waits = begin.permit.client_waits();
    let after = tasks.clone();
    let run = |sink| async move {
        let exchange = Exchange {
            upstream: TargetsInTurn(generation.targets().clone()),
            stages,
            client: Client::new(sink, label, bridge).telling_usage(tells_usage),
            record: ExchangeRecord::new(begin.began, generation.config().pricing.clone()),
            metrics,
            permit: begin.permit,
        };
        let Ended { stages, permit, .. } = exchange.run().await;
        if let Some(probation) = generation.probation() {
            for (stage, failed) in stages.called() {
                probation.count(stage, &begin.party, failed);
            }
        }
        let entries = stages.into_entries();
        // The room goes back when the instances have gone, and the last exchange of a generation takes it along.
        let over = move || drop((generation, permit));
        if entries.is_empty() {
            return over();
        }
        // Whoever waits for the disk waits without all that an exchange is made of.
        after.spawn(async move {
            entries.written().await;
            over();
        });
    };
    Driver::new(tasks, waits, run).response().await
}

/// Milliseconds since 1970.
pub(super) fn millis() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
