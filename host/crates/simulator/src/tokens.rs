//! An estimate of tokens.
//!
//! A token is up to eight letters or digits with the one space before them, or up to eight white-space characters, or
//! any other single character. It is an estimate, near enough to a real tokenizer's for English, and cheap. Cutting is
//! a function of the text alone, so that counting, truncating and chunking agree.

const LONGEST: usize = 8;

/// The length in bytes of the first token; 0 only for the empty text.
fn first(text: &str) -> usize {
    let after_space = usize::from(text.starts_with(' '));
    let word = run(&text[after_space..], char::is_alphanumeric);
    if word > 0 {
        return after_space + word;
    }
    match run(text, char::is_whitespace) {
        0 => text.chars().next().map_or(0, char::len_utf8),
        space => space,
    }
}

/// The bytes of up to [`LONGEST`] leading characters that all are of the kind.
fn run(text: &str, kind: impl Fn(char) -> bool) -> usize {
    text.chars()
        .take(LONGEST)
        .take_while(|c| kind(*c))
        .map(char::len_utf8)
        .sum()
}

/// The tokens of a text, in order; joined they are the text.
pub(super) fn cut(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (token, rest) = text.split_at(first(text));
        text = rest;
        (!token.is_empty()).then_some(token)
    })
}

/// How many tokens a text has.
pub(super) fn count(text: &str) -> u64 {
    cut(text).count() as u64
}

/// The length in bytes of the first `tokens` tokens.
pub(super) fn prefix(text: &str, tokens: u64) -> usize {
    cut(text)
        .take(usize::try_from(tokens).unwrap_or(usize::MAX))
        .map(str::len)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_joined_are_the_text() {
        for text in [
            "",
            " ",
            "a",
            "Got it! Your  test\n\n  message…",
            "日本語の長い文章です。",
            "  x",
        ] {
            assert_eq!(cut(text).collect::<String>(), text);
        }
    }

    #[test]
    fn a_word_takes_the_space_before_it() {
        let tokens: Vec<_> = cut("Got it! Your extraordinary test").collect();
        assert_eq!(
            tokens,
            ["Got", " it", "!", " Your", " extraord", "inary", " test"]
        );
        assert_eq!(count("Got it! Your"), 4);
        assert_eq!(prefix("Got it! Your", 2), 6);
        assert_eq!(prefix("Got it!", 99), 7);
    }
}
