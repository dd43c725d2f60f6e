//! The policy, driven as the host drives it.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, from_str, json};
use witgate_policy::testing::{self, Answer, Configured, Request};

use crate::JsonAnswer;

fn configured(settings: Value) -> Configured<JsonAnswer> {
    testing::configure(settings).unwrap()
}

fn priced() -> Value {
    json!({"schema": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "price": {"type": "number", "minimum": 0}},
        "required": ["name", "price"],
        "additionalProperties": false
    }})
}

fn answer(settings: &Value, pieces: &[&str], finish: &str) -> (Answer, Vec<String>) {
    let policy = configured(settings.clone());
    let mut exchange = policy.exchange(Request::user("hi"));
    let answer = exchange.answer_on(0, Channel::Content, pieces, finish);
    let findings = exchange.findings().iter();
    (answer, findings.map(|one| one.code.clone()).collect())
}

fn code(answer: &Answer) -> &str {
    answer.denial.as_ref().map_or("", |denial| &denial.code)
}

#[test]
fn each_fault_has_its_code() {
    for (text, finish, expected) in [
        (r#"{"name": "a", "price": 1}"#, "stop", ""),
        (" {\"price\": 1, \"name\": \"a\"}\n", "stop", ""),
        ("", "stop", "json_empty"),
        (" \n", "stop", "json_empty"),
        ("", "tool_calls", ""),
        ("", "length", "json_empty"),
        (r#"{"name": "a"#, "length", "json_truncated"),
        ("```", "length", "json_truncated"),
        (r#"{"name": "a"#, "stop", "json_syntax"),
        (r#"{"name": "a", "price": 1} ok"#, "stop", "json_syntax"),
        ("Sure: {}", "stop", "json_syntax"),
        (r#"{"name": "\ud800", "price": 1}"#, "stop", "json_syntax"),
        (r#"{"name": "a"}"#, "stop", "json_schema"),
        (r#"{"name": "a", "price": -1}"#, "stop", "json_schema"),
        ("[]", "stop", "json_schema"),
        (r#"{"name": "a", "price": 1}"#, "length", ""),
    ] {
        let pieces: Vec<&str> = [text].into_iter().filter(|text| !text.is_empty()).collect();
        let (answer, findings) = answer(&priced(), &pieces, finish);
        assert_eq!(code(&answer), expected, "{text:?} {finish}");
        assert!(
            expected.is_empty() || findings == [expected.replace('_', ".")],
            "{findings:?}"
        );
        assert!(!expected.is_empty() || answer.untouched, "{answer:?}");
        let status = answer.denial.map(|denial| denial.status);
        assert!(status.is_none_or(|status| status == Some(422)));
    }
}

#[test]
fn it_is_denied_at_the_byte_that_cant_be() {
    for (pieces, out) in [
        (["{\"name\": ", "1, \"price\"", ": 1}"], "{\"name\": "),
        (["{\"name\"", " \"a\"", "}"], "{\"name\""),
        (["{\"nam\"", ": 1", "}"], ""),
    ] {
        let (answer, _) = answer(&priced(), &pieces, "stop");
        assert_eq!(answer.text, out, "{answer:?}");
        assert!(answer.denial.is_some());
    }
}

#[test]
fn white_space_and_marks_are_not_kept_without_a_bound() {
    let white = " ".repeat(10_000);
    let tildes = "~".repeat(10_000);
    for (text, finish, expected) in [
        (white.clone(), "stop", "json_empty"),
        (white.clone(), "length", "json_empty"),
        (tildes, "stop", "json_syntax"),
        (format!("{white}{{}}"), "stop", ""),
        (format!("{white}```\n{{}}\n```"), "stop", "json_syntax"),
    ] {
        let pieces: Vec<&str> = text.split_inclusive(|_| true).collect();
        let (answer, _) = answer(&json!({}), &pieces, finish);
        assert_eq!(code(&answer), expected);
        assert!(answer.most_held <= 256, "{}", answer.most_held);
        assert!(!expected.is_empty() || answer.untouched);
    }
}

#[test]
fn a_key_that_stands_twice_is_held_to_no_schema() {
    let twice = r#"{"name": "a", "price": -1, "pric\u0065": 1}"#;
    assert_eq!(code(&answer(&priced(), &[twice], "stop").0), "json_schema");
    assert_eq!(code(&answer(&json!({}), &[twice], "stop").0), "");
}

/// The gateway asks so where a stage holds more than it may; under `on_error: skip` what is held would go, and the rest unread.
#[test]
fn a_whole_value_does_not_pass_where_nobody_knows_whether_it_is_all() {
    let last_word = |hold: bool, pieces: &[&str]| {
        let policy = testing::configure::<JsonAnswer>(json!({"hold": hold})).unwrap();
        let mut exchange = policy.exchange(Request::user("hi"));
        let passage = exchange.open(0, Channel::Content);
        for piece in pieces {
            exchange.delta(passage, piece);
        }
        let answer = exchange.end(passage, "");
        (answer.text, answer.denial.map(|denial| denial.code))
    };
    for pieces in [
        &["{}", "   "][..],
        &["```json\n{}", "\n```"],
        &["[1,"],
        &["``"],
    ] {
        let denied = (String::new(), Some("json_held".into()));
        assert_eq!(last_word(true, pieces), denied, "{pieces:?}");
    }
    assert_eq!(last_word(true, &[]).1.as_deref(), Some("json_empty"));
    assert_eq!(last_word(false, &["{}", " "]), ("{} ".into(), None));
}

#[test]
fn with_hold_nothing_goes_out_before_all_matches() {
    let mut settings = priced();
    settings["hold"] = json!(true);
    let pieces = ["{\"name\": \"a\",", " \"price\": ", "-1}"];
    let (refused, _) = answer(&settings, &pieces, "stop");
    assert_eq!((refused.text.as_str(), code(&refused)), ("", "json_schema"));
    let (passed, _) = answer(
        &settings,
        &["{\"name\": \"a\",", " \"price\": ", "1}"],
        "stop",
    );
    assert!(passed.untouched && passed.chunks.len() == 3, "{passed:?}");
    let (fenced, _) = answer(
        &settings,
        &["``", "`\n{\"name\": \"a\", ", "\"price\": 1}", "\n```"],
        "stop",
    );
    assert_eq!(fenced.text, "{\"name\": \"a\", \"price\": 1}");
}

#[test]
fn every_chunking_gives_the_same_answer() {
    for settings in [
        json!({}),
        json!({"hold": true}),
        json!({"action": "report"}),
        priced(),
    ] {
        let policy = configured(settings);
        for text in [
            "  ```json\n{\"name\": \"a\\\"b\", \"price\": 1e2}\n ``` \n",
            "{\"name\": \"ä\", \"price\": [1]}",
            "~~~~\n-0.5 \n~~~~~",
            "```\n[1]\n``",
            "`x`",
        ] {
            policy.every_chunking(text);
        }
    }
    let text = configured(json!({}))
        .every_chunking("  ```json\n{\"a\": \"```\\n\"}\n ``` \n")
        .text;
    assert_eq!(text, "{\"a\": \"```\\n\"}");
    assert_eq!(
        configured(json!({})).every_chunking("```\n-0.5 \n```").text,
        "-0.5"
    );
    // Without the closing fence it is JSON all the same.
    assert_eq!(
        configured(json!({})).every_chunking("```\n[1] ").text,
        "[1]"
    );
    let strict = configured(json!({"strip_fences": false}));
    assert_eq!(code(&strict.every_chunking("```\n[1]\n```")), "json_syntax");
}

#[test]
fn choices_are_judged_alone_and_other_channels_pass() {
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(Request::user("hi"));
    let thought = exchange.answer_on(0, Channel::Reasoning, &["Let me", " think"], "stop");
    assert!(thought.untouched);
    let (bad, good) = (
        exchange.open(0, Channel::Content),
        exchange.open(1, Channel::Content),
    );
    exchange.delta(bad, "[1");
    exchange.delta(good, "[1");
    exchange.delta(bad, "}");
    exchange.delta(good, "]");
    assert_eq!(code(&exchange.end(bad, "stop")), "json_syntax");
    assert_eq!(exchange.end(good, "stop").text, "[1]");
}

#[test]
fn settings_that_make_no_sense_say_so() {
    for (settings, says) in [
        (
            json!({"action": "report", "strip_fences": true}),
            "changes nothing",
        ),
        (json!({"action": "report", "hold": true}), "delays nothing"),
        (
            json!({"schema": {"minContains": 1}}),
            "schema: `/minContains`",
        ),
        (json!({"schema": "x"}), "a schema is an object"),
        (json!({"scheme": {}}), "unknown field"),
    ] {
        let error = testing::configure::<JsonAnswer>(settings.clone()).err();
        let error = error.unwrap_or_else(|| panic!("{settings} is taken"));
        assert!(error.contains(says), "{settings}: {error}");
    }
}

#[test]
fn the_schema_has_every_setting() {
    let schema: Value = from_str(&JsonAnswer::schema().unwrap()).unwrap();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 4);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a`\"\\\\é\n]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-c]", inner, 0..3).prop_map(|all| json!(all)),
        ]
    })
}

proptest! {
    /// A value in a fence comes out as it stood there, however it was cut; without, every chunk as it came.
    #[test]
    fn a_fence_goes_and_the_value_stays(value in value(), size in 1usize..6, fenced in any::<bool>(), hold in any::<bool>()) {
        let bare = value.to_string();
        let text = if fenced { format!("\n```json\n{bare}\n```\n") } else { bare.clone() };
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let (answer, findings) = answer(&json!({"hold": hold}), &pieces, "stop");
        prop_assert_eq!(&answer.text, &bare);
        prop_assert_eq!(answer.untouched, !fenced);
        prop_assert!(findings.is_empty());
    }
}
