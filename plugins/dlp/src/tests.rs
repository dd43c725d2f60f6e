//! The policy, driven as the host drives it.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor};
use witgate_policy::serde_json;
use witgate_policy::serde_json::{Value, from_str, json};
use witgate_policy::testing::{self, Configured, Request};

use crate::Dlp;

fn configured(settings: Value) -> Configured<Dlp> {
    testing::configure(settings).unwrap()
}

fn all() -> Value {
    json!({
        "blocked_terms": ["Project Lynx", "Übermut", "机密", "C++"],
        "detect_patterns": [r"\bEMP-\d{4,6}\b", r"K:[a-f]{2,}"],
        "sensitivity_level": "restricted"
    })
}

/// The text of a request as it goes on, and the findings.
fn asked(settings: &Value, text: &str) -> (String, Vec<(String, u32, String)>) {
    let policy = configured(settings.clone());
    let mut exchange = policy.exchange(Request::user(text));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let findings = exchange.findings().iter();
    let findings = findings
        .map(|one| (one.code.clone(), one.count, one.detail.clone().unwrap()))
        .collect();
    (exchange.texts()[0].clone(), findings)
}

#[test]
fn terms_patterns_and_markers_are_found_and_named_by_their_place() {
    let (text, findings) = asked(
        &all(),
        "project_lynx, EMP-12345 and K:abc. Not: projects lynx, EMP-123, XEMP-1234, K:a.",
    );
    assert_eq!(
        text,
        "[REDACTED], [REDACTED] and [REDACTED]. Not: projects lynx, EMP-123, XEMP-1234, K:a."
    );
    let expected = [
        ("dlp.term", 1, "blocked_terms[0], in the request"),
        ("dlp.pattern", 1, "detect_patterns[0], in the request"),
        ("dlp.pattern", 1, "detect_patterns[1], in the request"),
    ];
    assert_eq!(
        findings,
        expected.map(|(code, count, detail)| (code.to_owned(), count, detail.to_owned()))
    );
}

#[test]
fn markers_are_those_of_the_level() {
    for (text, high, restricted) in [
        ("CONFIDENTIAL", true, true),
        ("Strictly  confidential", true, true),
        ("for internal use only", true, true),
        ("TLP:AMBER+STRICT.", true, true),
        ("NUR FÜR DEN DIENSTGEBRAUCH", false, true),
        ("INTERNAL", false, true),
        ("Classification: Internal", false, true),
        ("this is confidential, between us", false, false),
        ("CONFIDENTIALITY", false, false),
    ] {
        for (level, found) in [("high", high), ("restricted", restricted)] {
            let (_, findings) = asked(&json!({"sensitivity_level": level}), text);
            assert_eq!(!findings.is_empty(), found, "{level}: {text}");
        }
    }
}

#[test]
fn misspelt_terms_are_found_where_that_is_wanted() {
    let settings = json!({"blocked_terms": ["Project Lynx", "cat"], "fuzzy_matching": true, "max_distance": 2});
    for (text, expected) in [
        ("Our projekt linx it is", "Our [REDACTED] it is"),
        (
            "a cat, a bat, a cats",
            "a [REDACTED], a [REDACTED], a [REDACTED]",
        ),
        ("a dog, a projector", "a dog, a projector"),
    ] {
        assert_eq!(asked(&settings, text).0, expected);
    }
    let exact = json!({"blocked_terms": ["Project Lynx"]});
    assert_eq!(asked(&exact, "projekt lynx").0, "projekt lynx");
}

#[test]
fn deny_says_nothing_of_what_was_found() {
    let policy = configured(json!({"blocked_terms": ["lynx"], "action": "block"}));
    let Verdict::Deny(denial) = policy.exchange(Request::user("the lynx")).on_request() else {
        panic!("not denied");
    };
    assert_eq!(denial.code, "dlp");
    assert_eq!(
        denial.message,
        "the request contains something that must not leave"
    );
    let mut exchange = policy.exchange(Request::user("hi"));
    exchange.on_request();
    let answer = exchange.answer(&["It is a", " ly", "nx", ", I think"]);
    assert_eq!(
        (answer.text.as_str(), answer.denial.is_some()),
        ("It is a", true)
    );
    let policy = configured(json!({"blocked_terms": ["lynx"], "action": "report"}));
    let mut exchange = policy.exchange(Request::user("the lynx"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert!(
        exchange
            .answer(&["It is a", " ly", "nx", ", I think"])
            .untouched
    );
    assert_eq!(exchange.findings().len(), 2);
}

#[test]
fn every_chunking_gives_the_same_answer() {
    let fuzzy = json!({"blocked_terms": ["Project Lynx", "lynxes"], "fuzzy_matching": true, "max_distance": 3});
    for (text, expected) in [
        (
            "Of project - lynx, EMP-47112 (K:abc).",
            "Of [REDACTED], [REDACTED] ([REDACTED]).",
        ),
        (
            "{\"a\": \"project\\nlynx\"} project ly",
            "{\"a\": \"[REDACTED]\"} project ly",
        ),
        (
            "机密文件 ÜBERMUT, C++ CONFIDENTIAL",
            "[REDACTED]文件 [REDACTED], [REDACTED] [REDACTED]",
        ),
    ] {
        for (mut settings, actions) in [
            (all(), &["redact"][..]),
            (fuzzy.clone(), &["redact", "deny", "report"]),
        ] {
            for action in actions {
                settings["action"] = json!(action);
                let answer = configured(settings.clone()).every_chunking(text);
                assert!(
                    settings["fuzzy_matching"] == true || answer.text == expected,
                    "{answer:?}"
                );
            }
        }
    }
}

#[test]
fn what_replaces_a_term_in_arguments_is_escaped() {
    let policy = configured(json!({"blocked_terms": ["lynx"], "replacement": "\"no\""}));
    let arguments = r#"{"a": "a lynx", "b": [4711]}"#;
    let call = Channel::ToolArguments(ToolCall {
        index: 0,
        id: "c".into(),
        name: "n".into(),
    });
    for cut in 0..arguments.len() {
        let (a, b) = arguments.split_at(cut);
        let mut exchange = policy.exchange(Request::user("hi"));
        let answer = exchange.answer_on(0, call.clone(), &["", a, b], "tool_calls");
        let value: Value = from_str(&answer.text).unwrap();
        assert_eq!(value, json!({"a": "a \"no\"", "b": [4711]}));
    }
}

#[test]
fn prose_is_slept_through() {
    let policy = configured(
        json!({"blocked_terms": ["Project Lynx"], "detect_patterns": [r"\bEMP-\d{4}\b"], "sensitivity_level": "high"}),
    );
    assert!(policy.sleeps_through(
        "The committee met again, in confidence; see the last page, or call 4711."
    ));
    for text in ["a project", "EMP-1234", "internal", "CONFIDENTIAL", "a\\nb"] {
        assert!(!policy.sleeps_through(text), "{text}");
    }
    for settings in [
        json!({"blocked_terms": ["lynx"], "fuzzy_matching": true}),
        json!({"detect_patterns": [r"a\s+b"]}),
        json!({"detect_patterns": ["^a"]}),
    ] {
        assert!(configured(settings).policy().interest().is_none());
    }
}

/// Twice the text is twice the work, whole and byte by byte, also of texts that keep every engine at work.
#[test]
fn work_grows_as_the_text_does() {
    let settings = json!({
        "blocked_terms": ["a a a a a a a b", "aaaaaaaaaaaaaaab", "project lynx of the north"],
        "detect_patterns": ["a[a-z ]*!"],
        "fuzzy_matching": true,
        "max_distance": 8
    });
    let finder = crate::finder::DlpFinder::new(&serde_json::from_value(settings).unwrap()).unwrap();
    for unit in [
        "a ",
        "aaaaaaa ",
        "project lynx of the ",
        "\u{1f600}a-",
        "The committee met. ",
    ] {
        let work = |times: usize, size: usize| {
            let text = unit.repeat(times);
            let chars: Vec<char> = text.chars().collect();
            let pieces: Vec<String> = chars
                .chunks(size)
                .map(|piece| piece.iter().collect())
                .collect();
            testing::steps(|| {
                let redactor = Redactor::new(&finder, Form::Text);
                let answer = testing::redact(redactor, pieces.iter().map(String::as_str));
                // A delta is held whole, so what is open shows where each is a letter.
                assert!(
                    size > 1 || answer.most_held <= 600,
                    "{unit}: {}",
                    answer.most_held
                );
            })
        };
        for size in [1, 4096] {
            let (once, twice) = (work(200, size), work(400, size));
            assert!(twice < once * 5 / 2, "{unit} by {size}: {once}, {twice}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_say_so() {
    for (settings, says) in [
        (json!({}), "nothing to look for"),
        (
            json!({"blocked_terms": ["a"], "requests": false, "answers": false}),
            "both false",
        ),
        (
            json!({"blocked_terms": ["a"], "max_distance": 2}),
            "`fuzzy_matching` is false",
        ),
        (
            json!({"blocked_terms": ["a"], "fuzzy_matching": true, "max_distance": 0}),
            "max_distance: 0",
        ),
        (
            json!({"blocked_terms": ["a"], "fuzzy_matching": true, "max_distance": 9}),
            "8 is the most",
        ),
        (
            json!({"sensitivity_level": "high", "fuzzy_matching": true}),
            "there are none",
        ),
        (
            json!({"blocked_terms": ["a", " - "]}),
            "blocked_terms[1]: a term needs letters",
        ),
        (json!({"detect_patterns": ["a", "("]}), "detect_patterns[1]"),
        (
            json!({"detect_patterns": ["a*"]}),
            "matches where nothing stands",
        ),
        (json!({"detect_patterns": [r"(\w{50}){50}"]}), "too large"),
        (json!({"terms": []}), "unknown field `terms`"),
    ] {
        let error = testing::configure::<Dlp>(settings.clone()).err();
        let error = error.unwrap_or_else(|| panic!("{settings} is taken"));
        assert!(error.contains(says), "{settings}: {error}");
    }
}

#[test]
fn the_schema_has_every_setting() {
    let schema: Value = from_str(&Dlp::schema().unwrap()).unwrap();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 9);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the text and the cuts, the same comes out; with the interest and without, for `testing` runs both.
    #[test]
    fn however_a_text_is_cut_the_same_comes_out(
        words in proptest::collection::vec("(project|lynx|prject|EMP-[0-9]{3,5}|K:[a-g]{1,4}|机密|é|internal use|only|SECRET|[-_ .\\\\n{}\"\\[]{1,3})", 1..8),
        size in 1usize..9,
        fuzzy in any::<bool>(),
    ) {
        let text = words.concat();
        let mut settings = all();
        if fuzzy {
            settings["fuzzy_matching"] = json!(true);
            settings["max_distance"] = json!(2);
        }
        let policy = configured(settings);
        let whole = policy.exchange(Request::user("hi")).answer(&[&text]);
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let cut = policy.exchange(Request::user("hi")).answer(&pieces);
        prop_assert_eq!(cut.text, whole.text);
    }
}
