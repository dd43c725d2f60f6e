//! What makes requests equal.

use serde_json::Value;
use sha2::{Digest, Sha256};
use witgate_policy::request;

use crate::settings::Checked;

/// Members of a request that make no difference to its answer.
const WITHOUT: [&str; 10] = [
    "metadata",
    "model",
    "prompt_cache_key",
    "queue_threshold",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "user",
];

/// The longest text of a request that is looked at, in bytes.
const LONGEST: u64 = 1 << 20;

/// The temperature of a request that says none.
const USUAL_TEMPERATURE: f64 = 1.0;

/// The key of this request's answer; `None` where it isn't to be kept.
pub(crate) fn of_request(settings: &Checked, scope: &str) -> Option<String> {
    if request::size() > LONGEST {
        return None;
    }
    let body: Value = serde_json::from_str(&request::get("")?).ok()?;
    let Value::Object(body) = body else {
        return None;
    };
    let temperature = body.get("temperature").and_then(Value::as_f64);
    if temperature.unwrap_or(USUAL_TEMPERATURE) > settings.max_temperature {
        return None;
    }
    // What is kept has no probabilities.
    let asks = |key: &str| !matches!(body.get(key), None | Some(Value::Null | Value::Bool(false)));
    if asks("logprobs") || asks("top_logprobs") {
        return None;
    }
    // The model that is asked, whatever the client calls it.
    let target = request::targets().into_iter().next();
    let model = target.and_then(|target| target.model);
    let model = model.unwrap_or_else(request::model);
    let mut hash = Sha256::new();
    for part in [scope, &request::endpoint(), &model] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut members: Vec<_> = body
        .iter()
        .filter(|(key, value)| !WITHOUT.contains(&key.as_str()) && !value.is_null())
        .collect();
    members.sort_unstable_by_key(|(key, _)| *key);
    let mut text = String::new();
    for (key, value) in members {
        write(&mut text, &Value::String(key.clone()));
        write(&mut text, value);
    }
    hash.update(&text);
    let mut key = String::from("1:");
    for byte in hash.finalize() {
        key.extend(char::from_digit(u32::from(byte >> 4), 16));
        key.extend(char::from_digit(u32::from(byte & 15), 16));
    }
    Some(key)
}

/// Writes JSON so that members' order makes no difference.
fn write(out: &mut String, value: &Value) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, value) in members {
                write(out, &Value::String(key.clone()));
                write(out, value);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write(out, item);
            }
            out.push(']');
        }
        plain => {
            out.push_str(&plain.to_string());
            out.push(',');
        }
    }
}
