//! A recogniser of a made-up kind, at every cut.

use super::*;
use crate::redact::{Finder, Form, Redactor, redact_all};
use crate::testing;

/// `#` and three digits, or a number of three digits after the word `ticket`; nothing in `v123`.
struct Tickets;

impl Recognisers for Tickets {
    type Memory = ();
    const MARKS: Bytes = Bytes::of(b"#");

    fn at(&self, cursor: &Cursor<'_>, word: &Word, _: &mut ()) -> Result<Option<At>, More> {
        let start = cursor.start;
        let three = |from: usize| {
            for at in from..from + 3 {
                if !cursor.is_digit(at)? {
                    return Ok(None);
                }
            }
            Ok((!cursor.is_word(from + 3)?).then_some(from + 3))
        };
        let found = |start: usize, end: usize| {
            Some(At::Found {
                start,
                end,
                kind: 0,
            })
        };
        if word.is_mark {
            return Ok(three(start + 1)?.and_then(|end| found(start, end)));
        }
        if word.first == b'v' && word.length == 1 && cursor.get(start + 1)? == b' ' {
            return Ok(Some(At::Past(start + 2)));
        }
        let end = start + word.length;
        if cursor.is_one_of(end, &["ticket"])? && cursor.get(end)? == b' ' {
            return Ok(three(end + 1)?.and_then(|to| found(end + 1, to)));
        }
        Ok(None)
    }
}

impl Finder for Tickets {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        scan(self, view, from)
    }
    fn replace(&self, _: usize, _: &str, out: &mut String) {
        out.push_str("[T]");
    }
}

#[test]
fn words_and_marks_begin_matches() {
    for (text, expected) in [
        ("#123, #1234 a#123", "[T], #1234 a[T]"),
        (
            "Ticket 123 tickets 123 ticket 12",
            "Ticket [T] tickets 123 ticket 12",
        ),
        ("éticket 123 日ticket 123", "éticket [T] 日ticket [T]"),
        (
            "a_ticket 123 a%3Dticket 123 a%41ticket 123",
            "a_ticket [T] a%3Dticket [T] a%41ticket 123",
        ),
        ("100%ticket 123, %2, %", "100%ticket [T], %2, %"),
        ("v ticket 123", "v ticket 123"),
    ] {
        let out = redact_all(Tickets, Form::Text, text);
        assert_eq!(out.as_deref().unwrap_or(text), expected);
    }
}

#[test]
fn the_same_is_found_at_every_cut() {
    let pieces = [
        "#", "1", "123", "ticket", "tick", "v", " ", "é", "日", "_", "%3D", "%",
    ];
    for n in 0..pieces.len().pow(4) {
        let piece = |place: u32| pieces[n / pieces.len().pow(place) % pieces.len()];
        let text = [piece(0), piece(1), piece(2), piece(3)].concat();
        let expected = redact_all(Tickets, Form::Text, &text);
        for length in [1, 3, 5] {
            let chars: Vec<char> = text.chars().collect();
            let chunks: Vec<String> = chars.chunks(length).map(|c| c.iter().collect()).collect();
            let passage = Redactor::new(Tickets, Form::Text);
            let answer = testing::redact(passage, chunks.iter().map(String::as_str));
            assert_eq!(
                &answer.text,
                expected.as_ref().unwrap_or(&text),
                "{chunks:?}"
            );
            assert_eq!(answer.untouched, expected.is_none(), "{chunks:?}");
        }
    }
}

#[test]
fn no_more_is_held_than_may_become_a_match() {
    let mut passage = Redactor::new(Tickets, Form::Text);
    assert_eq!(passage.push("see tick"), crate::Edit::HoldLast(4));
    assert_eq!(passage.push("s "), crate::Edit::Forward);
    assert_eq!(passage.push("and #12"), crate::Edit::HoldLast(3));
    assert_eq!(passage.push("x"), crate::Edit::Forward);
    assert_eq!(passage.finish(), crate::Edit::Forward);
}
