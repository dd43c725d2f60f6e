//! What the operator may set, under `policy.dlp`.

use serde::Deserialize;

/// What to do with a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Replace it.
    #[default]
    Redact,
    /// Deny the request, or end the answer. Keeptrusts calls it `block`.
    #[serde(alias = "block")]
    Deny,
    /// Report it and change nothing.
    Report,
}

/// Which markers of classification are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// None.
    #[default]
    Standard,
    /// Those that hardly mean anything else.
    High,
    /// All.
    Restricted,
}

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) blocked_terms: Vec<String>,
    #[serde(default)]
    pub(crate) detect_patterns: Vec<String>,
    #[serde(default)]
    pub(crate) sensitivity_level: Level,
    /// Whether terms are found that are misspelt.
    #[serde(default)]
    pub(crate) fuzzy_matching: bool,
    /// By how many letters.
    #[serde(default)]
    pub(crate) max_distance: Option<usize>,
    #[serde(default)]
    pub(crate) action: Action,
    /// What stands in a match's place.
    #[serde(default = "redacted")]
    pub(crate) replacement: String,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
}

fn redacted() -> String {
    "[REDACTED]".into()
}

fn yes() -> bool {
    true
}

impl Settings {
    /// What doesn't make sense together.
    pub(crate) fn check(&self) -> Result<(), String> {
        let nothing = self.blocked_terms.is_empty() && self.detect_patterns.is_empty();
        if nothing && self.sensitivity_level == Level::Standard {
            return Err(
                "there is nothing to look for: write `blocked_terms`, `detect_patterns`, or `sensitivity_level: high` for markers such as \
                 CONFIDENTIAL"
                    .into(),
            );
        }
        match (self.fuzzy_matching, self.max_distance) {
            (false, Some(_)) => Err(
                "max_distance says how far a misspelt term may be, and `fuzzy_matching` is false; write `fuzzy_matching: true`, or leave it out"
                    .into(),
            ),
            (true, Some(0)) => Err(
                "max_distance: 0 finds no misspelt term; write 1 to 8, or `fuzzy_matching: false`".into(),
            ),
            (true, Some(9..)) => Err("max_distance: 8 is the most".into()),
            (true, _) if self.blocked_terms.is_empty() => Err(
                "fuzzy_matching is for `blocked_terms`, and there are none".into(),
            ),
            _ => Ok(()),
        }
    }
}
