//! Shapes of keys: which letters, how many, and how random.

use witgate_policy::patterns::{Answer, Cursor, More, Word, is_word_byte};

/// A set of letters, as bits of [`LETTERS`].
pub(crate) type Set = u16;

const D27: Set = 1;
const D0189: Set = 2;
const AF: Set = 4;
const GZ: Set = 8;
const UPPER_AF: Set = 16;
const UPPER_GZ: Set = 32;
const UNDER: Set = 64;
const DASH: Set = 128;
const PLUS_SLASH: Set = 256;
const EQUALS: Set = 512;
const DOT: Set = 1024;

pub(crate) const DIGIT: Set = D27 | D0189;
/// `0-9a-f`
pub(crate) const HEX: Set = DIGIT | AF;
/// The same in any case.
pub(crate) const HEX_ANY: Set = HEX | UPPER_AF;
/// `a-z0-9`
pub(crate) const LOW: Set = HEX | GZ;
/// `A-Z0-9`
pub(crate) const UP: Set = DIGIT | UPPER_AF | UPPER_GZ;
/// `A-Z2-7`
pub(crate) const BASE32: Set = D27 | UPPER_AF | UPPER_GZ;
pub(crate) const LETTER: Set = AF | GZ | UPPER_AF | UPPER_GZ;
pub(crate) const ALNUM: Set = LETTER | DIGIT;
/// Letters, digits and `_`.
pub(crate) const NAME: Set = ALNUM | UNDER;
/// The same and `-`: base64 as in URLs.
pub(crate) const URL: Set = NAME | DASH;
/// The same and `=`.
pub(crate) const URL_PADDED: Set = URL | EQUALS;
pub(crate) const DASHED: Set = ALNUM | DASH;
pub(crate) const LOW_DASHED: Set = LOW | DASH;
pub(crate) const BASE64: Set = ALNUM | PLUS_SLASH;
pub(crate) const BASE64_PADDED: Set = BASE64 | EQUALS;
/// Whatever tokens have in them.
pub(crate) const ANY: Set = URL_PADDED | PLUS_SLASH | DOT;
/// Without `+` and `/`.
pub(crate) const DOTTED: Set = URL_PADDED | DOT;

const LETTERS: [Set; 256] = {
    let mut letters = [0; 256];
    let mut b = 0;
    while b < 256 {
        letters[b] = match b as u8 {
            b'2'..=b'7' => D27,
            b'0'..=b'9' => D0189,
            b'a'..=b'f' => AF,
            b'g'..=b'z' => GZ,
            b'A'..=b'F' => UPPER_AF,
            b'G'..=b'Z' => UPPER_GZ,
            b'_' => UNDER,
            b'-' => DASH,
            b'+' | b'/' => PLUS_SLASH,
            b'=' => EQUALS,
            b'.' => DOT,
            _ => 0,
        };
        b += 1;
    }
    letters
};

pub(crate) fn in_set(byte: u8, set: Set) -> bool {
    LETTERS[usize::from(byte)] & set != 0
}

/// A part of a shape.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// These letters, as they stand.
    Text(&'static str),
    /// So many of a set, as many as there are.
    Run(Set, u16, u16),
}

pub(crate) const fn text(text: &'static str) -> Part {
    Part::Text(text)
}

pub(crate) const fn of(set: Set, count: u16) -> Part {
    Part::Run(set, count, count)
}

pub(crate) const fn to(set: Set, least: u16, most: u16) -> Part {
    Part::Run(set, least, most)
}

/// Where the parts end that start at this offset.
pub(crate) fn matches(cursor: &Cursor<'_>, mut at: usize, parts: &[Part]) -> Answer {
    for part in parts {
        match *part {
            Part::Text(text) => {
                if !cursor.has(at, text)? {
                    return Ok(None);
                }
                at += text.len();
            }
            Part::Run(set, least, most) => {
                let from = at;
                while at - from < usize::from(most) && in_set(cursor.get(at)?, set) {
                    at += 1;
                }
                if at - from < usize::from(least) {
                    return Ok(None);
                }
            }
        }
    }
    // A longer run is another thing.
    let last = match parts.last() {
        Some(Part::Run(set, ..)) => *set & !(EQUALS | DOT),
        _ => 0,
    };
    let next = cursor.get(at)?;
    if is_word_byte(next) || in_set(next, last) {
        return Ok(None);
    }
    // A file's name goes on (`1f0e.png`), a sentence ends.
    if next == b'.' && is_word_byte(cursor.get(at + 1)?) {
        return Ok(None);
    }
    Ok(Some(at))
}

/// How random a text is: its entropy by letters, in tenths of a bit.
pub(crate) fn entropy(text: &str) -> u32 {
    let mut counts = [0u16; 128];
    for byte in text.bytes() {
        counts[usize::from(byte & 127)] += 1;
    }
    let length = text.len() as f32;
    let bits: f32 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = f32::from(*count) / length;
            -share * share.log2()
        })
        .sum();
    (bits * 10.0) as u32
}

/// What stands for a key in documents, and isn't one.
pub(crate) fn stands_for_one(text: &str) -> bool {
    let bytes = text.as_bytes();
    // A long run of one letter, or of letters in their order.
    let (mut same, mut rising) = (1, 1);
    for pair in bytes.windows(2) {
        same = if pair[0] == pair[1] { same + 1 } else { 1 };
        rising = if pair[0].checked_add(1) == Some(pair[1]) {
            rising + 1
        } else {
            1
        };
        if rising >= 20 || same >= 8 && same * 3 > bytes.len() {
            return true;
        }
    }
    let says = [
        "EXAMPLE",
        "PLACEHOLDER",
        "CHANGEME",
        "REDACTED",
        "YOUR_",
        "_HERE",
        "DUMMY",
    ];
    says.iter().any(|word| {
        let mut windows = bytes.windows(word.len());
        windows.any(|window| window.eq_ignore_ascii_case(word.as_bytes()))
    })
}

/// The assignment behind a name: the rest of the name, quotes, the mark, quotes. Where the value begins.
pub(crate) fn assigned(cursor: &Cursor<'_>, word_end: usize) -> Answer {
    let mut at = word_end;
    while at - word_end < 30 && (in_set(cursor.get(at)?, NAME | DASH | DOT)) {
        at += 1;
    }
    let from = at;
    while at - from < 4 && matches!(cursor.get(at)?, b' ' | b'\t' | b'"' | b'\'' | b'\\') {
        at += 1;
    }
    let mark = at;
    match cursor.get(at)? {
        b'=' => at += 1,
        b'>' | b',' => at += 1,
        b':' => {
            while at - mark < 3 && cursor.get(at)? == b':' {
                at += 1;
            }
        }
        b'|' | b'?' => {
            if !matches!(cursor.get(at + 1)?, b'|' | b'=') {
                return Ok(None);
            }
            at += 2;
        }
        _ => return Ok(None),
    }
    if matches!(cursor.get(at)?, b'=' | b'>') {
        at += 1;
    }
    let from = at;
    while at - from < 5 && matches!(cursor.get(at)?, b' ' | b'\t' | b'"' | b'\'' | b'`' | b'\\') {
        at += 1;
    }
    Ok(Some(at))
}

/// Whether an assignment may follow the word at all, as cheaply as that can be told.
pub(crate) fn may_be_assigned(cursor: &Cursor<'_>, word: &Word) -> Result<bool, More> {
    Ok(match word.next {
        None => true,
        Some(b' ' | b'\t') => {
            let at = cursor.start + word.length + 1;
            matches!(
                cursor.bytes().get(at),
                None | Some(b'=' | b':' | b'|' | b'?' | b'>' | b',' | b' ' | b'\t' | b'"' | b'\'')
            )
        }
        Some(next) => matches!(
            next,
            b'=' | b':' | b'"' | b'\'' | b'.' | b'-' | b'>' | b',' | b'|' | b'?' | b'\\'
        ),
    })
}
