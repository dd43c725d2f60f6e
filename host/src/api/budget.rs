//! An amount that all callers share, and of which no single one takes all: exchanges, bodies being read, bytes.
//!
//! What must stay true: nothing here waits. What isn't there is refused at once, and what was taken goes back with its guard.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::Caller;

/// Whom an amount is put down to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// A configured client, by its id.
    Client(Arc<str>),
    /// Whoever comes from that address; of IPv6 the network of 64 bits.
    Address(IpAddr),
    /// Somebody who can't be told from others, or beside whom there is nobody: has no share, and may take all.
    Anyone,
}

impl Party {
    /// A client where there are several. Without clients the address, but not that of this machine: there it is everybody's, a
    /// proxy's for one.
    pub fn of(caller: &Caller, peer: Option<IpAddr>) -> Self {
        match (&caller.principal, peer) {
            (Some(_), _) if caller.alone => Self::Anyone,
            (Some(id), _) => Self::Client(Arc::clone(id)),
            (None, Some(address)) => Self::at(address),
            (None, None) => Self::Anyone,
        }
    }

    /// Whoever comes from that address.
    pub fn at(address: IpAddr) -> Self {
        match address.to_canonical() {
            address if address.is_loopback() => Self::Anyone,
            IpAddr::V6(address) => {
                let network = address.to_bits() & !u128::from(u64::MAX);
                Self::Address(Ipv6Addr::from_bits(network).into())
            }
            address => Self::Address(address),
        }
    }
}

/// What one party may have of an amount, in hundredths. 100: all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(pub u8);

impl Share {
    /// The most that a party may have; at least 1.
    pub fn of(self, all: u64) -> u64 {
        let part = u128::from(all) * u128::from(self.0.min(100));
        u64::try_from(part.div_ceil(100)).unwrap_or(all).max(1)
    }
}

impl Default for Share {
    /// Three quarters: a burst may be large, and there is always something left for the others.
    fn default() -> Self {
        Share(75)
    }
}

/// Why nothing could be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// There is not so much left.
    Gone,
    /// The party would have more than its share, whatever is left.
    Share,
}

/// An amount, of which parts are taken and given back.
#[derive(Debug)]
pub struct Budget {
    all: u64,
    of_one: u64,
    taken: Mutex<Taken>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Taken {
    all: u64,
    by: HashMap<Party, u64>,
}

impl Budget {
    /// `gauge` shows what is taken.
    pub fn new(all: u64, share: Share, gauge: Gauge) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_one: share.of(all),
            taken: Mutex::default(),
            gauge,
        })
    }

    /// How much is taken.
    pub fn taken(&self) -> u64 {
        self.taken.lock().all
    }

    /// Whether so much could be taken now.
    ///
    /// # Errors
    /// Why not.
    pub fn has(&self, party: &Party, amount: u64) -> Result<(), Short> {
        self.has_beside(&self.taken.lock(), party, amount, 0)
    }

    /// Takes so much.
    ///
    /// # Errors
    /// Why it can't be had; nothing was taken then.
    pub fn take(self: &Arc<Self>, party: &Party, amount: u64) -> Result<Part, Short> {
        let mut part = Part {
            budget: Arc::clone(self),
            party: party.clone(),
            amount: 0,
        };
        part.grow(amount, 0)?;
        Ok(part)
    }

    fn has_beside(
        &self,
        taken: &Taken,
        party: &Party,
        amount: u64,
        beside: u64,
    ) -> Result<(), Short> {
        let has = taken.by.get(party).copied().unwrap_or(0);
        if *party != Party::Anyone && has.saturating_add(amount) > self.of_one {
            return Err(Short::Share);
        }
        let needed = taken.all.saturating_add(amount).saturating_add(beside);
        if needed > self.all {
            return Err(Short::Gone);
        }
        Ok(())
    }
}

/// A part that was taken. It goes back when this is dropped.
#[derive(Debug)]
pub struct Part {
    budget: Arc<Budget>,
    party: Party,
    amount: u64,
}

impl Part {
    /// How much it is.
    pub fn amount(&self) -> u64 {
        self.amount
    }

    /// Parts with so much of it, or with all where it is less: what is parted with goes back by itself.
    pub fn split(&mut self, amount: u64) -> Part {
        let amount = amount.min(self.amount);
        self.amount -= amount;
        Part {
            budget: Arc::clone(&self.budget),
            party: self.party.clone(),
            amount,
        }
    }

    /// Takes so much more, as long as so much is left `beside` it.
    ///
    /// # Errors
    /// Why it can't be had; nothing more was taken then.
    pub fn grow(&mut self, amount: u64, beside: u64) -> Result<(), Short> {
        let mut taken = self.budget.taken.lock();
        self.budget
            .has_beside(&taken, &self.party, amount, beside)?;
        taken.all += amount;
        if self.party != Party::Anyone {
            *taken.by.entry(self.party.clone()).or_default() += amount;
        }
        drop(taken);
        self.amount += amount;
        self.budget.gauge.inc_by(signed(amount));
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock();
        taken.all -= self.amount;
        if let Some(has) = taken.by.get_mut(&self.party) {
            *has -= self.amount;
            // Nobody is remembered who has nothing.
            if *has == 0 {
                taken.by.remove(&self.party);
            }
        }
        drop(taken);
        self.budget.gauge.dec_by(signed(self.amount));
    }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn client(id: &str) -> Party {
        Party::Client(id.into())
    }

    #[test]
    fn no_party_takes_what_is_left_for_others() {
        let budget = Budget::new(4, Share(50), Gauge::default());
        let (a, b) = (client("a"), client("b"));
        let first = budget.take(&a, 2).unwrap();
        assert_eq!(budget.take(&a, 1).unwrap_err(), Short::Share);
        let _others = budget.take(&b, 2).unwrap();
        assert_eq!(budget.take(&Party::Anyone, 1).unwrap_err(), Short::Gone);
        assert_eq!(budget.taken(), 4);
        drop(first);
        budget.take(&a, 1).unwrap();
        assert_eq!(budget.taken(), 2);
        assert_eq!(budget.taken.lock().by.len(), 1, "only b is remembered");
    }

    #[test]
    fn who_cannot_be_told_from_others_may_take_all() {
        let budget = Budget::new(4, Share(50), Gauge::default());
        let _all = budget.take(&Party::Anyone, 4).unwrap();
        assert_eq!(budget.take(&client("a"), 1).unwrap_err(), Short::Gone);
    }

    #[test]
    fn what_must_stay_beside_it_is_left() {
        let budget = Budget::new(10, Share(100), Gauge::default());
        let mut part = budget.take(&Party::Anyone, 4).unwrap();
        part.grow(3, 3).unwrap();
        assert_eq!(part.grow(1, 3).unwrap_err(), Short::Gone);
        assert_eq!((part.amount(), budget.taken()), (7, 7));
        part.grow(3, 0).unwrap();
    }

    #[test]
    fn what_was_parted_with_goes_back_by_itself() {
        let budget = Budget::new(10, Share(100), Gauge::default());
        let mut part = budget.take(&client("a"), 4).unwrap();
        let (some, rest) = (part.split(3), part.split(3));
        assert_eq!([&part, &some, &rest].map(Part::amount), [0, 3, 1]);
        drop((part, rest));
        assert_eq!(budget.taken(), 3);
        drop(some);
        assert_eq!(budget.taken(), 0);
    }

    #[test]
    fn a_share_is_never_nothing() {
        assert_eq!(Share(75).of(1), 1);
        assert_eq!(Share(1).of(2), 1);
        assert_eq!(Share(75).of(512), 384);
        assert_eq!(Share(100).of(u64::MAX), u64::MAX);
    }

    #[test]
    fn parties_are_clients_then_addresses() {
        let of = |principal: Option<&str>, alone, peer: &str| {
            let principal = principal.map(Arc::from);
            let caller = Caller {
                principal,
                alone,
                ..Caller::default()
            };
            Party::of(&caller, Some(peer.parse().unwrap()))
        };
        assert_eq!(of(Some("a"), false, "192.0.2.1"), client("a"));
        assert_eq!(of(Some("a"), true, "192.0.2.1"), Party::Anyone);
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(None, false, own), Party::Anyone, "{own}");
        }
        let one = of(None, false, "192.0.2.1");
        assert_eq!(one, of(None, false, "::ffff:192.0.2.1"));
        assert_ne!(one, of(None, false, "192.0.2.2"));
        let one = of(None, false, "2001:db8::1");
        assert_eq!(one, of(None, false, "2001:db8::ffff:1"));
        assert_ne!(one, of(None, false, "2001:db8:0:1::1"));
    }
}
