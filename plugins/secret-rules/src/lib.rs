//! Finds keys, tokens and passwords, by the rules of those who issue them.
//!
//! [`find`] is asked at each word and mark of a text ([`witgate_policy::patterns`]). What is cheap comes first: a prefix that few words have; then the
//! shape behind it, letter by letter; then how random it is; then whether it is one that documents show.

mod keyed;
mod prefixed;
mod shape;
mod structured;

#[cfg(test)]
mod tests;

use witgate_policy::patterns::{Answer, Bytes, Cursor, More, Word, width};

/// With which marks a secret begins: a key's line of dashes, `://` before a password.
pub const MARKS: Bytes = Bytes::of(b"-:");

/// The longest word that names a secret, and the longest that says what it is further in than at its start.
const LONGEST_NAME: usize = 64;

/// What to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What only a name before it tells to be a key of some service, what a header or an option says, and what others are told by two letters.
    pub named: bool,
    /// What a name calls a secret and looks random.
    pub generic: bool,
}

impl Scope {
    /// Only what says itself what it is.
    pub const PREFIXED: Scope = Scope {
        named: false,
        generic: false,
    };
}

/// A secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
    /// The rule's number.
    pub rule: usize,
}

const STRUCTURED: [&str; 9] = [
    "jwt",
    "private-key",
    "url-password",
    "azure-ad-client-secret",
    "facebook-access-token",
    "telegram-bot-api-token",
    "hashicorp-tf-api-token",
    "maxmind-license-key",
    "curl-auth-header",
];
const FIRST_STRUCTURED: usize = prefixed::RULES.len();
const FIRST_KEYED: usize = FIRST_STRUCTURED + STRUCTURED.len();
const USER: usize = FIRST_KEYED + keyed::RULES.len();
/// The number of the generic rule.
pub const GENERIC: usize = USER + 1;
/// How many rules there are.
pub const RULES: usize = GENERIC + 1;

/// The rule's name. Several rules may have one.
#[must_use]
pub fn name(rule: usize) -> &'static str {
    match rule {
        GENERIC => "generic-api-key",
        USER => "curl-auth-user",
        FIRST_KEYED..USER => keyed::RULES[rule - FIRST_KEYED].id,
        FIRST_STRUCTURED..FIRST_KEYED => STRUCTURED[rule - FIRST_STRUCTURED],
        _ => prefixed::RULES[rule].id,
    }
}

/// The rule with this name.
#[must_use]
pub fn is_rule(name: &str) -> bool {
    (0..RULES).any(|rule| self::name(rule) == name)
}

/// The secret that begins here, or that the word here announces.
pub fn find(cursor: &Cursor<'_>, word: &Word, scope: Scope) -> Answer<Secret> {
    let start = cursor.start;
    let secret = |start: usize, end: usize, rule: usize| Some(Secret { start, end, rule });
    let structured = |end: usize, n: usize| secret(start, end, FIRST_STRUCTURED + n);
    if word.is_mark {
        if word.first == b'-' {
            return Ok(structured::block(cursor)?.and_then(|end| structured(end, 1)));
        }
        let found = structured::password(cursor)?;
        return Ok(found.and_then(|(from, end)| secret(from, end, FIRST_STRUCTURED + 2)));
    }
    // A short word that has not ended may become any other.
    if word.next.is_none() && word.length <= LONGEST_NAME {
        cursor.get(start + word.length)?;
    }
    if word.length >= 9 || word.may_precede(b"-.~/+=") {
        if let Some((rule, end)) = prefixed::find(cursor, word)? {
            return Ok(secret(start, end, rule));
        }
        if word.first == b'e'
            && word.length >= 10
            && let Some(end) = structured::token(cursor, word.is_joined)?
        {
            return Ok(structured(end, 0));
        }
    }
    if let Some((n, end)) = inner(cursor, word)? {
        return Ok(structured(end, n));
    }
    if !scope.named || word.is_joined || word.length > LONGEST_NAME {
        return Ok(None);
    }
    if word.may_precede(b":-")
        && let Some((from, end)) = structured::header(cursor, word)?
        && !says_itself(cursor, from)?
    {
        return Ok(secret(from, end, FIRST_STRUCTURED + 8));
    }
    if word.length <= 4
        && let Some((from, end)) = structured::user(cursor, word)?
        && !says_itself(cursor, from)?
    {
        return Ok(secret(from, end, USER));
    }
    if keyed::may_name(cursor, word)? {
        if let Some((n, from, end)) = keyed::find(cursor, word)? {
            return Ok(secret(from, end, FIRST_KEYED + n));
        }
        if scope.generic
            && let Some((from, end)) = keyed::generic(cursor, word)?
            && !says_itself(cursor, from)?
        {
            return Ok(secret(from, end, GENERIC));
        }
    }
    Ok(None)
}

/// Whether the value there says itself what it is: then it is found where it begins.
fn says_itself(cursor: &Cursor<'_>, from: usize) -> Result<bool, More> {
    let mut end = from;
    while end - from <= LONGEST_NAME && cursor.is_word(end)? {
        end += width(cursor.get(end)?);
    }
    let word = Word {
        first: cursor.get(from)?,
        is_mark: false,
        is_joined: false,
        length: end - from,
        next: Some(cursor.get(end)?),
    };
    Ok(find(&cursor.from(from), &word, Scope::PREFIXED)?.is_some())
}

/// Keys that say what they are further in: `abc8Q~...`, `123456789:AA...`, `....atlasv1....`, `..._mmk`.
fn inner(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize)> {
    use shape::{ALNUM, DOTTED, URL, URL_PADDED, entropy, matches, of, stands_for_one, text, to};
    let start = cursor.start;
    let digits = word.first.is_ascii_digit();
    let (n, shape, least): (_, &[shape::Part], _) = match (word.length, word.next) {
        (5, Some(b'~')) => (
            3,
            &[
                of(ALNUM, 5),
                text("~"),
                to(DOTTED & !URL_PADDED | URL, 31, 34),
            ],
            30,
        ),
        (15 | 16, Some(b'|' | b'%')) if digits => (
            4,
            &[to(shape::DIGIT, 15, 16), text("|"), to(URL, 27, 40)],
            30,
        ),
        (8..=10, Some(b':')) if digits => {
            (5, &[to(shape::DIGIT, 8, 10), text(":A"), of(URL, 34)], 35)
        }
        (14, Some(b'.')) => (
            6,
            &[of(ALNUM, 14), text(".atlasv1."), to(URL_PADDED, 60, 70)],
            35,
        ),
        (40, _) => (
            7,
            &[of(ALNUM, 6), text("_"), of(ALNUM, 29), text("_mmk")],
            40,
        ),
        _ => return Ok(None),
    };
    if n == 3 {
        let prefix = cursor.text_to(start + 5).as_bytes();
        if prefix[4] != b'Q' || !prefix[3].is_ascii_digit() {
            return Ok(None);
        }
    }
    let end = matches(cursor, start, shape)?;
    let random = |end: &usize| {
        let key = cursor.text_to(*end);
        entropy(key) >= least && !stands_for_one(key)
    };
    Ok(end.filter(random).map(|end| (n, end)))
}

/// An expression for single words: what a word has in it for a secret to be in the text, or to be announced by it.
#[must_use]
pub fn expression(scope: Scope) -> String {
    // Nearly every key has a digit.
    let mut parts: Vec<String> = ["[0-9]", "-----BEGIN", "eyJ", "://", "_mmk"]
        .map(String::from)
        .into();
    parts.push(prefixed::EXPRESSION.into());
    if scope.named {
        let mut names: Vec<&str> = keyed::all_names().collect();
        names.extend([
            "authorization",
            "apikey",
            "api-?token",
            "^x-",
            "^token:",
            "--user",
            "^-u",
        ]);
        if scope.generic {
            names.extend(keyed::SAYS_SECRET);
        }
        names.sort_unstable();
        names.dedup();
        parts.push(format!("(?i-u:{})", names.join("|")));
    }
    parts.join("|")
}
