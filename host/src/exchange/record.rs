//! What is known of an exchange, each fact written where it is learned. At the end it becomes the outcome that `on-complete` reads.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::assembled::stopped;
use super::stream::StreamFacts;
use super::translate::usage_for_policy;
use crate::config::{Price, PricingConfig};
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
    /// Why the choices ended, by choice.
    finishes: Vec<(u32, String)>,
    usage: Option<Usage>,
    first_delta: Option<Instant>,
    deltas: u64,
    /// A target answered, or a stage did.
    answered: bool,
    /// Time in which the upstream was waited for.
    waited: Duration,
    counted: Option<Arc<TargetMetrics>>,
    pricing: PricingConfig,
    /// What the tokens of the model that answers cost.
    price: Option<Price>,
}

impl ExchangeRecord {
    /// `began`: when the request's first byte was there.
    /// `pricing`: what tokens cost.
    pub(super) fn new(began: Instant, pricing: PricingConfig) -> Self {
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
            pricing,
            price: None,
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
        self.price = self.pricing.models.get(&*answer.model).copied();
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
    pub(super) fn synthesized(&mut self, deltas: u64, finishes: Vec<(u32, String)>) {
        self.deltas += deltas;
        self.finishes = finishes;
    }

    /// A whole answer was read.
    pub(super) fn whole(&mut self, answer: &WholeAnswer) {
        self.first_delta = Some(Instant::now());
        self.usage = answer.usage().map(usage_for_policy);
        self.finishes = answer.finishes().to_vec();
        if let Some(model) = answer.model() {
            self.model = Some(model.to_owned());
        }
    }

    /// So many deltas of a whole answer went through the stages, which finished these choices.
    pub(super) fn filtered(&mut self, deltas: u64, finished: &[u32]) {
        self.deltas += deltas;
        for choice in finished {
            stopped(&mut self.finishes, *choice);
        }
    }

    /// What a stream says that it took, before the client is told that it is over.
    pub(super) fn used(&mut self, facts: &StreamFacts) {
        self.usage = facts.usage.map(usage_for_policy);
    }

    /// A stream was read, to its end or not.
    pub(super) fn streamed(&mut self, facts: &StreamFacts, deltas: u64) {
        self.deltas += deltas;
        self.used(facts);
        self.finishes.clone_from(&facts.finishes);
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
            if let Some(usage) = &self.usage {
                counted.used(priced(usage), self.cost_micros());
            }
        }
    }

    /// What the tokens cost, as far as they are known and have a price, in millionths of the currency.
    fn cost_micros(&self) -> Option<u64> {
        let [input, cached, output] = priced(self.usage.as_ref()?);
        Some(self.price?.of(input, cached, output))
    }

    /// What the exchange took, once that is known.
    pub(super) fn took(&self) -> Option<Took> {
        let usage = self.usage?;
        let cost_micros = self.cost_micros();
        Some(Took { usage, cost_micros })
    }

    /// How long ago the exchange began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// In the order of choices: that in which they finish depends on how a stream was cut.
    fn finish_reasons(&self) -> Vec<String> {
        let mut finishes = self.finishes.clone();
        finishes.sort_by_key(|(choice, _)| *choice);
        finishes.into_iter().map(|(_, finish)| finish).collect()
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
            finish_reasons: self.finish_reasons(),
            tokens: self.usage,
            cost_micros: self.cost_micros(),
            stages,
            tags,
            deltas: self.deltas,
            sent_bytes,
            first_delta_us: self.first_delta.map(|at| micros(at - self.began)),
            total_us: micros(total),
        }
    }
}

/// What an exchange took of its target. As text, it is what a client is told that asks.
#[derive(Clone, Copy)]
pub(super) struct Took {
    usage: Usage,
    cost_micros: Option<u64>,
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [input, cached, output] = priced(&self.usage);
        let reasoning = self.usage.reasoning_tokens;
        write!(
            f,
            "input={input}, cached-input={cached}, output={output}, reasoning={reasoning}"
        )?;
        match self.cost_micros {
            Some(cost) => write!(f, ", cost-micros={cost}"),
            None => Ok(()),
        }
    }
}

/// The tokens as prices know them: of the request not cached, of the request cached, of the answer.
fn priced(usage: &Usage) -> [u64; 3] {
    let input = usage.prompt_tokens.saturating_sub(usage.cached_tokens);
    [input, usage.cached_tokens, usage.completion_tokens].map(u64::from)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_choice_that_a_stage_finished_has_stopped_whatever_the_upstream_says() {
        let body = r#"{"choices":[
            {"index":0,"message":{"content":"now"},"finish_reason":"length"},
            {"index":1,"message":{"content":"never"},"finish_reason":"length"}]}"#;
        let answer = WholeAnswer::parse(body.into()).expect("an answer");
        let mut record = ExchangeRecord::new(Instant::now(), PricingConfig::default());
        record.whole(&answer);
        record.filtered(2, &[0]);
        assert_eq!(record.finish_reasons(), ["stop", "length"]);
    }
}
