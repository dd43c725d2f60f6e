//! Secrets that say what they are: keys with a known prefix, JSON web tokens, private keys in PEM.

use witgate_policy::patterns::{Answer, Cursor, More, count_step, is_word};

use super::{PEM, URL, class};

/// A key's prefix, the kind of bytes that follow it, and how many.
struct Kind {
    prefix: &'static str,
    is_part: fn(u8) -> bool,
    least: usize,
    most: usize,
    /// How many digits the key must have, because words with dashes have none.
    digits: usize,
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}
fn capital(b: u8) -> bool {
    b.is_ascii_uppercase() || b.is_ascii_digit()
}
fn named(b: u8) -> bool {
    alnum(b) || b == b'_'
}
fn dashed(b: u8) -> bool {
    alnum(b) || b == b'-'
}
fn url(b: u8) -> bool {
    class(b) & URL != 0
}
fn pem(b: u8) -> bool {
    count_step();
    class(b) & PEM != 0
}

const fn kind(
    prefix: &'static str,
    is_part: fn(u8) -> bool,
    least: usize,
    most: usize,
    digits: usize,
) -> Kind {
    Kind {
        prefix,
        is_part,
        least,
        most,
        digits,
    }
}

const KINDS: &[Kind] = &[
    // OpenAI, and providers that follow it. This covers sk-proj-, sk-ant- and the like.
    kind("sk-", url, 20, 256, 2),
    kind("csk-", alnum, 20, 128, 2),
    kind("AKIA", capital, 16, 16, 0),
    kind("ASIA", capital, 16, 16, 0),
    kind("ghp_", alnum, 36, 255, 0),
    kind("gho_", alnum, 36, 255, 0),
    kind("ghu_", alnum, 36, 255, 0),
    kind("ghs_", alnum, 36, 255, 0),
    kind("ghr_", alnum, 36, 255, 0),
    kind("github_pat_", named, 22, 255, 0),
    kind("xoxa-", dashed, 10, 255, 1),
    kind("xoxb-", dashed, 10, 255, 1),
    kind("xoxp-", dashed, 10, 255, 1),
    kind("xoxr-", dashed, 10, 255, 1),
    kind("xoxs-", dashed, 10, 255, 1),
    kind("AIza", url, 35, 35, 0),
];

/// A key with a prefix, or a token. No two prefixes match at the same place. No key begins after a dash, which bounds the
/// work on `sk-sk-sk-`.
pub(super) fn prefixed(cursor: &Cursor<'_>) -> Answer {
    if cursor.before().0 == Some('-') {
        return Ok(None);
    }
    let first = cursor.bytes()[cursor.start];
    if first == b'e' {
        return token(cursor);
    }
    for kind in KINDS {
        if kind.prefix.as_bytes()[0] == first && cursor.has(cursor.start, kind.prefix)? {
            return rest(cursor, kind);
        }
    }
    Ok(None)
}

fn rest(cursor: &Cursor<'_>, kind: &Kind) -> Answer {
    let from = cursor.start + kind.prefix.len();
    let mut at = from;
    let mut digits = 0;
    while at - from <= kind.most && (kind.is_part)(cursor.get(at)?) {
        digits += usize::from(cursor.bytes()[at].is_ascii_digit());
        at += 1;
    }
    let long = (kind.least..=kind.most).contains(&(at - from));
    let found = long && digits >= kind.digits && !cursor.is_word(at)?;
    Ok((found && is_varied(&cursor.bytes()[from..at])).then_some(at))
}

/// Whether a text isn't one that stands for a key, as `xxxx..` does.
fn is_varied(key: &[u8]) -> bool {
    let seen = key
        .iter()
        .fold(0u128, |seen, byte| seen | 1 << (byte & 127));
    seen.count_ones() >= 5
}

/// The longest name and the longest password in an address.
const LONGEST_NAME_OF_USER: usize = 64;
const LONGEST_PASSWORD: usize = 128;

/// The password in `scheme://user:password@host`, by its place. A word that stands for one doesn't count.
pub(super) fn password(cursor: &Cursor<'_>) -> Result<Option<(usize, usize)>, More> {
    if !cursor.has(cursor.start, "://")? {
        return Ok(None);
    }
    let part = |from: usize, longest: usize| {
        let mut at = from;
        while at - from <= longest && is_of_password(cursor.get(at)?) {
            at += 1;
        }
        Ok(at)
    };
    let user = part(cursor.start + 3, LONGEST_NAME_OF_USER)?;
    if cursor.get(user)? != b':' {
        return Ok(None);
    }
    let from = user + 1;
    let end = part(from, LONGEST_PASSWORD)?;
    if end == from || cursor.get(end)? != b'@' {
        return Ok(None);
    }
    let password = &cursor.bytes()[from..end];
    let stands_for_one = ["password", "passwd", "pass", "pwd"]
        .iter()
        .any(|word| password.eq_ignore_ascii_case(word.as_bytes()));
    Ok((!stands_for_one).then_some((from, end)))
}

fn is_of_password(byte: u8) -> bool {
    let border = b"/@: \t\r\n\"'`<>{}[]()\\$";
    byte > b' ' && !border.contains(&byte)
}

/// The longest token that is found.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A signed JSON web token: header and payload are JSON objects, in base64 both begin with `eyJ`.
fn token(cursor: &Cursor<'_>) -> Answer {
    let mut at = cursor.start;
    for part in 0..3 {
        let from = at;
        if part < 2 && !cursor.has(at, "eyJ")? {
            return Ok(None);
        }
        while url(cursor.get_while(at, url, LONGEST_TOKEN)?) {
            at += 1;
            if at - cursor.start > LONGEST_TOKEN {
                return Ok(None);
            }
        }
        if at - from < 8 {
            return Ok(None);
        }
        if part < 2 {
            if cursor.get(at)? != b'.' {
                return Ok(None);
            }
            at += 1;
        }
    }
    Ok((!cursor.is_word(at)?).then_some(at))
}

/// The longest key that is found whole. Of a longer key, this much is found.
const LONGEST_BLOCK: usize = 8 * 1024;
/// How many dashes a key may have before its `END` line: its headers have some.
const MOST_DASHES: usize = 24;
/// The longest name between the dashes, as `OPENSSH PRIVATE KEY`.
const LONGEST_NAME: usize = 40;
const DASHES: &str = "-----";

/// A private key from its `BEGIN` line to its `END` line; where that is missing, to the end of what can be a key.
pub(super) fn block(cursor: &Cursor<'_>) -> Answer {
    let begin = "-----BEGIN ";
    if !cursor.has(cursor.start, begin)?
        || matches!(cursor.before().0, Some(c) if c == '-' || is_word(c))
    {
        return Ok(None);
    }
    let Some(after) = name(cursor, cursor.start + begin.len())? else {
        return Ok(None);
    };
    let mut at = after;
    if !looks_like_a_key(cursor, at)? {
        return Ok(None);
    }
    let mut dashes = 0;
    loop {
        let bytes = cursor.bytes();
        at += bytes[at..].iter().take_while(|b| pem(**b)).count();
        if at - cursor.start >= LONGEST_BLOCK {
            return Ok(Some(cursor.start + LONGEST_BLOCK));
        }
        if cursor.get_while(at, pem, LONGEST_BLOCK)? != b'-' || dashes == MOST_DASHES {
            return Ok(Some(at));
        }
        if cursor.has(at, "-----END ")?
            && let Some(end) = name(cursor, at + "-----END ".len())?
        {
            return Ok(Some(end));
        }
        at += 1;
        dashes += 1;
    }
}

/// `... PRIVATE KEY-----`: where it ends.
fn name(cursor: &Cursor<'_>, from: usize) -> Answer {
    let mut at = from;
    while at - from <= LONGEST_NAME && matches!(cursor.get(at)?, b'A'..=b'Z' | b'0'..=b'9' | b' ') {
        at += 1;
    }
    if !cursor.has(at, DASHES)? {
        return Ok(None);
    }
    let name = &cursor.bytes()[from..at];
    let private = name.ends_with(b"PRIVATE KEY") || name.ends_with(b"PRIVATE KEY BLOCK");
    Ok(private.then_some(at + DASHES.len()))
}

/// Whether a key's first line or a header follows, which tells a key from a text about keys.
fn looks_like_a_key(cursor: &Cursor<'_>, mut at: usize) -> Result<bool, More> {
    let from = at;
    loop {
        match cursor.get(at)? {
            b' ' | b'\r' | b'\n' | b'\t' => at += 1,
            b'\\' if matches!(cursor.get(at + 1)?, b'n' | b'r') => at += 2,
            _ => break,
        }
        if at - from > 16 {
            return Ok(false);
        }
    }
    let from = at;
    while at - from < 16 {
        match cursor.get(at)? {
            b'-' | b':' if at > from => return Ok(cursor.get(at)? == b':' || header(cursor, from)?),
            b if alnum(b) || matches!(b, b'+' | b'/' | b'=') => at += 1,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn header(cursor: &Cursor<'_>, at: usize) -> Result<bool, More> {
    Ok(cursor.has(at, "Proc-Type:")? || cursor.has(at, "DEK-Info:")?)
}
