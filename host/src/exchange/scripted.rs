//! An exchange with a script in the upstream's place, and a client that reads it to its end: what is served, without a socket.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::begin::millis;
use super::client::Client;
use super::driver::receive;
use super::passages::StageId;
use super::record::ExchangeRecord;
use super::request::{RequestMeta, RequestState};
use super::stages::Stages;
use super::upstream::{NoAnswer, Upstream};
use super::{Ended, Exchange};
use crate::api::{Caller, Permit, Turns};
use crate::config::PricingConfig;
use crate::generation::ExchangeCounter;
use crate::metrics::{Hook, Metrics};
use crate::policy::types::{Account, Ending};
use crate::policy::{Chain, Failure};
use crate::upstream::Answer;
use crate::wire::Request;

const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";
/// What the client is told of a chain that isn't one yet.
const CHAIN: HeaderValue = HeaderValue::from_static("0");

/// A request, and what the upstream says to it.
pub struct Script {
    /// The request.
    pub request: Request,
    /// What stands for the target's id.
    pub target: &'static str,
    /// Who asks.
    pub caller: Caller,
    /// The client's headers, all of which the stage may read.
    pub headers: HeaderMap,
    /// The answer's body as it comes, piece by piece: a stream of events where the request asks for one.
    pub answer: Vec<Bytes>,
}

/// What came of a scripted exchange.
#[derive(Debug)]
pub struct Played {
    /// How it ended.
    pub ended: Ending,
    /// What each stage did, in the chain's order.
    pub accounts: Vec<Account>,
    /// The first call that failed of the first stage of which one did, and how.
    pub failure: Option<(Hook, Failure)>,
    /// The request that went upstream, if one did.
    pub sent: Option<Request>,
    /// The headers of what the client got.
    pub told: HeaderMap,
    /// What the client got, if that was no error. `None` within: it was longer than it may be.
    pub body: Option<Option<Bytes>>,
}

/// Plays a script through a chain. The client reads at most so many bytes; then it leaves. Dropped, it ends at once. Runs
/// guests: not for a runtime worker.
pub async fn play(chain: &Chain, script: Script, most: usize) -> Played {
    let meta = RequestMeta {
        id: REQUEST_ID.into(),
        caller: script.caller,
        received_at: millis(),
        shown: script
            .headers
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect(),
        headers: script.headers,
        targets: None,
        pricing: PricingConfig::default(),
        turns: Turns::default(),
    };
    let request = Arc::new(RequestState::new(meta, script.request));
    // It doesn't serve yet, and so there is none whose time to drain may be over.
    let guard = ExchangeCounter::new().begin();
    let stages = Stages::new(chain.stages(), chain.answers(), guard, request);
    let sent: Arc<Mutex<Option<Request>>> = Arc::default();
    let asked = sent.clone();
    let run = |sink| async move {
        let exchange = Exchange {
            upstream: Answers {
                target: script.target,
                answer: script.answer,
                sent: sent.clone(),
            },
            stages,
            // It reads what upstreams speak, whatever the endpoint.
            client: Client::new(sink, CHAIN, None),
            record: ExchangeRecord::new(Instant::now(), PricingConfig::default()),
            metrics: Arc::new(Metrics::new()),
            permit: Permit::unbound(),
        };
        let Ended {
            ended, mut stages, ..
        } = exchange.run().await;
        let accounts = stages.accounts();
        let failed = |stage| stages.first_failure(StageId(stage)).cloned();
        let failure = (0..accounts.len()).find_map(failed);
        stages.into_entries().written().await;
        (ended, accounts, failure)
    };
    let (received, (ended, accounts, failure)) = receive(run, most).await;
    Played {
        ended,
        accounts,
        failure,
        sent: asked.lock().take(),
        told: received.headers,
        body: received.status.is_success().then_some(received.body),
    }
}

/// What stands in the upstream's place.
struct Answers {
    target: &'static str,
    answer: Vec<Bytes>,
    /// What it was asked.
    sent: Arc<Mutex<Option<Request>>>,
}

impl Upstream for Answers {
    async fn ask(&self, request: &RequestState) -> Result<Answer, NoAnswer> {
        let kind = if request.body.stream() {
            HeaderValue::from_static("text/event-stream")
        } else {
            HeaderValue::from_static("application/json")
        };
        *self.sent.lock() = Some(request.body.clone());
        Ok(Answer::scripted(
            self.target,
            request.body.model(),
            kind,
            self.answer.clone(),
        ))
    }
}
