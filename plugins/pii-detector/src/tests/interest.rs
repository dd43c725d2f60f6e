//! With and without the interest the same comes of everything: the harness runs both and compares.

use proptest::prelude::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Request};
use witgate_policy::{Channel, ToolCall};

use super::chunking::text;
use crate::PiiDetector;

fn policies() -> Vec<Configured<PiiDetector>> {
    let settings = [
        json!({}),
        json!({"action": "deny"}),
        json!({"action": "report"}),
        json!({"format": "hash", "salt": "x"}),
        json!({"entities": ["email"]}),
        json!({"entities": ["ip", "phone"]}),
        json!({"entities": ["ssn"]}),
        json!({"entities": ["api_key"]}),
        json!({"entities": ["card", "iban"]}),
    ];
    let configured = settings
        .into_iter()
        .map(|it| testing::configure(it).unwrap());
    configured.collect()
}

thread_local! {
    static POLICIES: Vec<Configured<PiiDetector>> = policies();
}

fn channels() -> [Channel; 2] {
    let call = ToolCall {
        index: 0,
        id: String::new(),
        name: "send".into(),
    };
    [Channel::Content, Channel::ToolArguments(call)]
}

/// Runs the text as a request, in one part and in two, and as an answer in such pieces. The harness panics where the two ways differ.
fn both_ways(policy: &Configured<PiiDetector>, text: &str, length: usize) {
    let half = text.floor_char_boundary(text.len() / 2);
    let part = |text: &str| json!({"type": "text", "text": text});
    let parts: Value = [part(&text[..half]), part(&text[half..])]
        .into_iter()
        .collect();
    for content in [json!(text), parts] {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        policy.exchange(Request::from_body(body)).on_request();
    }
    let chars: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = chars
        .chunks(length)
        .map(|piece| piece.iter().collect())
        .collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    for channel in channels() {
        let mut exchange = policy.exchange(Request::user("hello"));
        exchange.answer_on(0, channel, &pieces, "stop");
        exchange.complete(testing::Outcome::completed());
    }
}

#[test]
fn ordinary_text_is_slept_through() {
    let policy: Configured<PiiDetector> = testing::configure(json!({})).unwrap();
    for text in [
        "Please explain WebAssembly to me, in three short paragraphs; thanks! What is a well-known state-of-the-art?",
        "It’s — “quoted” and so on… (and that), don't you think? The sandbox: \"hello\".",
        "Äpfel, Birnen und Nüsse",
    ] {
        assert!(policy.sleeps_through(text), "{text}");
    }
    for text in [
        "in 2024",
        "a@b",
        "{",
        "AKIAIOSF",
        "my SSN",
        "version",
        "-----BEGIN",
    ] {
        assert!(!policy.sleeps_through(text), "{text}");
    }
    let masks: Configured<PiiDetector> = testing::configure(json!({"format": "mask"})).unwrap();
    assert!(!masks.sleeps_through("nothing"));
}

#[test]
fn what_an_earlier_word_announces_is_judged_with_it() {
    for policy in policies() {
        for text in [
            "see version 2.4.1.7 and 10.0.0.1 there",
            "release: 1.2.3.4",
            "my SSN is 123 45 6789 and",
            "\\nSSN: 123 45 6789",
            "a\\nPassport: X1234567 b",
            "social_security_number: 123 45 6789",
            "12 01 23 45 67 89 bar 01 23 45 67 89",
            "12 bar 01 23 45 67 89",
            "GB29 NWBK 6016 1331 9268 19 is mine",
            "[1, 4111111111111111] and {\"a\": 4111111111111111, \"b\": \"x y\"} 4111111111111111",
            "he said \"{ \"a\": 4111111111111111 }\" 10.0.0.1",
            "\"a text\" 4111111111111111",
            "foo 4111111111111111",
            "a jane\\u0040x.org b",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIabc def\n-----END RSA PRIVATE KEY----- and on",
        ] {
            for length in (1..13).chain([1000]) {
                both_ways(&policy, text, length);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_and_without_the_interest_the_same_comes_of_any_text(
        text in text(),
        words in "([a-z]{1,6}[ .,\n]{0,2}){0,6}",
        length in 1usize..12,
        which in 0usize..9,
    ) {
        POLICIES.with(|policies| {
            both_ways(&policies[which], &text, length);
            both_ways(&policies[which], &format!("{words} {text} {words}{text}"), length);
        });
    }
}
