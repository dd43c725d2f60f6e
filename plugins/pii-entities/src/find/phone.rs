//! Phone numbers: international ones, with `+` or `00`, wherever they stand; as written at home where that can't be much else, in the regions that are
//! looked for; and any number that somebody has behind a word for it. All by number plans: which numbers a country gives out.

use witgate_policy::patterns::{Answer, Cursor, More, is_word};

use super::plans::{CODES, Home, RANGES};
use crate::scope::Regions;

/// The most digits that a number has, country included.
const MOST: usize = 15;

pub(super) fn phone(cursor: &Cursor<'_>, regions: Regions) -> Answer {
    match cursor.bytes()[cursor.start] {
        b'+' => international(cursor, 1),
        b'0' => {
            let found = match cursor.has(cursor.start, "00")? {
                true if cursor.number_may_start() => international(cursor, 2)?,
                _ => None,
            };
            match found {
                None => national(cursor, regions),
                found => Ok(found),
            }
        }
        b'1'..=b'9' | b'(' => national(cursor, regions),
        _ => Ok(None),
    }
}

/// Whether a country gives out numbers of these digits.
fn is_given_out(code: u16, number: &[u8]) -> bool {
    let Ok(at) = CODES.binary_search_by_key(&code, |(code, ..)| *code) else {
        return false;
    };
    if number.len() < 4 || number.len() > 17 {
        return false;
    }
    let (_, from, to) = CODES[at];
    let first = number[..3]
        .iter()
        .fold(0, |sum, digit| sum * 10 + u16::from(*digit));
    let ranges = &RANGES[usize::from(from)..usize::from(to)];
    let at = ranges.partition_point(|(_, to, _)| *to < first);
    let fits =
        |(from, _, lengths): &(u16, u16, u32)| *from <= first && lengths & 1 << number.len() != 0;
    // An American exchange is no service number.
    let exchange = code != 1 || number.len() != 10 || number[3] > 1 && number[4..6] != [1, 1];
    exchange && ranges.get(at).is_some_and(fits)
}

/// How many of the digits are the country's code. 0 where they are none.
fn code_of(digits: &[u8]) -> (usize, u16) {
    let mut code = 0;
    if digits.first() == Some(&0) {
        return (0, 0);
    }
    for (n, digit) in digits.iter().take(3).enumerate() {
        code = code * 10 + u16::from(*digit);
        if CODES
            .binary_search_by_key(&code, |(code, ..)| *code)
            .is_ok()
        {
            return (n + 1, code);
        }
    }
    (0, 0)
}

/// Whether all of the digits are a number with its country's code, with or without the 0 that is dialled at home.
fn is_international(digits: &[u8]) -> bool {
    let (length, code) = code_of(digits);
    let number = &digits[length..];
    length > 0
        && digits.len() >= 8
        && (is_given_out(code, number)
            || number.first() == Some(&0) && is_given_out(code, &number[1..]))
}

fn international(cursor: &Cursor<'_>, prefix: usize) -> Answer {
    let before = cursor.before().0;
    if before.is_some_and(|c| {
        c.is_ascii_alphanumeric() || c == '+' || prefix == 2 && is_word(c) && c != '_'
    }) {
        return Ok(None);
    }
    let mut digits = [0; MOST + 1];
    let mut count = 0;
    let mut best = None;
    let mut at = cursor.start + prefix;
    loop {
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() {
            if count == MOST + 1 {
                return Ok(best);
            }
            digits[count] = byte - b'0';
            count += 1;
            at += 1;
            if count == 3 && code_of(&digits[..3]).0 == 0 {
                return Ok(None);
            }
            continue;
        }
        if count == 0 && !(prefix == 2 && byte == b' ') {
            return Ok(None);
        }
        if is_international(&digits[..count]) && cursor.number_may_end(at)? {
            best = Some(at);
        }
        // A further number behind the phone number isn't part of it.
        if best == Some(at) && (digits[0] == 1 || count >= 11 && byte == b' ') {
            return Ok(best);
        }
        let gap = gap(cursor, at)?;
        if gap == 0 {
            return Ok(best);
        }
        at += gap;
    }
}

/// How many bytes of marks stand between this group of digits and the next: one mark, or two with a bracket. 0 where no
/// digit follows.
fn gap(cursor: &Cursor<'_>, at: usize) -> Result<usize, More> {
    let first = cursor.get(at)?;
    let width = match cursor.between_groups(at)? {
        Some((_, width)) => width,
        None if matches!(first, b'.' | b'/' | b'(' | b')') => 1,
        None => return Ok(0),
    };
    if cursor.is_digit(at + width)? {
        return Ok(width);
    }
    let second = cursor.get(at + width)?;
    let bracket = matches!((first, second), (b' ' | b')', b'(') | (b')', b' ' | b'-'))
        || width > 1 && second == b'(';
    Ok(if bracket && cursor.is_digit(at + width + 1)? {
        width + 1
    } else if first == b')' && cursor.between_groups(at + 1)?.is_some() {
        let (_, wide) = cursor.between_groups(at + 1)?.unwrap_or((0, 0));
        match cursor.is_digit(at + 1 + wide)? {
            true => 1 + wide,
            false => 0,
        }
    } else {
        0
    })
}

/// A number in groups: the digits, and how many there are in each.
struct Written {
    digits: [u8; MOST],
    count: usize,
    shape: u32,
    groups: u32,
}

impl Written {
    /// Whether a region writes its numbers so.
    fn is_of(&self, home: &Home) -> bool {
        self.number(home)
            .is_some_and(|number| is_given_out(home.code, number))
    }

    /// The number without what goes before it at home.
    fn number(&self, home: &Home) -> Option<&[u8]> {
        let digits = &self.digits[..self.count];
        let prefix = home.prefix.as_bytes();
        let has_prefix = digits.len() > prefix.len()
            && digits
                .iter()
                .zip(prefix)
                .all(|(digit, byte)| digit + b'0' == *byte);
        match (has_prefix, prefix) {
            (_, []) => Some(digits),
            (true, _) => Some(&digits[prefix.len()..]),
            // Dialled where a 1 may go before it, or an area's code need not.
            (false, b"0") if digits[0] == 0 => None,
            (false, _) => Some(digits),
        }
    }
}

/// A number as it is written at home.
fn national(cursor: &Cursor<'_>, regions: Regions) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let bracket = cursor.bytes()[cursor.start] == b'(';
    // In a row of numbers: `00 01 02 03`.
    let row = matches!(cursor.before(), (Some(' '), Some(c)) if c.is_ascii_digit());
    let mut best = None;
    read(cursor, cursor.start, |written, at, mark| {
        let american = written.shape == 0x334 || written.shape == 0x1334;
        let parted = bracket || !matches!(mark, b' ');
        let strong = match (american, written.digits[0]) {
            (true, 1..) => parted,
            (_, 0) => written.groups >= 2 && (10..=12).contains(&written.count),
            _ => bracket && written.groups >= 2 && written.count >= 8,
        };
        let written_so = |home: &Home| {
            let shape = match home.code {
                1 => american,
                44 => written.shape == 0x533,
                49 => written.groups == 2,
                _ => false,
            };
            let at_home = !american || written.digits[0] == 0 || bracket || home.code == 1;
            at_home && (shape || home.shapes.contains(&written.shape)) && written.is_of(home)
        };
        if written.shape == 0x22_2222 {
            // A row of numbers.
            best = None;
        } else if strong && !(row && written.shape == 0x2_2222) && regions.homes().any(written_so) {
            best = Some(at);
        }
    })?;
    Ok(best)
}

/// Any number that somebody has, behind a word for it.
pub(super) fn announced(cursor: &Cursor<'_>, regions: Regions) -> Answer {
    // An address, or a date.
    if looks_like_an_address(cursor)? || super::ids::date(cursor)?.is_some() {
        return Ok(None);
    }
    let mut best = None;
    let mut whole = false;
    read(cursor, cursor.start, |written, at, mark| {
        // A further number behind a whole one isn't part of it.
        if whole && mark == b' ' {
            return;
        }
        let digits = &written.digits[..written.count];
        let known = regions.homes().any(|home| written.is_of(home));
        if written.count >= 7 && (known || is_international(digits)) {
            best = Some(at);
            whole = written.count >= 10;
        }
    })?;
    Ok(best)
}

fn looks_like_an_address(cursor: &Cursor<'_>) -> Result<bool, More> {
    let mut at = cursor.start;
    while at - cursor.start < 16 && matches!(cursor.get(at)?, b'0'..=b'9' | b'.') {
        at += 1;
    }
    let text = cursor.text_to(at).trim_end_matches('.');
    Ok(text.parse::<std::net::Ipv4Addr>().is_ok())
}

/// Reads the digits from here on, and tells of each place where a number may end: what was read, where it ends, and the last mark in it.
fn read(
    cursor: &Cursor<'_>,
    start: usize,
    mut tell: impl FnMut(&Written, usize, u8),
) -> Result<(), More> {
    let mut at = start + usize::from(cursor.get(start)? == b'(');
    let mut written = Written {
        digits: [0; MOST],
        count: 0,
        shape: 0,
        groups: 0,
    };
    let mut group = 0;
    let mut last = 0;
    loop {
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() {
            if written.count == MOST {
                return Ok(());
            }
            written.digits[written.count] = byte - b'0';
            written.count += 1;
            group += 1;
            at += 1;
            continue;
        }
        if group == 0 || written.groups == 6 {
            return Ok(());
        }
        written.shape = written.shape << 4 | group;
        written.groups += 1;
        group = 0;
        let gap = gap(cursor, at)?;
        // Where another number of the same kind follows, this isn't its end.
        if cursor.number_may_end(at)? && !(gap == 1 && matches!(byte, b'.' | b'/')) {
            tell(&written, at, last);
        }
        if gap == 0 {
            return Ok(());
        }
        last = match cursor.between_groups(at)? {
            Some((mark, width)) if width == gap => mark,
            _ => b'.',
        };
        at += gap;
    }
}
