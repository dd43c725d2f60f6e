//! What an entry has room for. The journal takes a mebibyte, and nothing that an exchange brings is bounded by that.
//!
//! What must stay true: a text is kept whole, or as much of it as fits with a [`Cut`] that says how long it was and what its
//! hash is; an item of an array is kept, or counted. So an entry always fits, whatever was in the exchange.

use std::borrow::Cow;
use std::fmt::Display;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// What a mark takes at most, in bytes of JSON: its pointer has no more than six short steps.
pub(crate) const MARK: usize = 256;
/// Texts in one item of an array, at most.
const TEXTS: usize = 4;
/// What is never given to a text, so that the marks of an item fit.
const RESERVE: usize = TEXTS * MARK;
/// What stands at the end of a text that was cut, for people.
const ELLIPSIS: &str = "…";

/// Something that isn't in the entry as a whole.
#[derive(Debug, Serialize)]
pub(crate) struct Cut {
    /// Where, as a JSON pointer into the entry.
    at: String,
    /// Items that are left out at the array's end.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// The length of the whole text; of the texts that are left out, all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// The SHA-256 of the whole text; of the texts that are left out, as `capture: hash` makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// A part of the entry, with the bytes of JSON that it may still take.
pub(crate) struct Room<'c> {
    left: usize,
    cuts: &'c mut Vec<Cut>,
}

impl<'c> Room<'c> {
    pub(crate) fn new(bytes: usize, cuts: &'c mut Vec<Cut>) -> Self {
        Self { left: bytes, cuts }
    }

    /// The text, or as much of it as fits and `most` allows.
    pub(crate) fn text<'t>(
        &mut self,
        at: impl Display,
        text: impl Into<Cow<'t, str>>,
        most: usize,
    ) -> Cow<'t, str> {
        let text = text.into();
        let limit = most.min(self.left.saturating_sub(RESERVE));
        match fitting(&text, limit) {
            Fitting::Whole(size) => {
                self.left -= size;
                text
            }
            Fitting::Part { end, size } => {
                self.left = self.left.saturating_sub(size + ELLIPSIS.len() + MARK);
                self.cuts.push(Cut {
                    at: at.to_string(),
                    more: None,
                    bytes: Some(text.len() as u64),
                    sha256: Some(format!("{:x}", Sha256::digest(&*text))),
                });
                Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
            }
        }
    }

    /// Whether an array's next item fits, which takes so many bytes beside its texts.
    pub(crate) fn item(&mut self, bytes: usize) -> bool {
        let fits = self.left >= bytes + RESERVE;
        if fits {
            self.left -= bytes;
        }
        fits
    }

    /// So many items don't stand at the array's end.
    pub(crate) fn more(&mut self, at: impl Display, items: usize, rest: Option<(u64, String)>) {
        if items == 0 {
            return;
        }
        let (bytes, sha256) = rest.unzip();
        self.left = self.left.saturating_sub(MARK);
        self.cuts.push(Cut {
            at: at.to_string(),
            more: Some(items),
            bytes,
            sha256,
        });
    }
}

enum Fitting {
    /// All of it, with so many bytes in JSON.
    Whole(usize),
    /// Only what lies before `end`.
    Part { end: usize, size: usize },
}

/// How much of a text takes at most `limit` bytes within quotes.
fn fitting(text: &str, limit: usize) -> Fitting {
    let mut size = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escaped = match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..0x20 => 6,
            _ => 1,
        };
        if size + escaped > limit {
            let mut end = at;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            return Fitting::Part { end, size };
        }
        size += escaped;
    }
    Fitting::Whole(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str, most: usize) -> (String, Vec<Cut>) {
        let mut cuts = Vec::new();
        let kept = Room::new(1 << 20, &mut cuts).text("/it", text, most);
        (kept.into_owned(), cuts)
    }

    #[test]
    fn a_text_that_fits_is_kept_as_it_is() {
        let (text, cuts) = kept("\u{1}\"é", 10);
        assert_eq!((text.as_str(), cuts.len()), ("\u{1}\"é", 0));
    }

    #[test]
    fn a_text_is_cut_by_what_it_takes_in_json_and_between_letters() {
        assert_eq!(kept("\u{1}\"é", 9).0, "\u{1}\"…");
        assert_eq!(kept("\u{1}\"é", 7).0, "\u{1}…");
        assert_eq!(kept("\u{1}\"é", 5).0, "…");
    }

    #[test]
    fn what_was_cut_is_known_by_its_length_and_its_hash() {
        let (_, cuts) = kept("abc", 2);
        let cut = serde_json::to_string(&cuts[0]).expect("it is JSON");
        // printf abc | sha256sum
        let expected = r#"{"at":"/it","bytes":3,"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#;
        assert_eq!(cut, expected);
    }

    #[test]
    fn where_nothing_is_left_no_item_fits_and_a_text_is_its_mark() {
        let mut cuts = Vec::new();
        let mut room = Room::new(RESERVE + 9, &mut cuts);
        assert!(!room.item(10));
        assert!(room.item(9));
        assert_eq!(room.text("/it", "abc", 100), "…");
        assert!(!room.item(1));
    }
}
