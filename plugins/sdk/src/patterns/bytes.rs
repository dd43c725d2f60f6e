//! Which bytes make words.

/// A letter, digit or underscore. What begins in the midst of these is part of a longer word.
pub(super) const WORD: u8 = 1;
/// A match can begin with it, although it begins no word.
pub(super) const MARK: u8 = 2;

/// A set of bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes([u64; 4]);

impl Bytes {
    /// No byte.
    pub const NONE: Bytes = Bytes([0; 4]);

    /// These bytes.
    #[must_use]
    pub const fn of(bytes: &[u8]) -> Bytes {
        let mut set = [0; 4];
        let mut n = 0;
        while n < bytes.len() {
            set[(bytes[n] >> 6) as usize] |= 1 << (bytes[n] & 63);
            n += 1;
        }
        Bytes(set)
    }

    /// Whether this byte is in the set.
    #[must_use]
    pub const fn has(&self, byte: u8) -> bool {
        self.0[(byte >> 6) as usize] & 1 << (byte & 63) != 0
    }
}

/// What each byte may be.
pub(super) const fn classes(marks: Bytes) -> [u8; 256] {
    let mut classes = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        if is_word_byte(byte) {
            classes[b] |= WORD;
        }
        if marks.has(byte) {
            classes[b] |= MARK;
        }
        b += 1;
    }
    classes
}

const WORDS: [bool; 256] = {
    let mut words = [false; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        words[b] = byte.is_ascii_alphanumeric() || byte == b'_' || matches!(byte, 0xc3..=0xc9);
        b += 1;
    }
    words
};

/// Whether a character that starts with this byte is part of a word: ASCII letters, digits, `_`, and the letters from À to ɏ. The last are two
/// bytes; the first counts, the second goes with it. All other letters beyond ASCII are no part of a word.
#[must_use]
pub const fn is_word_byte(byte: u8) -> bool {
    WORDS[byte as usize]
}

/// The same of a character.
#[must_use]
pub fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || ('\u{c0}'..='\u{27f}').contains(&c)
}

/// How many bytes the character of a word takes that starts with this byte.
#[must_use]
pub const fn width(byte: u8) -> usize {
    if byte < 0x80 { 1 } else { 2 }
}
