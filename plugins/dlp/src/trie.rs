//! Terms as they are written: all of them at once, by their letters.

use witgate_policy::patterns::count_step;

use crate::Try;
use crate::letters::{LONGEST_GAP, fold, is_gap, is_word, normal};

/// Terms by their letters. Of those that start at a place the longest is found.
#[derive(Clone, Debug)]
pub(crate) struct Trie {
    nodes: Vec<Node>,
    /// Whether upper and lower case are the same.
    folds: bool,
}

#[derive(Clone, Debug, Default)]
struct Node {
    next: Vec<(char, usize)>,
    term: Option<usize>,
}

impl Trie {
    pub(crate) fn new(folds: bool) -> Trie {
        Trie {
            nodes: vec![Node::default()],
            folds,
        }
    }

    /// Adds a term under this number. Whether it has letters.
    pub(crate) fn add(&mut self, term: &str, number: usize) -> bool {
        let letters = normal(term, self.folds);
        let mut at = 0;
        for letter in &letters {
            let next = &self.nodes[at].next;
            at = match next.binary_search_by_key(letter, |(c, _)| *c) {
                Ok(found) => next[found].1,
                Err(place) => {
                    let new = self.nodes.len();
                    self.nodes.push(Node::default());
                    self.nodes[at].next.insert(place, (*letter, new));
                    new
                }
            };
        }
        if at > 0 {
            self.nodes[at].term.get_or_insert(number);
        }
        at > 0
    }

    /// The letters that a term begins with, in lower case where that is the same.
    pub(crate) fn first_letters(&self) -> impl Iterator<Item = char> {
        self.nodes[0].next.iter().map(|(c, _)| *c)
    }

    /// The longest term that starts with this text, which goes on unless `end` is set. A letter stands before it or not.
    pub(crate) fn at(&self, text: &str, end: bool, in_word: bool) -> Try {
        let mut node = 0;
        let mut found = Try::No;
        let mut chars = text.char_indices().peekable();
        loop {
            count_step();
            let next = chars.peek().copied();
            if next.is_none() && !end && (node == 0 || !self.is_last(node)) {
                return Try::More;
            }
            let (place, letter) = match next {
                Some((place, c)) => (place, Some(c)),
                None => (text.len(), None),
            };
            if let (Some(term), Some(last)) = (self.nodes[node].term, text[..place].chars().last())
            {
                if is_word(last) && letter.is_none() && !end {
                    return Try::More;
                }
                if !is_word(last) || !letter.is_some_and(is_word) {
                    found = Try::Match(place, term);
                }
            }
            let Some(c) = letter else { return found };
            let gap = is_gap(c);
            let c = match (gap, self.folds) {
                (true, _) => ' ',
                (false, true) => fold(c),
                (false, false) => c,
            };
            let Some(to) = self.next(node, c) else {
                return found;
            };
            if node == 0 && in_word && is_word(c) {
                return Try::No;
            }
            node = to;
            chars.next();
            let mut length = 1;
            while gap && chars.peek().is_some_and(|(_, c)| is_gap(*c)) {
                chars.next();
                length += 1;
                if length > LONGEST_GAP {
                    return found;
                }
            }
        }
    }

    /// Whether no term goes on here, and none needs the letter behind it.
    fn is_last(&self, node: usize) -> bool {
        self.nodes[node].next.is_empty() && self.nodes[node].term.is_some()
    }

    fn next(&self, node: usize, c: char) -> Option<usize> {
        let next = &self.nodes[node].next;
        let found = next.binary_search_by_key(&c, |(c, _)| *c).ok()?;
        Some(next[found].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trie(terms: &[&str]) -> Trie {
        let mut trie = Trie::new(true);
        for (n, term) in terms.iter().enumerate() {
            trie.add(term, n);
        }
        trie
    }

    #[test]
    fn the_longest_term_is_found_as_whole_words_in_any_case() {
        let trie = trie(&["Project Lynx", "project", "机密", "C++"]);
        for (text, end, expected) in [
            ("PROJECT  lynx.", false, Try::Match(13, 0)),
            ("project-lynx", true, Try::Match(12, 0)),
            ("project-lynx", false, Try::More),
            ("project-lynxes", false, Try::Match(7, 1)),
            ("project ", false, Try::More),
            ("project ", true, Try::Match(7, 1)),
            ("projects", false, Try::No),
            ("机密文件", false, Try::Match(6, 2)),
            ("机密", false, Try::Match(6, 2)),
            ("c++", false, Try::Match(3, 3)),
            ("c+", false, Try::More),
            ("c+", true, Try::No),
        ] {
            assert_eq!(trie.at(text, end, false), expected, "{text} {end}");
        }
        assert_eq!(trie.at("project.", false, true), Try::No);
        assert_eq!(trie.at("机密", false, true), Try::Match(6, 2));
    }
}
