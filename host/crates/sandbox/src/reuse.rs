//! Instances that serve one exchange after another, where the configuration says `isolation: reused`, and when they are retired.
//!
//! What must stay true: an instance is here only between two exchanges, after a clean end, with nothing of the host's in it that was
//! an exchange's; whoever takes it has it alone. All that are idle in the process are bounded, so that they can't use up the pool.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use wasmtime::Store;

use super::guest::Guest;
use super::spoken::Policy;
use witgate_config::Reuse;
use witgate_metrics::StageMetrics;

/// What is instantiated: a store, and the way into it.
pub(super) struct LiveInstance {
    pub(super) store: Store<Guest>,
    pub(super) policy: Policy,
    metrics: Arc<StageMetrics>,
    made: Instant,
    /// Exchanges that it has served to a clean end.
    exchanges: u32,
    /// Bytes of its memory when it was made.
    memory: usize,
}

impl LiveInstance {
    pub(super) fn new(store: Store<Guest>, policy: Policy, metrics: &Arc<StageMetrics>) -> Self {
        metrics.instance_created();
        let memory = store.data().memory.used();
        LiveInstance {
            store,
            policy,
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
pub(super) struct IdleInstances(Arc<Waiting>);

struct Waiting {
    rules: Reuse,
    /// For all stages of the process.
    room: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Default)]
struct Idle {
    /// The one that was used last is the last: its memory is the likeliest to be in the caches.
    instances: Vec<(LiveInstance, OwnedSemaphorePermit)>,
    /// A task sees to it that none gets too old here.
    watched: bool,
}

impl IdleInstances {
    pub(super) fn new(rules: Reuse, room: Arc<Semaphore>) -> Self {
        IdleInstances(Arc::new(Waiting {
            rules,
            room,
            idle: Mutex::default(),
        }))
    }

    /// The one that was used last. `None`: a fresh one must be made.
    pub(super) fn take(&self) -> Option<LiveInstance> {
        loop {
            let last = self.0.idle.lock().instances.pop();
            let (live, _room) = last?;
            if !live.is_old(&self.0.rules) {
                return Some(live);
            }
        }
    }

    /// After a clean end. Retires it where its time has come, where the guest still holds something of the host's, and where there is no
    /// room. One that is kept is retired at its age, also where no exchange comes any more: it has callers' text in it, and other
    /// stages' room.
    pub(super) fn put(&self, mut live: LiveInstance) {
        let waiting = &self.0;
        live.exchanges += 1;
        if live.is_used_up(&waiting.rules) || !live.store.data_mut().renew() {
            return;
        }
        let Ok(room) = waiting.room.clone().try_acquire_owned() else {
            return;
        };
        let mut idle = waiting.idle.lock();
        idle.instances.push((live, room));
        if !std::mem::replace(&mut idle.watched, true) {
            tokio::spawn(watch(Arc::downgrade(waiting)));
        }
    }
}

impl Waiting {
    /// Retires those that are too old. How long until the next one is; `None`: none is left, and nobody watches any more.
    fn retire_old(&self) -> Option<Duration> {
        let mut idle = self.idle.lock();
        let rules = &self.rules;
        let old: Vec<_> = idle
            .instances
            .extract_if(.., |(live, _)| live.is_old(rules))
            .collect();
        let made = idle.instances.iter().map(|(live, _)| live.made).min();
        idle.watched = made.is_some();
        drop(idle);
        drop(old);
        made.map(|made| rules.age.saturating_sub(made.elapsed()))
    }
}

/// Retires instances at their age, until none is left or the stage is gone.
async fn watch(waiting: Weak<Waiting>) {
    while let Some(left) = waiting.upgrade().and_then(|waiting| waiting.retire_old()) {
        tokio::time::sleep(left).await;
    }
}

impl fmt::Debug for IdleInstances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdleInstances")
            .field("rules", &self.0.rules)
            .finish_non_exhaustive()
    }
}
