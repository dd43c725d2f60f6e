//! Settings that other gateways know and that aren't taken here: an error that says what to use.

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny};

/// A setting that is known elsewhere: whether it was there, whatever its value.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Elsewhere(bool);

impl<'de> Deserialize<'de> for Elsewhere {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer)?;
        Ok(Elsewhere(true))
    }
}

/// Finds the first of these that was set.
///
/// # Errors
///
/// The key, and its advice.
pub fn none_of(keys: &[(&str, Elsewhere, &str)]) -> Result<(), String> {
    match keys.iter().find(|(_, key, _)| key.0) {
        Some((key, _, advice)) => Err(format!("`{key}` is no setting here: {advice}")),
        None => Ok(()),
    }
}

/// Checks what an operator calls a limit: it becomes a part of keys.
///
/// # Errors
///
/// What it may be.
pub fn name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=40).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err("it has 1 to 40 letters, digits, `.`, `_` and `-`".into())
}
