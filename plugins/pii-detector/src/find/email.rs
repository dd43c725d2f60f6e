//! E-mail addresses.
//!
//! A local part is up to 64 bytes of letters, digits and `._%+-`; a domain has at least one dot and ends in a label of
//! letters. Not found: quoted local parts, local parts with other marks (the part after the mark is), domains that are a
//! number or a single name, and `git@host`, which names a repository.

use super::cursor::Cursor;
use super::{Answer, LOCAL, class, width};

const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;

/// Where the run of local bytes that was looked at last ends, so that the run is walked once and not from every word in it.
#[derive(Default)]
pub(super) struct Runs {
    end: usize,
    /// No address starts before the run's end.
    clear: bool,
}

pub(super) fn address(cursor: &Cursor<'_>, runs: &mut Runs) -> Answer {
    let bytes = cursor.bytes();
    if cursor.start < runs.end {
        if runs.clear {
            return Ok(None);
        }
    } else {
        let mut end = cursor.start;
        while end < bytes.len() && class(bytes[end]) & LOCAL != 0 {
            end += width(bytes[end]);
        }
        *runs = Runs { end, clear: false };
    }
    let end = runs.end;
    if end - cursor.start > LONGEST_LOCAL {
        return Ok(None);
    }
    if cursor.get(end)? != b'@' || bytes[end - 1] == b'.' {
        runs.clear = true;
        return Ok(None);
    }
    let domain = domain(cursor, end + 1)?;
    runs.clear = domain.is_none();
    if &bytes[cursor.start..end] == b"git" {
        return Ok(None);
    }
    Ok(domain)
}

/// The longest domain from here on. A mark after it isn't part of it.
fn domain(cursor: &Cursor<'_>, start: usize) -> Answer {
    let mut best = None;
    let mut label = start;
    let mut letters = true;
    let mut at = start;
    loop {
        if at - start > LONGEST_DOMAIN {
            return Ok(best);
        }
        let byte = cursor.get(at)?;
        if byte.is_ascii_alphabetic() || (0xc3..=0xc9).contains(&byte) {
            at += width(byte);
            continue;
        }
        if byte.is_ascii_digit() {
            letters = false;
            at += 1;
            continue;
        }
        let top = letters && at - label >= 2 || cursor.bytes()[label..at].starts_with(b"xn--");
        if label > start && top && byte != b'_' {
            best = Some(at);
        }
        match byte {
            b'-' if at > label => letters = false,
            b'.' if at > label => {
                label = at + 1;
                letters = true;
            }
            _ => return Ok(best),
        }
        at += 1;
    }
}
