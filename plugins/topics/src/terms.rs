//! Words and phrases, looked up word by word.

use std::collections::BTreeMap;

use crate::words::words;

/// The longest phrase, in words.
pub(crate) const LONGEST: usize = 8;

/// The number of a word, or of the beginning of one.
type Number = usize;

/// All terms. A term is found at its last word.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms {
    words: BTreeMap<String, Number>,
    /// What words may begin with, by length.
    beginnings: BTreeMap<usize, BTreeMap<String, Number>>,
    numbers: usize,
    /// By the number of their last word: the numbers of those before it, the nearest first, and the term's.
    phrases: BTreeMap<Number, Vec<(Vec<Number>, usize)>>,
}

/// The words that came last, the last one first, each by the numbers that it has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Last(std::collections::VecDeque<Vec<Number>>);

impl Terms {
    /// Adds a term under this number. A word of it that ends in `*` stands for all that begin so.
    pub(crate) fn add(&mut self, term: &str, number: usize) -> Result<(), String> {
        let mut numbers = Vec::new();
        for part in term.split_whitespace() {
            let (part, begins) = match part.strip_suffix('*') {
                Some(part) => (part, true),
                None => (part, false),
            };
            let found = words(part);
            let last = found.len().saturating_sub(1);
            for (n, word) in found.into_iter().enumerate() {
                numbers.push(self.number(word, begins && n == last));
            }
        }
        let Some((last, before)) = numbers.split_last() else {
            return Err("a term needs letters or digits".into());
        };
        if numbers.len() > LONGEST {
            return Err(format!("a phrase has at most {LONGEST} words"));
        }
        let before = before.iter().rev().copied().collect();
        let phrases = self.phrases.entry(*last).or_default();
        phrases.push((before, number));
        Ok(())
    }

    fn number(&mut self, word: String, begins: bool) -> Number {
        let next = self.numbers;
        let known = match begins {
            true => self.beginnings.entry(word.len()).or_default(),
            false => &mut self.words,
        };
        let number = *known.entry(word).or_insert(next);
        self.numbers += usize::from(number == next);
        number
    }

    /// Takes a word, and tells of each term that ends with it.
    pub(crate) fn word(&self, last: &mut Last, word: &str, mut found: impl FnMut(usize)) {
        let mut numbers: Vec<Number> = self.words.get(word).copied().into_iter().collect();
        for (length, beginnings) in &self.beginnings {
            let beginning = word.get(..*length);
            numbers.extend(beginning.and_then(|beginning| beginnings.get(beginning)));
        }
        for number in &numbers {
            for (before, term) in self.phrases.get(number).into_iter().flatten() {
                let mut earlier = last.0.iter();
                let all = before
                    .iter()
                    .all(|number| earlier.next().is_some_and(|word| word.contains(number)));
                if all {
                    found(*term);
                }
            }
        }
        last.0.push_front(numbers);
        last.0.truncate(LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_found_at_their_last_word() {
        let mut terms = Terms::default();
        for (n, term) in ["bomb*", "pipe bomb", "Übung", "炸弹", "e-mail"]
            .into_iter()
            .enumerate()
        {
            terms.add(term, n).expect("it has letters");
        }
        for (text, expected) in [
            ("a BOMBER", vec![0]),
            ("a pipe, bomb", vec![0, 1]),
            ("a bomb pipe", vec![0]),
            ("übung übungen", vec![2]),
            ("这炸弹了", vec![3]),
            ("e mail, email", vec![4]),
        ] {
            let mut last = Last::default();
            let mut found = Vec::new();
            for word in words(text) {
                terms.word(&mut last, &word, |term| found.push(term));
            }
            found.sort_unstable();
            assert_eq!(found, expected, "{text}");
        }
        assert!(terms.add(" * -", 9).is_err());
        assert!(terms.add("a b c d e f g h i", 9).is_err());
    }
}
