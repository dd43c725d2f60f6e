//! What can be wrong with a configuration, in sentences.
//!
//! Every problem says where it is (origin, line, column, path) and what to do. No value that may be a secret is ever
//! repeated.

use std::fmt;

/// A place in the text. Line and column count from 1, and columns count characters. The default is none: of a large text few places are
/// looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A problem of a configuration, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the text.
    pub at: Position,
    /// Where in the document, such as `policies.chain[1].limits.memory`. Empty for the document itself.
    pub path: String,
    /// What is wrong and what to do, as a sentence without its place.
    pub message: String,
}

/// Why a configuration could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file of that name.
    #[error(
        "{origin}: there is no such file. Check the path, or run without --policy-config to use the built-in default"
    )]
    Missing {
        /// The path as it was given.
        origin: String,
    },
    /// The path names a folder.
    #[error("{origin}: this is a folder; give the path of the file in it")]
    Folder {
        /// The path as it was given.
        origin: String,
    },
    /// The file exists, but can't be read.
    #[error("{origin}: the file can't be read: {source}")]
    Unreadable {
        /// The path as it was given.
        origin: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file is larger than any configuration should be.
    #[error(
        "{origin}: the file is larger than {limit} bytes, which no configuration should be; is it the right file?"
    )]
    TooLarge {
        /// The path as it was given.
        origin: String,
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// The file isn't UTF-8.
    #[error("{origin}:{line}: the file is not UTF-8 text from byte {byte} on; save it as UTF-8")]
    NotUtf8 {
        /// The path as it was given.
        origin: String,
        /// The line of the first bad byte, from 1.
        line: usize,
        /// The offset of the first bad byte, from 0.
        byte: usize,
    },
    /// There is no document in the text.
    #[error(
        "{origin}: there is nothing in it. The least is a `pack` (name, version, enabled) and a `policies.chain`"
    )]
    Empty {
        /// Where the text came from.
        origin: String,
    },
    /// The text was read, and has these problems.
    #[error("{}", lines(.origin, .problems))]
    Invalid {
        /// Where the text came from.
        origin: String,
        /// The problems in the order of the text, those without a position last: at least one, and at most 100.
        problems: Vec<Problem>,
    },
}

impl ConfigError {
    /// The single problems, in the order of the text. There are none where the text couldn't be read at all.
    pub fn problems(&self) -> &[Problem] {
        match self {
            ConfigError::Invalid { problems, .. } => problems,
            _ => &[],
        }
    }
}

fn lines(origin: &str, problems: &[Problem]) -> String {
    let mut text = String::new();
    for problem in problems {
        if !text.is_empty() {
            text.push('\n');
        }
        if problem.at == Position::default() {
            text.push_str(&format!("{origin}: "));
        } else {
            text.push_str(&format!("{origin}:{}: ", problem.at));
        }
        if !problem.path.is_empty() {
            text.push_str(&problem.path);
            text.push_str(": ");
        }
        text.push_str(&problem.message);
    }
    text
}
