//! Words that say what the number behind them is: `phone`, `NHS no.`, `Steuer-ID:`.
//!
//! Between such a word and its value stand a few small words and marks, and nothing else. So what is held back for one is short.

use witgate_policy::patterns::{Answer, Cursor, More, Word};

use super::ids::Kind;
use crate::entity::Entity;

/// What a word announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Phone,
    Id(Kind),
    Passport,
    BirthDate,
    Routing,
}

impl Topic {
    /// What it is a value of.
    pub(crate) fn entity(self) -> Entity {
        match self {
            Topic::Phone => Entity::Phone,
            Topic::Id(_) => Entity::NationalId,
            Topic::Passport => Entity::Passport,
            Topic::BirthDate => Entity::BirthDate,
            Topic::Routing => Entity::RoutingNumber,
        }
    }
}

/// The longest word that announces something.
const LONGEST: usize = 32;

/// What words say alone.
const WORDS: &[(&str, Topic)] = &[
    ("tel", Topic::Phone),
    ("tel_no", Topic::Phone),
    ("ph", Topic::Phone),
    ("cell", Topic::Phone),
    ("call", Topic::Phone),
    ("dial", Topic::Phone),
    ("gsm", Topic::Phone),
    ("handy", Topic::Phone),
    ("mob", Topic::Phone),
    ("sms", Topic::Phone),
    ("ring", Topic::Phone),
    ("text", Topic::Phone),
    ("contact", Topic::Phone),
    ("portable", Topic::Phone),
    ("steuer", Topic::Id(Kind::De)),
    ("steuernummer", Topic::Id(Kind::De)),
    ("steueridentifikationsnummer", Topic::Id(Kind::De)),
    ("idnr", Topic::Id(Kind::De)),
    ("tin", Topic::Id(Kind::De)),
    ("bsn", Topic::Id(Kind::Nl)),
    ("burgerservicenummer", Topic::Id(Kind::Nl)),
    ("pesel", Topic::Id(Kind::Pl)),
    ("personnummer", Topic::Id(Kind::Se)),
    ("nhs", Topic::Id(Kind::Nhs)),
    ("aadhaar", Topic::Id(Kind::Aadhaar)),
    ("aadhar", Topic::Id(Kind::Aadhaar)),
    ("uidai", Topic::Id(Kind::Aadhaar)),
    ("cpf", Topic::Id(Kind::Cpf)),
    ("sin", Topic::Id(Kind::Sin)),
    ("insurance", Topic::Id(Kind::Sin)),
    ("tfn", Topic::Id(Kind::Tfn)),
    ("file", Topic::Id(Kind::Tfn)),
    ("abn", Topic::Id(Kind::Abn)),
    ("npi", Topic::Id(Kind::Npi)),
    ("itin", Topic::Id(Kind::Itin)),
    ("routing", Topic::Routing),
    ("aba", Topic::Routing),
    ("passport", Topic::Passport),
    ("passports", Topic::Passport),
    ("reisepass", Topic::Passport),
    ("passeport", Topic::Passport),
    ("pasaporte", Topic::Passport),
    ("passaporto", Topic::Passport),
    ("paszport", Topic::Passport),
    ("born", Topic::BirthDate),
    ("birth", Topic::BirthDate),
    ("dob", Topic::BirthDate),
    ("birthday", Topic::BirthDate),
    ("birthdate", Topic::BirthDate),
    ("geboren", Topic::BirthDate),
    ("geburtsdatum", Topic::BirthDate),
    ("nacimiento", Topic::BirthDate),
    ("naissance", Topic::BirthDate),
    ("nascita", Topic::BirthDate),
    ("nascimento", Topic::BirthDate),
];

/// What a longer word has in it: `phone_number`, `Mobiltelefon`, `teléfono`.
const ROOTS: &[&str] = &[
    "phone",
    "telefon",
    "fono",
    "mobil",
    "whatsapp",
    "rufnummer",
    "hotline",
    "celular",
    "handynummer",
];

/// Which first letters and lengths words have that say something, so that most are passed over at once.
const FIRST: [u32; 26] = {
    let mut first = [0; 26];
    let mut n = 0;
    while n < WORDS.len() {
        let word = WORDS[n].0.as_bytes();
        first[(word[0] - b'a') as usize] |= 1 << word.len();
        n += 1;
    }
    first
};

/// What this word announces. `More` where it may still go on.
pub(super) fn topic(cursor: &Cursor<'_>, word: &Word) -> Result<Option<Topic>, More> {
    if word.first.is_ascii_digit() || word.length > LONGEST || word.length < 2 {
        return Ok(None);
    }
    let end = cursor.start + word.length;
    if word.next.is_none() {
        cursor.get(end)?;
    }
    let text = cursor.text_to(end);
    let first = word.first.to_ascii_lowercase().wrapping_sub(b'a');
    if usize::from(first) < 26 && FIRST[usize::from(first)] & 1 << word.length.min(31) != 0 {
        let found = WORDS.iter().find(|(one, _)| one.eq_ignore_ascii_case(text));
        if let Some((_, topic)) = found {
            return Ok(Some(*topic));
        }
    }
    if word.length < 5 {
        return Ok(if text.eq_ignore_ascii_case("fax") {
            Some(Topic::Phone)
        } else {
            None
        });
    }
    let bytes = text.as_bytes();
    for at in 0..bytes.len() - 3 {
        // How the roots begin. Few words have such a pair, and each root its own.
        let pair = [bytes[at] | 0x20, bytes[at + 1] | 0x20];
        if !matches!(
            &pair,
            b"ph" | b"te" | b"fo" | b"mo" | b"wh" | b"ru" | b"ho" | b"ce" | b"ha"
        ) {
            continue;
        }
        let rest = &bytes[at..];
        let is = |root: &str| {
            let root = root.as_bytes();
            // An automobile has no number.
            let begins = at == 0 || bytes[at - 1] == b'_' || root != b"mobil";
            begins && rest.len() >= root.len() && rest[..root.len()].eq_ignore_ascii_case(root)
        };
        if ROOTS.iter().any(|root| is(root)) {
            return Ok(Some(Topic::Phone));
        }
    }
    Ok(None)
}

/// Small words between.
const FILLERS: &[&str] = &[
    "number",
    "numbers",
    "no",
    "nr",
    "num",
    "numero",
    "número",
    "numéro",
    "nummer",
    "id",
    "is",
    "was",
    "ist",
    "es",
    "est",
    "è",
    "är",
    "é",
    "of",
    "code",
    "card",
    "my",
    "the",
    "me",
    "us",
    "him",
    "her",
    "them",
    "at",
    "on",
    "under",
    "unter",
    "am",
    "au",
    "al",
    "le",
    "la",
    "el",
    "il",
    "im",
    "in",
    "date",
    "his",
    "our",
    "your",
    "or",
    "text",
    "back",
    "now",
    "please",
    "transit",
    "identification",
    "identifikationsnummer",
    "tax",
    "de",
    "du",
    "home",
    "work",
    "office",
    "cell",
    "mobile",
    "phone",
    "nummer",
    "lautet",
    "with",
    "to",
    "for",
    "via",
    "and",
    "personal",
    "social",
    "line",
    "direct",
    "dob",
];

/// Where the value begins that a word announces. It is a digit, a bracket, a `+`, or, if `letters` may be in it, a capital letter before a digit.
pub(super) fn value(cursor: &Cursor<'_>, word_end: usize, letters: bool) -> Answer {
    let mut at = word_end;
    for _ in 0..6 {
        let from = at;
        loop {
            let byte = cursor.get(at)?;
            let mark = match byte {
                b' ' | b':' | b'=' | b'.' | b'#' | b'"' | b'\'' | b'-' | b'\\' | b'\t' | b'>'
                | b'*' | b'_' => 1,
                b'(' if !cursor.is_digit(at + 1)? => 1,
                0xc2 | 0xe2 => cursor.between_groups(at)?.map_or(0, |(_, width)| width),
                _ => 0,
            };
            if mark == 0 || at - from > 6 {
                break;
            }
            at += mark;
        }
        if at == from {
            return Ok(None);
        }
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() || matches!(byte, b'+' | b'(') {
            return Ok(Some(at));
        }
        let word = at;
        while at - word <= 22
            && (cursor.get(at)?.is_ascii_alphabetic()
                || cursor.get(at)? >= 0xc3 && cursor.get(at)? <= 0xc9)
        {
            at += if cursor.get(at)? < 0x80 { 1 } else { 2 };
        }
        if letters && at > word && at - word <= 3 && cursor.get(at)?.is_ascii_digit() {
            return Ok(Some(word));
        }
        if cursor.get(at)?.is_ascii_digit() || at == word {
            return Ok(None);
        }
        let filler = cursor.from(word).text_to(at);
        if !FILLERS.iter().any(|one| one.eq_ignore_ascii_case(filler)) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// An expression for the words that announce something, whole or with a root in them.
pub(crate) fn expression(wanted: impl Fn(Topic) -> bool) -> String {
    let words = WORDS.iter().filter(|(_, topic)| wanted(*topic));
    let mut parts: Vec<String> = words.map(|(word, _)| (*word).to_owned()).collect();
    if parts.is_empty() {
        return String::new();
    }
    parts.sort_unstable();
    parts.dedup();
    let mut expression = format!(r"(?i-u:(?:\b|_)(?:{})\b)", parts.join("|"));
    if wanted(Topic::Phone) {
        expression.push_str(&format!("|(?i-u:fax|{})", ROOTS.join("|")));
    }
    expression
}
