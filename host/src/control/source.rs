//! Where the configuration comes from.

use std::fmt;
use std::path::PathBuf;

use crate::config::{Config, ConfigError};

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The one that is built in. It never changes.
    Embedded,
    /// A file.
    File(PathBuf),
}

impl Source {
    /// Reads and checks it.
    ///
    /// # Errors
    /// When it can't be read or is wrong.
    pub fn load(&self) -> Result<Config, ConfigError> {
        match self {
            Source::Embedded => Config::embedded(),
            Source::File(path) => Config::load(path),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Embedded => f.write_str("the built-in default"),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}
