//! The note of the chain's end, in `meta`: seq and hash of the newest entry, written with it in one transaction. A chain that lost
//! its end, or all of itself, doesn't fit the note any more. Whoever can write to the file can change the note as well: against that
//! there is the head that was kept elsewhere.

use rusqlite::{Connection, OptionalExtension};

use super::chain::Hash;

/// Where it stands in `meta`.
const KEY: &str = "head";

/// Notes the newest entry.
pub(super) fn write(conn: &Connection, seq: i64, hash: &Hash) -> rusqlite::Result<()> {
    let mut statement = conn.prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
    statement.execute((KEY, format!("{seq} {hash}")))?;
    Ok(())
}

/// What was noted. `None`: nothing, or something that no journal writes.
pub(super) fn read(conn: &Connection) -> rusqlite::Result<Option<(i64, Hash)>> {
    let noted: Option<rusqlite::types::Value> = conn
        .query_row("SELECT value FROM meta WHERE key = ?1", [KEY], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(rusqlite::types::Value::Text(noted)) = noted else {
        return Ok(None);
    };
    let parts = noted.split_once(' ');
    Ok(parts.and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.parse().ok()?))))
}
