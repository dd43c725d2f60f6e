//! A trie in two arrays: what words start here?
//!
//! Nearly every place in a text starts no anchor word, and a trie knows after a byte or two, where an automaton that
//! finds words anywhere would take every byte in. It is a third of the size, too.

use crate::steps;

/// No word ends here.
const NONE: u16 = u16::MAX;

/// The trie. A state is an index; its child by the byte of class `c` is `base + c`, if that one's `parent` is the state.
pub(super) struct Trie {
    classes: [u8; 256],
    nodes: Vec<Node>,
}

#[derive(Clone, Copy)]
struct Node {
    base: u16,
    parent: u16,
    /// The word that ends here.
    word: u16,
}

const FREE: Node = Node {
    base: 0,
    parent: NONE,
    word: NONE,
};

impl Trie {
    /// Builds it of `words`, sorted and each once. A match says its index.
    ///
    /// # Errors
    ///
    /// A sentence, if there are too many words for 16-bit indices.
    pub(super) fn new(words: &[&str]) -> Result<Self, String> {
        let mut classes = [0; 256];
        let mut used = 0;
        for word in words {
            for b in word.bytes() {
                if classes[usize::from(b)] == 0 {
                    used += 1;
                    classes[usize::from(b)] = used;
                }
            }
        }
        let mut trie = Trie {
            classes,
            nodes: vec![FREE; 512],
        };
        trie.nodes[0].parent = 0;
        // The states that are still to be placed: the state, its words, and how many of their bytes led to it.
        let mut open = vec![(0usize, 0..words.len(), 0usize)];
        // Where to look for room for this many children. The part before is nearly full.
        let mut hints = [1usize; 8];
        while let Some((state, mut range, depth)) = open.pop() {
            if words[range.start].len() == depth {
                trie.nodes[state].word = narrow(range.start)?;
                range.start += 1;
            }
            let mut children: Vec<(usize, std::ops::Range<usize>)> = Vec::new();
            for i in range {
                let class = usize::from(classes[usize::from(words[i].as_bytes()[depth])]);
                match children.last_mut() {
                    Some((last, words)) if *last == class => words.end = i + 1,
                    _ => children.push((class, i..i + 1)),
                }
            }
            if children.is_empty() {
                continue;
            }
            let lowest = children.iter().map(|(class, _)| *class).min().unwrap_or(0);
            let free = |trie: &Trie, base: usize| {
                children.iter().all(|(class, _)| {
                    trie.nodes
                        .get(base + class)
                        .is_none_or(|node| node.parent == NONE)
                })
            };
            let hint = &mut hints[children.len().min(7)];
            let mut base = (*hint).saturating_sub(lowest).max(1);
            while !free(&trie, base) {
                base += 1;
            }
            *hint = base + lowest;
            trie.nodes[state].base = narrow(base)?;
            if trie.nodes.len() < base + 256 {
                trie.nodes.resize(base + 256, FREE);
            }
            for (class, words) in children {
                trie.nodes[base + class].parent = narrow(state)?;
                open.push((base + class, words, depth + 1));
            }
        }
        trie.nodes.shrink_to_fit();
        Ok(trie)
    }

    /// Bytes of memory.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        size_of_val(&self.nodes[..]) + size_of::<Self>()
    }

    /// Passes the words that `text` starts with to `each`, shortest first: the index, and the bytes. Letters of `text`
    /// are taken as lower case; a hyphen, an underscore or any run of white space, also escaped, is as good as a space.
    #[inline]
    pub(super) fn prefixes(&self, text: &[u8], mut each: impl FnMut(u16, usize)) {
        let (mut state, mut in_space, mut escaped) = (0, false, false);
        for (i, b) in text.iter().enumerate() {
            steps::took(1);
            let escapes = *b == b'\\' && matches!(text.get(i + 1), Some(b'n' | b'r' | b't'));
            let space = escapes || escaped || matches!(b, b' ' | b'\t' | b'\n' | b'\r');
            escaped = escapes;
            if space && in_space {
                continue;
            }
            in_space = space;
            let b = if space { b' ' } else { b.to_ascii_lowercase() };
            let Some(next) = self.child(state, b) else {
                return;
            };
            let word = self.nodes[next].word;
            if word != NONE {
                each(word, i + 1);
            }
            state = next;
        }
    }

    #[inline]
    fn child(&self, state: usize, b: u8) -> Option<usize> {
        let step = |b: u8| {
            let class = self.classes[usize::from(b)];
            let next = usize::from(self.nodes[state].base) + usize::from(class);
            let found = class != 0
                && self
                    .nodes
                    .get(next)
                    .is_some_and(|node| usize::from(node.parent) == state);
            found.then_some(next)
        };
        // A mark that joins words may stand for the space between them.
        step(b).or_else(|| {
            if matches!(b, b'-' | b'_') {
                step(b' ')
            } else {
                None
            }
        })
    }
}

fn narrow(n: usize) -> Result<u16, String> {
    u16::try_from(n)
        .ok()
        .filter(|n| *n != NONE)
        .ok_or_else(|| "the table of words has grown past what its index holds".to_owned())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;

    fn found(trie: &Trie, text: &str) -> Vec<(u16, usize)> {
        let mut found = Vec::new();
        trie.prefixes(text.as_bytes(), |word, end| found.push((word, end)));
        found
    }

    #[test]
    fn every_word_and_no_other_is_found() {
        let words = ["a", "ab", "abc", "b", "bcd", "é", "漢字"];
        let trie = Trie::new(&words).unwrap();
        assert_eq!(found(&trie, "ABCD"), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(found(&trie, "bc"), [(3, 1)]);
        assert_eq!(found(&trie, "漢字表"), [(6, 6)]);
        let two = ["do not", "é"];
        let spaced = Trie::new(&two).unwrap();
        assert_eq!(found(&spaced, "Do \n\tnot"), [(0, 8)]);
        assert!(found(&trie, "cab").is_empty());
        assert!(found(&trie, "").is_empty());
        for (i, word) in words.iter().enumerate() {
            assert_eq!(found(&trie, word).last(), Some(&(i as u16, word.len())));
        }
    }
}
