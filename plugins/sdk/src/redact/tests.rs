#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use crate::Edit;
use crate::testing::{self, Answer};

/// Every way to cut a text into up to four pieces, and into single characters.
fn cuts(text: &str) -> Vec<Vec<&str>> {
    let at: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let mut all = vec![
        at.iter()
            .zip(at.iter().skip(1).chain([&text.len()]))
            .map(|(a, b)| &text[*a..*b])
            .collect(),
    ];
    for &a in &at {
        for &b in at.iter().filter(|b| **b >= a) {
            for &c in at.iter().filter(|c| **c >= b) {
                all.push(vec![&text[..a], &text[a..b], &text[b..c], &text[c..]]);
            }
        }
    }
    all
}

#[track_caller]
fn check(finder: &Words, form: Form, text: &str, expected: &str) {
    let whole = redact_all(finder, form, text);
    assert_eq!(whole.as_deref().unwrap_or(text), expected);
    for chunks in cuts(text) {
        let run = |redactor| testing::redact(redactor, chunks.iter().copied());
        let answer = run(Redactor::new(finder, form));
        assert_eq!(answer.text, expected, "cut as {chunks:?}");
        assert_eq!(answer.untouched, whole.is_none(), "cut as {chunks:?}");
        let Answer {
            untouched,
            text: watched,
            most_held,
            ..
        } = run(Redactor::new(finder, form).watching());
        assert!(untouched && watched == text, "watched, cut as {chunks:?}");
        assert_eq!(most_held, 0, "watched, cut as {chunks:?}");
    }
}

#[test]
fn phrases_are_found_at_every_chunking() {
    let words = Words::new(["red fox", "red", "Ünal", "c++"], "#");
    for (text, expected) in [
        ("", ""),
        ("a blue dog", "a blue dog"),
        ("Red FOX, red fo", "#, # fo"),
        ("credo red foxes", "credo # foxes"),
        ("x ünal ÜNAL ünals", "x # # ünals"),
        ("use C++, c+", "use #, c+"),
        ("red", "#"),
        ("redred red-red", "redred #-#"),
    ] {
        check(&words, Form::Text, text, expected);
    }
}

#[test]
fn json_stays_json_at_every_chunking() {
    let words = Words::new(["42", "a\"b", "red\nfox", "naïve", "🦊"], "\"#\"");
    for (text, expected) in [
        (r##"{"a":"42"}"##, r##"{"a":"\"#\""}"##),
        (r##"{"a":42,"b":421}"##, r##"{"a":"\"#\"","b":421}"##),
        (r##"[42.5,-42,42e1]"##, r##"[42.5,-0,42e1]"##),
        (r##"["\u0034\u0032"]"##, r##"["\"#\""]"##),
        (r##"["\n42\n"]"##, r##"["\n\"#\"\n"]"##),
        (r##"["red\nfox"]"##, r##"["\"#\""]"##),
        (r##"["a\"b","a"]"##, r##"["\"#\"","a"]"##),
        (r##"["na\u00efve\\"]"##, r##"["\"#\"\\"]"##),
        (r##"["\ud83e\udd8a\ud83e"]"##, r##"["\"#\"\ud83e"]"##),
        (r##"["\x42 \u00"##, r##"["\x42 \u00"##),
        (r##"["a" ,"b"]"##, r##"["a" ,"b"]"##),
    ] {
        check(&words, Form::Json, text, expected);
    }
}

/// Finds from `<` to `>`, or to the eighth byte.
struct Brackets;

impl Finder for Brackets {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        let Some(start) = view.text[from..].find('<').map(|at| from + at) else {
            return Scan::Clear(view.text.len());
        };
        let rest = &view.text.as_bytes()[start..];
        let end = rest.iter().take(8).position(|b| *b == b'>');
        match end {
            Some(end) => Scan::Found(Found {
                start,
                end: start + end + 1,
                kind: 0,
            }),
            None if rest.len() >= 8 || view.end => Scan::Found(Found {
                start,
                end: start + rest.len().min(8),
                kind: 1,
            }),
            None => Scan::Clear(start),
        }
    }
    fn replace(&self, kind: usize, _: &str, out: &mut String) {
        out.push_str(if kind == 0 { "[]" } else { "[" });
    }
}

#[test]
fn a_json_match_ends_with_its_string() {
    for chunks in cuts(r#"["a<b","c<d>"]"#) {
        let answer = testing::redact(Redactor::new(Brackets, Form::Json), chunks.iter().copied());
        assert_eq!(answer.text, r#"["a[","c[]"]"#, "cut as {chunks:?}");
    }
}

#[test]
fn what_is_open_behind_a_match_stays_with_the_host() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    let edit = redactor.push("a red re");
    assert_eq!(edit, Edit::replace_and_hold_last("a # ", 2));
    assert_eq!(redactor.undecided(), 2);
    assert_eq!(redactor.push("d"), Edit::HoldLast(3));
    assert_eq!(redactor.push("o. "), Edit::Forward);
    assert_eq!(redactor.undecided(), 0);
    assert_eq!(redactor.push("blue. "), Edit::Forward);
    assert_eq!(redactor.take_counts(), [1]);
    assert!(redactor.take_counts().is_empty());
    assert_eq!(redactor.finish(), Edit::Forward);
}

#[test]
fn a_match_behind_another_has_what_the_host_still_keeps() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    let edit = redactor.push("red r");
    assert_eq!(edit, Edit::replace_and_hold_last("# ", 1));
    assert_eq!(redactor.push("ow r"), Edit::HoldLast(1));
    // The host keeps "ow r" whole, and of "red r" nothing.
    let edit = redactor.push("ed r");
    assert_eq!(edit, Edit::replace_and_hold_last("ow # ", 1));
    assert_eq!(redactor.push("ed"), Edit::HoldLast(3));
    assert_eq!(redactor.finish(), Edit::Replace("#".into()));
}

#[test]
fn clean_text_is_held_only_while_it_is_undecided() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    assert_eq!(redactor.push("a blue r"), Edit::HoldLast(1));
    assert_eq!(redactor.push("e"), Edit::HoldLast(2));
    assert_eq!(redactor.push("ap"), Edit::Forward);
    assert_eq!(redactor.push("er"), Edit::Forward);
    assert_eq!(redactor.push(" red"), Edit::HoldLast(3));
    assert_eq!(redactor.finish(), Edit::Replace(" #".into()));
}

#[test]
fn a_replacement_has_what_the_host_keeps_and_nothing_else() {
    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Text);
    assert_eq!(redactor.push("one r"), Edit::HoldLast(1));
    assert_eq!(redactor.push("ow re"), Edit::HoldLast(2));
    // The host keeps "one r" no longer.
    assert_eq!(redactor.push("d."), Edit::Replace("ow #.".into()));

    let mut redactor = Redactor::new(Words::new(["red"], "#"), Form::Json);
    // A delta ends within an escape, and the host lets that delta go.
    assert_eq!(redactor.push(r#"["\u00"#), Edit::HoldLast(4));
    assert_eq!(redactor.push(r#"20r"#), Edit::HoldLast(1));
    assert_eq!(redactor.push(r#"ed "#), Edit::Replace("20# ".into()));
}

#[test]
fn tokens_of_clean_text_are_late_by_the_open_word() {
    // Every word may become the phrase, to its last letter.
    let words = Words::new(["r and r"], "#");
    let text = "r r r r and r, r and red r r ran";
    let tokens: Vec<&str> = text.split_inclusive(' ').collect();
    let answer = testing::redact(Redactor::new(&words, Form::Text), tokens);
    assert_eq!(answer.text, "r r r #, r and red r r ran");
    let clean = text.replace("and r", "and s");
    let tokens = clean.split_inclusive(' ');
    let answer = testing::redact(Redactor::new(&words, Form::Text), tokens);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!((answer.text, answer.most_deltas_held), (clean, 2));
}

#[test]
fn finders_see_two_characters_before() {
    let view = View {
        text: "cd",
        end: false,
        before: Preceding::default().then("a").then("").then("ßb"),
    };
    assert_eq!(view.before(0), (Some('b'), Some('ß')));
    assert_eq!(view.before(1), (Some('c'), Some('b')));
    assert_eq!(View::whole("x").before(0), (None, None));
}

#[test]
fn find_all_lists_matches_in_order() {
    let words = Words::new(["red", "blue"], "");
    let all: Vec<_> = find_all(&words, "blue red")
        .iter()
        .map(|f| (f.start, f.end, f.kind))
        .collect();
    assert_eq!(all, [(0, 4, 1), (5, 8, 0)]);
    assert_eq!(
        redact_all(std::rc::Rc::new(words), Form::Text, "Blue.").unwrap(),
        "."
    );
}
