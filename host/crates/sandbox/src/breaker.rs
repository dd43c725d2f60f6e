//! A stage's breaker: while the stage fails too often it isn't called, and its `on_error` holds without the call.
//!
//! It opens on a failure *rate* and never on a count: a caller who has found one input that traps must not be able to switch a
//! guard off, or have everyone refused, as long as others' exchanges go well. After a backoff one exchange is let through as a probe;
//! if it goes well the breaker closes.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use witgate_metrics::StageMetrics;

/// The time over which the rate is taken, in buckets of a second.
const WINDOW: usize = 10;
/// Fewer exchanges than this in a window say nothing.
const LEAST: u64 = 20;
/// How long the first backoff is; each failed probe doubles it.
const BACKOFF: Duration = Duration::from_secs(1);
/// The longest backoff.
const LONGEST: Duration = Duration::from_secs(60);

/// Counts the exchanges of one stage and those that it failed in.
#[derive(Debug)]
pub struct Breaker {
    inner: Mutex<Inner>,
    metrics: Arc<StageMetrics>,
}

/// What changes with every exchange.
#[derive(Debug)]
struct Inner {
    began: Instant,
    buckets: [Bucket; WINDOW],
    state: State,
    backoff: Duration,
}

/// The exchanges of one second.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// Which second, from the beginning.
    second: u64,
    exchanges: u64,
    failures: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed,
    Open { until: Instant },
    Probing,
}

/// Where a breaker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreakerState {
    /// The stage is called.
    Closed,
    /// It isn't.
    Open,
    /// One exchange tries it; the others don't call it.
    Probing,
}

impl BreakerState {
    /// The word in `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::Probing => "probing",
        }
    }
}

/// The stage isn't called: its breaker is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused;

impl Breaker {
    /// A closed one.
    pub fn new(metrics: Arc<StageMetrics>) -> Self {
        Breaker {
            inner: Mutex::new(Inner {
                began: Instant::now(),
                buckets: [Bucket::default(); WINDOW],
                state: State::Closed,
                backoff: BACKOFF,
            }),
            metrics,
        }
    }

    /// Where it stands.
    pub fn state(&self) -> BreakerState {
        match self.inner.lock().state {
            State::Closed => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::Probing => BreakerState::Probing,
        }
    }

    /// Asks whether an exchange may call the stage, and counts it. Keep the trial as long as the exchange may call.
    ///
    /// # Errors
    /// While the breaker is open, and while another exchange is its probe.
    pub fn admit(self: &Arc<Self>) -> Result<Trial, Refused> {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        let probe = match inner.state {
            State::Closed => {
                inner.bucket(now).exchanges += 1;
                false
            }
            State::Open { until } if until <= now => {
                inner.state = State::Probing;
                true
            }
            State::Open { .. } | State::Probing => return Err(Refused),
        };
        drop(inner);
        Ok(Trial {
            breaker: self.clone(),
            probe,
            failed: false,
        })
    }

    fn failed(&self, probe: bool) {
        let now = Instant::now();
        let mut inner = self.inner.lock();
        match inner.state {
            State::Probing if probe => inner.open(now),
            State::Closed => {
                inner.bucket(now).failures += 1;
                if !inner.is_too_often(now) {
                    return;
                }
                inner.buckets = [Bucket::default(); WINDOW];
                inner.backoff = BACKOFF;
                inner.open(now);
                self.metrics.breaker_opened();
            }
            // An exchange that was let in before it opened.
            State::Open { .. } | State::Probing => {}
        }
    }

    fn probed_well(&self) {
        let mut inner = self.inner.lock();
        inner.state = State::Closed;
        inner.buckets = [Bucket::default(); WINDOW];
        self.metrics.breaker_closed();
    }
}

impl Drop for Breaker {
    fn drop(&mut self) {
        if !matches!(self.inner.get_mut().state, State::Closed) {
            self.metrics.breaker_closed();
        }
    }
}

impl Inner {
    fn bucket(&mut self, now: Instant) -> &mut Bucket {
        let second = (now - self.began).as_secs();
        let bucket = &mut self.buckets[second as usize % WINDOW];
        if bucket.second != second {
            *bucket = Bucket {
                second,
                ..Bucket::default()
            };
        }
        bucket
    }

    /// At least half of at least [`LEAST`] exchanges. One that began before the window may fail in it: a failure is an exchange,
    /// whatever was counted.
    fn is_too_often(&self, now: Instant) -> bool {
        let second = (now - self.began).as_secs();
        let within = |bucket: &&Bucket| bucket.second + WINDOW as u64 > second;
        let (mut exchanges, mut failures) = (0, 0);
        for bucket in self.buckets.iter().filter(within) {
            exchanges += bucket.exchanges;
            failures += bucket.failures;
        }
        let exchanges = exchanges.max(failures);
        exchanges >= LEAST && failures * 2 >= exchanges
    }

    /// Opens for one backoff. The next one is twice as long. With jitter, so that many gateways don't probe as one.
    fn open(&mut self, now: Instant) {
        let jitter = 0.75 + fastrand::f64() / 2.0;
        self.state = State::Open {
            until: now + self.backoff.mul_f64(jitter),
        };
        self.backoff = (self.backoff * 2).min(LONGEST);
    }
}

/// One exchange that the breaker let in. Dropped without a failure, it went well.
#[derive(Debug)]
pub struct Trial {
    breaker: Arc<Breaker>,
    probe: bool,
    failed: bool,
}

impl Trial {
    /// The stage failed in this exchange; once is enough.
    pub fn fail(&mut self) {
        if !std::mem::replace(&mut self.failed, true) {
            self.breaker.failed(self.probe);
        }
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        if self.probe && !self.failed {
            self.breaker.probed_well();
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use tokio::time::advance;

    use super::*;

    fn breaker() -> Arc<Breaker> {
        let metrics = witgate_metrics::Metrics::new();
        Arc::new(Breaker::new(metrics.stage("tested")))
    }

    fn pass(breaker: &Arc<Breaker>) {
        drop(breaker.admit().unwrap());
    }

    fn fail(breaker: &Arc<Breaker>) {
        breaker.admit().unwrap().fail();
    }

    fn opened() -> Arc<Breaker> {
        let breaker = breaker();
        (0..20).for_each(|_| fail(&breaker));
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker
    }

    #[tokio::test(start_paused = true)]
    async fn it_opens_at_half_of_twenty_and_not_before() {
        let breaker = breaker();
        for _ in 0..10 {
            pass(&breaker);
        }
        for _ in 0..9 {
            fail(&breaker);
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
        fail(&breaker);
        assert_eq!(breaker.state(), BreakerState::Open);
        breaker.admit().unwrap_err();
    }

    #[tokio::test(start_paused = true)]
    async fn failures_that_are_fewer_than_half_never_open_it() {
        let breaker = breaker();
        for _ in 0..10_000 {
            pass(&breaker);
            fail(&breaker);
            pass(&breaker);
            advance(Duration::from_millis(10)).await;
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_failures_never_open_it_however_many_they_become() {
        let breaker = breaker();
        for _ in 0..1_000 {
            fail(&breaker);
            // Nineteen at most in any ten seconds.
            advance(Duration::from_millis(530)).await;
        }
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn one_probe_after_the_backoff_and_a_good_one_closes_it() {
        let breaker = opened();
        advance(BACKOFF.mul_f64(0.7)).await;
        assert!(breaker.admit().is_err(), "the backoff isn't over");
        advance(BACKOFF).await;
        let probe = breaker.admit().unwrap();
        assert_eq!(breaker.state(), BreakerState::Probing);
        assert!(breaker.admit().is_err(), "there is one probe at a time");
        drop(probe);
        assert_eq!(breaker.state(), BreakerState::Closed);
        // What was counted before is forgotten.
        fail(&breaker);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_probe_doubles_the_backoff_up_to_the_longest() {
        let breaker = opened();
        let mut backoff = BACKOFF;
        for _ in 0..10 {
            advance(backoff.mul_f64(0.7)).await;
            assert!(breaker.admit().is_err(), "{backoff:?} isn't over");
            advance(backoff.mul_f64(0.6)).await;
            breaker.admit().unwrap().fail();
            assert_eq!(breaker.state(), BreakerState::Open);
            backoff = (backoff * 2).min(LONGEST);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn exchanges_that_began_before_it_opened_change_nothing() {
        let breaker = breaker();
        let mut late = breaker.admit().unwrap();
        (0..19).for_each(|_| fail(&breaker));
        advance(BACKOFF * 2).await;
        let probe = breaker.admit().unwrap();
        late.fail();
        assert_eq!(breaker.state(), BreakerState::Probing);
        drop(late);
        assert_eq!(breaker.state(), BreakerState::Probing);
        drop(probe);
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[tokio::test(start_paused = true)]
    async fn long_exchanges_that_fail_together_open_it() {
        let breaker = breaker();
        let mut open: Vec<Trial> = (0..20).map(|_| breaker.admit().unwrap()).collect();
        advance(Duration::from_secs(60)).await;
        open.iter_mut().for_each(Trial::fail);
        assert_eq!(breaker.state(), BreakerState::Open);
    }
}
