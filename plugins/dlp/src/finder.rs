//! The finder of terms, markers and patterns, which also writes what replaces one.

use witgate_policy::redact::{Finder, Found, Scan, View};

use crate::Try;
use crate::expressions::Expressions;
use crate::fuzzy::Fuzzy;
use crate::letters::is_word;
use crate::markers;
use crate::settings::Settings;
use crate::trie::Trie;

/// What a match is. Its number among those of the finder is the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Term,
    Marker,
    Pattern,
}

/// Finds what the settings name. The kind of a match is a term's number, then `MARKER`, then a pattern's.
#[derive(Clone, Debug)]
pub(crate) struct DlpFinder {
    /// Terms as they are written, and phrases.
    folded: Trie,
    /// Words in capitals.
    capitals: Trie,
    fuzzy: Vec<Fuzzy>,
    patterns: Option<Expressions>,
    terms: usize,
    /// The bytes that a match may begin with.
    starts: [bool; 256],
    replacement: String,
}

impl DlpFinder {
    pub(crate) fn new(settings: &Settings) -> Result<DlpFinder, String> {
        let (mut folded, mut capitals) = (Trie::new(true), Trie::new(false));
        let mut fuzzy = Vec::new();
        let distance = match settings.fuzzy_matching {
            true => settings.max_distance.unwrap_or(1),
            false => 0,
        };
        let terms = settings.blocked_terms.len();
        for (n, term) in settings.blocked_terms.iter().enumerate() {
            if !folded.add(term, n) {
                return Err(format!("blocked_terms[{n}]: a term needs letters"));
            }
            fuzzy.extend(Fuzzy::new(term, distance, n));
        }
        let (phrases, words) = markers::of(settings.sensitivity_level);
        for phrase in phrases.iter().copied().flatten() {
            folded.add(phrase, terms);
        }
        for word in words.iter().copied().flatten() {
            capitals.add(word, terms);
        }
        let patterns = match settings.detect_patterns.is_empty() {
            true => None,
            false => Some(Expressions::new(&settings.detect_patterns)?),
        };
        let mut starts = [false; 256];
        for letter in folded.first_letters().chain(capitals.first_letters()) {
            if letter.is_ascii() {
                starts[letter as usize] = true;
                starts[letter.to_ascii_uppercase() as usize] = true;
            } else {
                // The other case of a letter may begin with any byte of these.
                starts[0xc0..].fill(true);
            }
        }
        // A few letters beyond ASCII are the upper case of one within.
        starts[0xc0..].fill(true);
        for byte in 0..=255 {
            let of_word = byte >= 0xc0 || char::from(byte).is_ascii_alphanumeric();
            starts[usize::from(byte)] |= !fuzzy.is_empty() && of_word;
            let mut patterns = patterns.iter();
            starts[usize::from(byte)] |= patterns.any(|all| all.may_begin(byte));
        }
        Ok(DlpFinder {
            folded,
            capitals,
            fuzzy,
            patterns,
            terms,
            starts,
            replacement: settings.replacement.clone(),
        })
    }

    /// What a match of this kind is, and its number in the settings.
    pub(crate) fn kind(&self, kind: usize) -> (Kind, usize) {
        match kind.checked_sub(self.terms) {
            None => (Kind::Term, kind),
            Some(0) => (Kind::Marker, 0),
            Some(past) => (Kind::Pattern, past - 1),
        }
    }

    pub(crate) fn patterns(&self) -> Option<&Expressions> {
        self.patterns.as_ref()
    }

    /// The match that starts there: the longest, and of equally long ones that of the first kind.
    fn at(&self, view: &View<'_>, at: usize, before: Option<char>) -> Try {
        let text = &view.text[at..];
        let in_word = before.is_some_and(is_word);
        let mut best = Try::No;
        let mut more = false;
        let mut take = |tried: Try| match (tried, best) {
            (Try::More, _) => more = true,
            (Try::Match(end, _), Try::Match(longest, _)) if end <= longest => {}
            (Try::Match(..), _) => best = tried,
            (Try::No, _) => {}
        };
        take(self.folded.at(text, view.end, in_word));
        take(self.capitals.at(text, view.end, in_word));
        if !in_word && text.chars().next().is_some_and(is_word) {
            for fuzzy in &self.fuzzy {
                take(fuzzy.at(text, view.end));
            }
        }
        if let Some(patterns) = &self.patterns {
            let mut bytes = [0; 4];
            let last = before.map(|c| c.encode_utf8(&mut bytes).len());
            let byte = last.map(|length| bytes[length - 1]);
            let pattern = patterns.at(text, view.end, byte);
            take(match pattern {
                Try::Match(end, number) => {
                    Try::Match(text.floor_char_boundary(end), self.terms + 1 + number)
                }
                other => other,
            });
        }
        if more { Try::More } else { best }
    }
}

impl Finder for DlpFinder {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let mut before = view.before(from).0;
        for (at, c) in view.text[from..].char_indices() {
            let at = from + at;
            if self.starts[usize::from(view.text.as_bytes()[at])] {
                match self.at(view, at, before) {
                    Try::No => {}
                    Try::More => return Scan::Clear(at),
                    Try::Match(end, kind) => {
                        return Scan::Found(Found {
                            start: at,
                            end: at + end,
                            kind,
                        });
                    }
                }
            }
            before = Some(c);
        }
        Scan::Clear(view.text.len())
    }

    fn replace(&self, _kind: usize, _value: &str, out: &mut String) {
        out.push_str(&self.replacement);
    }
}
