//! What the operator may set, under `policy.tool-firewall`.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use witgate_policy::Sanction;

/// What happens to a request that offers a tool that may not be called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Offered {
    /// The tool is taken out, and the request goes on.
    #[default]
    Remove,
    /// The request is denied.
    Deny,
    /// The model is offered it. Calling it is denied still.
    Keep,
}

/// What happens to a request in which such a call was made earlier, or gave such a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum History {
    /// Nothing: it isn't looked at.
    #[default]
    Ignore,
    /// The request is denied.
    Deny,
}

/// The settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) allowed_tools: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) blocked_tools: Vec<String>,
    #[serde(default)]
    pub(crate) tools: Tools,
    #[serde(default)]
    pub(crate) rules: Vec<Rule>,
    /// The most calls in one answer.
    #[serde(default)]
    pub(crate) max_calls: Option<u32>,
    #[serde(default)]
    pub(crate) action: Sanction,
    #[serde(default)]
    pub(crate) offered: Option<Offered>,
    #[serde(default)]
    pub(crate) history: History,

    // What Keeptrusts' agent-firewall has, and what there is here instead.
    #[serde(default, rename = "denied_tools", deserialize_with = "denied_tools")]
    _denied_tools: (),
    #[serde(
        default,
        rename = "max_actions_per_session",
        deserialize_with = "max_actions"
    )]
    _max_actions: (),
    #[serde(default, rename = "rate_limits", deserialize_with = "rate_limits")]
    _rate_limits: (),
    #[serde(default, rename = "rate_limit", deserialize_with = "rate_limits")]
    _rate_limit: (),
    #[serde(
        default,
        rename = "transaction_limits",
        deserialize_with = "transaction_limits"
    )]
    _transaction_limits: (),
    #[serde(
        default,
        rename = "transaction_limit",
        deserialize_with = "transaction_limits"
    )]
    _transaction_limit: (),
    #[serde(default, rename = "kill_switches", deserialize_with = "kill_switches")]
    _kill_switches: (),
    #[serde(default, rename = "monitoring", deserialize_with = "monitoring")]
    _monitoring: (),
}

/// Lists by role.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tools {
    #[serde(default)]
    pub(crate) roles: BTreeMap<String, Role>,
}

/// What those who have a role may call.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Role {
    #[serde(default)]
    pub(crate) allowed: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) denied: Vec<String>,
}

/// What is asked of calls of some tools.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Globs of their names.
    pub(crate) tools: Vec<String>,
    /// The JSON Schema that arguments must match.
    #[serde(default)]
    pub(crate) schema: Option<Value>,
    /// Expressions that nothing in the arguments may match.
    #[serde(default)]
    pub(crate) forbid: Vec<String>,
    /// Expressions that nothing in the result may match, where `history` is looked at.
    #[serde(default)]
    pub(crate) forbid_results: Vec<String>,
    /// The most calls of these tools together in one answer.
    #[serde(default)]
    pub(crate) max_calls: Option<u32>,
}

macro_rules! instead {
    ($($key:ident: $says:literal;)*) => {$(
        fn $key<'de, D: Deserializer<'de>>(_: D) -> Result<(), D::Error> {
            Err(D::Error::custom($says))
        }
    )*};
}

instead! {
    denied_tools: "it is called `blocked_tools` here";
    max_actions: "the gateway sees exchanges, not sessions; `max_calls` bounds the calls of one answer, and the policy `rate-limit` requests in time";
    rate_limits: "how often someone may ask is the policy `rate-limit`'s; `max_calls`, here and in `rules`, bounds the calls of one answer";
    transaction_limits: "write a rule with a schema: {tools: [transfer], schema: {properties: {amount: {maximum: 1000}}}}; sums over days aren't kept";
    kill_switches: "a denied call ends its answer. For personal data put `pii-detector` into the chain, for patterns write `rules[].forbid`";
    monitoring: "what was denied is a finding, and `witgate_findings_total` counts findings: alert on that";
}
