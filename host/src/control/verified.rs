//! A stage before it serves: loaded, and tested with the samples that its policy ships.

use std::sync::Arc;

use super::BuildError;
use crate::config::{ComponentSource, StageConfig};
use crate::exchange::sample::{SampleError, Samples, Tally};
use crate::generation::BuildInputs;
use crate::policy::{Plan, Sandbox, Stage};

/// A stage that may serve. It is not attached yet, so nothing of what it was tested with is kept or counted.
pub struct VerifiedStage {
    /// The stage.
    pub stage: Arc<Stage>,
    /// How many of its samples ran.
    pub samples: Tally,
}

impl VerifiedStage {
    /// Compiles and runs guests: not for a runtime worker.
    ///
    /// # Errors
    /// When the component doesn't become a stage, or a sample doesn't hold on it.
    pub async fn load(
        sandbox: &Sandbox,
        inputs: &BuildInputs,
        config: &StageConfig,
        plan: Plan,
    ) -> Result<Self, BuildError> {
        let loaded = sandbox.load(plan, inputs.component(config)).await;
        let stage = loaded.map_err(|cause| BuildError::Load {
            stage: config.id.clone(),
            source_name: match &config.component {
                ComponentSource::Bundled(name) => format!("bundled {name}"),
                ComponentSource::File(path) => path.display().to_string(),
            },
            cause: Box::new(cause),
        })?;
        let samples = match inputs.samples(config) {
            None => Tally::default(),
            Some(bytes) => run(bytes, &stage)
                .await
                .map_err(|cause| BuildError::Samples {
                    stage: config.id.clone(),
                    file: match config.component.samples() {
                        Some(path) => path.display().to_string(),
                        None => format!("the samples of {}", config.component),
                    },
                    cause: Box::new(cause),
                })?,
        };
        Ok(VerifiedStage { stage, samples })
    }
}

async fn run(bytes: &[u8], stage: &Arc<Stage>) -> Result<Tally, SampleError> {
    Samples::parse(bytes)?.run(stage).await
}
