//! A quick look at a text, to see whether it needs a closer one. Most texts don't.

use crate::fold::escapes::Ahead;
use crate::fold::{LONGEST_DISGUISE, LONGEST_RUN, RUN_TOGETHER, SPELT_OUT, escapes, lookalikes};
use crate::lexicon::Lexicon;
use crate::steps;

/// A longer word is taken in pieces of this many bytes.
const LONGEST_WORD: usize = LONGEST_RUN + 1;

const LETTER: u8 = 1;
/// Digits, and signs that stand for letters.
const LEET: u8 = 2;
/// Begins an escape.
const ESCAPE: u8 = 4;
const HIGH: u8 = 8;
const SPACE: u8 = 16;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        classes[b] = match b as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => LETTER,
            b'0'..=b'9' | b'@' | b'$' | b'!' => LEET,
            b'\\' | b'&' | b'%' => ESCAPE,
            b' ' | b'\t' | b'\n' | b'\r' | 0 => SPACE,
            0x80.. => HIGH,
            _ => 0,
        };
        b += 1;
    }
    classes
};

/// The first place that asks for a closer look: a letter that isn't ASCII, an escape that stands for a character, a word that a signal
/// starts from, or any anchor word in disguise. Before it no signal starts. There may be nothing in it.
pub(crate) fn suspicion(lexicon: &Lexicon, text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut alone = Alone::default();
    let (mut at, mut word_at) = (0, 0);
    while let Some(b) = bytes.get(at) {
        let class = CLASSES[usize::from(*b)];
        let rest = &bytes[at..];
        if class & (LETTER | LEET) == 0 {
            at += if class & HIGH != 0 {
                match text[at..].chars().next() {
                    Some('\u{2019}') if !lexicon.may_start_trigger(&bytes[word_at..]) => 3,
                    Some(c) if is_symbol(c) => c.len_utf8(),
                    _ => return Some(at),
                }
            } else if class & ESCAPE != 0 {
                match escapes::ahead(rest) {
                    Ahead::None => 1,
                    Ahead::Separator => {
                        if *b == b'%' {
                            3
                        } else {
                            2
                        }
                    }
                    Ahead::Character => return Some(at),
                }
            } else if lexicon.starts_with_trigger(rest) {
                return Some(at);
            } else {
                1
            };
            alone.gap(class & SPACE != 0);
            continue;
        }
        let mut seen = 0;
        // A word is looked at from each place that asks for a closer look, so no further than this.
        let word = &rest[..rest.len().min(LONGEST_WORD)];
        let length = word
            .iter()
            .position(|b| {
                let class = CLASSES[usize::from(*b)];
                seen |= class & (LETTER | LEET);
                class & (LETTER | LEET) == 0
            })
            .unwrap_or(word.len());
        steps::took(length);
        if alone.is_spelt_out(lexicon, (length == 1).then_some(*b)) {
            return Some(at);
        }
        if lexicon.starts_with_trigger(rest)
            || seen & LEET != 0 && length > 1 && is_disguised(lexicon, &rest[..length], rest)
            || seen == LETTER
                && (RUN_TOGETHER..=LONGEST_RUN).contains(&length)
                && lexicon
                    .segment(&text[at..at + length].to_ascii_lowercase())
                    .is_some()
        {
            return Some(at);
        }
        word_at = at;
        at += length;
    }
    alone.is_spelt_out(lexicon, None).then_some(text.len())
}

/// Characters that are no letters and fold to none: they separate words, and nothing else.
fn is_symbol(c: char) -> bool {
    matches!(c,
        '“' | '”' | '‘' | '…' | '—' | '–' | '•' | '·' | '«' | '»' | '©' | '®' | '°' | '×' | '§' | '£' | '€'
        | '\u{2190}'..='\u{21FF}' | '\u{2500}'..='\u{25FF}' | '\u{2600}'..='\u{277F}'
        | '\u{1F300}'..='\u{1F3F3}' | '\u{1F3F8}'..='\u{1F64F}' | '\u{1F680}'..='\u{1F6FF}' | '\u{1F900}'..='\u{1F9FF}')
}

/// Whether a word with digits and signs in it is an anchor word, or has a trigger behind such a sign.
fn is_disguised(lexicon: &Lexicon, word: &[u8], rest: &[u8]) -> bool {
    let signs = || {
        word.iter()
            .enumerate()
            .filter(|(_, b)| !b.is_ascii_alphanumeric())
    };
    if signs().any(|(i, _)| lexicon.starts_with_trigger(&rest[i + 1..])) {
        return true;
    }
    let end = word.iter().rposition(|b| *b != b'!').map_or(0, |i| i + 1);
    let bare = &word[..end];
    let latin = bare.iter().filter(|b| b.is_ascii_alphabetic()).count();
    // As the fold has it: with fewer letters it is a number.
    if latin < 2 || latin == bare.len() || bare.len() - latin > latin + 2 {
        return false;
    }
    let mut read = [0; LONGEST_DISGUISE];
    let Some(read) = read.get_mut(..bare.len()) else {
        return false;
    };
    let mut reads = |one: u8| {
        for (letter, b) in read.iter_mut().zip(bare) {
            *letter = match *b {
                b'1' | b'!' => one,
                b if b.is_ascii_alphabetic() => b,
                b => match lookalikes::leet(b) {
                    Some(b) => b,
                    None => return false,
                },
            };
        }
        lexicon.knows(read)
    };
    reads(b'i') || bare.iter().any(|b| matches!(b, b'1' | b'!')) && reads(b'l')
}

/// Letters that stand alone, which together may be a word spelt out.
#[derive(Default)]
struct Alone {
    letters: String,
    /// What stands between the last of them and here; white space counts once.
    gap: u32,
    in_space: bool,
}

impl Alone {
    #[inline]
    fn gap(&mut self, space: bool) {
        self.gap += u32::from(!(space && self.in_space));
        self.in_space = space;
    }

    /// Takes the next word, if it is a single character. True if those before it were a word spelt out.
    #[inline]
    fn is_spelt_out(&mut self, lexicon: &Lexicon, next: Option<u8>) -> bool {
        let goes_on = next.is_some() && (self.letters.is_empty() || self.gap <= 3);
        (self.gap, self.in_space) = (0, false);
        let mut found = false;
        if !goes_on && !self.letters.is_empty() {
            found = self.letters.len() >= SPELT_OUT as usize
                && lexicon.segment(&self.letters).is_some();
            self.letters.clear();
        }
        if let Some(b) = next {
            let letter = lookalikes::letter(char::from(b.to_ascii_lowercase()));
            (self.letters).push(letter.unwrap_or(char::from(b.to_ascii_lowercase())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;

    fn suspicious(text: &str) -> bool {
        suspicion(&Lexicon::new().unwrap(), text).is_some()
    }

    #[test]
    fn plain_text_raises_no_suspicion() {
        for text in [
            "Hello there! Please explain WebAssembly to me, in 3 short paragraphs (for $20); thanks!",
            "let a: &str = x.b(i32::MAX, u8::from(1), &[1, 2, 3, 4]); // internationalization",
            r#"say!("{}\n", "it’s — “quoted” \"so\""); a ──▶ b 🎉 at 12:00:547Z"#,
            "da39a3ee5e6b4b0d3255bfef95601890afd80709 and 2026-11-21 at C:\\temp",
        ] {
            assert!(!suspicious(text), "{text}");
        }
    }

    #[test]
    fn triggers_and_disguises_ask_for_a_closer_look() {
        for text in [
            "ignore it",
            "please,ignore it",
            "x@ignore it",
            "some_ignore",
            "caf\u{e9}",
            "1gnore",
            "overr1de",
            "0verride!!",
            "@ll of it, by-p@ss",
            "i g n o r e",
            "i    g\n   n  o-r-e x",
            "i-g-n-o-r-e",
            "IgnoreAllPreviousRules",
            "&#105;",
            "\\u0069",
            "throw \n  away",
            r"he \nignore",
            r"throw\n away",
            "don’t follow",
            "<|im_start|>",
        ] {
            assert!(suspicious(text), "{text}");
        }
    }
}
