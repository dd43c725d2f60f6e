//! IP addresses that may be somebody's: public ones, and private ones where that is asked for. Those that mean no one (loopback, unspecified, link-local,
//! multicast, documentation, networks) don't count, nor do versions, times, hardware addresses and paths in code.

use std::net::{Ipv4Addr, Ipv6Addr};

use witgate_policy::patterns::{Answer, Cursor, is_word};

use super::{HEX, class};

/// Four numbers up to 255 without leading zeros. A product's version (`Name/1.2.3.4`, `1.2.3.4-rc1`) doesn't count.
pub(super) fn v4(cursor: &Cursor<'_>, private: bool) -> Answer {
    let Some(end) = four(cursor)? else {
        return Ok(None);
    };
    let Ok(address) = cursor.text_to(end).parse::<Ipv4Addr>() else {
        return Ok(None);
    };
    let version = address.octets().iter().all(|octet| *octet < 32) && !address.is_private();
    if version || !is_somebodys(address, private) {
        return Ok(None);
    }
    // A network, of which the address is the first: `81.2.64.0/20`.
    if cursor.get(end)? == b'/' && cursor.is_digit(end + 1)? {
        let mut bits = u32::from(cursor.get(end + 1)? - b'0');
        if cursor.is_digit(end + 2)? {
            bits = bits * 10 + u32::from(cursor.get(end + 2)? - b'0');
        }
        let host = u32::MAX.checked_shr(bits).unwrap_or(0);
        if bits < 32 && address.to_bits() & host == 0 {
            return Ok(None);
        }
    }
    Ok(Some(end))
}

/// Whether an address may be somebody's.
fn is_somebodys(address: Ipv4Addr, private: bool) -> bool {
    let [a, b, c, d] = address.octets();
    let special = match (a, b, c) {
        // This network, loopback, link-local, protocols, multicast and what is reserved, masks among it.
        (0 | 127 | 224.., ..) | (169, 254, _) | (192, 0, 0) => true,
        // Documentation, benchmarks.
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) | (198, 18 | 19, _) => true,
        // Resolvers for everybody, which documents name.
        (8, 8, 8 | 4) | (9, 9, 9) | (1, 1, 1) | (1, 0, 0) | (208, 67, 222 | 220) => true,
        _ => c == 0 && d == 0,
    };
    let shared = a == 100 && b & 0xc0 == 64;
    !special && (private || !address.is_private() && !shared)
}

/// The same of an address of sixteen bytes.
fn is_somebodys_v6(address: Ipv6Addr, private: bool) -> bool {
    if let Some(v4) = address.to_ipv4_mapped() {
        return is_somebodys(v4, private);
    }
    let [first, second, ..] = address.segments();
    let documentation = (first, second) == (0x2001, 0xdb8) || first == 0x3fff && second < 0x1000;
    // Resolvers for everybody.
    let resolver = (first, second) == (0x2001, 0x4860)
        || (first, second) == (0x2606, 0x4700)
        || (first, second) == (0x2620, 0xfe);
    let public = first & 0xe000 == 0x2000 && !documentation && !resolver;
    let local = first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80;
    public || private && local
}

/// Four numbers that aren't a version by what stands around them. Where they end.
fn four(cursor: &Cursor<'_>) -> Answer {
    match cursor.before() {
        (Some('.'), Some(c)) if c.is_ascii_digit() => return Ok(None),
        (Some('/' | '-'), Some(c)) if is_word(c) && !c.is_ascii_digit() => return Ok(None),
        (Some('/'), Some(c)) if is_word(c) => return Ok(None),
        // `pkg==1.2.3.4`, `>=1.2.3.4`, `^1.2.3.4`
        (Some('='), Some('=' | '<' | '>' | '~' | '!')) | (Some('^' | '~'), _) => return Ok(None),
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
        b'.' => !cursor.get(at + 1)?.is_ascii_alphanumeric(),
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
    four(&cursor.from(at))
}

/// The longest form has 45 bytes.
const LONGEST: usize = 45;

/// Every written form of an address, without a zone after it. It needs at least one digit, and `x[1::2]` is a slice.
pub(super) fn v6(cursor: &Cursor<'_>, private: bool) -> Answer {
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
        (Some(c), _) if c.is_ascii_alphanumeric() => return Ok(None),
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
    let is = trimmed.bytes().any(|b| b.is_ascii_digit())
        && trimmed
            .parse()
            .is_ok_and(|address| is_somebodys_v6(address, private));
    Ok(is.then_some(start + trimmed.len()))
}
