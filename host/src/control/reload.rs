//! Reloading: read once, compare, build aside, swap as one whole. When a change fails, the running generation stays, and the log
//! says why. Files that failed are not tried again until one of them changes.

use std::sync::Arc;
use std::time::SystemTime;

use super::Controller;
use super::build::{self, BuildError};
use super::fingerprint::Fingerprint;
use super::rollback::PreviousChain;
use crate::config::{Config, ConfigError};

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::gateway::reload";

/// What asks for a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Something happened to the files.
    Change,
    /// Somebody asked for it: by a signal, or at the admin listener.
    Operator,
}

/// Why a reload or a rollback changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The configuration is right, and something that it names can't be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The files are those that failed before.
    #[error(
        "the files are as they were when this failed, so it isn't tried again until one of them changes: {0}"
    )]
    Again(String),
    /// A rollback was asked for, and there is no chain to go back to.
    #[error(
        "there is no chain to go back to: none ran before this one, or it came by a rollback itself"
    )]
    NothingBefore,
}

/// The result of the last reload, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastReload {
    pub(super) at: SystemTime,
    /// The generation that was built from the files, or why there is none.
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

/// The result of a reload that didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// A new generation runs.
    Swapped(u64),
    /// The running generation stays.
    Unchanged,
}

/// What the last reload read, and why it doesn't run. Files that failed are not tried again.
#[derive(Clone, Debug)]
pub(super) struct LastAttempt {
    pub(super) fingerprint: Fingerprint,
    /// `None` if a generation was built from it.
    pub(super) failed: Option<String>,
}

impl Controller {
    /// Reads the configuration and its components again, and swaps the generation if anything changed. There is one reload at a
    /// time.
    ///
    /// # Errors
    /// Why the running chain stays.
    pub async fn reload(self: &Arc<Self>, trigger: Trigger) -> Result<Reloaded, ReloadError> {
        let _alone = self.reloading.lock().await;
        let result = self.try_reload(trigger).await;
        match &result {
            Ok(Reloaded::Swapped(_)) | Err(ReloadError::Again(_)) => {}
            Ok(Reloaded::Unchanged) => tracing::debug!(target: LOG, "nothing changed"),
            Err(error) => {
                self.services.metrics.reloads_failed.inc();
                let running = self.current.load().name().to_owned();
                tracing::error!(target: LOG, source = %self.source, "reload failed, {running} goes on: {error}");
                *self.last_reload.lock() =
                    Some(LastReload::now(Err(error.to_string()), Vec::new()));
            }
        }
        result
    }

    async fn try_reload(self: &Arc<Self>, trigger: Trigger) -> Result<Reloaded, ReloadError> {
        // If this attempt can't even be read, there is nothing to compare the next one with, and it is tried whatever it is.
        let (last, ran) = {
            let mut state = self.state.lock().await;
            (state.last_attempt.take(), self.current.load().number())
        };
        let source = self.source.clone();
        let overrides = self.overrides.clone();
        let config = build::blocking(move || source.load()).await??;
        let config = overrides.apply(config);
        overrides.check(&config)?;
        let files = super::watch::files(&self.source, &config);
        self.watched.send_if_modified(|watched| {
            let before = std::mem::replace(watched, files);
            before != *watched
        });
        let (inputs, fingerprint) = build::read(config).await?;
        let needs_restart = Config::changes_needing_restart(&self.initial, &inputs.config);
        // From here on nothing is read any more.
        let mut state = self.state.lock().await;
        let state = &mut *state;
        if self.current.load().number() != ran {
            tracing::warn!(target: LOG, "the chain was rolled back while the files were read, so they stay without effect");
            state.last_attempt = Some(LastAttempt {
                fingerprint,
                failed: None,
            });
            return Ok(Reloaded::Unchanged);
        }
        let again = last.filter(|attempt| attempt.fingerprint == fingerprint);
        if fingerprint == state.running {
            state.last_attempt = Some(LastAttempt {
                fingerprint,
                failed: None,
            });
            self.is_well_again(needs_restart);
            return Ok(Reloaded::Unchanged);
        }
        if let Some(attempt) = again {
            let failed = attempt.failed.clone();
            state.last_attempt = Some(attempt);
            match (trigger, failed) {
                (Trigger::Change, _) => return Ok(Reloaded::Unchanged),
                (Trigger::Operator, Some(why)) => return Err(ReloadError::Again(why)),
                // It ran, and an operator went back: an operator may go forward.
                (Trigger::Operator, None) => {}
            }
        }
        let mut attempt = LastAttempt {
            fingerprint,
            failed: None,
        };
        let left = state.running;
        let swapped = self.swap(state, Arc::new(inputs), fingerprint).await;
        attempt.failed = swapped.as_ref().err().map(ToString::to_string);
        state.last_attempt = Some(attempt);
        let (before, after) = swapped?;
        let generation = after.number();
        self.services.metrics.reloads_ok.inc();
        needs_restart
            .iter()
            .for_each(|change| tracing::warn!(target: LOG, "{change}"));
        *self.last_reload.lock() = Some(LastReload::now(Ok(generation), needs_restart));
        *self.previous.lock() = Some(PreviousChain::new(&before, left));
        self.put_on_probation(&before, &after);
        Ok(Reloaded::Swapped(generation))
    }

    /// The files are again those that the current generation was built from, so `/status` must not go on showing a failure.
    fn is_well_again(&self, needs_restart: Vec<String>) {
        let generation = self.current.load().number();
        let mut last = self.last_reload.lock();
        if last.as_ref().is_some_and(|last| last.result.is_err()) {
            tracing::info!(target: LOG, generation, "the files say again what runs");
            *last = Some(LastReload::now(Ok(generation), needs_restart));
        }
    }
}
