//! The counters of each target: the waiting for it, the gateway's own share, and why exchanges went on to another target.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
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
}

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
        }
    }

    /// Counts a request that is sent to this target again, after a pause.
    pub fn asked_again(&self) {
        self.again.inc();
    }

    /// Counts an exchange that left this target for the next, or had no next.
    pub fn failover(&self, reason: Failover) {
        self.failovers.add(reason);
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
        drop(family);

        let help = "Requests that were sent to a target again, after a pause.";
        let mut family = encoder.encode_descriptor("retries", help, None, counter)?;
        for (id, target) in targets.iter().filter(|(_, target)| target.again.get() > 0) {
            encode_count(&mut family, &[("target", id.as_str())], target.again.get())?;
        }
        Ok(())
    }
}
