//! The open file with the end of its chain: appending, removing a prefix, probing the disk. No thread, no clock.
//!
//! What must stay true: `head` is the last committed entry's. It moves after a commit and never before.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::chain::{Hash, Link};
use super::claimed_file::ClaimedFile;
use super::{Entry, JournalError, schema};

/// Entries that one transaction of retention removes at most, so that appends don't wait long behind it.
pub(super) const REMOVED_AT_ONCE: usize = 5_000;

/// What a probe writes: enough that a disk with a few bytes left isn't taken for one with room.
const PROBE_BYTES: i64 = 64 * 1024;

/// The end of the chain: the last entry, or what stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: Hash,
}

/// What one step of retention did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) count: usize,
    /// There may be more to remove.
    pub(super) more: bool,
}

/// The journal's file, open for its one writer.
#[derive(Debug)]
pub(super) struct Log {
    conn: Connection,
    head: Head,
    file: ClaimedFile,
}

impl Log {
    pub(super) fn open(store: &Path) -> Result<Log, JournalError> {
        let file = ClaimedFile::claim(store)?;
        let path = file.path();
        // No URI flag: a path is a path, whatever characters it has.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)
            .map_err(|error| JournalError::open(path, &error))?;
        schema::prepare(&mut conn, path)?;
        let head = read_head(&conn, path)?;
        Ok(Log { conn, head, file })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// Commits all of them, or none.
    pub(super) fn append<'a>(
        &mut self,
        at: i64,
        entries: impl Iterator<Item = &'a Entry>,
    ) -> Result<(), JournalError> {
        self.file.check()?;
        match insert(&mut self.conn, self.head, at, entries) {
            Ok(head) => {
                self.head = head;
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Writes something and removes it again. Success means that the next append may succeed too.
    pub(super) fn probe(&mut self) -> Result<(), JournalError> {
        self.file.check()?;
        let result = self
            .conn
            .execute(
                "INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?1))",
                [PROBE_BYTES],
            )
            .and_then(|_| {
                self.conn
                    .execute("DELETE FROM meta WHERE key = 'probe'", [])
            });
        match result {
            Ok(_) => Ok(()),
            Err(error) => Err(self.failed(&error)),
        }
    }

    pub(super) fn set_immutable(&mut self, immutable: bool) -> Result<(), JournalError> {
        schema::set_immutable(&mut self.conn, immutable).map_err(|error| self.failed(&error))
    }

    /// Removes the oldest entries up to the first that is not older than `cutoff`, at most [`REMOVED_AT_ONCE`], and
    /// leaves a checkpoint. Times in milliseconds since 1970.
    pub(super) fn remove_before(&mut self, cutoff: i64, now: i64) -> Result<Removed, JournalError> {
        self.file.check()?;
        let removed = remove_before(&mut self.conn, cutoff, now);
        match removed {
            Ok(removed) => {
                if removed.count > 0 && !removed.more {
                    self.give_back();
                }
                Ok(removed)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Returns free pages to the disk and empties the write-ahead log, where what was removed still stands. A reader can be
    /// in the way. A later call does the work then, so a failure here is no error.
    fn give_back(&self) {
        let _ = self
            .conn
            .prepare("PRAGMA incremental_vacuum(8192)")
            .and_then(|mut statement| {
                // One step gives back one page.
                let mut pages = statement.query([])?;
                while pages.next()?.is_some() {}
                Ok(())
            });
        let _ = self
            .conn
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }

    /// Brings everything into the one file and closes it; the lock goes last.
    pub(super) fn close(self) {
        let Log { conn, file, .. } = self;
        if let Err((_, error)) = conn.close() {
            tracing::warn!(target: "witgate::journal::log", journal = %file.path().display(), %error, "the journal's file didn't close cleanly");
        }
    }

    /// After a failed commit the file says what the head is, not our memory.
    fn failed(&mut self, error: &rusqlite::Error) -> JournalError {
        if let Ok(head) = read_head(&self.conn, self.file.path()) {
            self.head = head;
        }
        JournalError::write(self.file.path(), error)
    }

    /// Runs SQL on the connection, for tests that need the file or the connection in another state.
    #[cfg(test)]
    pub(super) fn sql(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.execute_batch(sql)
    }
}

fn insert<'a>(
    conn: &mut Connection,
    mut head: Head,
    at: i64,
    entries: impl Iterator<Item = &'a Entry>,
) -> rusqlite::Result<Head> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let mut statement = transaction
            .prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for entry in entries {
            let link = Link {
                seq: head.seq + 1,
                at,
                stage: &entry.stage,
                request_id: &entry.request_id,
                body: &entry.body,
                prev: &head.hash,
            };
            let hash = link.hash();
            statement.execute(params![
                link.seq,
                link.at,
                link.stage,
                link.request_id,
                link.body,
                link.prev.as_bytes(),
                hash.as_bytes(),
            ])?;
            head = Head {
                seq: link.seq,
                hash,
            };
        }
    }
    transaction.commit()?;
    Ok(head)
}

fn remove_before(conn: &mut Connection, cutoff: i64, now: i64) -> rusqlite::Result<Removed> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut last: Option<i64> = None;
    let mut count = 0;
    {
        let mut statement =
            transaction.prepare_cached("SELECT seq, at FROM entries ORDER BY seq LIMIT ?1")?;
        let mut rows = statement.query([REMOVED_AT_ONCE])?;
        while let Some(row) = rows.next()? {
            if row.get::<_, i64>(1)? >= cutoff {
                break;
            }
            last = Some(row.get(0)?);
            count += 1;
        }
    }
    if let Some(last) = last {
        transaction.execute(
            "INSERT INTO checkpoint SELECT seq, hash, ?2, ?3 FROM entries WHERE seq = ?1",
            params![last, now, count],
        )?;
        transaction.execute("DELETE FROM entries WHERE seq <= ?1", [last])?;
    }
    transaction.commit()?;
    Ok(Removed {
        count,
        more: count == REMOVED_AT_ONCE,
    })
}

/// The last entry's; where retention left none, the last checkpoint's; in a new journal, the genesis.
fn read_head(conn: &Connection, path: &Path) -> Result<Head, JournalError> {
    let last = |table: &str| {
        conn.query_row(
            &format!("SELECT seq, hash FROM {table} ORDER BY seq DESC LIMIT 1"),
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)),
        )
        .optional()
        .map_err(|error| JournalError::open(path, &error))
    };
    let found = match last("entries")? {
        Some(found) => Some(found),
        None => last("checkpoint")?,
    };
    let Some((seq, hash)) = found else {
        return Ok(Head {
            seq: 0,
            hash: Hash::GENESIS,
        });
    };
    match Hash::from_slice(&hash) {
        Some(hash) => Ok(Head { seq, hash }),
        None => Err(JournalError::Damaged {
            path: path.to_owned(),
            reason: format!(
                "the hash of entry {seq} is not 32 bytes long. `witgate audit verify` says more; \
                 move the file away to begin a new journal"
            ),
        }),
    }
}
