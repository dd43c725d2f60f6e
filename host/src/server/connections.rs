//! Room for connections.
//!
//! A connection that serves a request has its place as long as it serves. One that waits for its client to say something has it only
//! as long as nobody else needs it: where room is short, the one that has waited for the longest gives way. So connections that are
//! opened and left alone shut nobody out. Where exchanges can't begin because all that may run do, one whose client hardly reads its answer
//! gives way. No address but this machine's own has more than its share.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::task::Waker;

use futures_util::task::AtomicWaker;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Duration, Instant};

use crate::api::{Party, Share};

/// The places of a listener's connections.
#[derive(Debug)]
pub(super) struct Connections {
    most: usize,
    of_one: usize,
    open: Mutex<Open>,
    /// Somebody waits for a place.
    short: AtomicBool,
    /// There may be a place, or somebody who gives way.
    look: Notify,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    seats: BTreeMap<u64, Arc<Seat>>,
    by: HashMap<Party, usize>,
    /// Counts the waits, so that the longest is that of the least number.
    waits: u64,
}

/// What is known of a connection.
#[derive(Debug)]
struct Seat {
    party: Party,
    /// The number of its wait for its client; 0 while it serves a request.
    waits: AtomicU64,
    /// It should give way, if it still waits.
    asked: AtomicBool,
    /// Since when its client doesn't take what is there, and what patience was left with it then.
    lags: Mutex<Option<(Instant, Duration)>>,
    /// It should give way, if its client still lags.
    cut: AtomicBool,
    waker: AtomicWaker,
}

/// How much patience with a reader must be used up before it gives way to others.
const LAG: Duration = Duration::from_secs(5);

/// A connection's place. It goes back when this is dropped.
#[derive(Debug)]
pub(super) struct Seated {
    number: u64,
    seat: Arc<Seat>,
    connections: Arc<Connections>,
}

impl Connections {
    pub(super) fn new(most: usize, share: Share) -> Arc<Self> {
        Arc::new(Self {
            most,
            of_one: usize::try_from(share.of(most as u64)).unwrap_or(most),
            open: Mutex::default(),
            short: AtomicBool::new(false),
            look: Notify::new(),
        })
    }

    /// Waits for a place for a new connection, and asks others to give way. `None`: its address has its share of connections, and
    /// all of them serve requests. One caller alone may wait.
    pub(super) async fn take(self: &Arc<Self>, address: Option<IpAddr>) -> Option<Seated> {
        let party = address.map_or(Party::Anyone, Party::at);
        loop {
            match self.look(&party) {
                Looked::Seated(seated) => {
                    self.short.store(false, SeqCst);
                    return Some(seated);
                }
                Looked::Never => return None,
                // What happened since the look is noted there.
                Looked::Wait => self.look.notified().await,
            }
        }
    }

    /// Lets the client that lags most behind give way, if any lags much. `most` is all the patience that there is with one.
    pub(super) fn hurry(&self, most: Duration) {
        let now = Instant::now();
        let left = |seat: &Arc<Seat>| {
            let lags = *seat.lags.lock();
            let (since, left) = lags?;
            let left = left.saturating_sub(now - since);
            (left + LAG <= most).then_some(left)
        };
        let open = self.open.lock();
        let lagging = open
            .seats
            .values()
            .filter_map(|seat| Some((left(seat)?, seat)));
        if let Some((_, seat)) = lagging.min_by_key(|(left, _)| *left) {
            seat.cut.store(true, SeqCst);
            seat.waker.wake();
        }
    }

    fn look(self: &Arc<Self>, party: &Party) -> Looked {
        let mut open = self.open.lock();
        let own = open.by.get(party).copied().unwrap_or(0);
        let share_taken = *party != Party::Anyone && own >= self.of_one;
        if open.seats.len() < self.most && !share_taken {
            open.next += 1;
            open.waits += 1;
            let seat = Arc::new(Seat {
                party: party.clone(),
                waits: AtomicU64::new(open.waits),
                asked: AtomicBool::new(false),
                lags: Mutex::default(),
                cut: AtomicBool::new(false),
                waker: AtomicWaker::new(),
            });
            let number = open.next;
            open.seats.insert(number, Arc::clone(&seat));
            if *party != Party::Anyone {
                *open.by.entry(party.clone()).or_default() += 1;
            }
            return Looked::Seated(Seated {
                number,
                seat,
                connections: Arc::clone(self),
            });
        }
        // Before the look, so that a wait that begins after it is heard of.
        self.short.store(true, SeqCst);
        let seats = open.seats.values();
        let seats = seats.filter(|seat| !share_taken || seat.party == *party);
        let mut asked = false;
        let longest = seats
            .filter(|seat| {
                asked |= seat.asked.load(SeqCst);
                seat.waits.load(SeqCst) > 0 && !seat.asked.load(SeqCst)
            })
            .min_by_key(|seat| seat.waits.load(SeqCst));
        match longest {
            _ if asked => Looked::Wait,
            Some(seat) => {
                seat.asked.store(true, SeqCst);
                seat.waker.wake();
                Looked::Wait
            }
            None if share_taken => Looked::Never,
            None => Looked::Wait,
        }
    }

    fn look_again(&self) {
        if self.short.load(SeqCst) {
            self.look.notify_one();
        }
    }
}

enum Looked {
    Seated(Seated),
    Wait,
    Never,
}

impl Seated {
    /// The connection waits for its client from now on.
    pub(super) fn waits(&self, waker: &Waker) {
        self.seat.waker.register(waker);
        let mut open = self.connections.open.lock();
        open.waits += 1;
        self.seat.waits.store(open.waits, SeqCst);
        drop(open);
        self.connections.look_again();
    }

    /// The connection serves a request from now on.
    pub(super) fn serves(&self) {
        self.seat.waits.store(0, SeqCst);
    }

    /// The client doesn't take what is there, and this patience is left with it; or it does by now.
    pub(super) fn lags(&self, left: Option<Duration>, waker: &Waker) {
        if left.is_some() {
            self.seat.waker.register(waker);
        }
        *self.seat.lags.lock() = left.map(|left| (Instant::now(), left));
    }

    /// Whether the connection is asked to give way. While it serves it is not, but for a client that lags: then another is looked for.
    pub(super) fn gives_way(&self) -> bool {
        if self.seat.cut.load(SeqCst) {
            self.seat.cut.store(false, SeqCst);
            return self.seat.lags.lock().is_some();
        }
        if !self.seat.asked.load(SeqCst) {
            return false;
        }
        let waits = self.seat.waits.load(SeqCst) > 0;
        if !waits {
            self.seat.asked.store(false, SeqCst);
            self.connections.look_again();
        }
        waits
    }
}

impl Drop for Seated {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.seats.remove(&self.number);
        if let Some(count) = open.by.get_mut(&self.seat.party) {
            *count -= 1;
            if *count == 0 {
                open.by.remove(&self.seat.party);
            }
        }
        drop(open);
        self.connections.look_again();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use futures_util::FutureExt;

    use super::*;

    fn at(address: &str) -> Option<IpAddr> {
        Some(address.parse().unwrap())
    }

    const OWN: &str = "127.0.0.1";

    fn take(connections: &Arc<Connections>, address: &str) -> Option<Option<Seated>> {
        connections.take(at(address)).now_or_never()
    }

    #[test]
    fn the_one_that_has_waited_longest_gives_way() {
        let connections = Connections::new(3, Share(100));
        let seats: Vec<Seated> = (0..3)
            .map(|_| take(&connections, OWN).unwrap().unwrap())
            .collect();
        // The first has just begun another wait, the second serves.
        seats[0].waits(Waker::noop());
        seats[1].serves();
        let mut fourth = Box::pin(connections.take(at(OWN)));
        assert!((&mut fourth).now_or_never().is_none());
        let asked: Vec<bool> = seats.iter().map(Seated::gives_way).collect();
        assert_eq!(asked, [false, false, true]);
        drop(seats.into_iter().next_back());
        assert!(fourth.now_or_never().unwrap().is_some());
    }

    #[test]
    fn one_that_serves_by_now_stays_and_another_is_asked() {
        let connections = Connections::new(2, Share(100));
        let first = take(&connections, OWN).unwrap().unwrap();
        let second = take(&connections, OWN).unwrap().unwrap();
        let mut third = Box::pin(connections.take(at(OWN)));
        assert!((&mut third).now_or_never().is_none());
        first.serves();
        assert!(!first.gives_way());
        assert!((&mut third).now_or_never().is_none());
        assert!(second.gives_way());
    }

    #[test]
    fn who_waits_for_room_hears_of_the_next_that_is_idle() {
        let connections = Connections::new(1, Share(100));
        let only = take(&connections, OWN).unwrap().unwrap();
        only.serves();
        let mut next = Box::pin(connections.take(at(OWN)));
        assert!((&mut next).now_or_never().is_none());
        assert!(!only.gives_way());
        only.waits(Waker::noop());
        assert!((&mut next).now_or_never().is_none());
        assert!(only.gives_way());
        drop(only);
        assert!(next.now_or_never().unwrap().is_some());
    }

    #[test]
    fn one_address_has_its_share_and_its_own_give_way_to_it() {
        let connections = Connections::new(4, Share(50));
        let (one, other) = ("192.0.2.1", "192.0.2.2");
        let others = take(&connections, other).unwrap().unwrap();
        let first = take(&connections, one).unwrap().unwrap();
        let second = take(&connections, one).unwrap().unwrap();
        second.serves();
        let mut third = Box::pin(connections.take(at(one)));
        assert!((&mut third).now_or_never().is_none());
        assert!(first.gives_way() && !others.gives_way());
        drop(first);
        let third = third.now_or_never().unwrap().unwrap();
        third.serves();
        assert!(
            take(&connections, one).unwrap().is_none(),
            "all of them serve"
        );
        // This machine's own address is everybody's behind a proxy here, and has no share.
        let _own = take(&connections, OWN).unwrap().unwrap();
    }
}
