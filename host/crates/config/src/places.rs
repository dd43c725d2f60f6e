//! The way back from a part of a configuration to its place in the text, for what is found wrong only later: when a policy's component is
//! read, and with it what its settings may be.

use super::error::{ConfigError, Position};
use super::schema::{Mismatch, Part};
use super::stages::StageConfig;
use super::tree::{Locator, NodePath, Step};
use super::{LARGEST, problem};
use std::fmt;
use std::sync::Arc;

/// The text that a configuration was read from. All of these are equal: two configurations are the same where they say the same.
#[derive(Clone, Default)]
pub struct Places {
    origin: Arc<str>,
    text: Arc<str>,
}

impl PartialEq for Places {
    fn eq(&self, _: &Places) -> bool {
        true
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl Places {
    pub(super) fn new(origin: &str, text: &str) -> Places {
        Places {
            origin: origin.into(),
            text: text.into(),
        }
    }

    /// What is wrong with a stage's settings, as it would be said had it been known while the file was read.
    pub fn wrong_settings(&self, stage: &StageConfig, mismatches: &[Mismatch]) -> ConfigError {
        let mut locator = Locator::new(&self.text, LARGEST);
        let step = |part: &Part| match part {
            Part::Key(key) => Step::Key(key.clone(), 0),
            Part::Index(index) => Step::Index(*index),
        };
        let problems = mismatches.iter().map(|it| {
            let above = ["policy", &stage.id].map(|key| Step::Key(key.to_owned(), 0));
            let place = NodePath {
                steps: above.into_iter().chain(it.path.iter().map(step)).collect(),
                on_key: it.on_key,
            };
            let mut found = problem(&mut locator, place, it.message.clone());
            if found.at == Position::default() {
                // The stage has no settings in the text.
                found.at = stage.at;
            }
            found
        });
        ConfigError::Invalid {
            origin: self.origin.to_string(),
            problems: problems.collect(),
        }
    }
}
