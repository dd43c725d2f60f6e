//! How much of the file each owner has, so that none takes all of it.

use std::collections::HashMap;

use rusqlite::Connection;

/// Sums that one owner may have, those of windows that have passed included until they are removed.
pub(crate) const SUMS: u64 = 1_000_000;

/// Values that one owner may have.
pub(crate) const VALUES: u64 = 100_000;

/// Bytes that the values of one owner may have together: 256 MiB.
pub(crate) const BYTES: u64 = 256 * 1024 * 1024;

/// What one owner has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) sums: u64,
    pub(crate) values: u64,
    pub(crate) bytes: u64,
}

/// What every owner has: counted when the file is opened and whenever what has passed was removed, and kept up in between. Where
/// another process writes too, it is a little behind.
#[derive(Debug, Default)]
pub(crate) struct Room(HashMap<String, Held>);

impl Room {
    /// Counts.
    pub(crate) fn count(connection: &Connection) -> rusqlite::Result<Room> {
        let mut room = Room::default();
        let mut sums = connection.prepare("SELECT owner, count(*) FROM sums GROUP BY owner")?;
        let mut rows = sums.query([])?;
        while let Some(row) = rows.next()? {
            room.of(&row.get::<_, String>(0)?).sums = row.get(1)?;
        }
        let mut values = connection
            .prepare("SELECT owner, count(*), sum(octet_length(value)) FROM kept GROUP BY owner")?;
        let mut rows = values.query([])?;
        while let Some(row) = rows.next()? {
            let held = room.of(&row.get::<_, String>(0)?);
            (held.values, held.bytes) = (row.get(1)?, row.get(2)?);
        }
        Ok(room)
    }

    /// What this one has.
    pub(crate) fn of(&mut self, owner: &str) -> &mut Held {
        if !self.0.contains_key(owner) {
            self.0.insert(owner.to_owned(), Held::default());
        }
        self.0.get_mut(owner).expect("it was just put there")
    }
}
