//! Reading a journal, also while a gateway writes to it. It takes no lock and changes nothing.

use std::borrow::Cow;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

use super::{JournalError, error, schema};

/// A journal, open for reading.
#[derive(Debug)]
pub struct Reader {
    /// Of the schema version before, to which no gateway of this release has written yet.
    pub(super) old: bool,
    pub(super) conn: Connection,
    pub(super) path: PathBuf,
}

/// A span of time: from `since` on, before `until`, both in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Span {
    /// The first instant that belongs to it.
    pub since: Option<i64>,
    /// The first instant after it.
    pub until: Option<i64>,
}

/// The order in which entries are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As they were written.
    OldestFirst,
    /// The last one first.
    NewestFirst,
}

/// One entry as it stands in the file. It is not verified: a text that isn't UTF-8 is shown as well as it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// When it was committed, in milliseconds since 1970.
    pub at: i64,
    /// The stage that wrote it.
    pub stage: Cow<'a, str>,
    /// The id of the exchange's request.
    pub request_id: Cow<'a, str>,
    /// What it wrote.
    pub body: Cow<'a, str>,
    /// The hash of the entry before it.
    pub prev: &'a [u8],
    /// Its own hash.
    pub hash: &'a [u8],
}

impl Reader {
    /// Opens the journal at this path.
    ///
    /// # Errors
    ///
    /// [`JournalError::Missing`], and where the file can't be read, is something else, or is of a newer schema.
    pub fn open(path: &Path) -> Result<Reader, JournalError> {
        match fs::metadata(path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let path = path.to_owned();
                return Err(JournalError::Missing { path });
            }
            Err(error) => return Err(JournalError::open_io(path, &error)),
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut conn = connect(path.as_os_str().as_bytes(), path, flags)?;
        // A write-ahead log needs a file of shared memory beside it. Where that can't be made (a copy on a read-only disk),
        // and there is no log, the file alone is all there is and nobody writes to it.
        if let Err(error) = touch(&conn)
            && let Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly) = error::code(&error)
            && !has_log(path)
        {
            let flags = flags | OpenFlags::SQLITE_OPEN_URI;
            conn = connect(&as_immutable(path), path, flags)?;
        }
        let Some(version) = schema::recognise(&conn, path)? else {
            return Err(JournalError::NotAJournal {
                path: path.to_owned(),
                reason: "it is empty",
            });
        };
        Ok(Reader {
            old: version == schema::BEFORE,
            conn,
            path: path.to_owned(),
        })
    }

    /// Hands over the entries of a span until the callback breaks off. All entries are from one snapshot, whatever is
    /// appended or removed meanwhile.
    ///
    /// # Errors
    ///
    /// Where the file can't be read to the end.
    pub fn records<B>(
        &self,
        span: Span,
        order: Order,
        each: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, JournalError> {
        self.try_records(span, order, each)
            .map_err(|error| JournalError::read(&self.path, &error))
    }

    fn try_records<B>(
        &self,
        span: Span,
        order: Order,
        mut each: impl FnMut(&Record<'_>) -> ControlFlow<B>,
    ) -> rusqlite::Result<ControlFlow<B>> {
        let snapshot = self.conn.unchecked_transaction()?;
        let since = span.since.unwrap_or(i64::MIN);
        let until = span.until.unwrap_or(i64::MAX);
        // Clocks step back, so that time doesn't follow seq. The index on `at` gives the ends in seq (`+seq`: or SQLite
        // would walk the table for them), and the walk is in the chain's order.
        let ends: (Option<i64>, Option<i64>) = match span {
            Span {
                since: None,
                until: None,
            } => (Some(i64::MIN), Some(i64::MAX)),
            _ => snapshot.query_row(
                "SELECT min(+seq), max(+seq) FROM entries WHERE at >= ?1 AND at < ?2",
                [since, until],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?,
        };
        let (Some(first), Some(last)) = ends else {
            return Ok(ControlFlow::Continue(()));
        };
        let direction = match order {
            Order::OldestFirst => "ASC",
            Order::NewestFirst => "DESC",
        };
        let mut statement = snapshot.prepare(&format!(
            "SELECT seq, at, stage, request_id, body, prev, hash FROM entries
             WHERE seq BETWEEN ?1 AND ?2 AND +at >= ?3 AND +at < ?4 ORDER BY seq {direction}"
        ))?;
        let mut rows = statement.query([first, last, since, until])?;
        while let Some(row) = rows.next()? {
            let flow = each(&record(row)?);
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

fn connect(name: &[u8], path: &Path, flags: OpenFlags) -> Result<Connection, JournalError> {
    let failed = |error: rusqlite::Error| JournalError::open(path, &error);
    let name = Path::new(std::ffi::OsStr::from_bytes(name));
    let conn = Connection::open_with_flags(name, flags).map_err(failed)?;
    conn.busy_timeout(Duration::from_secs(5)).map_err(failed)?;
    conn.pragma_update(None, "trusted_schema", false)
        .map_err(failed)?;
    Ok(conn)
}

fn touch(conn: &Connection) -> rusqlite::Result<()> {
    conn.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
}

fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    fs::metadata(log).is_ok_and(|about| about.len() > 0)
}

/// The path as SQLite's URI of a file that nobody changes.
fn as_immutable(path: &Path) -> Vec<u8> {
    let mut uri = b"file:".to_vec();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(*byte),
            byte if byte.is_ascii_alphanumeric() => uri.push(*byte),
            byte => uri.extend_from_slice(format!("%{byte:02X}").as_bytes()),
        }
    }
    uri.extend_from_slice(b"?immutable=1");
    uri
}

fn record<'a>(row: &'a Row<'_>) -> rusqlite::Result<Record<'a>> {
    Ok(Record {
        seq: row.get(0)?,
        at: row.get(1)?,
        stage: String::from_utf8_lossy(bytes(row, 2)?),
        request_id: String::from_utf8_lossy(bytes(row, 3)?),
        body: String::from_utf8_lossy(bytes(row, 4)?),
        prev: bytes(row, 5)?,
        hash: bytes(row, 6)?,
    })
}

fn bytes<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a [u8]> {
    match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(bytes),
        // The table is STRICT: only a schema that was tampered with comes here.
        _ => Ok(b""),
    }
}
