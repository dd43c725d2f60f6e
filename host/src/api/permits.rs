//! The cap on exchanges that run at once, and the room for their instances.
//!
//! A permit is out as long as a client waits for its answer. There is no queue for it: a request beyond the cap is refused at
//! once, so that the client or its balancer can try elsewhere while the answer is still of use. The stages' instances live longer,
//! until `on-complete` has returned and what was written there is on the disk: so room for them is counted apart. It is short only while
//! exchanges complete whose clients have gone on, so it is waited for, up to [`ROOM_WAIT`]. Longer than that, the disk or a policy doesn't
//! keep up, and waiting for it would help no client.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::budget::{Budget, Part, Party, Share, Short};
use super::error::ApiError;
use super::memory::Charge;
use super::turns::Turns;

/// How long a request that was let in waits for room, unless told otherwise.
pub const ROOM_WAIT: Duration = Duration::from_secs(1);

/// Hands out [`Permit`]s up to the cap. Clones share it.
#[derive(Clone, Debug)]
pub struct Permits {
    exchanges: Arc<Budget>,
    rooms: Arc<Semaphore>,
    cap: u32,
    room_wait: Duration,
    turns: Turns,
    open: Gauge,
    refused: Counter,
}

/// The right to run an exchange. Hold it until the exchange is over, `on-complete` included: its drop makes room for another one's
/// instances, and shutdown waits for it.
#[derive(Debug)]
pub struct Permit {
    waits: Option<Waits>,
    room: Option<Room>,
    /// What its bodies have of the memory.
    pub charge: Charge,
    /// The turns in which it reads what is large.
    pub turns: Turns,
}

/// The client's wait for its answer. Drop it when the client has the answer or is gone: then another may come.
#[derive(Debug)]
pub struct Waits(#[expect(dead_code, reason = "it is held")] Part);

/// The room of an exchange's instances.
#[derive(Debug)]
struct Room {
    _held: OwnedSemaphorePermit,
    open: Gauge,
}

impl Permits {
    /// Room for `cap` exchanges. `running` shows those whose clients wait, `open` those that aren't over, which includes some that
    /// complete; `refused` counts the requests that got no permit.
    pub fn new(cap: u32, share: Share, running: Gauge, open: Gauge, refused: Counter) -> Self {
        // The semaphore's own maximum is far beyond what a machine runs; on 32 bits it is not beyond `u32`.
        let cap = cap.min(1 << 24);
        Self {
            exchanges: Budget::new(cap.into(), share, running),
            rooms: Arc::new(Semaphore::new(cap as usize)),
            cap,
            room_wait: ROOM_WAIT,
            turns: Turns::default(),
            open,
            refused,
        }
    }

    /// The same, of exchanges that share these turns.
    #[must_use]
    pub fn taking(mut self, turns: Turns) -> Self {
        self.turns = turns;
        self
    }

    /// The same, where room is waited for as long as this.
    #[must_use]
    pub fn patient(mut self, room_wait: Duration) -> Self {
        self.room_wait = room_wait;
        self
    }

    /// Whether there is a permit now. Asked before a body is read, which would be for nothing.
    ///
    /// # Errors
    /// As [`Permits::acquire`].
    pub fn check(&self, party: &Party) -> Result<(), ApiError> {
        self.exchanges
            .has(party, 1)
            .map_err(|short| self.refuse(short))
    }

    /// Takes a permit, or counts the refusal. There is no room for instances in it before [`Permit::enter`].
    ///
    /// # Errors
    ///
    /// All permits are out: a 503 of type `overloaded`. The caller has its share of them: a 429.
    pub fn acquire(&self, party: &Party) -> Result<Permit, ApiError> {
        let part = self.exchanges.take(party, 1);
        Ok(Permit {
            waits: Some(Waits(part.map_err(|short| self.refuse(short))?)),
            room: None,
            charge: Charge::unbound(),
            turns: self.turns.clone(),
        })
    }

    /// Waits for the room that the exchange's instances take.
    ///
    /// # Errors
    ///
    /// There was none for as long as it is waited for: a 503 of type `overloaded`, which is counted.
    pub async fn enter(&self, permit: &mut Permit) -> Result<(), ApiError> {
        let held = match Arc::clone(&self.rooms).try_acquire_owned() {
            Ok(held) => held,
            Err(_) => self.room().await?,
        };
        let open = self.open.clone();
        open.inc();
        permit.room = Some(Room { _held: held, open });
        Ok(())
    }

    async fn room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let held = Arc::clone(&self.rooms).acquire_owned();
        match tokio::time::timeout(self.room_wait, held).await {
            // Fails only on a closed semaphore, and this one is never closed.
            Ok(Ok(held)) => Ok(held),
            _ => {
                self.refused.inc();
                Err(no_room(
                    Short::Gone,
                    "As many exchanges as may be are still being completed: a policy's last call or the journal's disk is slow. \
                     Try again in a second.",
                ))
            }
        }
    }

    fn refuse(&self, short: Short) -> ApiError {
        self.refused.inc();
        no_room(
            short,
            match short {
                Short::Gone => {
                    "This gateway runs as many exchanges as it may. Try again in a second."
                }
                Short::Share => {
                    "As many of your exchanges run as one caller may have. Try again when one has ended."
                }
            },
        )
    }

    /// How many exchanges have room: those that run, and those that complete.
    pub fn taken(&self) -> usize {
        (self.cap as usize).saturating_sub(self.rooms.available_permits())
    }

    /// Waits until no exchange has room any more.
    pub async fn all_back(&self) {
        let _ = self.rooms.acquire_many(self.cap).await;
    }
}

impl Permit {
    /// Of an exchange that no client waits for, such as a sample's.
    pub fn unbound() -> Self {
        Permit {
            waits: None,
            room: None,
            charge: Charge::unbound(),
            turns: Turns::default(),
        }
    }

    /// Takes the client's wait out of it, to be given back by whoever sees the client leave. What is left is the room.
    pub fn client_waits(&mut self) -> Option<Waits> {
        self.waits.take()
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.open.dec();
    }
}

/// Why a request isn't let in: a 503 where there is no room, a 429 where there is and the caller has its share of it.
pub(super) fn no_room(short: Short, message: &'static str) -> ApiError {
    let (status, code) = match short {
        Short::Gone => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        Short::Share => (StatusCode::TOO_MANY_REQUESTS, "share_taken"),
    };
    ApiError::new(status, "overloaded", code, message).retry_after(1)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn permits(cap: u32) -> (Permits, [Gauge; 2], Counter) {
        let ([running, open], refused) = (<[Gauge; 2]>::default(), Counter::default());
        let gauges = [running.clone(), open.clone()];
        let permits = Permits::new(cap, Share(50), running, open, refused.clone());
        (permits, gauges, refused)
    }

    #[test]
    fn past_the_cap_it_refuses_counts_and_recovers() {
        let (permits, [running, _], refused) = permits(1);
        let permit = permits.acquire(&Party::Anyone).unwrap();
        assert_eq!(running.get(), 1);
        permits.check(&Party::Anyone).unwrap_err();
        let refusal = permits.acquire(&Party::Anyone).unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.retry_after),
            (503, Some(1))
        );
        assert_eq!(refused.get(), 2);
        drop(permit);
        assert_eq!((running.get(), permits.taken()), (0, 0));
        permits.check(&Party::Anyone).unwrap();
        permits.acquire(&Party::Anyone).unwrap();
    }

    #[test]
    fn one_caller_does_not_get_all_permits() {
        let (permits, ..) = permits(4);
        let a = Party::Client("a".into());
        let _two = [permits.acquire(&a).unwrap(), permits.acquire(&a).unwrap()];
        let refusal = permits.acquire(&a).unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), &*refusal.code),
            (429, "share_taken")
        );
        permits.acquire(&Party::Client("b".into())).unwrap();
    }

    #[tokio::test]
    async fn an_exchange_that_completes_holds_nobody_out() {
        let (permits, [running, open], _) = permits(1);
        let mut first = permits.acquire(&Party::Anyone).unwrap();
        permits.enter(&mut first).await.unwrap();
        drop(first.client_waits());
        assert_eq!((running.get(), open.get()), (0, 1));
        // The next is let in, and waits for the room of the first one's instances.
        let mut second = permits.acquire(&Party::Anyone).unwrap();
        let mut waits = polled(permits.enter(&mut second));
        assert!(!waits.ready());
        drop(first);
        assert!(waits.ready());
        drop(waits);
        assert_eq!((running.get(), open.get()), (1, 1));
        assert_eq!(permits.taken(), 1);
        drop(second);
        permits.all_back().await;
        assert_eq!((running.get(), open.get()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn room_that_does_not_come_is_waited_for_and_then_refused() {
        let (permits, [running, open], refused) = permits(1);
        let mut first = permits.acquire(&Party::Anyone).unwrap();
        permits.enter(&mut first).await.unwrap();
        drop(first.client_waits());
        let mut second = permits.acquire(&Party::Anyone).unwrap();
        let began = tokio::time::Instant::now();
        let refusal = permits.enter(&mut second).await.unwrap_err();
        assert_eq!(began.elapsed(), ROOM_WAIT);
        assert_eq!(
            (refusal.status.as_u16(), &*refusal.code, refusal.retry_after),
            (503, "overloaded", Some(1))
        );
        drop(second);
        assert_eq!((running.get(), open.get(), refused.get()), (0, 1, 1));
        // Whoever comes when there is room again gets it.
        drop(first);
        let mut third = permits.acquire(&Party::Anyone).unwrap();
        permits.enter(&mut third).await.unwrap();
        assert_eq!(open.get(), 1);
    }

    /// A future that is polled by hand.
    struct Polled<F>(std::pin::Pin<Box<F>>);

    fn polled<F: Future>(future: F) -> Polled<F> {
        Polled(Box::pin(future))
    }

    impl<F: Future> Polled<F> {
        fn ready(&mut self) -> bool {
            let waker = std::task::Waker::noop();
            let mut context = std::task::Context::from_waker(waker);
            self.0.as_mut().poll(&mut context).is_ready()
        }
    }
}
