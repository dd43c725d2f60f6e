//! A stage aside: loaded, and tested with the samples that its policy ships.

use std::sync::Arc;

use super::live::{Blueprint, BuildError};
use crate::config::{ComponentSource, StageConfig};
use crate::exchange::sample::{SampleError, Samples, Tally};
use crate::policy::{self, Loaded, Sandbox, StageSpec};

/// What a stage that may serve is made of. It is not attached yet: nothing of what it was tested with is kept or counted.
pub struct Tested {
    /// The loaded component.
    pub loaded: Arc<Loaded>,
    /// What its samples came to.
    pub samples: Tally,
}

impl Tested {
    /// Compiles and runs guests: not for a runtime worker.
    ///
    /// # Errors
    /// When the component doesn't become a stage, or a sample doesn't hold on it.
    pub async fn load(
        sandbox: &Sandbox,
        blueprint: &Blueprint,
        config: &StageConfig,
        spec: StageSpec,
    ) -> Result<Self, BuildError> {
        let loaded = policy::load(sandbox, spec, blueprint.component(config)).await;
        let loaded = loaded.map_err(|cause| BuildError::Load {
            stage: config.id.clone(),
            source_name: match &config.component {
                ComponentSource::Bundled(name) => format!("bundled {name}"),
                ComponentSource::File(path) => path.display().to_string(),
            },
            cause: Box::new(cause),
        })?;
        let samples = match blueprint.samples(config) {
            None => Tally::default(),
            Some(bytes) => run(bytes, &loaded)
                .await
                .map_err(|cause| BuildError::samples(config, cause))?,
        };
        Ok(Tested { loaded, samples })
    }
}

async fn run(bytes: &[u8], loaded: &Arc<Loaded>) -> Result<Tally, SampleError> {
    Samples::parse(bytes)?.run(loaded).await
}

impl BuildError {
    /// What is wrong with the samples of that stage.
    pub(super) fn samples(stage: &StageConfig, cause: SampleError) -> Self {
        BuildError::Samples {
            stage: stage.id.clone(),
            file: match stage.component.samples() {
                Some(path) => path.display().to_string(),
                None => format!("the samples of {}", stage.component),
            },
            cause: Box::new(cause),
        }
    }
}
