//! A term with some letters wrong, missing or too many: edit distance, bounded.
//!
//! A row of the usual table goes through the text letter by letter. Of it only what is within the bound of the diagonal counts, so a letter costs
//! `2 * distance + 1` steps, and a text that has gone too far from the term is given up at once.

use witgate_policy::patterns::count_step;

use crate::Try;
use crate::letters::{LONGEST_GAP, fold, is_gap, is_word, normal};

/// The longest term that may be looked for so, in letters.
pub(crate) const LONGEST: usize = 64;

/// A term, and how far from it a text may be.
#[derive(Clone, Debug)]
pub(crate) struct Fuzzy {
    letters: Vec<char>,
    distance: usize,
    number: usize,
}

impl Fuzzy {
    /// A term within this distance, at most a third of its letters. `None` where that leaves no distance: then it is looked for as it is written.
    pub(crate) fn new(term: &str, distance: usize, number: usize) -> Option<Fuzzy> {
        let letters = normal(term, true);
        let distance = distance.min(letters.len() / 3);
        (distance > 0 && letters.len() <= LONGEST).then_some(Fuzzy {
            letters,
            distance,
            number,
        })
    }

    /// The text's words that are nearest to the term, from its start on, where a word begins. Of equally near ones the shorter.
    pub(crate) fn at(&self, text: &str, end: bool) -> Try {
        const FAR: u8 = u8::MAX;
        let length = self.letters.len();
        let mut row = [FAR; LONGEST + 1];
        for (n, cell) in row.iter_mut().enumerate().take(self.distance + 1) {
            *cell = n as u8;
        }
        let mut best: Option<(usize, usize)> = None;
        let mut last = ' ';
        let mut gap = 0;
        // Of the text's letters, one space for each gap.
        let mut count = 0;
        let mut chars = text.char_indices();
        loop {
            count_step();
            let next = chars.next();
            let place = next.map_or(text.len(), |(place, _)| place);
            let ends_here = match next {
                Some((_, c)) => !is_word(c),
                None if end => true,
                None => return Try::More,
            };
            let far = usize::from(row[length]);
            let nearer = best.is_none_or(|(_, nearest)| far < nearest);
            if ends_here && is_word(last) && far <= self.distance && nearer {
                best = Some((place, far));
            }
            let Some((_, c)) = next else { break };
            let c = if is_gap(c) {
                gap += 1;
                if gap > LONGEST_GAP {
                    break;
                }
                if gap > 1 {
                    continue;
                }
                ' '
            } else {
                gap = 0;
                fold(c)
            };
            count += 1;
            last = c;
            if !self.step(&mut row, c, count) {
                break;
            }
        }
        match best {
            Some((end, _)) => Try::Match(end, self.number),
            None => Try::No,
        }
    }

    /// Takes a letter. Whether the term can still be near.
    fn step(&self, row: &mut [u8; LONGEST + 1], c: char, count: usize) -> bool {
        let length = self.letters.len();
        let from = count.saturating_sub(self.distance);
        if from > length {
            return false;
        }
        let to = (count + self.distance).min(length);
        // The cell before the first of the band, as it was, and as it is now.
        let mut diagonal = if from == 0 { u8::MAX } else { row[from - 1] };
        let mut left = u8::MAX;
        if from > 0 {
            row[from - 1] = u8::MAX;
        }
        let mut near = false;
        for (at, cell) in row.iter_mut().enumerate().take(to + 1).skip(from) {
            let above = *cell;
            let here = if at == 0 {
                u8::try_from(count).unwrap_or(u8::MAX)
            } else {
                let same = self.letters[at - 1] == c;
                diagonal
                    .saturating_add(u8::from(!same))
                    .min(above.saturating_add(1))
                    .min(left.saturating_add(1))
            };
            *cell = here;
            near |= usize::from(here) <= self.distance;
            diagonal = above;
            left = here;
        }
        near
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn wrong_missing_and_additional_letters_are_seen_past() {
        let lynx = Fuzzy::new("Project Lynx", 2, 0).expect("it is long enough");
        for (text, expected) in [
            ("project lynx", Try::Match(12, 0)),
            ("projekt lynx.", Try::Match(12, 0)),
            ("prject  lynx, a", Try::Match(12, 0)),
            ("projject linx", Try::Match(13, 0)),
            ("projectlynx", Try::Match(11, 0)),
            ("progekt linx", Try::No),
            ("project", Try::No),
        ] {
            assert_eq!(lynx.at(text, true), expected, "{text}");
        }
        assert_eq!(lynx.at("projekt ly", false), Try::More);
        assert_eq!(lynx.at("products of", false), Try::No);
        assert!(Fuzzy::new("ab", 2, 0).is_none());
    }

    fn distance(a: &[char], b: &[char]) -> usize {
        let mut row: Vec<usize> = (0..=b.len()).collect();
        for (i, x) in a.iter().enumerate() {
            let mut before = row[0];
            row[0] = i + 1;
            for (j, y) in b.iter().enumerate() {
                let here = (before + usize::from(x != y))
                    .min(row[j] + 1)
                    .min(row[j + 1] + 1);
                before = row[j + 1];
                row[j + 1] = here;
            }
        }
        row[b.len()]
    }

    proptest! {
        /// The band finds a word exactly where the whole table does.
        #[test]
        fn a_word_is_found_where_it_is_near(term in "[ab]{3,9}", word in "[abc]{1,9}", most in 1usize..4) {
            let fuzzy = Fuzzy::new(&term, most, 0).expect("it is long enough");
            let most = most.min(term.len() / 3);
            let (a, b): (Vec<char>, Vec<char>) = (term.chars().collect(), word.chars().collect());
            let found = fuzzy.at(&word, true) == Try::Match(word.len(), 0);
            prop_assert_eq!(found, distance(&a, &b) <= most);
        }
    }
}
