//! What the operator may set, under `policy.json-answer`.

use serde::Deserialize;
use serde_json::Value;

/// What happens to an answer that doesn't match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// It ends.
    #[default]
    Deny,
    /// It is reported, and nothing is changed.
    Report,
}

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The JSON Schema that an answer must match. Without it, any JSON will do.
    #[serde(default)]
    pub(crate) schema: Option<Value>,
    #[serde(default)]
    pub(crate) action: Action,
    /// Whether a fence of code around the JSON is taken off.
    #[serde(default)]
    pub(crate) strip_fences: Option<bool>,
    /// Whether nothing goes out before all of it is known to match.
    #[serde(default)]
    pub(crate) hold: bool,
}
