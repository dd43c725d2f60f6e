//! What the handles of a journal ask of its writer.

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::{Entry, JournalError, Options};

/// An entry that waits for its commit.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) entry: Entry,
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
