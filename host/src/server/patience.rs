//! How long another side may keep a connection waiting.
//!
//! Patience runs out while it is waited for, and comes back with every byte that it sends or takes, up to a bound. So a side that does
//! nothing is waited for as long as the bound says, one that is slow is served, and one that does a byte a minute ends, whatever
//! it could have said each time.

use std::time::Duration;

/// What is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Patience {
    left: Duration,
    most: Duration,
    rate: u32,
}

impl Patience {
    /// Lasts for `first`; `rate` bytes bring back a second, up to `most`.
    pub(super) fn new(first: Duration, most: Duration, rate: u32) -> Self {
        Self {
            left: first,
            most,
            rate: rate.max(1),
        }
    }

    /// How long may be waited from now, if nothing comes.
    pub(super) fn left(&self) -> Duration {
        self.left
    }

    /// So long was waited.
    pub(super) fn waited(&mut self, time: Duration) {
        self.left = self.left.saturating_sub(time);
    }

    /// So many bytes went on.
    pub(super) fn took(&mut self, bytes: u64) {
        let nanos = bytes.saturating_mul(1_000_000_000) / u64::from(self.rate);
        self.left = self
            .left
            .saturating_add(Duration::from_nanos(nanos))
            .min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_runs_out_and_comes_back_with_bytes_up_to_its_bound() {
        let mut patience = Patience::new(5 * SECOND, 15 * SECOND, 1024);
        patience.waited(4 * SECOND);
        assert_eq!(patience.left(), SECOND);
        patience.took(2048);
        assert_eq!(patience.left(), 3 * SECOND);
        patience.took(u64::MAX);
        assert_eq!(patience.left(), 15 * SECOND);
        patience.waited(20 * SECOND);
        assert_eq!(patience.left(), Duration::ZERO);
    }

    #[test]
    fn a_byte_a_minute_does_not_keep_it() {
        let mut patience = Patience::new(60 * SECOND, 60 * SECOND, 1024);
        patience.waited(59 * SECOND);
        patience.took(1);
        assert!(patience.left() < 2 * SECOND);
    }
}
