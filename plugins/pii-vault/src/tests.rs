//! The policy, driven as the host drives it. What is found is `pii-entities`' to test.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, from_str, json};
use witgate_policy::testing::{self, Configured, Request};

use crate::PiiVault;

const ANN: &str = "ann@example.org";
const CARD: &str = "4111 1111 1111 1111";

fn configured(settings: Value) -> Configured<PiiVault> {
    testing::configure(settings).unwrap()
}

fn asking() -> Request {
    Request::user(&format!("I am {ANN} and pay with {CARD}."))
}

/// What comes of an answer to a request with an address and a card.
fn answered(settings: Value, pieces: &[&str]) -> testing::Answer {
    let policy = configured(settings);
    let mut exchange = policy.exchange(asking());
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    exchange.answer(pieces)
}

#[test]
fn a_value_has_one_placeholder_wherever_it_stands() {
    let policy = configured(json!({}));
    let request = Request::from_body(json!({"model": "m", "messages": [
        {"role": "system", "content": format!("Serve {ANN}.")},
        {"role": "user", "content": [{"type": "text", "text": "I am ann@exam"}, {"type": "text", "text": "ple.org and bob@example.org."}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "look", "arguments": format!(r#"{{"who": "{ANN}", "card": 4111111111111111}}"#)}}
        ]},
        {"role": "tool", "tool_call_id": "c", "content": "bob@example.org"}
    ]}));
    let mut exchange = policy.exchange(request);
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let texts = exchange.texts();
    // Values that are cut over parts are found first.
    assert_eq!(texts[0], "Serve <EMAIL_1>.");
    assert_eq!(
        (texts[1].as_str(), texts[2].as_str()),
        ("I am <EMAIL_1>", " and <EMAIL_2>.")
    );
    assert_eq!(texts[3], r#"{"who": "<EMAIL_1>", "card": "<CARD_1>"}"#);
    assert_eq!(texts[4], "<EMAIL_2>");
    assert!(
        !exchange
            .request()
            .body()
            .to_string()
            .contains("example.org")
    );
    let codes: Vec<_> = exchange
        .findings()
        .iter()
        .map(|one| (one.code.as_str(), one.count))
        .collect();
    assert_eq!(codes, [("vault.email", 5), ("vault.card", 1)]);
}

#[test]
fn what_stands_in_the_request_already_is_nobodys_placeholder() {
    let policy = configured(json!({}));
    for there in ["<EMAIL_1>", "<email 1>", "EMAIL_1"] {
        let mut exchange = policy.exchange(Request::user(&format!("{there} {ANN}")));
        exchange.on_request();
        assert_eq!(exchange.texts(), [format!("{there} <EMAIL_2>")]);
        let answer = exchange.answer(&[&format!("{there} <EMAIL_2>")]);
        assert_eq!(answer.text, format!("{there} {ANN}"));
    }
}

#[test]
fn a_value_has_one_number_in_names_and_in_texts() {
    let (ann, bob) = ("ann@x.org", "bob@x.org");
    let to = json!({"type": "object", "properties": {"to": {"enum": [ann, bob]}, "via": {"enum": ["EMAIL_1"]}}});
    let tools = json!([{"type": "function", "function": {"name": "send", "parameters": to}}]);
    let request = Request::user(&format!("Write to {bob}")).with("tools", tools);
    let call = Channel::ToolArguments(ToolCall {
        index: 0,
        id: "c".into(),
        name: "send".into(),
    });
    for (lenient, nth, value) in [
        (true, 0, ann),
        (true, 1, bob),
        (false, 0, ""),
        (false, 1, ""),
    ] {
        let policy = configured(json!({"lenient": lenient}));
        let mut exchange = policy.exchange(request.clone());
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        let body = exchange.request().body();
        assert!(!body.to_string().contains("x.org"), "{body}");
        let names = body["tools"][0]["function"]["parameters"]["properties"]["to"]["enum"].clone();
        assert_eq!(
            exchange.texts()[0],
            format!("Write to <{}>", names[1].as_str().unwrap())
        );
        // What stood there before is nobody's.
        assert!(
            names[0] != "EMAIL_1" && names[1] != "EMAIL_1" && names[0] != names[1],
            "{names}"
        );
        let picked = json!({"to": names[nth]}).to_string();
        let expected = match lenient {
            true => json!({"to": value}).to_string(),
            false => picked.clone(),
        };
        let answer = exchange.answer_on(0, call.clone(), &["", &picked], "tool_calls");
        assert_eq!(answer.text, expected);
    }
}

#[test]
fn every_chunking_gives_the_values_back() {
    let policy = configured(json!({}));
    for (text, expected) in [
        (
            "To <EMAIL_1>: <CARD_1>, <CARD_2>.",
            format!("To {ANN}: {CARD}, <CARD_2>."),
        ),
        (
            "<email-1> &lt;EMAIL_1&gt; (EMAIL_1)",
            format!("{ANN} {ANN} ({ANN})"),
        ),
        (
            "a < b, EMAIL_10, <EMAIL_1 and IP",
            format!("a < b, EMAIL_10, <{ANN} and IP"),
        ),
        (
            r#"{"a": "\u003cEMAIL_1>\n"}"#,
            format!(r#"{{"a": "{ANN}\n"}}"#),
        ),
    ] {
        assert_eq!(policy.every_chunking_of(&asking(), text).text, expected);
    }
    let answer = answered(json!({}), &["All", " is", " well.", " Bye."]);
    assert!(
        answer.untouched && answer.most_deltas_held <= 1,
        "{answer:?}"
    );
}

#[test]
fn only_exact_placeholders_count_where_that_is_wanted() {
    let text = "<EMAIL_1> <email_1> EMAIL_1 &lt;EMAIL_1&gt;";
    let answer = answered(json!({"lenient": false}), &[text]);
    assert_eq!(
        answer.text,
        format!("{ANN} <email_1> EMAIL_1 &lt;EMAIL_1&gt;")
    );
}

#[test]
fn a_value_in_arguments_is_escaped() {
    // A key with a line break in it: of those that are found, the one that JSON must escape.
    let key = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nabc=\n-----END PRIVATE KEY-----";
    let policy = configured(json!({}));
    let call = Channel::ToolArguments(ToolCall {
        index: 0,
        id: "c".into(),
        name: "n".into(),
    });
    let arguments = r#"{"key": "<API_KEY_1>", "n": 1}"#;
    for cut in 0..arguments.len() {
        let mut exchange = policy.exchange(Request::user(&format!("Use {key}")));
        exchange.on_request();
        assert_eq!(exchange.texts(), ["Use <API_KEY_1>"]);
        let (a, b) = arguments.split_at(cut);
        let answer = exchange.answer_on(0, call.clone(), &["", a, b], "tool_calls");
        let value: Value = from_str(&answer.text).unwrap();
        assert_eq!(value, json!({"key": key, "n": 1}));
    }
}

#[test]
fn the_model_is_told_where_that_is_wanted_and_there_is_something_to_tell() {
    let policy = configured(json!({"hint": true}));
    let mut exchange = policy.exchange(asking());
    exchange.on_request();
    let texts = exchange.texts();
    assert!(
        texts[0].contains("<EMAIL_1>") && texts.len() == 2,
        "{texts:?}"
    );
    let mut exchange = policy.exchange(Request::user("hello"));
    exchange.on_request();
    assert_eq!(exchange.texts(), ["hello"]);
}

#[test]
fn nothing_of_one_exchange_is_known_in_another() {
    let policy = configured(json!({}));
    policy.exchange(asking()).on_request();
    let mut other = policy.exchange(Request::user("hello"));
    other.on_request();
    assert!(other.answer(&["<EMAIL_1>"]).untouched);
}

#[test]
fn prose_is_slept_through() {
    let policy = configured(json!({}));
    assert!(
        policy
            .sleeps_through("The committee met again; see the email, or the last page: a < b & c.")
    );
    for text in ["<EMAIL 1>", "&lt;email_1&gt;", "EMAIL_1", ANN] {
        assert!(!policy.sleeps_through(text), "{text}");
    }
}

#[test]
fn settings_that_make_no_sense_say_so() {
    for (settings, says) in [
        (json!({"entities": []}), "name at least one"),
        (json!({"regions": ["xx"]}), "no plan for the region"),
        (json!({"format": "mask"}), "unknown field"),
    ] {
        let error = testing::configure::<PiiVault>(settings).err().unwrap();
        assert!(error.contains(says), "{error}");
    }
    let schema: Value = from_str(&PiiVault::schema().unwrap()).unwrap();
    assert_eq!(schema["properties"].as_object().unwrap().len(), 5);
}

proptest! {
    /// What the model repeats, the client reads as it was sent, whatever stands around it and however it is cut.
    #[test]
    fn what_goes_up_comes_down(
        words in proptest::collection::vec("(ann@example\\.org|bob@x\\.io|4111 1111 1111 1111|<EMAIL_[12]>|<|EMAIL_|[a-z{}\"\\\\\\[:,.]{1,4})", 1..8),
        size in 1usize..8,
    ) {
        let text = words.join(" ");
        let policy = configured(json!({}));
        let mut exchange = policy.exchange(Request::user(&text));
        prop_assert_eq!(exchange.on_request(), Verdict::Proceed);
        let shown = exchange.texts()[0].clone();
        prop_assert!(!shown.contains("example.org"));
        let chars: Vec<char> = shown.chars().collect();
        let pieces: Vec<String> = chars.chunks(size).map(|piece| piece.iter().collect()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        prop_assert_eq!(exchange.answer(&pieces).text, text);
    }
}
