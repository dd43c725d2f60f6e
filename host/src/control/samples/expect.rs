//! What must come of a sample, and what came. Its tests make the file long.

use std::collections::BTreeMap;
use std::fmt;

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::wire::{ChannelKey, Request};

/// Characters of a text that a sentence repeats.
const SHOWN: usize = 100;
/// Of those, how many stand before the first that differs.
const BEFORE: usize = 20;

/// What a sample expects; what it doesn't say may be anything.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    verdict: Option<Verdict>,
    code: Option<String>,
    text: Option<String>,
    reasoning: Option<String>,
    /// Of each call of a tool, in order.
    arguments: Option<Vec<String>>,
    findings: Option<Vec<String>>,
    /// What goes to the model, by JSON pointer; null: nothing is there.
    request: Option<BTreeMap<String, Value>>,
    /// The headers that the client gets, by name; null: there is none.
    headers: Option<BTreeMap<String, Option<String>>>,
}

/// What the stage said: of the request or, where it denied the answer, of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Proceed,
    Deny,
    Respond,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Proceed => "proceed",
            Verdict::Deny => "deny",
            Verdict::Respond => "respond",
        })
    }
}

/// What came of a sample.
#[derive(Debug)]
pub(super) struct Actual {
    pub(super) verdict: Verdict,
    /// The denial's.
    pub(super) code: Option<String>,
    /// `None` where the client gets a denial.
    pub(super) got: Option<Got>,
    /// The codes of what was found, each once, sorted.
    pub(super) findings: Vec<String>,
    /// The request that went to the model, if one did.
    pub(super) sent: Option<Request>,
    /// The headers of what the client gets.
    pub(super) told: HeaderMap,
}

/// What the client gets of the first choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Got {
    text: String,
    reasoning: String,
    arguments: BTreeMap<u32, String>,
}

impl Got {
    /// A text of that channel comes.
    pub(super) fn add(&mut self, channel: ChannelKey, text: &str) {
        let into = match channel {
            ChannelKey::Content => &mut self.text,
            ChannelKey::Reasoning => &mut self.reasoning,
            ChannelKey::ToolArguments(index) => self.arguments.entry(index).or_default(),
            _ => return,
        };
        into.push_str(text);
    }

    /// Its parts, each with what it is.
    fn parts(&self) -> Vec<(&'static str, &str)> {
        let arguments = self.arguments.values();
        let arguments = arguments.map(|it| ("the arguments", it.as_str()));
        let texts = [
            ("the text", &*self.text),
            ("the reasoning", &*self.reasoning),
        ];
        texts.into_iter().chain(arguments).collect()
    }
}

impl Expect {
    /// The first difference, as parts of a sentence: what was expected, and what came. `None`: it is as expected.
    pub(super) fn differs(&self, came: &Actual) -> Option<(String, String)> {
        self.differences(came)
            .into_iter()
            .next()
            .map(|it| it.sentence)
    }

    /// Everything that is expected and isn't what came.
    pub(super) fn differences(&self, came: &Actual) -> Vec<Difference> {
        let mut differences = Vec::new();
        let mut add = |what: &str, expected: String, came: String, sentence| {
            let what = what.to_owned();
            differences.push(Difference {
                what,
                expected,
                came,
                sentence,
            });
        };
        let verdict = self.verdict.is_some_and(|wanted| wanted != came.verdict);
        let code = self.code.is_some() && self.code != came.code;
        if verdict || code {
            let wanted = describe(self.verdict, self.code.as_deref());
            let sentence = (wanted.clone(), came.describe());
            add("the verdict", wanted, came.describe(), sentence);
        }
        let got = came.got.as_ref();
        let texts = [
            ("the text", &self.text, got.map(|got| &got.text)),
            (
                "the reasoning",
                &self.reasoning,
                got.map(|got| &got.reasoning),
            ),
        ];
        for (what, wanted, text) in texts {
            if let Some(wanted) = wanted
                && text != Some(wanted)
            {
                let none = || format!("{}, and no text", came.describe());
                let (excerpt, other) = excerpts(wanted, text.map(String::as_str));
                let sentence = (format!("{what} {excerpt}"), other.unwrap_or_else(none));
                add(
                    what,
                    wanted.clone(),
                    text.cloned().unwrap_or_else(none),
                    sentence,
                );
            }
        }
        if let Some(wanted) = &self.arguments {
            let arguments = came.arguments();
            if *wanted != arguments {
                let (wanted, came) = (format!("{wanted:?}"), format!("{arguments:?}"));
                let sentence = (format!("the arguments {wanted}"), came.clone());
                add("the arguments", wanted, came, sentence);
            }
        }
        for (pointer, wanted) in self.request.iter().flatten() {
            let Some(found) = came.sent(pointer) else {
                let sentence = ("a request to the model".to_owned(), "none".to_owned());
                add(
                    "the request",
                    sentence.0.clone(),
                    sentence.1.clone(),
                    sentence,
                );
                break;
            };
            if found != *wanted {
                let (wanted, found) = (wanted.to_string(), found.to_string());
                let (short, other) = excerpts(&wanted, Some(&found));
                let place = format!("at {pointer} of the request");
                let sentence = (format!("{place} {short}"), other.unwrap_or_default());
                add(&place, wanted, found, sentence);
            }
        }
        for (name, wanted) in self.headers.iter().flatten() {
            let told = came.told(name);
            if *wanted != told {
                let shown =
                    |value: Option<&str>| value.map_or("none".into(), |it| format!("{it:?}"));
                let (wanted, told) = (shown(wanted.as_deref()), shown(told.as_deref()));
                let place = format!("the header {name}");
                let sentence = (format!("{place} {wanted}"), told.clone());
                add(&place, wanted, told, sentence);
            }
        }
        if let Some(mut wanted) = self.findings.clone() {
            wanted.sort_unstable();
            wanted.dedup();
            if wanted != came.findings {
                let sentence = (found(&wanted), found(&came.findings));
                let (wanted, came) = (sentence.0.clone(), sentence.1.clone());
                add("the findings", wanted, came, sentence);
            }
        }
        differences
    }

    /// The same expectation, with what came in the place of what it says; where it says nothing, verdict, code, text and findings.
    pub(super) fn replaced(&self, came: &Actual) -> Map<String, Value> {
        let got = came.got.as_ref();
        let mut all = Map::new();
        all.insert("verdict".into(), json!(came.verdict.to_string()));
        all.insert("code".into(), json!(came.code));
        all.insert("text".into(), json!(got.map(|it| &it.text)));
        all.insert("reasoning".into(), json!(got.map(|it| &it.reasoning)));
        all.insert("arguments".into(), json!(got.map(|_| came.arguments())));
        let pointers = self.request.iter().flatten().map(|(pointer, _)| pointer);
        let sent = pointers.filter_map(|pointer| Some((pointer.clone(), came.sent(pointer)?)));
        let sent: Map<String, Value> = sent.collect();
        all.insert("request".into(), json!(sent));
        let names = self.headers.iter().flatten().map(|(name, _)| name);
        let told: BTreeMap<&String, Option<String>> = names.map(|it| (it, came.told(it))).collect();
        all.insert("headers".into(), json!(told));
        all.insert("findings".into(), json!(came.findings));
        let silent = self.verdict.is_none()
            && self.code.is_none()
            && self.text.is_none()
            && self.reasoning.is_none()
            && self.arguments.is_none()
            && self.request.is_none()
            && self.headers.is_none()
            && self.findings.is_none();
        all.retain(|key, value| {
            let named = match key.as_str() {
                // Whoever expected one thing is told of the other, too.
                "verdict" => silent || self.verdict.is_some() || self.code.is_some(),
                "code" => silent || self.verdict.is_some() || self.code.is_some(),
                "text" => silent || self.text.is_some(),
                "reasoning" => self.reasoning.is_some(),
                "arguments" => self.arguments.is_some(),
                "request" => self.request.is_some() && came.sent.is_some(),
                "headers" => self.headers.is_some(),
                _ => silent || self.findings.is_some(),
            };
            named && !value.is_null()
        });
        all
    }
}

/// One thing that isn't as it was expected.
#[derive(Debug)]
pub(super) struct Difference {
    /// What it is a difference of: `the text`, say.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) came: String,
    /// Both as parts of a sentence, short.
    sentence: (String, String),
}

impl Actual {
    /// Both, as parts of a sentence, where something else came of the same sample another cut.
    pub(super) fn differs(&self, other: &Actual) -> Option<(String, String)> {
        if (self.verdict, &self.code) != (other.verdict, &other.code) {
            return Some((self.describe(), other.describe()));
        }
        let (one, another) = (self.got.as_ref()?.parts(), other.got.as_ref()?.parts());
        let mut both = one.into_iter().zip(another);
        let (one, another) = both.find(|(one, another)| one.1 != another.1)?;
        let (one, another) = excerpts(one.1, Some(another.1));
        Some((one, another.unwrap_or_default()))
    }

    /// The same, and where something else was found.
    pub(super) fn differs_in_all(&self, other: &Actual) -> Option<(String, String)> {
        let findings = || {
            let same = self.findings == other.findings;
            (!same).then(|| (found(&self.findings), found(&other.findings)))
        };
        self.differs(other).or_else(findings)
    }

    /// Of each call that the client gets.
    fn arguments(&self) -> Vec<String> {
        let got = self.got.iter();
        got.flat_map(|got| got.arguments.values().cloned())
            .collect()
    }

    /// What stood at a pointer of the request that went to the model; null: nothing. `None`: none went.
    fn sent(&self, pointer: &str) -> Option<Value> {
        let json = self.sent.as_ref()?.get(pointer);
        let value = json.and_then(|json| serde_json::from_str(&json).ok());
        Some(value.unwrap_or(Value::Null))
    }

    /// A header of what the client gets.
    fn told(&self, name: &str) -> Option<String> {
        let value = self.told.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn describe(&self) -> String {
        describe(Some(self.verdict), self.code.as_deref())
    }
}

fn describe(verdict: Option<Verdict>, code: Option<&str>) -> String {
    match (verdict, code) {
        (Some(verdict), Some(code)) => format!("the verdict {verdict} with the code `{code}`"),
        (Some(verdict), None) => format!("the verdict {verdict}"),
        (None, code) => format!("the code `{}`", code.unwrap_or_default()),
    }
}

fn found(codes: &[String]) -> String {
    match codes {
        [] => "no finding".into(),
        codes => format!("the findings {}", codes.join(", ")),
    }
}

/// Two texts as a sentence can have them: in quotes, on one line, and of long ones the part around the first difference.
fn excerpts(one: &str, other: Option<&str>) -> (String, Option<String>) {
    let common = one.chars().zip(other.unwrap_or_default().chars());
    let same = common.take_while(|(one, other)| one == other).count();
    let from = same.saturating_sub(BEFORE);
    (excerpt(one, from), other.map(|other| excerpt(other, from)))
}

fn excerpt(text: &str, from: usize) -> String {
    let mut rest = text.chars().skip(from);
    let shown: String = rest.by_ref().take(SHOWN).collect();
    let before = if from > 0 { "... " } else { "" };
    let after = if rest.next().is_some() { " ..." } else { "" };
    format!("{before}{shown:?}{after}")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    fn expect(text: &str) -> Expect {
        serde_yaml::from_str(text).unwrap()
    }

    fn proceeded(text: &str) -> Actual {
        Actual {
            verdict: Verdict::Proceed,
            code: None,
            got: Some(Got {
                text: text.into(),
                ..Got::default()
            }),
            sent: None,
            told: HeaderMap::new(),
            findings: vec!["a".into(), "b".into()],
        }
    }

    fn denied(code: &str) -> Actual {
        Actual {
            verdict: Verdict::Deny,
            code: Some(code.into()),
            got: None,
            sent: None,
            told: HeaderMap::new(),
            findings: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_expected_may_be_anything() {
        for came in [proceeded("hi"), denied("loud")] {
            assert_eq!(expect("{}").differs(&came), None);
        }
    }

    #[test]
    fn what_is_expected_and_came_is_well() {
        assert_eq!(
            expect("{verdict: proceed, text: hi, findings: [b, a, b]}").differs(&proceeded("hi")),
            None
        );
        assert_eq!(
            expect("{verdict: deny, code: loud, findings: []}").differs(&denied("loud")),
            None
        );
        assert_eq!(expect("{code: loud}").differs(&denied("loud")), None);
    }

    #[test]
    fn another_thing_is_told_beside_what_was_expected() {
        let told = |text: &str, came: &Actual| {
            let (expected, came) = expect(text).differs(came).unwrap();
            format!("{expected} / {came}")
        };
        for (text, came, sentence) in [
            (
                "{verdict: deny, code: loud}",
                proceeded(""),
                "the verdict deny with the code `loud` / the verdict proceed",
            ),
            (
                "{code: loud}",
                denied("rude"),
                "the code `loud` / the verdict deny with the code `rude`",
            ),
            ("{text: hi}", proceeded("ho"), "the text \"hi\" / \"ho\""),
            (
                "{text: hi}",
                denied("rude"),
                "the text \"hi\" / the verdict deny with the code `rude`, and no text",
            ),
            (
                "{findings: []}",
                proceeded(""),
                "no finding / the findings a, b",
            ),
            (
                "{findings: [a]}",
                denied("rude"),
                "the findings a / no finding",
            ),
        ] {
            assert_eq!(told(text, &came), sentence);
        }
    }

    #[test]
    fn every_difference_is_told_and_what_came_takes_its_place() {
        let wanted = expect("{verdict: deny, code: loud, text: ho, findings: []}");
        let differences = wanted.differences(&proceeded("hi"));
        let told: Vec<&str> = differences.iter().map(|it| it.what.as_str()).collect();
        assert_eq!(told, ["the verdict", "the text", "the findings"]);
        let replaced = wanted.replaced(&proceeded("hi"));
        let came = json!({"verdict": "proceed", "text": "hi", "findings": ["a", "b"]});
        assert_eq!(Value::Object(replaced), came);
        let replaced = expect("{code: rude}").replaced(&denied("loud"));
        let came = json!({"verdict": "deny", "code": "loud"});
        assert_eq!(Value::Object(replaced), came);
    }

    #[test]
    fn a_header_is_what_is_expected_or_is_told() {
        let mut came = proceeded("hi");
        came.told = [("x-policy-variant", "b")]
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .into_iter()
            .collect();
        for right in ["{X-Policy-Variant: b}", "{x-policy-other: null}"] {
            assert_eq!(
                expect(&format!("{{headers: {right}}}")).differs(&came),
                None
            );
        }
        let wanted = expect("{headers: {x-policy-other: a, x-policy-variant: a}}");
        let (expected, told) = wanted.differs(&came).unwrap();
        assert_eq!(
            (&*expected, &*told),
            ("the header x-policy-other \"a\"", "none")
        );
        let replaced = json!({"headers": {"x-policy-other": null, "x-policy-variant": "b"}});
        assert_eq!(Value::Object(wanted.replaced(&came)), replaced);
    }

    #[test]
    fn a_long_text_is_shown_where_it_differs() {
        let long = "é".repeat(500);
        let (one, other) = excerpts(&format!("{long}a\n"), Some(&format!("{long}b{long}")));
        assert_eq!(one, format!("... \"{}a\\n\"", "é".repeat(BEFORE)));
        let other = other.unwrap();
        assert!(
            other.starts_with("... \"éé") && other.ends_with("é\" ..."),
            "{other}"
        );
        assert!(other.chars().count() < 120);
    }

    #[test]
    fn the_same_sample_must_come_to_the_same_another_way() {
        assert!(proceeded("hi").differs(&proceeded("hi")).is_none());
        assert!(denied("loud").differs(&denied("loud")).is_none());
        for other in [proceeded("ho"), denied("loud")] {
            assert!(proceeded("hi").differs(&other).is_some());
        }
    }
}
