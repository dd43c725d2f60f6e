//! When a request is sent again.

use std::time::Duration;

/// After which failures a request is sent again, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often each candidate is asked before the next one's turn. At least once.
    pub tries: u32,
    /// How long a stream's first bytes are waited for, to see whether it begins with an error: that counts as no answer. A stream
    /// that is slower than this has begun.
    pub peek: Duration,
}

impl RetryPolicy {
    /// Every candidate is asked once, whatever the failure of the one before.
    pub const EACH_ONCE: RetryPolicy = RetryPolicy {
        tries: 1,
        peek: Duration::from_millis(50),
    };
}
