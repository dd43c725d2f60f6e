//! The rule for sending a request again.

use std::time::Duration;

/// How often each target is asked, and for how long a beginning stream is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often each candidate is asked before the next one's turn. At least once.
    pub tries: u32,
    /// How long to wait for a stream's first bytes, to see whether it begins with an error, which counts as no answer. A
    /// stream that takes longer counts as begun.
    pub peek: Duration,
}

impl RetryPolicy {
    /// Every candidate is asked once, whatever the failure of the one before.
    pub const EACH_ONCE: RetryPolicy = RetryPolicy {
        tries: 1,
        peek: Duration::from_millis(50),
    };
}
