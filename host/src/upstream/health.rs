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

use crate::config::BreakerConfig;
use crate::metrics::TargetMetrics;

/// The time over which the rate of failures is taken, in buckets of a second.
const WINDOW: usize = 10;
/// Fewer requests than this in a window make no rate.
const LEAST: u32 = 20;
/// How many times the first rest a rest may become.
const LONGEST: u32 = 16;
/// What one more observation counts beside all before it.
const NEWEST: f64 = 0.2;
/// In this time without an observation the memory of a target that did badly fades by half, so that it is tried again.
const FADES: Duration = Duration::from_secs(10);
/// What a target is taken to need of which nothing is known, in seconds: little, so that it is tried.
const UNKNOWN: f64 = 0.001;

/// What is known of a target. Cloning shares it.
#[derive(Clone)]
pub(super) struct Health {
    config: BreakerConfig,
    weighs: bool,
    known: Arc<Known>,
    metrics: Arc<TargetMetrics>,
}

#[derive(Default)]
struct Known {
    /// Attempts under way, and answers that are being read.
    open: AtomicU32,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    buckets: [Bucket; WINDOW],
    /// Failures since the last success.
    in_a_row: u32,
    breaker: Breaker,
    /// How often the breaker has opened without a success since.
    opened: u32,
    /// In seconds, and when that was last seen.
    first_token: Option<(f64, Instant)>,
    /// From 0 to 1, and when.
    failing: Option<(f64, Instant)>,
    /// What is left of the limit that has least left, from 0 to 1.
    headroom: Option<(f64, Instant)>,
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
            known: earlier.map(|it| it.known.clone()).unwrap_or_default(),
            metrics,
        }
    }

    /// Whether what answers say of limits is read, which takes a walk through their headers.
    pub(super) fn weighs(&mut self, weighs: bool) {
        self.weighs = weighs;
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
        }
    }

    /// How long a first token takes there by all that is known, in seconds. Less is better.
    pub(super) fn first_token(&self) -> f64 {
        let inner = self.known.inner.lock();
        faded(inner.first_token).unwrap_or(UNKNOWN)
    }

    /// How the target stands beside others: its first token's time, longer for what it has to do, for failures, and where little is left of
    /// a limit. Less is better.
    pub(super) fn score(&self) -> f64 {
        let open = self.known.open.load(Ordering::Relaxed);
        let inner = self.known.inner.lock();
        let failing = faded(inner.failing).unwrap_or(0.0);
        // A target that fails at once, and has never done well, is not a fast one.
        let unknown = if failing > 0.0 { 1.0 } else { UNKNOWN };
        let first_token = faded(inner.first_token).unwrap_or(unknown).max(UNKNOWN);
        let used = inner
            .headroom
            .map_or(0.0, |(left, at)| 1.0 - recovered(left, at));
        // Half of a limit says nothing yet, its last tenth much.
        let short = (used - 0.5).max(0.0);
        first_token * f64::from(1 + open) * (1.0 + 9.0 * failing) * (1.0 + 6.0 * short)
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
        json!({
            "breaker": breaker,
            "rest_s": rest,
            "failures_in_a_row": inner.in_a_row,
            "failing": rounded(inner.failing.map_or(0.0, |(it, _)| it)),
            "first_token_ms": inner.first_token.map(|(it, _)| rounded(it * 1000.0)),
            "headroom": inner.headroom.map(|(it, _)| rounded(it)),
            "open": self.known.open.load(Ordering::Relaxed),
        })
    }

    fn well(&self) {
        let mut inner = self.known.inner.lock();
        let now = Instant::now();
        inner.bucket(now).asked += 1;
        inner.in_a_row = 0;
        inner.failing = Some((weighed(inner.failing, 0.0), now));
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
        inner.failing = Some((weighed(inner.failing, 1.0), now));
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
}

impl Attempt {
    /// An answer began.
    pub(super) fn answered(&mut self, headers: &HeaderMap) {
        self.judged = true;
        self.health.well();
        if self.health.weighs
            && let Some(left) = least_left(headers)
        {
            self.health.known.inner.lock().headroom = Some((left, Instant::now()));
        }
    }

    /// None began, or it broke off: the target's fault.
    pub(super) fn failed(&mut self) {
        self.judged = true;
        self.health.failed();
    }

    /// The first piece of the answer is there.
    pub(super) fn first_token(&mut self) {
        let took = self.asked.elapsed().as_secs_f64();
        let mut inner = self.health.known.inner.lock();
        inner.first_token = Some((weighed(inner.first_token, took), Instant::now()));
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.health.known.open.fetch_sub(1, Ordering::Relaxed);
        if self.judged {
            return;
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

/// What is left of the limit that has least left, from 0 to 1, as an answer's headers tell it.
fn least_left(headers: &HeaderMap) -> Option<f64> {
    let number = |name: &str| {
        let value = headers.get(name)?.to_str().ok()?;
        value.trim().parse::<f64>().ok()
    };
    let limits = headers.keys().filter_map(|name| {
        let limit = name.as_str().strip_prefix("x-ratelimit-remaining-")?;
        let left = number(name.as_str())?;
        let all = number(&format!("x-ratelimit-limit-{limit}"))?;
        (all > 0.0).then(|| (left / all).clamp(0.0, 1.0))
    });
    limits.reduce(f64::min)
}

/// Exponentially weighted: the longer ago the last observation was, the more the new one counts.
fn weighed(before: Option<(f64, Instant)>, new: f64) -> f64 {
    before.map_or(new, |(before, at)| {
        let kept = (1.0 - NEWEST) * fading(at);
        kept * before + (1.0 - kept) * new
    })
}

/// A value that gets less with the time since it was seen.
fn faded(seen: Option<(f64, Instant)>) -> Option<f64> {
    let (value, at) = seen?;
    Some(value * fading(at))
}

/// What may be left by now: limits fill up again.
fn recovered(left: f64, at: Instant) -> f64 {
    1.0 - (1.0 - left) * fading(at)
}

fn fading(at: Instant) -> f64 {
    let halves = at.elapsed().as_secs_f64() / FADES.as_secs_f64();
    0.5_f64.powf(halves)
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
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
