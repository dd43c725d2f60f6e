//! The counters of each target: the waiting for it, the gateway's own share, and why exchanges went on to another target.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::encode_count;
use super::histogram::{Histogram, OVERHEAD_BOUNDS, UPSTREAM_BOUNDS};
use super::labels::Failover;
use super::live::WeakHandles;
use super::stage::Counts;

/// The counters of one target.
#[derive(Debug)]
pub struct TargetMetrics {
    /// From sending a request to its first byte of answer.
    pub first_byte: Histogram,
    /// From sending a request to its last byte of answer.
    pub total: Histogram,
    /// Wall time of an exchange in the gateway, minus waiting on the target.
    pub overhead: Histogram,
    failovers: Counts<Failover, 5>,
    again: Counter,
    hedges: Counter,
    hedges_won: Counter,
    /// Tokens of requests that were not cached, that were, and of answers.
    tokens: [Counter; 3],
    /// What they cost, in millionths of the currency.
    cost_micros: Counter,
    /// Exchanges whose tokens have no price.
    unpriced: Counter,
    trips: Counter,
    open: Gauge,
}

/// What [`TargetMetrics::used`] counts, in its order.
const TOKENS: [&str; 3] = ["input", "cached_input", "output"];

impl TargetMetrics {
    /// Counters that no metric shows, for an answer that no target gave.
    pub fn unregistered() -> Self {
        Self::new()
    }

    pub(super) fn new() -> Self {
        Self {
            first_byte: Histogram::new(UPSTREAM_BOUNDS),
            total: Histogram::new(UPSTREAM_BOUNDS),
            overhead: Histogram::new(OVERHEAD_BOUNDS),
            failovers: Counts::default(),
            again: Counter::default(),
            hedges: Counter::default(),
            hedges_won: Counter::default(),
            tokens: Default::default(),
            cost_micros: Counter::default(),
            unpriced: Counter::default(),
            trips: Counter::default(),
            open: Gauge::default(),
        }
    }

    /// Counts a request that is sent to this target again, after a pause.
    pub fn asked_again(&self) {
        self.again.inc();
    }

    /// Counts a request that was sent once more because this target's answer was late.
    pub fn hedged(&self) {
        self.hedges.inc();
    }

    /// Counts one of these that was answered sooner than this target did.
    pub fn hedge_won(&self) {
        self.hedges_won.inc();
    }

    /// How many there were, and how many of them were answered sooner.
    pub fn hedges(&self) -> (u64, u64) {
        (self.hedges.get(), self.hedges_won.get())
    }

    /// Counts a breaker that opened.
    pub fn breaker_opened(&self) {
        self.trips.inc();
        self.open.set(1);
    }

    /// Notes that it closed.
    pub fn breaker_closed(&self) {
        self.open.set(0);
    }

    /// Counts an exchange that left this target for the next, or had no next.
    pub fn failover(&self, reason: Failover) {
        self.failovers.add(reason);
    }

    /// Counts the tokens of an exchange (of the request not cached, of the request cached, of the answer) and what they cost, in millionths of the
    /// currency; `None` where they have no price.
    pub fn used(&self, tokens: [u64; 3], cost_micros: Option<u64>) {
        for (counter, tokens) in self.tokens.iter().zip(tokens) {
            counter.inc_by(tokens);
        }
        match cost_micros {
            Some(cost) => self.cost_micros.inc_by(cost),
            None => self.unpriced.inc(),
        };
    }
}

/// Writes every living target's counters.
#[derive(Debug)]
pub(super) struct TargetCollector(pub(super) Arc<WeakHandles<TargetMetrics>>);

impl Collector for TargetCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let targets = self.0.all();
        if targets.is_empty() {
            return Ok(());
        }

        type Pick = fn(&TargetMetrics) -> &Histogram;
        let histograms: [(&str, &str, Pick); 3] = [
            (
                "upstream_first_byte",
                "From sending a request to a target to the first byte of its answer.",
                |target| &target.first_byte,
            ),
            (
                "upstream",
                "From sending a request to a target to the last byte of its answer.",
                |target| &target.total,
            ),
            (
                "overhead",
                "Wall time of an exchange in the gateway, minus waiting on the target.",
                |target| &target.overhead,
            ),
        ];
        for (name, help, pick) in histograms {
            let (unit, kind) = (Some(&Unit::Seconds), MetricType::Histogram);
            let mut family = encoder.encode_descriptor(name, help, unit, kind)?;
            for (id, target) in &targets {
                let histogram = pick(target);
                if !histogram.is_empty() {
                    histogram.encode(family.encode_family(&[("target", id.as_str())])?)?;
                }
            }
        }

        let help = "Exchanges that left a target, by reason.";
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor("failovers", help, None, counter)?;
        for (id, target) in &targets {
            for (reason, count) in target.failovers.iter().filter(|(_, count)| *count > 0) {
                let labels = [("target", id.as_str()), ("reason", reason)];
                encode_count(&mut family, &labels, count)?;
            }
        }

        let help = "Requests that were sent to a target again, after a pause.";
        let mut family = encoder.encode_descriptor("retries", help, None, counter)?;
        for (id, target) in targets.iter().filter(|(_, target)| target.again.get() > 0) {
            encode_count(&mut family, &[("target", id.as_str())], target.again.get())?;
        }

        let hedged = || targets.iter().filter(|(_, target)| target.hedges.get() > 0);
        let help = "Requests that were sent once more because a target's answer was late.";
        let mut family = encoder.encode_descriptor("hedges", help, None, counter)?;
        for (id, target) in hedged() {
            encode_count(&mut family, &[("target", id.as_str())], target.hedges.get())?;
        }
        let help = "Those of them that were answered sooner than the target did.";
        let mut family = encoder.encode_descriptor("hedges_won", help, None, counter)?;
        for (id, target) in hedged() {
            let won = target.hedges_won.get();
            encode_count(&mut family, &[("target", id.as_str())], won)?;
        }

        let help = "Tokens that targets counted, by kind.";
        let mut family = encoder.encode_descriptor("tokens", help, None, counter)?;
        for (id, target) in &targets {
            for (kind, count) in TOKENS.iter().zip(&target.tokens) {
                let labels = [("target", id.as_str()), ("kind", kind)];
                encode_count(&mut family, &labels, count.get())?;
            }
        }
        let help = "What these tokens cost, in the currency of the prices.";
        let mut family = encoder.encode_descriptor("cost", help, None, counter)?;
        for (id, target) in &targets {
            let cost = target.cost_micros.get() as f64 / 1e6;
            let exemplar: Option<&Exemplar<NoLabelSet, f64>> = None;
            family
                .encode_family(&[("target", id.as_str())])?
                .encode_counter(&cost, exemplar)?;
        }
        let help = "Exchanges whose tokens have no price.";
        let mut family = encoder.encode_descriptor("unpriced", help, None, counter)?;
        for (id, target) in &targets {
            encode_count(
                &mut family,
                &[("target", id.as_str())],
                target.unpriced.get(),
            )?;
        }

        let tripped = || targets.iter().filter(|(_, target)| target.trips.get() > 0);
        let help = "How often a target's breaker opened.";
        let mut family = encoder.encode_descriptor("target_breaker_trips", help, None, counter)?;
        for (id, target) in tripped() {
            encode_count(&mut family, &[("target", id.as_str())], target.trips.get())?;
        }

        let help = "Whether a target's breaker is open: it is asked last.";
        let gauge = MetricType::Gauge;
        let mut family = encoder.encode_descriptor("target_breaker_open", help, None, gauge)?;
        for (id, target) in tripped() {
            let labels = [("target", id.as_str())];
            target.open.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}
