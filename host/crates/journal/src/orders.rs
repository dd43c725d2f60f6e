//! What the handles of a journal ask of its writer.

use std::path::PathBuf;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Entry, JournalError, Options};

/// An entry that was accepted: it has its place, and will be on the disk.
#[derive(Debug)]
pub struct Accepted {
    pub(super) path: PathBuf,
    pub(super) written: oneshot::Receiver<Result<(), JournalError>>,
}

impl Accepted {
    /// Waits until it is committed. Who doesn't wait has it committed all the same.
    ///
    /// # Errors
    ///
    /// [`JournalError::Write`] if its batch failed: then the entry is not in the journal. [`JournalError::Closed`].
    pub async fn written(self) -> Result<(), JournalError> {
        let Accepted { path, written } = self;
        let closed = || Err(JournalError::Closed { path });
        written.await.unwrap_or_else(|_| closed())
    }
}

/// An entry that waits for its commit.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
    /// What is owed if the entry can't be written.
    pub(super) instead: Option<Entry>,
    pub(super) written: oneshot::Sender<Result<(), JournalError>>,
    /// The entry's share of the bytes that may be queued, given back when this is dropped.
    pub(super) _room: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum Command {
    Configure(Options),
    /// Answered when the file is closed and free.
    Close(oneshot::Sender<()>),
    /// SQL on the writer's own connection: limits there are the connection's.
    #[cfg(test)]
    Sql(String),
    /// Keeps the writer idle until the test sends something or drops its sender.
    #[cfg(test)]
    Wait(std::sync::mpsc::Receiver<()>),
}
