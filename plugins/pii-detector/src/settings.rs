//! What the operator may set, under `policy.pii-detector`.

use pii_entities::{Regions, Set};
use serde::Deserialize;
use witgate_policy::redact::Action;

/// What a match is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// `[CARD]`.
    #[default]
    Label,
    /// Asterisks in the same shape. The last four letters or digits of cards, accounts, phone and social security numbers
    /// stay.
    Mask,
    /// `[CARD:1a2b3c4d]`: the same text for the same value, so that a reader can tell which matches belong together.
    Hash,
}

/// The settings: what to look for, and what to do with a match.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) entities: Set,
    #[serde(default)]
    pub(crate) regions: Regions,
    /// Whether addresses of private networks are found, too.
    #[serde(default)]
    pub(crate) private_ips: bool,
    #[serde(default)]
    pub(crate) format: Format,
    /// Goes before each value that is hashed, so that nobody can try values out.
    #[serde(default)]
    pub(crate) salt: String,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
}

fn yes() -> bool {
    true
}
