//! How long a stream waits, counted in deltas. A clean text waits for its open word only.

use proptest::prelude::*;
use witgate_policy::Edit;
use witgate_policy::redact::Form;
use witgate_policy::testing::{self, Answer};

use super::passage;

const ENGLISH: &str = "The committee met on Tuesday, a day later than planned, and debated whether its report should \
    mention the weather of last spring. Most members agreed; two (the chair and her deputy) did not. \"Nobody reads it,\" \
    she said, \"so why bother?\" By 10 o'clock, 17 of 23 pages were done. In 2024 that took 12 hours: an hour for each \
    section, more or less.\n\nAfter lunch they turned to money. It isn't the 40 million that people talk about! It never \
    was. At 3 percent, growth was above what they'd hoped for in March, as a table on page 12 shows:\n\n- **Income** rose \
    by 1,250 a month\n- *Costs* fell to 980\n\nNo one asked about the add, bed, cab, dad, face or fade columns. Is it done? \
    I think so. Be it as it may, we go on.";

/// Cuts a text as models do: a word with the space before it, and every mark alone.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut start = 0;
    let mut last = ' ';
    for (at, c) in text.char_indices() {
        let goes_on = c.is_alphanumeric() && (last.is_alphanumeric() || last == ' ');
        if !goes_on && at > start {
            tokens.push(&text[start..at]);
            start = at;
        }
        last = c;
    }
    tokens.push(&text[start..]);
    tokens
}

fn stream<'a>(deltas: impl IntoIterator<Item = &'a str>) -> Answer {
    testing::redact(passage(Form::Text), deltas)
}

#[test]
fn english_in_tokens_is_held_for_two_deltas_at_most() {
    let tokens = tokens(ENGLISH);
    assert!(tokens.len() > 150, "the text is long enough to tell");
    let answer = stream(tokens.iter().copied());
    assert_eq!(answer.chunks, tokens);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!(answer.most_deltas_held, 2);

    // Without marks that belong to addresses, only the open word waits, and goes when the next one begins.
    let words =
        "the quick brown fox jumps over the lazy dog and then it rests for a while ".repeat(50);
    let tokens: Vec<&str> = self::tokens(&words);
    let answer = stream(tokens.iter().copied());
    assert_eq!(answer.chunks, tokens);
    assert_eq!(answer.most_deltas_held, 1);
}

#[test]
fn a_word_in_pieces_is_held_until_it_ends() {
    for (deltas, held) in [
        (&["un", "believ", "able", " as", " it", " is"][..], 3),
        (&[" state", "-of", "-the", "-art", " work", " here"], 4),
        (&[" e", ".g", ".,", " this", " one"], 2),
        (&["don", "'t", " do", " that"], 1),
        (&["x", "(", "y", ")", ";", " z"], 1),
        (&["Hello", "!", " How", " are", " you", "?"], 1),
        (&["for", " 4000", " 400", " people"], 2),
        (&[" grew", " 3", ".", "5", " percent"], 3),
        (&["这个", "委员会", "讨论了"], 0),
    ] {
        let answer = stream(deltas.iter().copied());
        assert_eq!(answer.chunks, deltas);
        assert_eq!(answer.most_deltas_held, held, "of {deltas:?}");
    }
}

#[test]
fn clean_text_waits_for_its_open_word_at_every_delta() {
    let mut redactor = passage(Form::Text);
    let mut text = String::new();
    for token in tokens(ENGLISH) {
        let edit = redactor.push(token);
        text.push_str(token);
        let word = text.len() - text.rfind([' ', '\n']).map_or(0, |at| at + 1);
        match edit {
            Edit::Forward => {}
            Edit::HoldLast(bytes) => assert!(bytes as usize <= word, "{bytes} held after {text:?}"),
            other => panic!("{other:?} after {text:?}"),
        }
    }
    assert_eq!(redactor.finish(), Edit::Forward);
}

#[test]
fn entities_split_across_tokens_are_found() {
    // The chunks as they go out, and the most deltas held at once.
    for (deltas, chunks, held) in [
        (
            &[
                "Write", " to", " john", ".d", "oe", "@", "ex", "ample", ".com", ",", " please",
            ][..],
            &["Write", " to", " [EMAIL],", " please"][..],
            7,
        ),
        (
            &["Mail", " j", "@x", ".org", " now", ",", " or", " later"],
            &["Mail", " [EMAIL] ", "now,", " or", " later"],
            3,
        ),
        (
            &[
                "Card", " 4111", " 1111", " 1111", " 1111", ".", " Done", ".",
            ],
            &["Card", " [CARD]. ", "Done."],
            5,
        ),
        (
            &[
                "Card", ":", " 411", "111", "111", "111", "111", "1", "\n", "ok",
            ],
            &["Card", ":", " [CARD]\n", "ok"],
            6,
        ),
        (
            &[
                "IBAN", " DE", "89", " 3704", " 0044", " 0532", " 0130", " 00", ";", " yes",
            ],
            &["IBAN", " [IBAN];", " yes"],
            7,
        ),
        (
            &["SSN", " 123", "-", "45", "-", "6789", "\n"],
            &["SSN", " [SSN]\n"],
            5,
        ),
        (
            &["at", " 10", ".", "0", ".", "0", ".", "1", ",", " or"],
            &["at", " [IP],", " or"],
            7,
        ),
        (
            &[
                "Call", " +", "1", " (", "415", ")", " 555", "-", "267", "1", "!", " Now",
            ],
            &["Call", " [PHONE]!", " Now"],
            9,
        ),
        (
            &[
                "key", " AK", "IA", "IOS", "FODNN", "7Q2", "W4E5R", ",", " keep",
            ],
            &["key", " [API_KEY],", " keep"],
            6,
        ),
    ] {
        let answer = stream(deltas.iter().copied());
        assert_eq!(answer.chunks, chunks, "of {deltas:?}");
        assert_eq!(answer.most_deltas_held, held, "of {deltas:?}");
    }
}

#[test]
fn after_a_match_chunks_go_as_they_came_again() {
    let deltas = [
        "Mail", " j", "@x", ".org", " now", ",", " or", " later", " on", ".",
    ];
    let answer = stream(deltas);
    // " now" went with the match, but for its open word; "," decides that, and nothing is owed any more.
    assert_eq!(answer.chunks[2..], ["now,", " or", " later", " on", "."]);
}

#[test]
fn a_long_clean_stream_holds_little() {
    let text = " one two six".repeat(3000);
    for size in [1, 4, 7, 100, 4096] {
        let deltas: Vec<&str> = text
            .as_bytes()
            .chunks(size)
            .map(|b| std::str::from_utf8(b).unwrap())
            .collect();
        let answer = stream(deltas.iter().copied());
        assert_eq!(answer.chunks, deltas);
        assert!(answer.most_held < size + 5, "{} held", answer.most_held);
    }
}

#[test]
fn a_delta_longer_than_what_may_be_held_waits_for_its_open_word() {
    let text = "one two ".repeat(4096) + "three";
    let answer = stream([&text, " four"]);
    assert_eq!(answer.text, text.clone() + " four");
    assert!(answer.untouched);
    assert_eq!(answer.most_deltas_held, 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn clean_text_holds_no_more_than_a_word_and_a_delta(lengths in prop::collection::vec(1..40usize, 1..20)) {
        let mut rest = ENGLISH;
        let mut deltas = Vec::new();
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (delta, more) = rest.split_at((*length).min(rest.len()));
            deltas.push(delta);
            rest = more;
        }
        let answer = stream(deltas.iter().copied());
        prop_assert_eq!(answer.chunks, deltas);
        // The longest word with its marks, and the rest of the delta that it starts in.
        let word = ENGLISH.split([' ', '\n']).map(str::len).max().unwrap_or(0);
        prop_assert!(answer.most_held < word + 40, "{} held", answer.most_held);
    }
}
