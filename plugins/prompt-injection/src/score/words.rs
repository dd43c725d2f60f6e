//! The words that the scorer knows: to tell a misspelt one, and where one ends that was run into the next.

use crate::steps;

/// The words, the most frequent first, as training counted them in English prose and attacks.
const LIST: &str = include_str!("words.txt");
/// How many of the first words a misspelt one is taken for.
const TARGETS: usize = 2400;
/// And in a text that is known to be in disguise.
const TARGETS_CLOSELY: usize = 4500;
/// The shortest word that may be misspelt.
const SHORTEST: usize = 4;
/// Letters in a row, from which on more of them may be no words.
const LONG_RUN: usize = 16;
const LONGEST: usize = 18;
const SLOTS: usize = 1 << 15;
const NEAR_SLOTS: usize = 1 << 16;
const NONE: u16 = u16::MAX;

/// The compiled list.
pub(crate) struct Words {
    /// Words by hash, for exact look-ups.
    all: Box<[u16]>,
    /// Words by the hashes of what is left of each without one letter.
    near: Box<[u16]>,
    list: Vec<&'static str>,
}

impl Words {
    /// Compiles the list.
    pub(crate) fn new() -> Self {
        let list: Vec<&str> = LIST.lines().filter(|line| !line.is_empty()).collect();
        let mut words = Words {
            all: vec![NONE; SLOTS].into(),
            near: vec![NONE; NEAR_SLOTS].into(),
            list,
        };
        for (i, word) in words.list.iter().enumerate().take(usize::from(NONE)) {
            put(&mut words.all, hash(word.as_bytes()), i as u16);
            if i < TARGETS_CLOSELY && (SHORTEST..=LONGEST).contains(&word.len()) {
                put(&mut words.near, hash(word.as_bytes()), i as u16);
                for skipped in 0..word.len() {
                    put(
                        &mut words.near,
                        hash_without(word.as_bytes(), skipped),
                        i as u16,
                    );
                }
            }
        }
        words
    }

    /// The word of this number.
    pub(crate) fn word(&self, i: u16) -> &'static str {
        self.list[usize::from(i)]
    }

    /// True if it is one of the words.
    #[inline]
    pub(crate) fn knows(&self, word: &str) -> bool {
        self.place(word.as_bytes()).is_some()
    }

    #[inline]
    fn place(&self, word: &[u8]) -> Option<u16> {
        let mut slot = hash(word) as usize % SLOTS;
        while self.all[slot] != NONE {
            if self.list[usize::from(self.all[slot])].as_bytes() == word {
                return Some(self.all[slot]);
            }
            slot = (slot + 1) % SLOTS;
        }
        None
    }

    /// The most frequent word that this one is, but for a letter too many, too few, wrong, or in its neighbour's place. `closely`, rarer
    /// words are among them.
    pub(crate) fn near(&self, word: &str, closely: bool) -> Option<u16> {
        let targets = if closely { TARGETS_CLOSELY } else { TARGETS };
        let bytes = word.as_bytes();
        if !(SHORTEST - 1..=LONGEST + 1).contains(&bytes.len()) {
            return None;
        }
        steps::took(bytes.len());
        let mut best = None;
        let mut look = |hash: u32| {
            let mut slot = hash as usize % NEAR_SLOTS;
            while self.near[slot] != NONE {
                let i = self.near[slot];
                let target = self.list[usize::from(i)].as_bytes();
                if usize::from(i) < targets
                    && best.is_none_or(|best| i < best)
                    && is_near(bytes, target)
                {
                    best = Some(i);
                }
                slot = (slot + 1) % NEAR_SLOTS;
            }
        };
        look(hash(bytes));
        for skipped in 0..bytes.len() {
            look(hash_without(bytes, skipped));
        }
        best
    }

    /// Cuts letters that were written without spaces into words, where all of them are words that are known; the ends of the words.
    pub(crate) fn cut(&self, letters: &str) -> Option<Vec<usize>> {
        let bytes = letters.as_bytes();
        steps::took(bytes.len() * LONGEST);
        // The cheapest way to each place: what it costs in words, and the place before.
        let mut best: Vec<(u32, usize)> = vec![(u32::MAX, 0); bytes.len() + 1];
        best[0] = (0, 0);
        for from in 0..bytes.len() {
            let (cost, _) = best[from];
            if cost == u32::MAX {
                continue;
            }
            for to in from + 1..=(from + LONGEST).min(bytes.len()) {
                let known = self.place(&bytes[from..to]);
                let length = to - from;
                let word = match known {
                    Some(i) => 4 + u32::from(i) / 500 + if length < 3 { 4 } else { 0 },
                    None if length == 1 => 14,
                    None => continue,
                };
                if cost + word < best[to].0 {
                    best[to] = (cost + word, from);
                }
            }
        }
        let (cost, _) = best[bytes.len()];
        let dear = if bytes.len() < LONG_RUN { 20 } else { 26 };
        if cost as usize * 10 > bytes.len() * dear {
            return None;
        }
        let mut cuts = Vec::new();
        let mut at = bytes.len();
        while at > 0 {
            cuts.push(at);
            at = best[at].1;
        }
        cuts.reverse();
        (cuts.len() > 1).then_some(cuts)
    }
}

fn put(slots: &mut [u16], hash: u32, i: u16) {
    let mut slot = hash as usize % slots.len();
    while slots[slot] != NONE {
        if slots[slot] == i {
            return;
        }
        slot = (slot + 1) % slots.len();
    }
    slots[slot] = i;
}

#[inline]
fn hash(word: &[u8]) -> u32 {
    finish(word.iter().fold(BASIS, step))
}

fn hash_without(word: &[u8], skipped: usize) -> u32 {
    let (before, after) = (&word[..skipped], &word[skipped + 1..]);
    finish(before.iter().chain(after).fold(BASIS, step))
}

const BASIS: u32 = 0x811C_9DC5;

#[inline]
fn step(hash: u32, b: &u8) -> u32 {
    (hash ^ u32::from(*b)).wrapping_mul(0x0100_0193)
}

fn finish(hash: u32) -> u32 {
    hash.wrapping_mul(0x9E37_79B1) >> 12
}

/// True if one step of a slip makes one of the other.
fn is_near(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let same = short.iter().zip(long).take_while(|(a, b)| a == b).count();
    let (s, l) = (&short[same..], &long[same..]);
    match long.len() - short.len() {
        0 => match (s, l) {
            ([a, b, s @ ..], [c, d, l @ ..]) if a == d && b == c => s == l,
            ([_, s @ ..], [_, l @ ..]) => s == l,
            _ => true,
        },
        1 => s == &l[1..],
        _ => false,
    }
}
