//! The journal: entries in one SQLite file, each chained to the one before by SHA-256.
//!
//! One thread owns the file and commits what has been appended in batches. What must stay true:
//!
//! - an acknowledged append is on the disk, whatever becomes of the process;
//! - nothing is dropped: a full queue makes [`Journal::append`] wait, a failing disk makes it fail, and what the host owes in its
//!   place waits until the disk works;
//! - the chain has no gap but the prefix that retention removed, and that one has a checkpoint, and an
//!   entry after it that says so.
//!
//! [`Journal`] writes; [`Reader`] reads and verifies beside it, also from another process. `docs/journal.md` has the
//! canonical form of an entry and says what the chain proves and what it doesn't.

mod chain;
mod claimed_file;
mod clock;
mod error;
mod log;
mod note;
mod orders;
mod owed;
mod own;
mod reader;
mod schema;
mod store;
#[cfg(test)]
mod tests;
mod verify;
mod walk;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::de::IgnoredAny;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

pub use self::chain::{Hash, NotAHash};
pub use self::error::JournalError;
pub use self::reader::{Order, Reader, Record, Span};
pub use self::store::Store;
pub use self::verify::{BrokenLink, Checkpoint, GivenHead, LinkFault, Verification};
pub use self::walk::Chain;

pub use self::orders::Accepted;
use self::orders::{Command, Pending};
use self::owed::Owed;
use self::walk::Walk;
use self::writer::{BATCH, Writer};

/// The most bytes that an entry's body may have: 1 MiB.
pub const MAX_BODY: usize = 1024 * 1024;

/// The most entries that wait for the writer. A further append waits for room.
const QUEUE: usize = 1024;

/// The most bytes that wait for the writer, all entries together. This bounds the memory and the size of a batch.
const QUEUE_BYTES: usize = 32 * 1024 * 1024;

/// An entry, as a stage hands it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The id of the stage that wrote it.
    pub stage: String,
    /// The id of the exchange's request.
    pub request_id: String,
    /// A JSON object of at most [`MAX_BODY`] bytes. It is kept on one line: line breaks between its tokens become spaces.
    pub body: String,
}

impl Entry {
    /// What it takes, in bytes.
    fn size(&self) -> usize {
        self.body.len() + self.stage.len() + self.request_id.len()
    }
}

/// The settings that can change while the journal is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Triggers in the file refuse changes and deletions, by whatever program.
    pub immutable: bool,
    /// Entries older than this many days of 24 hours are removed, at start and hourly. `None`: kept for ever.
    pub retention_days: Option<u32>,
}

impl Default for Options {
    /// Entries are immutable and kept for ever.
    fn default() -> Options {
        Options {
            immutable: true,
            retention_days: None,
        }
    }
}

/// Totals since the journal was opened, except for `queued` and `owed`, which are present numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Entries committed.
    pub entries: u64,
    /// Batches committed.
    pub batches: u64,
    /// Entries that wait for their commit at the moment.
    pub queued: u64,
    /// Entries that were not kept as they were to be, and batches, probes and steps of retention that failed.
    pub failures: u64,
    /// Entries in their place that wait for the disk; the present number, too.
    pub owed: u64,
    /// Walks along the chain that found it broken.
    pub breaks: u64,
}

/// What the handles and the writer share.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    entries: AtomicU64,
    batches: AtomicU64,
    queued: AtomicU64,
    failures: AtomicU64,
    breaks: AtomicU64,
    owed: Owed,
    walk: Walk,
    /// Notified when a whole batch is queued, so that the writer needn't wake for every entry.
    full: Notify,
    /// The last failure; `None` while the journal is healthy.
    health: watch::Sender<Option<JournalError>>,
}

impl Shared {
    fn owe(&self, entry: Entry) {
        self.failures.fetch_add(1, Relaxed);
        self.owed.add(entry);
    }
}

/// An open journal. Clones are handles of the same one.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    entries: mpsc::Sender<Pending>,
    commands: mpsc::UnboundedSender<Command>,
    room: Arc<Semaphore>,
}

impl Journal {
    /// Opens the journal at this path, made if need be: its folder with mode 0700, its file with 0600. The first step of
    /// retention is done when this returns. The process has the journal to itself until [`close`](Journal::close).
    ///
    /// # Errors
    ///
    /// Where the file can't be opened, holds something else, is of a newer schema, or is in use.
    pub async fn open(store: &Path, options: Options) -> Result<Journal, JournalError> {
        let (entries, queue) = mpsc::channel(QUEUE);
        let (commands, orders) = mpsc::unbounded_channel();
        let (ready, opened) = oneshot::channel();
        let path = store.to_owned();
        std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || Writer::run(&path, options, queue, orders, ready))
            .map_err(|error| JournalError::open_io(store, &error))?;
        let shared = opened.await.unwrap_or_else(|_| {
            Err(JournalError::Closed {
                path: store.to_owned(),
            })
        })?;
        Ok(Journal {
            shared,
            entries,
            commands,
            room: Arc::new(Semaphore::new(QUEUE_BYTES)),
        })
    }

    /// Appends an entry; returns when it is committed. Waits while the queue is full. Dropped before that, the entry may
    /// be written or not.
    ///
    /// # Errors
    ///
    /// [`JournalError::NotAnObject`] and [`JournalError::TooLarge`] for the entry's own faults;
    /// [`JournalError::Write`] if its batch failed: then the entry is not in the journal. [`JournalError::Closed`].
    pub async fn append(&self, entry: Entry) -> Result<(), JournalError> {
        self.accept(entry, None).await?.written().await
    }

    /// Accepts an entry: returns when it has its place in the order, which is at once but for a full queue. If it can't be written
    /// later, `instead` is [owed](Journal::owe).
    ///
    /// # Errors
    ///
    /// [`JournalError::NotAnObject`] and [`JournalError::TooLarge`] for the entry's own faults; [`JournalError::Closed`].
    pub async fn accept(
        &self,
        mut entry: Entry,
        instead: Option<Entry>,
    ) -> Result<Accepted, JournalError> {
        check(&mut entry)?;
        let size = entry.size().clamp(1, QUEUE_BYTES) as u32;
        let closed = || JournalError::Closed {
            path: self.shared.path.clone(),
        };
        let room = Arc::clone(&self.room).acquire_many_owned(size).await;
        let room = room.map_err(|_| closed())?;
        let place = self.entries.reserve().await.map_err(|_| closed())?;
        let (written, done) = oneshot::channel();
        if self.shared.queued.fetch_add(1, Relaxed) + 1 == BATCH as u64 {
            self.shared.full.notify_one();
        }
        place.send(Pending {
            entry,
            instead,
            written,
            _room: room,
        });
        Ok(Accepted {
            path: self.shared.path.clone(),
            written: done,
        })
    }

    /// Takes an entry of the host's own, in the place of one that was not kept. It waits for nothing: the entry is written with the
    /// next commit or, while the disk fails, as soon as it works again. Of very many that wait only the number is written.
    pub fn owe(&self, entry: Entry) {
        self.shared.owe(entry);
    }

    /// Walks the chain on a thread of its own, and logs what it finds. Once for each opening.
    pub fn walk(&self) {
        Walk::begin(&self.shared);
    }

    /// What that has found.
    pub fn chain(&self) -> Chain {
        self.shared.walk.chain()
    }

    /// `Ok` while the journal works, else why the last write failed. The writer then tries again with every batch and every
    /// second.
    ///
    /// # Errors
    ///
    /// The last failure, until a later write succeeds; [`JournalError::Closed`] after the end.
    pub fn health(&self) -> Result<(), JournalError> {
        self.shared.health.borrow().clone().map_or(Ok(()), Err)
    }

    /// Changes the settings. The change takes effect before any entry that is appended later. A failure to carry it out
    /// shows in [`health`](Journal::health).
    pub fn configure(&self, options: Options) {
        // A closed journal needs no configuration.
        let _ = self.commands.send(Command::Configure(options));
    }

    /// The totals, for metrics.
    pub fn stats(&self) -> Stats {
        Stats {
            entries: self.shared.entries.load(Relaxed),
            batches: self.shared.batches.load(Relaxed),
            queued: self.shared.queued.load(Relaxed),
            failures: self.shared.failures.load(Relaxed),
            owed: self.shared.owed.len(),
            breaks: self.shared.breaks.load(Relaxed),
        }
    }

    /// Writes what is queued, closes the file and releases its lock. This closes the journal for every handle: later
    /// appends fail.
    pub async fn close(&self) {
        self.shared.walk.stop();
        let (done, closed) = oneshot::channel();
        if self.commands.send(Command::Close(done)).is_ok() {
            // An error means that the writer is gone already.
            let _ = closed.await;
        }
    }
}

/// Refuses what isn't a JSON object of the right size, and brings it onto one line.
fn check(entry: &mut Entry) -> Result<(), JournalError> {
    let body = &entry.body;
    if body.len() > MAX_BODY {
        return Err(JournalError::TooLarge { size: body.len() });
    }
    let refused = |reason: String| Err(JournalError::NotAnObject { reason });
    if let Err(error) = serde_json::from_str::<IgnoredAny>(body) {
        return refused(error.to_string());
    }
    if !body.trim_start().starts_with('{') {
        return refused("it is another JSON value".to_owned());
    }
    // A string in JSON has no raw line break, so these stand between tokens.
    if memchr::memchr2(b'\n', b'\r', body.as_bytes()).is_some() {
        entry.body = body.replace(['\n', '\r'], " ");
    }
    Ok(())
}
