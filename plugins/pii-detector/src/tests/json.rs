//! JSON is JSON wherever it stands: in answers, in what tools give back, in strings of other JSON.

use proptest::prelude::*;
use witgate_policy::redact::{Form, find_all, redact_all};
use witgate_policy::serde_json::{self, Value, json};

use super::chunking::{check, text};
use super::{detector, passage, redacted};

#[track_caller]
fn table(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(redacted(text), *expected, "of {text}");
        for lengths in [&[1][..], &[2, 3], &[7]] {
            check(Form::Text, text, lengths).unwrap();
        }
    }
}

#[test]
fn an_escapes_letter_belongs_to_no_value() {
    table(&[
        (
            r#"{"text": "Authors:\njane.roe@example.org\nMIT"}"#,
            r#"{"text": "Authors:\n[EMAIL]\nMIT"}"#,
        ),
        (
            r#"{"a": "\tDE89370400440532013000\r\n4111111111111111\n"}"#,
            r#"{"a": "\t[IBAN]\r\n[CARD]\n"}"#,
        ),
        // In a program's source, in a broken document, in a document that is cut off.
        (
            r#"print("Contact:\njane.roe@example.org")"#,
            r#"print("Contact:\n[EMAIL]")"#,
        ),
        (
            r#"{"a" "x\njane.roe@example.org"}"#,
            r#"{"a" "x\n[EMAIL]"}"#,
        ),
        (
            r#"{"a": ["x\njane.roe@example.org"#,
            r#"{"a": ["x\n[EMAIL]"#,
        ),
        // Written with more backslashes, in strings within strings.
        (
            r#"{"a":"{\"b\":\"x\\njane@example.org\"}"}"#,
            r#"{"a":"{\"b\":\"x\\n[EMAIL]\"}"}"#,
        ),
        (
            r#"{"a":"{\"b\":\"jane\\u0040example.org\"}"}"#,
            r#"{"a":"{\"b\":\"[EMAIL]\"}"}"#,
        ),
    ]);
}

#[test]
fn numbers_that_are_values_become_strings() {
    table(&[
        (
            r#"{"card": 4111111111111111, "ok": true}"#,
            r#"{"card": "[CARD]", "ok": true}"#,
        ),
        (
            "```json\n[1, 4111111111111111]\n```\nAnd 4111111111111111.",
            "```json\n[1, \"[CARD]\"]\n```\nAnd [CARD].",
        ),
        (
            "{\"n\":4111111111111111}\n{\"n\":4111111111111111}\n",
            "{\"n\":\"[CARD]\"}\n{\"n\":\"[CARD]\"}\n",
        ),
        // A document in a string, in a string that is the whole text, in a program's source.
        (
            r#"{"a":"{\"card\": 4111111111111111}"}"#,
            r#"{"a":"{\"card\": \"[CARD]\"}"}"#,
        ),
        (
            r#""[4111111111111111,\n4111111111111111]""#,
            r#""[\"[CARD]\",\n\"[CARD]\"]""#,
        ),
        (
            r#"x = "{\"card\": 4111111111111111}""#,
            r#"x = "{\"card\": \"[CARD]\"}""#,
        ),
        (
            r#"{"path":"C:\\","card":4111111111111111}"#,
            r#"{"path":"C:\\","card":"[CARD]"}"#,
        ),
        // A sign may be out before its digits have come.
        (
            r#"{"a": -4111111111111111, "b": [-5555555555554444]}"#,
            r#"{"a": -0, "b": [-0]}"#,
        ),
        // No JSON.
        ("{card: 4111111111111111}", "{card: [CARD]}"),
        ("[card 4111111111111111]", "[card [CARD]]"),
        ("[415-555-2671] [10.0.0.1]", "[[PHONE]] [[IP]]"),
        (
            r#"{"a": 1} is 4111111111111111, {"b": 4111 1111 1111 1111}"#,
            r#"{"a": 1} is [CARD], {"b": [CARD]}"#,
        ),
        ("{\"Well,\" said 4111111111111111", "{\"Well,\" said [CARD]"),
    ]);
}

#[test]
fn a_backslash_is_a_border_and_stays() {
    table(&[
        (
            r"C:\jane@example.org\4111111111111111",
            r"C:\[EMAIL]\[CARD]",
        ),
        (
            r"CORP\jane@example.org and \\host\new",
            r"CORP\[EMAIL] and \\host\new",
        ),
        (
            r"\textbf{jane@example.org} \[ x_{4111111111111111} \]",
            r"\textbf{[EMAIL]} \[ x_{[CARD]} \]",
        ),
        (r"r'\b10.0.0.1\b' and \d+\.\d+", r"r'\b[IP]\b' and \d+\.\d+"),
        (r"C:\users\new\table.txt", r"C:\users\new\table.txt"),
    ]);
    let many = "\\".repeat(100);
    table(&[(
        &format!("{many}njane@example.org"),
        &format!("{many}n[EMAIL]"),
    )]);
}

/// Any JSON, with personal data in it.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        text().prop_map(Value::from),
        text().prop_map(|text| Value::from(text.replace('a', "\n"))),
        Just(json!(4111111111111111u64)),
        Just(json!(-4111111111111111i64)),
        Just(json!(5555555555554444u64)),
        Just(json!([1, 2.5, 1e9, true, null, {}, []])),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((text(), inner.clone()), 0..4).prop_map(|members| {
                // A letter before each key, so that none becomes another's and their order stays.
                let keys = ('a'..).zip(members);
                let members = keys.map(|(n, (key, value))| (format!("{n}, {key}"), value));
                Value::Object(members.collect())
            }),
            // A document in a string.
            inner
                .clone()
                .prop_map(|value| Value::from(value.to_string())),
            inner.prop_map(|value| Value::from(serde_json::to_string_pretty(&value).unwrap())),
        ]
    })
}

/// Asserts that what is a document in `before` is one in `after`, in strings, too.
fn still_json(before: &Value, after: &Value) -> Result<(), TestCaseError> {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            prop_assert_eq!(before.len(), after.len());
            for (before, after) in before.values().zip(after.values()) {
                still_json(before, after)?;
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            prop_assert_eq!(before.len(), after.len());
            for (before, after) in before.iter().zip(after) {
                still_json(before, after)?;
            }
        }
        (Value::String(before), Value::String(after)) => {
            let document = before.starts_with(['{', '[']);
            if document && let Ok(before) = serde_json::from_str::<Value>(before) {
                let parsed = serde_json::from_str::<Value>(after);
                prop_assert!(parsed.is_ok(), "{before} became {after}");
                still_json(&before, &parsed.unwrap())?;
            }
        }
        (_, after) => prop_assert!(!after.is_object() && !after.is_array()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_parsed_before_parses_after(
        value in value(),
        around in prop::sample::select(&[("", ""), (" \n", "\n"), ("```json\n", "\n```"), ("Here: ", " and so on")][..]),
        pretty in any::<bool>(),
        lengths in prop::collection::vec(1..12usize, 1..9),
    ) {
        let value = json!({"all": [value], "n": 4111111111111111u64});
        let json = if pretty { serde_json::to_string_pretty(&value).unwrap() } else { value.to_string() };
        let text = format!("{}{json}{}", around.0, around.1);
        let out = redact_all(detector(), Form::Text, &text).unwrap();
        let out = &out[around.0.len()..out.len() - around.1.len()];
        let parsed = serde_json::from_str::<Value>(out);
        prop_assert!(parsed.is_ok(), "{text} became {out}");
        let parsed = parsed.unwrap();
        prop_assert_eq!(&parsed["n"], "[CARD]");
        still_json(&value, &parsed)?;
        check(Form::Text, &text, &lengths)?;
        check(Form::Json, &json, &lengths)?;
    }

    /// Reading a text as JSON never lets a value through that would have been found in a plain text.
    #[test]
    fn what_is_found_in_a_text_is_found_in_json(
        pieces in prop::collection::vec((text(), prop::sample::select(&["{", "[", "]", "}", ",", ":", "\"", "{\"a\":", "[1,", "-", "4111111111111111", " ", "\n"][..])), 0..6),
    ) {
        let text: String = pieces.into_iter().map(|(text, mark)| text + mark).collect();
        let text = text.replace('\\', "");
        let mut redactor = passage(Form::Text);
        redactor.whole(&text);
        let found = redactor.take_counts().iter().sum::<u32>() as usize;
        prop_assert!(found >= find_all(detector(), &text).len(), "of {}", text);
    }
}
