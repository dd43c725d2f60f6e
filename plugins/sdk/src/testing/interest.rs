//! What a policy says it looks out for, held to what it does.
//!
//! Where a policy declares an interest, every exchange is run twice, side by side: the policy is shown everything, and its twin what matches
//! the interest alone, as the host shows it. The same must come of both.

use std::collections::BTreeMap;
use std::rc::Rc;

use regex_automata::meta::Regex;

use super::{Answer, Record, Request};
use crate::{Finding, Text, Verdict};

/// The longest word that the host reads to its end, in bytes.
const LONGEST_WORD: usize = 256;

/// An interest, as the host looks for it.
#[derive(Clone, Debug)]
pub(super) struct Interest(Rc<(String, Regex)>);

impl Interest {
    /// # Panics
    ///
    /// When the expression is none: the host wouldn't load the policy.
    pub(super) fn new(source: String) -> Interest {
        let regex = Regex::new(&source);
        let regex = regex.unwrap_or_else(|error| {
            panic!("the policy's interest {source:?} is no regular expression: {error}")
        });
        Interest(Rc::new((source, regex)))
    }

    /// Whether a word matches.
    pub(super) fn word(&self, word: &str, arguments: bool) -> bool {
        let counts = word.len() > LONGEST_WORD || arguments && word.contains('\\');
        !word.is_empty() && (counts || self.0.1.is_match(word))
    }

    pub(super) fn text(&self, text: &str, arguments: bool) -> bool {
        text.split_ascii_whitespace()
            .any(|word| self.word(word, arguments))
    }

    /// Whether some word matches of all that a model may read. A word may be cut over the parts of a message.
    pub(super) fn request(&self, request: &Request) -> bool {
        let texts = request.texts();
        let arguments = |text: &Text| {
            let of_a_call =
                text.pointer.ends_with("/arguments") || text.pointer.ends_with("/input");
            of_a_call && text.segment.is_some()
        };
        let message = |text: &Text| text.message.filter(|_| text.segment.is_some());
        let together = texts.chunk_by(|a, b| message(a).is_some() && message(a) == message(b));
        together.into_iter().any(|parts| {
            let whole: String = parts.iter().map(|part| part.text.as_str()).collect();
            let in_part = parts
                .iter()
                .any(|part| self.text(&part.text, arguments(part)));
            in_part || self.text(&whole, parts.iter().any(arguments))
        })
    }

    fn broken(&self, what: &str, all: &dyn std::fmt::Debug, some: &dyn std::fmt::Debug) -> ! {
        panic!(
            "the policy promises that nothing matters to it but words that match its interest {:?}, and it isn't so: {what} is {all:?} where \
             it is shown everything, and {some:?} where it is shown those words",
            self.0.0
        );
    }

    /// # Panics
    ///
    /// When the twin said another thing.
    pub(super) fn same_request(
        &self,
        (all, shown): (&Verdict, &Request),
        (some, seen): (&Verdict, &Request),
    ) {
        if all != some {
            self.broken("the verdict", all, some);
        }
        if shown.body() != seen.body() {
            self.broken("the request", shown.body(), seen.body());
        }
    }

    /// # Panics
    ///
    /// When another text came of the twin, or another denial. Of an answer that is denied, how much of it was out depends on how it was cut.
    pub(super) fn same_answer(&self, all: &Answer, some: &Answer) {
        let code = |answer: &Answer| answer.denial.as_ref().map(|denial| denial.code.clone());
        if code(all) != code(some) {
            self.broken("the answer's denial", &code(all), &code(some));
        }
        if all.denial.is_none() && all.text != some.text {
            self.broken("the answer", &all.text, &some.text);
        }
    }

    /// # Panics
    ///
    /// When the twin found, tagged or wrote something else.
    pub(super) fn same_record(&self, all: &Record, some: &Record) {
        if counted(&all.findings) != counted(&some.findings) {
            self.broken("what it found", &all.findings, &some.findings);
        }
        if all.counts != some.counts {
            self.broken("what it counted", &all.counts, &some.counts);
        }
        if all.tags != some.tags {
            self.broken("what it tagged", &all.tags, &some.tags);
        }
        if all.journal != some.journal {
            self.broken("what it wrote", &all.journal, &some.journal);
        }
    }
}

/// How often each was found, however often it was reported.
pub(super) fn counted(findings: &[Finding]) -> BTreeMap<(&str, Option<&str>), u64> {
    let mut counted = BTreeMap::new();
    for finding in findings {
        let key = (finding.code.as_str(), finding.detail.as_deref());
        *counted.entry(key).or_default() += u64::from(finding.count);
    }
    counted
}

/// A passage on its way to a policy that sleeps through what doesn't interest it.
#[derive(Debug, Default)]
pub(super) struct Sleep {
    pub(super) awake: bool,
    /// The word at the end that the policy wasn't shown.
    open: String,
    /// The policy has seen the first part of the word that comes.
    in_word: bool,
}

/// What there is of a delta.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// It goes without a word to the policy.
    pub(super) passes: String,
    /// The policy is shown it.
    pub(super) shown: String,
}

impl Sleep {
    /// How a tool's arguments begin, the policy is always shown.
    pub(super) fn new(arguments: bool) -> Sleep {
        Sleep {
            awake: arguments,
            ..Sleep::default()
        }
    }

    /// Takes the next text, or learns that there is none.
    pub(super) fn next(
        &mut self,
        interest: &Interest,
        text: Option<&str>,
        arguments: bool,
    ) -> Parts {
        let mut all = std::mem::take(&mut self.open);
        all.push_str(text.unwrap_or_default());
        let space = |c: char| c.is_ascii_whitespace();
        let last = all.rfind(space).map_or(0, |at| at + 1);
        let goes_on = last == 0 && self.in_word;
        let matches = goes_on || interest.word(&all[last..], arguments);
        let to = if matches || text.is_none() {
            all.len()
        } else {
            last
        };
        self.in_word = (goes_on || last < all.len()) && matches && text.is_some();
        self.open = all.split_off(to);
        if !self.awake {
            let mut from = 0;
            let mut words = all.split(space);
            let found = words.find_map(|word| {
                let begins = from;
                from += word.len() + 1;
                interest.word(word, arguments).then_some(begins)
            });
            let Some(begins) = found else {
                return Parts {
                    passes: all,
                    shown: String::new(),
                };
            };
            self.awake = true;
            let shown = all.split_off(begins);
            return Parts { passes: all, shown };
        }
        Parts {
            passes: String::new(),
            shown: all,
        }
    }

    /// The policy said so of what it was shown: `forwards` it all, and holds nothing.
    pub(super) fn said(&mut self, forwards: bool) {
        self.awake = !forwards || self.in_word;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(interest: &str, texts: &[&str], forwards: bool) -> Vec<(String, String)> {
        let interest = Interest::new(interest.into());
        let mut sleep = Sleep::default();
        let texts = texts.iter().map(|text| Some(*text)).chain([None]);
        texts
            .map(|text| {
                let Parts { passes, shown } = sleep.next(&interest, text, false);
                if !shown.is_empty() {
                    sleep.said(forwards);
                }
                (passes, shown)
            })
            .collect()
    }

    fn owned(parts: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = parts.iter();
        owned.map(|(a, b)| ((*a).into(), (*b).into())).collect()
    }

    #[test]
    fn it_wakes_at_a_word_and_sleeps_behind_it() {
        assert_eq!(
            parts("@", &["one two", "o a", "@", "b c d", " e@ f"], true),
            owned(&[
                ("one ", ""),
                ("twoo ", ""),
                ("", "a@"),
                ("", "b c "),
                ("d ", "e@ "),
                ("f", ""),
            ])
        );
        assert_eq!(
            parts("@", &["x @ y z", " w"], false),
            owned(&[("x ", "@ y "), ("", "z "), ("", "w")])
        );
    }
}
