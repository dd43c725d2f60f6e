//! The open file with the end of its chain: appending, removing a prefix, probing the disk. No thread.
//!
//! What must stay true: `head` is the last committed entry's. It moves after a commit and never before.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::chain::{Form, Hash, Link};
use super::claimed_file::ClaimedFile;
use super::clock::now_ms;
use super::own::{OwnEntry, Reason};
use super::{Entry, JournalError, note, own, schema};

/// Operators filter by this name: it stays, wherever the code lies.
const LOG: &str = "witgate::journal::log";

/// Entries that one transaction of retention removes at most, so that appends don't wait long behind it.
pub(super) const REMOVED_AT_ONCE: usize = 5_000;

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
    /// A time that had been when the journal was last open.
    known: Option<i64>,
}

impl Log {
    pub(super) fn open(store: &Path) -> Result<Log, JournalError> {
        let file = ClaimedFile::claim(store)?;
        let path = file.path();
        // No URI flag: a path is a path, whatever characters it has.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = Connection::open_with_flags(path, flags)
            .map_err(|error| JournalError::open(path, &error))?;
        let found = schema::prepare(&mut conn, path)?;
        let mut head = read_head(&conn, path)?;
        // Before anything is written with the time of now.
        let known = known_time(&conn).map_err(|error| JournalError::open(path, &error))?;
        if found != schema::VERSION {
            head = upgrade(&mut conn, head).map_err(|error| JournalError::open(path, &error))?;
        }
        Ok(Log {
            conn,
            head,
            file,
            known,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// A time that had been when the journal was last open: what its clock said when it was last trusted, else when the newest entry
    /// was written.
    pub(super) fn known_time(&self) -> Option<i64> {
        self.known
    }

    /// The end of the chain.
    pub(super) fn head(&self) -> Head {
        self.head
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

    /// Writes so many bytes and removes them again. Success means that as much may be appended.
    pub(super) fn probe(&mut self, bytes: usize) -> Result<(), JournalError> {
        self.file.check()?;
        let result = self
            .conn
            .execute(
                "INSERT OR REPLACE INTO meta VALUES ('probe', zeroblob(?1))",
                [i64::try_from(bytes).unwrap_or(i64::MAX)],
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
    /// leaves a checkpoint and an entry about it. Times in milliseconds since 1970.
    pub(super) fn remove_before(&mut self, cutoff: i64, now: i64) -> Result<Removed, JournalError> {
        self.file.check()?;
        let removed = remove_before(&mut self.conn, self.head, cutoff, now);
        match removed {
            Ok((removed, head)) => {
                self.head = head;
                if removed.count > 0 && !removed.more {
                    self.give_back();
                }
                Ok(removed)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// Keeps what the clock says, where it is trusted, for the next start.
    pub(super) fn keep_clock(&mut self, now: i64) -> Result<(), JournalError> {
        let sql = "INSERT OR REPLACE INTO meta VALUES ('clock', ?1)";
        let kept = self.conn.execute(sql, [now]);
        kept.map(|_| ()).map_err(|error| self.failed(&error))
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
            tracing::warn!(target: LOG, journal = %file.path().display(), %error, "the journal's file didn't close cleanly");
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
    head: Head,
    at: i64,
    entries: impl Iterator<Item = &'a Entry>,
) -> rusqlite::Result<Head> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let head = chain(&transaction, head, at, entries)?;
    transaction.commit()?;
    Ok(head)
}

/// Adds entries to the end within a transaction, and notes the new end.
fn chain<'a>(
    transaction: &Connection,
    mut head: Head,
    at: i64,
    entries: impl Iterator<Item = &'a Entry>,
) -> rusqlite::Result<Head> {
    {
        let mut statement = transaction
            .prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
        for entry in entries {
            let link = Link {
                form: Form::Two,
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
    note::write(transaction, head.seq, &head.hash)?;
    Ok(head)
}

/// Brings a journal of schema version 1 up to date. Its checkpoint, if it has one, had no entry: from here on an entry says that it
/// was there.
fn upgrade(conn: &mut Connection, head: Head) -> rusqlite::Result<Head> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sql = "SELECT seq, hash FROM checkpoint ORDER BY seq DESC LIMIT 1";
    let checkpoint = transaction
        .query_row(sql, [], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    let (to_seq, to_hash) = checkpoint.unwrap_or_default();
    let to_hash = Hash::from_slice(&to_hash).unwrap_or(Hash::GENESIS);
    let own = OwnEntry {
        journal: Reason::Upgrade,
        to_seq,
        to_hash: to_hash.to_string(),
        removed: to_seq,
    };
    let head = chain(&transaction, head, now_ms(), [own.entry()].iter())?;
    transaction.execute(
        "UPDATE meta SET value = ?1 WHERE key = 'schema'",
        [schema::VERSION],
    )?;
    transaction.commit()?;
    tracing::info!(
        target: LOG,
        entries_removed_before = to_seq,
        "the journal was one of an older release; an entry in it says so, and that it was brought up to date"
    );
    Ok(head)
}

fn remove_before(
    conn: &mut Connection,
    mut head: Head,
    cutoff: i64,
    now: i64,
) -> rusqlite::Result<(Removed, Head)> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut last: Option<(i64, Hash)> = None;
    let (mut count, mut of_stages) = (0, false);
    {
        let mut statement = transaction
            .prepare_cached("SELECT seq, at, stage, hash FROM entries ORDER BY seq LIMIT ?1")?;
        let mut rows = statement.query([REMOVED_AT_ONCE])?;
        while let Some(row) = rows.next()? {
            // A hash that no journal writes stays, and stops what comes after it: `verify` names it.
            let hash = row.get_ref(3)?.as_blob().ok().and_then(Hash::from_slice);
            let (Some(hash), true) = (hash, row.get::<_, i64>(1)? < cutoff) else {
                break;
            };
            last = Some((row.get(0)?, hash));
            of_stages |= row.get_ref(2)?.as_bytes()? != own::STAGE.as_bytes();
            count += 1;
        }
    }
    // An entry about removing entries about removing entries helps nobody.
    let last = last.filter(|_| of_stages);
    if last.is_none() {
        count = 0;
    }
    if let Some((last, hash)) = last {
        let own = OwnEntry {
            journal: Reason::Retention,
            to_seq: last,
            to_hash: hash.to_string(),
            removed: i64::try_from(count).unwrap_or(i64::MAX),
        };
        head = chain(&transaction, head, now, [own.entry()].iter())?;
        transaction.execute(
            "INSERT INTO checkpoint SELECT seq, hash, ?2, ?3 FROM entries WHERE seq = ?1",
            params![last, now, count],
        )?;
        transaction.execute("DELETE FROM entries WHERE seq <= ?1", [last])?;
    }
    transaction.commit()?;
    let more = count == REMOVED_AT_ONCE;
    Ok((Removed { count, more }, head))
}

fn known_time(conn: &Connection) -> rusqlite::Result<Option<i64>> {
    let get = |sql| conn.query_row(sql, [], |row| row.get(0)).optional();
    let trusted = "SELECT value FROM meta WHERE key = 'clock' AND typeof(value) = 'integer'";
    match get(trusted)? {
        Some(trusted) => Ok(Some(trusted)),
        None => get("SELECT at FROM entries ORDER BY seq DESC LIMIT 1"),
    }
}

/// Where the next entry follows. If the journal's note of its end names another entry than the file's last, or a later one, it is the
/// noted one: what was cut off then stays missing, and is found as long as the journal is there.
fn read_head(conn: &Connection, path: &Path) -> Result<Head, JournalError> {
    let last = read_last(conn, path)?;
    let noted = note::read(conn).map_err(|error| JournalError::open(path, &error))?;
    Ok(match noted {
        Some((seq, hash)) if seq >= last.seq => Head { seq, hash },
        _ => last,
    })
}

/// The last entry's; where retention left none, the last checkpoint's; in a new journal, the genesis.
fn read_last(conn: &Connection, path: &Path) -> Result<Head, JournalError> {
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
