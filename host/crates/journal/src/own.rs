//! The journal's own entries: what it does to the chain is written in the chain.

use serde::{Deserialize, Serialize};

use super::Entry;
use super::chain::Hash;

/// Who writes them. No stage's id begins with `@`.
pub(super) const STAGE: &str = "@journal";

/// That the entries up to one were removed, so that a checkpoint stands in their place.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OwnEntry {
    /// Why.
    pub(super) journal: Reason,
    /// The last entry that was removed; 0 where there was none.
    pub(super) to_seq: i64,
    /// Its hash.
    pub(super) to_hash: String,
    /// How many were removed in this step.
    pub(super) removed: i64,
}

/// Why the journal writes an entry of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reason {
    /// Retention removed them.
    Retention,
    /// The journal was one of schema version 1, and what it had removed by then can't be known.
    Upgrade,
}

impl OwnEntry {
    /// As it is appended.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            stage: STAGE.to_owned(),
            request_id: String::new(),
            body: serde_json::to_string(self).expect("plain fields make JSON"),
        }
    }

    /// Whether it vouches for a checkpoint there.
    pub(super) fn vouches_for(&self, seq: i64, hash: &Hash) -> bool {
        self.to_seq == seq && self.to_hash == hash.to_string()
    }
}
