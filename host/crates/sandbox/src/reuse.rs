//! Instances that serve one exchange after another, where the configuration says `isolation: reused`, and when they are retired.
//!
//! What must stay true: an instance is here only between two exchanges, after a clean end, with nothing of the host's in it that was
//! an exchange's; whoever takes it has it alone. All that are idle in the process are bounded, so that they can't use up the pool.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;

use super::bindings::Bindings;
use super::guest::Guest;
use witgate_config::Reuse;
use witgate_metrics::StageMetrics;

/// What is instantiated: a store, and the way into it.
pub(super) struct LiveInstance {
    pub(super) store: Store<Guest>,
    pub(super) bindings: Bindings,
    metrics: Arc<StageMetrics>,
    made: Instant,
    /// Exchanges that it has served to a clean end.
    exchanges: u32,
    /// Bytes of its memory when it was made.
    memory: usize,
}

impl LiveInstance {
    pub(super) fn new(
        store: Store<Guest>,
        bindings: Bindings,
        metrics: &Arc<StageMetrics>,
    ) -> Self {
        metrics.instance_created();
        let memory = store.data().memory.used();
        LiveInstance {
            store,
            bindings,
            metrics: metrics.clone(),
            made: Instant::now(),
            exchanges: 0,
            memory,
        }
    }

    fn is_old(&self, rules: &Reuse) -> bool {
        self.made.elapsed() >= rules.age
    }

    fn is_used_up(&self, rules: &Reuse) -> bool {
        let growth = self.store.data().memory.used().saturating_sub(self.memory);
        self.exchanges >= rules.exchanges
            || growth as u64 > rules.memory_growth
            || self.is_old(rules)
    }
}

impl Drop for LiveInstance {
    fn drop(&mut self) {
        self.metrics.instance_dropped();
    }
}

/// A stage's instances that wait for their next exchange.
pub(super) struct IdleInstances {
    rules: Reuse,
    /// For all stages of the process.
    room: Arc<Semaphore>,
    /// The one that was used last is the last: its memory is the likeliest to be in the caches.
    idle: Mutex<Vec<(LiveInstance, OwnedSemaphorePermit)>>,
}

impl IdleInstances {
    pub(super) fn new(rules: Reuse, room: Arc<Semaphore>) -> Self {
        IdleInstances {
            rules,
            room,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// The one that was used last. `None`: a fresh one must be made.
    pub(super) fn take(&self) -> Option<LiveInstance> {
        loop {
            let last = self.idle.lock().pop();
            let (live, _room) = last?;
            if !live.is_old(&self.rules) {
                return Some(live);
            }
        }
    }

    /// After a clean end. Retires it where its time has come, where the guest still holds something of the host's, and where there is no room.
    pub(super) fn put(&self, mut live: LiveInstance) {
        live.exchanges += 1;
        if live.is_used_up(&self.rules) || !live.store.data_mut().renew() {
            return;
        }
        let Ok(room) = self.room.clone().try_acquire_owned() else {
            return;
        };
        let mut idle = self.idle.lock();
        idle.push((live, room));
        let first = idle.first();
        let old = first.is_some_and(|(live, _)| live.is_old(&self.rules));
        let retired = old.then(|| idle.remove(0));
        drop(idle);
        drop(retired);
    }
}

impl fmt::Debug for IdleInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleInstances")
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
