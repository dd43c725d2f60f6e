//! Looks around a word, never further than [`WORDS`] words.

use crate::context::Context;
use crate::lexicon::Event;
use crate::steps;

/// How many words to either side a signal may look at.
const WORDS: usize = 20;

impl<'a> Context<'a> {
    /// The words after `i` that begin within `bytes` of its end, in order.
    pub(crate) fn after(&self, i: usize, bytes: u32) -> impl Iterator<Item = (usize, &'a Event)> {
        let end = self.events[i].end;
        let events = self.events;
        events
            .iter()
            .enumerate()
            .skip(i + 1)
            .take(WORDS)
            .inspect(|_| steps::took(1))
            .take_while(move |(_, e)| e.start.saturating_sub(end) <= bytes)
    }

    /// The words before `i` that end within `bytes` of its start, nearest first.
    pub(crate) fn before(&self, i: usize, bytes: u32) -> impl Iterator<Item = (usize, &'a Event)> {
        let start = self.events[i].start;
        let events = self.events;
        let from = i.saturating_sub(WORDS);
        (from..i)
            .rev()
            .map(move |j| (j, &events[j]))
            .take_while(move |(_, e)| start.saturating_sub(e.end) <= bytes)
    }

    /// True if a word of these classes is within `bytes`, before or after.
    pub(crate) fn around(&self, i: usize, bytes: u32, classes: u64) -> bool {
        self.follows(i, bytes, classes) || self.before(i, bytes).any(|(_, e)| e.is(classes))
    }

    /// True if a word of these classes begins within `bytes` of this one's end.
    pub(crate) fn follows(&self, i: usize, bytes: u32, classes: u64) -> bool {
        self.after(i, bytes).any(|(_, e)| e.is(classes))
    }

    /// The text from the end of word `i` to the start of word `j`.
    pub(crate) fn between(&self, i: usize, j: usize) -> &'a str {
        let range = self.events[i].end as usize..self.events[j].start as usize;
        steps::took(range.len());
        self.text.get(range).unwrap_or("")
    }

    /// The words right before a place in the text, nearest first, in the same sentence.
    pub(crate) fn lead(&self, at: u32) -> impl Iterator<Item = &'a str> {
        let text = &self.text[..at as usize];
        let from = text.len().saturating_sub(64);
        let from = (from..text.len())
            .find(|&i| text.is_char_boundary(i))
            .unwrap_or(text.len());
        let sentence = text[from..]
            .rsplit(['.', '!', '?', ';', ':', '。', '"', '('])
            .next()
            .unwrap_or("");
        sentence
            .rsplit([' ', ',', '_', '-'])
            .filter(|word| !word.is_empty())
    }

    /// The words right after a place in the text, in order, in the same sentence.
    pub(crate) fn trail(&self, at: u32) -> impl Iterator<Item = &'a str> {
        let text = &self.text[at as usize..];
        let to = text.len().min(48);
        let to = (0..=to)
            .rev()
            .find(|&i| text.is_char_boundary(i))
            .unwrap_or(0);
        let sentence = text[..to]
            .split(['.', '!', '?', ';', ':', '。', '"'])
            .next()
            .unwrap_or("");
        sentence
            .split([' ', ',', '_', '-'])
            .filter(|word| !word.is_empty())
    }

    /// True if the verb at `i` is negated: "never ignore", "do not ever reveal".
    pub(crate) fn is_negated(&self, i: usize) -> bool {
        let negates = |word: &str| {
            matches!(
                word,
                "not"
                    | "don't"
                    | "dont"
                    | "never"
                    | "cannot"
                    | "can't"
                    | "won't"
                    | "without"
                    | "didn't"
                    | "doesn't"
                    | "shouldn't"
                    | "wouldn't"
                    | "nicht"
                    | "niemals"
                    | "jamais"
                    | "nunca"
                    | "nao"
                    | "mai"
                    | "не"
                    | "никогда"
                    | "no"
                    | "nor"
                    | "neither"
            )
        };
        let mut lead = self.lead(self.events[i].start);
        let nearest = lead.next().unwrap_or("");
        let next = lead.next().unwrap_or("");
        if negates(nearest) {
            return true;
        }
        let skips = matches!(
            nearest,
            "ever" | "to" | "simply" | "just" | "or" | "please" | "be" | "under"
        );
        if skips && negates(next) {
            return true;
        }
        let text = &self.text[..self.events[i].start as usize];
        ["不要", "不得", "请勿", "不能", "不可", "别"]
            .iter()
            .any(|no| text.ends_with(no))
    }
}
