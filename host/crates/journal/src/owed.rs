//! Entries that are owed: the host's least entries, in the place of those that a stage could not make or the disk didn't take. They
//! wait here for as long as the disk fails, so that whoever hands one in needn't.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::{Entry, own};

/// The most that wait; the rest are counted, and the count gets an entry.
pub(super) const MOST: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Owed {
    waiting: Mutex<Waiting>,
    some: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<Entry>,
    /// Entries that found no room here.
    more: u64,
    /// Entries that are being written at the moment. They are owed until they are.
    taken: u64,
}

impl Owed {
    pub(super) fn add(&self, entry: Entry) {
        let mut waiting = self.waiting.lock();
        if waiting.entries.len() < MOST {
            waiting.entries.push_back(entry);
        } else {
            waiting.more += 1;
        }
        drop(waiting);
        self.some.notify_one();
    }

    /// Ready once something is owed.
    pub(super) fn notified(&self) -> Notified<'_> {
        self.some.notified()
    }

    pub(super) fn len(&self) -> u64 {
        let waiting = self.waiting.lock();
        waiting.entries.len() as u64 + waiting.more + waiting.taken
    }

    /// Takes the oldest, at most so many. What found no room comes last, as a number. What becomes of them, `written` or `give_back`
    /// must be told.
    pub(super) fn take(&self, most: usize) -> Vec<Entry> {
        let mut waiting = self.waiting.lock();
        let count = waiting.entries.len().min(most);
        let mut taken: Vec<Entry> = waiting.entries.drain(..count).collect();
        if taken.is_empty() && waiting.more > 0 {
            let more = std::mem::take(&mut waiting.more);
            taken.push(Entry {
                stage: own::STAGE.to_owned(),
                request_id: String::new(),
                body: format!(r#"{{"journal":"unrecorded","entries":{more}}}"#),
            });
        }
        waiting.taken = taken.len() as u64;
        taken
    }

    /// What was taken is on the disk.
    pub(super) fn written(&self) {
        self.waiting.lock().taken = 0;
    }

    /// What was taken could not be written, and comes first again.
    pub(super) fn give_back(&self, taken: Vec<Entry>) {
        let mut waiting = self.waiting.lock();
        waiting.taken = 0;
        for entry in taken.into_iter().rev() {
            waiting.entries.push_front(entry);
        }
    }
}
