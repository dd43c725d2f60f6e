//! Who runs on a generation. An exchange holds a guard from its beginning to its end. When the generation's time to drain is over, it
//! expires, and the stages of the exchanges that are left take their `on_error`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Counts the exchanges of one generation, and says whether their time is over.
#[derive(Debug, Default)]
pub struct ExchangeCounter {
    running: AtomicUsize,
    expired: AtomicBool,
}

impl ExchangeCounter {
    /// A counter at zero, not expired.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Exchanges that have begun and are not over.
    pub fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    /// Whether the generation's time to drain is over.
    pub fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }

    /// Ends the generation's time: from here on its stages are not called any more.
    pub fn expire(&self) {
        self.expired.store(true, Relaxed);
    }

    /// Counts an exchange for as long as the guard lives.
    pub fn begin(self: &Arc<Self>) -> ExchangeGuard {
        self.running.fetch_add(1, Relaxed);
        ExchangeGuard(self.clone())
    }
}

/// What an exchange holds of the generation that it began with.
#[derive(Debug)]
pub struct ExchangeGuard(Arc<ExchangeCounter>);

impl ExchangeGuard {
    /// Whether the stages of this exchange may no longer be called.
    #[inline]
    pub fn is_expired(&self) -> bool {
        self.0.is_expired()
    }
}

impl Drop for ExchangeGuard {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_counts_as_long_as_its_guard_lives() {
        let exchanges = ExchangeCounter::new();
        let (one, two) = (exchanges.begin(), exchanges.begin());
        assert_eq!(exchanges.running(), 2);
        drop(one);
        assert_eq!(exchanges.running(), 1);
        exchanges.expire();
        assert!(two.is_expired());
        drop(two);
        assert_eq!(exchanges.running(), 0);
    }
}
