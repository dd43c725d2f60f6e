//! What can go wrong with a journal, said to the operator.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the journal did not do what was asked. Cheap to clone: one failed batch fails many appends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The setting isn't written as `sqlite:PATH`.
    #[error("`{given}` is no journal store: {reason}")]
    Store {
        /// The text of the setting.
        given: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The environment names no folder for the default store.
    #[error(
        "there is no place for the journal: neither XDG_STATE_HOME nor HOME names an absolute folder. \
         Set one of them, or name a store: `sqlite:/var/lib/witgate/journal.db`"
    )]
    NoStateFolder,
    /// There is no file to read.
    #[error("there is no journal at {path}: no gateway has written one there yet, or the store is another one", path = path.display())]
    Missing {
        /// The path that was tried.
        path: PathBuf,
    },
    /// The file couldn't be opened or created.
    #[error("the journal {path} can't be opened: {reason}", path = path.display())]
    Open {
        /// The journal's file.
        path: PathBuf,
        /// What the system or SQLite said.
        reason: String,
    },
    /// The file is no journal.
    #[error("{path} is not a witgate journal: {reason}. Name another store, or move that file away", path = path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
        /// What the file is instead.
        reason: &'static str,
    },
    /// The file has a schema version that this release doesn't know.
    #[error(
        "the journal {path} has schema version {found}, and this release knows versions up to {known}: \
         a newer witgate wrote it. Use that one, or name another store",
        path = path.display()
    )]
    NewerSchema {
        /// The journal's file.
        path: PathBuf,
        /// The file's version.
        found: i64,
        /// The newest version that this release reads.
        known: i64,
    },
    /// Another process has the journal open for writing.
    #[error(
        "the journal {path} is in use by {by}: one gateway writes to one journal. \
         Stop that one, or give this one another store",
        path = path.display()
    )]
    InUse {
        /// The journal's file.
        path: PathBuf,
        /// Which process has it open, as far as the lock file says.
        by: String,
    },
    /// The file can be read, but what stands in it can't have been written by a journal.
    #[error("the journal {path} is damaged: {reason}", path = path.display())]
    Damaged {
        /// The journal's file.
        path: PathBuf,
        /// What is wrong with the contents.
        reason: String,
    },
    /// A batch couldn't be written, so its appends fail. The writer tries the disk again with the next batch, and every
    /// second while none comes.
    #[error("the journal {path} can't be written: {reason}", path = path.display())]
    Write {
        /// The journal's file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// Reading stopped before its end.
    #[error("the journal {path} can't be read: {reason}", path = path.display())]
    Read {
        /// The journal's file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
    /// The body isn't a JSON object.
    #[error("a journal entry must be a JSON object, and this is not one: {reason}")]
    NotAnObject {
        /// What the parser said, or what it is instead.
        reason: String,
    },
    /// The body is too large.
    #[error("a journal entry has at most {limit} bytes, and this one has {size}", limit = super::MAX_BODY)]
    TooLarge {
        /// Bytes of the body.
        size: usize,
    },
    /// The journal was closed, or its writer is gone.
    #[error("the journal {path} is closed: nothing can be written to it any more", path = path.display())]
    Closed {
        /// The journal's file.
        path: PathBuf,
    },
}

impl JournalError {
    /// A word for what became of an entry that wasn't kept.
    pub fn class(&self) -> &'static str {
        match self {
            JournalError::TooLarge { .. } => "too_large",
            JournalError::NotAnObject { .. } => "not_an_object",
            JournalError::Closed { .. } => "closed",
            _ => "not_written",
        }
    }

    pub(crate) fn open(path: &Path, error: &rusqlite::Error) -> JournalError {
        if code(error) == Some(ErrorCode::NotADatabase) {
            return JournalError::NotAJournal {
                path: path.to_owned(),
                reason: "it is not an SQLite database",
            };
        }
        JournalError::Open {
            path: path.to_owned(),
            reason: sentence(error),
        }
    }

    pub(crate) fn open_io(path: &Path, error: &std::io::Error) -> JournalError {
        JournalError::Open {
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }

    pub(crate) fn write(path: &Path, error: &rusqlite::Error) -> JournalError {
        JournalError::Write {
            path: path.to_owned(),
            reason: sentence(error),
        }
    }

    pub(crate) fn read(path: &Path, error: &rusqlite::Error) -> JournalError {
        match code(error) {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => JournalError::Damaged {
                path: path.to_owned(),
                reason: sentence(error),
            },
            _ => JournalError::Read {
                path: path.to_owned(),
                reason: sentence(error),
            },
        }
    }
}

pub(crate) fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// SQLite's words, with what they mean for the disk in front where that helps.
fn sentence(error: &rusqlite::Error) -> String {
    let meaning = match code(error) {
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "the file, its folder or its disk is read-only",
        Some(ErrorCode::SystemIoFailure) => "the disk failed",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program has it locked"
        }
        Some(ErrorCode::CannotOpen) => "the file or a file beside it can't be opened or created",
        Some(ErrorCode::PermissionDenied) => "permission is denied",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "its pages are not those of a sound database"
        }
        _ => return error.to_string(),
    };
    format!("{meaning} ({error})")
}
