//! Bodies that are being read: how many at once, and who gives way when there are too many.
//!
//! A body that comes slowly holds no exchange, but a place here. When all places are taken, the body that has been coming for the
//! longest gives way to a new one: whoever sends dribbles by the hundred keeps nobody out.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::Notify;

use crate::api::{Budget, Part, Party, Share, Short};

/// The places. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    budget: Arc<Budget>,
    /// Whoever changes what is taken of the budget holds this lock, so that both always say the same.
    places: Arc<Mutex<Places>>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// By the order in which they were taken.
    taken: BTreeMap<u64, (Part, Arc<Notify>)>,
}

/// A place in which a body is read.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    places: Arc<Mutex<Places>>,
    given_away: Arc<Notify>,
}

/// The caller has as many bodies under way as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Reading {
    /// So many places; `reading` shows how many are taken.
    pub(super) fn new(places: u32, share: Share, reading: Gauge) -> Self {
        Self {
            budget: Budget::new(places.into(), share, reading),
            places: Arc::default(),
        }
    }

    /// Takes a place, that of another where there is none left.
    pub(super) fn begin(&self, party: &Party) -> Result<Place, TooMany> {
        let mut places = self.places.lock();
        let part = loop {
            match self.budget.take(party, 1) {
                Ok(part) => break part,
                Err(Short::Share) => return Err(TooMany),
                Err(Short::Gone) => {
                    let (_, (_, given_away)) = places.taken.pop_first().ok_or(TooMany)?;
                    given_away.notify_one();
                }
            }
        };
        let number = places.next;
        places.next += 1;
        let given_away = Arc::new(Notify::new());
        places.taken.insert(number, (part, Arc::clone(&given_away)));
        drop(places);
        Ok(Place {
            number,
            places: Arc::clone(&self.places),
            given_away,
        })
    }
}

impl Place {
    /// Waits until the place is another's.
    pub(super) async fn given_away(&self) {
        self.given_away.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().taken.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_one_that_has_been_coming_longest_gives_way() {
        let gauge = Gauge::default();
        let reading = Reading::new(2, Share(100), gauge.clone());
        let [first, second, third] =
            std::array::from_fn(|_| reading.begin(&Party::Anyone).unwrap());
        assert!(first.given_away().now_or_never().is_some());
        assert!(second.given_away().now_or_never().is_none());
        assert_eq!(gauge.get(), 2);
        drop(first);
        assert_eq!(gauge.get(), 2, "its place is the third's");
        drop((second, third));
        assert_eq!(gauge.get(), 0);
    }

    #[test]
    fn who_has_its_share_takes_no_others_place() {
        let reading = Reading::new(4, Share(50), Gauge::default());
        let (a, b) = (Party::Client("a".into()), Party::Client("b".into()));
        let others = [reading.begin(&b).unwrap(), reading.begin(&b).unwrap()];
        let _own = [reading.begin(&a).unwrap(), reading.begin(&a).unwrap()];
        assert_eq!(reading.begin(&a).unwrap_err(), TooMany);
        for place in &others {
            assert!(place.given_away().now_or_never().is_none());
        }
    }
}
