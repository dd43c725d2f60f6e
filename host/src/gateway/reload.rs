//! Reloading: read once, compare, build aside, swap as one whole. A change that fails leaves what runs, and says why; the same
//! content isn't tried again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::Gateway;
use super::live::{Blueprint, BuildError};
use super::rollback::Before;
use super::swap::Desk;
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

/// Who wants a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Something happened to the files.
    Change,
    /// Somebody asked for it: by a signal, or at the admin listener.
    Operator,
}

/// Why a reload or a rollback changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// It is right, and something it names can't be built.
    #[error("{0}")]
    Build(#[from] BuildError),
    /// It is what failed before.
    #[error(
        "the files are as they were when this failed, so it isn't tried again until one of them changes: {0}"
    )]
    Again(String),
    /// A rollback, and no chain ran before.
    #[error(
        "there is no chain to go back to: none ran before this one, or it came by a rollback itself"
    )]
    NothingBefore,
}

/// What the last reload came to, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastReload {
    pub(super) at: SystemTime,
    /// The generation that runs the files' content, or why none does.
    pub(super) result: Result<u64, String>,
    /// What changed and takes a restart.
    pub(super) needs_restart: Vec<String>,
}

impl LastReload {
    fn now(result: Result<u64, String>, needs_restart: Vec<String>) -> Self {
        LastReload {
            at: SystemTime::now(),
            result,
            needs_restart,
        }
    }
}

/// What a reload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// A new generation runs.
    Swapped(u64),
    /// Everything is as it was.
    Unchanged,
}

/// A digest of everything that a blueprint is built from: equal contents make equal chains, targets and clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content([u8; 32]);

impl Content {
    /// Reads files: not for a runtime worker.
    pub(super) fn of(blueprint: &Blueprint) -> Self {
        let mut hash = Sha256::new();
        // Debug shows references to secrets, never secrets.
        hash.update(format!("{:?}", blueprint.config));
        // What they refer to counts as well: a key that was changed, or that has come, makes another content.
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
            let samples = blueprint.samples(stage).map(Sha256::digest);
            hash.update([u8::from(samples.is_some())]);
            hash.update(samples.unwrap_or_default());
        }
        Content(hash.finalize().into())
    }
}

/// The last content that was tried, and why it doesn't run: the same again is not tried.
#[derive(Clone, Debug)]
pub(super) struct Tried {
    pub(super) content: Content,
    pub(super) failed: Option<String>,
}

impl Gateway {
    /// Reads the configuration and its components anew, and swaps the chain if anything changed. One at a time.
    ///
    /// # Errors
    /// Why the running chain stays.
    pub async fn reload(self: &Arc<Self>, by: By) -> Result<Reloaded, ReloadError> {
        let mut desk = self.desk.lock().await;
        let result = self.try_reload(&mut desk, by).await;
        match &result {
            Ok(Reloaded::Swapped(_)) | Err(ReloadError::Again(_)) => {}
            Ok(Reloaded::Unchanged) => tracing::debug!("nothing changed"),
            Err(error) => {
                self.workshop.metrics.reloads_failed.inc();
                let running = self.live.load().name().to_owned();
                tracing::error!(source = %self.source, "reload failed, {running} goes on: {error}");
                *self.last_reload.lock() =
                    Some(LastReload::now(Err(error.to_string()), Vec::new()));
            }
        }
        result
    }

    async fn try_reload(
        self: &Arc<Self>,
        desk: &mut Desk,
        by: By,
    ) -> Result<Reloaded, ReloadError> {
        // What can't be read is nothing to compare with: whatever follows is tried.
        let last = desk.tried.take();
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
        let (blueprint, content) = blocking(move || read(config)).await??;
        let needs_restart = Config::changes_needing_restart(&self.began_with, &blueprint.config);
        let again = last.filter(|tried| tried.content == content);
        if content == desk.running {
            desk.tried = Some(Tried {
                content,
                failed: None,
            });
            self.is_well_again(needs_restart);
            return Ok(Reloaded::Unchanged);
        }
        if let Some(tried) = again {
            let failed = tried.failed.clone();
            desk.tried = Some(tried);
            match (by, failed) {
                (By::Change, _) => return Ok(Reloaded::Unchanged),
                (By::Operator, Some(why)) => return Err(ReloadError::Again(why)),
                // It ran, and an operator went back: an operator may go forward.
                (By::Operator, None) => {}
            }
        }
        let mut tried = Tried {
            content,
            failed: None,
        };
        let left = desk.running;
        let swapped = self.swap(desk, Arc::new(blueprint), content).await;
        tried.failed = swapped.as_ref().err().map(ToString::to_string);
        desk.tried = Some(tried);
        let (before, after) = swapped?;
        let generation = after.generation().number();
        self.workshop.metrics.reloads_ok.inc();
        needs_restart
            .iter()
            .for_each(|change| tracing::warn!("{change}"));
        *self.last_reload.lock() = Some(LastReload::now(Ok(generation), needs_restart));
        *self.before.lock() = Some(Before::new(&before, left));
        self.put_on_probation(&after);
        Ok(Reloaded::Swapped(generation))
    }

    /// The files say what runs. If they didn't just before, the state must not go on complaining.
    fn is_well_again(&self, needs_restart: Vec<String>) {
        let generation = self.live.load().generation().number();
        let mut last = self.last_reload.lock();
        if last.as_ref().is_some_and(|last| last.result.is_err()) {
            tracing::info!(generation, "the files say again what runs");
            *last = Some(LastReload::now(Ok(generation), needs_restart));
        }
    }
}

/// Reads everything that a configuration names. Not for a runtime worker.
pub(super) fn read(config: Config) -> Result<(Blueprint, Content), BuildError> {
    let blueprint = Blueprint::read(config)?;
    let content = Content::of(&blueprint);
    Ok((blueprint, content))
}

/// Files and compilers are not for the runtime's workers.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| BuildError::Broken(error.to_string()))
}
