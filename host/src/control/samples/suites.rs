//! `testing.suites` of a configuration, as samples: what other gateways' configurations call cases is read as the samples' own format, so that
//! there is one way to run them.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{SampleError, Samples};

/// The whole of `testing`. What witgate has no use for is read and left alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Testing {
    #[serde(default)]
    suites: Vec<Suite>,
    #[serde(rename = "default_threshold")]
    _default_threshold: Option<Value>,
    #[serde(rename = "plugins")]
    _plugins: Option<Value>,
    #[serde(rename = "strategies")]
    _strategies: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "target")]
    _target: Option<String>,
    #[serde(default)]
    assertions: Vec<Value>,
    #[serde(default)]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "description")]
    _description: Option<String>,
    input: Input,
    #[serde(default)]
    expected: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    messages: Option<Value>,
    /// A whole body, in the place of the messages.
    request: Option<Map<String, Value>>,
    headers: Option<Value>,
    /// Who asks.
    principal: Option<Value>,
    team: Option<Value>,
    roles: Option<Value>,
    /// A text, a list of texts, or a completion.
    upstream_response: Option<Value>,
}

/// Why the suites can't be run.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// Not what it should be.
    #[error("testing: {0}")]
    Malformed(#[from] serde_json::Error),
    /// A case that can't be a sample.
    #[error("testing.suites: suite {suite:?}{}: {why}", case.as_ref().map(|case| format!(", case {case:?}")).unwrap_or_default())]
    Case {
        /// The suite's name.
        suite: String,
        /// The case's name, where it is one's.
        case: Option<String>,
        /// What is wrong with it.
        why: String,
    },
    /// The samples that were made of a suite.
    #[error("testing.suites: suite {suite:?}: {cause}")]
    Samples {
        /// The suite's name.
        suite: String,
        /// What is wrong with them.
        cause: SampleError,
    },
}

/// The samples of each suite, with its name.
///
/// # Errors
/// The first that can't be run.
pub fn suites(testing: &Value) -> Result<Vec<(String, Samples)>, SuiteError> {
    let testing = Testing::deserialize(testing)?;
    let read = |suite: Suite| {
        let wrong = |case: Option<String>, why: String| SuiteError::Case {
            suite: suite.name.clone(),
            case,
            why,
        };
        if !suite.assertions.is_empty() {
            return Err(wrong(
                None,
                "`assertions` aren't read by witgate; write what is expected into the cases".into(),
            ));
        }
        let entries = suite.cases.into_iter().map(|case| {
            let name = case.name.clone();
            entry(case).map_err(|why| wrong(Some(name), why))
        });
        let entries = entries.collect::<Result<Vec<Value>, _>>()?;
        // JSON is YAML.
        let samples = Samples::parse(json!(entries).to_string().as_bytes()).map_err(|cause| {
            SuiteError::Samples {
                suite: suite.name.clone(),
                cause,
            }
        })?;
        Ok((suite.name, samples))
    };
    testing.suites.into_iter().map(read).collect()
}

/// A case as it stands in a file of samples.
fn entry(case: Case) -> Result<Value, String> {
    let Input {
        messages,
        request,
        headers,
        principal,
        team,
        roles,
        upstream_response,
    } = case.input;
    let mut body = request.unwrap_or_default();
    if let Some(messages) = messages {
        body.insert("messages".into(), messages);
    }
    let answer = match upstream_response {
        None => json!(""),
        Some(texts @ (Value::String(_) | Value::Array(_))) => texts,
        Some(completion) => match &completion["choices"][0]["message"]["content"] {
            Value::String(text) => json!(text),
            _ => return Err("`upstream_response` is a text, a list of texts, or a completion whose first choice has a text".into()),
        },
    };
    let mut expect = case.expected;
    if let Some(code) = expect.shift_remove("reason_code") {
        expect.insert("code".into(), code);
    }
    if let Some(verdict) = expect.get_mut("verdict") {
        *verdict = json!(match verdict.as_str() {
            Some("allow" | "redact" | "proceed") => "proceed",
            Some("block" | "deny") => "deny",
            Some("respond") => "respond",
            _ =>
                return Err(format!(
                    "the verdict {verdict} isn't known (valid: allow, redact, block, respond)"
                )),
        });
    }
    let mut sample =
        json!({"name": case.name, "request": body, "answer": answer, "expect": expect});
    let said = [
        ("headers", headers),
        ("principal", principal),
        ("team", team),
        ("roles", roles),
    ];
    for (key, value) in said {
        if let Some(value) = value {
            sample[key] = value;
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn of(case: Value) -> Result<Vec<(String, Samples)>, SuiteError> {
        suites(
            &json!({"default_threshold": 0.8, "suites": [{"name": "smoke", "target": "any", "assertions": [], "cases": [case]}]}),
        )
    }

    #[test]
    fn a_case_is_a_sample() {
        let messages = json!([{"role": "user", "content": "hi"}]);
        let completion = json!({"choices": [{"message": {"content": "there"}}]});
        for response in [json!("there"), json!(["the", "re"]), completion] {
            let who = json!({"X-User-Id": "u"});
            let case = json!({"name": "blocks", "input": {"messages": messages, "headers": who, "principal": "ann", "team": "red", "roles": ["a"], "upstream_response": response},
                              "expected": {"verdict": "block", "reason_code": "loud"}});
            let suites = of(case).unwrap();
            assert_eq!(
                (suites[0].0.as_str(), suites[0].1.iter().count()),
                ("smoke", 1)
            );
            let sample = suites[0].1.iter().next().unwrap();
            assert_eq!((sample.name(), sample.said().longest()), ("blocks", 5));
        }
    }

    #[test]
    fn what_can_not_be_run_is_told() {
        let input = json!({"messages": [{"role": "user", "content": "hi"}]});
        for (case, said) in [
            (
                json!({"name": "a", "input": input, "expected": {"verdict": "escalate"}}),
                "suite \"smoke\", case \"a\": the verdict \"escalate\" isn't known",
            ),
            (json!({"name": "a", "input": {"mesages": []}}), "mesages"),
            (
                json!({"name": "a", "input": input, "expected": {"verdikt": "block"}}),
                "verdikt",
            ),
        ] {
            let told = of(case).unwrap_err().to_string();
            assert!(told.contains(said), "{told}");
        }
    }
}
