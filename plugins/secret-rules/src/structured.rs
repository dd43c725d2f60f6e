//! Secrets with a structure of their own: JSON web tokens, private keys in PEM, the password in an address, what a client sends to say who it is.

use witgate_policy::patterns::{Answer, Cursor, More, Word, count_step, is_word};

use crate::shape::{ANY, URL, entropy, in_set, stands_for_one};

fn url(b: u8) -> bool {
    in_set(b, URL)
}

fn alnum(b: u8) -> bool {
    b.is_ascii_alphanumeric()
}

/// A byte of a private key's text between its lines of dashes.
fn pem(b: u8) -> bool {
    count_step();
    const PEM: [bool; 256] = {
        let mut pem = [false; 256];
        let mut b = 0;
        while b < 256 {
            let byte = b as u8;
            let marks = matches!(byte, b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'.' | b'_');
            let space = matches!(byte, b' ' | b'\r' | b'\n' | b'\t');
            pem[b] = byte.is_ascii_alphanumeric() || marks || space;
            b += 1;
        }
        pem
    };
    PEM[usize::from(b)]
}

/// The longest name and the longest password in an address.
const LONGEST_NAME_OF_USER: usize = 64;
const LONGEST_PASSWORD: usize = 128;

/// The password in `scheme://user:password@host`, by its place. A word that stands for one doesn't count.
pub(crate) fn password(cursor: &Cursor<'_>) -> Result<Option<(usize, usize)>, More> {
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

/// The longest token, and the longest value behind a word that announces one.
const LONGEST_TOKEN: usize = 8 * 1024;

/// A signed JSON web token: header and payload are JSON objects, in base64 both begin with `eyJ`.
pub(crate) fn token(cursor: &Cursor<'_>, is_joined: bool) -> Answer {
    // Of a word with many joints not every one is followed far.
    let longest_header = if is_joined { 512 } else { LONGEST_TOKEN };
    let mut at = cursor.start;
    for part in 0..3 {
        let from = at;
        if part < 2 && !cursor.has(at, "eyJ")? {
            return Ok(None);
        }
        while url(cursor.get_while(at, url, LONGEST_TOKEN)?) {
            at += 1;
            let most = if part == 0 {
                longest_header
            } else {
                LONGEST_TOKEN
            };
            if at - cursor.start > most {
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
pub(crate) fn block(cursor: &Cursor<'_>) -> Answer {
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
            b'-' | b':' if at > from => {
                return Ok(cursor.get(at)? == b':' || key_header(cursor, from)?);
            }
            b if alnum(b) || matches!(b, b'+' | b'/' | b'=') => at += 1,
            _ => return Ok(false),
        }
    }
    Ok(true)
}

fn key_header(cursor: &Cursor<'_>, at: usize) -> Result<bool, More> {
    Ok(cursor.has(at, "Proc-Type:")? || cursor.has(at, "DEK-Info:")?)
}

/// What follows `Authorization:`, `X-Api-Key:` and their like. From where to where.
pub(crate) fn header(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize)> {
    let mut at = cursor.start + word.length;
    const NAMES: &[&str] = &["authorization", "apikey", "x", "api", "token"];
    if !NAMES.iter().any(|name| name.len() == word.length) || !cursor.is_one_of(at, NAMES)? {
        return Ok(None);
    }
    // The rest of a name such as `X-Octopus-ApiKey`.
    let from = at;
    while at - from < 30 && (cursor.get(at)? == b'-' || cursor.get(at)?.is_ascii_alphabetic()) {
        at += 1;
    }
    let name = &cursor.bytes()[cursor.start..at];
    let ends = |end: &str| {
        let from = name.len().saturating_sub(end.len());
        name[from..].eq_ignore_ascii_case(end.as_bytes())
    };
    if !["authorization", "key", "token"]
        .iter()
        .any(|end| ends(end))
        || cursor.get(at)? != b':'
    {
        return Ok(None);
    }
    at += 1;
    at = spaces(cursor, at, 5)?;
    for scheme in ["Basic ", "Bearer ", "Token ", "Api-Token ", "ApiToken "] {
        if begins(cursor, at, scheme)? {
            at = spaces(cursor, at + scheme.len(), 5)?;
            break;
        }
    }
    let from = at;
    let at = value_end(cursor, at, |byte| {
        in_set(byte, ANY) || matches!(byte, b'@' | b'~')
    })?;
    if at - from < 8 {
        return Ok(None);
    }
    let value = cursor.from(from).text_to(at);
    let random = entropy(value) >= 28 && value.bytes().any(|b| b.is_ascii_digit() || b == b'=');
    Ok((random && !stands_for_one(value)).then_some((from, at)))
}

/// Where a value ends of which each byte is such a one. All of it is the secret: what is cut off would go out in clear.
fn value_end(
    cursor: &Cursor<'_>,
    mut at: usize,
    is_of_value: fn(u8) -> bool,
) -> Result<usize, More> {
    while at - cursor.start < LONGEST_TOKEN
        && is_of_value(cursor.get_while(at, is_of_value, LONGEST_TOKEN)?)
    {
        at += 1;
    }
    Ok(at)
}

fn spaces(cursor: &Cursor<'_>, mut at: usize, most: usize) -> Result<usize, More> {
    let from = at;
    while at - from < most && matches!(cursor.get(at)?, b' ' | b'\t') {
        at += 1;
    }
    Ok(at)
}

fn begins(cursor: &Cursor<'_>, at: usize, text: &str) -> Result<bool, More> {
    for (n, byte) in text.bytes().enumerate() {
        if !cursor.get(at + n)?.eq_ignore_ascii_case(&byte) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The password in `-u user:password` and `--user "user:password"`, as curl is called. From where to where.
pub(crate) fn user(cursor: &Cursor<'_>, word: &Word) -> Answer<(usize, usize)> {
    let at = cursor.start + word.length;
    let is_option = match cursor.before() {
        (Some('-'), Some('-')) => cursor.is_one_of(at, &["user"])?,
        (Some('-'), far) => {
            far.is_none_or(|c| c.is_ascii_whitespace()) && cursor.is_one_of(at, &["u"])?
        }
        _ => false,
    };
    if !is_option || !matches!(cursor.get(at)?, b' ' | b'=' | b'\t') {
        return Ok(None);
    }
    let mut at = spaces(cursor, at + 1, 5)?;
    let mut quote = b' ';
    if matches!(cursor.get(at)?, b'"' | b'\'') {
        quote = cursor.get(at)?;
        at += 1;
    }
    let ends = |byte: u8| byte <= b' ' || byte == quote || byte >= 0x80;
    let name = at;
    while at - name < 64 && cursor.get(at)? != b':' && !ends(cursor.get(at)?) {
        at += 1;
    }
    if at - name < 64 && cursor.get(at)? == quote && matches!(cursor.get(at + 1)?, b':') {
        at += 1;
    }
    if cursor.get(at)? != b':' {
        return Ok(None);
    }
    at += 1;
    if matches!(cursor.get(at)?, b'"' | b'\'') && cursor.get(at)? != quote {
        at += 1;
    } else if quote != b' ' && cursor.get(at)? == quote && at - name > 1 {
        // `:` with nothing behind it, or a second pair of quotes.
        let opens = !matches!(cursor.get(at + 1)?, 0..=b' ' | b'"' | b'\'');
        if !opens {
            let password = &cursor.bytes()[name..at - 1];
            return Ok(is_password(password).then_some((name, at - 1)));
        }
        at += 1;
    }
    let from = at;
    let at = value_end(cursor, at, |byte| {
        (b'!'..0x80).contains(&byte) && !matches!(byte, b'\'' | b'"')
    })?;
    Ok(is_password(&cursor.bytes()[from..at]).then_some((from, at)))
}

/// Whether this may be a password, and not what stands for one or names a variable that has it.
fn is_password(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else {
        return false;
    };
    let braced = text.trim_matches(['{', '}']);
    let plain_word = braced.bytes().all(|b| b.is_ascii_lowercase())
        || braced.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    let variable = text.starts_with(['$', '<', '[', '%', '(', '*'])
        || text.contains("{{")
        || text.ends_with('>');
    text.len() >= 6 && !plain_word && !variable && entropy(braced) >= 20 && !stands_for_one(text)
}
