//! The tables, and the triggers that make them append-only.
//!
//! What must stay true: a file that isn't a journal of a version that we know is refused before anything is written to it.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::chain::Hash;
use super::{JournalError, note};

/// The schema version that this release writes.
pub(super) const VERSION: i64 = 2;

/// The one before, in which retention left no entry and nothing noted the end. Opening such a journal brings it up to date.
pub(super) const BEFORE: i64 = 1;

/// "witj", in SQLite's header: a journal is told from any other database by it.
const APPLICATION_ID: i64 = 0x7769_746a;

const TABLES: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
CREATE TABLE entries(
  seq INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  stage TEXT NOT NULL,
  request_id TEXT NOT NULL,
  body TEXT NOT NULL,
  prev BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE INDEX entries_at ON entries(at);
CREATE TABLE checkpoint(
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  at INTEGER NOT NULL,
  count INTEGER NOT NULL
) STRICT;
";

/// A checkpoint can be laid on an entry that is there, with its hash, right after the journal's own entry about it, and only what
/// lies at or before a checkpoint can be deleted. So retention needs no way around the triggers: it writes that entry and lays the
/// checkpoint first, and all commit together.
/// `append_only` also stops `INSERT OR REPLACE`, which deletes without asking the delete trigger.
const TRIGGERS: &[(&str, &str)] = &[
    (
        "entries_keep",
        "BEFORE UPDATE ON entries BEGIN
           SELECT raise(ABORT, 'the journal is immutable: an entry can''t be changed');
         END",
    ),
    (
        "entries_stay",
        "BEFORE DELETE ON entries
         WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM checkpoint) BEGIN
           SELECT raise(ABORT, 'the journal is immutable: an entry can''t be deleted');
         END",
    ),
    (
        "entries_append_only",
        "BEFORE INSERT ON entries
         WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM entries)
           OR NEW.seq <= (SELECT coalesce(max(seq), 0) FROM checkpoint) BEGIN
           SELECT raise(ABORT, 'the journal is immutable: an entry can only be appended');
         END",
    ),
    (
        "checkpoint_keep",
        "BEFORE UPDATE ON checkpoint BEGIN
           SELECT raise(ABORT, 'the journal is immutable: a checkpoint can''t be changed');
         END",
    ),
    (
        "checkpoint_stay",
        "BEFORE DELETE ON checkpoint BEGIN
           SELECT raise(ABORT, 'the journal is immutable: a checkpoint can''t be deleted');
         END",
    ),
    (
        "checkpoint_on_an_entry",
        "BEFORE INSERT ON checkpoint
         WHEN NEW.hash IS NOT (SELECT hash FROM entries WHERE seq = NEW.seq)
           OR NOT EXISTS (SELECT 1 FROM entries WHERE seq = (SELECT max(seq) FROM entries)
             AND stage = '@journal' AND json_extract(body, '$.to_seq') = NEW.seq) BEGIN
           SELECT raise(ABORT, 'the journal is immutable: a checkpoint needs its entry');
         END",
    ),
];

/// The schema version of a journal. `None`: the file is empty, a journal to be. What isn't a journal is refused, and one of a
/// later version.
pub(super) fn recognise(conn: &Connection, path: &Path) -> Result<Option<i64>, JournalError> {
    let failed = |error: rusqlite::Error| JournalError::open(path, &error);
    let tables: i64 = conn
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if tables == 0 {
        return Ok(None);
    }
    let application: i64 = conn
        .query_row("PRAGMA application_id", [], |row| row.get(0))
        .map_err(failed)?;
    let not = |reason| JournalError::NotAJournal {
        path: path.to_owned(),
        reason,
    };
    if application != APPLICATION_ID {
        return Err(not("it is an SQLite database of something else"));
    }
    let found: Option<i64> = conn
        .query_row("SELECT value FROM meta WHERE key = 'schema'", [], |row| {
            row.get(0)
        })
        .optional()
        .map_err(failed)?;
    match found {
        Some(BEFORE | VERSION) => Ok(found),
        Some(found) if found > VERSION => Err(JournalError::NewerSchema {
            path: path.to_owned(),
            found,
            known: VERSION,
        }),
        _ => Err(not("it names no schema version that there has been")),
    }
}

/// Readies the connection of the one writer, and makes the tables in an empty file. Returns the schema version that was found.
pub(super) fn prepare(conn: &mut Connection, path: &Path) -> Result<i64, JournalError> {
    let failed = |error: rusqlite::Error| JournalError::open(path, &error);
    conn.busy_timeout(std::time::Duration::from_secs(2))
        .map_err(failed)?;
    let found = recognise(conn, path)?;
    if found.is_none() {
        // SQLite heeds this before the first table is made, and never after.
        conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")
            .map_err(failed)?;
    }
    let mode: String = conn
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .map_err(failed)?;
    if mode != "wal" {
        return Err(JournalError::Open {
            path: path.to_owned(),
            reason: format!("SQLite can't keep a write-ahead log there (it chose `{mode}`)"),
        });
    }
    // FULL: a commit is on the disk before anybody hears of it. What retention deletes is overwritten. The log's file is cut
    // back after a long reader has made it grow. A tampered schema runs no functions.
    conn.execute_batch(
        "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;
         PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF;",
    )
    .map_err(failed)?;
    if found.is_none() {
        let transaction = conn
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction
            .pragma_update(None, "application_id", APPLICATION_ID)
            .map_err(failed)?;
        transaction
            .execute("INSERT INTO meta VALUES ('schema', ?1)", [VERSION])
            .map_err(failed)?;
        note::write(&transaction, 0, &Hash::GENESIS).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(found.unwrap_or(VERSION))
}

/// Puts the triggers in place, or takes them away, in one transaction. Afterwards the triggers have the text of this
/// release.
pub(super) fn set_immutable(conn: &mut Connection, immutable: bool) -> rusqlite::Result<()> {
    let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (name, body) in TRIGGERS {
        transaction.execute_batch(&format!("DROP TRIGGER IF EXISTS {name};"))?;
        if immutable {
            transaction.execute_batch(&format!("CREATE TRIGGER {name} {body};"))?;
        }
    }
    transaction.commit()
}
