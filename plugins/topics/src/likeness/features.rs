//! What is looked at of a word: the word, its beginning, and the word with the one before it. Each is a number, so that nothing of the examples is kept.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::SILENT;

/// What a word has. Numbers of different sorts are different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Features {
    /// The word.
    pub(crate) word: u64,
    /// Its beginning, where it is long: `invest` of `investments`.
    pub(crate) stem: Option<u64>,
    /// The word and the one before it.
    pub(crate) pair: Option<u64>,
}

/// Letters of a word's beginning.
const STEM: usize = 5;

/// A word with fewer letters than that has no beginning that says anything.
const LONG: usize = 7;

impl Features {
    /// Of a word, and the number of the one before it.
    pub(crate) fn of(word: &str, before: Option<u64>) -> Features {
        let number = hash(b'w', word.as_bytes());
        let stem = word.char_indices().nth(STEM);
        let is_long = word.char_indices().nth(LONG - 1).is_some();
        Features {
            word: number,
            stem: stem
                .filter(|_| is_long)
                .map(|(end, _)| hash(b's', &word.as_bytes()[..end])),
            pair: before.map(|before| hash(b'p', &(before ^ number.rotate_left(31)).to_le_bytes())),
        }
    }

    pub(crate) fn all(self) -> impl Iterator<Item = u64> {
        [Some(self.word), self.stem, self.pair]
            .into_iter()
            .flatten()
    }
}

/// Something by the number of a feature. The numbers are hashes already, and only those of an operator's sentences are kept, so that no text makes
/// looking up dear.
pub(crate) type ByFeature<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Takes a hash for a hash.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash(b'-', bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The numbers of words that say nothing.
#[derive(Debug, Default)]
pub(crate) struct Silent(ByFeature<()>);

impl Silent {
    pub(crate) fn new() -> Silent {
        let words = SILENT.split_whitespace();
        let numbers = words.map(|word| (hash(b'w', word.as_bytes()), ()));
        Silent(numbers.collect())
    }

    pub(crate) fn is(&self, word: u64) -> bool {
        self.0.contains_key(&word)
    }
}

/// FNV-1a.
fn hash(sort: u8, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for byte in [sort].iter().chain(bytes) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash
}
