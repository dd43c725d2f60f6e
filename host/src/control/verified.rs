//! A stage before it serves: loaded, and tested with the samples that its policy ships.

use std::sync::Arc;

use super::BuildError;
use super::samples::{Counts, SampleError, Samples};
use crate::config::{ComponentSource, StageConfig};
use crate::generation::BuildInputs;
use crate::policy::{self, LoadError, Loaded, Sandbox, StageSpec};

/// What a stage that may serve is made of. It is not attached yet, so nothing of what it was tested with is kept or counted.
pub struct VerifiedStage {
    /// The loaded component.
    pub loaded: Arc<Loaded>,
    /// How many of its samples ran.
    pub samples: Counts,
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
        spec: StageSpec,
    ) -> Result<Self, BuildError> {
        let loaded = policy::load(sandbox, spec, inputs.component(config)).await;
        let loaded = loaded.map_err(|cause| match cause {
            LoadError::Settings { mismatches, .. } => {
                let places = &inputs.config.places;
                BuildError::Settings(places.wrong_settings(config, &mismatches))
            }
            cause => BuildError::Load {
                stage: config.id.clone(),
                source_name: match &config.component {
                    ComponentSource::Bundled(name) => format!("bundled {name}"),
                    ComponentSource::File(path) => path.display().to_string(),
                },
                cause: Box::new(cause),
            },
        })?;
        let samples = match inputs.samples(config) {
            None => Counts::default(),
            Some(bytes) => run(bytes, &loaded)
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
        Ok(VerifiedStage { loaded, samples })
    }
}

async fn run(bytes: &[u8], loaded: &Arc<Loaded>) -> Result<Counts, SampleError> {
    Samples::parse(bytes)?.run(loaded).await
}
