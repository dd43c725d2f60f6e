//! A new chain on probation: how often the stages fail that are new in it.
//!
//! A rollback is a way to take a change back that was a mistake, and must not become a way for a client to take a guard off. So what
//! counts is what only the change can have caused: failures of stages that are new or changed, of kinds that don't grow with what a
//! client sends, met by several callers where callers can be told apart.

use std::collections::HashMap;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::Party;
use crate::policy::Class;

/// The time over which the rate is taken.
const WINDOW: Duration = Duration::from_secs(10);

/// Fewer exchanges than this in a window say nothing.
const LEAST: u64 = 20;

/// Callers that are told apart in a window. Those past it don't count.
const MOST_CALLERS: usize = 1000;

/// Counts, for each stage of a chain that is watched, its exchanges and those in which it failed.
#[derive(Debug)]
pub struct Probation {
    /// By the stage's place in the chain. `None`: not watched.
    stages: Vec<Option<Mutex<Window>>>,
    failed: watch::Sender<Option<usize>>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    callers: HashMap<Party, Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    exchanges: u64,
    failures: u64,
}

impl Count {
    fn is_half(self) -> bool {
        self.failures > 0 && self.failures * 2 >= self.exchanges
    }
}

impl Probation {
    /// For a chain whose stages are `watched` or not, by their place.
    pub fn new(watched: impl IntoIterator<Item = bool>) -> Self {
        let window = || {
            Mutex::new(Window {
                since: Instant::now(),
                callers: HashMap::new(),
            })
        };
        let stages = watched.into_iter().map(|it| it.then(window));
        Self {
            stages: stages.collect(),
            failed: watch::Sender::new(None),
        }
    }

    /// Whether there is anything to watch.
    pub fn watches(&self) -> bool {
        self.stages.iter().any(Option::is_some)
    }

    /// An exchange of this caller is over, in which the stage was called; and how the stage failed in it, if it did.
    pub fn count(&self, stage: usize, caller: &Party, failed: Option<Class>) {
        let Some(Some(window)) = self.stages.get(stage) else {
            return;
        };
        let failed = failed.is_some_and(is_the_changes);
        let mut window = window.lock();
        let now = Instant::now();
        if now - window.since >= WINDOW {
            window.since = now;
            window.callers.clear();
        }
        if window.callers.len() >= MOST_CALLERS && !window.callers.contains_key(caller) {
            return;
        }
        let count = window.callers.entry(caller.clone()).or_default();
        count.exchanges += 1;
        count.failures += u64::from(failed);
        if failed && window.is_too_often() {
            self.failed.send_replace(Some(stage));
        }
    }

    /// Waits for the first stage that fails too often, and gives its place.
    pub fn failed(&self) -> impl Future<Output = usize> + Send + 'static {
        let mut failed = self.failed.subscribe();
        async move {
            let found = failed.wait_for(Option::is_some).await.ok();
            match found.and_then(|stage| *stage) {
                Some(stage) => stage,
                // The chain is gone.
                None => std::future::pending().await,
            }
        }
    }
}

impl Window {
    /// At least half of at least [`LEAST`] exchanges; and of the callers at least half, and more than one where they are known, met it
    /// as often.
    fn is_too_often(&self) -> bool {
        let mut all = Count::default();
        let (mut met, mut known) = (0, true);
        for (caller, count) in &self.callers {
            all.exchanges += count.exchanges;
            all.failures += count.failures;
            met += usize::from(count.is_half());
            known &= *caller != Party::Anyone;
        }
        let needed = if known { 2 } else { 1 };
        all.exchanges >= LEAST && all.is_half() && met >= needed && met * 2 >= self.callers.len()
    }
}

/// Whether a failure can be the change's. The time, the memory and the stack that a policy takes grow with what a client sends, so the
/// chain before could have failed there too.
fn is_the_changes(class: Class) -> bool {
    match class {
        Class::Trap | Class::Output | Class::Misuse => true,
        Class::Deadline | Class::Memory | Class::Stack => false,
        Class::Host | Class::Breaker | Class::Drained => false,
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::time::advance;

    use super::*;

    fn client(id: &str) -> Party {
        Party::Client(id.into())
    }

    fn tripped(probation: &Probation) -> Option<usize> {
        probation.failed().now_or_never()
    }

    fn fail(probation: &Probation, times: usize, caller: &Party) {
        (0..times).for_each(|_| probation.count(0, caller, Some(Class::Trap)));
    }

    #[tokio::test(start_paused = true)]
    async fn half_of_twenty_exchanges_are_too_often() {
        let probation = Probation::new([true]);
        (0..10).for_each(|_| probation.count(0, &Party::Anyone, None));
        fail(&probation, 9, &Party::Anyone);
        assert_eq!(tripped(&probation), None);
        fail(&probation, 1, &Party::Anyone);
        assert_eq!(tripped(&probation), Some(0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_long_ago_is_forgotten() {
        let probation = Probation::new([true]);
        fail(&probation, 19, &Party::Anyone);
        advance(WINDOW).await;
        fail(&probation, 19, &Party::Anyone);
        assert_eq!(tripped(&probation), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stage_that_ran_before_is_not_watched() {
        let probation = Probation::new([false, true]);
        fail(&probation, 100, &Party::Anyone);
        assert_eq!(tripped(&probation), None);
        assert!(probation.watches() && !Probation::new([false]).watches());
    }

    #[tokio::test(start_paused = true)]
    async fn what_grows_with_the_request_is_not_the_changes_doing() {
        let probation = Probation::new([true]);
        for class in [
            Class::Deadline,
            Class::Memory,
            Class::Stack,
            Class::Host,
            Class::Breaker,
            Class::Drained,
        ] {
            (0..100).for_each(|_| probation.count(0, &Party::Anyone, Some(class)));
        }
        assert_eq!(tripped(&probation), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_alone_takes_nothing_back_however_often_it_fails() {
        let probation = Probation::new([true]);
        fail(&probation, 1000, &client("a"));
        assert_eq!(tripped(&probation), None);
        // Nor two among many that are served well.
        for id in ["b", "c", "d", "e", "f"] {
            probation.count(0, &client(id), None);
        }
        fail(&probation, 1000, &client("g"));
        assert_eq!(tripped(&probation), None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_several_callers_meet_is_the_changes_doing() {
        let probation = Probation::new([true]);
        let (a, b) = (client("a"), client("b"));
        fail(&probation, 19, &a);
        fail(&probation, 1, &b);
        assert_eq!(tripped(&probation), Some(0));
    }
}
