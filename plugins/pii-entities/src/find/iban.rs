//! IBANs: a country, its length, and a remainder of 1 by 97.

use witgate_policy::patterns::{Answer, Cursor};

/// In one piece, or in groups of four with a space between them.
pub(super) fn iban(cursor: &Cursor<'_>) -> Answer {
    let start = cursor.start;
    let country = [cursor.get(start)?, cursor.get(start + 1)?].map(|b| b.to_ascii_uppercase());
    let Some(length) = length(country) else {
        return Ok(None);
    };
    let mut remainder = 0;
    let mut at = start;
    let mut spaced = false;
    for n in 0..length {
        if n == 4 {
            spaced = matches!(cursor.between_groups(at)?, Some((b' ', _)));
        }
        if spaced && n % 4 == 0 {
            match cursor.between_groups(at)? {
                Some((b' ', width)) => at += width,
                _ => return Ok(None),
            }
        }
        let byte = cursor.get(at)?;
        if !byte.is_ascii_alphanumeric() || matches!(n, 2 | 3) && !byte.is_ascii_digit() {
            return Ok(None);
        }
        // The first four count as if they stood last.
        if n >= 4 {
            remainder = append(remainder, byte);
        }
        at += 1;
    }
    for &byte in &cursor.bytes()[start..start + 4] {
        remainder = append(remainder, byte);
    }
    Ok((remainder == 1 && !cursor.is_word(at)?).then_some(at))
}

fn append(remainder: u32, byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
        _ => (remainder * 100 + u32::from(byte.to_ascii_uppercase() - b'A') + 10) % 97,
    }
}

fn length(country: [u8; 2]) -> Option<usize> {
    Some(match &country {
        b"NO" => 15,
        b"BE" => 16,
        b"DK" | b"FI" | b"FK" | b"FO" | b"GL" | b"NL" | b"SD" => 18,
        b"MK" | b"SI" => 19,
        b"AT" | b"BA" | b"EE" | b"KZ" | b"LT" | b"LU" | b"MN" | b"XK" => 20,
        b"CH" | b"HR" | b"LI" | b"LV" => 21,
        b"BG" | b"BH" | b"CR" | b"DE" | b"GB" | b"GE" | b"IE" | b"ME" | b"RS" | b"VA" => 22,
        b"AE" | b"GI" | b"IL" | b"IQ" | b"OM" | b"SO" | b"TL" => 23,
        b"AD" | b"CZ" | b"ES" | b"MD" | b"PK" | b"RO" | b"SA" | b"SE" | b"SK" | b"TN" | b"VG" => 24,
        b"LY" | b"PT" | b"ST" => 25,
        b"IS" | b"TR" => 26,
        b"BI" | b"DJ" | b"FR" | b"GR" | b"IT" | b"MC" | b"MR" | b"SM" => 27,
        b"AL" | b"AZ" | b"BY" | b"CY" | b"DO" | b"GT" | b"HN" | b"HU" | b"LB" | b"NI" | b"PL"
        | b"SV" => 28,
        b"BR" | b"EG" | b"PS" | b"QA" | b"UA" => 29,
        b"JO" | b"KW" | b"MU" | b"YE" => 30,
        b"MT" | b"SC" => 31,
        b"LC" => 32,
        b"RU" => 33,
        _ => return None,
    })
}
