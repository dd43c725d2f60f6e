//! Characters written as escapes, in JSON and HTML.

/// What an escape that text begins with is.
pub(crate) enum Ahead {
    /// There is none.
    None,
    /// White space or a quotation mark, in two bytes: it separates words.
    Separator,
    /// Any character.
    Character,
}

/// What escape `bytes` begin with.
pub(crate) fn ahead(bytes: &[u8]) -> Ahead {
    match bytes {
        [b'\\', b'n' | b'r' | b't' | b'"', ..] => Ahead::Separator,
        [b'%', b'2', b'0', ..] => Ahead::Separator,
        _ if json_escape(bytes).is_some()
            || entity(bytes).is_some()
            || percent(bytes).is_some() =>
        {
            Ahead::Character
        }
        _ => Ahead::None,
    }
}

/// The character that an escape in JSON stands for, if it is one that hides text, and the bytes it takes.
pub(crate) fn json_escape(bytes: &[u8]) -> Option<(char, usize)> {
    if bytes.first() != Some(&b'\\') {
        return None;
    }
    match *bytes.get(1)? {
        b'n' | b'r' => Some(('\n', 2)),
        b't' => Some((' ', 2)),
        b'"' => Some(('"', 2)),
        b'u' => {
            let digits = std::str::from_utf8(bytes.get(2..6)?).ok()?;
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((c, 6))
        }
        _ => None,
    }
}

/// The ASCII character that a percent form stands for, and the bytes it takes.
pub(crate) fn percent(bytes: &[u8]) -> Option<(char, usize)> {
    let [b'%', high, low, ..] = *bytes else {
        return None;
    };
    let digit = |b: u8| char::from(b).to_digit(16);
    let c = char::from_u32(digit(high)? * 16 + digit(low)?)?;
    (c.is_ascii() && !c.is_ascii_control()).then_some((c, 3))
}

/// The character that an HTML entity stands for, and the bytes it takes.
pub(crate) fn entity(bytes: &[u8]) -> Option<(char, usize)> {
    if bytes.first() != Some(&b'&') {
        return None;
    }
    if bytes.get(1) != Some(&b'#') {
        let (name, c) = [
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&quot;", '"'),
            ("&nbsp;", ' '),
            ("&amp;", '&'),
        ]
        .into_iter()
        .find(|(name, _)| bytes.starts_with(name.as_bytes()))?;
        return Some((c, name.len()));
    }
    let (radix, from) = if matches!(bytes.get(2), Some(b'x' | b'X')) {
        (16, 3)
    } else {
        (10, 2)
    };
    let digits = bytes
        .get(from..)?
        .iter()
        .take(7)
        .take_while(|b| b.is_ascii_hexdigit())
        .count();
    let number = std::str::from_utf8(&bytes[from..from + digits]).ok()?;
    let c = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    let semicolon = usize::from(bytes.get(from + digits) == Some(&b';'));
    Some((c, from + digits + semicolon))
}
