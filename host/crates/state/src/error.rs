//! What can go wrong: with the file, for operators; with an operation, for policies.

use std::path::{Path, PathBuf};

/// The file can't be used. The sentences are for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The file can't be opened, read or written.
    #[error("the state in {} can't be kept: {reason}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file is something else.
    #[error(
        "{} is no file of witgate's state: {reason}. Name another file in `state.store`, or move this one away",
        .path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is.
        reason: &'static str,
    },
}

impl StateError {
    pub(crate) fn io(path: &Path, error: &std::io::Error) -> StateError {
        StateError::Failed {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn ended(path: &Path) -> StateError {
        StateError::Failed {
            path: path.to_owned(),
            reason: "its thread has ended; restart witgate".to_owned(),
        }
    }

    pub(crate) fn sql(path: &Path, error: &rusqlite::Error) -> StateError {
        use rusqlite::ErrorCode;
        let code = error.sqlite_error_code();
        if code == Some(ErrorCode::NotADatabase) {
            return StateError::Foreign {
                path: path.to_owned(),
                reason: "it is not an SQLite database",
            };
        }
        let meaning = match code {
            Some(ErrorCode::DiskFull) => "the disk is full",
            Some(ErrorCode::ReadOnly) => "the file, its folder or its disk is read-only",
            Some(ErrorCode::SystemIoFailure) => "the disk failed",
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program has it locked"
            }
            Some(ErrorCode::CannotOpen) => "the file or a file beside it can't be opened or made",
            Some(ErrorCode::DatabaseCorrupt) => "its pages are not those of a sound database",
            _ => "SQLite says no",
        };
        StateError::Failed {
            path: path.to_owned(),
            reason: format!("{meaning} ({error})"),
        }
    }
}

/// An operation that was not done. The sentences are for authors of policies, and name nothing of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The key is too long.
    #[error("a key has at most 256 bytes")]
    Key,
    /// The value is too long.
    #[error("a value has at most 1048576 bytes")]
    Value,
    /// The window can't be.
    #[error("a window is from 1 to 31622400 seconds long (366 days)")]
    Window,
    /// The time can't be.
    #[error("a value is kept for at most 31622400 seconds (366 days)")]
    Time,
    /// The sum would leave what 64 bits hold.
    #[error("the sum would be more than 64 bits can hold")]
    Amount,
    /// The owner has no more room.
    #[error("there is no more room for what this stage keeps")]
    Full,
    /// The file can't be read or written.
    #[error("what is kept can't be read or written now")]
    Store,
}
