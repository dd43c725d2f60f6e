//! The rule for sending a request again.

use std::fmt;
use std::time::Duration;

use http::{StatusCode, header};
use tower::retry::budget::{Budget as _, TpsBudget};

use super::failure::{Failure, StatusFailure};
use crate::config::RetriesConfig;

/// The longest pause before the second round; before each further one it is twice as long.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest pause that isn't the target's own wish.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often each target is asked, on which connection, and for how long a beginning stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// In how many rounds the candidates are asked, each in its turn. At least one. Who has failed in a way that asking again won't change
    /// isn't asked in the next.
    pub rounds: u32,
    /// The longest time from the first question to the last.
    pub within: Duration,
    /// How long to wait for a stream's first bytes, to see whether it begins with an error, which counts as no answer. A
    /// stream that takes longer counts as begun.
    pub peek: Duration,
    /// Whether a request goes once more to the same target, on a new connection, where the target closed a kept one without an
    /// answer. That is one try, not two: a server that closes an idle connection just then has never looked at the request. It could
    /// also have looked at it and died; a completion that is made twice costs tokens, and one that fails for nothing costs an answer.
    pub renew: bool,
}

impl RetryPolicy {
    /// Every candidate is asked once, whatever the failure of the one before.
    pub const EACH_ONCE: RetryPolicy = RetryPolicy {
        rounds: 1,
        within: Duration::ZERO,
        peek: Duration::from_millis(50),
        renew: true,
    };

    /// What the configuration says.
    pub(super) fn of(config: &RetriesConfig) -> RetryPolicy {
        RetryPolicy {
            rounds: config.attempts,
            within: config.within,
            ..RetryPolicy::EACH_ONCE
        }
    }

    /// How long to wait after the `round`th round, counted from 0, before the target that failed so is asked again; `None` where asking
    /// again won't help. Without a wish of the target's it is any time up to a bound that doubles: clients that failed together don't come
    /// back together.
    pub(super) fn pause(failure: &Failure, round: u32) -> Option<Duration> {
        let wish = match failure {
            Failure::Connect(_)
            | Failure::ConnectTimeout(_)
            | Failure::Broken(_)
            | Failure::Closed(_) => None,
            Failure::Status(failure) if passes(failure.status) => retry_after(failure),
            Failure::Resting(time) => Some(*time),
            _ => return None,
        };
        let most = PAUSE.saturating_mul(1 << round.min(10)).min(LONGEST_PAUSE);
        let jitter = most.mul_f64(fastrand::f64());
        Some(wish.map_or(jitter, |wish| wish.saturating_add(jitter.min(PAUSE))))
    }
}

/// Whether a status speaks of now, and not of the request.
fn passes(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// How long the target asks to be left alone.
pub(super) fn retry_after(failure: &StatusFailure) -> Option<Duration> {
    let value = failure.headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    seconds(value)
}

/// The longest time that a target is believed to mean. A longer one would be past what clocks count.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// A number of seconds, as headers have it.
pub(super) fn seconds(value: &str) -> Option<Duration> {
    let seconds: f64 = value.trim().parse().ok()?;
    let time = Duration::try_from_secs_f64(seconds).ok()?;
    Some(time.min(LONGEST))
}

/// How many requests may be sent again: a share of those that were sent lately, so that retries can't keep down a target that has trouble.
pub(super) struct RetryBudget {
    budget: TpsBudget,
    config: RetriesConfig,
}

impl RetryBudget {
    /// How long a request counts.
    const SPAN: Duration = Duration::from_secs(10);
    /// Retries a second that are always there, for gateways with little to do.
    const ALWAYS: u32 = 2;

    pub(super) fn new(config: RetriesConfig) -> RetryBudget {
        let share = config.budget as f32 / 100.0;
        RetryBudget {
            budget: TpsBudget::new(Self::SPAN, Self::ALWAYS, share),
            config,
        }
    }

    /// Whether it was made for that configuration, and so may go on.
    pub(super) fn is_of(&self, config: &RetriesConfig) -> bool {
        self.config == *config
    }

    /// A request is sent for the first time.
    pub(super) fn sent(&self) {
        self.budget.deposit();
    }

    /// Whether a request may be sent again.
    pub(super) fn allows(&self) -> bool {
        self.budget.withdraw()
    }
}

impl fmt::Debug for RetryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RetryBudget").field(&self.config).finish()
    }
}
