//! A finder for authors who only have a list.

use super::{Finder, Found, Named, Scan, View};

/// Finds phrases as whole words, in any case, and replaces each of them by the same text.
///
/// A phrase's letters are compared one by one in lower case; everything else must stand exactly as in the list. Of two
/// phrases that start at the same place the longer one is found. The kind of a match is the phrase's place in the list.
#[derive(Clone, Debug)]
pub struct Words {
    /// By first letter, longer ones first.
    phrases: Vec<Phrase>,
    /// Which bytes a match can start with.
    starts: [bool; 256],
    text: String,
}

#[derive(Clone, Debug)]
struct Phrase {
    letters: Vec<char>,
    kind: usize,
}

enum Try {
    Match(usize),
    More,
    No,
}

impl Words {
    /// A finder for these phrases, replaced by this text. Empty phrases are never found.
    pub fn new<S: AsRef<str>>(phrases: impl IntoIterator<Item = S>, text: &str) -> Words {
        let mut starts = [false; 256];
        let mut all = Vec::new();
        for (kind, phrase) in phrases.into_iter().enumerate() {
            let letters: Vec<char> = phrase.as_ref().chars().map(fold).collect();
            if let Some(first) = letters.first() {
                // The other case of a letter may start with another byte, which for Unicode can be any byte.
                if first.is_ascii() {
                    starts[*first as usize] = true;
                    starts[first.to_ascii_uppercase() as usize] = true;
                }
                starts[0x80..].fill(true);
                all.push(Phrase { letters, kind });
            }
        }
        all.sort_by(|a, b| {
            let length = b.letters.len().cmp(&a.letters.len());
            a.letters[0].cmp(&b.letters[0]).then(length)
        });
        Words {
            phrases: all,
            starts,
            text: text.to_owned(),
        }
    }
}

impl Finder for Words {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let bytes = view.text.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            if !self.starts[usize::from(bytes[at])] || !view.text.is_char_boundary(at) {
                at += 1;
                continue;
            }
            let first = view.text[at..].chars().next().map_or('\0', fold);
            let begin = self.phrases.partition_point(|p| p.letters[0] < first);
            for phrase in self.phrases[begin..].iter() {
                if phrase.letters[0] != first {
                    break;
                }
                match phrase.at(view, at) {
                    Try::Match(end) => {
                        return Scan::Found(Found {
                            start: at,
                            end,
                            kind: phrase.kind,
                        });
                    }
                    Try::More => return Scan::Clear(at),
                    Try::No => {}
                }
            }
            at += 1;
        }
        Scan::Clear(bytes.len())
    }

    fn replace(&self, _kind: usize, _value: &str, out: &mut String) {
        out.push_str(&self.text);
    }
}

/// All of them are words: which one it was is what must not be told.
impl Named for Words {
    fn kinds(&self) -> usize {
        1
    }

    fn name(&self, _kind: usize) -> &str {
        "word"
    }

    fn label(&self, _kind: usize) -> &str {
        "WORD"
    }
}

impl Phrase {
    fn at(&self, view: &View<'_>, start: usize) -> Try {
        let more = if view.end { Try::No } else { Try::More };
        if self.letters.first().is_some_and(|c| is_word(*c))
            && view.before(start).0.is_some_and(is_word)
        {
            return Try::No;
        }
        let mut rest = view.text[start..].chars();
        for letter in &self.letters {
            match rest.next() {
                Some(c) if fold(c) == *letter => {}
                Some(_) => return Try::No,
                None => return more,
            }
        }
        let end = view.text.len() - rest.as_str().len();
        if self.letters.last().is_some_and(|c| is_word(*c)) {
            match rest.next() {
                Some(c) if is_word(c) => return Try::No,
                None if !view.end => return Try::More,
                _ => {}
            }
        }
        Try::Match(end)
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The lower case, where that is one letter.
fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(l), None) => l,
        _ => c,
    }
}
