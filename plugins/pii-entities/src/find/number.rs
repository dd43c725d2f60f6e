//! Payment cards and US social security numbers.

use witgate_policy::patterns::{Answer, Cursor, More};

/// 12 to 19 digits that an issuer gives out and whose check digit is right, in one piece or in groups with a space or a
/// dash between them. The longest that fits is taken.
pub(super) fn card(cursor: &Cursor<'_>) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let mut digits = [0; 19];
    let mut count = 0;
    let mut group = 0;
    let mut between = None;
    // Whether the groups before this one have four digits each, or four and six.
    let (mut fours, mut six) = (true, false);
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
        // Twelve digits are much else, too, where nothing parts them.
        let grouped_enough = count > 12 || between.is_some() || byte == b'"';
        if count >= 12
            && grouped_enough
            && (between.is_none() || fours && group <= 4 || six && group <= 5)
            && issued(&digits[..count]) & 1 << count != 0
            && luhn(&digits[..count])
            && cursor.number_may_end(at)?
        {
            best = Some(at);
        }
        let gap = cursor.between_groups(at)?;
        let Some((mark, width)) = gap.filter(|(mark, _)| between.is_none_or(|b| b == *mark)) else {
            return Ok(best);
        };
        if !(3..=6).contains(&group) || !cursor.is_digit(at + width)? {
            return Ok(best);
        }
        six = fours && between.is_some() && count == 10 && group == 6;
        fours &= group == 4;
        if !fours && !six {
            return Ok(best);
        }
        between = Some(mark);
        group = 0;
        at += width;
    }
}

const fn lengths(from: u32, to: u32) -> u32 {
    (2 << to) - (1 << from)
}

/// Six digits from there to there, and the lengths of the cards that begin so.
type Range = (u32, u32, u32);

const fn range(from: u32, to: u32, lengths: u32) -> Range {
    (from, to, lengths)
}

/// Who gives out what. National schemes have ranges within those of others, so that the lengths of all that fit are taken together.
const ISSUERS: &[Range] = &[
    // Visa, with Dankort, Elo and Mada in it.
    range(
        400_000,
        499_999,
        lengths(13, 13) | lengths(16, 16) | lengths(19, 19),
    ),
    // American Express.
    range(340_000, 349_999, lengths(15, 15)),
    range(370_000, 379_999, lengths(15, 15)),
    // Mastercard.
    range(510_000, 559_999, lengths(16, 16)),
    range(222_100, 272_099, lengths(16, 16)),
    // Diners Club.
    range(300_000, 305_999, lengths(14, 14) | lengths(16, 19)),
    range(309_500, 309_599, lengths(14, 14) | lengths(16, 19)),
    range(360_000, 369_999, lengths(14, 14) | lengths(16, 19)),
    range(380_000, 399_999, lengths(14, 14) | lengths(16, 19)),
    // JCB, and the old JCB of 15 digits.
    range(352_800, 358_999, lengths(16, 19)),
    range(213_100, 213_199, lengths(15, 15)),
    range(180_000, 180_099, lengths(15, 15)),
    // Mir, GPN of Indonesia.
    range(220_000, 220_499, lengths(16, 19)),
    range(194_600, 194_699, lengths(16, 16)),
    // Maestro, with Solo, Switch and Laser in it.
    range(500_000, 509_999, lengths(12, 19)),
    range(560_000, 589_999, lengths(12, 19)),
    range(639_000, 639_999, lengths(12, 19)),
    range(670_000, 679_999, lengths(12, 19)),
    range(630_400, 630_499, lengths(12, 19)),
    range(633_100, 633_499, lengths(16, 19)),
    // Discover, UnionPay, RuPay, Troy, Humo, UzCard, Napas, Belkart, UkrCard, InterPayment, InstaPayment.
    range(601_100, 601_199, lengths(16, 19)),
    range(644_000, 659_999, lengths(16, 19)),
    range(620_000, 629_999, lengths(16, 19)),
    range(810_000, 829_999, lengths(16, 19)),
    range(600_000, 609_999, lengths(16, 16)),
    range(353_000, 353_999, lengths(16, 16)),
    range(356_000, 356_999, lengths(16, 16)),
    range(979_200, 979_299, lengths(16, 16)),
    range(986_000, 986_099, lengths(16, 16)),
    range(860_000, 860_099, lengths(16, 16)),
    range(970_400, 970_499, lengths(16, 16) | lengths(19, 19)),
    range(911_200, 911_299, lengths(16, 16)),
    range(636_000, 639_999, lengths(16, 19)),
    // Hipercard.
    range(
        606_282,
        606_282,
        lengths(13, 13) | lengths(16, 16) | lengths(19, 19),
    ),
];

/// The lengths that cards with these first digits have, as bits. With fewer than six digits: 0 where no card can start
/// so.
fn issued(digits: &[u8]) -> u32 {
    if digits.len() < 6 {
        return match digits[0] {
            0 | 7 => 0,
            _ => u32::MAX,
        };
    }
    let first = digits[..6]
        .iter()
        .fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    let fits = |(from, to, _): &&Range| (*from..=*to).contains(&first);
    ISSUERS
        .iter()
        .filter(fits)
        .fold(0, |all, (.., lengths)| all | lengths)
}

pub(super) fn luhn(digits: &[u8]) -> bool {
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
    let mut at = at + 3;
    for digits in [2, 4] {
        match cursor.between_groups(at)? {
            Some((mark, width)) if mark == between => at += width,
            _ => return Ok(None),
        }
        if !matches!(number(cursor, at, digits)?, Some(1..)) {
            return Ok(None);
        }
        at += digits;
    }
    Ok(cursor.number_may_end(at)?.then_some(at))
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
