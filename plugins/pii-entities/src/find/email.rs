//! E-mail addresses.
//!
//! A local part is up to 64 bytes of letters, digits and `._%+-`; a domain has at least one dot and ends in a label of
//! letters. Not found: quoted local parts, local parts with other marks (the part after the mark is), domains that are a
//! number or a single name, and `git@host`, which names a
//! repository, as the other names of that kind do before `:`, and `who@host:/path`, which names a file.

use witgate_policy::patterns::{Answer, Cursor, More, count_step, width};

use super::{LOCAL, class};

/// Who has repositories: `gitea@host.example.com:team/repo`.
const REPOSITORIES: &[&[u8]] = &[b"gitea", b"gogs", b"forgejo", b"gitlab", b"hg", b"svn"];

const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 253;

/// The run of local bytes that was looked at last. It is walked once and not from every word in it, and no further than an address
/// could reach, because the next search begins anew.
#[derive(Default)]
pub(super) struct Runs {
    /// How far the run was walked.
    to: usize,
    /// Whether it ends there.
    ended: bool,
    /// No address starts before its end.
    clear: bool,
}

pub(super) fn address(cursor: &Cursor<'_>, runs: &mut Runs) -> Answer {
    let bytes = cursor.bytes();
    let start = cursor.start;
    if start >= runs.to {
        *runs = Runs {
            to: start,
            ..Runs::default()
        };
    } else if runs.clear {
        return Ok(None);
    }
    while !runs.ended && runs.to - start <= LONGEST_LOCAL {
        count_step();
        match bytes.get(runs.to) {
            // An escaped mark (`%3D`) is a border. Whether it is one, the next two bytes say.
            Some(b'%') if is_hex(cursor, runs.to + 1)? && is_hex(cursor, runs.to + 2)? => {
                runs.ended = true;
            }
            Some(byte) if class(*byte) & LOCAL != 0 => runs.to += width(*byte),
            _ => runs.ended = true,
        }
    }
    let end = runs.to;
    if end - start > LONGEST_LOCAL {
        return Ok(None);
    }
    let at_sign = match cursor.get(end)? {
        b'@' => 1,
        b'%' if cursor.has(end, "%40")? => 3,
        _ => 0,
    };
    if at_sign == 0 || end == start || bytes[end - 1] == b'.' {
        runs.clear = true;
        return Ok(None);
    }
    let domain = domain(cursor, end + at_sign)?;
    runs.clear = domain.is_none();
    let Some(domain_end) = domain else {
        return Ok(None);
    };
    if &bytes[start..end] == b"git" {
        return Ok(None);
    }
    if cursor.get(domain_end)? == b':' {
        let path = cursor.get(domain_end + 1)? == b'/';
        if path || REPOSITORIES.contains(&&bytes[start..end]) {
            return Ok(None);
        }
    }
    Ok(domain)
}

fn is_hex(cursor: &Cursor<'_>, at: usize) -> Result<bool, More> {
    Ok(cursor.get(at)?.is_ascii_hexdigit())
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
