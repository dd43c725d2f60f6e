//! How long another side may keep a connection waiting.
//!
//! Patience runs out while it is waited for, and comes back with every byte that it sends or takes, up to a bound. So a side that does
//! nothing is waited for as long as the bound says, one that is slow is served, and one that does a byte a minute ends, whatever
//! it could have said each time.

use tokio::time::{Duration, Instant};

use super::ServerSettings;

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

/// What the client has left of our patience with how it takes answers.
pub(super) struct SlowReader {
    pub(super) patience: Patience,
    /// Since when it doesn't take what is there.
    stuck: Option<Instant>,
    /// How much it had taken when it was looked at last.
    taken: u64,
}

impl SlowReader {
    pub(super) fn new(settings: &ServerSettings) -> Self {
        let most = settings.write_timeout;
        Self {
            patience: Patience::new(most, most, settings.read_rate),
            stuck: None,
            taken: 0,
        }
    }

    /// The client is `stuck` from now on, or isn't any more, having taken so much in all. Time counts only while it is stuck: an
    /// upstream may be as slow as it likes. Returns whether it was or is stuck.
    pub(super) fn moves(&mut self, stuck: bool, taken: u64) -> bool {
        if !stuck && self.stuck.is_none() {
            return false;
        }
        let now = Instant::now();
        if let Some(since) = self.stuck.take() {
            self.patience.waited(now - since);
        }
        self.patience.took(taken - self.taken);
        self.taken = taken;
        self.stuck = stuck.then_some(now);
        true
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
