//! What stands beside the texts: usage, and that the upstream broke off.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::says;
use crate::Usage;
use crate::choices::chunk::UpstreamError;
use crate::raw::{each_member, unescape};

/// The longest text of an error that goes on, in bytes.
pub(in crate::choices) const ERROR: usize = 2 << 10;
/// How deep counts may lie in each other.
pub(in crate::choices) const DEPTH: u32 = 4;

/// Counts that can't be read are 0: an answer isn't lost for them. What isn't read isn't kept.
pub(super) fn usage(value: &RawValue) -> Option<Usage> {
    fn count(value: &RawValue) -> u32 {
        number(value).map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
    }
    fn detail(value: &RawValue, name: &str, found: &mut u32) {
        let _ = each_member(value.get(), |key, value| {
            if key == name {
                *found = count(value);
            }
            Ok(())
        });
    }
    if !value.get().starts_with('{') {
        return None;
    }
    let mut usage = Usage::default();
    let _ = each_member(value.get(), |key, value| {
        match &*key {
            "prompt_tokens" => usage.prompt_tokens = count(value),
            "completion_tokens" => usage.completion_tokens = count(value),
            "prompt_tokens_details" => detail(value, "cached_tokens", &mut usage.cached_tokens),
            "completion_tokens_details" => {
                detail(value, "reasoning_tokens", &mut usage.reasoning_tokens);
            }
            _ => {}
        }
        Ok(())
    });
    Some(usage)
}

/// Whether there are but numbers under plain names, in which no text could be.
pub(super) fn only_counts(value: &RawValue) -> bool {
    !says(value) || value.get().starts_with('{') && counts(value, DEPTH)
}

fn counts(value: &RawValue, depth: u32) -> bool {
    let read = each_member(value.get(), |key, value| {
        let count = is_count(&key, value, depth);
        count.then_some(()).ok_or("a value that is no count")
    });
    read.is_ok()
}

/// Whether a member is a count, or an object of counts.
pub(in crate::choices) fn is_count(key: &str, value: &RawValue, depth: u32) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let named = (1..=64).contains(&key.len())
        && key.bytes().all(plain)
        && !key.starts_with(|first: char| first.is_ascii_digit());
    named
        && match value.get().as_bytes().first() {
            Some(b'{') => depth > 0 && counts(value, depth - 1),
            Some(b'"' | b'[') | None => false,
            Some(_) => true,
        }
}

/// An error, unless it is one of the values that say there is none; and whether there is nothing in it but a few short members.
pub(super) fn error(value: &RawValue) -> (Option<Box<UpstreamError>>, bool) {
    if matches!(value.get(), "null" | "false" | "0" | "\"\"" | "{}" | "[]") {
        return (None, true);
    }
    let mut error = UpstreamError::default();
    let mut plain = value.get().len() <= ERROR;
    if let Some(message) = unescape(value.get()) {
        error.message = message.into_owned();
        return (Some(Box::new(error)), plain);
    }
    if !value.get().starts_with('{') {
        plain &= !value.get().starts_with('[');
        return (Some(Box::new(error)), plain);
    }
    let text = |value: &RawValue| unescape(value.get()).unwrap_or_default().into_owned();
    let read = each_member(value.get(), |key, value| {
        match &*key {
            "message" => error.message = text(value),
            "type" => error.kind = text(value),
            "param" => error.param = text(value),
            "code" => {
                let code = unescape(value.get());
                error.code = code.map_or_else(|| value.get().replace("null", ""), Cow::into_owned);
            }
            "status_code" => {
                error.status = number(value).and_then(|status| u16::try_from(status).ok());
            }
            "id" => {}
            _ => plain &= !says(value),
        }
        plain &= !value.get().starts_with(['{', '[']) || !says(value);
        Ok(())
    });
    (Some(Box::new(error)), plain && read.is_ok())
}

/// A whole number.
pub(super) fn number(value: &RawValue) -> Option<u64> {
    value.get().parse().ok()
}
