//! What the operator says.

use metering::keys::{Elsewhere, none_of};
use serde::Deserialize;

/// The most that a value of the store may have.
const VALUE: usize = 1 << 20;
/// The longest time that it is kept for: 366 days.
const LONGEST: u32 = 366 * 24 * 60 * 60;

/// Who shares answers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scope {
    /// Each client has its own.
    #[default]
    Principal,
    /// Clients of a team.
    Team,
    /// All.
    Shared,
}

/// The settings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    scope: Scope,
    #[serde(default = "five_minutes")]
    ttl_seconds: u32,
    /// A request with a higher one isn't cached; one that says none has 1.
    #[serde(default)]
    max_temperature: f64,
    /// The longest answer that is kept, in bytes.
    #[serde(default = "quarter")]
    max_bytes: usize,
    // As others have them.
    #[serde(default)]
    ttl: Elsewhere,
    #[serde(default)]
    max_age: Elsewhere,
    #[serde(default)]
    mode: Elsewhere,
    #[serde(default)]
    threshold: Elsewhere,
    #[serde(default)]
    similarity_threshold: Elsewhere,
    #[serde(default)]
    cache_by_model: Elsewhere,
    #[serde(default)]
    cache_by_provider: Elsewhere,
    #[serde(default)]
    conversation_history_threshold: Elsewhere,
    #[serde(default)]
    exclude_system_prompt: Elsewhere,
}

fn five_minutes() -> u32 {
    300
}

fn quarter() -> usize {
    256 << 10
}

/// The settings, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Checked {
    pub(crate) scope: Scope,
    pub(crate) ttl_seconds: u32,
    pub(crate) max_temperature: f64,
    pub(crate) max_bytes: usize,
}

impl Settings {
    pub(crate) fn check(self) -> Result<Checked, String> {
        let equal = "only equal requests share an answer here; leave it out";
        none_of(&[
            ("ttl", self.ttl, "say `ttl_seconds`"),
            ("max_age", self.max_age, "say `ttl_seconds`"),
            ("mode", self.mode, equal),
            ("threshold", self.threshold, equal),
            ("similarity_threshold", self.similarity_threshold, equal),
            (
                "cache_by_model",
                self.cache_by_model,
                "each model has its own answers; leave it out",
            ),
            (
                "cache_by_provider",
                self.cache_by_provider,
                "an answer of any target serves; leave it out",
            ),
            (
                "conversation_history_threshold",
                self.conversation_history_threshold,
                equal,
            ),
            ("exclude_system_prompt", self.exclude_system_prompt, equal),
        ])?;
        if !(1..=LONGEST).contains(&self.ttl_seconds) {
            return Err(format!(
                "`ttl_seconds`: {} is out of range; an answer is kept for 1 to {LONGEST} (366 days)",
                self.ttl_seconds
            ));
        }
        if !(0.0..=2.0).contains(&self.max_temperature) {
            return Err(format!(
                "`max_temperature`: {} is no temperature; it is 0 to 2. Requests that say none have 1",
                self.max_temperature
            ));
        }
        // A text may take twice its bytes in JSON, and more; what is longer still the store refuses.
        if !(1..=VALUE / 2).contains(&self.max_bytes) {
            return Err(format!(
                "`max_bytes`: {} is out of range; an answer that is kept has 1 to {} bytes",
                self.max_bytes,
                VALUE / 2
            ));
        }
        Ok(Checked {
            scope: self.scope,
            ttl_seconds: self.ttl_seconds,
            max_temperature: self.max_temperature,
            max_bytes: self.max_bytes,
        })
    }
}
