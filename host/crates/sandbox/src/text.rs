//! Text that a guest hands over: what counts as a name, and how the rest is cut and made fit for a line of the log.

use std::borrow::Cow;

/// Bytes of a guest's words that a message of the host's repeats.
const QUOTED: usize = 4 << 10;

/// Ids, codes and tags go into headers and metrics: `[a-z0-9][a-z0-9._-]{0,63}`.
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && !matches!(bytes[0], b'.' | b'_' | b'-')
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

/// The text without control characters: a line break would begin a line that looks like the host's own.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if char.is_control() && char != '\t' {
            line.extend(char.escape_default());
        } else {
            line.push(char);
        }
    }
    Cow::Owned(line)
}

/// Cuts a text that the host keeps, and frees the room of what was cut.
pub(super) fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
    text.shrink_to_fit();
}

/// A guest's own words as a message of the host's repeats them: cut, and without control characters.
pub(super) fn quoted(text: &str) -> String {
    printable(&text[..text.floor_char_boundary(QUOTED)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_a_letter_or_digit_and_has_at_most_64_bytes() {
        for name in ["a", "0", "pii.email_1-b", &"x".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for text in [
            "",
            ".a",
            "_a",
            "-a",
            "A",
            "a b",
            "ä",
            "a\n",
            &"x".repeat(65),
        ] {
            assert!(!is_name(text), "{text}");
        }
    }

    #[test]
    fn control_characters_are_escaped_and_tabs_stay() {
        let found = printable("plain");
        assert!(matches!(found, Cow::Borrowed("plain")), "{found:?}");
        assert_eq!(printable("a\tb\nc\u{7f}"), "a\tb\\nc\\u{7f}");
    }

    #[test]
    fn a_cut_keeps_whole_characters_and_no_room() {
        let mut text = "aä".repeat(100);
        cut(&mut text, 2);
        assert_eq!((text.as_str(), text.capacity()), ("a", 1));
        assert_eq!(quoted(&"ä".repeat(QUOTED)).len(), QUOTED);
    }
}
