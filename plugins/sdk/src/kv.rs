//! The grant `kv`: small values that expire, which all exchanges of the stage share. A component that uses this module needs the grant.

use serde::{Serialize, de::DeserializeOwned};

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

/// Keeps a value for so many seconds if there is none that hasn't expired, and says whether it did. Of two exchanges that ask at once, one is
/// told so: it lets something happen once.
///
/// # Errors
///
/// As [`put`]'s.
pub fn put_new(key: &str, value: &str, ttl_seconds: u32) -> Result<bool, String> {
    host_side::put_new(key, value, ttl_seconds)
}

/// The value of a key, read as JSON.
///
/// # Errors
///
/// As [`get`]'s; and a sentence where something else is kept there, by an earlier version of the policy perhaps.
pub fn read<T: DeserializeOwned>(key: &str) -> Result<Option<T>, String> {
    let value = get(key)?;
    let value = value.map(|json| serde_json::from_str(&json));
    value
        .transpose()
        .map_err(|error| format!("what is kept under `{key}`: {error}"))
}

/// Keeps a value as JSON, for so many seconds.
///
/// # Errors
///
/// As [`put`]'s.
pub fn write<T: Serialize + ?Sized>(key: &str, value: &T, ttl_seconds: u32) -> Result<(), String> {
    let json = serde_json::to_string(value).map_err(|error| error.to_string())?;
    put(key, &json, ttl_seconds)
}
