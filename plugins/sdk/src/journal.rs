//! The grant `journal`: entries in the tamper-evident journal. A component that uses this module needs the grant.

use serde::Serialize;

use crate::imports::journal as host_side;

/// Appends one entry, the text of a JSON object, to the journal. [`write`](write()) makes one of a value. Returns when it has its place; the host takes it to the
/// disk.
///
/// # Errors
///
/// The journal's own sentence when it can't take the entry. The host counts such failures, too.
pub fn append(entry: &str) -> Result<(), String> {
    host_side::append(entry)
}

/// Appends a struct or a map as one entry.
///
/// # Errors
///
/// As [`append`]'s.
pub fn write<T: Serialize + ?Sized>(entry: &T) -> Result<(), String> {
    append(&serde_json::to_string(entry).map_err(|error| error.to_string())?)
}
