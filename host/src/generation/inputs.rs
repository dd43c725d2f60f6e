//! What a generation is built from: the configuration, and the bytes of the files that it names, each read once. Whoever keeps them
//! can build the same chain again, whatever has become of the files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::bundled;
use crate::config::{ComponentSource, Config, StageConfig, read_file, read_file_within};
use crate::policy::MAX_SIZE;

/// The most that a file of samples may have, in bytes. One byte more is read, so that whoever parses it sees that it is too large.
pub const MAX_SAMPLES_SIZE: usize = 256 << 10;

/// Why a file that the configuration names can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A stage's component.
    #[error(
        "stage `{stage}`: {path}: {cause}; check `component:` in its chain entry (relative paths count from the configuration file)"
    )]
    Component {
        /// The stage's id.
        stage: String,
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// Something that looks like the samples of a stage's component, under another name.
    #[error("stage `{stage}`: {found} isn't read; samples are named {wanted}")]
    SamplesName {
        /// The stage's id.
        stage: String,
        /// The file.
        found: String,
        /// What it should be called.
        wanted: String,
    },
    /// The samples beside a stage's component: the file is there, and can't be read.
    #[error(
        "stage `{stage}`: {path}: it can't be read: {cause}; make it readable, or remove it to load without samples"
    )]
    Samples {
        /// The stage's id.
        stage: String,
        /// The file.
        path: String,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
}

/// A configuration and the bytes of its components and their samples.
#[derive(Debug)]
pub struct BuildInputs {
    /// The configuration.
    pub config: Config,
    components: HashMap<PathBuf, Arc<[u8]>>,
    /// By the path of the component that they lie beside. Most components have none.
    samples: HashMap<PathBuf, Arc<[u8]>>,
}

impl BuildInputs {
    /// Reads every component file of the configuration, and the samples beside it.
    ///
    /// # Errors
    /// The first that can't be read.
    pub fn read(config: Config) -> Result<Self, ReadError> {
        let (mut components, mut samples) = (HashMap::new(), HashMap::new());
        for stage in &config.stages {
            if let ComponentSource::File(path) = &stage.component
                && !components.contains_key(path)
            {
                let bytes =
                    read_file_within(path, MAX_SIZE).map_err(|cause| ReadError::Component {
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
        Ok(BuildInputs {
            config,
            components,
            samples,
        })
    }

    /// The same chain, but those may send requests, and ask the admin side, who may by that configuration.
    pub fn with_clients_of(&self, config: &Config) -> Self {
        BuildInputs {
            config: Config {
                clients: config.clients.clone(),
                jwt: config.jwt.clone(),
                client_metrics: config.client_metrics,
                admin: config.admin.clone(),
                ..self.config.clone()
            },
            components: self.components.clone(),
            samples: self.samples.clone(),
        }
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

    /// The samples that the stage's policy ships, if any.
    pub fn samples(&self, stage: &StageConfig) -> Option<&[u8]> {
        match &stage.component {
            ComponentSource::Bundled(name) => bundled::samples(name),
            ComponentSource::File(path) => self.samples.get(path).map(|bytes| &**bytes),
        }
    }
}

/// `None` where the stage's component has no samples beside it.
fn read_samples(stage: &StageConfig) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(path) = stage.component.samples() else {
        return Ok(None);
    };
    match read_file(&path, MAX_SAMPLES_SIZE) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // A file that its author takes for samples, and that nobody would ever run.
            let other = path.with_extension("yml");
            if other.exists() {
                return Err(ReadError::SamplesName {
                    stage: stage.id.clone(),
                    found: other.display().to_string(),
                    wanted: path.display().to_string(),
                });
            }
            Ok(None)
        }
        Err(cause) => Err(ReadError::Samples {
            stage: stage.id.clone(),
            path: path.display().to_string(),
            cause,
        }),
    }
}
