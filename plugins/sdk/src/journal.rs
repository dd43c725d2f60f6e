//! The grant `journal`: entries in the tamper-evident journal. A component that uses this module needs the grant.

use crate::imports::journal as host_side;

/// Appends one entry, a JSON object, to the journal. Returns when it has its place; the host takes it to the
/// disk.
///
/// # Errors
///
/// The journal's own sentence when it can't take the entry. The host counts such failures, too.
pub fn append(entry: &str) -> Result<(), String> {
    host_side::append(entry)
}
