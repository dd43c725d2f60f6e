//! Equal requests get the answer that the first of them got.
//!
//! What must stay true: only an answer that was complete, and that nobody denied, failed over or finished behind this stage, is kept; nobody gets one that was made for
//! somebody outside of the scope; and of a request there is nothing in the store but a hash.
//!
//! - `key` is what makes requests equal, `canonical` the JSON of it.
//! - `kept` is an answer as it is kept.
//! - `settings` is what the operator says, and what is wrong with it.

mod canonical;
mod kept;
mod key;
mod settings;
#[cfg(test)]
mod tests;

use witgate_policy::prelude::*;
use witgate_policy::{export, kv};

use kept::{Kept, Lane};
pub use settings::Settings;
use settings::{Checked, Scope};

/// The policy.
#[derive(Clone, Debug)]
pub struct Cache {
    settings: Checked,
    /// Where this exchange's answer goes, if it may be kept.
    key: Option<String>,
    kept: Kept,
}

/// What a client says of caching, where the header `cache-control` is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asked {
    Anything,
    /// A fresh answer, which others may get.
    Fresh,
    /// Nothing of it is to be kept.
    Nothing,
}

impl Policy for Cache {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let settings = settings.check()?;
        Ok(Cache {
            kept: Kept::new(settings.max_bytes),
            settings,
            key: None,
        })
    }

    fn on_request(&mut self) -> Verdict {
        let asked = asked();
        let key = match asked {
            Asked::Nothing => None,
            _ => self
                .scope()
                .and_then(|scope| key::of_request(&self.settings, &scope)),
        };
        let Some(key) = key else {
            mark("bypass");
            return Verdict::Proceed;
        };
        if asked == Asked::Anything {
            match kv::get(&key) {
                Ok(Some(value)) => {
                    if let Some(deltas) = kept::read(&value) {
                        mark("hit");
                        host::count("hit", 1);
                        return Verdict::Respond(deltas);
                    }
                }
                Ok(None) => {}
                // There is an upstream to ask.
                Err(why) => {
                    log::warn!("the cache can't be read: {why}");
                    mark("bypass");
                    return Verdict::Proceed;
                }
            }
        }
        mark("miss");
        host::count("miss", 1);
        self.key = Some(key);
        Verdict::Proceed
    }

    fn on_answer(&mut self, choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        // What isn't to be kept isn't looked at.
        if self.key.is_none() || self.kept.is_too_long() {
            return None;
        }
        let lane = self.kept.open(choice, channel);
        Some(Box::new(Listener(lane)))
    }

    fn on_complete(&mut self) {
        let Some(key) = self.key.take() else {
            return;
        };
        if !is_whole() {
            return;
        }
        let Some(value) = self.kept.written() else {
            return;
        };
        match kv::put(&key, &value, self.settings.ttl_seconds) {
            Ok(()) => host::count("kept", 1),
            Err(why) => log::warn!("an answer can't be kept: {why}"),
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Cache {
    /// Who shares answers with this client. `None`: nobody can be told.
    fn scope(&self) -> Option<String> {
        match self.settings.scope {
            Scope::Principal => request::principal().map(|id| format!("p{id}")),
            Scope::Team => request::team().map(|id| format!("t{id}")),
            Scope::Shared => Some("s".into()),
        }
    }
}

/// Hears a passage, and changes nothing.
struct Listener(Lane);

impl Passage<Cache> for Listener {
    fn on_delta(&mut self, policy: &mut Cache, text: &str) -> Edit {
        policy.kept.push(self.0, text);
        Edit::Forward
    }

    fn on_end(&mut self, policy: &mut Cache, _finish: &str) -> Edit {
        policy.kept.close();
        Edit::Forward
    }
}

/// What the client sees of it.
fn mark(what: &str) {
    // There may be too many tags, which changes no answer.
    let _ = request::tag("cache", what);
}

fn asked() -> Asked {
    let said = request::header("cache-control").unwrap_or_default();
    let says = |word: &str| {
        said.split(',')
            .any(|one| one.trim().eq_ignore_ascii_case(word))
    };
    if says("no-store") {
        Asked::Nothing
    } else if says("no-cache") {
        Asked::Fresh
    } else {
        Asked::Anything
    }
}

/// Whether the exchange ended so that others may get its answer: by itself, in every choice, and without a stage that denied or failed.
fn is_whole() -> bool {
    let finishes = outcome::finish_reasons();
    let by_itself = |finish: &String| matches!(&**finish, "stop" | "tool_calls");
    let went_well = |stage: &Account| {
        let bad = ["deny", "error:", "skip:"];
        stage.denial.is_none() && !bad.iter().any(|bad| stage.verdict.starts_with(bad))
    };
    outcome::ended() == Ending::Completed
        && !finishes.is_empty()
        && finishes.iter().all(by_itself)
        && outcome::stages().iter().all(went_well)
}

export!(Cache);
