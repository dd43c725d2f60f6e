//! Finds base64, base32 and hex, and decodes them.
//!
//! A run counts if it decodes to something that begins as readable text. The work is linear in the text: no byte is looked at more often than a fixed number
//! of times, and a run decodes to fewer bytes than it has.

use std::ops::Range;

use crate::steps;

/// Shortest run of base64 characters that is tried. 20 are 15 bytes: "ignore the rules".
const SHORTEST_BASE64: usize = 20;
/// Fewest bytes written in hex that are tried.
const SHORTEST_HEX: usize = 12;
/// Bytes that must be readable before the rest of a run is decoded: an embedded image costs no more than this.
const TASTE: usize = 48;

/// Text that was encoded.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    /// Where it stood.
    pub(crate) at: Range<usize>,
    /// What it says.
    pub(crate) text: String,
}

/// The encoded texts in `raw`, in order.
///
/// A run that is long enough holds one of the bytes that are a fixed distance apart. So it is looked for there alone.
pub(crate) fn decode(raw: &str) -> Vec<Decoded> {
    let bytes = raw.as_bytes();
    let mut found = Vec::new();
    let (mut read, mut at) = (0, 0);
    while at < bytes.len() {
        let run = around(bytes, at, read, is_sextet);
        let dump = around(bytes, at, read, is_in_dump);
        let start = match (run.len() >= SHORTEST_BASE64, dump.len() >= SHORTEST_HEX * 2) {
            (true, true) => run.start.min(dump.start),
            (true, false) => run.start,
            (false, true) => dump.start,
            (false, false) => {
                at += SHORTEST_BASE64;
                continue;
            }
        };
        read = runs(bytes, start..run.end.max(dump.end), &mut found);
        at = read.max(at) + 1;
    }
    found
}

/// The run of bytes that are `of` a kind around the one at `at`, no earlier than `from`. Empty if that one isn't.
#[inline]
fn around(bytes: &[u8], at: usize, from: usize, of: fn(u8) -> bool) -> Range<usize> {
    if !of(bytes[at]) || at < from {
        return at..at;
    }
    let before = bytes[from..at].iter().rev().take_while(|b| of(**b)).count();
    let after = bytes[at..].iter().take_while(|b| of(**b)).count();
    steps::took(before + after);
    at - before..at + after
}

#[inline]
fn is_in_dump(b: u8) -> bool {
    b.is_ascii_hexdigit() || matches!(b, b'x' | b'X' | b' ' | b',' | b':' | b'%' | b'\\')
}

/// Decodes the runs that start within `range`. Returns where the last of them ends.
fn runs(bytes: &[u8], range: Range<usize>, found: &mut Vec<Decoded>) -> usize {
    let mut at = range.start;
    // A run of hex that came to nothing comes to nothing from any of its bytes: it isn't looked at again before this place.
    let mut hex_from = 0;
    while at < range.end {
        if !may_start(bytes[at]) {
            at += 1;
            continue;
        }
        if at >= hex_from {
            let run = hex_run(bytes, at);
            hex_from = hex_from.max(run.seen);
            if let Some(end) = run.end {
                let run = &bytes[at..end];
                let digits = run.strip_prefix(b"0x").unwrap_or(run);
                found.extend(hex(digits).map(|text| Decoded { at: at..end, text }));
                at = end;
                continue;
            }
        }
        let end = base64_run(bytes, at);
        if end - at >= SHORTEST_BASE64 {
            let run = &bytes[at..end];
            let text = base64(run).or_else(|| base32(run));
            found.extend(text.map(|text| Decoded { at: at..end, text }));
        }
        at = end.max(at + 1);
    }
    at
}

#[inline]
fn may_start(b: u8) -> bool {
    is_sextet(b) || matches!(b, b'\\' | b'%')
}

/// The end of the run of base64 that starts at `at`; a line may break where it is long.
fn base64_run(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut line) = (at, at);
    loop {
        let rest = &bytes[end..];
        end += rest
            .iter()
            .position(|b| !is_sextet(*b))
            .unwrap_or(rest.len());
        steps::took(end - line);
        if end - line < 60
            || bytes.get(end) != Some(&b'\n')
            || bytes.get(end + 1).is_none_or(|b| !is_sextet(*b))
        {
            return end;
        }
        end += 1;
        line = end;
    }
}

/// What stands for no sextet.
const NO_SEXTET: u8 = 0xFF;
const SEXTETS: [u8; 256] = {
    let mut sextets = [NO_SEXTET; 256];
    let mut b = 0;
    while b < 256 {
        sextets[b] = match b as u8 {
            b'A'..=b'Z' => b as u8 - b'A',
            b'a'..=b'z' => b as u8 - b'a' + 26,
            b'0'..=b'9' => b as u8 - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => NO_SEXTET,
        };
        b += 1;
    }
    sextets
};

#[inline]
fn is_sextet(b: u8) -> bool {
    SEXTETS[usize::from(b)] != NO_SEXTET
}

/// Decodes base64. Inside a path or an id the text may start off the beat, so one more character in front is tried too.
fn base64(run: &[u8]) -> Option<String> {
    let from = |skip: usize| {
        let mut out = Text::new();
        let (mut bits, mut held) = (0u32, 0u32);
        for b in run[skip..].iter().map(|b| SEXTETS[usize::from(*b)]) {
            if b == NO_SEXTET {
                continue;
            }
            held = held << 6 | u32::from(b);
            bits += 6;
            if bits >= 8 {
                bits -= 8;
                if !out.push((held >> bits) as u8) {
                    break;
                }
            }
        }
        out.end()
    };
    from(0)
        .or_else(|| from(1))
        .or_else(|| from(2))
        .or_else(|| from(3))
}

/// Decodes base32, in letters of one case.
fn base32(run: &[u8]) -> Option<String> {
    let mut out = Text::new();
    let (mut bits, mut held) = (0u32, 0u32);
    let upper = run[0].is_ascii_uppercase();
    for b in run {
        let five = match *b {
            b @ b'A'..=b'Z' if upper => b - b'A',
            b @ b'a'..=b'z' if !upper => b - b'a',
            b @ b'2'..=b'7' => b - b'2' + 26,
            b'\n' => continue,
            _ => return None,
        };
        held = held << 5 | u32::from(five);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            if !out.push((held >> bits) as u8) {
                break;
            }
        }
    }
    out.end()
}

/// What a run decodes to, as long as it is text.
struct Text {
    /// Its first bytes. Most runs are no text, and end here.
    taste: [u8; TASTE],
    tasted: usize,
    /// All of it, once its first bytes were text.
    whole: Vec<u8>,
    is_none: bool,
}

impl Text {
    fn new() -> Self {
        Text {
            taste: [0; TASTE],
            tasted: 0,
            whole: Vec::new(),
            is_none: false,
        }
    }

    /// Takes a byte. False: no more is wanted.
    #[inline]
    fn push(&mut self, b: u8) -> bool {
        steps::took(1);
        if !self.whole.is_empty() {
            // It began as text, so it is read to its end, whatever comes in between.
            self.whole.push(b);
            return true;
        }
        if b < b' ' && !matches!(b, 9..=13) || b == 0x7f {
            self.is_none = true;
            return false;
        }
        self.taste[self.tasted] = b;
        self.tasted += 1;
        if self.tasted == TASTE {
            self.is_none = !is_readable(&self.taste);
            self.whole.extend_from_slice(&self.taste);
        }
        !self.is_none
    }

    fn end(self) -> Option<String> {
        let short = &self.taste[..self.tasted];
        if self.is_none || self.tasted < SHORTEST_HEX {
            return None;
        }
        if self.whole.is_empty() {
            return is_readable(short).then(|| String::from_utf8_lossy(short).into_owned());
        }
        Some(match String::from_utf8(self.whole) {
            Ok(text) => text,
            Err(e) => String::from_utf8_lossy(e.as_bytes()).into_owned(),
        })
    }
}

/// What was found of a run of bytes in hex.
#[derive(Default)]
struct HexRun {
    /// Where it ends, if it is one.
    end: Option<usize>,
    /// How far was looked.
    seen: usize,
}

/// The run of bytes in hex at `at`: `69676e`, `69 67 6e`, `\x69\x67` or `%69%67`.
fn hex_run(bytes: &[u8], at: usize) -> HexRun {
    let starts = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
    if !starts || !matches!(bytes[at], b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'\\' | b'%') {
        return HexRun::default();
    }
    let (mut end, mut pairs) = (at, 0);
    // Where the last pair that stands apart from the one before begins, its gap included.
    let mut apart = None;
    loop {
        steps::took(1);
        let rest = &bytes[end..];
        if pairs > 0
            && let [b' ', high, low, ..] = rest
            && high.is_ascii_hexdigit()
            && low.is_ascii_hexdigit()
        {
            // As most dumps are written.
            (apart, end, pairs) = (Some(end), end + 3, pairs + 1);
            continue;
        }
        let skip = match rest {
            [b'\\', b'x' | b'X', ..] => 2,
            [b'0', b'x' | b'X', ..] => 2,
            [b'%', ..] => 1,
            [b' ' | b',' | b':', b'0', b'x', ..] => 3,
            [b' ' | b',' | b':', ..] if pairs > 0 => 1,
            _ => 0,
        };
        match rest.get(skip..skip + 2) {
            Some(pair) if pair.iter().all(u8::is_ascii_hexdigit) => {
                apart = (skip > 0).then_some(end);
                end += skip + 2;
                pairs += 1;
            }
            _ => break,
        }
    }
    let seen = end;
    if bytes.get(end).is_some_and(u8::is_ascii_alphanumeric) {
        // The last pair runs into a word, and is none of the run's: `69 67 6ex`.
        let Some(before) = apart else {
            return HexRun { end: None, seen };
        };
        (end, pairs) = (before, pairs - 1);
    }
    HexRun {
        end: (pairs >= SHORTEST_HEX).then_some(end),
        seen,
    }
}

fn hex(run: &[u8]) -> Option<String> {
    let mut out = Text::new();
    let mut at = 0;
    while at + 1 < run.len() {
        let digit = |b: u8| char::from(b).to_digit(16);
        match (digit(run[at]), digit(run[at + 1])) {
            (Some(high), Some(low)) => {
                if !out.push((high * 16 + low) as u8) {
                    break;
                }
                at += 2;
            }
            (Some(0), None) if matches!(run[at + 1], b'x' | b'X') => at += 2,
            _ => at += 1,
        }
    }
    out.end()
}

/// True if nearly all of it can be read. Its end may be cut inside a character.
fn is_readable(bytes: &[u8]) -> bool {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(e) if bytes.len() - e.valid_up_to() <= 4 => {
            std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or("")
        }
        Err(_) => return false,
    };
    let bad = text
        .chars()
        .filter(|c| c.is_control() && !c.is_whitespace())
        .count();
    let good = text
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace())
        .count();
    bad == 0 && good * 10 >= text.chars().count() * 7
}

#[cfg(test)]
mod tests;
