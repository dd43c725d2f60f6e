//! Shortens runs of nothing: white space and characters that aren't drawn, which are few tokens to a model and may be many bytes.

use std::borrow::Cow;

use crate::fold::hidden::is_ignorable;
use crate::steps;

/// Runs of so many characters and more are shortened to one.
const LONGEST: usize = 64;

/// `text` without its long runs of nothing.
pub(crate) fn squeeze(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut copied, mut at) = (0, 0);
    // Of so many characters, one has a byte at every so manieth place.
    while at < text.len() {
        let place = text.floor_char_boundary(at);
        let before = || text[copied..place].chars().rev().take_while(is_nothing);
        let start = place - before().map(char::len_utf8).sum::<usize>();
        let after = || text[place..].chars().take_while(is_nothing);
        let end = place + after().map(char::len_utf8).sum::<usize>();
        steps::took(end - start + 1);
        if end > place && text[start..end].chars().count() >= LONGEST {
            out.push_str(&text[copied..start]);
            out.push(stand_in(&text[start..end]));
            copied = end;
            at = end;
        }
        at += LONGEST;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

fn stand_in(run: &str) -> char {
    if run.contains(['\n', '\u{2028}', '\u{2029}']) {
        '\n'
    } else if run.contains(char::is_whitespace) {
        ' '
    } else {
        // Between two letters it separates no words.
        '\u{200B}'
    }
}

/// White space, and what isn't drawn and spells nothing.
fn is_nothing(c: &char) -> bool {
    c.is_whitespace()
        || is_ignorable(*c) && !matches!(*c as u32, 0xFE00..=0xFE0F | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_runs_become_one_character_and_short_ones_stay() {
        let spaces = " ".repeat(LONGEST);
        assert_eq!(squeeze(&format!("a{spaces}b")), "a b");
        assert_eq!(squeeze(&format!("a{spaces}\n{spaces}b ")), "a\nb ");
        assert_eq!(squeeze(&format!("{spaces}b{spaces}c{spaces}")), " b c ");
        let invisible = "\u{200B}".repeat(1000);
        assert_eq!(squeeze(&format!("ig{invisible}nore")), "ig\u{200B}nore");
        let short = format!("Ça{}va, 好{}?", &spaces[1..], &spaces[1..]);
        assert!(matches!(squeeze(&short), Cow::Borrowed(_)));
    }

    #[test]
    fn what_spells_something_stays() {
        let tags = "\u{E0041}".repeat(100);
        assert_eq!(squeeze(&tags), tags);
    }
}
