//! Patterns against another engine that sees the whole text, at cuts that nobody chose.

#![expect(clippy::unwrap_used, reason = "a test")]

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};

use super::super::automaton::with_ascii_borders;
use super::*;
use crate::redact::{Form, Redactor, redact_all};
use crate::{Edit, testing};

/// Numbers that look drawn; the same in every run.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// An expression of no great length.
    fn expression(&mut self, depth: usize) -> String {
        let leaf = ["a", "b", "-", "1", "[ab]", "[^a]", "[a1-]", "é", ".", r"\d"];
        if depth == 0 {
            return self.one_of(&leaf).to_owned();
        }
        let (one, other) = (self.expression(depth - 1), self.expression(depth - 1));
        match self.below(9) {
            0 | 1 => format!("{one}{other}"),
            2 => format!("(?:{one}|{other})"),
            3 => format!("(?:{one})?"),
            4 => format!("(?:{one}){{1,3}}"),
            5 => format!("(?:{one}){{0,2}}?{other}"),
            6 => format!(r"\b{one}"),
            7 => format!(r"{one}(?:\b|\B{other})"),
            _ => format!("{one}{other}(?:$|{one})"),
        }
    }

    fn text(&mut self, most: usize) -> String {
        let parts = ["a", "b", "-", "1", " ", "é", "aa", "ab", "\n"];
        let length = self.below(most);
        (0..length).map(|_| self.one_of(&parts)).collect()
    }
}

/// Patterns, as an engine finds them that has the whole text and no hold-back.
struct Oracle(Vec<Regex>);

impl Oracle {
    fn new(expressions: &[String]) -> Oracle {
        let compiled = expressions.iter().map(|expression| {
            let hir = with_ascii_borders(regex_syntax::parse(expression).unwrap());
            Regex::builder().build_from_hir(&hir).unwrap()
        });
        Oracle(compiled.collect())
    }

    fn find_all(&self, text: &str) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        for (start, _) in text.char_indices() {
            if all.last().is_some_and(|last| start < last.end) {
                continue;
            }
            let input = Input::new(text).range(start..).anchored(Anchored::Yes);
            let mut kinds = self.0.iter().enumerate();
            all.extend(kinds.find_map(|(kind, regex)| {
                let end = regex.search(&input)?.end();
                Some(Found { start, end, kind })
            }));
        }
        all
    }

    fn redacted(&self, text: &str) -> String {
        let mut out = String::new();
        let mut from = 0;
        for found in self.find_all(text) {
            out.push_str(&text[from..found.start]);
            out.push_str(["<0>", "<1>", "<2>"][found.kind]);
            from = found.end;
        }
        out + &text[from..]
    }

    /// Whether some text that may follow makes this byte part of a match.
    fn may_take(&self, text: &str, byte: usize, more: usize) -> bool {
        let taken = |text: &str| {
            let all = self.find_all(text);
            all.iter().any(|it| it.start <= byte && byte < it.end)
        };
        let go_on = |part: &&str| self.may_take(&format!("{text}{part}"), byte, more - 1);
        taken(text) || more > 0 && ["a", "b", "-", "1", " ", "é", "\n"].iter().any(go_on)
    }
}

/// One to three patterns that can be built, and the oracle of the same.
fn drawn_patterns(drawn: &mut Drawn, depth: usize) -> (Patterns, Oracle, Vec<String>) {
    loop {
        let count = 1 + drawn.below(3);
        let expressions: Vec<String> = (0..count).map(|_| drawn.expression(depth)).collect();
        let named = expressions.iter().enumerate();
        let named =
            named.map(|(n, it)| Pattern::new(format!("p{n}"), it).replaced_by(format!("<{n}>")));
        // Some match where nothing stands.
        if let Ok(patterns) = Patterns::new(named.collect::<Vec<_>>()) {
            let oracle = Oracle::new(&expressions);
            return (patterns, oracle, expressions);
        }
    }
}

/// A text in pieces.
fn cut<'a>(drawn: &mut Drawn, text: &'a str) -> Vec<&'a str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let to = rest.ceil_char_boundary(1 + drawn.below(5)).min(rest.len());
        let (piece, more) = rest.split_at(to);
        pieces.push(piece);
        rest = more;
    }
    pieces
}

#[test]
fn at_every_chunking_the_same_is_found_as_in_the_whole_text() {
    let mut drawn = Drawn(1);
    let mut found = 0;
    for _ in 0..600 {
        let (patterns, oracle, expressions) = drawn_patterns(&mut drawn, 2);
        for _ in 0..6 {
            let text = drawn.text(24);
            let expected = oracle.redacted(&text);
            found += usize::from(expected != text);
            let whole = redact_all(&patterns, Form::Text, &text);
            assert_eq!(
                whole.as_deref().unwrap_or(&text),
                expected,
                "{expressions:?} in {text:?}"
            );
            for _ in 0..3 {
                let pieces = cut(&mut drawn, &text);
                let redactor = Redactor::new(&patterns, Form::Text);
                let answer = testing::redact(redactor, pieces.iter().copied());
                assert_eq!(answer.text, expected, "{expressions:?} in {pieces:?}");
                assert_eq!(
                    answer.untouched,
                    whole.is_none(),
                    "{expressions:?} in {pieces:?}"
                );
            }
        }
    }
    assert!(found > 800, "{found}");
}

/// That no byte goes out too early is what the test above says.
#[test]
fn no_byte_waits_that_can_t_become_part_of_a_match() {
    let mut drawn = Drawn(2);
    let mut waits = 0;
    for _ in 0..400 {
        let (patterns, oracle, expressions) = drawn_patterns(&mut drawn, 1);
        let text = drawn.text(8);
        let mut redactor = Redactor::new(&patterns, Form::Text);
        redactor.push(&text);
        if redactor.undecided() > 0 {
            waits += 1;
            let first = text.len() - redactor.undecided();
            assert!(
                oracle.may_take(&text, first, 4),
                "{expressions:?} in {text:?} from {first}"
            );
        }
    }
    assert!(waits > 60, "{waits}");
}

#[test]
fn a_match_that_nothing_can_change_is_told_with_its_last_byte() {
    let patterns = Patterns::new([Pattern::new("ticket", "T-[0-9]{3}(?:-[0-9])?|no|now")]).unwrap();
    let push = |text: &str| Redactor::new(&patterns, Form::Text).push(text);
    assert_eq!(push("T-123-4"), Edit::Replace("[TICKET]".into()));
    assert_eq!(push("a T-123"), Edit::HoldLast(5));
    assert_eq!(push("a T-12"), Edit::HoldLast(4));
    assert_eq!(push("a T-12x"), Edit::Forward);
    // The first alternative is taken, so what follows can't change it.
    assert_eq!(push("now"), Edit::Replace("[TICKET]w".into()));
}

#[test]
fn what_is_ready_finds_what_it_says() {
    let all = Patterns::new([Pattern::email(), Pattern::key(), Pattern::card()]).unwrap();
    for (text, expected) in [
        ("to ann.b+c@mail.example.com.", "to [EMAIL]."),
        (
            "x@y, @z.com, a@b.c1, a@-b.com",
            "x@y, @z.com, a@b.c1, a@-b.com",
        ),
        ("(ann@a.de)ann@a.museum_", "([EMAIL])[EMAIL]_"),
        ("key=csk-abcdefghij0123456789abcd!", "key=[KEY]!"),
        (
            "AKIAIOSFODNN7EXAMPLE xAKIAIOSFODNN7EXAMPLE",
            "[KEY] xAKIAIOSFODNN7EXAMPLE",
        ),
        (
            "task-abcdefghij0123456789abcd",
            "task-abcdefghij0123456789abcd",
        ),
        (
            "4111 1111 1111 1111 2, 4111-1111-1111-1112",
            "[CARD] 2, 4111-1111-1111-1112",
        ),
        (
            "378282246310005 3782 822463 10005 14111111111111111",
            "[CARD] [CARD] 14111111111111111",
        ),
    ] {
        let out = redact_all(&all, Form::Text, text);
        assert_eq!(out.as_deref().unwrap_or(text), expected);
        for length in [1, 2, 7] {
            let chars: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = chars.chunks(length).map(|it| it.iter().collect()).collect();
            let redactor = Redactor::new(&all, Form::Text);
            let answer = testing::redact(redactor, pieces.iter().map(String::as_str));
            assert_eq!(answer.text, expected, "{length}");
        }
    }
    // An address of this length is none, from whatever place in it.
    let long = format!("{}@example.com", "a".repeat(65));
    assert_eq!(redact_all(&all, Form::Text, &long), None);
}

#[test]
fn what_can_t_be_is_said_in_words() {
    for (name, expression, why) in [
        (
            "key",
            "sk-[a-z]+",
            "pattern `key`: a match of it has no greatest length",
        ),
        (
            "key",
            "a{1,257}",
            "pattern `key`: a match of it may have 257 bytes, and 256 are the most",
        ),
        ("key", "(a", "pattern `key`: unclosed group, at its byte 0"),
        (
            "key",
            "a?",
            "pattern `key`: it matches where nothing stands",
        ),
        (
            "key",
            r"\w{1,40}[a-f]{9}\w{1,10}",
            "pattern `key`: it is too large",
        ),
        (
            "key",
            "a[a&&b]",
            "pattern `key`: nothing matches it: a class in it is empty",
        ),
        ("A key", "a", "pattern `A key`: a name has 1 to 40 of"),
        (
            "a2345678901234567890123456789012345678901",
            "a",
            "pattern `a2345678901234567890123456789012345678901`: a name has 1 to 40 of",
        ),
    ] {
        let error = Patterns::new([Pattern::new(name, expression)]).unwrap_err();
        assert!(error.starts_with(why), "{error}");
    }
    // As long as an author may ask for, and not all together.
    let long = |n: usize| Pattern::new(format!("p{n}"), "a{1024}").longest(2000);
    let error = Patterns::new((0..3).map(long)).unwrap_err();
    let why = "pattern `p2`: with those before it the longest matches have 3072 bytes together";
    assert!(error.starts_with(why), "{error}");
    // Each small enough, and together past 8 MiB.
    let large = |n: usize| Pattern::new(format!("p{n}"), r"\w{1,4}");
    let error = Patterns::new((0..64).map(large)).unwrap_err();
    assert!(error.contains("bytes of memory"), "{error}");
    let many = (0..=64).map(|n| Pattern::new(format!("p{n}"), "a"));
    let error = Patterns::new(many).unwrap_err();
    assert!(
        error.starts_with("pattern `p64`: 64 patterns are the most"),
        "{error}"
    );
}

/// Also where each byte looks as if it began an address.
#[test]
fn twice_the_text_is_twice_the_work_and_the_tables_are_small() {
    let all = Patterns::new([Pattern::email(), Pattern::key(), Pattern::card()]).unwrap();
    assert!(all.memory() < 512 << 10, "{}", all.memory());
    for part in ["a", "a.", "1", "sk-", "a@b.", "4111 "] {
        let steps = |times: usize| {
            let text = part.repeat(times);
            testing::steps(|| drop(redact_all(&all, Form::Text, &text)))
        };
        let (once, twice) = (steps(2000), steps(4000));
        assert!(twice < once * 5 / 2, "{part:?}: {once} and {twice}");
    }
}

/// Of an expression that nothing spares from being begun everywhere: the factor is the length of its longest match.
#[test]
fn a_run_that_looks_like_a_match_everywhere_is_looked_at_as_often_as_a_match_has_bytes() {
    let run = Pattern::new("run", "[0-9 ]{10,200}x");
    let patterns = Patterns::new([run]).unwrap();
    let steps = |length: usize| {
        let text = "1".repeat(length);
        testing::steps(|| drop(redact_all(&patterns, Form::Text, &text)))
    };
    let (once, twice) = (steps(4000), steps(8000));
    assert!(twice < once * 5 / 2, "{once} and {twice}");
    assert!(once < 4000 * (201 + 4), "{once}");
}
