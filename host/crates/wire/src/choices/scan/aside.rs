//! What stands beside the texts: usage, and that the upstream broke off.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::Usage;
use crate::choices::chunk::UpstreamError;
use crate::raw::{RawObject, unescape};

/// Counts that can't be read are 0: an answer isn't lost for them.
pub(super) fn usage(value: &RawValue) -> Option<Usage> {
    if !value.get().starts_with('{') {
        return None;
    }
    let value: Value = serde_json::from_str(value.get()).unwrap_or_default();
    let count = |pointer: &str| {
        let count = value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    Some(Usage {
        prompt_tokens: count("/prompt_tokens"),
        completion_tokens: count("/completion_tokens"),
        cached_tokens: count("/prompt_tokens_details/cached_tokens"),
        reasoning_tokens: count("/completion_tokens_details/reasoning_tokens"),
    })
}

/// An error, unless it is one of the values that say there is none.
pub(super) fn error(value: &RawValue) -> Option<Box<UpstreamError>> {
    if matches!(value.get(), "null" | "false" | "0" | "\"\"" | "{}" | "[]") {
        return None;
    }
    let mut error = UpstreamError::default();
    if let Some(message) = unescape(value.get()) {
        error.message = message.into_owned();
    } else if let Ok(object) = RawObject::parse(value.get()) {
        let text = |key| {
            object
                .get(key)
                .and_then(|value| unescape(value.get()))
                .unwrap_or_default()
                .into_owned()
        };
        error.message = text("message");
        error.kind = text("type");
        error.param = text("param");
        error.code = object.get("code").map_or_else(String::new, |code| {
            unescape(code.get()).map_or_else(|| code.get().replace("null", ""), Cow::into_owned)
        });
        error.status = object
            .get("status_code")
            .and_then(number)
            .and_then(|status| u16::try_from(status).ok());
    }
    Some(Box::new(error))
}

/// A whole number.
pub(super) fn number(value: &RawValue) -> Option<u64> {
    value.get().parse().ok()
}
