//! What policies do that judge and change nothing.

/// What a policy does about what may not be: a setting, `deny` or `report`. One that takes things out has [`redact::Action`](crate::redact::Action).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sanction {
    /// Deny the request, or end the answer. Keeptrusts calls it `block`, which a policy's schema of its settings may take or not.
    #[default]
    #[serde(alias = "block")]
    Deny,
    /// Report it and change nothing.
    Report,
}
