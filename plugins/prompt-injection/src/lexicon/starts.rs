//! May one of these words start here? Told from the next two or four bytes, before the trie is asked.
//!
//! Nearly every word of a text is refused by this look into a small table, whose answer costs no branch that depends on the word.

/// A set of hashes of 15 bits.
type Hashes = [u64; 512];

/// The words' first bytes. It may say yes where none starts, and never no where one does.
pub(super) struct Starts {
    /// Of words whose first part is shorter than four bytes: their first two.
    two: Box<Hashes>,
    /// Of the others: their first four.
    four: Box<Hashes>,
}

impl Starts {
    pub(super) fn of<'w>(words: impl Iterator<Item = &'w str>) -> Self {
        let mut starts = Starts {
            two: Box::new([0; 512]),
            four: Box::new([0; 512]),
        };
        for word in words {
            let bytes = word.as_bytes();
            // How the first part goes on isn't known: white space may be longer than here.
            let part = bytes.iter().position(|b| normal(*b) == b' ');
            match (part.unwrap_or(bytes.len()), bytes) {
                (4.., [a, b, c, d, ..]) => put(&mut starts.four, hash([*a, *b, *c, *d])),
                (_, [a, b, ..]) => put(&mut starts.two, hash([*a, *b, 0, 0])),
                (_, [a]) => (0..=255).for_each(|b| put(&mut starts.two, hash([*a, b, 0, 0]))),
                (_, []) => {}
            }
        }
        starts
    }

    /// False only if none of the words starts here.
    #[inline]
    pub(super) fn may(&self, text: &[u8]) -> bool {
        match *text {
            [a, b, c, d, ..] => {
                has(&self.four, hash([a, b, c, d])) || has(&self.two, hash([a, b, 0, 0]))
            }
            [] => false,
            // At the end, where the trie is quick.
            _ => true,
        }
    }

    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        2 * size_of::<Hashes>()
    }
}

/// Each byte as the trie takes it: in lower case, and all that stands for a space as one.
const NORMAL: [u8; 256] = {
    let mut normal = [0; 256];
    let mut b = 0;
    while b < 256 {
        normal[b] = match b as u8 {
            b'-' | b'_' | b'\t' | b'\n' | b'\r' => b' ',
            b => b.to_ascii_lowercase(),
        };
        b += 1;
    }
    normal
};

#[inline]
fn normal(b: u8) -> u8 {
    NORMAL[usize::from(b)]
}

#[inline]
fn hash([a, b, c, d]: [u8; 4]) -> usize {
    let word = u32::from_le_bytes([normal(a), normal(b), normal(c), normal(d)]);
    (word.wrapping_mul(0x9E37_79B1) >> 17) as usize
}

fn put(hashes: &mut Hashes, hash: usize) {
    hashes[hash / 64] |= 1 << (hash % 64);
}

#[inline]
fn has(hashes: &Hashes, hash: usize) -> bool {
    hashes[hash / 64] & 1 << (hash % 64) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_is_missed_and_most_others_are() {
        let starts = Starts::of(["ignore", "do not follow", "无视", "a"].into_iter());
        for text in [
            "IGNORE it",
            "do  not",
            "Do-not",
            "do\nnot",
            "无视之",
            "a b",
            "ign",
            "a",
        ] {
            assert!(starts.may(text.as_bytes()), "{text}");
        }
        let others = ["hello", "igloo", "which", "12 34", "之前的"];
        assert!(others.iter().all(|text| !starts.may(text.as_bytes())));
    }
}
