//! Reloading: read once, compare, build aside, swap as one whole. A change that fails leaves what runs, and says why.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::Gateway;
use super::live::{Blueprint, BuildError, Live};
use crate::config::{Config, ConfigError};

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The one that is built in. It never changes.
    Embedded,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Reads and checks it.
    ///
    /// # Errors
    /// When it can't be read or is wrong.
    pub fn load(&self) -> Result<Config, ConfigError> {
        match self {
            Source::Embedded => Config::embedded(),
            Source::File(path) => Config::load(path),
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Embedded => f.write_str("the built-in default"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It is right, and something it names can't be built.
    #[error("{0}")]
    Build(#[from] BuildError),
}

/// What the last reload came to, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastReload {
    pub(super) at: SystemTime,
    /// The new generation, or why there is none.
    pub(super) result: Result<u64, String>,
    /// What changed and takes a restart.
    pub(super) needs_restart: Vec<String>,
}

/// What a reload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// A new generation runs.
    Swapped(u64),
    /// Everything is as it was.
    Unchanged,
}

/// What the last attempt was made from: the same again is not tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt(Option<[u8; 32]>);

impl Attempt {
    /// Reads files: not for a runtime worker.
    pub(super) fn of(blueprint: &Blueprint) -> Self {
        let mut hash = Sha256::new();
        // Debug shows references to secrets, never secrets.
        hash.update(format!("{:?}", blueprint.config));
        // What they refer to counts as well: a key that was changed, or that has come, makes a new attempt.
        let config = &blueprint.config;
        let targets = config.targets.iter().filter_map(|it| it.secret.as_ref());
        for secret in targets.chain(config.clients.iter().map(|it| &it.secret)) {
            hash.update(match secret.read() {
                Ok(secret) => Sha256::digest(secret.expose()),
                Err(error) => Sha256::digest(error.to_string()),
            });
        }
        for stage in &blueprint.config.stages {
            hash.update(Sha256::digest(blueprint.component(stage)));
        }
        Attempt(Some(hash.finalize().into()))
    }
}

impl Gateway {
    /// Reads the configuration and its components anew, and swaps the chain if anything changed. One at a time.
    ///
    /// # Errors
    /// Why the running chain stays.
    pub async fn reload(self: &Arc<Self>) -> Result<Reloaded, ReloadError> {
        let mut attempt = self.attempt.lock().await;
        let result = self.try_reload(&mut attempt).await;
        let metrics = &self.workshop.metrics;
        match &result {
            Ok((Reloaded::Unchanged, _)) => tracing::debug!("nothing changed"),
            Ok((Reloaded::Swapped(generation), needs_restart)) => {
                metrics.reloads_ok.inc();
                for change in needs_restart {
                    tracing::warn!("{change}");
                }
                *self.last_reload.lock() = Some(LastReload {
                    at: SystemTime::now(),
                    result: Ok(*generation),
                    needs_restart: needs_restart.clone(),
                });
            }
            Err(error) => {
                metrics.reloads_failed.inc();
                let running = self.live.load().generation();
                tracing::error!(source = %self.source, "reload failed, generation {running} goes on: {error}");
                *self.last_reload.lock() = Some(LastReload {
                    at: SystemTime::now(),
                    result: Err(error.to_string()),
                    needs_restart: Vec::new(),
                });
            }
        }
        result.map(|(reloaded, _)| reloaded)
    }

    async fn try_reload(
        self: &Arc<Self>,
        attempt: &mut Attempt,
    ) -> Result<(Reloaded, Vec<String>), ReloadError> {
        // What can't be read is no attempt to compare with: what follows is tried, also what ran before, and the state shows that
        // all is well again.
        let last = std::mem::take(attempt);
        let source = self.source.clone();
        let overrides = self.overrides.clone();
        let config = blocking(move || source.load()).await??;
        let config = overrides.apply(config);
        overrides.check(&config)?;
        let files = super::watch::files(&self.source, &config);
        self.watched.send_if_modified(|watched| {
            let before = std::mem::replace(watched, files);
            before != *watched
        });
        let read = move || -> Result<_, BuildError> {
            let blueprint = Blueprint::read(config)?;
            let tried = Attempt::of(&blueprint);
            Ok((blueprint, tried))
        };
        let (blueprint, tried) = blocking(read).await??;
        if last == tried {
            *attempt = tried;
            return Ok((Reloaded::Unchanged, Vec::new()));
        }
        *attempt = tried;

        let before = self.live.load_full();
        let generation = before.generation() + 1;
        let needs_restart = Config::changes_needing_restart(&self.began_with, &blueprint.config);
        let workshop = self.workshop.clone();
        let runtime = tokio::runtime::Handle::current();
        let built = blocking(move || {
            runtime.block_on(Live::build(
                &workshop,
                &blueprint,
                Some(&before),
                generation,
            ))
        });
        let live = built.await??;
        self.workshop
            .journal
            .configure(journal_options(live.config()));
        self.workshop
            .metrics
            .generation
            .set(i64::try_from(generation).unwrap_or(i64::MAX));
        tracing::info!(generation, chain = ?live.label(), "a new chain runs");
        self.live.store(Arc::new(live));
        Ok((Reloaded::Swapped(generation), needs_restart))
    }
}

/// What the journal is told by a configuration.
pub(super) fn journal_options(config: &Config) -> crate::journal::Options {
    crate::journal::Options {
        immutable: config.journal.immutable,
        retention_days: config.journal.retention_days,
    }
}

/// Files and compilers are not for the runtime's workers.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| BuildError::Broken(error.to_string()))
}
