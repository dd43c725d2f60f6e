//! What the scorer sees of a text: hashes of its words, of pairs and triples of them, and of their stems.

use super::tokens::{Sink, Token};

/// Words in a block; windows are made of blocks.
pub(crate) const BLOCK: usize = 10;
/// A word's stem is its first letters.
const STEM: usize = 5;

/// Kinds of features, for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// A word.
    Word,
    /// Two in a row.
    Pair,
    /// Three in a row.
    Triple,
    /// Two stems in a row.
    Stems,
    /// Two stems around a word.
    Around,
    /// A stem.
    Stem,
}

/// What takes a text's features.
pub(crate) trait Each {
    /// A feature of the block being read.
    fn feature(&mut self, group: Group, hash: u32);
    /// A word is over, which ends there in the text.
    fn word_ends(&mut self, at: usize);
}

/// Makes features of words.
pub(crate) struct Features<E> {
    /// What takes them.
    pub(crate) each: E,
    words: [u32; 2],
    stems: [u32; 2],
}

const START: u32 = 0x9747_B28C;

impl<E: Each> Features<E> {
    pub(crate) fn new(each: E) -> Self {
        Features {
            each,
            words: [START; 2],
            stems: [START; 2],
        }
    }
}

impl<E: Each> Sink for Features<E> {
    #[inline]
    fn word(&mut self, token: Token<'_>) {
        let text = token.text;
        let (mut hash, mut stem, mut count) = (START, START, 0);
        let mut take = |c: u32| {
            count += 1;
            hash = mix(hash ^ c);
            if count <= STEM {
                stem = hash;
            }
        };
        if text.is_ascii() {
            text.bytes().for_each(|b| take(u32::from(b)));
        } else {
            text.chars().for_each(|c| take(c as u32));
        }
        let [before, last] = self.words;
        if hash == last {
            // The same word again and again says no more than once.
            return;
        }
        let [stem_before, stem_last] = self.stems;
        self.each.feature(Group::Word, mix(hash ^ 1));
        self.each
            .feature(Group::Pair, mix(mix(last ^ 2).rotate_left(7) ^ hash));
        self.each.feature(
            Group::Triple,
            mix(mix(mix(before ^ 3).rotate_left(7) ^ last).rotate_left(7) ^ hash),
        );
        self.each
            .feature(Group::Stems, mix(mix(stem_last ^ 4).rotate_left(7) ^ stem));
        self.each.feature(
            Group::Around,
            mix(mix(stem_before ^ 5).rotate_left(7) ^ stem),
        );
        if count > STEM {
            self.each.feature(Group::Stem, mix(stem ^ 6));
        }
        self.words = [last, hash];
        self.stems = [stem_last, stem];
        self.each.word_ends(token.end);
    }
}

#[inline]
fn mix(x: u32) -> u32 {
    let x = x.wrapping_mul(0x9E37_79B1);
    x ^ x >> 15
}
