//! The gateway: one running configuration, and how it is replaced while exchanges run.
//!
//! - [`Live`]: what one configuration makes; an exchange keeps the one that it began with.
//! - [`Gateway`]: holds the current one, and everything that outlives it: engine, journal, metrics, tasks.
//! - [`Gateway::reload`]: validate aside, then swap in one atomic step.

pub mod bundled;
mod live;
mod reload;
mod serve;
mod status;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

pub use live::{Blueprint, BuildError, Live, Workshop};
pub use reload::{ReloadError, Reloaded, Source};
pub use serve::Front;
pub use status::hooks;

/// What a command line changes in every configuration that is loaded.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Stands in for every target: a simulator's base URL.
    pub upstream: Option<url::Url>,
    /// The listener can be reached from other machines, and nobody said that it may be open: a configuration without clients is
    /// refused, at start and on every reload.
    pub needs_clients: bool,
}

impl Overrides {
    fn check(&self, config: &Config) -> Result<(), BuildError> {
        match self.needs_clients && config.clients.is_empty() {
            true => Err(BuildError::NoClients),
            false => Ok(()),
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

/// The gateway as a whole.
pub struct Gateway {
    source: Source,
    overrides: Overrides,
    /// What was configured at start: what can't change while running is still so.
    began_with: Config,
    workshop: Workshop,
    live: ArcSwap<Live>,
    /// Held while reloading: one at a time.
    attempt: tokio::sync::Mutex<reload::Attempt>,
    last_reload: Mutex<Option<reload::LastReload>>,
    watched: tokio::sync::watch::Sender<BTreeSet<PathBuf>>,
    /// What exchanges leave to do when their answer is out.
    tasks: TaskTracker,
}

impl Gateway {
    /// Builds the first chain.
    ///
    /// # Errors
    /// There is nothing to fall back to: any part that can't be built.
    pub async fn start(
        source: Source,
        overrides: Overrides,
        config: Config,
        workshop: Workshop,
    ) -> Result<Arc<Self>, BuildError> {
        let config = overrides.apply(config);
        overrides.check(&config)?;
        let began_with = config.clone();
        let watched = watch::files(&source, &config);
        let read = move || -> Result<_, BuildError> {
            let blueprint = Blueprint::read(config)?;
            let attempt = reload::Attempt::of(&blueprint);
            Ok((blueprint, attempt))
        };
        let (blueprint, attempt) = reload::blocking(read).await??;
        workshop
            .journal
            .configure(reload::journal_options(&blueprint.config));
        let (for_build, runtime) = (workshop.clone(), tokio::runtime::Handle::current());
        let built = reload::blocking(move || {
            runtime.block_on(Live::build(&for_build, &blueprint, None, 1))
        });
        let live = built.await??;
        workshop.metrics.generation.set(1);
        Ok(Arc::new(Gateway {
            source,
            overrides,
            began_with,
            workshop,
            live: ArcSwap::from_pointee(live),
            attempt: tokio::sync::Mutex::new(attempt),
            last_reload: Mutex::new(None),
            watched: tokio::sync::watch::Sender::new(watched),
            tasks: TaskTracker::new(),
        }))
    }

    /// The configuration that runs now. Keep it for the length of an exchange.
    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// What outlives every configuration.
    pub fn workshop(&self) -> &Workshop {
        &self.workshop
    }

    /// What exchanges left to do.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Watches files and reloads, until cancelled.
    pub async fn watch(self: Arc<Self>, stop: CancellationToken) {
        watch::run(self, stop).await;
    }
}
