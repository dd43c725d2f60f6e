//! A stage aside: loaded, and tested with the samples that its policy ships.

use std::sync::Arc;

use super::live::{Blueprint, BuildError};
use crate::config::{ComponentSource, StageConfig};
use crate::exchange::sample::{SampleError, Samples, Tally};
use crate::policy::{Plan, Sandbox, Stage};

/// A stage that may serve. It is not attached yet: nothing of what it was tested with is kept or counted.
pub struct Tested {
    /// The stage.
    pub stage: Arc<Stage>,
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
        plan: Plan,
    ) -> Result<Self, BuildError> {
        let loaded = sandbox.load(plan, blueprint.component(config)).await;
        let stage = loaded.map_err(|cause| BuildError::Load {
            stage: config.id.clone(),
            source_name: match &config.component {
                ComponentSource::Bundled(name) => format!("bundled {name}"),
                ComponentSource::File(path) => path.display().to_string(),
            },
            cause: Box::new(cause),
        })?;
        let samples = match blueprint.samples(config) {
            None => Tally::default(),
            Some(bytes) => run(bytes, &stage)
                .await
                .map_err(|cause| BuildError::samples(config, cause))?,
        };
        Ok(Tested { stage, samples })
    }
}

async fn run(bytes: &[u8], stage: &Arc<Stage>) -> Result<Tally, SampleError> {
    Samples::parse(bytes)?.run(stage).await
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
