//! The SQLite file: how it is opened, and the statements.

use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use super::error::StateError;
use super::{Name, Sum};

/// Marks the file as ours: "wgst".
const APPLICATION: i64 = 0x7767_7374;

/// The schema's version.
const SCHEMA: i64 = 1;

/// How long another process's transaction is waited for.
const BUSY: Duration = Duration::from_secs(2);

/// How long after its end a window's sum may still be settled, in seconds.
const SETTLED: i64 = 600;

const TABLES: &str = "
    CREATE TABLE sums (
        owner TEXT NOT NULL, key TEXT NOT NULL, length INTEGER NOT NULL, start INTEGER NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (owner, key, length, start)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE kept (
        owner TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, expires INTEGER NOT NULL,
        PRIMARY KEY (owner, key)
    ) STRICT;
    CREATE INDEX kept_expires ON kept (expires);";

/// The open file.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    device: u64,
    inode: u64,
    pub(crate) connection: Connection,
}

impl StateFile {
    pub(crate) fn open(path: &Path) -> Result<StateFile, StateError> {
        let io = |error: std::io::Error| StateError::io(path, &error);
        let sql = |error: rusqlite::Error| StateError::sql(path, &error);
        if let Some(folder) = path.parent().filter(|path| !path.as_os_str().is_empty()) {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(io)?;
        }
        // Made here and not by SQLite, which would let the group read it. A mode that is there already stays.
        let mut options = OpenOptions::new();
        options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600);
        let about = options.open(path).map_err(io)?.metadata().map_err(io)?;
        if !about.is_file() {
            return Err(StateError::Foreign {
                path: path.to_owned(),
                reason: "it is not a regular file",
            });
        }
        let mut connection = Connection::open(path).map_err(sql)?;
        connection.busy_timeout(BUSY).map_err(sql)?;
        connection
            .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
            .map_err(sql)?;
        let made = prepare(&mut connection).map_err(sql)?;
        made.map_err(|reason| StateError::Foreign {
            path: path.to_owned(),
            reason,
        })?;
        Ok(StateFile {
            path: path.to_owned(),
            device: about.dev(),
            inode: about.ino(),
            connection,
        })
    }

    /// Whether the path still names the file that is open. SQLite would go on writing to one that was deleted, and the next start would
    /// know nothing of it.
    pub(crate) fn check(&self) -> Result<(), StateError> {
        match fs::metadata(&self.path) {
            Ok(about) if (about.dev(), about.ino()) == (self.device, self.inode) => Ok(()),
            _ => Err(StateError::Failed {
                path: self.path.clone(),
                reason: "its file was moved, replaced or deleted while it was open. Put it back, or restart witgate to begin a new one"
                    .to_owned(),
            }),
        }
    }

    pub(crate) fn sql(&self, error: &rusqlite::Error) -> StateError {
        StateError::sql(&self.path, error)
    }
}

/// Makes the tables of an empty file; of another one says whether it is ours.
fn prepare(connection: &mut Connection) -> rusqlite::Result<Result<(), &'static str>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number =
        |pragma| transaction.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let made = match (number("application_id")?, number("user_version")?) {
        (APPLICATION, SCHEMA) => Ok(()),
        (APPLICATION, _) => Err("a newer release of witgate made it"),
        (0, 0) if number("schema_version")? == 0 => {
            transaction.execute_batch(TABLES)?;
            transaction.execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {SCHEMA};"
            ))?;
            Ok(())
        }
        _ => Err("it is a database of something else"),
    };
    transaction.commit()?;
    Ok(made)
}

/// The beginning of the window, in seconds since 1970.
fn start(sum: &Sum) -> i64 {
    let seconds = sum.at / 1000;
    (seconds - seconds % u64::from(sum.window)) as i64
}

/// A sum; `None`: there is none yet.
pub(crate) fn read_sum(connection: &Connection, sum: &Sum) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached(
            "SELECT sum FROM sums WHERE owner = ? AND key = ? AND length = ? AND start = ?",
        )?
        .query_row((&*sum.owner, &sum.key, sum.window, start(sum)), |row| {
            row.get(0)
        })
        .optional()
}

/// Removes a sum: one of 0 is as good as none.
pub(crate) fn remove_sum(connection: &Connection, sum: &Sum) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM sums WHERE owner = ? AND key = ? AND length = ? AND start = ?",
        )?
        .execute((&*sum.owner, &sum.key, sum.window, start(sum)))?;
    Ok(())
}

pub(crate) fn write_sum(connection: &Connection, sum: &Sum, to: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO sums (owner, key, length, start, sum) VALUES (?, ?, ?, ?, ?)",
        )?
        .execute((&*sum.owner, &sum.key, sum.window, start(sum), to))?;
    Ok(())
}

/// A value that hasn't expired.
pub(crate) fn read_value(
    connection: &Connection,
    name: &Name,
    now: i64,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached("SELECT value FROM kept WHERE owner = ? AND key = ? AND expires > ?")?
        .query_row((&*name.owner, &name.key, now), |row| row.get(0))
        .optional()
}

/// How many bytes a value has, whether it has expired or not; `None`: there is none.
pub(crate) fn value_bytes(connection: &Connection, name: &Name) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached("SELECT octet_length(value) FROM kept WHERE owner = ? AND key = ?")?
        .query_row((&*name.owner, &name.key), |row| row.get(0))
        .optional()
}

pub(crate) fn write_value(
    connection: &Connection,
    name: &Name,
    value: &str,
    expires: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO kept (owner, key, value, expires) VALUES (?, ?, ?, ?)",
        )?
        .execute((&*name.owner, &name.key, value, expires))?;
    Ok(())
}

pub(crate) fn remove_value(connection: &Connection, name: &Name) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM kept WHERE owner = ? AND key = ?")?
        .execute((&*name.owner, &name.key))?;
    Ok(())
}

/// Removes windows that have passed, and values that have expired. `now` is in seconds since 1970.
pub(crate) fn remove_passed(connection: &Connection, now: i64) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM sums WHERE start + length + ? < ?",
        (SETTLED, now),
    )?;
    connection.execute("DELETE FROM kept WHERE expires <= ?", [now])?;
    Ok(())
}
