//! How a target stands beside other targets, and a key beside the other keys of its target: by its first token's time, longer for what
//! it has to do, for failures, and where little is left of a limit.

use std::time::Duration;

use http::HeaderMap;
use serde_json::{Value, json};
use tokio::time::Instant;

/// By how much another must be better to take a turn. What differs by less is noise, and noise must not keep anyone idle.
pub(super) const BETTER: f64 = 0.75;
/// What one more observation counts beside all before it.
const NEWEST: f64 = 0.2;
/// In this time without an observation the memory of one that did badly fades by half, so that it is tried again.
const FADES: Duration = Duration::from_secs(10);
/// What one is taken to need of which nothing is known, in seconds: little, so that it is tried.
const UNKNOWN: f64 = 0.001;

/// What was seen of it of late. Each with when that was.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// In seconds.
    first_token: Option<(f64, Instant)>,
    /// From 0 to 1.
    failing: Option<(f64, Instant)>,
    /// What is left of the limit that has least left, from 0 to 1.
    headroom: Option<(f64, Instant)>,
}

impl Standing {
    /// A first token came after so long.
    pub(super) fn first_token_took(&mut self, time: Duration) {
        self.first_token = Some((
            weighed(self.first_token, time.as_secs_f64()),
            Instant::now(),
        ));
    }

    /// It was asked, and failed or didn't.
    pub(super) fn asked(&mut self, failed: bool) {
        let failed = if failed { 1.0 } else { 0.0 };
        self.failing = Some((weighed(self.failing, failed), Instant::now()));
    }

    /// Learns from an answer's headers what is left of its limits.
    pub(super) fn left(&mut self, headers: &HeaderMap) {
        if let Some(left) = least_left(headers) {
            self.headroom = Some((left, Instant::now()));
        }
    }

    /// How long a first token takes by all that is known, in seconds. Less is better.
    pub(super) fn first_token(&self) -> f64 {
        faded(self.first_token).unwrap_or(UNKNOWN)
    }

    /// Less is better. `open`: what is under way there.
    pub(super) fn score(&self, open: u32) -> f64 {
        let failing = faded(self.failing).unwrap_or(0.0);
        // One that fails at once, and has never done well, is not a fast one.
        let unknown = if failing > 0.0 { 1.0 } else { UNKNOWN };
        let first_token = faded(self.first_token).unwrap_or(unknown).max(UNKNOWN);
        let headroom = self.headroom;
        let used = headroom.map_or(0.0, |(left, at)| 1.0 - recovered(left, at));
        // Half of a limit says nothing yet, its last tenth much.
        let short = (used - 0.5).max(0.0);
        first_token * f64::from(1 + open) * (1.0 + 9.0 * failing) * (1.0 + 6.0 * short)
    }

    /// For people, into an object.
    pub(super) fn show(&self, shown: &mut Value) {
        shown["failing"] = json!(rounded(self.failing.map_or(0.0, |(it, _)| it)));
        shown["first_token_ms"] = json!(self.first_token.map(|(it, _)| rounded(it * 1000.0)));
        shown["headroom"] = json!(self.headroom.map(|(it, _)| rounded(it)));
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
