//! Secrets that an executable or a Vault has are asked for again when it is time, and the tokens of Vaults are renewed.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::build::blocking;
use super::{Controller, Trigger};
use crate::config::{Config, SecretRef};

/// The target of the lines here: operators filter by this name, whatever the module is called.
const LOG: &str = "witgate::gateway::watch";

/// The least time between two rounds, however short what is asked for is good.
const LEAST: Duration = Duration::from_millis(100);

/// Asks for them until cancelled, and reloads where a secret is another. Where nothing has to be asked for, it sleeps until the next swap.
pub(super) async fn run(controller: Arc<Controller>, stop: CancellationToken) {
    loop {
        let swapped = controller.swapped.notified();
        let secrets = asked_for(controller.current().config());
        controller.count_failing(&secrets);
        let due = secrets.iter().filter_map(SecretRef::due).min();
        let due = due.map(|due| Instant::from_std(due).max(Instant::now() + LEAST));
        let waits = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = swapped => continue,
            () = waits => {}
        }
        if controller.renew(secrets).await {
            // The reload logs its success or failure itself.
            let _ = controller.reload(Trigger::Change).await;
        }
    }
}

/// Those that somebody has to be asked for, each once.
pub(super) fn asked_for(config: &Config) -> Vec<SecretRef> {
    let mut found: Vec<SecretRef> = Vec::new();
    let asked = |secret: &&SecretRef| matches!(secret, SecretRef::Exec(_) | SecretRef::Vault(_));
    let mut seen = std::collections::HashSet::new();
    found.extend(
        config
            .secrets()
            .filter(asked)
            .filter(|secret| seen.insert(*secret))
            .cloned(),
    );
    found
}

impl Controller {
    /// Asks for those that it is time for, on a thread that may block. Whether one is another now.
    async fn renew(&self, secrets: Vec<SecretRef>) -> bool {
        let metrics = self.services.metrics.clone();
        let renew = move || {
            let mut changed = false;
            for secret in &secrets {
                let failed_before = secret.state().is_some_and(|state| state.trouble.is_some());
                let Some(renewal) = secret.renew() else {
                    continue;
                };
                changed |= renewal.changed;
                match renewal.trouble {
                    None if failed_before => {
                        metrics.secrets_renewed.inc();
                        tracing::info!(target: LOG, "a secret can be had again: {secret}");
                    }
                    None => drop(metrics.secrets_renewed.inc()),
                    Some(error) => {
                        metrics.secrets_not_renewed.inc();
                        match secret.state().is_some_and(|state| state.had) {
                            true => {
                                tracing::error!(target: LOG, "a secret can't be had anew, so the old one stays: {error}")
                            }
                            false => tracing::error!(target: LOG, "a secret can't be had: {error}"),
                        }
                    }
                }
            }
            changed
        };
        blocking(renew).await.unwrap_or_default()
    }

    fn count_failing(&self, secrets: &[SecretRef]) {
        let states = secrets.iter().filter_map(SecretRef::state);
        let failing = states.filter(|state| state.trouble.is_some()).count();
        let failing = i64::try_from(failing).unwrap_or(i64::MAX);
        self.services.metrics.secrets_failing.set(failing);
    }
}
