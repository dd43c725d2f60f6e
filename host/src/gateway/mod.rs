//! The gateway: one running configuration, and how it is replaced while exchanges run.
//!
//! - [`Live`]: what one configuration makes; an exchange keeps the one that it began with.
//! - [`Gateway`]: holds the current one, and everything that outlives it: engine, journal, metrics, tasks.
//! - [`Gateway::reload`]: validate aside, then swap in one atomic step; [`Gateway::roll_back`] goes back.
//! - [`Generation`]: who still runs on a configuration that another has taken the place of.

pub mod bundled;
mod generation;
mod live;
mod reload;
mod rollback;
mod serve;
mod stamp;
mod status;
mod swap;
mod tested;
mod watch;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;

pub use generation::{Generation, Pin};
pub use live::{Blueprint, BuildError, Live, Workshop};
pub use reload::{By, ReloadError, Reloaded, Source};
pub use serve::Front;
pub use status::hooks;
pub use tested::Tested;

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
    desk: tokio::sync::Mutex<swap::Desk>,
    /// What ran before, and can come back.
    before: Mutex<Option<rollback::Before>>,
    draining: Mutex<Vec<generation::Draining>>,
    last_reload: Mutex<Option<reload::LastReload>>,
    last_rollback: Mutex<Option<rollback::LastRollback>>,
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
        let (blueprint, content) = reload::blocking(move || reload::read(config)).await??;
        let options = swap::journal_options(&blueprint.config);
        workshop.journal.configure(options);
        let live = swap::build(&workshop, Arc::new(blueprint), None, 1).await?;
        // Until here there was nobody to disturb.
        workshop.sandbox.compile_aside();
        workshop.metrics.generation.set(1);
        Ok(Arc::new(Gateway {
            source,
            overrides,
            began_with,
            workshop,
            live: ArcSwap::new(live),
            desk: tokio::sync::Mutex::new(swap::Desk {
                running: content,
                tried: None,
            }),
            before: Mutex::default(),
            draining: Mutex::default(),
            last_reload: Mutex::default(),
            last_rollback: Mutex::default(),
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
