//! What the operator may set, under `policy.pii-vault`.

use pii_entities::{Regions, Scope, Set};
use serde::Deserialize;

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    entities: Set,
    #[serde(default)]
    regions: Regions,
    #[serde(default)]
    private_ips: bool,
    /// Whether placeholders are known again that the model wrote a little differently.
    #[serde(default = "yes")]
    pub(crate) lenient: bool,
    /// Whether the model is told what placeholders are.
    #[serde(default)]
    pub(crate) hint: bool,
}

fn yes() -> bool {
    true
}

impl Settings {
    /// What to look for.
    pub(crate) fn scope(&self) -> Result<Scope, String> {
        if self.entities.is_empty() {
            return Err("entities: name at least one, or leave the key out for all".into());
        }
        Ok(Scope {
            entities: self.entities,
            regions: self.regions,
            private_ips: self.private_ips,
        })
    }
}
