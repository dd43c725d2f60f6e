//! What policies keep from one exchange to the next: sums in windows of time, and values that expire, in one SQLite file.
//!
//! One thread owns the file and takes what has been asked of it in batches, a transaction each. What must stay true:
//!
//! - what an operation answered is in the file: killing the process takes nothing back. (A machine that loses its power may lose the
//!   last moments, and the file stays sound: SQLite's `synchronous=NORMAL`.)
//! - every owner, which is a stage by its id, has keys and room of its own;
//! - other processes may have the file open, such as the release that takes over from this one: each operation is one
//!   transaction, so that sums stay right.
//!
//! Nothing is opened, and no thread runs, before the first operation or [`StateStore::open`]. An idle store has no timer.

mod error;
mod file;
mod keeper;
mod room;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use tokio::sync::{OnceCell, mpsc, oneshot};

pub use self::error::{Refused, StateError};
use self::keeper::{Keeper, Order};

/// The most bytes that a key may have.
pub const KEY: usize = 256;

/// The most bytes that a value may have: 1 MiB.
pub const VALUE: usize = 1024 * 1024;

/// The longest window, and the longest that a value may be kept, in seconds: 366 days.
pub const LONGEST: u32 = 366 * 24 * 60 * 60;

/// Operators filter by this name.
const LOG: &str = "witgate::state";

/// Operations that wait for the thread at most; one more waits for room.
const QUEUE: usize = 1024;

/// A sum's name: whose it is, its key, and which window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// The stage's id.
    pub owner: Arc<str>,
    /// At most [`KEY`] bytes.
    pub key: String,
    /// The window's length in seconds, from 1 to [`LONGEST`]. Windows are aligned to 1970, UTC.
    pub window: u32,
    /// A moment in the window, in milliseconds since 1970.
    pub at: u64,
}

/// A value's name: whose it is, and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The stage's id.
    pub owner: Arc<str>,
    /// At most [`KEY`] bytes.
    pub key: String,
}

/// What the handles and the thread share.
#[derive(Debug)]
struct Shared {
    path: PathBuf,
    orders: OnceCell<mpsc::Sender<Order>>,
    failures: AtomicU64,
    /// Why the last batch failed; `None` while the store works.
    failure: Mutex<Option<StateError>>,
}

/// The store. Clones are handles of the same one.
#[derive(Clone, Debug)]
pub struct StateStore(Arc<Shared>);

impl StateStore {
    /// The store in this file. It isn't opened yet.
    pub fn at(path: PathBuf) -> StateStore {
        StateStore(Arc::new(Shared {
            path,
            orders: OnceCell::new(),
            failures: AtomicU64::new(0),
            failure: Mutex::new(None),
        }))
    }

    /// Opens the file, made if need be: its folder with mode 0700, the file with 0600. A second call does nothing.
    ///
    /// # Errors
    ///
    /// [`StateError`], where the file can't be opened or written, or holds something else.
    pub async fn open(&self) -> Result<(), StateError> {
        self.orders().await.map(|_| ())
    }

    async fn orders(&self) -> Result<&mpsc::Sender<Order>, StateError> {
        let shared = &self.0;
        let opened = shared.orders.get_or_try_init(|| async {
            let (orders, queue) = mpsc::channel(QUEUE);
            let (ready, opened) = oneshot::channel();
            // The thread ends with the last handle, so it must not hold one.
            let weak = Arc::downgrade(shared);
            let path = shared.path.clone();
            std::thread::Builder::new()
                .name("state".to_owned())
                .spawn(move || Keeper::run(&path, &weak, queue, ready))
                .map_err(|error| StateError::io(&shared.path, &error))?;
            opened
                .await
                .unwrap_or_else(|_| Err(StateError::ended(&shared.path)))?;
            Ok(orders)
        });
        opened.await
    }

    /// Adds to a sum and returns it. 0 reads; a negative amount gives back.
    ///
    /// # Errors
    ///
    /// [`Refused`]: the name or the amount can't be, there is no more room, or the file can't be written. Nothing was added.
    pub async fn add(&self, sum: Sum, amount: i64) -> Result<i64, Refused> {
        let taken = self.take(sum, amount, i64::MAX).await?;
        taken.ok_or(Refused::Amount)
    }

    /// Adds to a sum if that makes it no more than `most`, and returns it. `None`: it would, and nothing was added. What gives back is
    /// always added.
    ///
    /// # Errors
    ///
    /// As [`add`](StateStore::add).
    pub async fn take(&self, sum: Sum, amount: i64, most: i64) -> Result<Option<i64>, Refused> {
        if !(1..=LONGEST).contains(&sum.window) {
            return Err(Refused::Window);
        }
        check_key(&sum.key)?;
        self.ask(|reply| Order::Take {
            sum,
            amount,
            most,
            reply,
        })
        .await
    }

    /// The value of a name, if there is one that hasn't expired.
    ///
    /// # Errors
    ///
    /// [`Refused`]: the name can't be, or the file can't be read.
    pub async fn get(&self, name: Name) -> Result<Option<String>, Refused> {
        check_key(&name.key)?;
        self.ask(|reply| Order::Get { name, reply }).await
    }

    /// Keeps a value for so many seconds, in the place of one that is there; 0 removes it.
    ///
    /// # Errors
    ///
    /// [`Refused`]: name, value or time can't be, there is no more room, or the file can't be written. Nothing changed.
    pub async fn put(&self, name: Name, value: String, seconds: u32) -> Result<(), Refused> {
        self.put_if(name, value, seconds, false).await.map(|_| ())
    }

    /// Keeps a value for so many seconds if there is none that hasn't expired, and says whether it did.
    ///
    /// # Errors
    ///
    /// As [`put`](StateStore::put).
    pub async fn put_new(&self, name: Name, value: String, seconds: u32) -> Result<bool, Refused> {
        self.put_if(name, value, seconds, true).await
    }

    async fn put_if(
        &self,
        name: Name,
        value: String,
        seconds: u32,
        only_new: bool,
    ) -> Result<bool, Refused> {
        check_key(&name.key)?;
        if value.len() > VALUE {
            return Err(Refused::Value);
        }
        if seconds > LONGEST {
            return Err(Refused::Time);
        }
        self.ask(|reply| Order::Put {
            name,
            value,
            seconds,
            only_new,
            reply,
        })
        .await
    }

    async fn ask<T>(
        &self,
        order: impl FnOnce(oneshot::Sender<Result<T, Refused>>) -> Order,
    ) -> Result<T, Refused> {
        let orders = self.orders().await.map_err(|error| self.failed(error))?;
        let (reply, answer) = oneshot::channel();
        let gone = || self.failed(StateError::ended(&self.0.path));
        orders.send(order(reply)).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    fn failed(&self, error: StateError) -> Refused {
        self.0.failed(error);
        Refused::Store
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// `Ok` while the store works, or isn't open; else why the last batch failed. Every operation tries again.
    ///
    /// # Errors
    ///
    /// The last failure, until an operation succeeds.
    pub fn health(&self) -> Result<(), StateError> {
        self.0.failure.lock().clone().map_or(Ok(()), Err)
    }

    /// Batches that failed since the start.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Relaxed)
    }
}

impl Shared {
    /// Takes down a failure. It is logged where it is another than the last.
    fn failed(&self, error: StateError) {
        self.failures.fetch_add(1, Relaxed);
        let mut last = self.failure.lock();
        if last.as_ref() != Some(&error) {
            tracing::error!(target: LOG, "{error}. Policies that need what they keep there are told so, and decide"
            );
            *last = Some(error);
        }
    }

    fn works(&self) {
        let mut last = self.failure.lock();
        if last.take().is_some() {
            tracing::info!(target: LOG, "the state in {} can be written again", self.path.display());
        }
    }
}

fn check_key(key: &str) -> Result<(), Refused> {
    if key.len() > KEY {
        return Err(Refused::Key);
    }
    Ok(())
}
