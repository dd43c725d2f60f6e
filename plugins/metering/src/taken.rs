//! Taking from several sums, all or none of them.

use witgate_policy::counters;

/// What this exchange took, to be given back or settled.
#[derive(Clone, Debug, Default)]
pub struct Taken(Vec<One>);

#[derive(Clone, Debug)]
struct One {
    key: String,
    window: u32,
    amount: i64,
}

impl Taken {
    /// Takes from one sum more, if that leaves it no more than `most`, and returns what it is then. `None`: there is no room, and nothing
    /// was taken. An amount of 0 is always taken, to be settled later.
    ///
    /// # Errors
    ///
    /// Nothing can be counted now.
    pub fn take(
        &mut self,
        key: &str,
        window: u32,
        amount: i64,
        most: i64,
    ) -> Result<Option<i64>, String> {
        let sum = counters::take(key, amount, window, most)?;
        if sum.is_some() {
            self.0.push(One {
                key: key.to_owned(),
                window,
                amount,
            });
        }
        Ok(sum)
    }

    /// Gives all of it back. What can't be given back stays taken, until its window ends.
    pub fn give_back(&mut self) {
        for one in self.0.drain(..) {
            if one.amount != 0 {
                let _ = counters::add(&one.key, -one.amount, one.window);
            }
        }
    }

    /// How many sums were taken from.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts what it came to in the place of what was taken from the sum that was taken from in this turn, beginning with 0.
    ///
    /// # Errors
    ///
    /// It can't be counted now. What was taken stays taken.
    pub fn settle(&mut self, turn: usize, amount: i64) -> Result<(), String> {
        let Some(one) = self.0.get_mut(turn) else {
            return Ok(());
        };
        let more = amount - one.amount;
        if more != 0 {
            counters::add(&one.key, more, one.window)?;
            one.amount = amount;
        }
        Ok(())
    }
}
