//! The words of a text that comes in pieces.

use witgate_policy::scripts::is_unspaced;

/// Of a longer word so many bytes are kept.
const LONGEST: usize = 64;

/// Cuts a text into words, in lower case. Of scripts that write no spaces each letter is a word.
#[derive(Debug, Default)]
pub(crate) struct Words {
    word: String,
    /// How many bytes of the text the open word has.
    open: usize,
}

impl Words {
    /// Takes the next text, and tells of each word that has ended. `false` ends it there.
    pub(crate) fn push(&mut self, text: &str, mut word: impl FnMut(&str) -> bool) -> bool {
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                self.open += 1;
                if self.word.len() < LONGEST {
                    self.word.push(c.to_ascii_lowercase());
                }
                continue;
            }
            if !c.is_ascii() && c.is_alphanumeric() && !is_unspaced(c) {
                self.open += c.len_utf8();
                if self.word.len() < LONGEST {
                    self.word.extend(c.to_lowercase());
                }
                continue;
            }
            if !self.end(&mut word) {
                return false;
            }
            if c.is_alphanumeric() && !word(c.encode_utf8(&mut [0; 4])) {
                return false;
            }
        }
        true
    }

    /// No more of the open word follows.
    pub(crate) fn end(&mut self, mut word: impl FnMut(&str) -> bool) -> bool {
        if self.open == 0 {
            return true;
        }
        self.open = 0;
        let goes_on = word(&self.word);
        self.word.clear();
        goes_on
    }

    /// How many bytes at the end of the text may go on as a word.
    pub(crate) fn open(&self) -> usize {
        self.open
    }
}

/// The words of a whole text.
pub(crate) fn words(text: &str) -> Vec<String> {
    let mut words = Words::default();
    let mut all = Vec::new();
    words.push(text, |word| {
        all.push(word.to_owned());
        true
    });
    words.end(|word| {
        all.push(word.to_owned());
        true
    });
    all
}
