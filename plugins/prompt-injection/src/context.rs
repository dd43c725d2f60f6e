//! Judges whether a hit is an attack, or only a mention of one.
//!
//! An article, a question, a test or a detector names attacks without making them. The signs of a mention: quotation marks
//! with a word that announces a quotation, a sentence that reports what others do, talk of attacks around it.

use std::cell::OnceCell;

use crate::fold::Folded;
use crate::lexicon::{Event, class::*};
use crate::steps;

/// Longest quotation, in bytes of folded text.
const LONGEST_QUOTE: usize = 1500;
/// How many words back, and forth, the context reaches.
const REACH: usize = 28;

/// A chunk of folded text and its words.
pub(crate) struct Context<'a> {
    /// The folded text.
    pub(crate) text: &'a str,
    /// Its words.
    pub(crate) events: &'a [Event],
    lines: &'a [u32],
    /// The quotations, by their ends.
    quotes: OnceCell<Vec<(u32, u32)>>,
}

impl<'a> Context<'a> {
    /// A context over what was folded and found.
    pub(crate) fn new(folded: &'a Folded, events: &'a [Event]) -> Self {
        Context {
            text: &folded.text,
            events,
            lines: &folded.lines,
            quotes: OnceCell::new(),
        }
    }

    /// The share of a hit's weight that counts, 0 to 1. The hit is made of the words `first` to `last`.
    pub(crate) fn share(&self, first: usize, last: usize) -> f32 {
        let (start, end) = (self.events[first].start, self.events[last].end);
        let before = &self.events[first.saturating_sub(REACH)..first];
        let after = &self.events
            [(last + 1).min(self.events.len())..(last + 1 + REACH).min(self.events.len())];
        let near = |classes: u64, back: u32, forth: u32| {
            before
                .iter()
                .any(|e| e.is(classes) && start - e.end <= back)
                || after
                    .iter()
                    .any(|e| e.is(classes) && e.start - end <= forth)
        };
        let topical = near(TOPIC, 700, 400);
        let reported = before
            .iter()
            .rev()
            .take_while(|e| start - e.end <= 180)
            .any(|e| e.is(REPORTED | TOPIC) && !self.is_over(e.end, start));
        let asked = before
            .iter()
            .rev()
            .take_while(|e| start - e.end <= 120)
            .any(|e| e.is(QUESTION) && !self.is_over(e.end, start));
        let quote = self.quote(start, end);
        if quote.as_ref().is_some_and(|quote| quote.alone) {
            return 1.0;
        }
        match quote {
            Some(quote) if topical || reported || quote.listed || near(FRAME, 250, 160) => 0.15,
            Some(_) => 0.55,
            None if reported => 0.3,
            None if asked => 0.4,
            None if topical && self.is_item(start) => 0.25,
            None if topical && near(FRAME, 80, 30) => 0.35,
            None if topical => 0.6,
            None => 1.0,
        }
    }

    /// True if a sentence ends between the two.
    pub(crate) fn ends_sentence(&self, from: u32, to: u32) -> bool {
        let between = self.text.get(from as usize..to as usize).unwrap_or("");
        steps::took(between.len());
        let marks = between.as_bytes().windows(2);
        marks
            .into_iter()
            .any(|w| matches!(w, [b'.' | b'!' | b'?', b' ' | b'"' | b'\'']))
            || !between.is_ascii() && between.contains('。')
    }

    /// True if a report is over between the two: at the end of a sentence or a paragraph.
    fn is_over(&self, from: u32, to: u32) -> bool {
        self.ends_sentence(from, to) || self.line_ends(from, to)
    }

    /// True if a short line ends between the two: a long one was wrapped, and its sentence goes on.
    fn line_ends(&self, from: u32, to: u32) -> bool {
        let i = self.lines.partition_point(|&line| line <= from);
        let Some(&end) = self.lines.get(i).filter(|&&line| line <= to) else {
            return false;
        };
        let start = i.checked_sub(1).map_or(0, |i| self.lines[i]);
        end - start < 60 || self.lines.get(i + 1).is_some_and(|&line| line <= to)
    }

    /// Where the line of this place begins.
    pub(crate) fn line_start(&self, at: u32) -> u32 {
        let i = self.lines.partition_point(|&line| line <= at);
        i.checked_sub(1).map_or(0, |i| self.lines[i])
    }

    /// True if the words from here on stand at the start of a list's item.
    fn is_item(&self, start: u32) -> bool {
        let line = self.line_start(start);
        let lead = self
            .text
            .get(line as usize..start as usize)
            .unwrap_or("")
            .trim_start();
        lead.len() <= 60
            && (lead.starts_with(['-', '*', '•', '+', '|', '#', '>'])
                || lead.starts_with(|c: char| c.is_ascii_digit()))
    }

    /// The quotation around these bytes.
    fn quote(&self, start: u32, end: u32) -> Option<Quote> {
        let quotes = self.quotes.get_or_init(|| quotations(self.text));
        let i = quotes.partition_point(|q| q.1 < end);
        let q = quotes[i..].iter().take(4).find(|q| q.0 <= start)?;
        let after = self.text[q.1 as usize + 1..].trim_start_matches(['"', '\'', '`', ')']);
        let before = self.text[..q.0 as usize].trim_end_matches(['"', '\'', '`']);
        let comma =
            |s: Option<&str>| s.is_some_and(|s| s.trim_start().starts_with(['"', '\'', '`', 'r']));
        let next = comma(after.strip_prefix(','));
        let last = before
            .trim_end()
            .strip_suffix(',')
            .is_some_and(|s| s.trim_end().ends_with(['"', '\'', '`']));
        Some(Quote {
            listed: q.1 - q.0 < 160 && (next || last),
            alone: said(before) + said(after) < ASKED,
        })
    }
}

struct Quote {
    /// Whether this is one of several short quotations.
    listed: bool,
    /// Whether the rest of the text says nothing about it.
    alone: bool,
}

/// Letters of what a text says about a quotation, at least.
const ASKED: usize = 6;

/// How many letters there are, as far as it matters.
fn said(text: &str) -> usize {
    text.chars()
        .take(400)
        .filter(|c| c.is_alphabetic())
        .take(ASKED)
        .count()
}

/// The quotations in `text`, by their ends. One pass: an opening mark waits for the next one that can close it.
fn quotations(text: &str) -> Vec<(u32, u32)> {
    steps::took(text.len());
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut double, mut single, mut tick, mut fence) = (None, None, None, None);
    let mut json = false;
    let mut at = 0;
    while at < bytes.len() {
        let b = bytes[at];
        let previous = at.checked_sub(1).map_or(b' ', |i| bytes[i]);
        let next = bytes.get(at + 1).copied().unwrap_or(b' ');
        match b {
            b'`' if bytes[at..].starts_with(b"```") => {
                close(&mut fence, at, LONGEST_QUOTE * 4, &mut found);
                at += 2;
                tick = None;
            }
            b'`' => close(&mut tick, at, LONGEST_QUOTE, &mut found),
            b'"' if double.is_none() => {
                // A value in JSON is the text itself, not a quotation.
                let lead = text[..at].trim_end_matches(' ');
                json = lead.ends_with("\":");
                double = Some(at);
            }
            b'"' if json => double = None,
            b'"' => close(&mut double, at, LONGEST_QUOTE, &mut found),
            b'\'' => {
                let closes = previous != b' ' && !next.is_ascii_alphanumeric();
                let opens = !previous.is_ascii_alphanumeric() && next != b' ';
                if single.is_some() && closes {
                    close(&mut single, at, LONGEST_QUOTE, &mut found);
                } else if opens {
                    single = Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn close(open: &mut Option<usize>, at: usize, longest: usize, found: &mut Vec<(u32, u32)>) {
    match open.take() {
        Some(start) if at - start <= longest => found.push((start as u32, at as u32)),
        _ => *open = Some(at),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;
    use crate::fold::Folder;
    use crate::lexicon::Lexicon;

    /// The share of the first word that sets something aside.
    fn share(raw: &str) -> f32 {
        let lexicon = Lexicon::new().unwrap();
        let mut folder = Folder::new(&lexicon);
        let folded = folder.fold(raw);
        let mut events = Vec::new();
        lexicon.events(&folded.text, &mut events);
        let i = events.iter().position(|e| e.is(DROP)).unwrap();
        Context::new(folded, &events).share(i, i)
    }

    #[test]
    fn what_is_said_counts_in_full() {
        assert_eq!(share("Hello. Ignore it."), 1.0);
        assert_eq!(share("It's Bob's. Don't wait, ignore it, it's late"), 1.0);
    }

    #[test]
    fn announced_quotations_hardly_count() {
        assert_eq!(share("A text such as \"please ignore it\" is one."), 0.15);
        assert_eq!(share("What does 'ignore it' mean?"), 0.15);
        assert_eq!(share("Die Wendung „ignore it“, zum Beispiel"), 0.15);
        assert_eq!(share("x = [\"ignore it\", \"be nice\"]"), 0.15);
    }

    #[test]
    fn a_quotation_out_of_nowhere_counts_half_and_one_that_is_all_there_is_in_full() {
        assert_eq!(share("Well then: \"Ignore it\""), 0.55);
        assert_eq!(share("\"Ignore it\""), 1.0);
        assert_eq!(share("```\nIgnore it\n```"), 1.0);
    }

    #[test]
    fn a_value_in_json_is_no_quotation() {
        assert_eq!(share("{\"body\": \"Ignore it\"}"), 1.0);
    }

    #[test]
    fn reports_and_questions_count_little() {
        assert_eq!(share("The attacker wants it to ignore it"), 0.3);
        assert_eq!(share("What happens if I ignore it?"), 0.4);
        assert_eq!(share("The attacker left. Now you can ignore it"), 0.6);
    }

    #[test]
    fn a_flood_of_marks_is_linear() {
        let text = "\"'`".repeat(20_000);
        assert!(quotations(&text).len() <= text.len());
    }
}
