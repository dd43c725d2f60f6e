//! What the operator may set, under `policy.json-answer`.

use serde::Deserialize;
use serde_json::Value;
use witgate_policy::Sanction;

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The JSON Schema that an answer must match. Without it, any JSON will do.
    #[serde(default)]
    pub(crate) schema: Option<Value>,
    #[serde(default)]
    pub(crate) action: Sanction,
    /// Whether a fence of code around the JSON is taken off.
    #[serde(default)]
    pub(crate) strip_fences: Option<bool>,
    /// Whether nothing goes out before all of it is known to match.
    #[serde(default)]
    pub(crate) hold: bool,
}
