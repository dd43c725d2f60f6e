//! What changes what runs: builds a generation aside, puts it in the place of the one before, and goes back.
//!
//! - [`Controller`]: holds the current generation, and everything that outlives it: engine, journal, metrics, tasks.
//! - [`Controller::reload`] validates aside, then swaps in one atomic step; [`Controller::roll_back`] goes back.
//! - [`Services`], [`BuildError`]: what building needs, and why it fails; [`VerifiedStage`]: a stage that its samples were run on.
//! - [`watch`](Controller::watch) reloads when a file changes; `draining` sees the generation before to its end.

mod build;
mod draining;
mod fingerprint;
mod reload;
mod renew;
mod rollback;
pub mod samples;
mod source;
mod status;
mod swap;
mod verified;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arc_swap::ArcSwap;
use http::HeaderMap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::{Caller, Unauthorized};
use crate::config::Config;
use crate::generation::Generation;

pub use build::{BuildError, Services};
pub use reload::{ReloadError, Reloaded, Trigger};
pub use source::Source;
pub use verified::VerifiedStage;
pub use watch::watch_files;

/// What a command line changes in every configuration that is loaded.
#[derive(Clone, Debug, Default)]
pub struct CliOverrides {
    /// Stands in for every target: a simulator's base URL.
    pub upstream: Option<url::Url>,
    /// The listener can be reached from other machines, and nobody said that it may be open: a configuration without clients is
    /// refused, at start and on every reload.
    pub needs_clients: bool,
    /// The admin listener can be reached from other machines, and asks for no certificate: a configuration without tokens for it is
    /// refused, at start and on every reload.
    pub needs_admin_tokens: bool,
}

impl CliOverrides {
    /// Checks that a configuration lets nobody in whom the command line leaves out.
    ///
    /// # Errors
    /// It does.
    pub fn check(&self, config: &Config) -> Result<(), BuildError> {
        if self.needs_clients && !config.knows_clients() {
            Err(BuildError::NoClients)
        } else if self.needs_admin_tokens && config.admin.is_empty() {
            Err(BuildError::NoAdminTokens)
        } else {
            Ok(())
        }
    }

    /// The configuration as the command line wants it.
    pub fn apply(&self, mut config: Config) -> Config {
        if let Some(url) = &self.upstream {
            config.stand_in(url);
        }
        config
    }
}

/// Holds the generation that runs, and replaces it.
pub struct Controller {
    source: Source,
    overrides: CliOverrides,
    /// The configuration at start. Parts of it that can't change while the gateway runs are still as they are here.
    initial: Config,
    services: Services,
    current: ArcSwap<Generation>,
    /// Locked for the whole of a reload, so that there is one at a time. Nothing but a reload waits for it.
    reloading: tokio::sync::Mutex<()>,
    /// Locked from the comparison with what runs to the swap, by reloads and rollbacks, and never while files are read.
    state: tokio::sync::Mutex<swap::ReloadState>,
    /// The chain that ran before, as long as it can come back.
    previous: Mutex<Option<rollback::PreviousChain>>,
    draining: Mutex<Vec<draining::Draining>>,
    last_reload: Mutex<Option<reload::LastReload>>,
    last_rollback: Mutex<Option<rollback::LastRollback>>,
    last_probation: Mutex<Option<rollback::LastProbation>>,
    watched: tokio::sync::watch::Sender<BTreeSet<PathBuf>>,
    /// Told whenever another generation is in place.
    swapped: tokio::sync::Notify,
    /// Exchanges that go on after their answer is out.
    tasks: TaskTracker,
    /// The process is going to end.
    leaving: AtomicBool,
}

impl Controller {
    /// Builds the first generation.
    ///
    /// # Errors
    /// There is nothing to fall back to: any part that can't be built.
    pub async fn start(
        source: Source,
        overrides: CliOverrides,
        config: Config,
        services: Services,
    ) -> Result<Arc<Self>, BuildError> {
        let config = overrides.apply(config);
        overrides.check(&config)?;
        let initial = config.clone();
        let watched = watch::files(&source, &config);
        let (inputs, running) = build::read(config).await?;
        services
            .journal
            .configure(swap::journal_options(&inputs.config));
        let generation = build::build(&services, Arc::new(inputs), None, 1).await?;
        // Until here there was nobody whom compiling could disturb.
        services.sandbox.compile_aside();
        services.metrics.generation.set(1);
        swap::tell_apart(&services.metrics, generation.config());
        generation.targets().begin_checks();
        Ok(Arc::new(Controller {
            source,
            overrides,
            initial,
            services,
            current: ArcSwap::new(generation),
            reloading: tokio::sync::Mutex::default(),
            state: tokio::sync::Mutex::new(swap::ReloadState {
                running,
                last_attempt: None,
            }),
            previous: Mutex::default(),
            draining: Mutex::default(),
            last_reload: Mutex::default(),
            last_rollback: Mutex::default(),
            last_probation: Mutex::default(),
            watched: tokio::sync::watch::Sender::new(watched),
            swapped: tokio::sync::Notify::new(),
            tasks: TaskTracker::new(),
            leaving: AtomicBool::new(false),
        }))
    }

    /// The generation that runs now. Keep it for the length of an exchange.
    pub fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// What outlives every generation.
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Exchanges that go on after their answer is out.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// The process is going to end: from now on the gateway isn't ready, whatever it still serves.
    pub fn leave(&self) {
        self.leaving.store(true, Relaxed);
    }

    /// Watches files and secrets and reloads, until cancelled.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let controller = self.clone();
        let reload = move || {
            let controller = controller.clone();
            async move {
                // The reload logs its success or failure itself.
                let _ = controller.reload(Trigger::Change).await;
            }
        };
        let files = watch_files(self.watched.subscribe(), reload, stop.clone());
        tokio::join!(files, renew::run(self.clone(), stop));
    }

    /// Finds the client whose key or token a request carries: the clients change with the configuration.
    ///
    /// # Errors
    /// There are clients, and the request carries no key or token of theirs.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        let door = self.current.load().door().clone();
        door.authenticate(headers).await
    }

    /// A journal that fails refuses new requests where a stage that writes to it says `on_error: deny`.
    ///
    /// # Errors
    /// Why no request is taken, as a sentence for the client.
    pub fn takes_requests(&self) -> Result<(), String> {
        if !self.current.load().needs_journal() {
            return Ok(());
        }
        let health = self.services.journal.health();
        health.map_err(|error| {
            format!("The journal can't be written, and this gateway answers nothing unrecorded: {error}.")
        })
    }

    /// Whether the gateway is ready, for whoever balances: a journal that fails makes it unready where a stage writes to it.
    ///
    /// # Errors
    /// Why it isn't.
    pub fn ready(&self) -> Result<(), String> {
        if self.leaving.load(Relaxed) {
            return Err("the gateway is stopping".to_owned());
        }
        if !self.current.load().writes_journal() {
            return Ok(());
        }
        let health = self.services.journal.health();
        health.map_err(|error| format!("the journal can't be written: {error}"))
    }
}
