//! Executables that print secrets are asked again when it is time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::build::blocking;
use super::{Controller, Trigger};
use crate::config::SecretRef;

/// How often it is looked whether it is time.
const LOOK: Duration = Duration::from_secs(5);

/// Asks them until cancelled, and reloads where a secret is another.
pub(super) async fn run(controller: Arc<Controller>, stop: CancellationToken) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let printed = printed(&controller);
        tokio::select! {
            () = stop.cancelled() => return,
            () = controller.swapped.notified() => continue,
            // Where nothing is printed, nobody wakes for it.
            _ = look.tick(), if !printed.is_empty() => {}
        }
        if renewed(printed).await {
            // The reload logs its success or failure itself.
            let _ = controller.reload(Trigger::Change).await;
        }
    }
}

/// The secrets that executables print, of what runs now.
fn printed(controller: &Controller) -> Vec<SecretRef> {
    let prints = |secret: &&SecretRef| matches!(secret, SecretRef::Exec(_));
    let current = controller.current();
    current.config().secrets().filter(prints).cloned().collect()
}

/// Whether a secret is another now. They are asked on a thread that may block.
async fn renewed(secrets: Vec<SecretRef>) -> bool {
    let renew = move || {
        let mut changed = false;
        for secret in &secrets {
            match secret.renew() {
                Ok(renewed) => changed |= renewed,
                Err(error) => tracing::warn!(
                    target: "witgate::gateway::watch",
                    "a secret can't be had anew, so the old one stays: {error}"
                ),
            }
        }
        changed
    };
    blocking(renew).await.unwrap_or_default()
}
