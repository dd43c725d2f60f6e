//! Turns for what is large. Whoever has much to read takes the processor in steps, and only so many take a step at once: so half of the
//! workers, and of the cores, stay free for small requests, however many large ones there are. What can be taken off the workers runs on
//! threads of low priority: on a core that they share, a worker that wakes runs before them.
//!
//! A turn is one step: as long as a future runs without giving way, or a piece of work that can't. What must stay true: nobody
//! who waits for anything else has a turn, whoever is gone has none, and turns are given in the order in which they were asked for. So a
//! request of 100 KiB gets its few steps between those of 10 MiB.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, LazyLock};
use std::task::ready;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, JoinHandle};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use tracing::instrument::WithSubscriber;

/// How much the threads for what is large give way to the others. With 19, the most there is, a busy machine would never come to it.
const NICE: i32 = 10;

/// What has no more bytes than this takes no turn: it is read in a tenth of a millisecond.
const SMALL: u64 = 64 << 10;

/// Hands out turns. Clones share them.
#[derive(Clone, Debug)]
pub struct Turns {
    turns: Arc<Semaphore>,
    threads: Arc<Threads>,
}

impl Default for Turns {
    /// Those of the process, on a machine that runs a worker on each core.
    fn default() -> Self {
        static OF_ALL: LazyLock<Turns> = LazyLock::new(|| {
            let cores = std::thread::available_parallelism();
            Turns::beside(cores.map_or(1, usize::from))
        });
        OF_ALL.clone()
    }
}

impl Turns {
    /// Of half of so many workers, but of one at least.
    pub fn beside(workers: usize) -> Self {
        let turns = (workers / 2).max(1);
        Turns {
            turns: Arc::new(Semaphore::new(turns)),
            threads: Arc::new(Threads {
                count: turns,
                runtime: Mutex::new(None),
            }),
        }
    }

    /// Whether so many bytes are many.
    pub fn is_large(bytes: u64) -> bool {
        bytes > SMALL
    }

    /// Does large work on what is lent to it off the workers, where it holds up nobody, and gives it back. Dropped, it ends where it next waits.
    pub async fn apart<L: Send + 'static, T: Send + 'static>(
        &self,
        mut lent: L,
        work: impl for<'a> FnOnce(&'a mut L) -> BoxFuture<'a, T> + Send + 'static,
    ) -> (L, T) {
        let task = async move {
            let done = work(&mut lent).await;
            (lent, done)
        };
        done(AbortOnDropHandle::new(self.threads.spawn(task)).await)
    }

    /// Does work that reads so many bytes: each step of it in a turn, if that is much. Work that is pinned elsewhere takes no room here.
    pub async fn run<F: Future + Unpin>(&self, bytes: u64, mut work: F) -> F::Output {
        if !Turns::is_large(bytes) {
            return work.await;
        }
        let mut turn = pin!(self.next());
        std::future::poll_fn(|cx| {
            let taken = ready!(turn.as_mut().poll(cx));
            let done = Pin::new(&mut work).poll(cx);
            drop(taken);
            if done.is_pending() {
                turn.set(self.next());
            }
            done
        })
        .await
    }

    /// Does work on so many bytes that can't give way: if they are many, in a turn and off the workers, where it holds up nobody.
    pub async fn aside<T: Send + 'static>(
        &self,
        bytes: u64,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if !Turns::is_large(bytes) {
            return work();
        }
        let turn = self.next().await;
        // The turn is the work's: it goes on when nobody waits for it any more.
        let task = async move {
            let done = work();
            drop(turn);
            done
        };
        done(self.threads.spawn(task).await)
    }

    /// The next turn.
    pub async fn next(&self) -> Turn {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        Turn(turn.expect("turns are never closed"))
    }
}

/// What a task came to. It isn't cancelled by anybody who still waits for it.
fn done<T>(done: Result<T, JoinError>) -> T {
    match done {
        Ok(done) => done,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

/// As many threads of low priority as there are turns. They start when there is something large for the first time.
#[derive(Debug)]
struct Threads {
    count: usize,
    runtime: Mutex<Option<Runtime>>,
}

impl Threads {
    fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        // Its log lines are those of whom it works for.
        let task = task.in_current_span().with_current_subscriber();
        let mut runtime = self.runtime.lock();
        if runtime.is_none() {
            *runtime = started(self.count);
        }
        match &*runtime {
            Some(runtime) => runtime.spawn(task),
            // The workers do it, until threads can be had.
            None => tokio::spawn(task),
        }
    }
}

impl Drop for Threads {
    /// Without waiting for what is still done there: nobody wants it any more.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.get_mut().take() {
            runtime.shutdown_background();
        }
    }
}

fn started(count: usize) -> Option<Runtime> {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(count)
        .thread_name("large")
        .on_thread_start(|| {
            // On Linux a priority is a thread's own. Elsewhere it may be the process's: so it is left alone there.
            #[cfg(target_os = "linux")]
            if let Err(error) = give_way() {
                tracing::debug!(%error, "large requests are read at normal priority");
            }
        })
        .enable_all();
    // Where the system has no more threads, the library panics.
    let built = catch_unwind(AssertUnwindSafe(|| builder.build()));
    let why = match built {
        Ok(Ok(runtime)) => return Some(runtime),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the system has no more threads".to_owned(),
    };
    tracing::warn!(why, "no threads for large requests: the workers read them");
    None
}

/// This thread lets those go first that have the process's own priority.
#[cfg(target_os = "linux")]
fn give_way() -> rustix::io::Result<()> {
    let own = rustix::process::getpriority_process(None)?;
    rustix::process::setpriority_process(None, (own + NICE).min(19))
}

/// A turn, over when this is dropped.
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "it is held")] OwnedSemaphorePermit);

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use tokio::task::yield_now;

    use super::*;

    const LARGE: u64 = SMALL + 1;

    /// Polls it once: whether it is done.
    fn step(work: &mut Pin<Box<dyn Future<Output = ()> + '_>>) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        work.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn half_of_the_workers_stay_free_and_one_has_a_turn_at_least() {
        for (workers, turns) in [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (64, 32)] {
            assert_eq!(Turns::beside(workers).turns.available_permits(), turns);
        }
    }

    #[tokio::test]
    async fn what_is_small_waits_for_no_turn() {
        let turns = Turns::beside(4);
        let _all = [turns.next().await, turns.next().await];
        let here = std::thread::current().id();
        let there = turns.aside(SMALL, || std::thread::current().id());
        assert_eq!(turns.run(SMALL, pin!(there)).await, here);
        let mut large: [Pin<Box<dyn Future<Output = ()>>>; 2] = [
            Box::pin(turns.run(LARGE, Box::pin(async {}))),
            Box::pin(turns.aside(LARGE, || {})),
        ];
        assert!(!large.iter_mut().any(step), "it had no turn");
    }

    #[tokio::test]
    async fn what_is_large_goes_step_by_step_and_in_order() {
        let turns = Turns::beside(2);
        let steps = RefCell::new(Vec::new());
        let inside = Cell::new(0);
        let work = async |name: char, count: usize| {
            for _ in 0..count {
                assert_eq!(inside.replace(1), 0, "two have a turn");
                steps.borrow_mut().push(name);
                inside.set(0);
                yield_now().await;
            }
        };
        let held = turns.next().await;
        let mut all: Vec<Pin<Box<dyn Future<Output = ()> + '_>>> = Vec::new();
        for (name, count) in [('a', 4), ('b', 2), ('c', 3)] {
            all.push(Box::pin(turns.run(LARGE, Box::pin(work(name, count)))));
            assert!(!all.last_mut().is_some_and(step));
        }
        drop(held);
        // Whoever is polled first doesn't go first.
        while !all.is_empty() {
            for at in (0..all.len()).rev() {
                if step(&mut all[at]) {
                    drop(all.remove(at));
                }
            }
        }
        drop(all);
        let steps: String = steps.into_inner().into_iter().collect();
        assert_eq!(steps, "abcabcaca");
        assert_eq!(turns.turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn nobody_who_waits_for_something_else_has_a_turn() {
        let turns = Turns::beside(1);
        let mut waits: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(turns.run(LARGE, std::future::pending()));
        for _ in 0..3 {
            assert!(!step(&mut waits));
            assert_eq!(turns.aside(LARGE, || 7).await, 7);
        }
    }

    #[tokio::test]
    async fn what_is_apart_runs_off_the_workers_and_comes_back() {
        let turns = Turns::beside(1);
        let here = std::thread::current().id();
        let lent = vec![1];
        let (lent, there) = turns
            .apart(lent, |lent| {
                Box::pin(async {
                    lent.push(2);
                    yield_now().await;
                    lent.push(3);
                    std::thread::current().id()
                })
            })
            .await;
        assert_eq!(lent, [1, 2, 3]);
        assert_ne!(there, here);
    }

    #[tokio::test]
    async fn what_is_apart_ends_when_nobody_waits_for_it() {
        /// Tells when it goes.
        struct Lent(Option<tokio::sync::oneshot::Sender<()>>);
        impl Drop for Lent {
            fn drop(&mut self) {
                self.0.take().map(|gone| gone.send(()));
            }
        }
        let turns = Turns::beside(1);
        let (gone, goes) = tokio::sync::oneshot::channel();
        let mut waits =
            Box::pin(turns.apart(Lent(Some(gone)), |_| Box::pin(std::future::pending::<()>())));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        drop(waits);
        goes.await.expect("it goes, and what was lent with it");
    }

    #[tokio::test]
    #[should_panic(expected = "as it is told")]
    async fn a_panic_apart_is_one_here() {
        let turns = Turns::beside(1);
        let ((), ()) = turns
            .apart((), |()| Box::pin(async { panic!("as it is told") }))
            .await;
    }

    #[tokio::test]
    async fn whoever_leaves_gives_his_turn_up_and_his_place() {
        let turns = Turns::beside(1);
        let held = turns.next().await;
        let ran = Cell::new("");
        let work = async |name| ran.set(name);
        let mut first: Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(turns.run(LARGE, Box::pin(work("first"))));
        let mut second: Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(turns.run(LARGE, Box::pin(work("second"))));
        assert!(!step(&mut first) && !step(&mut second));
        drop(held);
        assert!(!step(&mut second), "it isn't its turn yet");
        drop(first);
        assert!(step(&mut second));
        assert_eq!(ran.get(), "second");
        // In the middle of its work, too.
        let mut third: Pin<Box<dyn Future<Output = ()> + '_>> =
            Box::pin(turns.run(LARGE, std::future::pending()));
        assert!(!step(&mut third));
        drop(third);
        assert_eq!(turns.turns.available_permits(), 1);
    }

    #[tokio::test]
    async fn work_aside_keeps_its_turn_when_nobody_waits_for_it() {
        let turns = Turns::beside(1);
        let (go_on, gate) = std::sync::mpsc::channel::<()>();
        let mut work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(turns.aside(LARGE, move || {
            gate.recv().expect("the test lets it go on");
        }));
        assert!(!step(&mut work));
        drop(work);
        assert_eq!(turns.turns.available_permits(), 0, "it still works");
        go_on.send(()).expect("it waits for this");
        drop(turns.next().await);
    }

    #[tokio::test]
    #[should_panic(expected = "as it is told")]
    async fn a_panic_aside_is_one_here() {
        let turns = Turns::beside(1);
        turns.aside(LARGE, || panic!("as it is told")).await
    }
}
