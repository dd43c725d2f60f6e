//! Building a generation aside: everything that a configuration names is read, compiled and tested before anything changes.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::task::JoinError;

use super::fingerprint::Fingerprint;
use super::samples::SampleError;
use super::verified::VerifiedStage;
use crate::config::{Config, ConfigError, StageConfig};
use crate::generation::{BuildInputs, Generation, ReadError};
use crate::identity::{Door, IdentityError};
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::policy::{
    Chain, GrantBackends, HttpBackend, LoadError, Outbound, OutboundError, Sandbox, Stage,
    StageSpec,
};
use crate::state::{StateError, StateStore};
use crate::upstream::{Targets, UpstreamError};

/// Why a configuration did not become a running generation. What ran before it still runs.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file that the configuration names can't be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A component doesn't become a stage.
    #[error("stage `{stage}` ({source_name}): {cause}")]
    Load {
        /// The stage's id.
        stage: String,
        /// Where the component comes from.
        source_name: String,
        /// Why.
        #[source]
        cause: Box<LoadError>,
    },
    /// A stage's settings aren't what its policy's schema says.
    #[error(transparent)]
    Settings(ConfigError),
    /// Its samples can't be used, or one of them doesn't hold.
    #[error("stage `{stage}`: {file}: {cause}")]
    Samples {
        /// The stage's id.
        stage: String,
        /// Where the samples come from.
        file: String,
        /// Why.
        #[source]
        cause: Box<SampleError>,
    },
    /// The pool is too small for it.
    #[error(
        "the chain has {stages} stages, and the pool was made for {most}; restart witgate to make room"
    )]
    TooManyStages {
        /// How many.
        stages: usize,
        /// How many fit.
        most: u32,
    },
    /// A memory limit past the pool's.
    #[error(
        "stage `{stage}`: limits.memory is {memory} bytes, and the pool was made for {most}; restart witgate to make room"
    )]
    TooMuchMemory {
        /// The stage's id.
        stage: String,
        /// Bytes.
        memory: u64,
        /// Bytes.
        most: u64,
    },
    /// No target can be used.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// Whoever reaches the listener would use the gateway's own key.
    #[error(
        "the configuration has no clients, and the listener can be reached from other machines: whoever reaches it would use \
         your key. Name clients in the configuration, or start witgate with --open"
    )]
    NoClients,
    /// The admin listener can be reached from other machines, and anyone there could reload and roll back.
    #[error(
        "the configuration has no admin.tokens, and the admin listener can be reached from other machines: whoever reaches it could \
         reload, roll back, and read the state. Name tokens in the configuration, ask for certificates by --admin-client-ca, or \
         listen on loopback by --admin"
    )]
    NoAdminTokens,
    /// It can't be told who asks.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A stage keeps something there, and it can't be opened.
    #[error("stage `{stage}` keeps counters or values: {cause}")]
    State {
        /// The stage's id.
        stage: String,
        /// Why.
        #[source]
        cause: StateError,
    },
    /// A stage can't ask whom it may.
    #[error("stage `{stage}`: {cause}")]
    Http {
        /// The stage's id.
        stage: String,
        /// Why.
        #[source]
        cause: Box<OutboundError>,
    },
    /// The task that builds broke down.
    #[error("building broke down: {0}")]
    Broken(#[source] JoinError),
}

/// What building needs beside the configuration. It outlives every generation.
#[derive(Clone)]
pub struct Services {
    /// The engine.
    pub sandbox: Arc<Sandbox>,
    /// Where entries go.
    pub journal: Journal,
    /// Where counters and values are kept.
    pub state: StateStore,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Reads every file that a configuration names, off the runtime's workers.
pub(super) async fn read(config: Config) -> Result<(BuildInputs, Fingerprint), BuildError> {
    let read = move || {
        let inputs = BuildInputs::read(config)?;
        let fingerprint = Fingerprint::of(&inputs);
        Ok((inputs, fingerprint))
    };
    blocking(read).await?
}

/// Compiles, configures and tests, off the runtime's workers. Stages that did not change are taken from `previous`, so that a new
/// comment in the configuration costs no compilation.
///
/// # Errors
/// The first part that can't be built; nothing has changed then.
pub(super) async fn build(
    services: &Services,
    inputs: Arc<BuildInputs>,
    previous: Option<Arc<Generation>>,
    number: u64,
) -> Result<Arc<Generation>, BuildError> {
    let (services, runtime) = (services.clone(), tokio::runtime::Handle::current());
    let build = move || {
        let previous = previous.as_deref();
        runtime.block_on(build_here(&services, inputs, previous, number))
    };
    blocking(build).await?.map(Arc::new)
}

/// Runs what reads files or compiles on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BuildError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(BuildError::Broken)
}

async fn build_here(
    services: &Services,
    inputs: Arc<BuildInputs>,
    previous: Option<&Generation>,
    number: u64,
) -> Result<Generation, BuildError> {
    let config = &inputs.config;
    check_room(services, config)?;
    let earlier = previous.map(|generation| &**generation.targets());
    let targets = Targets::build(config, earlier, &services.metrics)?;
    let door = Door::build(config, previous.map(|previous| &**previous.door())).await?;
    let stages = match previous {
        None => build_at_once(services, &inputs).await?,
        Some(previous) => {
            let mut stages = Vec::with_capacity(config.stages.len());
            for stage in &config.stages {
                stages.push(build_stage(services, &inputs, stage, Some(previous)).await?);
            }
            stages
        }
    };
    let chain = Chain::new(stages, config.answers.as_deref());
    Ok(Generation::new(number, inputs, chain, targets, door))
}

/// The pool of instances was made at start, for chains up to a size.
fn check_room(services: &Services, config: &Config) -> Result<(), BuildError> {
    let settings = services.sandbox.settings();
    if config.stages.len() > settings.stages as usize {
        return Err(BuildError::TooManyStages {
            stages: config.stages.len(),
            most: settings.stages,
        });
    }
    let mut stages = config.stages.iter();
    match stages.find(|stage| stage.limits.memory > settings.memory) {
        Some(stage) => Err(BuildError::TooMuchMemory {
            stage: stage.id.clone(),
            memory: stage.limits.memory,
            most: settings.memory,
        }),
        None => Ok(()),
    }
}

/// Builds all stages at the same time, each on a thread of its own: nobody is served yet whom that could disturb.
///
/// # Errors
/// That of the first stage, in the chain's order, that can't be built.
async fn build_at_once(
    services: &Services,
    inputs: &Arc<BuildInputs>,
) -> Result<Vec<Arc<Stage>>, BuildError> {
    let build = |at: usize| {
        let (services, inputs) = (services.clone(), inputs.clone());
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let stage = &inputs.config.stages[at];
            runtime.block_on(build_stage(&services, &inputs, stage, None))
        })
    };
    let building: Vec<_> = (0..inputs.config.stages.len()).map(build).collect();
    let mut stages = Vec::with_capacity(building.len());
    for stage in building {
        stages.push(stage.await.map_err(BuildError::Broken)??);
    }
    Ok(stages)
}

/// What a stage may ask of others, with the secrets that are shown to them.
fn outbound(services: &Services, config: &StageConfig) -> Result<Option<Outbound>, BuildError> {
    let metrics = &services.metrics;
    let made = config
        .http
        .as_ref()
        .map(|http| Outbound::new(http, metrics.stage(&config.id)));
    made.transpose().map_err(|cause| BuildError::Http {
        stage: config.id.clone(),
        cause: cause.into(),
    })
}

async fn build_stage(
    services: &Services,
    inputs: &BuildInputs,
    config: &StageConfig,
    previous: Option<&Generation>,
) -> Result<Arc<Stage>, BuildError> {
    let spec = StageSpec::from(config);
    let (component, samples) = (inputs.component(config), inputs.samples(config));
    let http = outbound(services, config)?;
    let unchanged = |stage: &&Arc<Stage>| {
        stage.is_built_from(&spec, component, samples) && stage.asks_as(http.as_ref())
    };
    if let Some(previous) = previous
        && let Some(stage) = previous.chain().stages().iter().find(unchanged)
    {
        return Ok(stage.clone());
    }
    if config.grants.iter().any(|grant| grant.keeps_state()) {
        let opened = services.state.open().await;
        opened.map_err(|cause| BuildError::State {
            stage: config.id.clone(),
            cause,
        })?;
    }
    // Boxed: between here and a guest's call lie more futures than the compiler follows in whoever builds on this crate.
    let verified = VerifiedStage::load(&services.sandbox, inputs, config, spec).boxed();
    let verified = verified.await?;
    let backends = GrantBackends {
        journal: Some(services.journal.clone()),
        counters: Some(services.state.clone()),
        kv: Some(services.state.clone()),
        http: http.map(HttpBackend::Hosts),
    };
    let metrics = &services.metrics;
    Ok(Stage::attached(
        verified.loaded,
        &backends,
        metrics,
        samples,
    ))
}
