//! What makes requests equal.

use sha2::{Digest, Sha256};
use witgate_policy::request;

use crate::canonical::Body;
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

/// The longest body that is looked at, in bytes of its JSON.
const LONGEST: usize = 1 << 20;

/// The temperature of a request that says none.
const USUAL_TEMPERATURE: f64 = 1.0;

/// The key of this request's answer; `None` where it isn't to be kept.
pub(crate) fn of_request(settings: &Checked, scope: &str) -> Option<String> {
    // Nothing is copied to learn that it is too long of text alone.
    if request::size() > LONGEST as u64 {
        return None;
    }
    let body = request::get("")?;
    if body.len() > LONGEST {
        return None;
    }
    let body = Body::read(&body)?;
    let usual = [USUAL_TEMPERATURE];
    let said: Vec<f64> = body
        .values("temperature")
        .filter_map(|value| value.parse().ok())
        .collect();
    let temperatures = if said.is_empty() { &usual[..] } else { &said };
    if temperatures.iter().any(|it| *it > settings.max_temperature) {
        return None;
    }
    // What is kept has no probabilities.
    let asks = |key: &str| {
        body.values(key)
            .any(|value| !matches!(value, "null" | "false"))
    };
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
    for (key, value) in body.members() {
        if !WITHOUT.contains(&key) && value != "null" {
            hash.update(format!("{key:?}:"));
            hash.update(value);
            hash.update(",");
        }
    }
    let mut key = String::from("1:");
    for byte in hash.finalize() {
        key.extend(char::from_digit(u32::from(byte >> 4), 16));
        key.extend(char::from_digit(u32::from(byte & 15), 16));
    }
    Some(key)
}
