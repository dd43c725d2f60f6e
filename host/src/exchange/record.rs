//! What is known of an exchange, each fact written where it is learned. At the end it becomes the outcome that `on-complete` reads.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::stream::StreamFacts;
use super::translate::usage_for_policy;
use crate::metrics::TargetMetrics;
use crate::policy::Outcome;
use crate::policy::types::{Account, Ending, Usage};
use crate::upstream::{Answer, AskFailed};
use crate::wire;
use crate::wire::choices::whole::WholeAnswer;

/// The value of `x-witgate-target` where a stage answered.
const BY_POLICY: &str = "policy";

/// The facts of one exchange.
pub(super) struct ExchangeRecord {
    began: Instant,
    target: Option<String>,
    model: Option<String>,
    status: Option<u16>,
    finishes: Vec<String>,
    usage: Option<Usage>,
    first_delta: Option<Instant>,
    deltas: u64,
    /// A target answered, or a stage did.
    answered: bool,
    /// Time in which the upstream was waited for.
    waited: Duration,
    counted: Option<Arc<TargetMetrics>>,
}

impl ExchangeRecord {
    /// `began`: when the request's first byte was there.
    pub(super) fn new(began: Instant) -> Self {
        ExchangeRecord {
            began,
            target: None,
            model: None,
            status: None,
            finishes: Vec::new(),
            usage: None,
            first_delta: None,
            deltas: 0,
            answered: false,
            waited: Duration::ZERO,
            counted: None,
        }
    }

    /// Who answered or, where nobody did, who was asked first.
    pub(super) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// How many pieces of text the answer came in; where no stage sees it, events of a stream.
    pub(super) fn deltas(&self) -> u64 {
        self.deltas
    }

    /// The upstream was waited for since then.
    pub(super) fn waited_since(&mut self, since: Instant) {
        self.waited += since.elapsed();
    }

    /// A target's answer has begun.
    pub(super) fn answered(&mut self, answer: &Answer) {
        self.answered = true;
        self.target = Some(answer.target.to_string());
        self.model = Some(answer.model.to_string());
        self.status = Some(answer.status.as_u16());
        self.counted = Some(answer.metrics.clone());
    }

    /// No target answered.
    pub(super) fn unanswered(&mut self, failed: &AskFailed) {
        self.target = Some(failed.target.to_string());
        self.status = failed.failure.status().map(|status| status.as_u16());
    }

    /// A stage answers in the model's place.
    pub(super) fn responded(&mut self) {
        self.answered = true;
        self.target = Some(BY_POLICY.to_owned());
        self.usage = Some(usage_for_policy(wire::Usage::default()));
        self.first_delta = Some(Instant::now());
    }

    /// What came out of a stage's own answer.
    pub(super) fn synthesized(&mut self, deltas: u64, finishes: Vec<String>) {
        self.deltas += deltas;
        self.finishes = finishes;
    }

    /// A whole answer was read.
    pub(super) fn whole(&mut self, answer: &WholeAnswer) {
        self.first_delta = Some(Instant::now());
        self.usage = answer.usage().map(usage_for_policy);
        let finishes = answer.finishes().iter();
        self.finishes = finishes.map(|(_, finish)| finish.clone()).collect();
        if let Some(model) = answer.model() {
            self.model = Some(model.to_owned());
        }
    }

    /// So many deltas of a whole answer went through the stages.
    pub(super) fn filtered(&mut self, deltas: u64) {
        self.deltas += deltas;
    }

    /// A stream was read, to its end or not.
    pub(super) fn streamed(&mut self, facts: &StreamFacts, deltas: u64) {
        self.deltas += deltas;
        self.usage = facts.usage.map(usage_for_policy);
        let finishes = facts.finishes.iter();
        self.finishes = finishes.map(|(_, finish)| finish.clone()).collect();
        self.first_delta = facts.first_delta;
        if let Some(model) = &facts.model {
            self.model = Some(model.clone());
        }
    }

    /// Counts, at the end, what the exchange took of the target's time and of the gateway's own.
    pub(super) fn observe(&self, total: Duration) {
        if let Some(counted) = &self.counted {
            counted.total.observe(self.waited);
            counted.overhead.observe(total.saturating_sub(self.waited));
        }
    }

    /// How long ago the exchange began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// What the stages are told at the end.
    pub(super) fn outcome(
        &self,
        ended: Ending,
        sent_bytes: u64,
        total: Duration,
        stages: Vec<Account>,
        tags: Vec<(String, String)>,
    ) -> Outcome {
        Outcome {
            ended,
            model: self.model.clone(),
            target: self.target.clone().filter(|_| self.answered),
            status: self.status,
            finish_reasons: self.finishes.clone(),
            tokens: self.usage,
            stages,
            tags,
            deltas: self.deltas,
            sent_bytes,
            first_delta_us: self.first_delta.map(|at| micros(at - self.began)),
            total_us: micros(total),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
