//! The rule for sending a request again.

use std::time::Duration;

/// How often each target is asked, on which connection, and for how long a beginning stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often each candidate is asked before the next one's turn. At least once.
    pub tries: u32,
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
        tries: 1,
        peek: Duration::from_millis(50),
        renew: true,
    };
}
