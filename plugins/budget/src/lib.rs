//! So many tokens, or so much money, a day, week or month, of each client, team and model.
//!
//! What must stay true: what passes has its estimate taken from every budget first, so that a budget is never overspent by more than what the
//! running exchanges take beyond theirs; and what can't be counted doesn't pass.
//!
//! - `settings` is what the operator says, and what is wrong with it.
//! - `period` is from when to when a budget lasts.
//! - `price` is what tokens cost.
//! - `limit` is one budget, its sum and its words.

mod limit;
mod period;
mod price;
mod settings;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use metering::{Asked, Taken, Tokens};
use witgate_policy::prelude::*;

use limit::{Budget, Spent, Unit};
use price::Cost;
pub use settings::Settings;
use settings::{Checked, Over};

/// The policy.
#[derive(Clone, Debug)]
pub struct Budgets {
    settings: Rc<Checked>,
    taken: Taken,
    /// What each that was taken from counts, in turn.
    counted: Vec<Unit>,
    reserved: Tokens,
    reserved_micros: i64,
    model: String,
}

impl Policy for Budgets {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Budgets {
            settings: Rc::new(settings.check()?),
            taken: Taken::default(),
            counted: Vec::new(),
            reserved: Tokens::default(),
            reserved_micros: 0,
            model: String::new(),
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST | Hooks::ON_COMPLETE
    }

    fn on_request(&mut self) -> Verdict {
        let settings = self.settings.clone();
        let mut asked = Asked::read();
        asked.listed |= settings.cost.names(&asked.model);
        let concern = |budget: &&Budget| budget.who.concerns(&asked);
        let budgets: Vec<&Budget> = settings.budgets.iter().filter(concern).collect();
        if budgets.is_empty() {
            return Verdict::Proceed;
        }
        self.reserved = settings.estimate.of_request();
        self.model.clone_from(&asked.model);
        // What no target takes costs nothing, and is told so later.
        let money = budgets.iter().any(|budget| budget.unit == Unit::Money);
        if money && !asked.model.is_empty() {
            match settings.cost.of(self.reserved, &asked.model) {
                Some(micros) => self.reserved_micros = micros,
                None => return unpriced(&asked.model),
            }
        }
        let verdict = self.take(&budgets, &asked);
        if verdict.is_err() {
            self.taken.give_back();
            self.counted.clear();
        }
        verdict.unwrap_or_else(|refused| refused)
    }

    fn on_complete(&mut self) {
        if self.counted.is_empty() {
            return;
        }
        let took = self.settings.estimate.of_outcome(self.reserved);
        let micros = self.cost_of(took);
        for (turn, unit) in self.counted.iter().enumerate() {
            let amount = match unit {
                Unit::Tokens => i64::try_from(took.all()).unwrap_or(i64::MAX / 4),
                Unit::Money => micros,
            };
            if let Err(why) = self.taken.settle(turn, amount) {
                log::error!("{took:?} can't be counted, what was reserved stays counted: {why}");
            }
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Budgets {
    /// Takes from each of these. The error is what becomes of the request instead.
    fn take(&mut self, budgets: &[&Budget], asked: &Asked) -> Result<Verdict, Verdict> {
        let at = request::received_at();
        let mut soft: Vec<String> = Vec::new();
        for budget in budgets {
            let amount = match budget.unit {
                Unit::Tokens => i64::try_from(self.reserved.all()).unwrap_or(i64::MAX / 4),
                Unit::Money => self.reserved_micros,
            };
            match budget.take(&mut self.taken, asked, amount, at) {
                Ok(Spent::Room(sum)) => {
                    self.counted.push(budget.unit);
                    soft.extend(budget.past_soft(sum, asked));
                }
                Ok(Spent::All(ends)) => return Err(self.refused(budget, asked, ends, at)),
                Err(why) => {
                    let message = format!("what is spent can't be counted now: {why}");
                    let denial = Denial::new("budget.unknown", message);
                    return Err(denial.with_status(503).retry_after(1).into());
                }
            }
        }
        if !soft.is_empty() {
            for detail in soft {
                host::report(&Finding::new("budget.soft", 1).with_detail(detail));
            }
            // There may be too many tags, which changes nothing that counts.
            let _ = request::tag("budget", "soft");
        }
        Ok(Verdict::Proceed)
    }

    fn refused(&self, budget: &Budget, asked: &Asked, ends: u64, at: u64) -> Verdict {
        host::report(&Finding::new("budget.hard", 1).with_detail(budget.sentence(asked)));
        let _ = request::tag("budget", "hard");
        match budget.over.as_ref().unwrap_or(&self.settings.over) {
            Over::Respond(text) => Verdict::respond(text),
            Over::Deny => {
                let wait = (ends * 1000).saturating_sub(at).div_ceil(1000).max(1);
                let message = format!(
                    "{}, and they are spent until {}",
                    budget.sentence(asked),
                    period::day(ends)
                );
                Denial::new("budget.exceeded", message)
                    .with_status(429)
                    .retry_after(u32::try_from(wait).unwrap_or(u32::MAX))
                    .into()
            }
        }
    }

    /// What it came to, in millionths.
    fn cost_of(&self, took: Tokens) -> i64 {
        if took == Tokens::default() {
            return 0;
        }
        if let (Cost::Hosts { .. }, Some(micros)) = (&self.settings.cost, outcome::cost_micros()) {
            return i64::try_from(micros).unwrap_or(i64::MAX / 4);
        }
        // The model that answered may have another name than the one that was asked, and only one of them a price.
        let answered = outcome::model();
        let model = answered.as_deref().unwrap_or(&self.model);
        let cost = self.settings.cost.of(took, model);
        let cost = cost.or_else(|| self.settings.cost.of(took, &self.model));
        cost.unwrap_or(self.reserved_micros)
    }
}

/// What has no price can't be paid.
fn unpriced(model: &str) -> Verdict {
    let message = format!("`{model}` has no price, and there is a budget of money for it");
    Verdict::deny("budget.no-price", message)
}

witgate_policy::export!(Budgets);
