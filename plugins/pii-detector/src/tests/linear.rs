//! Twice the text is twice the work, for every text: counted in bytes looked at, whole and in deltas of one character.

use witgate_policy::redact::{Form, redact_all};
use witgate_policy::testing;

use super::{detector, passage};

/// What a text begins with, and what is repeated after it: for each matcher what it reads longest without an answer.
const TEXTS: &[(&str, &str)] = &[
    // Numbers, cards, social security and phone numbers.
    ("", "4"),
    ("", "41111111111111"),
    ("", "4111 "),
    ("", "4111-"),
    ("", "4111 1111-"),
    ("", "4111111111111111+"),
    ("", "4111111111111111%"),
    ("", "4111111111111111-"),
    ("", "123-45-"),
    ("", "123 45 6789 "),
    ("", "+1 (415) 555-"),
    ("", "+44 "),
    ("", "(0"),
    ("", "030 123456"),
    ("", "+"),
    // Addresses.
    ("", "a@"),
    ("", "@"),
    ("", "a@b."),
    ("", "a-"),
    ("", "a."),
    ("", "a.b@c.d_"),
    ("", "git@host.org-"),
    ("a@", "b"),
    ("a@", "b."),
    ("a@", "xn--b-"),
    ("", "ü"),
    ("", "a"),
    ("", "ab "),
    ("", "."),
    ("", "-"),
    // IP addresses.
    ("", "1."),
    ("", "10.0.0."),
    ("", "a:"),
    ("", ":"),
    ("", "::1:"),
    ("", "ab:cd:ef:01:"),
    ("", "[1::"),
    ("", "version "),
    ("", "version 1.2.3."),
    ("", "ssn "),
    ("", "social security number 123 45 "),
    ("://", "a"),
    ("://a:", "b"),
    ("", "://"),
    ("", "://a:"),
    // IBANs.
    ("", "DE89"),
    ("", "DE89 "),
    ("", "DE89 3704 0044 0532 0130 0 "),
    ("", "MT84MALT011000012345MTLCAST001"),
    // Keys.
    ("", "sk-"),
    ("", "sk-a1b2."),
    ("sk-", "a1"),
    ("", "ghp_"),
    ("", "AKIA"),
    ("", "eyJ"),
    ("", "eyJ."),
    ("", "eyJ-"),
    ("eyJ", "a"),
    ("", "eyJaaaaaaaa."),
    ("", "eyJaaaaaaaa.eyJ-"),
    ("eyJaaaaaaaaaa.eyJ", "a"),
    ("", "-----BEGIN "),
    ("", "-----BEGIN PRIVATE KEY-----"),
    ("-----BEGIN PRIVATE KEY-----\n", "A"),
    ("-----BEGIN PRIVATE KEY-----\n", "A-"),
    ("-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA", "-"),
    (
        "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA",
        "-----END ",
    ),
    // JSON.
    ("", "\\"),
    ("", "\\n"),
    ("", "\\u00"),
    ("", "\\ud83e"),
    ("", "\""),
    ("", "\\\""),
    ("", "["),
    ("", "{\"a\":"),
    ("", "{\"a\":\"{"),
    ("", "[4111111111111111,"),
    ("\"", "\\\\\\\"[4111111111111111,"),
    ("{\"a\":\"", "\\u0040"),
    ("{\"a\":\"-----BEGIN PRIVATE KEY-----\\n", "A\\n"),
];

fn text(start: &str, unit: &str, bytes: usize) -> String {
    let mut text = start.to_owned();
    while text.len() < bytes {
        text.push_str(unit);
    }
    text
}

use testing::steps;

fn whole(text: &str) -> usize {
    steps(|| drop(redact_all(detector(), Form::Text, text)))
}

fn by_characters(text: &str) -> usize {
    let characters = text
        .char_indices()
        .map(|(at, c)| &text[at..at + c.len_utf8()]);
    steps(|| drop(testing::redact(passage(Form::Text), characters)))
}

/// What the longest pattern needs comes first: only then a text is all alike.
const FIRST: usize = 10 << 10;

#[track_caller]
fn doubles(work: fn(&str) -> usize, most_for_each: usize) {
    for (start, unit) in TEXTS {
        let of = |times: usize| work(&text(start, unit, FIRST * times));
        let first = of(1);
        let [once, twice] = [of(2) - first, of(3) - first];
        assert!(
            twice * 10 <= once * 22 + 1000,
            "{start:?} and {unit:?}: {once} steps, then {twice}"
        );
        let for_each = (first + twice) / (3 * FIRST);
        assert!(
            for_each <= most_for_each,
            "{start:?} and {unit:?}: {for_each} steps for each byte"
        );
    }
}

#[test]
fn twice_the_text_is_twice_the_work() {
    doubles(whole, 60);
}

#[test]
fn twice_the_deltas_are_twice_the_work() {
    doubles(by_characters, 800);
}

#[test]
fn many_parts_of_a_message_are_joined_in_one_pass() {
    use witgate_policy::prelude::Verdict;
    use witgate_policy::serde_json::{Value, json};
    use witgate_policy::testing::{Request, configure};

    let work = |parts: usize| {
        let part = json!({"type": "text", "text": "a@b.org 4111 1111 "});
        let body = json!({"messages": [{"role": "user", "content": vec![part; parts]}]});
        let policy = configure::<crate::PiiDetector>(Value::Object(Default::default())).unwrap();
        let mut exchange = policy.exchange(Request::from_body(body));
        steps(|| assert_eq!(exchange.on_request(), Verdict::Proceed))
    };
    let [once, twice] = [200, 400].map(work);
    assert!(twice * 10 <= once * 22, "{once} steps, then {twice}");
}
