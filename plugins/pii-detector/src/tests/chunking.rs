//! The same text comes out at every chunking, and chunks stay untouched where there is nothing to redact.

use proptest::prelude::*;
use witgate_policy::redact::{Form, Redactor, redact_all};
use witgate_policy::testing;

use super::{detector, passage, scope};
use crate::{Detector, Entity, Format, Scope, Set};

/// Pieces of these lengths, in characters, again and again.
fn pieces<'a>(text: &'a str, lengths: &'a [usize]) -> impl Iterator<Item = &'a str> {
    let mut rest = text;
    let mut lengths = lengths.iter().cycle();
    std::iter::from_fn(move || {
        let length = *lengths.next()?;
        let at = rest
            .char_indices()
            .nth(length)
            .map_or(rest.len(), |(at, _)| at);
        let (piece, more) = rest.split_at(at);
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}

pub(super) fn check(form: Form, text: &str, lengths: &[usize]) -> Result<(), TestCaseError> {
    check_of(&detector, form, text, lengths)
}

fn check_of(
    detector: &dyn Fn() -> Detector,
    form: Form,
    text: &str,
    lengths: &[usize],
) -> Result<(), TestCaseError> {
    let passage = |form| Redactor::new(detector(), form);
    let whole = redact_all(detector(), form, text);
    let expected = whole.as_deref().unwrap_or(text);
    let answer = testing::redact(passage(form), pieces(text, lengths));
    prop_assert_eq!(&answer.text, expected);
    prop_assert_eq!(answer.untouched, whole.is_none());
    prop_assert!(answer.most_held <= 16 * 1024, "too much held");
    let answer = testing::redact(passage(form).watching(), pieces(text, lengths));
    prop_assert!(answer.untouched, "{:?}", answer);
    prop_assert_eq!(&answer.text, text);
    Ok(())
}

fn alone(entity: Entity) -> Detector {
    let scope = Scope {
        entities: Set::from_iter([entity]),
        ..scope()
    };
    Detector::new(scope, Format::Label, String::new())
}

#[test]
fn each_entity_alone_is_found_at_each_cut() {
    for text in ENTITIES.iter().map(|text| format!("{text} .")) {
        for entity in Entity::ALL {
            for length in 1..=text.len() {
                check_of(&|| alone(entity), Form::Text, &text, &[length, 3, 1]).unwrap();
            }
        }
    }
}

const ENTITIES: &[&str] = &[
    "john.doe+x@mail.example.com",
    "jürgen@müller.de",
    "4111 1111 1111 1111",
    "4111111111111111",
    "3782-822463-10005",
    "DE89 3704 0044 0532 0130 00",
    "GB82WEST12345698765432",
    "123-45-6789",
    "10.0.0.1",
    "version 2.4.1.7",
    "SSN: 123 45 6789",
    "my social security number is 123 45 6789",
    "postgres://app:hunter2@localhost/db",
    "gitea@git.example.com:team/repo",
    "2001:db8::ff00:42:8329",
    "::1",
    "+44 (0)20 7946 0958",
    "(415) 555-2671",
    "00447700900123",
    "Tel: 020 7946 0958",
    "01 23 45 67 89",
    "sk-ant-aB3dE6gH9jK2mN5pQ8sT1vW4",
    "AKIAIOSFODNN7Q2W4E5R",
    "xoxb-123456789012-aBcDeFgHiJ",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\n-----END PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF",
];

const NOISE: &[&str] = &[
    " ",
    " ",
    ".",
    ",",
    "-",
    "@",
    ":",
    "::",
    "+",
    "(",
    ")",
    "/",
    "\"",
    "\\",
    "\\n",
    "\\u0040",
    "\n",
    "_",
    "é",
    "日",
    "🦊",
    "e\u{301}",
    "a",
    "The quick ",
    "hello",
    "x.y",
    "1",
    "42",
    "2024-01-15",
    "12:30",
    "1.2.3.4.5",
    "sk-",
    "eyJ",
    "AKIA",
    "-----",
    "-----BEGIN ",
    "PRIVATE KEY-----",
    "git@",
    ".com",
    "DE",
    "0",
    "{\"a\":",
    "}",
    "[",
];

pub(super) fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(ENTITIES).prop_map(String::from),
        prop::sample::select(NOISE).prop_map(String::from),
        // A part of an entity.
        (prop::sample::select(ENTITIES), 0..60usize, 0..60usize)
            .prop_map(|(entity, skip, take)| entity.chars().skip(skip).take(take).collect()),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_text_at_every_chunking(
        text in text(),
        lengths in prop::collection::vec(1..12usize, 1..20),
    ) {
        check(Form::Text, &text, &lengths)?;
        check(Form::Text, &text, &[1])?;
    }

    /// What one entity needs no other one sees to.
    #[test]
    fn the_same_text_at_every_chunking_for_each_entity_alone(
        text in text(),
        lengths in prop::collection::vec(1..12usize, 1..20),
    ) {
        for entity in Entity::ALL {
            check_of(&|| alone(entity), Form::Text, &text, &lengths)?;
        }
    }

    #[test]
    fn the_same_json_at_every_chunking(
        text in text(),
        lengths in prop::collection::vec(1..12usize, 1..20),
    ) {
        check(Form::Json, &text, &lengths)?;
        check(Form::Json, &text, &[1])?;
    }

    #[test]
    fn json_stays_json(
        members in prop::collection::vec((text(), text(), any::<bool>(), any::<bool>()), 0..4),
    ) {
        let mut json = String::from("{\"number\":4111111111111111,\"below\":-4111111111111111");
        for (n, (key, value, escaped, nested)) in members.into_iter().enumerate() {
            let key = witgate_policy::serde_json::to_string(&format!("{n}{key}")).unwrap();
            let mut value = witgate_policy::serde_json::to_string(&value).unwrap();
            if escaped {
                value = value.replace('@', "\\u0040").replace('1', "\\u0031");
            }
            let value = if nested { format!("[{value},{{\"x\":[5555555555554444,1]}}]") } else { value };
            json.push_str(&format!(",{key}:{value}"));
        }
        json.push('}');
        let out = redact_all(detector(), Form::Json, &json).unwrap_or(json.clone());
        let parsed: Result<witgate_policy::serde_json::Value, _> = witgate_policy::serde_json::from_str(&out);
        prop_assert!(parsed.is_ok(), "{json} became {out}");
        let parsed = parsed.unwrap();
        prop_assert_eq!(&parsed["number"], "[CARD]");
        prop_assert_eq!(parsed["below"].as_f64(), Some(0.0));
        check(Form::Json, &json, &[3, 1, 7])?;
    }

    #[test]
    fn any_text_at_every_chunking(text in "(?s).{0,80}", lengths in prop::collection::vec(1..12usize, 1..9)) {
        check(Form::Text, &text, &lengths)?;
        check(Form::Json, &text, &lengths)?;
    }

    #[test]
    fn text_without_entities_is_untouched(
        words in prop::collection::vec(
            prop::sample::select(&["The", " quick", " fox's", "\n", ", ", "0x1f", " a@b", " 3.14", " 12:30", " x-y", " ü", "日本"][..]),
            0..200,
        ),
        lengths in prop::collection::vec(1..12usize, 1..9),
    ) {
        let text = words.concat();
        prop_assume!(redact_all(detector(), Form::Text, &text).is_none());
        let answer = testing::redact(passage(Form::Text), pieces(&text, &lengths));
        prop_assert!(answer.untouched);
        prop_assert_eq!(answer.text, text);
    }
}

#[test]
fn each_entity_at_each_two_cuts() {
    for entity in ENTITIES {
        let text = format!("é {entity}, {entity}.\n");
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let expected = redact_all(detector(), Form::Text, &text).unwrap_or(text.clone());
        for (n, &a) in ends.iter().enumerate() {
            for &b in &ends[n..] {
                let chunks = [&text[..a], &text[a..b], &text[b..]];
                let answer = testing::redact(passage(Form::Text), chunks);
                assert_eq!(answer.text, expected, "cut as {chunks:?}");
            }
        }
    }
}

#[test]
fn a_key_without_end_is_held_within_bounds() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n";
    let text = format!("Here: -----BEGIN PRIVATE KEY-----\n{}", line.repeat(400));
    check(Form::Text, &text, &[16]).unwrap();
    check(Form::Text, &text, &[4096]).unwrap();
}
