//! One budget.

use metering::{Asked, Taken, Who};
use witgate_policy::counters;

use crate::period::Per;
use crate::settings::Over;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Tokens,
    /// In millionths.
    Money,
}

/// A budget.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Begins the keys of its sums.
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) most: i64,
    pub(crate) per: Per,
    pub(crate) who: Who,
    /// From this sum on it is told.
    pub(crate) soft: Option<i64>,
    /// What becomes of a request when it is spent, if that isn't what the settings say of all.
    pub(crate) over: Option<Over>,
}

/// What taking comes to.
pub(crate) enum Spent {
    /// There was room, and this is the sum now.
    Room(i64),
    /// There is none until then, in seconds since 1970.
    All(u64),
}

impl Budget {
    pub(crate) fn take(
        &self,
        taken: &mut Taken,
        asked: &Asked,
        amount: i64,
        at: u64,
    ) -> Result<Spent, String> {
        let period = self.per.at(at);
        let key = format!("{}@{}", self.who.key(&self.name, asked), period.begins);
        // What is taken to cost nothing passes only as long as something is left.
        if amount == 0 && counters::add(&key, 0, period.window)? >= self.most {
            return Ok(Spent::All(period.ends));
        }
        let sum = taken.take(&key, period.window, amount, self.most)?;
        Ok(sum.map_or(Spent::All(period.ends), Spent::Room))
    }

    /// What to tell of a sum that is past the soft limit.
    pub(crate) fn past_soft(&self, sum: i64, asked: &Asked) -> Option<String> {
        if sum < self.soft? {
            return None;
        }
        let percent = i128::from(sum) * 100 / i128::from(self.most);
        Some(format!("{percent} %: {}", self.sentence(asked)))
    }

    /// For people.
    pub(crate) fn sentence(&self, asked: &Asked) -> String {
        let (per, whose) = (self.per.name(), self.who.named(asked));
        match self.unit {
            Unit::Tokens => format!("there are {} tokens a {per} for {whose}", self.most),
            Unit::Money => format!(
                "there are {}.{:02} of the currency a {per} for {whose}",
                self.most / 1_000_000,
                self.most % 1_000_000 / 10_000
            ),
        }
    }
}
