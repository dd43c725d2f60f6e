//! Writes what each exchange cost into the tamper-evident journal. Grant: `journal`.

use serde::Serialize;
use witgate_policy::journal;
use witgate_policy::prelude::*;

/// The policy.
#[derive(Clone)]
pub struct Ledger;

#[derive(Serialize)]
struct Entry {
    caller: Option<String>,
    model: Option<String>,
    tokens: Option<u32>,
    cost_micros: Option<u64>,
    /// What is known of an answer whose tokens nobody told.
    sent_bytes: u64,
}

impl Policy for Ledger {
    type Settings = NoSettings;

    fn new(_: NoSettings) -> Result<Self, String> {
        Ok(Ledger)
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_COMPLETE
    }

    fn on_complete(&mut self) {
        let tokens = outcome::tokens();
        let entry = Entry {
            caller: request::principal(),
            model: outcome::model(),
            tokens: tokens.map(|it| it.prompt_tokens + it.completion_tokens),
            cost_micros: outcome::cost_micros(),
            sent_bytes: outcome::sent_bytes(),
        };
        if let Err(why) = journal::write(&entry) {
            // The host counts it, and puts a least entry in its place.
            log::error!("not in the ledger: {why}");
        }
    }
}

witgate_policy::export!(Ledger);

#[cfg(test)]
mod tests {
    use witgate_policy::testing::{self, Outcome, Request};
    use witgate_policy::{Ending, serde_json::json};

    #[test]
    fn every_exchange_is_in_it() {
        let policy = testing::configure::<super::Ledger>(json!({})).expect("there are none");
        for ending in [Ending::Completed, Ending::Disconnected] {
            let exchange = policy.exchange(Request::user("hi").principal("ann"));
            let record = exchange.complete(Outcome::ended(ending));
            assert_eq!(record.entries()[0]["caller"], "ann");
        }
    }
}
