//! The fields of an entry's body that columns and filters use. The bundled audit-logger writes all of them. An entry of
//! another policy may have any of them, or none.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::journal::Record;

use super::when::rfc3339;
use super::{Which, scores};

/// An entry's body, parsed; null where it can't be.
pub(super) struct Body(Value);

impl Body {
    pub(super) fn of(record: &Record<'_>) -> Body {
        Body(serde_json::from_str(&record.body).unwrap_or_default())
    }

    /// A field as text. Numbers and booleans are turned into text.
    pub(super) fn text(&self, name: &str) -> String {
        match self.0.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => value.to_string(),
            _ => String::new(),
        }
    }

    fn is(&self, name: &str, wanted: &str) -> bool {
        self.0.get(name).and_then(Value::as_str) == Some(wanted)
    }

    pub(super) fn usage(&self, name: &str) -> Option<u64> {
        self.0.get("usage")?.get(name)?.as_u64()
    }

    /// All tokens, as the upstream counted them or as the sum of the two kinds.
    pub(super) fn tokens(&self) -> Option<u64> {
        self.usage("total_tokens").or_else(|| {
            let prompt = self.usage("prompt_tokens");
            let completion = self.usage("completion_tokens");
            match (prompt, completion) {
                (None, None) => None,
                (prompt, completion) => {
                    Some(prompt.unwrap_or(0).saturating_add(completion.unwrap_or(0)))
                }
            }
        })
    }

    /// How long the exchange took: `ms`, `total_ms`, or `total_us` in thousands.
    pub(super) fn ms(&self) -> Option<u64> {
        let number = |name| self.0.get(name).and_then(Value::as_u64);
        number("ms")
            .or_else(|| number("total_ms"))
            .or_else(|| number("total_us").map(|us| us / 1_000))
    }

    fn stages(&self) -> impl Iterator<Item = &Value> {
        self.0
            .get("stages")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
    }

    /// Findings of all stages.
    pub(super) fn findings(&self) -> usize {
        self.stages().map(findings).sum()
    }

    /// The stages that acted, each as `policy=verdict`.
    pub(super) fn acted(&self) -> String {
        let acted: Vec<_> = self
            .stages()
            .filter(|stage| acted(stage))
            .map(|stage| format!("{}={}", field(stage, "policy"), field(stage, "verdict")))
            .collect();
        acted.join(" ")
    }

    /// The highest score that the policy's findings tell.
    pub(super) fn score(&self, policy: &str) -> Option<f64> {
        self.stages()
            .filter(|stage| field(stage, "policy") == policy)
            .filter_map(|stage| stage.get("findings")?.as_array())
            .flatten()
            .filter_map(|finding| scores::of(field(finding, "detail")))
            .max_by(f64::total_cmp)
    }

    /// Whether the policy acted, or would have but for `mode: shadow`: its verdict was another than `proceed`, `clear` and `unreached`,
    /// or it reported something, or the entry is its own (one without `stages`, which no audit-logger writes).
    fn acted_by(&self, policy: &str, record: &Record<'_>) -> bool {
        if self.is("policy", policy) {
            return true;
        }
        if self.0.get("stages").is_none() {
            return record.stage == policy;
        }
        self.stages()
            .any(|stage| field(stage, "policy") == policy && acted(stage))
    }
}

fn field<'a>(stage: &'a Value, name: &str) -> &'a str {
    stage.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn findings(stage: &Value) -> usize {
    let list = stage.get("findings").and_then(Value::as_array);
    list.map_or(0, Vec::len)
}

fn acted(stage: &Value) -> bool {
    let verdict = field(stage, "verdict");
    let verdict = verdict.strip_prefix("shadow:").unwrap_or(verdict);
    !matches!(verdict, "proceed" | "clear" | "unreached" | "") || findings(stage) > 0
}

impl Which {
    /// Whether anything but the time is filtered by. If not, no body needs to be parsed.
    fn asks_of_the_body(&self) -> bool {
        self.verdict.is_some() || self.model.is_some() || self.policy.is_some()
    }

    /// Whether an entry of the right time is wanted.
    pub(super) fn wants(&self, record: &Record<'_>) -> bool {
        if !self.asks_of_the_body() {
            return true;
        }
        let body = Body::of(record);
        let is = |name, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| body.is(name, wanted))
        };
        is("verdict", &self.verdict)
            && is("model", &self.model)
            && self
                .policy
                .as_deref()
                .is_none_or(|policy| body.acted_by(policy, record))
    }
}

/// An entry as one line of JSON: the body exactly as it was hashed, the chain's fields beside it. Of a body that isn't a
/// JSON object on one line (no journal writes that) it gives the text as a string.
pub(super) fn line(record: &Record<'_>) -> serde_json::Result<String> {
    #[derive(serde::Serialize)]
    struct Line<'a> {
        seq: i64,
        at: String,
        at_ms: i64,
        stage: &'a str,
        request_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<&'a RawValue>,
        #[serde(rename = "body", skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
        prev: String,
        hash: String,
    }
    let one_line = record.body.starts_with('{') && !record.body.contains(['\n', '\r']);
    let body = serde_json::from_str(&record.body).ok().filter(|_| one_line);
    serde_json::to_string(&Line {
        seq: record.seq,
        at: rfc3339(record.at),
        at_ms: record.at,
        stage: &record.stage,
        request_id: &record.request_id,
        body,
        text: body.is_none().then_some(&record.body),
        prev: hex(record.prev),
        hash: hex(record.hash),
    })
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
