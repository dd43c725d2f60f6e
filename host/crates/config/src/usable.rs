//! Finds the targets whose keys can be read.
//!
//! A target none of whose keys can be read is left out with a warning, so that a fallback without a key doesn't stop the gateway.
//! If no target is left, that is an error.

use super::Config;
use super::secret::{Secret, SecretError, SecretRef};
use super::targets::{KeyConfig, TargetConfig};

/// The targets that can be used now, in order.
#[derive(Clone, Debug)]
pub struct Usable<'a> {
    /// Never empty.
    pub targets: Vec<UsableTarget<'a>>,
    /// A sentence for each target that was left out.
    pub warnings: Vec<String>,
}

/// A target and its key.
#[derive(Clone, Debug)]
pub struct UsableTarget<'a> {
    /// The target.
    pub config: &'a TargetConfig,
    /// Its keys that can be read, each with what the configuration says of it. Empty where no key is sent.
    pub keys: Vec<(&'a KeyConfig, Secret)>,
}

/// There is no target to send anything to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoUsableTarget {
    /// No target is configured.
    #[error(
        "no target is configured: add one under providers.targets, such as `{{id: cerebras, provider: cerebras}}`, or \
         run with --simulate"
    )]
    NoneConfigured,
    /// No target has its key.
    #[error(
        "no target can be used: {}. Set what is missing, or run with --simulate, which needs no key",
        .0.join("; ")
    )]
    NoKeys(
        /// The reason for each target.
        Vec<String>,
    ),
}

impl Config {
    /// The targets whose key can be read. `read` reads one, usually [`SecretRef::read`].
    ///
    /// # Errors
    /// When no target is left. The sentence names every variable and file that would do.
    pub fn usable_targets(
        &self,
        read: impl Fn(&SecretRef) -> Result<Secret, SecretError>,
    ) -> Result<Usable<'_>, NoUsableTarget> {
        if self.targets.is_empty() {
            return Err(NoUsableTarget::NoneConfigured);
        }
        let mut targets = Vec::with_capacity(self.targets.len());
        let (mut warnings, mut reasons) = (Vec::new(), Vec::new());
        for config in &self.targets {
            let (mut keys, mut without) = (Vec::with_capacity(config.keys.len()), Vec::new());
            for key in &config.keys {
                match read(&key.secret) {
                    Ok(secret) => keys.push((key, secret)),
                    Err(error) => without.push(format!("target `{}`: {error}", config.id)),
                }
            }
            if !keys.is_empty() || config.keys.is_empty() {
                targets.push(UsableTarget { config, keys });
                warnings.extend(
                    without
                        .iter()
                        .map(|why| format!("{why}; that key is left out")),
                );
            } else {
                warnings.extend(without.iter().map(|why| format!("{why}; it is left out")));
                reasons.append(&mut without);
            }
        }
        if targets.is_empty() {
            return Err(NoUsableTarget::NoKeys(reasons));
        }
        Ok(Usable { targets, warnings })
    }
}
