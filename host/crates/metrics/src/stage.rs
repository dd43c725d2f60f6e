//! The counters of each stage. The chain takes one handle for each stage when it is built; every count afterwards is an
//! atomic addition at a fixed place.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Unit;

use super::encode_count;
use super::histogram::{HOOK_BOUNDS, Histogram};
use super::labels::{EditKind, FailureClass, Hook, HttpOutcome, Label, VerdictKind};
use super::live::WeakHandles;
use super::named::Named;

/// The counters of one stage.
#[derive(Debug)]
pub struct StageMetrics {
    /// Its decisions that were carried out.
    pub decisions: Decisions,
    /// Its decisions in shadow, which were only recorded.
    pub shadow_decisions: Decisions,
    failures: [Counts<FailureClass, 9>; 6],
    durations: [Histogram; 6],
    /// What it asked by the grant `http`.
    asked: Counts<HttpOutcome, 5>,
    breakers_open: AtomicU64,
    breaker_trips: AtomicU64,
    broken_promises: AtomicU64,
    /// What it reported, by code.
    findings: Named,
    /// What it counts itself.
    counts: Named,
    /// Shared by all stages.
    instances_live: Gauge,
    /// Shared by all stages.
    instances_created: Counter,
}

impl StageMetrics {
    pub(super) fn new(instances_live: Gauge, instances_created: Counter) -> Self {
        Self {
            decisions: Decisions::default(),
            shadow_decisions: Decisions::default(),
            failures: Default::default(),
            durations: std::array::from_fn(|_| Histogram::new(HOOK_BOUNDS)),
            asked: Counts::default(),
            breakers_open: AtomicU64::new(0),
            breaker_trips: AtomicU64::new(0),
            broken_promises: AtomicU64::new(0),
            findings: Named::default(),
            counts: Named::default(),
            instances_live,
            instances_created,
        }
    }

    /// Counters that no metric shows, for a stage that is tested and doesn't serve.
    pub fn unregistered() -> Self {
        Self::new(Gauge::default(), Counter::default())
    }

    /// Counts a new instance.
    pub fn instance_created(&self) {
        self.instances_created.inc();
        self.instances_live.inc();
    }

    /// Notes that an instance was dropped.
    pub fn instance_dropped(&self) {
        self.instances_live.dec();
    }

    /// Counts a failed call.
    pub fn failure(&self, hook: Hook, class: FailureClass) {
        self.failures[hook.index()].add(class);
    }

    /// Counts a breaker that opened. While generations drain, a stage may have more than one breaker.
    pub fn breaker_opened(&self) {
        self.breakers_open.fetch_add(1, Relaxed);
        self.breaker_trips.fetch_add(1, Relaxed);
    }

    /// Notes that an open breaker closed or was dropped.
    pub fn breaker_closed(&self) {
        self.breakers_open.fetch_sub(1, Relaxed);
    }

    /// Counts a time when the stage, in shadow, said something of a text that its interest would have kept from it.
    pub fn broke_promise(&self) {
        self.broken_promises.fetch_add(1, Relaxed);
    }

    /// Counts what it found, under the finding's code.
    pub fn found(&self, code: &str, count: u32) {
        self.findings.add(code, count.into());
    }

    /// Counts what it counts itself, under its own name for it.
    pub fn count(&self, name: &str, count: u64) {
        self.counts.add(name, count);
    }

    /// How many calls of that hook there were, and how long they took together.
    pub fn calls(&self, hook: Hook) -> (u64, Duration) {
        let durations = &self.durations[hook.index()];
        let seconds = Duration::try_from_secs_f64(durations.sum());
        (durations.count(), seconds.unwrap_or_default())
    }

    /// What it found, by code.
    pub fn findings(&self) -> Vec<(Box<str>, u64)> {
        self.findings.all()
    }

    /// Counts what came of a request that it made.
    pub fn asked(&self, outcome: HttpOutcome) {
        self.asked.add(outcome);
    }

    /// Counts how long a call took, awaited imports included.
    #[inline]
    pub fn observe(&self, hook: Hook, took: Duration) {
        self.durations[hook.index()].observe(took);
    }
}

/// The decisions of a stage, counted.
#[derive(Debug, Default)]
pub struct Decisions {
    verdicts: Counts<VerdictKind, 4>,
    edits: Counts<EditKind, 5>,
}

impl Decisions {
    /// Counts its verdict on a request.
    #[inline]
    pub fn verdict(&self, verdict: impl Into<VerdictKind>) {
        self.verdicts.add(verdict.into());
    }

    /// Counts its edit of a delta.
    #[inline]
    pub fn edit(&self, edit: impl Into<EditKind>) {
        self.edits.add(edit.into());
    }

    fn is_empty(&self) -> bool {
        let mut verdicts = self.verdicts.iter();
        let mut edits = self.edits.iter();
        verdicts.all(|(_, count)| count == 0) && edits.all(|(_, count)| count == 0)
    }
}

/// A counter for each value of a label.
#[derive(Debug)]
pub(super) struct Counts<L, const N: usize> {
    counts: [AtomicU64; N],
    label: std::marker::PhantomData<L>,
}

impl<L: Label, const N: usize> Default for Counts<L, N> {
    fn default() -> Self {
        const { assert!(L::ALL.len() == N, "a counter for each value") };
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            label: std::marker::PhantomData,
        }
    }
}

impl<L: Label, const N: usize> Counts<L, N> {
    #[inline]
    pub(super) fn add(&self, label: L) {
        self.counts[label.index()].fetch_add(1, Relaxed);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts.iter().map(|count| count.load(Relaxed));
        L::ALL.iter().map(|label| label.word()).zip(counts)
    }
}

/// Writes every living stage's counters.
#[derive(Debug)]
pub(super) struct StageCollector(pub(super) Arc<WeakHandles<StageMetrics>>);

impl Collector for StageCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let stages = self.0.all();
        if stages.is_empty() {
            return Ok(());
        }
        let counter = MetricType::Counter;

        let decisions = stages
            .iter()
            .map(|(id, stage)| (id.as_str(), &stage.decisions));
        let names = [
            ("verdicts", "Requests that a stage judged, by verdict."),
            ("edits", "Deltas that a stage judged, by edit."),
        ];
        encode_decisions(&mut encoder, names, decisions)?;

        let decisions = stages
            .iter()
            .map(|(id, stage)| (id.as_str(), &stage.shadow_decisions));
        let decisions = decisions.filter(|(_, decisions)| !decisions.is_empty());
        let names = [
            (
                "shadow_verdicts",
                "Requests that a stage judged in shadow, by verdict.",
            ),
            (
                "shadow_edits",
                "Deltas that a stage judged in shadow, by edit.",
            ),
        ];
        encode_decisions(&mut encoder, names, decisions)?;

        let help = "Calls of a stage that failed, by hook and class.";
        let mut family = encoder.encode_descriptor("stage_failures", help, None, counter)?;
        for (id, stage) in &stages {
            for (hook, classes) in Hook::ALL.iter().zip(&stage.failures) {
                for (class, count) in classes.iter().filter(|(_, count)| *count > 0) {
                    let (stage, hook) = (id.as_str(), hook.as_str());
                    let labels = [("stage", stage), ("hook", hook), ("class", class)];
                    encode_count(&mut family, &labels, count)?;
                }
            }
        }

        let tripped = stages.iter().filter_map(|(id, stage)| {
            let trips = stage.breaker_trips.load(Relaxed);
            (trips > 0).then(|| (id, stage.breakers_open.load(Relaxed), trips))
        });
        let tripped: Vec<_> = tripped.collect();
        if !tripped.is_empty() {
            let help = "How often a stage's breaker opened.";
            let mut family = encoder.encode_descriptor("breaker_trips", help, None, counter)?;
            for (id, _, trips) in &tripped {
                encode_count(&mut family, &[("stage", id.as_str())], *trips)?;
            }
            let help = "A stage's breakers that are open.";
            let mut family =
                encoder.encode_descriptor("breakers_open", help, None, MetricType::Gauge)?;
            for (id, open, _) in &tripped {
                let labels = [("stage", id.as_str())];
                let mut gauge = family.encode_family(&labels)?;
                gauge.encode_gauge(&i64::try_from(*open).unwrap_or(i64::MAX))?;
            }
        }

        let broken = stages.iter().filter_map(|(id, stage)| {
            let times = stage.broken_promises.load(Relaxed);
            (times > 0).then_some((id, times))
        });
        let broken: Vec<_> = broken.collect();
        if !broken.is_empty() {
            let help =
                "How often a stage in shadow acted on what its interest says doesn't matter to it.";
            let mut family = encoder.encode_descriptor("broken_interests", help, None, counter)?;
            for (id, times) in &broken {
                encode_count(&mut family, &[("stage", id.as_str())], *times)?;
            }
        }

        let asked = stages.iter().flat_map(|(id, stage)| {
            let counts = stage.asked.iter().filter(|(_, count)| *count > 0);
            counts.map(move |(outcome, count)| (id, outcome, count))
        });
        let asked: Vec<_> = asked.collect();
        if !asked.is_empty() {
            let help = "Requests that a stage made by the grant `http`, by what came of them.";
            let mut family = encoder.encode_descriptor("http_calls", help, None, counter)?;
            for (id, outcome, count) in asked {
                let labels = [("stage", id.as_str()), ("outcome", outcome)];
                encode_count(&mut family, &labels, count)?;
            }
        }

        let findings = ("findings", "What a stage reported, by code.", "code");
        let counts = (
            "policy_count",
            "What a stage counts itself, by its own names.",
            "name",
        );
        for ((name, help, label), of) in [
            (
                findings,
                (|stage| &stage.findings) as fn(&StageMetrics) -> &Named,
            ),
            (counts, |stage| &stage.counts),
        ] {
            let all = stages.iter().map(|(id, stage)| (id, of(stage).all()));
            let all: Vec<_> = all.filter(|(_, counts)| !counts.is_empty()).collect();
            if all.is_empty() {
                continue;
            }
            let mut family = encoder.encode_descriptor(name, help, None, counter)?;
            for (id, counts) in &all {
                for (word, count) in counts {
                    encode_count(
                        &mut family,
                        &[("stage", id.as_str()), (label, word)],
                        *count,
                    )?;
                }
            }
        }

        let help = "How long calls of a stage took.";
        let unit = Some(&Unit::Seconds);
        let kind = MetricType::Histogram;
        let mut family = encoder.encode_descriptor("hook_duration", help, unit, kind)?;
        for (id, stage) in &stages {
            for (hook, histogram) in Hook::ALL.iter().zip(&stage.durations) {
                if histogram.is_empty() {
                    continue; // A hook that isn't wanted costs no series either.
                }
                let labels = [("stage", id.as_str()), ("hook", hook.as_str())];
                histogram.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

/// Writes verdicts and edits, each under its name and help.
fn encode_decisions<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    [verdicts, edits]: [(&str, &str); 2],
    stages: impl Iterator<Item = (&'a str, &'a Decisions)> + Clone,
) -> fmt::Result {
    let mut family =
        encoder.encode_descriptor(verdicts.0, verdicts.1, None, MetricType::Counter)?;
    for (id, decisions) in stages.clone() {
        for (verdict, count) in decisions.verdicts.iter() {
            let labels = [("stage", id), ("verdict", verdict)];
            encode_count(&mut family, &labels, count)?;
        }
    }
    let mut family = encoder.encode_descriptor(edits.0, edits.1, None, MetricType::Counter)?;
    for (id, decisions) in stages {
        for (kind, count) in decisions.edits.iter() {
            let labels = [("stage", id), ("kind", kind)];
            encode_count(&mut family, &labels, count)?;
        }
    }
    Ok(())
}
