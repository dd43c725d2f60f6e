//! The memory of exchanges: what bodies cost is taken out of one budget, and is refused when there is none left.
//!
//! What must stay true: bytes are charged before they are kept, and given back when their exchange is over; those of a whole answer when
//! its client has taken them, which may be long after.

use std::sync::Arc;

use bytes::Bytes;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::budget::{Budget, Part, Party, Share, Short};
use super::error::ApiError;
use super::permits::no_room;

/// What a byte of a body costs: itself, and at most three for what is made of it while it is read and judged.
const FACTOR: u64 = 4;

/// Exchanges whose bodies have no more than this in all, in bytes, may have the last of the budget: large ones don't keep them out.
const SMALL: u64 = 64 << 10;

/// What part of the budget is kept for small ones.
const KEPT: u64 = 8;

/// The budget in bytes for all exchanges together. Clones share it.
#[derive(Clone, Debug)]
pub struct Memory {
    budget: Arc<Budget>,
    kept: u64,
    refused: Counter,
}

impl Memory {
    /// So many bytes. `used` shows how many are taken, `refused` counts the requests that got none.
    pub fn new(bytes: u64, share: Share, used: Gauge, refused: Counter) -> Self {
        Self {
            budget: Budget::new(bytes, share, used),
            kept: bytes / KEPT,
            refused,
        }
    }

    /// What an exchange has of it: nothing yet.
    pub fn charge(&self, party: &Party) -> Charge {
        let nothing = self.budget.take(party, 0);
        let nothing = nothing.expect("nothing can always be had");
        Charge(Some((nothing, self.clone())))
    }
}

/// What one exchange has of the memory. It goes back when this is dropped.
#[derive(Debug)]
pub struct Charge(Option<(Part, Memory)>);

impl Charge {
    /// Of an exchange that no client waits for, and that is bounded otherwise.
    pub fn unbound() -> Self {
        Charge(None)
    }

    /// Takes the room for so many more bytes of a body.
    ///
    /// # Errors
    /// There is none: a 503, or a 429 where the caller has its share already.
    pub fn grow(&mut self, bytes: usize) -> Result<(), ApiError> {
        let Some((part, memory)) = &mut self.0 else {
            return Ok(());
        };
        let more = (bytes as u64).saturating_mul(FACTOR);
        let small = part.amount().saturating_add(more) <= SMALL * FACTOR;
        let beside = if small { 0 } else { memory.kept };
        part.grow(more, beside).map_err(|short| {
            memory.refused.inc();
            no_room(
                short,
                match short {
                    Short::Gone => {
                        "The exchanges that run take as much memory as they may. Try again in a second."
                    }
                    Short::Share => {
                        "Your other exchanges take as much memory as one caller may have. Try again when one has ended."
                    }
                },
            )
        })
    }
}

impl Charge {
    /// Nothing yet, for another body that the same exchange reads at the same time.
    pub fn another(&mut self) -> Charge {
        let own = self.0.as_mut();
        Charge(own.map(|(part, memory)| (part.split(0), memory.clone())))
    }

    /// Lets the bytes of an answer have what they cost, until the last of them has gone out. A small answer isn't worth it: a connection
    /// holds as much.
    pub fn ride_with(&mut self, answer: Bytes) -> Bytes {
        match &mut self.0 {
            Some((part, _)) if answer.len() as u64 > SMALL => {
                let charged = part.split(answer.len() as u64);
                Bytes::from_owner(Charged {
                    answer,
                    _charged: charged,
                })
            }
            _ => answer,
        }
    }
}

/// An answer and what it costs.
struct Charged {
    answer: Bytes,
    _charged: Part,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.answer
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn memory(bytes: u64) -> (Memory, Gauge, Counter) {
        let (used, refused) = (Gauge::default(), Counter::default());
        let memory = Memory::new(bytes, Share(100), used.clone(), refused.clone());
        (memory, used, refused)
    }

    #[test]
    fn what_is_charged_goes_back_at_the_end() {
        let (memory, used, refused) = memory(1 << 20);
        let mut charge = memory.charge(&Party::Anyone);
        charge.grow(100).unwrap();
        charge.grow(10).unwrap();
        assert_eq!(used.get(), 440);
        let error = charge.grow(1 << 20).unwrap_err();
        assert_eq!((error.status.as_u16(), error.retry_after), (503, Some(1)));
        assert_eq!((used.get(), refused.get()), (440, 1));
        drop(charge);
        assert_eq!(used.get(), 0);
    }

    #[test]
    fn another_body_is_charged_to_the_same_party_and_by_itself() {
        let (memory, used, _) = memory(1 << 20);
        let mut charge = memory.charge(&Party::Anyone);
        charge.grow(100).unwrap();
        let mut another = charge.another();
        another.grow(10).unwrap();
        assert_eq!(used.get(), 440);
        drop(charge);
        assert_eq!(used.get(), 40);
        drop(another);
        assert_eq!(used.get(), 0);
    }

    #[test]
    fn large_ones_leave_room_for_small_ones() {
        let (memory, used, _) = memory(8 << 20);
        let mut large = Vec::new();
        loop {
            let mut charge = memory.charge(&Party::Anyone);
            if charge.grow(256 << 10).is_err() {
                break;
            }
            large.push(charge);
        }
        assert_eq!(used.get(), 7 << 20, "an eighth is left");
        let mut small = memory.charge(&Party::Anyone);
        small.grow(64 << 10).unwrap();
        small.grow(1).unwrap_err();
    }

    #[test]
    fn an_answer_is_paid_for_until_its_client_has_it() {
        let (memory, used, _) = memory(8 << 20);
        let mut charge = memory.charge(&Party::Anyone);
        charge.grow(1 << 20).unwrap();
        let small = charge.ride_with(Bytes::from_static(b"small"));
        let answer = Bytes::from(vec![b'a'; 1 << 20]);
        let large = charge.ride_with(answer.clone());
        assert_eq!((&*small, large.as_ptr()), (&b"small"[..], answer.as_ptr()));
        drop((charge, small));
        let rest = large.slice(10..);
        drop(large);
        assert_eq!(used.get(), 1 << 20);
        drop(rest);
        assert_eq!(used.get(), 0);
    }

    #[test]
    fn who_has_its_share_is_told_so() {
        let memory = Memory::new(1000, Share(50), Gauge::default(), Counter::default());
        let client = Party::Client("a".into());
        let mut charge = memory.charge(&client);
        charge.grow(100).unwrap();
        assert_eq!(charge.grow(100).unwrap_err().status, 429);
        memory.charge(&Party::Client("b".into())).grow(50).unwrap();
    }

    #[test]
    fn without_a_client_nothing_is_charged() {
        Charge::unbound().grow(usize::MAX).unwrap();
    }
}
