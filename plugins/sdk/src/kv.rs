//! The grant `kv`: small values that expire, which all exchanges of the stage share. A component that uses this module needs the grant.

use crate::imports::kv as host_side;

/// The value of a key, if there is one that hasn't expired.
///
/// # Errors
///
/// A sentence: the key can't be, or what is kept can't be read now.
pub fn get(key: &str) -> Result<Option<String>, String> {
    host_side::get(key)
}

/// Keeps a value of at most 1 MiB for so many seconds, in the place of the one before. 0 removes it.
///
/// # Errors
///
/// A sentence: key, value or time can't be, there is no more room, or it can't be kept now. Nothing changed.
pub fn put(key: &str, value: &str, ttl_seconds: u32) -> Result<(), String> {
    host_side::put(key, value, ttl_seconds)
}
