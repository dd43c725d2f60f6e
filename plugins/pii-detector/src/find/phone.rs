//! Phone numbers: international numbers with their `+`, and the usual ways to write a number in the US and Canada, the
//! United Kingdom, France and Germany. A plain run of digits doesn't count.

use witgate_policy::patterns::{Answer, Cursor, More, is_word};

pub(super) fn phone(cursor: &Cursor<'_>) -> Answer {
    match cursor.bytes()[cursor.start] {
        b'+' => international(cursor),
        b'0'..=b'9' | b'(' => national(cursor),
        _ => Ok(None),
    }
}

/// The most digits that a number has, country included.
const MOST: usize = 15;

fn international(cursor: &Cursor<'_>) -> Answer {
    if cursor.before().0.is_some_and(|c| is_word(c) || c == '+') {
        return Ok(None);
    }
    let mut digits = [0; MOST];
    let mut count = 0;
    let mut best = None;
    let mut at = cursor.start + 1;
    loop {
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() {
            if count == MOST {
                return Ok(best);
            }
            digits[count] = byte - b'0';
            count += 1;
            at += 1;
            if count == 3 && !country(digits[0], digits[1], digits[2]) {
                return Ok(None);
            }
            continue;
        }
        if count == 0 {
            return Ok(None);
        }
        let full = match digits[0] {
            1 => count == 11 && area(&digits[1..4]) && area(&digits[4..7]),
            _ => count >= 8,
        };
        if full && cursor.number_may_end(at)? {
            best = Some(at);
        }
        // A further number behind the phone number isn't part of it.
        if count >= 11 && (digits[0] == 1 || byte == b' ') {
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
    if !matches!(first, b' ' | b'-' | b'.' | b'/' | b'(' | b')') {
        return Ok(0);
    }
    if cursor.is_digit(at + 1)? {
        return Ok(1);
    }
    let second = cursor.get(at + 1)?;
    let bracket = matches!((first, second), (b' ' | b')', b'(') | (b')', b' ' | b'-'));
    Ok(if bracket && cursor.is_digit(at + 2)? {
        2
    } else {
        0
    })
}

/// Whether a country's code can start with these digits.
fn country(a: u8, b: u8, c: u8) -> bool {
    match (a, b) {
        (1, _) => b >= 2,
        (7, _) => true,
        (2, 0 | 7) | (3, 0..=4 | 6 | 9) | (4, 0 | 1 | 3..=9) => true,
        (5, 1..=8) | (6, 0..=6) | (8, 1 | 2 | 4 | 6) | (9, 0..=5 | 8) => true,
        (2, 1..=6 | 9) | (3, 5 | 7 | 8) | (4, 2) | (5, 0 | 9) | (6, 7..=9) => true,
        (8, 0 | 5 | 7 | 8) | (9, 6 | 7 | 9) => c <= 9,
        _ => false,
    }
}

/// Three digits that an American area or exchange may have.
fn area(digits: &[u8]) -> bool {
    digits[0] >= 2 && digits[1..3] != [1, 1]
}

/// How numbers are written within a country, by what they begin with. `A`: an American area or exchange. `P`: 1 to 9. `D`: a digit.
/// `*`: six to eight digits. `!`: not in a longer row of numbers. Every other character stands for itself.
fn forms(first: u8) -> &'static [&'static str] {
    match first {
        b'0' => &[
            // France
            "0P DD DD DD DD!",
            "0P.DD.DD.DD.DD",
            "0P-DD-DD-DD-DD",
            // United Kingdom
            "02D DDDD DDDD",
            "01DD DDD DDDD",
            "03DD DDD DDDD",
            "08DD DDD DDDD",
            "07DDD DDD DDD",
            "07DDD DDDDDD",
            // Germany
            "0PD *",
            "0PD/*",
            "0PD-*",
            "0PDD *",
            "0PDD/*",
            "0PDD-*",
            "0PDDD *",
            "0PDDD/*",
            "0PDDD-*",
        ],
        // US, Canada
        b'1' => &["1-A-A-DDDD", "1.A.A.DDDD", "1 (A) A-DDDD"],
        b'2'..=b'9' => &["A-A-DDDD", "A.A.DDDD"],
        _ => &[
            "(A) A-DDDD",
            "(A)A-DDDD",
            "(A) A DDDD",
            "(A) A.DDDD",
            // United Kingdom
            "(02D) DDDD DDDD",
            "(01DD) DDD DDDD",
            "(01DDD) DDDDDD",
        ],
    }
}

fn national(cursor: &Cursor<'_>) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let mut best = None;
    for form in forms(cursor.bytes()[cursor.start]) {
        best = best.max(written(cursor, form)?);
    }
    Ok(best)
}

fn written(cursor: &Cursor<'_>, form: &str) -> Answer {
    let mut at = cursor.start;
    for expected in form.bytes() {
        match expected {
            b'A' => {
                let mut digits = [0; 3];
                for digit in &mut digits {
                    match cursor.get(at)? {
                        byte @ b'0'..=b'9' => *digit = byte - b'0',
                        _ => return Ok(None),
                    }
                    at += 1;
                }
                if !area(&digits) {
                    return Ok(None);
                }
            }
            b'*' => {
                let from = at;
                while at - from < 8 && cursor.is_digit(at)? {
                    at += 1;
                }
                if at - from < 6 {
                    return Ok(None);
                }
            }
            b'!' => {
                let before = matches!(cursor.before(), (Some(' '), Some(c)) if c.is_ascii_digit());
                if before || cursor.get(at)? == b' ' && cursor.is_digit(at + 1)? {
                    return Ok(None);
                }
            }
            b'D' | b'P' => {
                let byte = cursor.get(at)?;
                if !byte.is_ascii_digit() || expected == b'P' && byte == b'0' {
                    return Ok(None);
                }
                at += 1;
            }
            _ => {
                if cursor.get(at)? != expected {
                    return Ok(None);
                }
                at += 1;
            }
        }
    }
    Ok(cursor.number_may_end(at)?.then_some(at))
}
