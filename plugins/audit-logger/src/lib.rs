//! The audit log: one journal entry for every exchange, in one line of JSON.
//!
//! What must stay true: no text of an exchange gets into an entry unless `capture: full` asks for it, and an exchange
//! that should be logged is logged however it ended, also when it was denied before this stage was reached, and whatever was in
//! it: an entry always fits into the journal.
//!
//! - `entry` is what an entry says, and in which order.
//! - `capture` is what it may say of the request's text.
//! - `room` cuts what is too long.
//! - `clock` writes the time.

mod capture;
mod clock;
mod entry;
mod room;

pub use capture::Capture;

use witgate_policy::prelude::*;
use witgate_policy::{export, journal};

/// The policy and its settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditLogger {
    /// Entries can't be changed or removed before their time. The host's journal carries this out: it reads it, as it
    /// reads `retention_days`, from this stage's settings. Here the two are only checked.
    #[serde(default = "yes")]
    pub immutable: bool,
    /// Days for which entries are kept, 1 to 36500. Without it they are kept for ever.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// Log every exchange, or those alone in which something happened: a denial, a response, a fault, an edit, a failure,
    /// a finding.
    #[serde(default = "yes")]
    pub log_all_access: bool,
    /// How much of the request's text to keep.
    #[serde(default)]
    pub capture: Capture,
}

fn yes() -> bool {
    true
}

impl Policy for AuditLogger {
    type Settings = Self;

    fn new(settings: Self) -> Result<Self, String> {
        match settings.retention_days {
            Some(days) if !(1..=36_500).contains(&days) => Err(format!(
                "`retention_days`: {days} is not between 1 and 36500; leave it out to keep entries for ever"
            )),
            _ => Ok(settings),
        }
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_COMPLETE
    }

    fn on_complete(&mut self) {
        let ended = outcome::ended();
        let stages = outcome::stages();
        if !self.log_all_access && entry::is_plain(ended, &stages) {
            return;
        }
        let entry = entry::Entry::of(ended, &stages, self.capture);
        if let Err(error) = journal::write(&entry) {
            // The host counts it, and puts a least entry in its place.
            log::error!("the journal has no entry for {}: {error}", request::id());
        }
    }

    fn schema() -> Option<String> {
        Some(include_str!("schema.json").into())
    }
}

export!(AuditLogger);

#[cfg(test)]
mod tests;
