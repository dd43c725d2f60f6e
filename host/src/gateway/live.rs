//! What one configuration makes: a chain, its targets, its clients. Immutable; swapped as one whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::HeaderValue;

use super::bundled;
use super::generation::{Generation, Pin};
use super::stamp::Stamp;
use super::tested::Tested;
use crate::config::{ComponentSource, Config, Grant, Mode, OnError, StageConfig};
use crate::exchange::sample::{self, SampleError};
use crate::journal::Journal;
use crate::metrics::{Metrics, TargetMetrics};
use crate::policy::{Chain, GrantBackends, LoadError, MAX_SIZE, Sandbox, Stage, StageSpec};
use crate::server::Keys;
use crate::upstream::{Target, Targets};

/// Why a configuration did not become a running gateway. What ran before it still runs.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A component can't be read.
    #[error(
        "stage `{stage}`: {path}: {cause}; check `component:` in its chain entry (relative paths count from the configuration file)"
    )]
    Unreadable {
        /// The stage's id.
        stage: String,
        /// The file.
        path: String,
        /// Why.
        cause: std::io::Error,
    },
    /// A component doesn't become a stage.
    #[error("stage `{stage}` ({source_name}): {cause}")]
    Load {
        /// The stage's id.
        stage: String,
        /// Where the component comes from.
        source_name: String,
        /// Why.
        cause: Box<LoadError>,
    },
    /// Its samples can't be used, or one of them doesn't hold.
    #[error("stage `{stage}`: {file}: {cause}")]
    Samples {
        /// The stage's id.
        stage: String,
        /// Where the samples come from.
        file: String,
        /// Why.
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
    #[error("{0}")]
    Upstream(#[from] crate::upstream::UpstreamError),
    /// Whoever reaches the listener would use the gateway's own key.
    #[error(
        "the configuration has no clients, and the listener can be reached from other machines: whoever reaches it would use \
         your key. Name clients in the configuration, or start witgate with --open"
    )]
    NoClients,
    /// A client's key can't be read.
    #[error("clients.keys: `{client}`: {cause}")]
    Client {
        /// The client's id.
        client: String,
        /// Why.
        cause: crate::config::SecretError,
    },
    /// The task that builds broke down.
    #[error("building broke down: {0}")]
    Broken(String),
}

/// A configuration and the bytes of its components and their samples, read once. It is all that it takes to build the same chain
/// again.
#[derive(Debug)]
pub struct Blueprint {
    /// The configuration.
    pub config: Config,
    components: HashMap<PathBuf, Arc<[u8]>>,
    /// By the path of their component. Most have none.
    samples: HashMap<PathBuf, Arc<[u8]>>,
}

impl Blueprint {
    /// Reads every component file of the configuration, and the samples beside it.
    ///
    /// # Errors
    /// The first that can't be read.
    pub fn read(config: Config) -> Result<Self, BuildError> {
        let (mut components, mut samples) = (HashMap::new(), HashMap::new());
        for stage in &config.stages {
            if let ComponentSource::File(path) = &stage.component
                && !components.contains_key(path)
            {
                let bytes = read_file(path, MAX_SIZE).map_err(|cause| BuildError::Unreadable {
                    stage: stage.id.clone(),
                    path: path.display().to_string(),
                    cause,
                })?;
                components.insert(path.clone(), bytes.into());
                if let Some(bytes) = read_samples(stage)? {
                    samples.insert(path.clone(), bytes.into());
                }
            }
        }
        Ok(Blueprint {
            config,
            components,
            samples,
        })
    }

    /// The component of that stage.
    pub fn component(&self, stage: &StageConfig) -> &[u8] {
        match &stage.component {
            ComponentSource::Bundled(name) => {
                bundled::component(name).expect("the configuration knows the bundled policies")
            }
            ComponentSource::File(path) => &self.components[path],
        }
    }

    /// The samples that its policy ships, if any.
    pub fn samples(&self, stage: &StageConfig) -> Option<&[u8]> {
        match &stage.component {
            ComponentSource::Bundled(name) => bundled::samples(name),
            ComponentSource::File(path) => self.samples.get(path).map(|bytes| &**bytes),
        }
    }
}

/// How often a file is read again that changes while it is read.
const READS: usize = 3;

/// Reads no more than it takes to see that a file is too large. What is still being written is read again; if it doesn't come to
/// rest, what was read last is what there is, and its writer's next event begins another reload.
fn read_file(path: &Path, most: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    // Asked before opening: opening a pipe waits for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    let mut bytes = Vec::new();
    for _ in 0..READS {
        bytes.clear();
        let before = Stamp::of(path);
        let file = std::fs::File::open(path)?;
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        if Stamp::of(path) == before {
            break;
        }
    }
    Ok(bytes)
}

/// `None` where there are none.
fn read_samples(stage: &StageConfig) -> Result<Option<Vec<u8>>, BuildError> {
    let Some(path) = stage.component.samples() else {
        return Ok(None);
    };
    match read_file(&path, sample::MAX_SIZE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BuildError::samples(stage, error.into())),
    }
}

/// What building needs beside the configuration, and what outlives every chain.
#[derive(Clone)]
pub struct Workshop {
    /// The engine.
    pub sandbox: Arc<Sandbox>,
    /// Where entries go.
    pub journal: Journal,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// One configuration, running.
pub struct Live {
    blueprint: Arc<Blueprint>,
    chain: Chain,
    targets: Arc<Targets>,
    counted: Vec<(String, Arc<TargetMetrics>)>,
    keys: Keys,
    generation: Arc<Generation>,
    label: HeaderValue,
    name: String,
}

impl Live {
    /// Builds everything aside. Stages that did not change are taken from `before`, so that a new comment in the configuration
    /// costs no compilation. Compiles and runs guests: not for a runtime worker.
    ///
    /// # Errors
    /// The first part that can't be built; nothing has changed then.
    pub async fn build(
        workshop: &Workshop,
        blueprint: Arc<Blueprint>,
        before: Option<&Live>,
        generation: u64,
    ) -> Result<Live, BuildError> {
        let config = &blueprint.config;
        fits(workshop, config)?;
        let targets = Targets::build(config, before.map(|live| &**live.targets()))?;
        let metrics =
            |target: &Arc<Target>| (target.id().to_owned(), workshop.metrics.target(target.id()));
        let counted = targets.iter().map(metrics).collect();
        let keys = keys(config)?;
        let mut stages = Vec::with_capacity(config.stages.len());
        for stage in &config.stages {
            stages.push(build_stage(workshop, &blueprint, stage, before).await?);
        }
        let chain = Chain::new(stages, config.answers.as_deref());
        let name = format!("{generation}-{}", &chain.digest()[..12]);
        Ok(Live {
            blueprint,
            chain,
            targets: targets.into(),
            counted,
            keys,
            generation: Generation::new(generation),
            label: HeaderValue::from_str(&name).expect("digits and hex make a header"),
            name,
        })
    }

    /// What it was built from.
    pub fn blueprint(&self) -> &Arc<Blueprint> {
        &self.blueprint
    }

    /// The configuration in it.
    pub fn config(&self) -> &Config {
        &self.blueprint.config
    }

    /// The stages.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The upstreams.
    pub fn targets(&self) -> &Arc<Targets> {
        &self.targets
    }

    /// What is counted of a target of this configuration.
    pub fn target_metrics(&self, id: &str) -> Arc<TargetMetrics> {
        let known = self.counted.iter().find(|(known, _)| known == id);
        known
            .map(|(_, counted)| counted.clone())
            .expect("candidates are targets of this configuration")
    }

    /// Whether requests must be refused while the journal fails: a stage writes to it, and its `on_error` is deny.
    pub fn needs_journal(&self) -> bool {
        self.writers().any(|stage| stage.on_error == OnError::Deny)
    }

    /// Whether any stage's part is to write to the journal.
    pub fn writes_journal(&self) -> bool {
        self.writers().next().is_some()
    }

    /// The stages that write to the journal. Not those in shadow: no request is refused for them, and no balancer is told to.
    fn writers(&self) -> impl Iterator<Item = &StageConfig> {
        let stages = self.config().stages.iter();
        stages.filter(|stage| stage.mode == Mode::Enforce && stage.has(Grant::Journal))
    }

    /// Who may send requests.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Its number, and who runs on it.
    pub fn generation(&self) -> &Arc<Generation> {
        &self.generation
    }

    /// Counts an exchange that begins on it.
    pub fn pin(&self) -> Pin {
        self.generation.pin()
    }

    /// Generation and short digest.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same as the value of `x-witgate-chain`.
    pub fn label(&self) -> &HeaderValue {
        &self.label
    }
}

fn fits(workshop: &Workshop, config: &Config) -> Result<(), BuildError> {
    let settings = workshop.sandbox.settings();
    if config.stages.len() > settings.stages as usize {
        return Err(BuildError::TooManyStages {
            stages: config.stages.len(),
            most: settings.stages,
        });
    }
    match config
        .stages
        .iter()
        .find(|stage| stage.limits.memory > settings.memory)
    {
        Some(stage) => Err(BuildError::TooMuchMemory {
            stage: stage.id.clone(),
            memory: stage.limits.memory,
            most: settings.memory,
        }),
        None => Ok(()),
    }
}

fn keys(config: &Config) -> Result<Keys, BuildError> {
    let mut keys = Vec::with_capacity(config.clients.len());
    for client in &config.clients {
        let secret = client.secret.read().map_err(|cause| BuildError::Client {
            client: client.id.clone(),
            cause,
        })?;
        keys.push((client.id.clone(), secret));
    }
    Ok(Keys::new(keys))
}

async fn build_stage(
    workshop: &Workshop,
    blueprint: &Blueprint,
    config: &StageConfig,
    before: Option<&Live>,
) -> Result<Arc<Stage>, BuildError> {
    let spec = StageSpec {
        counted: blueprint.config.reload.probation.is_some(),
        ..StageSpec::from(config)
    };
    let (component, samples) = (blueprint.component(config), blueprint.samples(config));
    let unchanged = |stage: &&Arc<Stage>| stage.is_built_from(&spec, component, samples);
    if let Some(stage) = before.and_then(|live| live.chain.stages().iter().find(unchanged)) {
        return Ok(stage.clone());
    }
    let tested = Tested::load(&workshop.sandbox, blueprint, config, spec).await?;
    let backends = GrantBackends {
        journal: Some(workshop.journal.clone()),
    };
    let metrics = &workshop.metrics;
    Ok(Stage::attached(tested.loaded, &backends, metrics, samples))
}
