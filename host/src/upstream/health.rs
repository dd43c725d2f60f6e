//! How a target does of late: whether it is asked in its turn, and how it stands beside others.
//!
//! A breaker chooses among targets and never refuses: while it is open its target is asked last, when every other one has failed. So a
//! target that is alone is asked as ever, and nobody who makes it fail can lock others out. After a rest one request is let through in its
//! turn, as a probe; the rest gets longer with each probe that fails.
//!
//! What is known outlives the configuration: a reload forgets nothing of a target that stays at its address.
//!
//! `tower`'s balancers choose a service for each request and know no second choice after a failure, and no policy that restricts them, so
//! this weighs candidates instead.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use http::HeaderMap;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::first_tokens::{FirstTokens, Kind};
use super::standing::Standing;
use crate::config::{BreakerConfig, HedgingConfig};
use crate::metrics::TargetMetrics;

/// The time over which the rate of failures is taken, in buckets of a second.
const WINDOW: usize = 10;
/// Fewer requests than this in a window make no rate.
const LEAST: u32 = 20;
/// How many times the first rest a rest may become.
const LONGEST: u32 = 16;
/// What is known of a target. Cloning shares it.
#[derive(Clone)]
pub(super) struct Health {
    config: BreakerConfig,
    weighs: bool,
    hedging: Option<HedgingConfig>,
    known: Arc<Known>,
    metrics: Arc<TargetMetrics>,
}

#[derive(Default)]
struct Known {
    /// Attempts under way, and answers that are being read.
    open: AtomicU32,
    inner: Mutex<Inner>,
    first_tokens: FirstTokens,
}

#[derive(Default)]
struct Inner {
    buckets: [Bucket; WINDOW],
    /// Failures since the last success.
    in_a_row: u32,
    /// Those of them that were health checks.
    checks_in_a_row: u32,
    breaker: Breaker,
    /// How often the breaker has opened without a success since.
    opened: u32,
    standing: Standing,
    /// When it was last checked, and what was wrong.
    checked: Option<(Instant, Result<(), String>)>,
}

#[derive(Clone, Copy, Default)]
struct Bucket {
    second: Option<Instant>,
    asked: u32,
    failed: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Breaker {
    #[default]
    Closed,
    Open {
        until: Instant,
    },
    /// One request tries it.
    HalfOpen,
}

impl Health {
    /// `earlier` is that of the same target at the same address.
    pub(super) fn new(
        config: BreakerConfig,
        earlier: Option<&Health>,
        metrics: Arc<TargetMetrics>,
    ) -> Health {
        Health {
            config,
            weighs: false,
            hedging: None,
            known: earlier.map(|it| it.known.clone()).unwrap_or_default(),
            metrics,
        }
    }

    /// Whether what answers say of limits is read, which takes a walk through their headers.
    pub(super) fn weighs(&mut self, weighs: bool) {
        self.weighs = weighs;
    }

    /// Whether and how an answer's being late is noticed.
    pub(super) fn hedges(&mut self, hedging: Option<HedgingConfig>) {
        self.hedging = hedging;
    }

    /// After how long an answer to such a request is late here. `None`: nobody wants to know, or too little is known.
    pub(super) fn late(&self, kind: &Kind) -> Option<Duration> {
        let HedgingConfig { percentile, floor } = self.hedging?;
        let late = self.known.first_tokens.percentile(kind, percentile)?;
        Some(late.max(floor))
    }

    /// Whether the target is to be asked in its turn now. If so, ask it: it may be the probe.
    pub(super) fn in_turn(&self) -> bool {
        let mut inner = self.known.inner.lock();
        match inner.breaker {
            Breaker::Closed => true,
            Breaker::HalfOpen => false,
            Breaker::Open { until } if until > Instant::now() => false,
            Breaker::Open { .. } => {
                inner.breaker = Breaker::HalfOpen;
                true
            }
        }
    }

    /// An attempt begins. What comes of it is told to the result, which lasts as long as the answer.
    pub(super) fn attempt(&self) -> Attempt {
        self.known.open.fetch_add(1, Ordering::Relaxed);
        Attempt {
            health: self.clone(),
            asked: Instant::now(),
            judged: false,
            kind: None,
        }
    }

    /// How long a first token takes there by all that is known, in seconds. Less is better.
    pub(super) fn first_token(&self) -> f64 {
        self.known.inner.lock().standing.first_token()
    }

    /// How the target stands beside others. Less is better.
    pub(super) fn score(&self) -> f64 {
        let open = self.known.open.load(Ordering::Relaxed);
        self.known.inner.lock().standing.score(open)
    }

    /// For people.
    pub(super) fn state(&self) -> Value {
        let inner = self.known.inner.lock();
        let now = Instant::now();
        let rest = match inner.breaker {
            Breaker::Open { until } => Some(until.saturating_duration_since(now).as_secs_f64()),
            _ => None,
        };
        let breaker = match inner.breaker {
            Breaker::Closed => "closed",
            Breaker::Open { .. } => "open",
            Breaker::HalfOpen => "half-open",
        };
        let mut shown = json!({
            "breaker": breaker,
            "rest_s": rest,
            "failures_in_a_row": inner.in_a_row,
            "open": self.known.open.load(Ordering::Relaxed),
        });
        inner.standing.show(&mut shown);
        if let Some((at, result)) = &inner.checked {
            shown["check"] = json!({
                "ok": result.is_ok(),
                "why": result.as_ref().err(),
                "seconds_ago": at.elapsed().as_secs(),
            });
        }
        shown
    }

    /// It was asked for its models, while nobody waits. A failure counts as a request's; where it did well, a breaker's rest is over.
    pub(super) fn checked(&self, result: Result<(), String>) {
        let well = result.is_ok();
        let breaker = {
            let mut inner = self.known.inner.lock();
            let now = Instant::now();
            if let Err(why) = &result
                && !matches!(inner.checked, Some((_, Err(_))))
            {
                tracing::warn!(target: "witgate::upstream", "a target fails its health check: {why}");
            }
            inner.checked = Some((now, result));
            if well && let Breaker::Open { until } = &mut inner.breaker {
                *until = now;
            }
            inner.breaker
        };
        match (well, breaker) {
            (false, _) => {
                self.failed();
                self.known.inner.lock().checks_in_a_row += 1;
            }
            // A list of models is no answer to a request: it takes back what checks said, and nothing else.
            (true, Breaker::Closed) => {
                let mut inner = self.known.inner.lock();
                let checks = std::mem::take(&mut inner.checks_in_a_row);
                inner.in_a_row = inner.in_a_row.saturating_sub(checks);
            }
            (true, _) => {}
        }
    }

    fn well(&self) {
        let mut inner = self.known.inner.lock();
        let now = Instant::now();
        inner.bucket(now).asked += 1;
        (inner.in_a_row, inner.checks_in_a_row) = (0, 0);
        inner.standing.asked(false);
        // The answer to a request from before it opened says little of now, but it is an answer.
        if inner.breaker != Breaker::Closed {
            inner.breaker = Breaker::Closed;
            inner.opened = 0;
            inner.buckets = Default::default();
            self.metrics.breaker_closed();
        }
    }

    fn failed(&self) {
        let mut inner = self.known.inner.lock();
        let now = Instant::now();
        let bucket = inner.bucket(now);
        bucket.asked += 1;
        bucket.failed += 1;
        inner.in_a_row = inner.in_a_row.saturating_add(1);
        inner.standing.asked(true);
        let BreakerConfig {
            failures,
            rate,
            rest,
        } = self.config;
        let opens = match inner.breaker {
            Breaker::Closed => {
                (failures > 0 && inner.in_a_row >= failures)
                    || (rate > 0 && inner.rate(now).is_some_and(|it| it >= rate))
            }
            Breaker::HalfOpen => true,
            // Sent as a last resort, or before that was known.
            Breaker::Open { .. } => false,
        };
        if opens {
            if inner.breaker == Breaker::Closed {
                self.metrics.breaker_opened();
            }
            let times = 1 << inner.opened.min(LONGEST.ilog2());
            inner.opened += 1;
            inner.breaker = Breaker::Open {
                until: now + rest * times,
            };
            tracing::warn!(
                target: "witgate::upstream",
                in_a_row = inner.in_a_row, seconds = (rest * times).as_secs_f64(),
                "a target fails too often, so it is asked last for a while"
            );
        }
    }
}

impl Inner {
    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        let second = Duration::from_secs(1);
        let current = |bucket: &Bucket| bucket.second.is_some_and(|it| now < it + second);
        let place = match self.buckets.iter().position(current) {
            Some(place) => place,
            None => {
                let oldest = self.buckets.iter().enumerate();
                let oldest = oldest.min_by_key(|(_, bucket)| bucket.second);
                let place = oldest.map_or(0, |(place, _)| place);
                self.buckets[place] = Bucket {
                    second: Some(now),
                    ..Bucket::default()
                };
                place
            }
        };
        &mut self.buckets[place]
    }

    /// Failures of a hundred requests in the window, if there were enough to tell.
    fn rate(&self, now: Instant) -> Option<u32> {
        let window = Duration::from_secs(WINDOW as u64);
        let recent = self.buckets.iter();
        let recent = recent.filter(|it| it.second.is_some_and(|second| now < second + window));
        let (asked, failed) = recent.fold((0, 0), |(asked, failed), bucket| {
            (asked + bucket.asked, failed + bucket.failed)
        });
        (asked >= LEAST).then(|| failed * 100 / asked)
    }
}

/// An attempt, and then its answer as long as somebody reads it.
pub(super) struct Attempt {
    health: Health,
    asked: Instant,
    judged: bool,
    /// What takes alike, until the first token is there.
    kind: Option<Kind>,
}

impl Attempt {
    /// An attempt at a request of that kind.
    pub(super) fn at(mut self, kind: Kind) -> Attempt {
        self.kind = self.health.hedging.is_some().then_some(kind);
        self
    }

    /// An answer began.
    pub(super) fn answered(&mut self, headers: &HeaderMap) {
        self.judged = true;
        self.health.well();
        if self.health.weighs {
            self.health.known.inner.lock().standing.left(headers);
        }
    }

    /// None began, or it broke off: the target's fault.
    pub(super) fn failed(&mut self) {
        self.judged = true;
        self.health.failed();
    }

    /// The first piece of the answer is there.
    pub(super) fn first_token(&mut self) {
        let took = self.asked.elapsed();
        if let Some(kind) = self.kind.take() {
            self.health.known.first_tokens.took(&kind, took);
        }
        let mut inner = self.health.known.inner.lock();
        inner.standing.first_token_took(took);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.health.known.open.fetch_sub(1, Ordering::Relaxed);
        if self.judged {
            return;
        }
        if let (Some(kind), Some(hedging)) = (&self.kind, self.health.hedging) {
            let (tokens, took) = (&self.health.known.first_tokens, self.asked.elapsed());
            tokens.took_longer(kind, took, hedging.percentile);
        }
        // A probe that nobody waited for tells nothing: the next request is one.
        let mut inner = self.health.known.inner.lock();
        if inner.breaker == Breaker::HalfOpen {
            inner.breaker = Breaker::Open {
                until: Instant::now(),
            };
        }
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health")
            .field("breaker", &self.known.inner.lock().breaker)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.health.fmt(f)
    }
}

#[cfg(test)]
mod tests;
