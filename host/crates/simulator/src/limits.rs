//! Rate limits: buckets of requests and tokens for a minute, an hour and a day, which refill all the time, and the grid
//! of headers that tells how full they are.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::refusal::Refusal;

/// What an answer without a limit of its own is taken for when it's admitted, and the most that any is.
const RESERVED: u64 = 16_384;
/// Full buckets are forgotten when there are more than this many.
const MOST_BUCKETS: usize = 4_096;

/// How many requests, or tokens, fit into each window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Per minute.
    pub minute: u64,
    /// Per hour.
    pub hour: u64,
    /// Per day.
    pub day: u64,
}

/// The limits of one key on one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Requests.
    pub requests: Windows,
    /// Tokens, of prompts and completions together.
    pub tokens: Windows,
}

impl RateLimits {
    /// The limits of a free account in 2026.
    pub const FREE: Self = Self {
        requests: Windows {
            minute: 5,
            hour: 150,
            day: 2_400,
        },
        tokens: Windows {
            minute: 30_000,
            hour: 1_000_000,
            day: 1_000_000,
        },
    };

    /// The limits of a paying account, as the headers of an unlimited simulator show them.
    pub const PAID: Self = Self {
        requests: Windows {
            minute: 1_000,
            hour: 60_000,
            day: 1_440_000,
        },
        tokens: Windows {
            minute: 1_000_000,
            hour: 60_000_000,
            day: 1_440_000_000,
        },
    };

    fn of(&self, slot: usize) -> u64 {
        let windows = if slot < 3 { self.requests } else { self.tokens };
        [windows.minute, windows.hour, windows.day][slot % 3]
    }
}

/// Name and seconds of a slot's window; slots 0 to 2 are of requests, 3 to 5 of tokens.
const WINDOWS: [(&str, f64); 3] = [("minute", 60.0), ("hour", 3_600.0), ("day", 86_400.0)];
const SLOTS: usize = 6;

macro_rules! names {
    ($what:literal) => {
        [
            HeaderName::from_static(concat!("x-ratelimit-limit-", $what)),
            HeaderName::from_static(concat!("x-ratelimit-remaining-", $what)),
            HeaderName::from_static(concat!("x-ratelimit-reset-", $what)),
        ]
    };
}
const NAMES: [[HeaderName; 3]; SLOTS] = [
    names!("requests-minute"),
    names!("requests-hour"),
    names!("requests-day"),
    names!("tokens-minute"),
    names!("tokens-hour"),
    names!("tokens-day"),
];

/// What is left in each slot, and the time at which that was worked out.
#[derive(Debug, Clone, Copy)]
struct Buckets {
    left: [f64; SLOTS],
    at: Instant,
}

impl Buckets {
    fn full(limits: &RateLimits, at: Instant) -> Self {
        Self {
            left: std::array::from_fn(|slot| limits.of(slot) as f64),
            at,
        }
    }

    fn refill(&mut self, limits: &RateLimits, now: Instant) {
        let seconds = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = now;
        for (slot, left) in self.left.iter_mut().enumerate() {
            let limit = limits.of(slot) as f64;
            *left = (*left + seconds * rate(limits, slot)).min(limit);
        }
    }
}

/// How much each slot refills in a second.
fn rate(limits: &RateLimits, slot: usize) -> f64 {
    limits.of(slot) as f64 / WINDOWS[slot % 3].1
}

/// Everyone's buckets, by a hash of key and model.
#[derive(Debug)]
pub(super) struct Ledger {
    limits: RateLimits,
    buckets: HashMap<u64, Buckets>,
}

impl Ledger {
    pub(super) fn new(limits: RateLimits) -> Self {
        Self {
            limits,
            buckets: HashMap::new(),
        }
    }

    fn of(&mut self, owner: u64) -> &mut Buckets {
        let now = Instant::now();
        let limits = self.limits;
        if self.buckets.len() >= MOST_BUCKETS && !self.buckets.contains_key(&owner) {
            self.buckets.retain(|_, buckets| {
                buckets.refill(&limits, now);
                (0..SLOTS).any(|slot| buckets.left[slot] < limits.of(slot) as f64)
            });
        }
        let buckets = self
            .buckets
            .entry(owner)
            .or_insert_with(|| Buckets::full(&limits, now));
        buckets.refill(&limits, now);
        buckets
    }

    /// Takes one request, if there is room for it and for what its answer may need. `most_output` is the request's own
    /// limit. An answer that could never fit is admitted by a full bucket.
    pub(super) fn admit(
        &mut self,
        owner: u64,
        prompt: u64,
        most_output: Option<u64>,
    ) -> Result<(), Refusal> {
        let limits = self.limits;
        let reserve = prompt + most_output.unwrap_or(RESERVED).min(RESERVED);
        let buckets = self.of(owner);
        for slot in 0..SLOTS {
            let tokens = slot >= 3;
            let need = if tokens {
                reserve.min(limits.of(slot))
            } else {
                1
            };
            let missing = need as f64 - buckets.left[slot];
            if missing > 0.0 {
                let wait = (missing / rate(&limits, slot)).ceil();
                let wait = wait.clamp(1.0, WINDOWS[slot % 3].1) as u64;
                return Err(Refusal::quota(tokens, WINDOWS[slot % 3].0, wait));
            }
        }
        for left in &mut buckets.left[..3] {
            *left -= 1.0;
        }
        Ok(())
    }

    /// Takes the tokens that the answer used. An overdrawn bucket refuses requests until it has refilled.
    pub(super) fn charge(&mut self, owner: u64, tokens: u64) {
        for left in &mut self.of(owner).left[3..] {
            *left -= tokens as f64;
        }
    }

    /// The grid for one owner.
    pub(super) fn grid(&mut self, owner: u64, headers: &mut HeaderMap) {
        let limits = self.limits;
        let left = self.of(owner).left;
        write(headers, &limits, &left);
    }
}

/// The grid for an owner without limits.
pub(super) fn unlimited_grid() -> HeaderMap {
    let limits = RateLimits::PAID;
    let mut headers = HeaderMap::new();
    let left = std::array::from_fn(|slot| limits.of(slot) as f64);
    write(&mut headers, &limits, &left);
    headers
}

fn write(headers: &mut HeaderMap, limits: &RateLimits, left: &[f64; SLOTS]) {
    for (slot, [limit, remaining, reset]) in NAMES.into_iter().enumerate() {
        let most = limits.of(slot);
        headers.insert(limit, HeaderValue::from(most));
        headers.insert(remaining, HeaderValue::from(left[slot].max(0.0) as u64));
        let seconds = match rate(limits, slot) {
            0.0 => WINDOWS[slot % 3].1,
            rate => (most as f64 - left[slot]) / rate,
        };
        let seconds = HeaderValue::try_from(format!("{seconds:?}"))
            .expect("a printed number is a header value");
        headers.insert(reset, seconds);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::time::Duration;

    use super::*;

    fn small() -> Ledger {
        let requests = Windows {
            minute: 2,
            hour: 100,
            day: 1_000,
        };
        let tokens = Windows {
            minute: 30_000,
            hour: 1_000_000,
            day: 40_000,
        };
        Ledger::new(RateLimits { requests, tokens })
    }

    #[tokio::test(start_paused = true)]
    async fn requests_come_back_as_the_minute_passes() {
        let mut ledger = small();
        ledger.admit(1, 10, None).unwrap();
        ledger.admit(1, 10, None).unwrap();
        let refusal = ledger.admit(1, 10, None).unwrap_err();
        assert_eq!(refusal.code, "request_quota_exceeded");
        assert_eq!(refusal.retry_after, Some(30));
        ledger.admit(2, 10, None).unwrap();
        tokio::time::advance(Duration::from_secs(30)).await;
        ledger.admit(1, 10, None).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_reserved_but_only_the_used_are_charged() {
        let mut ledger = small();
        ledger.admit(1, 1_000, None).unwrap();
        ledger.charge(1, 20_000);
        let refusal = ledger.admit(1, 1_000, None).unwrap_err();
        assert!(
            refusal.message.starts_with("Tokens per minute limit"),
            "{}",
            refusal.message
        );
        ledger.admit(1, 1_000, Some(100)).unwrap();
        ledger.charge(1, 20_000);
        tokio::time::advance(Duration::from_secs(600)).await;
        let refusal = ledger.admit(1, 1_000, None).unwrap_err();
        assert!(
            refusal.message.starts_with("Tokens per day limit"),
            "{}",
            refusal.message
        );
        assert!(refusal.retry_after > Some(10_000));
    }

    #[tokio::test(start_paused = true)]
    async fn the_grid_has_limit_rest_and_reset_for_every_slot() {
        let mut ledger = small();
        ledger.admit(1, 0, None).unwrap();
        let mut headers = HeaderMap::new();
        ledger.grid(1, &mut headers);
        assert_eq!(headers.len(), 18);
        assert_eq!(headers["x-ratelimit-limit-requests-minute"], "2");
        assert_eq!(headers["x-ratelimit-remaining-requests-minute"], "1");
        assert_eq!(headers["x-ratelimit-reset-requests-minute"], "30.0");
        assert_eq!(
            unlimited_grid()["x-ratelimit-remaining-tokens-minute"],
            "1000000"
        );
    }
}
