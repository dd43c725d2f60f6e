//! The stages of one configuration, in order. Immutable once built.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::stage::Stage;

/// An ordered chain of stages.
#[derive(Debug)]
pub struct Chain {
    stages: Vec<Arc<Stage>>,
    answers: Vec<usize>,
    digest: String,
}

impl Chain {
    /// Puts stages in order. `answers` gives their order on the way back by id; the configuration has checked that it names
    /// each of them once.
    pub fn new(stages: Vec<Arc<Stage>>, answers: Option<&[String]>) -> Self {
        let answers: Vec<usize> = match answers {
            None => (0..stages.len()).collect(),
            Some(ids) => ids
                .iter()
                .filter_map(|id| stages.iter().position(|stage| **stage.id() == **id))
                .collect(),
        };
        let digest = digest(&stages, &answers);
        Chain {
            stages,
            answers,
            digest,
        }
    }

    /// The stages in configured order.
    pub fn stages(&self) -> &[Arc<Stage>] {
        &self.stages
    }

    /// Indices into the stages, in the order in which answers pass them.
    pub fn answers(&self) -> &[usize] {
        &self.answers
    }

    /// 64 hex digits over every stage's component and configuration, and both orders: equal chains have equal digests.
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

fn digest(stages: &[Arc<Stage>], answers: &[usize]) -> String {
    let mut hash = Sha256::new();
    for stage in stages {
        let loaded = stage.loaded();
        let spec = loaded.spec();
        let parts: [&str; 4] = [
            &spec.id,
            loaded.digest(),
            &spec.settings,
            &format!(
                "{:?}{}{:?}{:?}{:?}",
                spec.on_error, spec.breaker, spec.mode, spec.limits, spec.grants
            ),
        ];
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    for index in answers {
        hash.update((*index as u64).to_le_bytes());
    }
    format!("{:x}", hash.finalize())
}
