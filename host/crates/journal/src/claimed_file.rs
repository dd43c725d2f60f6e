//! The journal's files: made with the right modes, held by one process, and noticed when they are moved away.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::JournalError;

/// A journal's file, claimed for this process until it is dropped.
#[derive(Debug)]
pub(super) struct ClaimedFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// Holds the lock.
    _claim: File,
}

impl ClaimedFile {
    /// Makes what is missing of folder (0700) and file (0600), and takes the lock. Modes that are there already stay: an
    /// operator may have let a group read.
    pub(super) fn claim(store: &Path) -> Result<ClaimedFile, JournalError> {
        let failed = |error: std::io::Error| JournalError::open_io(store, &error);
        if let Some(folder) = store.parent().filter(|path| !path.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(failed)?;
        }
        let file = owner_only()
            .create(true)
            .truncate(false)
            .open(store)
            .map_err(failed)?;
        // Two names of one file must meet at one lock.
        let path = fs::canonicalize(store).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(JournalError::NotAJournal {
                path,
                reason: "it is not a regular file",
            });
        }
        let claim = lock(&path)?;
        Ok(ClaimedFile {
            path,
            device: about.dev(),
            inode: about.ino(),
            _claim: claim,
        })
    }

    /// The file's canonical path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the path still names the file that is open. SQLite would go on writing to one that was deleted.
    pub(super) fn check(&self) -> Result<(), JournalError> {
        match fs::metadata(&self.path) {
            Ok(about) if (about.dev(), about.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(JournalError::Write {
                path: self.path.clone(),
                reason: "its file was moved, replaced or deleted while it was open. \
                         Put it back, or restart witgate to begin a new one"
                    .to_owned(),
            }),
        }
    }
}

fn owner_only() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// The lock is on a file of its own: SQLite has its own ideas about locks on the database.
fn lock(path: &Path) -> Result<File, JournalError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |error: std::io::Error| JournalError::open_io(path, &error);
    let mut file = owner_only()
        .create(true)
        .truncate(false)
        .open(&name)
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder's number helps the operator, and the refusal does without it.
            let known = file.read_to_string(&mut holder).is_ok();
            let holder = holder.trim();
            return Err(JournalError::InUse {
                path: path.to_owned(),
                by: match holder.parse::<u32>() {
                    Ok(id) if known => format!("process {id}"),
                    _ => "another process".to_owned(),
                },
            });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    // The lock holds even where a full disk keeps the process's number from being written into it.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| write!(file, "{}", std::process::id()));
    Ok(file)
}
