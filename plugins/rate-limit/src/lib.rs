//! So many requests and tokens in a window of time, of each client, team and model.
//!
//! What must stay true: a request that a limit refuses takes nothing from any other; what can't be counted doesn't pass; and what a client is
//! told of its limits is what is counted.
//!
//! - `settings` is what the operator says, and what is wrong with it.
//! - `limit` is one limit: its sum, its room, and when there will be some.
//! - `headers` is what a client is told.

mod headers;
mod limit;
mod settings;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use metering::{Asked, Taken, Tokens};
use witgate_policy::prelude::*;

use limit::{Limit, What};
pub use settings::Settings;

/// The policy.
#[derive(Clone, Debug)]
pub struct RateLimit {
    settings: Rc<Checked>,
    taken: Taken,
    /// What each that was taken from counts, in turn.
    counted: Vec<(What, usize)>,
    reserved: Tokens,
}

/// The settings, checked.
#[derive(Debug)]
struct Checked {
    limits: Vec<Limit>,
    estimate: metering::Estimate,
    headers: bool,
}

impl Policy for RateLimit {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(RateLimit {
            settings: Rc::new(settings.check()?),
            taken: Taken::default(),
            counted: Vec::new(),
            reserved: Tokens::default(),
        })
    }

    fn hooks(&self) -> Hooks {
        // What counts requests alone has nothing to settle.
        let tokens = |limit: &Limit| limit.what == What::Tokens;
        if self.settings.limits.iter().any(tokens) {
            Hooks::ON_REQUEST | Hooks::ON_COMPLETE
        } else {
            Hooks::ON_REQUEST
        }
    }

    fn on_request(&mut self) -> Verdict {
        let settings = self.settings.clone();
        let asked = Asked::read();
        let concern = |limit: &&Limit| limit.who.concerns(&asked);
        let limits: Vec<&Limit> = settings.limits.iter().filter(concern).collect();
        if limits.is_empty() {
            return Verdict::Proceed;
        }
        if limits.iter().any(|limit| limit.what == What::Tokens) {
            self.reserved = settings.estimate.of_request();
        }
        let at = request::received_at();
        let (rooms, verdict) = match self.take(&limits, &asked, at) {
            Ok(rooms) => (Ok(rooms), Verdict::Proceed),
            Err(denial) => {
                self.taken.give_back();
                self.counted.clear();
                let looks = limits.iter().map(|limit| limit.look(&asked, at));
                (looks.collect(), Verdict::Deny(denial))
            }
        };
        if settings.headers
            && let Ok(rooms) = rooms
        {
            headers::tell(&limits, &rooms);
        }
        verdict
    }

    fn on_complete(&mut self) {
        if !self.counted.iter().any(|(what, _)| *what == What::Tokens) {
            return;
        }
        let took = self.settings.estimate.of_outcome(self.reserved).all();
        for (turn, (what, limit)) in self.counted.iter().enumerate() {
            if *what == What::Requests {
                continue;
            }
            let amount = self.settings.limits[*limit].amount(took);
            if let Err(why) = self.taken.settle(turn, amount) {
                log::error!("{took} tokens can't be counted, those reserved stay counted: {why}");
            }
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

witgate_policy::export!(RateLimit);
