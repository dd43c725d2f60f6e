//! Finds the entities in a text, in one pass over its bytes. At each word's start, a recogniser for each entity is tried: `patterns` of the SDK has
//! what must stay true of each, so that a text may be cut anywhere.

mod context;
mod email;
mod iban;
mod ids;
mod ip;
mod number;
mod phone;
mod plans;

use witgate_policy::patterns::{self, At, Bytes, Cursor, More, Recognisers, Word};
use witgate_policy::redact::{Scan, View};

use crate::entity::Entity;
use crate::scope::Scope;
use context::Topic;
pub(crate) use context::expression as announced_by;
pub(crate) use plans::{HOMES, Home};

const DIGIT: u8 = 2;
const HEX: u8 = 4;
/// A byte of an address's local part.
const LOCAL: u8 = 8;

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
        b += 1;
    }
    class
};

fn class(byte: u8) -> u8 {
    CLASS[usize::from(byte)]
}

/// A word that is longer begins no entity by its length, and announces none.
const LONGEST_WORD: usize = 32;

/// The first entity of the set at or after `from`.
pub fn scan(scope: Scope, view: &View<'_>, from: usize) -> Scan {
    patterns::scan(&Entities(scope), view, from)
}

/// The recognisers of these entities.
struct Entities(Scope);

/// What a word may begin, by its first byte, its length and what follows it.
trait MayBe {
    fn begins(&self, class: u8) -> bool;
    fn announces(&self, letter: u8) -> bool;
    fn may_be_email(&self) -> bool;
    fn may_be_v6(&self) -> bool;
    fn may_be_v4(&self) -> bool;
    fn may_be_iban(&self) -> bool;
    fn may_be_number(&self) -> bool;
    fn may_be_phone(&self) -> bool;
    fn may_be_id(&self) -> bool;
    fn may_be_lettered_id(&self) -> bool;
}

impl MayBe for Word {
    fn begins(&self, class_bits: u8) -> bool {
        !self.is_mark && class(self.first) & class_bits != 0
    }

    /// Whether it may be a word with this first letter that says what follows.
    fn announces(&self, letter: u8) -> bool {
        self.first.eq_ignore_ascii_case(&letter) && (self.length >= 3 || self.next.is_none())
    }

    fn may_be_email(&self) -> bool {
        let goes_on = |byte| class(byte) & LOCAL != 0 || byte == b'@';
        !self.is_mark && !self.is_joined && self.next.is_none_or(goes_on)
    }

    fn may_be_v6(&self) -> bool {
        self.begins(HEX) && self.length <= 4 && self.may_precede(b":")
    }

    fn may_be_v4(&self) -> bool {
        self.begins(DIGIT) && self.length <= 3 && self.may_precede(b".")
    }

    fn may_be_iban(&self) -> bool {
        let grouped = self.length == 4 && self.may_precede(b" \xc2\xe2");
        !self.is_mark
            && !self.begins(DIGIT)
            && (grouped || self.length >= 15 || self.next.is_none())
    }

    fn may_be_number(&self) -> bool {
        let grouped = self.length >= 3 && self.may_precede(b" -\xc2\xe2");
        self.begins(DIGIT) && (grouped || self.length >= 12 || self.next.is_none())
    }

    fn may_be_phone(&self) -> bool {
        let grouped = self.length <= 6 && self.may_precede(b" -./\xc2\xe2");
        self.begins(DIGIT) && (grouped || self.first == b'0' && self.length >= 9)
    }

    fn may_be_id(&self) -> bool {
        let grouped = matches!(self.length, 1..=3 | 6 | 8) && self.may_precede(b" -.\xc2\xe2");
        let plain = matches!(self.length, 11 | 13 | 15);
        self.begins(DIGIT) && (grouped || plain || self.next.is_none())
    }

    fn may_be_lettered_id(&self) -> bool {
        let capital = self.first.is_ascii_uppercase() || self.first.is_ascii_digit();
        match self.length {
            9 | 10 => capital,
            16 => !self.first.is_ascii_digit(),
            2 => self.first.is_ascii_uppercase() && self.may_precede(b" \xc2\xe2"),
            _ => false,
        }
    }
}

impl Recognisers for Entities {
    type Memory = email::Runs;
    const MARKS: Bytes = Bytes::of(b"+(:-");

    /// The entity that starts right here, or that the word here says will follow. The first recogniser that finds something, or needs more of the text, decides.
    fn at(
        &self,
        cursor: &Cursor<'_>,
        word: &Word,
        locals: &mut email::Runs,
    ) -> Result<Option<At>, More> {
        let scope = self.0;
        let entities = scope.entities;
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
        // Of a word that has not ended nobody knows the length, and what it may be goes by that.
        if !mark && word.next.is_none() && word.length <= LONGEST_WORD {
            cursor.get(at + word.length)?;
        }
        if wanted(Entity::ApiKey)
            && let Some(found) = secret_rules::find(cursor, word, secret_rules::Scope::PREFIXED)?
        {
            return Ok(Some(At::Found {
                start: found.start,
                end: found.end,
                kind: Entity::ApiKey as usize,
            }));
        }
        if word.may_be_email()
            && wanted(Entity::Email)
            && let Some(end) = email::address(cursor, locals)?
        {
            return Ok(found(Some(end), Entity::Email));
        }
        if (mark && word.first == b':' || word.may_be_v6())
            && wanted(Entity::Ip)
            && let Some(end) = ip::v6(cursor, scope.private_ips)?
        {
            return Ok(found(Some(end), Entity::Ip));
        }
        if word.may_be_v4()
            && wanted(Entity::Ip)
            && let Some(end) = ip::v4(cursor, scope.private_ips)?
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
        if wanted(Entity::NationalId) && !mark {
            let end = if word.may_be_id() {
                ids::bare(cursor)?
            } else {
                None
            };
            if end.is_some() {
                return Ok(found(end, Entity::NationalId));
            }
            if word.may_be_lettered_id()
                && let Some(end) = ids::lettered(cursor, word.length)?
            {
                return Ok(found(Some(end), Entity::NationalId));
            }
        }
        if (mark || word.may_be_phone())
            && wanted(Entity::Phone)
            && let Some(end) = phone::phone(cursor, scope.regions)?
        {
            return Ok(found(Some(end), Entity::Phone));
        }
        if !mark
            && let Some(topic) = context::topic(cursor, word)?
            && wanted(topic.entity())
            && let Some(start) = context::value(cursor, at + word.length, topic == Topic::Passport)?
        {
            let value = cursor.from(start);
            let end = match topic {
                Topic::Phone => phone::announced(&value, scope.regions)?,
                Topic::Id(kind) => ids::announced(&value, kind)?,
                Topic::Routing => ids::routing(&value)?,
                Topic::Passport => ids::passport(&value)?,
                Topic::BirthDate => ids::date(&value)?,
            };
            if let Some(end) = end {
                return Ok(Some(At::Found {
                    start,
                    end,
                    kind: topic.entity() as usize,
                }));
            }
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
