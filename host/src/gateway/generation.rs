//! The life of one configuration: exchanges pin it when they begin, it drains when another takes its place, and past the drain
//! deadline the stages of those that are left take their `on_error`.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::Live;

/// One configuration's number, and who still runs on it.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    since: SystemTime,
    exchanges: AtomicUsize,
    expired: AtomicBool,
}

impl Generation {
    /// A new one, with no exchange.
    pub fn new(number: u64) -> Arc<Self> {
        Arc::new(Generation {
            number,
            since: SystemTime::now(),
            exchanges: AtomicUsize::new(0),
            expired: AtomicBool::new(false),
        })
    }

    /// Counts the configurations of this process, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was built.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// Exchanges that began on it and are not over.
    pub fn exchanges(&self) -> usize {
        self.exchanges.load(Relaxed)
    }

    /// Whether its time to drain is over.
    pub fn is_expired(&self) -> bool {
        self.expired.load(Relaxed)
    }

    /// From here on its stages aren't called any more.
    pub fn expire(&self) {
        self.expired.store(true, Relaxed);
    }

    /// Counts an exchange for as long as the pin lives.
    pub fn pin(self: &Arc<Self>) -> Pin {
        self.exchanges.fetch_add(1, Relaxed);
        Pin(self.clone())
    }
}

/// What an exchange holds of the generation that it began with.
#[derive(Debug)]
pub struct Pin(Arc<Generation>);

impl Pin {
    /// Whether the stages of this exchange may no longer be called.
    #[inline]
    pub fn is_expired(&self) -> bool {
        self.0.is_expired()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.0.exchanges.fetch_sub(1, Relaxed);
    }
}

/// A generation that another has taken the place of.
pub(super) struct Draining {
    pub(super) generation: Arc<Generation>,
    pub(super) chain: String,
    pub(super) deadline: Instant,
    /// Its exchanges hold the rest: stages, targets, keys. It is gone when this is.
    live: Weak<Live>,
}

impl Draining {
    /// Sees to it that the generation's exchanges end their policies in time.
    pub(super) fn begin(live: &Arc<Live>, time: Duration) -> Self {
        let (generation, chain) = (live.generation().clone(), live.name().to_owned());
        let deadline = Instant::now() + time;
        let draining = Draining {
            generation: generation.clone(),
            chain: chain.clone(),
            deadline,
            live: Arc::downgrade(live),
        };
        tokio::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            generation.expire();
            let exchanges = generation.exchanges();
            if exchanges > 0 {
                tracing::warn!(
                    chain,
                    exchanges,
                    "its time to drain is over: what is left of its exchanges goes on without its policies, or ends, as on_error says"
                );
            }
        });
        draining
    }

    /// Whether nobody holds anything of it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.live.strong_count() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_counts_as_long_as_it_lives() {
        let generation = Generation::new(7);
        let (one, two) = (generation.pin(), generation.pin());
        assert_eq!(generation.exchanges(), 2);
        drop(one);
        assert_eq!(generation.exchanges(), 1);
        generation.expire();
        assert!(two.is_expired());
        drop(two);
        assert_eq!(generation.exchanges(), 0);
    }
}
