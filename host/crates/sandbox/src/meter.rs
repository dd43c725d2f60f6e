//! A guest's running time, read off the clock of the thread that runs it. Every call into a guest goes through here: while it runs,
//! the clock that cuts it ticks.
//!
//! Ticks alone would count a step that takes many of them as one: filling all of a memory, or a copy that the host makes. Reading
//! the clock is a system call, which costs as much as a delta. So where a step begins the clock is read once a tick at most, and
//! what has passed since is added; and a call on an answer is measured only once it was put aside, and in an instance that a
//! tick has found running before: where calls are short, nothing is.

use std::cell::Cell;
use std::pin::Pin;
use std::time::{Duration, Instant};

use super::clock::{TICK, guest_goes_on};

thread_local! {
    /// This thread's clock when it went on with the guest that it runs now. `None`: not read.
    static WENT_ON: Cell<Option<Duration>> = const { Cell::new(None) };
    /// When this thread's clock was last read for that, and what it said.
    static READ: Cell<Option<(Instant, Duration)>> = const { Cell::new(None) };
    /// Whether the guest that ran last on this thread was put aside by a tick.
    static GAVE_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call into a guest, which is pinned where it comes from. `measured`: already in its first step, before it was ever put aside.
pub(super) async fn metered<T>(mut measured: bool, mut call: impl Future<Output = T> + Unpin) -> T {
    std::future::poll_fn(move |context| {
        WENT_ON.set(if measured { about_thread_time() } else { None });
        measured = true;
        GAVE_WAY.set(false);
        let running = guest_goes_on();
        let poll = Pin::new(&mut call).poll(context);
        drop(running);
        WENT_ON.set(None);
        poll
    })
    .await
}

/// The guest that runs on this thread is put aside, so that others have their turn.
pub(super) fn give_way() {
    GAVE_WAY.set(true);
}

/// Whether the guest that ran last on this thread was put aside. If not, and it isn't done, it waits for something.
pub(super) fn gave_way() -> bool {
    GAVE_WAY.get()
}

/// How long the guest that runs on this thread has run since it went on. `None` where that isn't known.
pub(super) fn ran() -> Option<Duration> {
    Some(thread_time()?.saturating_sub(WENT_ON.get()?))
}

/// What this thread has run in its life, or more, by less than a tick: time that it waited since its clock was read counts as if it
/// had run. So what is measured from here may be too short by as much, and is never too long.
fn about_thread_time() -> Option<Duration> {
    let now = Instant::now();
    if let Some((at, time)) = READ.get()
        && let Some(since) = now.checked_duration_since(at)
        && since < TICK
    {
        return Some(time + since);
    }
    let time = thread_time()?;
    READ.set(Some((now, time)));
    Some(time)
}

/// What this thread has run in its life.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).ok()
}

#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::hint::black_box;

    /// Until the thread has run for that long.
    fn run_for(time: Duration) {
        let began = thread_time().expect("a thread has a clock");
        while thread_time().expect("a thread has a clock") - began < time {
            black_box(0);
        }
    }

    #[tokio::test]
    async fn what_runs_is_measured_and_what_waits_is_not() {
        let time = Duration::from_millis(3);
        assert_eq!(ran(), None, "nothing runs");
        metered(
            false,
            Box::pin(async {
                assert_eq!(ran(), None, "nobody reads the clock for a first step");
                tokio::task::yield_now().await;
                assert!(
                    ran().is_some_and(|ran| ran < time),
                    "what came before is over"
                );
                // A tick of it may be missing.
                run_for(time + TICK);
                assert!(ran().is_some_and(|ran| ran >= time));
                // While it waits, another one runs on this thread.
                let other = async move { run_for(time) };
                tokio::spawn(other).await.expect("it doesn't panic");
                assert!(ran().is_some_and(|ran| ran < time));
            }),
        )
        .await;
        assert_eq!(ran(), None);
        metered(true, Box::pin(async { assert!(ran().is_some()) })).await;
    }
}
