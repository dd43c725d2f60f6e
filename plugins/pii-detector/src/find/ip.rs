//! IP addresses, private ranges included. Versions, times, hardware addresses and paths in code don't count.

use std::net::Ipv6Addr;

use witgate_policy::patterns::{Answer, Cursor, is_word};

use super::{HEX, class};

/// Four numbers up to 255 without leading zeros. A product's version (`Name/1.2.3.4`, `1.2.3.4-rc1`) doesn't count.
pub(super) fn v4(cursor: &Cursor<'_>) -> Answer {
    match cursor.before() {
        (Some('.'), Some(c)) if c.is_ascii_digit() => return Ok(None),
        (Some('/'), Some(c)) if is_word(c) => return Ok(None),
        _ => {}
    }
    let mut at = cursor.start;
    for n in 0..4 {
        if n > 0 {
            if cursor.get(at)? != b'.' {
                return Ok(None);
            }
            at += 1;
        }
        let from = at;
        let mut value = 0;
        while at - from < 3 && cursor.is_digit(at)? {
            value = value * 10 + u32::from(cursor.get(at)? - b'0');
            at += 1;
        }
        if at == from || value > 255 || at - from > 1 && cursor.bytes()[from] == b'0' {
            return Ok(None);
        }
    }
    let ends = match cursor.get(at)? {
        b'.' => !cursor.is_digit(at + 1)?,
        b'-' => !cursor.get(at + 1)?.is_ascii_alphabetic(),
        _ => !cursor.is_word(at)?,
    };
    Ok(ends.then_some(at))
}

/// The four numbers of a version that comes after a word for it: `version 2.4.1.7`. Where they end.
pub(super) fn version(cursor: &Cursor<'_>, word_end: usize) -> Answer {
    if !cursor.is_one_of(
        word_end,
        &["version", "versions", "ver", "release", "build"],
    )? {
        return Ok(None);
    }
    let mut at = word_end;
    while at - word_end < 4 && matches!(cursor.get(at)?, b' ' | b':' | b'=' | b'"') {
        at += 1;
    }
    if at == word_end || !cursor.is_digit(at)? {
        return Ok(None);
    }
    v4(&cursor.from(at))
}

/// The longest form has 45 bytes.
const LONGEST: usize = 45;

/// Every written form of an address, without a zone after it. It needs at least one digit, and `x[1::2]` is a slice.
pub(super) fn v6(cursor: &Cursor<'_>) -> Answer {
    let start = cursor.start;
    let mut at = start;
    // A cheap check comes first: up to four digits and a colon.
    while at - start <= 4 && class(cursor.get(at)?) & HEX != 0 {
        at += 1;
    }
    if at - start > 4 || cursor.get(at)? != b':' || at == start && cursor.get(at + 1)? != b':' {
        return Ok(None);
    }
    match cursor.before() {
        (Some('['), Some(c)) if is_word(c) || matches!(c, ']' | ')') => return Ok(None),
        (Some(':'), _) => return Ok(None),
        (Some('.'), Some(c)) if is_word(c) => return Ok(None),
        (Some(c), _) if is_word(c) => return Ok(None),
        _ => {}
    }
    loop {
        let byte = cursor.get(at)?;
        if class(byte) & HEX == 0 && !matches!(byte, b':' | b'.') {
            break;
        }
        at += 1;
        // One more for a mark after it.
        if at - start > LONGEST + 1 {
            return Ok(None);
        }
    }
    if cursor.is_word(at)? {
        return Ok(None);
    }
    let run = cursor.text_to(at);
    let trimmed = run.trim_end_matches('.');
    let trimmed = match trimmed.strip_suffix(':') {
        Some(one) if !one.ends_with(':') => one,
        _ => trimmed,
    };
    let is = trimmed.bytes().any(|b| b.is_ascii_digit()) && trimmed.parse::<Ipv6Addr>().is_ok();
    Ok(is.then_some(start + trimmed.len()))
}
