//! The policy, driven as the host drives it.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, from_str, json};
use witgate_policy::testing::{self, Configured, Request};

use crate::Topics;

fn configured(settings: Value) -> Configured<Topics> {
    testing::configure(settings).unwrap()
}

fn weapons() -> Value {
    json!({"forbidden": {"weapons": {
        "terms": ["gun", "rifle*", {"term": "pipe bomb", "weight": 2}, {"term": "museum", "weight": -1}], "threshold": 2
    }}})
}

fn asked(settings: &Value, request: Request) -> (Option<String>, Vec<String>) {
    let policy = configured(settings.clone());
    let mut exchange = policy.exchange(request);
    let code = match exchange.on_request() {
        Verdict::Deny(denial) => Some(denial.code),
        _ => None,
    };
    let findings = exchange.findings().iter();
    (code, findings.map(|one| one.code.clone()).collect())
}

#[test]
fn a_topic_is_reached_by_weights_each_term_once() {
    for (text, reached) in [
        ("a pipe bomb", true),
        ("a gun and RIFLES", true),
        ("a gun, a gun, a gun", false),
        ("guns", false),
        ("a rifle, a gun, in a museum", true),
        ("in a museum: a gun and a rifle", false),
    ] {
        let (code, findings) = asked(&weapons(), Request::user(text));
        assert_eq!(code.is_some(), reached, "{text}");
        assert_eq!(findings.len(), usize::from(reached));
    }
}

#[test]
fn a_window_is_bounded() {
    let mut settings = weapons();
    settings["window"] = json!(5);
    let (code, _) = asked(&settings, Request::user("gun one two three rifle"));
    assert_eq!(code.as_deref(), Some("topic_forbidden"));
    let (code, _) = asked(&settings, Request::user("gun one two three four rifle"));
    assert_eq!(code, None);
}

#[test]
fn messages_are_judged_alone_and_their_parts_together() {
    let (code, _) = asked(&weapons(), Request::user("a pi").part("pe bo").part("mb"));
    assert_eq!(code.as_deref(), Some("topic_forbidden"));
    let two = Request::user("a gun").message(Role::User, "a rifle");
    assert_eq!(asked(&weapons(), two).0, None);
    let theirs = Request::new()
        .message(Role::System, "a pipe bomb")
        .message(Role::User, "hi");
    assert_eq!(asked(&weapons(), theirs.clone()).0, None);
    let mut settings = weapons();
    settings["roles"] = json!(["user", "system"]);
    assert!(asked(&settings, theirs).0.is_some());
}

#[test]
fn a_request_must_be_about_an_allowed_topic() {
    let settings = json!({"allowed": {"cooking": {"terms": ["recipe", "cook*"]}, "wine": {"terms": ["wine"]}}});
    for (request, code) in [
        (Request::user("A recipe for bread, please"), None),
        (Request::user("Which wine with it, please?"), None),
        (
            Request::user("How do I invest my money?"),
            Some("topic_not_allowed"),
        ),
        (Request::user("Yes, please"), None),
        (
            Request::user("A recipe").message(Role::User, "And without any of the eggs?"),
            None,
        ),
    ] {
        assert_eq!(asked(&settings, request).0.as_deref(), code);
    }
    let policy = configured(settings.clone());
    assert_eq!(policy.hooks(), Hooks::ON_REQUEST);
    let mut settings = settings;
    settings["action"] = json!("report");
    let (code, findings) = asked(&settings, Request::user("How do I invest my money?"));
    assert_eq!((code, findings), (None, vec!["topics.none".to_owned()]));
}

#[test]
fn an_answer_ends_before_the_word_that_makes_it_one() {
    let policy = configured(weapons());
    let mut exchange = policy.exchange(Request::user("hi"));
    let answer = exchange.answer(&["You take", " a pipe", " bo", "mb", " and"]);
    assert_eq!(answer.text, "You take a pipe");
    assert_eq!(answer.denial.unwrap().code, "topic_forbidden");
    let answer = policy
        .exchange(Request::user("hi"))
        .answer(&["All", " is", " well.", " Bye"]);
    assert!(
        answer.untouched && answer.most_deltas_held <= 2,
        "{answer:?}"
    );
    let long = "x".repeat(200);
    let endless = policy
        .exchange(Request::user("hi"))
        .answer(&[&long, &long, &long, " gun"]);
    assert!(endless.untouched && endless.most_held <= 400, "{endless:?}");
    let mut settings = weapons();
    settings["action"] = json!("report");
    let policy = configured(settings);
    let mut exchange = policy.exchange(Request::user("hi"));
    let answer = exchange.answer(&["You take", " a pipe", " bo", "mb", " and"]);
    assert!(answer.untouched && answer.most_deltas_held <= 1);
    assert_eq!(exchange.findings().len(), 1);
}

#[test]
fn every_chunking_gives_the_same_answer() {
    let policy = configured(weapons());
    for text in [
        "A gun, and riflemen: ja",
        "a pipe, BOMB",
        "Ein Gewehr, 枪 gun",
    ] {
        policy.every_chunking(text);
    }
}

#[test]
fn settings_that_make_no_sense_say_so() {
    let with = |key: &str, value: Value| {
        let mut settings = weapons();
        settings[key] = value;
        settings
    };
    let topic = |topic: Value| json!({"forbidden": {"a": topic}});
    for (settings, says) in [
        (json!({}), "there is no topic"),
        (with("answers", json!(false)), "both false"),
        (
            json!({"allowed": {"a": {"terms": ["a"]}}, "requests": false}),
            "asked of requests",
        ),
        (with("min_words", json!(3)), "min_words is for `allowed`"),
        (with("roles", json!([])), "roles: name at least one"),
        (with("window", json!(0)), "window: 1 to 10000"),
        (
            with("allowed", json!({"weapons": {"terms": ["a"]}})),
            "stands in forbidden and in allowed",
        ),
        (
            json!({"allowed": {"a": {"terms": ["a"], "action": "deny"}}}),
            "allowed.a.action",
        ),
        (
            json!({"forbidden": {"A b": {"terms": ["a"]}}}),
            "a topic's name",
        ),
        (topic(json!({"terms": []})), "forbidden.a: name `terms`"),
        (
            topic(json!({"terms": ["a"], "threshold": 2})),
            "all terms together come to 1",
        ),
        (
            topic(json!({"terms": ["a"], "threshold": 0})),
            "a number above 0",
        ),
        (
            topic(json!({"terms": [{"term": "a", "weight": 0}]})),
            "terms[0].weight",
        ),
        (
            topic(json!({"terms": ["a", "-"]})),
            "forbidden.a.terms[1]: a term needs letters",
        ),
        (
            topic(json!({"examples": ["How does a boat sail against the wind?"]})),
            "forbidden.a.examples: 5 sentences at least",
        ),
        (
            topic(json!({"examples": ["sail", "a b c d", "e f g h", "i j k l", "m n o p"]})),
            "examples[0]: a sentence of 4 words at least",
        ),
        (
            topic(json!({"examples": ["a b c d", "a b c d", "e f g h", "i j k l", "m n o p"]})),
            "examples[1]: it stands there twice",
        ),
        (
            topic(
                json!({"examples": ["How are you on this day?", "Who are you and what?", "What is it that you do?", "Why is it so for you?", "When will it be there?"]}),
            ),
            "have few words in common",
        ),
        (
            topic(json!({"examples": sailing(), "likelihood": 1})),
            "likelihood: a number from 0.5",
        ),
        (
            topic(json!({"examples": sailing(), "threshold": 1})),
            "threshold is for `terms`",
        ),
        (
            topic(json!({"terms": ["a"], "likelihood": 0.9})),
            "likelihood is for `examples`",
        ),
        (
            json!({"forbidden": {"a": {"terms": ["a"]}}, "ordinary": ["a b c d"]}),
            "no topic has any",
        ),
        (many_topics(), "and each is weighed for 300 topics"),
        (
            topic(json!({"examples": long_sentences()})),
            "words, and each is weighed for 1 topics",
        ),
        (json!({"topics": {}}), "unknown field"),
    ] {
        let mut settings = settings;
        if says == "both false" {
            settings["requests"] = json!(false);
        }
        let error = testing::configure::<Topics>(settings.clone()).err();
        let error = error.unwrap_or_else(|| panic!("{settings} is taken"));
        assert!(error.contains(says), "{settings}: {error}");
    }
    let schema: Value = from_str(&Topics::schema().unwrap()).unwrap();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 9);
}

/// Few sentences for each of very many topics.
fn many_topics() -> Value {
    let topics = (0..300).map(|n| {
        let examples: Vec<String> = (0..5)
            .map(|m| format!("thing{n} is done by {m} people"))
            .collect();
        (format!("t{n}"), json!({"examples": examples}))
    });
    json!({"forbidden": topics.collect::<Value>()})
}

/// Few sentences of very many words.
fn long_sentences() -> Vec<String> {
    (0..6)
        .map(|n| format!("{n} {}", "word ".repeat(20_000)))
        .collect()
}

/// Sentences about sailing: nothing is built in about that.
fn sailing() -> Value {
    json!([
        "How do I hoist the sail of a small boat in strong wind?",
        "Which knot do sailors use to tie a boat to the harbour?",
        "The skipper trims the mainsail when the wind turns.",
        "What is the difference between a sloop and a ketch?",
        "Reef the mainsail before the storm reaches the boat.",
        "How does a boat sail against the wind?",
        "Drop the anchor in the bay and lower the sail.",
        "A sailor reads the wind on the water before the boat heels."
    ])
}

#[test]
fn examples_say_what_a_text_is_about() {
    let settings = json!({"forbidden": {"sailing": {"examples": sailing()}}});
    for (text, code) in [
        (
            "When do I reef the mainsail of my boat?",
            Some("topic_forbidden"),
        ),
        ("How do I sort a list of names in a program?", None),
        // One word is never enough, and neither are three.
        ("The boat is red, and the house behind it as well.", None),
        ("boat, boat, boat, boat, boat, boat, boat, boat", None),
        ("sail a boat", None),
    ] {
        let (said, findings) = asked(&settings, Request::user(text));
        assert_eq!(said.as_deref(), code, "{text}: {findings:?}");
    }
    // It is found in the middle of a long text as well, and the words around it make no difference.
    let around = "The committee approved the annual budget after a short debate. ".repeat(30);
    let text =
        format!("{around}Reef the mainsail, for the wind is too strong for the boat. {around}");
    assert_eq!(
        asked(&settings, Request::user(&text)).0.as_deref(),
        Some("topic_forbidden")
    );
    assert_eq!(asked(&settings, Request::user(&around)).0, None);
    let policy = configured(settings);
    let mut exchange = policy.exchange(Request::user("hi"));
    let answer = exchange.answer(&[
        "Well: reef",
        " the main",
        "sail when the wi",
        "nd is strong, and then",
    ]);
    assert_eq!(answer.denial.unwrap().code, "topic_forbidden");
    assert_eq!(
        exchange.findings()[0].detail.as_deref(),
        Some("in the answer, by its examples")
    );
    let (_, told) = &policy.log()[0];
    assert!(told.starts_with("topic sailing: "), "{told}");
}

/// Those of the README: few, and still enough to learn from.
#[test]
fn eight_examples_teach_something() {
    let settings = json!({"forbidden": {"medical": {"examples": [
        "What dose of ibuprofen may I give to a child with a fever?",
        "Which antibiotic helps against an infection of the throat?",
        "Can I take ibuprofen and an antibiotic together?",
        "My son has a fever and a rash, is it an infection?",
        "What are the side effects of this antibiotic?",
        "How many tablets may I take for the pain?",
        "Which tablets help against pain and fever?",
        "Is this rash on my arm a side effect of the tablets?",
    ], "likelihood": 0.8}}});
    let (code, _) = asked(
        &settings,
        Request::user("Is there an antibiotic for a throat infection with fever?"),
    );
    assert_eq!(code.as_deref(), Some("topic_forbidden"));
    assert_eq!(
        asked(
            &settings,
            Request::user("Which of these two books should I read?")
        )
        .0,
        None
    );
}

#[test]
fn examples_and_terms_stand_beside_each_other_and_allow_as_well() {
    let settings = json!({
        "allowed": {"sailing": {"examples": sailing(), "terms": ["regatta"]}, "wine": {"terms": ["wine"]}},
        "ordinary": ["The committee approved the annual budget after a short debate."]
    });
    for (text, code) in [
        ("When do I reef the mainsail of a boat?", None),
        ("Who won the regatta this year?", None),
        ("How do I invest my money?", Some("topic_not_allowed")),
        (
            "The committee approved the annual budget.",
            Some("topic_not_allowed"),
        ),
    ] {
        assert_eq!(
            asked(&settings, Request::user(text)).0.as_deref(),
            code,
            "{text}"
        );
    }
}

#[test]
fn what_is_learned_is_the_same_each_time_and_at_every_chunking() {
    let settings = json!({"forbidden": {"sailing": {"examples": sailing()}}});
    let (one, other) = (configured(settings.clone()), configured(settings));
    assert_eq!(one.log(), other.log());
    let answer = one.every_chunking("Reef the mainsail, sailor");
    assert_eq!(answer.denial.unwrap().code, "topic_forbidden");
}

/// The score by its definition, over all windows.
fn by_definition(words: &[&str], window: usize) -> bool {
    words.windows(window.min(words.len())).any(|words| {
        let gun = words.contains(&"gun");
        let rifle = words.contains(&"rifle");
        let bomb = words.windows(2).any(|pair| pair == ["pipe", "bomb"]);
        i32::from(gun) + i32::from(rifle) + 2 * i32::from(bomb) >= 2
    })
}

proptest! {
    /// However a text is cut, and by the definition.
    #[test]
    fn what_is_reached_is_what_the_definition_says(
        words in proptest::collection::vec("(gun|rifle|pipe|bomb|one|two)", 1..14),
        size in 1usize..9,
    ) {
        let settings = json!({"window": 4, "forbidden": {"weapons": {
            "terms": ["gun", "rifle", {"term": "pipe bomb", "weight": 2}], "threshold": 2
        }}});
        let text = words.join(" ");
        let chars: Vec<char> = text.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let answer = configured(settings).exchange(Request::user("hi")).answer(&pieces);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // A phrase that begins before the window counts at its last word.
        let in_window = by_definition(&words, 4);
        let straddles = by_definition(&words, 5);
        prop_assert!(answer.denial.is_some() >= in_window && answer.denial.is_some() <= straddles);
    }
}
