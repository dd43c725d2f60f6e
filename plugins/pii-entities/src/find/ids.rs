//! Numbers that states give to people, by their check digits.
//!
//! What a shape and its check digits tell from any other number to one in fifty and better is found wherever it stands; all else only behind a word for it.

use witgate_policy::patterns::{Answer, Cursor};

/// What a word before the number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    De,
    Nl,
    Pl,
    Se,
    Nhs,
    Aadhaar,
    Cpf,
    Sin,
    Tfn,
    Abn,
    Npi,
    Itin,
}

/// The digits from a place on, with what stands between their groups.
struct Digits {
    digits: [u8; 18],
    count: usize,
    /// Four bits for each group, the first group's highest.
    shape: u32,
    /// The marks between, as bits: 1 for a space, 2 for a dash, 4 for a dot, 8 for a slash.
    marks: u8,
    end: usize,
}

impl Digits {
    fn number(&self, from: usize, to: usize) -> u32 {
        let part = &self.digits[from..to];
        part.iter()
            .fold(0, |sum, digit| sum * 10 + u32::from(*digit))
    }

    fn weighted(&self, weights: &[u32]) -> u32 {
        let pairs = self.digits.iter().zip(weights);
        pairs
            .map(|(digit, weight)| u32::from(*digit) * weight)
            .sum()
    }

    fn all(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    /// Whether two digits are a month and two a day.
    fn is_date(&self, month: usize) -> bool {
        matches!(self.number(month, month + 2), 1..=12)
            && matches!(self.number(month + 2, month + 4), 1..=31)
    }
}

/// Reads up to 18 digits in groups. `None` where more follow.
fn digits(cursor: &Cursor<'_>) -> Result<Option<Digits>, witgate_policy::patterns::More> {
    let mut read = Digits {
        digits: [0; 18],
        count: 0,
        shape: 0,
        marks: 0,
        end: cursor.start,
    };
    let mut group = 0;
    loop {
        let at = read.end;
        let byte = cursor.get(at)?;
        if byte.is_ascii_digit() {
            if read.count == read.digits.len() || group == 15 {
                return Ok(None);
            }
            read.digits[read.count] = byte - b'0';
            read.count += 1;
            group += 1;
            read.end += 1;
            continue;
        }
        read.shape = read.shape << 4 | group;
        let (mark, width) = match byte {
            b'.' => (4, 1),
            b'/' => (8, 1),
            _ => match cursor.between_groups(at)? {
                Some((b' ', width)) => (1, width),
                Some((_, width)) => (2, width),
                None => (0, 0),
            },
        };
        if mark == 0 || !cursor.is_digit(at + width)? {
            return Ok(cursor.number_may_end(at)?.then_some(read));
        }
        if read.shape > 0xfff_ffff {
            return Ok(None);
        }
        read.marks |= mark;
        group = 0;
        read.end += width;
    }
}

/// An id that needs no word before it, made of digits.
pub(super) fn bare(cursor: &Cursor<'_>) -> Answer {
    if !cursor.number_may_start() {
        return Ok(None);
    }
    let Some(read) = digits(cursor)? else {
        return Ok(None);
    };
    let is = match (read.count, read.shape, read.marks) {
        (11, 0xb, _) => german(&read) || pesel(&read),
        (11, 0x2333, 1) => german(&read),
        // 123.456.789-09 and 12.345.678/0001-95
        (11, 0x3332, 6) => cpf(&read),
        (14, 0x23342, 14) => cnpj(&read),
        (13, 0xd, _) => south_african(&read),
        (15, 0xf | 0x1222332, 0 | 1) => nir(&read),
        (9, 0x324, 2) => itin(&read),
        (10, 0x64, 2) => swedish(&read, 0) && !is_time(&read, 6),
        (12, 0x84, 2) => swedish(&read, 2) && !is_time(&read, 8),
        _ => false,
    };
    Ok(is.then_some(read.end))
}

/// Whether four digits may be a time, as in `20241107-1230`.
fn is_time(read: &Digits, at: usize) -> bool {
    read.number(at, at + 2) < 24 && read.number(at + 2, at + 4) < 60
}

/// An id behind a word for it.
pub(super) fn announced(cursor: &Cursor<'_>, kind: Kind) -> Answer {
    if !cursor.get(cursor.start)?.is_ascii_digit() {
        return Ok(None);
    }
    let Some(read) = digits(cursor)? else {
        return Ok(None);
    };
    let is = match (kind, read.count) {
        (Kind::De, 11) => german(&read),
        (Kind::Nl, 9) => {
            read.number(0, 9) > 9999
                && (read.weighted(&[9, 8, 7, 6, 5, 4, 3, 2]) + 11 * 11 - u32::from(read.digits[8]))
                    % 11
                    == 0
        }
        (Kind::Pl, 11) => pesel(&read),
        (Kind::Se, 10) => swedish(&read, 0),
        (Kind::Se, 12) => swedish(&read, 2),
        (Kind::Nhs, 10) => nhs(&read),
        (Kind::Aadhaar, 12) => read.digits[0] > 1 && verhoeff(read.all()),
        (Kind::Cpf, 11) => cpf(&read),
        (Kind::Sin, 9) => read.digits[0] != 8 && luhn(read.all()),
        (Kind::Tfn, 9) => read
            .weighted(&[1, 4, 3, 7, 5, 8, 6, 9, 10])
            .is_multiple_of(11),
        (Kind::Abn, 11) => {
            let weights = [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19];
            (read.weighted(&weights) + 89 - 10) % 89 == 0
        }
        (Kind::Npi, 10) => npi(&read),
        (Kind::Itin, 9) => itin(&read),
        _ => false,
    };
    let varied = read.all().iter().any(|digit| *digit != read.digits[0]);
    Ok((is && varied).then_some(read.end))
}

/// The number of a US bank, behind a word for it.
pub(super) fn routing(cursor: &Cursor<'_>) -> Answer {
    let Some(read) = digits(cursor)? else {
        return Ok(None);
    };
    let district = matches!(read.number(0, 2), 0..=12 | 21..=32 | 61..=72 | 80);
    let is = read.count == 9
        && district
        && read
            .weighted(&[3, 7, 1, 3, 7, 1, 3, 7, 1])
            .is_multiple_of(10);
    Ok((is && read.number(0, 9) > 0).then_some(read.end))
}

/// Germany's tax number: no zero first, one digit of the first ten twice or three times and one or two missing, and a check digit.
fn german(read: &Digits) -> bool {
    let mut seen = [0u8; 10];
    for digit in &read.digits[..10] {
        seen[usize::from(*digit)] += 1;
    }
    let times = |n: u8| seen.iter().filter(|count| **count == n).count();
    let pattern = matches!((times(0), times(2), times(3)), (1, 1, 0) | (2, 0, 1));
    let mut product = 10;
    for digit in &read.digits[..10] {
        let sum = match (u32::from(*digit) + product) % 10 {
            0 => 10,
            sum => sum,
        };
        product = sum * 2 % 11;
    }
    let check = (11 - product) % 10;
    read.digits[0] != 0 && pattern && u32::from(read.digits[10]) == check
}

/// Poland's: a date with the century in the month, and a check digit.
fn pesel(read: &Digits) -> bool {
    let month = read.number(2, 4) % 20;
    let date = matches!(month, 1..=12) && matches!(read.number(4, 6), 1..=31);
    date && read
        .weighted(&[1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1])
        .is_multiple_of(10)
}

/// Sweden's: a date, of which the day may have 60 more, and a check digit. With a century before it, or none.
fn swedish(read: &Digits, from: usize) -> bool {
    let day = read.number(from + 4, from + 6) % 60;
    let date = matches!(read.number(from + 2, from + 4), 1..=12) && matches!(day, 1..=31);
    let century = from == 0 || matches!(read.number(0, 2), 18..=20);
    date && century && luhn(&read.digits[from..from + 10])
}

fn nhs(read: &Digits) -> bool {
    let check = 11 - read.weighted(&[10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
    check % 11 == u32::from(read.digits[9]) && check != 10
}

/// Brazil's: two check digits.
fn cpf(read: &Digits) -> bool {
    let check = |count: usize| {
        let sum: u32 = read.digits[..count]
            .iter()
            .zip((2..=count as u32 + 1).rev())
            .map(|(digit, weight)| u32::from(*digit) * weight)
            .sum();
        sum * 10 % 11 % 10 == u32::from(read.digits[count])
    };
    let varied = read.all().iter().any(|digit| *digit != read.digits[0]);
    varied && check(9) && check(10)
}

fn cnpj(read: &Digits) -> bool {
    let check = |count: usize| {
        let weights = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
        let sum = read.weighted(&weights[13 - count..]);
        let rest = sum % 11;
        let digit = if rest < 2 { 0 } else { 11 - rest };
        digit == u32::from(read.digits[count])
    };
    check(12) && check(13)
}

/// South Africa's: a date, a digit for the citizenship, a check digit.
fn south_african(read: &Digits) -> bool {
    read.is_date(2) && read.digits[10] < 2 && luhn(read.all())
}

/// France's: sex, year, month, place, and what is left of 97.
fn nir(read: &Digits) -> bool {
    let number = read.all()[..13]
        .iter()
        .fold(0u64, |sum, digit| sum * 10 + u64::from(*digit));
    let month = matches!(read.number(3, 5), 1..=12 | 20..=42 | 50..=99);
    matches!(read.digits[0], 1 | 2 | 7 | 8)
        && month
        && 97 - number % 97 == u64::from(read.number(13, 15))
}

fn itin(read: &Digits) -> bool {
    read.digits[0] == 9 && matches!(read.number(3, 5), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// The number of who treats patients in the US: a card's check digit, with 80840 before it.
fn npi(read: &Digits) -> bool {
    let mut all = [8, 0, 8, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    all[5..].copy_from_slice(read.all());
    matches!(read.digits[0], 1 | 2) && luhn(&all)
}

fn luhn(digits: &[u8]) -> bool {
    super::number::luhn(digits)
}

fn verhoeff(digits: &[u8]) -> bool {
    const PRODUCT: [[u8; 10]; 10] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 2, 3, 4, 0, 6, 7, 8, 9, 5],
        [2, 3, 4, 0, 1, 7, 8, 9, 5, 6],
        [3, 4, 0, 1, 2, 8, 9, 5, 6, 7],
        [4, 0, 1, 2, 3, 9, 5, 6, 7, 8],
        [5, 9, 8, 7, 6, 0, 4, 3, 2, 1],
        [6, 5, 9, 8, 7, 1, 0, 4, 3, 2],
        [7, 6, 5, 9, 8, 2, 1, 0, 4, 3],
        [8, 7, 6, 5, 9, 3, 2, 1, 0, 4],
        [9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
    ];
    const TURN: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    let mut sum = 0;
    for (n, digit) in digits.iter().rev().enumerate() {
        let turned = (0..n % 8).fold(*digit, |digit, _| TURN[usize::from(digit)]);
        sum = PRODUCT[usize::from(sum)][usize::from(turned)];
    }
    sum == 0
}

/// An id with letters in it, which needs no word before it: of Italy, Spain, the United Kingdom, Singapore, India.
pub(super) fn lettered(cursor: &Cursor<'_>, length: usize) -> Answer {
    let end = cursor.start + length;
    let text = cursor.text_to(end).as_bytes();
    let upper = |at: usize| text[at].is_ascii_uppercase();
    let digit = |at: usize| text[at].is_ascii_digit();
    let is = match length {
        16 => codice_fiscale(text),
        9 if digit(1) && upper(8) => match text[0] {
            // Spain's, of residents and of foreigners.
            b'0'..=b'9' | b'X'..=b'Z' if spanish(text) => true,
            b'S' | b'T' | b'F' | b'G' | b'M' => singapore(text),
            _ => false,
        },
        9 => upper(0) && upper(1) && nino(text),
        10 => {
            (0..5).all(upper) && (5..9).all(digit) && upper(9) && b"PCFHATBLJG".contains(&text[3])
        }
        // `QQ 12 34 56 C`
        2 if upper(0) && upper(1) => return spaced_nino(cursor),
        _ => false,
    };
    Ok((is && cursor.number_may_end(end)?).then_some(end))
}

/// Which first two letters the United Kingdom gives out.
fn nino_prefix(a: u8, b: u8) -> bool {
    let none = [*b"BG", *b"GB", *b"KN", *b"NK", *b"NT", *b"TN", *b"ZZ"];
    !b"DFIQUV".contains(&a) && !b"DFIOQUV".contains(&b) && !none.contains(&[a, b])
}

fn nino(text: &[u8]) -> bool {
    nino_prefix(text[0], text[1])
        && text[2..8].iter().all(u8::is_ascii_digit)
        && matches!(text[8], b'A'..=b'D')
}

fn spaced_nino(cursor: &Cursor<'_>) -> Answer {
    let mut at = cursor.start;
    if !nino_prefix(cursor.get(at)?, cursor.get(at + 1)?) {
        return Ok(None);
    }
    at += 2;
    for _ in 0..4 {
        match cursor.between_groups(at)? {
            Some((b' ', width)) => at += width,
            _ => return Ok(None),
        }
        if matches!(cursor.get(at)?, b'A'..=b'D') {
            break;
        }
        if !cursor.is_digit(at)? || !cursor.is_digit(at + 1)? {
            return Ok(None);
        }
        at += 2;
    }
    let whole = at - cursor.start >= 12 && matches!(cursor.get(at)?, b'A'..=b'D');
    Ok((whole && !cursor.is_word(at + 1)?).then_some(at + 1))
}

fn spanish(text: &[u8]) -> bool {
    let mut number = 0;
    for (n, byte) in text[..8].iter().enumerate() {
        let digit = match byte {
            b'X'..=b'Z' if n == 0 => byte - b'X',
            b'0'..=b'9' => byte - b'0',
            _ => return false,
        };
        number = number * 10 + u32::from(digit);
    }
    b"TRWAGMYFPDXBNJZSQVHLCKE"[number as usize % 23] == text[8]
}

fn singapore(text: &[u8]) -> bool {
    if !text[1..8].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weights = [2, 7, 6, 5, 4, 3, 2];
    let sum: usize = text[1..8]
        .iter()
        .zip(weights)
        .map(|(byte, weight)| usize::from(byte - b'0') * weight)
        .sum();
    let letter = match text[0] {
        b'S' => b"JZIHGFEDCBA"[sum % 11],
        b'T' => b"JZIHGFEDCBA"[(sum + 4) % 11],
        b'F' => b"XWUTRQPNMLK"[sum % 11],
        b'G' => b"XWUTRQPNMLK"[(sum + 4) % 11],
        _ => b"XWUTRQPNJLK"[10 - (sum + 3) % 11],
    };
    letter == text[8]
}

/// Italy's: letters of the name, a date, a place, and a check letter.
fn codice_fiscale(text: &[u8]) -> bool {
    const LETTERS: &[u8] = b"AAAAAA00A00A000A";
    for (byte, like) in text.iter().zip(LETTERS) {
        let upper = byte.to_ascii_uppercase();
        let fits = match like {
            b'A' => upper.is_ascii_uppercase(),
            // Of two people with the same number one has letters in it.
            _ => upper.is_ascii_digit() || b"LMNPQRSTUV".contains(&upper),
        };
        if !fits {
            return false;
        }
    }
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let sum: u32 = text[..15]
        .iter()
        .enumerate()
        .map(|(n, byte)| {
            let value = match byte.to_ascii_uppercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter => letter - b'A',
            };
            // The first place counts as odd.
            if n % 2 == 0 {
                ODD[usize::from(value)]
            } else {
                u32::from(value)
            }
        })
        .sum();
    b"ABCDEHLMPRSTUV".contains(&text[8].to_ascii_uppercase())
        && u32::from(text[15].to_ascii_uppercase() - b'A') == sum % 26
}

/// A passport's number, behind a word for it: six to nine letters and digits, of which up to two letters come first, or as France has them.
pub(super) fn passport(cursor: &Cursor<'_>) -> Answer {
    let mut at = cursor.start;
    let mut digits = 0;
    while at - cursor.start <= 9 && cursor.get(at)?.is_ascii_alphanumeric() {
        let byte = cursor.get(at)?;
        if byte.is_ascii_lowercase() {
            return Ok(None);
        }
        digits += usize::from(byte.is_ascii_digit());
        at += 1;
    }
    let is = (6..=9).contains(&(at - cursor.start)) && digits >= 5;
    Ok((is && cursor.number_may_end(at)?).then_some(at))
}

/// A date, behind a word for it: `1980-03-12`, `12.3.1980`, `3/12/80`, `12 March 1980`, `March 12, 1980`.
pub(super) fn date(cursor: &Cursor<'_>) -> Answer {
    let mut at = cursor.start;
    let mut numbers = 0;
    let mut letters = 0;
    let (mut first, mut second) = (0u32, 1u32);
    let mut year = false;
    loop {
        let from = at;
        while at - from < 5 && cursor.is_digit(at)? {
            at += 1;
        }
        let digits = at - from;
        if !(1..=4).contains(&digits) || digits == 3 {
            return Ok(None);
        }
        let value = cursor.from(from).text_to(at).parse().unwrap_or(0);
        match numbers {
            0 => first = value,
            1 => second = if letters == 0 { value } else { 1 },
            _ => {}
        }
        year |= digits == 4;
        numbers += 1;
        let whole = numbers == 3 || numbers == 2 && letters > 0;
        if whole {
            // `12 34 56 78` is none, and nor is a row that goes on.
            let day = first > 0 && (first <= 31 || year);
            if !day || second > 31 || second == 0 || !year && letters > 0 {
                return Ok(None);
            }
            if matches!(cursor.get(at)?, b'-' | b'/' | b'.' | b' ') && cursor.is_digit(at + 1)? {
                return Ok(None);
            }
            return Ok((!cursor.is_word(at)?).then_some(at));
        }
        match cursor.get(at)? {
            b'.' | b'/' | b'-' | b' ' if cursor.is_digit(at + 1)? => at += 1,
            b'.' | b' ' if letters == 0 => {
                at += 1;
                if cursor.get(at)? == b' ' {
                    at += 1;
                }
                let word = at;
                while at - word < 10 && (cursor.get(at)?.is_ascii_alphabetic()) {
                    at += 1;
                }
                letters = at - word;
                if letters < 3 || cursor.get(at)? != b' ' || !cursor.is_digit(at + 1)? {
                    return Ok(None);
                }
                at += 1;
            }
            _ => return Ok(None),
        }
    }
}
