//! `providers.routing`, and what of each target it goes by: weight, breaker.

use std::fmt;
use std::time::Duration;

use super::fields::{Field, Fields};

/// Which of the targets that take a model is asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// As they are listed.
    #[default]
    Ordered,
    /// Each as often as its weight says.
    Weighted,
    /// Each in its turn.
    RoundRobin,
    /// The one whose first token came soonest of late.
    LowestLatency,
    /// The better of two: by first token, failures, what it has to do, and what is left of its limits.
    Adaptive,
}

/// The words of the configuration file.
const STRATEGIES: [(&str, Strategy); 5] = [
    ("ordered", Strategy::Ordered),
    ("weighted", Strategy::Weighted),
    ("round-robin", Strategy::RoundRobin),
    ("lowest-latency", Strategy::LowestLatency),
    ("adaptive", Strategy::Adaptive),
];

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = STRATEGIES.iter();
        let word = words.find(|(_, strategy)| strategy == self);
        f.write_str(word.map_or("", |(word, _)| word))
    }
}

/// When a target that fails is asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BreakerConfig {
    /// After so many failures in a row; 0 for never.
    pub failures: u32,
    /// After so many failures of a hundred requests in ten seconds; 0 for never.
    pub rate: u32,
    /// For so long at first.
    pub rest: Duration,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        BreakerConfig {
            failures: 5,
            rate: 50,
            rest: Duration::from_secs(5),
        }
    }
}

/// Reads `routing` out of `providers`.
pub(super) fn strategy(providers: &Fields<'_>) -> Option<Strategy> {
    let Some(field) = providers.get("routing") else {
        return Some(Strategy::default());
    };
    let fields = field.fields(&["strategy"])?;
    match fields.get("strategy") {
        Some(field) => field.one_of(&STRATEGIES, &[]),
        None => Some(Strategy::default()),
    }
}

/// Reads a target's `breaker`.
pub(super) fn breaker(field: &Field<'_>) -> Option<BreakerConfig> {
    let standard = BreakerConfig::default();
    let fields = field.fields(&["failures", "rate", "rest"])?;
    let number = |key, default: u32, most| match fields.get(key) {
        Some(field) => field.integer(0..=most),
        None => Some(default.into()),
    };
    let failures = number("failures", standard.failures, 1000);
    let rate = number("rate", standard.rate, 100);
    let rest = match fields.get("rest") {
        Some(field) => field.duration(Duration::from_millis(1)..=Duration::from_secs(600)),
        None => Some(standard.rest),
    };
    Some(BreakerConfig {
        failures: u32::try_from(failures?).ok()?,
        rate: u32::try_from(rate?).ok()?,
        rest: rest?,
    })
}
