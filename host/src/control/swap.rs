//! The one atomic step: a generation that was built and tested aside takes the place of the one that runs.

use std::sync::Arc;

use super::build::{self, BuildError};
use super::draining::Draining;
use super::fingerprint::Fingerprint;
use super::{Controller, reload};
use crate::config::Config;
use crate::generation::{BuildInputs, Generation};
use crate::metrics::Metrics;

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::gateway::swap";

/// What is remembered between reloads. Only its holder may reload or roll back.
pub(super) struct ReloadState {
    /// What the current generation was built from.
    pub(super) running: Fingerprint,
    /// The last attempt to reload. `None` if its files could not even be read.
    pub(super) last_attempt: Option<reload::LastAttempt>,
}

impl Controller {
    /// Builds a generation and puts it in place. What ran drains; both are returned, the one before and the one after.
    pub(super) async fn swap(
        self: &Arc<Self>,
        state: &mut ReloadState,
        inputs: Arc<BuildInputs>,
        fingerprint: Fingerprint,
    ) -> Result<(Arc<Generation>, Arc<Generation>), BuildError> {
        let before = self.current();
        let number = before.number() + 1;
        let after = build::build(&self.services, inputs, Some(before.clone()), number).await?;
        let config = after.config();
        self.services.journal.configure(journal_options(config));
        let metrics = &self.services.metrics;
        tell_apart(metrics, config);
        metrics
            .generation
            .set(i64::try_from(number).unwrap_or(i64::MAX));
        tracing::info!(
            target: LOG,
            generation = number,
            chain = after.name(),
            "a new chain runs"
        );
        state.running = fingerprint;
        self.current.store(after.clone());
        after.targets().begin_checks();
        before.targets().end_checks();
        self.swapped.notify_one();
        let mut draining = self.draining.lock();
        draining.retain(|draining| !draining.is_gone());
        draining.push(Draining::begin(&before, config.reload.drain));
        drop(draining);
        Ok((before, after))
    }
}

/// By how many names of who asked a configuration wants requests to be counted.
pub(super) fn tell_apart(metrics: &Metrics, config: &Config) {
    let names = &config.client_metrics;
    metrics.principals.tell_apart(names.principals);
    metrics.teams.tell_apart(names.teams);
    metrics.roles.tell_apart(names.roles);
}

/// How a configuration wants the journal to be kept.
pub(super) fn journal_options(config: &Config) -> crate::journal::Options {
    crate::journal::Options {
        immutable: config.journal.immutable,
        retention_days: config.journal.retention_days,
    }
}
