//! Walking the chain of a journal that is open, on a thread of its own: whoever changed the file while nobody wrote to it is found
//! at the next start. It reads one entry after the other and takes no lock that appending needs.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use super::{Reader, Shared};

/// Operators filter by this name: it stays, wherever the code lies.
const LOG: &str = "witgate::journal::walk";

/// What the walk at the start has found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Chain {
    /// Nobody has asked for a walk.
    #[default]
    Unwalked,
    /// It is under way.
    Walking,
    /// So many entries, and all of them sound.
    Unbroken(u64),
    /// The first broken link, in a sentence.
    Broken(String),
    /// The file could not be read to its end, for this reason.
    Unread(String),
}

/// The walk, as those who share the journal see it.
#[derive(Debug, Default)]
pub(super) struct Walk {
    chain: Mutex<Chain>,
    thread: Mutex<Option<JoinHandle<()>>>,
    stop: AtomicBool,
}

impl Walk {
    pub(super) fn chain(&self) -> Chain {
        self.chain.lock().clone()
    }

    fn set(&self, chain: Chain) {
        *self.chain.lock() = chain;
    }

    /// Begins it, if it hasn't begun.
    pub(super) fn begin(shared: &Arc<Shared>) {
        let mut thread = shared.walk.thread.lock();
        if thread.is_some() {
            return;
        }
        shared.walk.set(Chain::Walking);
        let all = shared.clone();
        let walk = move || walk(&all, &all.path);
        match std::thread::Builder::new()
            .name("journal-walk".to_owned())
            .spawn(walk)
        {
            Ok(begun) => *thread = Some(begun),
            Err(error) => shared.walk.set(Chain::Unread(error.to_string())),
        }
    }

    /// Breaks it off.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Waits until it doesn't read the file any more.
    pub(super) fn join(&self) {
        self.stop();
        let mut thread = self.thread.lock();
        if let Some(thread) = thread.take() {
            // A panic of it is no reason not to close the file.
            let _ = thread.join();
        }
    }
}

fn walk(shared: &Shared, path: &Path) {
    let stop = || shared.walk.stop.load(Relaxed);
    let found = Reader::open(path).and_then(|reader| reader.verify_until(stop));
    let chain = match found {
        Ok(None) => Chain::Unwalked,
        Ok(Some(found)) => match found.broken {
            None => {
                tracing::info!(target: LOG, entries = found.entries, head = %found.head, "the journal's chain is unbroken");
                Chain::Unbroken(found.entries)
            }
            Some(broken) => {
                shared.breaks.fetch_add(1, Relaxed);
                tracing::error!(target: LOG, journal = %path.display(), "the journal's chain is broken: {broken}; entries are still added");
                Chain::Broken(broken.to_string())
            }
        },
        Err(error) => {
            tracing::error!(target: LOG, %error, "the journal's chain could not be walked");
            Chain::Unread(error.to_string())
        }
    };
    shared.walk.set(chain);
}
