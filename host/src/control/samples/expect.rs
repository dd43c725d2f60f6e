//! What must come of a sample, and what came.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde_json::Value;

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
    /// What was expected and what came instead, as parts of a sentence. `None`: it is as expected.
    pub(super) fn differs(&self, came: &Actual) -> Option<(String, String)> {
        let verdict = self.verdict.is_some_and(|wanted| wanted != came.verdict);
        let code = self.code.is_some() && self.code != came.code;
        if verdict || code {
            let wanted = describe(self.verdict, self.code.as_deref());
            return Some((wanted, came.describe()));
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
                let (wanted, text) = excerpts(wanted, text.map(String::as_str));
                let text = text.unwrap_or_else(|| format!("{}, and no text", came.describe()));
                return Some((format!("{what} {wanted}"), text));
            }
        }
        if let Some(wanted) = &self.arguments {
            let arguments: Vec<&String> =
                got.iter().flat_map(|got| got.arguments.values()).collect();
            if !wanted.iter().eq(arguments.iter().copied()) {
                return Some((
                    format!("the arguments {wanted:?}"),
                    format!("{arguments:?}"),
                ));
            }
        }
        for (pointer, wanted) in self.request.iter().flatten() {
            let found = match &came.sent {
                Some(sent) => sent.get(pointer),
                None => return Some(("a request to the model".into(), "none".into())),
            };
            let found: Value = found.map_or(Value::Null, |json| {
                serde_json::from_str(&json).unwrap_or(Value::Null)
            });
            if found != *wanted {
                let (wanted, found) = (wanted.to_string(), found.to_string());
                let (wanted, found) = excerpts(&wanted, Some(&found));
                let wanted = format!("at {pointer} of the request {wanted}");
                return Some((wanted, found.unwrap_or_default()));
            }
        }
        let mut wanted = self.findings.clone()?;
        wanted.sort_unstable();
        wanted.dedup();
        (wanted != came.findings).then(|| (found(&wanted), found(&came.findings)))
    }
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
            findings: vec!["a".into(), "b".into()],
        }
    }

    fn denied(code: &str) -> Actual {
        Actual {
            verdict: Verdict::Deny,
            code: Some(code.into()),
            got: None,
            sent: None,
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
