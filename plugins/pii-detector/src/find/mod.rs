//! Finds the entities in a text, in one pass over its bytes. At each word's start, a recogniser for each entity is tried.
//!
//! What must stay true, so that a text may be cut anywhere: a recogniser looks at no more than the two characters before
//! its start, and decides only when nothing that may follow can change its decision. Each recogniser is bounded, so no text
//! stays undecided for long.

mod cursor;
mod email;
mod iban;
mod ip;
mod keys;
mod number;
mod phone;

use witgate_policy::redact::{Found, Scan, View};

use crate::entity::Entity;
use crate::settings::Set;
use cursor::{Cursor, More};

/// A letter, digit or underscore. What begins in the midst of these is part of a longer word.
const WORD: u8 = 1;
const DIGIT: u8 = 2;
const HEX: u8 = 4;
/// A byte of an address's local part.
const LOCAL: u8 = 8;
/// An entity can begin with it, although it begins no word: `+`, `(`, `:`, `-`.
const MARK: u8 = 16;
/// A prefixed key can begin with it.
const KEY: u8 = 32;
/// A byte of base64 as in URLs.
const URL: u8 = 64;
/// A byte of a private key's text between its lines of dashes.
const PEM: u8 = 128;

/// What each byte may be. Letters from À to ʯ are two bytes; the first counts as a letter, the second goes with it.
/// All other letters beyond ASCII are no part of any entity and no part of a word around one.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut b = 0;
    while b < 256 {
        let byte = b as u8;
        class[b] = match byte {
            b'0'..=b'9' => WORD | LOCAL | HEX | DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => WORD | LOCAL | HEX,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' | 0xc3..=0xc9 => WORD | LOCAL,
            b'-' | b'+' => LOCAL | MARK,
            b'.' | b'%' => LOCAL,
            b'(' | b':' => MARK,
            _ => 0,
        };
        if matches!(byte, b'A' | b'c' | b'e' | b'g' | b's' | b'x') {
            class[b] |= KEY;
        }
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            class[b] |= URL;
        }
        let marks = matches!(byte, b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'.' | b'_');
        if byte.is_ascii_alphanumeric() || marks || matches!(byte, b' ' | b'\r' | b'\n' | b'\t') {
            class[b] |= PEM;
        }
        b += 1;
    }
    class
};

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// Whether this character is part of a word, as [`WORD`] has it.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || ('\u{c0}'..='\u{27f}').contains(&c)
}

/// How many bytes the letter takes that starts with this byte.
fn width(byte: u8) -> usize {
    if byte < 0x80 { 1 } else { 2 }
}

#[cfg(test)]
thread_local! {
    /// How many bytes were looked at, each as often as it was.
    pub(crate) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Tests count steps where time would tell nothing.
#[inline(always)]
fn count_step() {
    #[cfg(test)]
    STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// `Ok(Some(end))` where the entity was found, `Ok(None)` where it isn't there, or [`More`] of the text is needed.
type Answer = Result<Option<usize>, More>;

/// The first entity of the set at or after `from`.
pub(crate) fn scan(entities: Set, view: &View<'_>, from: usize) -> Scan {
    let bytes = view.text.as_bytes();
    let mut at = from;
    let mut in_word = view.before(from).0.is_some_and(is_word);
    let mut locals = email::Runs::default();
    while at < bytes.len() {
        count_step();
        let class = class(bytes[at]);
        let starts = class & MARK != 0 || class & WORD != 0 && !in_word;
        let end = match class & WORD {
            0 => at + 1,
            _ => word_end(bytes, at),
        };
        if starts {
            let word = Word {
                first: bytes[at],
                class,
                length: end - at,
                next: bytes.get(end).copied(),
            };
            match entity_at(entities, view, at, word, &mut locals) {
                Ok(None) => {}
                Ok(Some(At::Version(end))) => {
                    at = end;
                    in_word = true;
                    continue;
                }
                Ok(Some(At::Found(start, end, entity))) => {
                    return Scan::Found(Found {
                        start,
                        end,
                        kind: entity as usize,
                    });
                }
                Err(More(None)) => return Scan::Clear(at),
                Err(More(Some(wait))) => return Scan::Waits(at, wait),
            }
        }
        in_word = class & WORD != 0;
        at = end;
    }
    Scan::Clear(bytes.len())
}

/// Where the word around these bytes ends.
fn word_end(bytes: &[u8], mut at: usize) -> usize {
    while at < bytes.len() && class(bytes[at]) & WORD != 0 {
        count_step();
        at += width(bytes[at]);
    }
    at
}

/// The word, or the mark, that an entity would begin with. Most words are followed by what no entity has there, and that is cheaper to
/// ask first than each recogniser.
struct Word {
    first: u8,
    /// What its first byte may be.
    class: u8,
    length: usize,
    /// The byte after it, where that has come.
    next: Option<u8>,
}

impl Word {
    fn begins(&self, class: u8) -> bool {
        self.class & class != 0
    }

    /// Whether a byte of these may follow.
    fn before(&self, bytes: &[u8]) -> bool {
        self.next.is_none_or(|next| bytes.contains(&next))
    }

    /// Whether it may be a word with this first letter that says what follows.
    fn announces(&self, letter: u8) -> bool {
        self.first.eq_ignore_ascii_case(&letter) && (self.length >= 3 || self.next.is_none())
    }

    fn may_be_key(&self) -> bool {
        self.begins(KEY) && (self.length >= 8 || self.before(b"-"))
    }

    fn may_be_email(&self) -> bool {
        let goes_on = |byte| class(byte) & LOCAL != 0 || byte == b'@';
        self.begins(WORD) && self.next.is_none_or(goes_on)
    }

    fn may_be_v6(&self) -> bool {
        self.begins(HEX) && self.length <= 4 && self.before(b":")
    }

    fn may_be_v4(&self) -> bool {
        self.begins(DIGIT) && self.length <= 3 && self.before(b".")
    }

    fn may_be_iban(&self) -> bool {
        let grouped = self.length == 4 && self.before(b" ");
        self.begins(WORD)
            && !self.begins(DIGIT)
            && (grouped || self.length >= 15 || self.next.is_none())
    }

    fn may_be_number(&self) -> bool {
        let grouped = self.length >= 3 && self.before(b" -");
        self.begins(DIGIT) && (grouped || self.length >= 13 || self.next.is_none())
    }

    fn may_be_phone(&self) -> bool {
        self.begins(DIGIT) && self.length <= 6 && self.before(b" -./")
    }
}

/// What is here.
enum At {
    /// An entity, from there to there.
    Found(usize, usize, Entity),
    /// What looks like an address and is a version, up to there.
    Version(usize),
}

/// The entity that starts right here, or that the word here says will follow. The first recogniser that finds something, or needs more of the text, decides.
fn entity_at(
    entities: Set,
    view: &View<'_>,
    at: usize,
    word: Word,
    locals: &mut email::Runs,
) -> Result<Option<At>, More> {
    let cursor = Cursor::new(view, at);
    let wanted = |entity| entities.has(entity);
    let found = |end: Option<usize>, entity| end.map(|end| At::Found(at, end, entity));
    let mark = word.begins(MARK);
    if (mark || word.may_be_key()) && wanted(Entity::ApiKey) {
        let end = match mark {
            false => keys::prefixed(&cursor)?,
            true => keys::block(&cursor)?,
        };
        if end.is_some() {
            return Ok(found(end, Entity::ApiKey));
        }
        if mark && let Some((start, end)) = keys::password(&cursor)? {
            return Ok(Some(At::Found(start, end, Entity::ApiKey)));
        }
    }
    if word.may_be_email()
        && wanted(Entity::Email)
        && let Some(end) = email::address(&cursor, locals)?
    {
        return Ok(found(Some(end), Entity::Email));
    }
    if (mark && view.text.as_bytes()[at] == b':' || word.may_be_v6())
        && wanted(Entity::Ip)
        && let Some(end) = ip::v6(&cursor)?
    {
        return Ok(found(Some(end), Entity::Ip));
    }
    if word.may_be_v4()
        && wanted(Entity::Ip)
        && let Some(end) = ip::v4(&cursor)?
    {
        return Ok(found(Some(end), Entity::Ip));
    }
    if word.may_be_iban()
        && wanted(Entity::Iban)
        && let Some(end) = iban::iban(&cursor)?
    {
        return Ok(found(Some(end), Entity::Iban));
    }
    if word.may_be_number() {
        if wanted(Entity::Card)
            && let Some(end) = number::card(&cursor)?
        {
            return Ok(found(Some(end), Entity::Card));
        }
        if wanted(Entity::Ssn)
            && let Some(end) = number::ssn(&cursor)?
        {
            return Ok(found(Some(end), Entity::Ssn));
        }
    }
    if (mark || word.may_be_phone()) && wanted(Entity::Phone) {
        return Ok(found(phone::phone(&cursor)?, Entity::Phone));
    }
    if word.announces(b's')
        && wanted(Entity::Ssn)
        && let Some((start, end)) = number::announced_ssn(&cursor, at + word.length)?
    {
        return Ok(Some(At::Found(start, end, Entity::Ssn)));
    }
    if (word.announces(b'v') || word.announces(b'r') || word.announces(b'b'))
        && wanted(Entity::Ip)
        && let Some(end) = ip::version(&cursor, at + word.length)?
    {
        return Ok(Some(At::Version(end)));
    }
    Ok(None)
}
