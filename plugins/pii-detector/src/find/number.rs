//! Payment cards and US social security numbers.

use witgate_policy::patterns::{Answer, Cursor, More};

/// 13 to 19 digits that an issuer gives out and whose check digit is right, in one piece or in groups with a space or a
/// dash between them. The longest that fits is taken.
pub(super) fn card(cursor: &Cursor<'_>) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let mut digits = [0; 19];
    let mut count = 0;
    let mut group = 0;
    let mut between = None;
    let mut best = None;
    let mut at = cursor.start;
    loop {
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() {
            if count == digits.len() {
                return Ok(best);
            }
            digits[count] = byte - b'0';
            count += 1;
            group += 1;
            at += 1;
            if matches!(count, 1 | 6) && issued(&digits[..count]) == 0 {
                return Ok(None);
            }
            continue;
        }
        if count < 6 && group < 3 {
            return Ok(None);
        }
        if count >= 13
            && issued(&digits[..count]) & 1 << count != 0
            && luhn(&digits[..count])
            && cursor.number_may_end(at)?
        {
            best = Some(at);
        }
        let separates = matches!(byte, b' ' | b'-') && between.is_none_or(|b| b == byte);
        if !separates || !(3..=6).contains(&group) || !cursor.is_digit(at + 1)? {
            return Ok(best);
        }
        between = Some(byte);
        group = 0;
        at += 1;
    }
}

const fn lengths(from: u32, to: u32) -> u32 {
    (2 << to) - (1 << from)
}

/// The lengths that cards with these first digits have, as bits. With fewer than six digits: 0 where no card can start
/// so.
fn issued(digits: &[u8]) -> u32 {
    if digits.len() < 6 {
        return match digits[0] {
            2..=6 | 8 => u32::MAX,
            _ => 0,
        };
    }
    let first = |n: usize| {
        digits[..n]
            .iter()
            .fold(0, |sum, digit| sum * 10 + u32::from(*digit))
    };
    match (first(2), first(4)) {
        // Visa
        (40..=49, _) => lengths(13, 13) | lengths(16, 16) | lengths(19, 19),
        // American Express
        (34 | 37, _) => lengths(15, 15),
        // Mastercard
        (51..=55, _) | (_, 2221..=2720) => lengths(16, 16),
        // Diners Club
        (36 | 38 | 39, _) | (_, 3000..=3059 | 3095) => lengths(14, 14) | lengths(16, 16),
        // JCB, Mir
        (_, 3528..=3589 | 2200..=2204) => lengths(16, 19),
        // Maestro
        (_, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763) => lengths(13, 19),
        // Discover, UnionPay
        (62 | 65, _) | (_, 6011 | 6440..=6499) => lengths(16, 19),
        // RuPay
        (60 | 81 | 82, _) | (_, 5080..=5089) => lengths(16, 16),
        _ => 0,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(n, digit)| match u32::from(*digit) << (n % 2) {
            two @ 10.. => two - 9,
            one => one,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// `123-45-6789`, where each part has a value that is given out.
pub(super) fn ssn(cursor: &Cursor<'_>) -> Answer {
    parts(cursor, b'-')
}

/// `123 45 6789` after a word for it. Three numbers alone may be anything.
pub(super) fn announced_ssn(
    cursor: &Cursor<'_>,
    word_end: usize,
) -> Result<Option<(usize, usize)>, More> {
    let words = ["ssn", "security", "social_security_number"];
    if !cursor.is_one_of(word_end, &words)? {
        return Ok(None);
    }
    let mut at = word_end;
    for word in [" number", " no.", " is"] {
        if cursor.has(at, word)? {
            at += word.len();
        }
    }
    let marks = at;
    while at - marks < 6 && matches!(cursor.get(at)?, b' ' | b':' | b'=' | b'#' | b'"') {
        at += 1;
    }
    if at == word_end || !cursor.is_digit(at)? {
        return Ok(None);
    }
    Ok(parts(&cursor.from(at), b' ')?.map(|end| (at, end)))
}

fn parts(cursor: &Cursor<'_>, between: u8) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let at = cursor.start;
    let Some(area) = number(cursor, at, 3)? else {
        return Ok(None);
    };
    if matches!(area, 0 | 666 | 900..) {
        return Ok(None);
    }
    if cursor.get(at + 3)? != between || !matches!(number(cursor, at + 4, 2)?, Some(1..)) {
        return Ok(None);
    }
    if cursor.get(at + 6)? != between || !matches!(number(cursor, at + 7, 4)?, Some(1..)) {
        return Ok(None);
    }
    Ok(cursor.number_may_end(at + 11)?.then_some(at + 11))
}

/// The number that exactly these digits make.
fn number(cursor: &Cursor<'_>, at: usize, digits: usize) -> Result<Option<u32>, More> {
    let mut value = 0;
    for at in at..at + digits {
        match cursor.get(at)? {
            digit @ b'0'..=b'9' => value = value * 10 + u32::from(digit - b'0'),
            _ => return Ok(None),
        }
    }
    Ok(Some(value))
}
