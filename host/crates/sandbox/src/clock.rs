//! The clock by which guests are cut: each tick moves the epoch of every engine on. It rests while no guest runs, so that an idle
//! process sleeps.
//!
//! It is one thread, and never the runtime's, so that no guest that keeps the runtime busy can stop the clock it is measured by. What
//! must stay true: while a guest runs, it ticks. A guest says that it runs before it looks whether the clock rests, and the clock says
//! that it rests before it looks whether a guest runs; both in the one order that all threads agree on. So one of them sees the other.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::thread::Thread;
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::{Engine, EngineWeak};

/// How long one epoch is: the grain of every CPU limit.
pub(super) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest after which the clock rests. Waking it costs about as much as a tick, so it pays to rest soon: streams whose
/// stages sleep call a guest now and then only.
const QUIET: u32 = 3;

/// Places in which guests are counted, so that cores needn't share one.
const PLACES: usize = 16;

/// A place's count goes up by this with each guest that goes on, and by one while it runs.
const ENTERED: u64 = 1 << 32;

/// The process's clock.
static CLOCK: Clock = Clock::new();
/// The engines that it moves on.
static ENGINES: Mutex<Vec<EngineWeak>> = Mutex::new(Vec::new());

/// From now on the engine's epoch moves on while guests run.
pub(super) fn tick(engine: &Engine) {
    ENGINES.lock().push(engine.weak());
    CLOCK.start(|| {
        ENGINES.lock().retain(|engine| {
            let engine = engine.upgrade();
            engine.inspect(Engine::increment_epoch).is_some()
        });
    });
}

/// A guest goes on, until what is returned is dropped: the clock ticks.
pub(super) fn guest_goes_on() -> Running<'static> {
    CLOCK.enter()
}

/// A clock that rests while nothing runs.
struct Clock {
    places: [Place; PLACES],
    rests: AtomicBool,
    thread: OnceLock<Thread>,
}

/// A line of the cache of its own.
#[repr(align(128))]
struct Place(AtomicU64);

/// While it lives, the clock ticks.
#[must_use]
pub(super) struct Running<'a>(&'a Place);

impl Clock {
    const fn new() -> Self {
        Clock {
            places: [const { Place(AtomicU64::new(0)) }; PLACES],
            rests: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// Starts its thread, if it has none.
    fn start(&'static self, tick: impl FnMut() + Send + 'static) {
        self.thread.get_or_init(|| {
            let thread = std::thread::Builder::new().name("epoch".into());
            match thread.spawn(|| self.run(tick)) {
                Ok(thread) => thread.thread().clone(),
                // Without a clock no limit holds, so nothing may run.
                Err(error) => panic!("the epoch thread can't be started: {error}"),
            }
        });
    }

    fn enter(&self) -> Running<'_> {
        let place = &self.places[place()];
        place.0.fetch_add(ENTERED + 1, SeqCst);
        if self.rests.load(SeqCst) {
            self.wake();
        }
        Running(place)
    }

    #[cold]
    fn wake(&self) {
        if self.rests.swap(false, SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a clock is what waits for a time"
    )]
    fn run(&self, mut tick: impl FnMut()) {
        let (mut seen, mut quiet) = (self.seen(), 0);
        loop {
            std::thread::sleep(TICK);
            tick();
            let now = self.seen();
            quiet = if now == seen && !now.runs {
                quiet + 1
            } else {
                0
            };
            seen = now;
            if quiet >= QUIET {
                self.rest(&seen);
                quiet = 0;
            }
        }
    }

    /// Rests until a guest goes on, unless one has since that was seen.
    fn rest(&self, seen: &Seen) {
        self.rests.store(true, SeqCst);
        if self.seen() != *seen {
            self.rests.store(false, SeqCst);
        }
        // The thread may be woken without a cause.
        while self.rests.load(SeqCst) {
            std::thread::park();
        }
    }

    fn seen(&self) -> Seen {
        let counts = self.places.iter().map(|place| place.0.load(SeqCst));
        let mut seen = Seen::default();
        for count in counts {
            seen.entered = seen.entered.wrapping_add(count / ENTERED);
            seen.runs |= !count.is_multiple_of(ENTERED);
        }
        seen
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, SeqCst);
    }
}

/// What the clock sees of guests at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// How often one has gone on so far.
    entered: u64,
    /// Whether one runs.
    runs: bool,
}

/// This thread's place.
fn place() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static MINE: Cell<usize> = Cell::new(NEXT.fetch_add(1, Relaxed) % PLACES);
    }
    MINE.get()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    /// A clock of the test's own, and what it has ticked.
    fn clock() -> (&'static Clock, Arc<AtomicU64>) {
        let clock: &'static Clock = Box::leak(Box::new(Clock::new()));
        let ticks = Arc::new(AtomicU64::new(0));
        let counted = ticks.clone();
        clock.start(move || {
            counted.fetch_add(1, SeqCst);
        });
        (clock, ticks)
    }

    fn until(so: impl Fn() -> bool) {
        while !so() {
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_rests_while_no_guest_runs_and_then_ticks_no_more() {
        let (clock, ticks) = clock();
        until(|| clock.rests.load(SeqCst));
        let ticked = ticks.load(SeqCst);
        assert!(ticked >= u64::from(QUIET));
        // Being woken without a guest moves nothing on.
        let thread = clock.thread.get().expect("it was started");
        for _ in 0..100 {
            thread.unpark();
            std::thread::yield_now();
        }
        assert!(clock.rests.load(SeqCst));
        assert_eq!(ticks.load(SeqCst), ticked);
        let running = clock.enter();
        assert!(!clock.rests.load(SeqCst));
        until(|| ticks.load(SeqCst) > ticked);
        drop(running);
        until(|| clock.rests.load(SeqCst));
    }

    #[test]
    fn it_ticks_on_as_long_as_a_guest_runs_that_never_gives_way() {
        let (clock, ticks) = clock();
        until(|| clock.rests.load(SeqCst));
        let running = clock.enter();
        let ticked = ticks.load(SeqCst);
        until(|| ticks.load(SeqCst) > ticked + 3 * u64::from(QUIET));
        assert!(!clock.rests.load(SeqCst));
        // That another one comes and goes in the same place changes nothing.
        drop(clock.enter());
        let ticked = ticks.load(SeqCst);
        until(|| ticks.load(SeqCst) > ticked + 2 * u64::from(QUIET));
        assert!(!clock.rests.load(SeqCst));
        drop(running);
        until(|| clock.rests.load(SeqCst));
    }

    /// The clock goes to rest as often as it can while guests come and go: each must find it ticking.
    #[test]
    fn no_guest_is_forgotten_as_the_clock_goes_to_rest() {
        let clock: &'static Clock = Box::leak(Box::new(Clock::new()));
        let ticks: &'static AtomicU64 = Box::leak(Box::new(AtomicU64::new(0)));
        let resting = std::thread::spawn(move || {
            // The thread as it runs, but without its pauses.
            let mut seen = clock.seen();
            while ticks.load(SeqCst) < u64::MAX / 2 {
                ticks.fetch_add(1, SeqCst);
                let now = clock.seen();
                if now == seen && !now.runs {
                    clock.rest(&now);
                }
                seen = now;
            }
        });
        clock.thread.get_or_init(|| resting.thread().clone());
        let guests = [(); 3].map(|()| {
            std::thread::spawn(move || {
                for _ in 0..2_000 {
                    let running = clock.enter();
                    let ticked = ticks.load(SeqCst);
                    until(|| ticks.load(SeqCst) > ticked + 1);
                    drop(running);
                }
            })
        });
        for guest in guests {
            guest.join().expect("no guest is forgotten");
        }
        ticks.store(u64::MAX / 2, SeqCst);
        let running = clock.enter();
        resting.join().expect("it ends");
        drop(running);
    }
}
