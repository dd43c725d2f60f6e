//! Finds the entities in a text, in one pass over its bytes. At each word's start, a recogniser for each entity is tried: `patterns` of the SDK has
//! what must stay true of each, so that a text may be cut anywhere.

mod email;
mod iban;
mod ip;
mod keys;
mod number;
mod phone;

use witgate_policy::patterns::{self, At, Bytes, Cursor, More, Patterns, Word};
use witgate_policy::redact::{Scan, View};

use crate::entity::Entity;
use crate::settings::Set;

const DIGIT: u8 = 2;
const HEX: u8 = 4;
/// A byte of an address's local part.
const LOCAL: u8 = 8;
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
            b'0'..=b'9' => LOCAL | HEX | DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => LOCAL | HEX,
            b'g'..=b'z' | b'G'..=b'Z' | b'_' | 0xc3..=0xc9 => LOCAL,
            b'-' | b'+' | b'.' | b'%' => LOCAL,
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

/// The first entity of the set at or after `from`.
pub(crate) fn scan(entities: Set, view: &View<'_>, from: usize) -> Scan {
    patterns::scan(&Entities(entities), view, from)
}

/// The recognisers of these entities.
struct Entities(Set);

/// What a word may begin, by its first byte, its length and what follows it.
trait MayBe {
    fn begins(&self, class: u8) -> bool;
    fn announces(&self, letter: u8) -> bool;
    fn may_be_key(&self) -> bool;
    fn may_be_email(&self) -> bool;
    fn may_be_v6(&self) -> bool;
    fn may_be_v4(&self) -> bool;
    fn may_be_iban(&self) -> bool;
    fn may_be_number(&self) -> bool;
    fn may_be_phone(&self) -> bool;
}

impl MayBe for Word {
    fn begins(&self, class_bits: u8) -> bool {
        !self.is_mark && class(self.first) & class_bits != 0
    }

    /// Whether it may be a word with this first letter that says what follows.
    fn announces(&self, letter: u8) -> bool {
        self.first.eq_ignore_ascii_case(&letter) && (self.length >= 3 || self.next.is_none())
    }

    fn may_be_key(&self) -> bool {
        self.begins(KEY) && (self.length >= 8 || self.may_precede(b"-"))
    }

    fn may_be_email(&self) -> bool {
        let goes_on = |byte| class(byte) & LOCAL != 0 || byte == b'@';
        !self.is_mark && self.next.is_none_or(goes_on)
    }

    fn may_be_v6(&self) -> bool {
        self.begins(HEX) && self.length <= 4 && self.may_precede(b":")
    }

    fn may_be_v4(&self) -> bool {
        self.begins(DIGIT) && self.length <= 3 && self.may_precede(b".")
    }

    fn may_be_iban(&self) -> bool {
        let grouped = self.length == 4 && self.may_precede(b" ");
        !self.is_mark
            && !self.begins(DIGIT)
            && (grouped || self.length >= 15 || self.next.is_none())
    }

    fn may_be_number(&self) -> bool {
        let grouped = self.length >= 3 && self.may_precede(b" -");
        self.begins(DIGIT) && (grouped || self.length >= 13 || self.next.is_none())
    }

    fn may_be_phone(&self) -> bool {
        self.begins(DIGIT) && self.length <= 6 && self.may_precede(b" -./")
    }
}

impl Patterns for Entities {
    type Memory = email::Runs;
    const MARKS: Bytes = Bytes::of(b"+(:-");

    /// The entity that starts right here, or that the word here says will follow. The first recogniser that finds something, or needs more of the text, decides.
    fn at(
        &self,
        cursor: &Cursor<'_>,
        word: &Word,
        locals: &mut email::Runs,
    ) -> Result<Option<At>, More> {
        let entities = self.0;
        let at = cursor.start;
        let wanted = |entity| entities.has(entity);
        let found = |end: Option<usize>, entity| {
            end.map(|end| At::Found {
                start: at,
                end,
                kind: entity as usize,
            })
        };
        let mark = word.is_mark;
        if (mark || word.may_be_key()) && wanted(Entity::ApiKey) {
            let end = match mark {
                false => keys::prefixed(cursor)?,
                true => keys::block(cursor)?,
            };
            if end.is_some() {
                return Ok(found(end, Entity::ApiKey));
            }
            if mark && let Some((start, end)) = keys::password(cursor)? {
                return Ok(Some(At::Found {
                    start,
                    end,
                    kind: Entity::ApiKey as usize,
                }));
            }
        }
        if word.may_be_email()
            && wanted(Entity::Email)
            && let Some(end) = email::address(cursor, locals)?
        {
            return Ok(found(Some(end), Entity::Email));
        }
        if (mark && word.first == b':' || word.may_be_v6())
            && wanted(Entity::Ip)
            && let Some(end) = ip::v6(cursor)?
        {
            return Ok(found(Some(end), Entity::Ip));
        }
        if word.may_be_v4()
            && wanted(Entity::Ip)
            && let Some(end) = ip::v4(cursor)?
        {
            return Ok(found(Some(end), Entity::Ip));
        }
        if word.may_be_iban()
            && wanted(Entity::Iban)
            && let Some(end) = iban::iban(cursor)?
        {
            return Ok(found(Some(end), Entity::Iban));
        }
        if word.may_be_number() {
            if wanted(Entity::Card)
                && let Some(end) = number::card(cursor)?
            {
                return Ok(found(Some(end), Entity::Card));
            }
            if wanted(Entity::Ssn)
                && let Some(end) = number::ssn(cursor)?
            {
                return Ok(found(Some(end), Entity::Ssn));
            }
        }
        if (mark || word.may_be_phone()) && wanted(Entity::Phone) {
            return Ok(found(phone::phone(cursor)?, Entity::Phone));
        }
        if word.announces(b's')
            && wanted(Entity::Ssn)
            && let Some((start, end)) = number::announced_ssn(cursor, at + word.length)?
        {
            return Ok(Some(At::Found {
                start,
                end,
                kind: Entity::Ssn as usize,
            }));
        }
        if (word.announces(b'v') || word.announces(b'r') || word.announces(b'b'))
            && wanted(Entity::Ip)
            && let Some(end) = ip::version(cursor, at + word.length)?
        {
            return Ok(Some(At::Past(end)));
        }
        Ok(None)
    }
}
