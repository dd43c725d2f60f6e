//! The one atomic step: a chain that was built and tested aside takes the place of the one that runs.

use std::sync::Arc;

use super::Gateway;
use super::generation::Draining;
use super::live::{Blueprint, BuildError, Live, Workshop};
use super::reload::{Content, Tried, blocking};
use crate::config::Config;

/// What is remembered between reloads. Whoever holds it is the only one to reload.
pub(super) struct Desk {
    /// What runs was built from this.
    pub(super) running: Content,
    /// What was tried last. `None`: it could not even be read.
    pub(super) tried: Option<Tried>,
}

impl Gateway {
    /// Builds a chain and puts it in place. What ran drains; both are returned, the one before and the one after.
    pub(super) async fn swap(
        self: &Arc<Self>,
        desk: &mut Desk,
        blueprint: Arc<Blueprint>,
        content: Content,
    ) -> Result<(Arc<Live>, Arc<Live>), BuildError> {
        let before = self.live.load_full();
        let number = before.generation().number() + 1;
        let after = build(&self.workshop, blueprint, Some(before.clone()), number).await?;
        let config = after.config();
        self.workshop.journal.configure(journal_options(config));
        let metrics = &self.workshop.metrics;
        metrics
            .generation
            .set(i64::try_from(number).unwrap_or(i64::MAX));
        tracing::info!(
            generation = number,
            chain = after.name(),
            "a new chain runs"
        );
        desk.running = content;
        self.live.store(after.clone());
        let mut draining = self.draining.lock();
        draining.retain(|draining| !draining.is_gone());
        draining.push(Draining::begin(&before, config.reload.drain));
        drop(draining);
        Ok((before, after))
    }
}

/// Compiles, configures and tests, off the runtime's workers.
pub(super) async fn build(
    workshop: &Workshop,
    blueprint: Arc<Blueprint>,
    before: Option<Arc<Live>>,
    generation: u64,
) -> Result<Arc<Live>, BuildError> {
    let (workshop, runtime) = (workshop.clone(), tokio::runtime::Handle::current());
    let build = move || {
        let before = before.as_deref();
        runtime.block_on(Live::build(&workshop, blueprint, before, generation))
    };
    blocking(build).await?.map(Arc::new)
}

/// What the journal is told by a configuration.
pub(super) fn journal_options(config: &Config) -> crate::journal::Options {
    crate::journal::Options {
        immutable: config.journal.immutable,
        retention_days: config.journal.retention_days,
    }
}
