//! Telling whether anything has changed since the last reload.

use sha2::{Digest, Sha256};

use crate::generation::BuildInputs;

/// A digest of everything that a generation is built from: equal fingerprints make equal chains, targets and clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads the secrets that the configuration refers to: not for a runtime worker.
    pub(super) fn of(inputs: &BuildInputs) -> Self {
        let mut hash = Sha256::new();
        // Debug shows references to secrets, never secrets.
        hash.update(format!("{:?}", inputs.config));
        // What they refer to counts as well: a key that was changed, or that has come, makes another content.
        let config = &inputs.config;
        let targets = config.targets.iter().filter_map(|it| it.secret.as_ref());
        for secret in targets.chain(config.clients.iter().map(|it| &it.secret)) {
            hash.update(match secret.read() {
                Ok(secret) => Sha256::digest(secret.expose()),
                Err(error) => Sha256::digest(error.to_string()),
            });
        }
        for stage in &inputs.config.stages {
            hash.update(Sha256::digest(inputs.component(stage)));
            let samples = inputs.samples(stage).map(Sha256::digest);
            hash.update([u8::from(samples.is_some())]);
            hash.update(samples.unwrap_or_default());
        }
        Fingerprint(hash.finalize().into())
    }
}
