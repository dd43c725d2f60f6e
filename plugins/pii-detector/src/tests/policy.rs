//! The policy, driven as the host drives it.

use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Outcome, Request};

use crate::PiiDetector;

fn configured(settings: Value) -> Configured<PiiDetector> {
    testing::configure(settings).unwrap()
}

fn arguments() -> Channel {
    Channel::ToolArguments(ToolCall {
        index: 0,
        id: "call".into(),
        name: "send".into(),
    })
}

#[test]
fn requests_are_redacted_in_every_role() {
    let request = Request::new()
        .message(Role::System, "You are at 81.2.69.142.")
        .message(Role::User, "I am a@b.com")
        .message(Role::Tool, "nothing");
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(request);
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert_eq!(
        exchange.texts(),
        ["You are at [IP].", "I am [EMAIL]", "nothing"]
    );
    let findings = [
        Finding::new("pii.email", 1).with_detail("in the request"),
        Finding::new("pii.ip", 1).with_detail("in the request"),
    ];
    assert_eq!(exchange.findings(), findings);
}

#[test]
fn earlier_tool_calls_stay_json() {
    let body = json!({"messages": [{"role": "assistant", "tool_calls": [
        {"id": "c", "function": {"name": "pay", "arguments": "{\"card\":4111111111111111,\"to\":\"a\\u0040b.com\"}"}},
    ]}]});
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(Request::from_body(body));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert_eq!(exchange.texts(), [r#"{"card":"[CARD]","to":"[EMAIL]"}"#]);
}

#[test]
fn answers_are_redacted_on_every_channel() {
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(Request::user("hello"));
    for channel in [Channel::Content, Channel::Reasoning, Channel::Refusal] {
        let answer = exchange.answer_on(0, channel, &["Mail a@", "b.", "com", " now"], "stop");
        assert_eq!(answer.text, "Mail [EMAIL] now");
    }
    let answer = exchange.answer_on(
        0,
        arguments(),
        &["{\"n\":41111111", "11111111}"],
        "tool_calls",
    );
    assert_eq!(answer.text, "{\"n\":\"[CARD]\"}");
    let findings = exchange.complete(Outcome::completed()).findings;
    let expected = [("pii.email", 3), ("pii.card", 1)]
        .map(|(code, n)| Finding::new(code, n).with_detail("in the answer"));
    assert_eq!(findings, expected);
}

#[test]
fn clean_answers_go_out_as_they_came() {
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(Request::user("hello"));
    let answer = exchange.answer(&["The", " quick", " brown", " fox", "\n", "jumps"]);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!(answer.chunks.len(), 6);
    assert!(exchange.complete(Outcome::completed()).findings.is_empty());
}

#[test]
fn every_chunking_gives_the_same_answer() {
    for settings in [
        json!({}),
        json!({"action": "deny"}),
        json!({"format": "mask"}),
        json!({"format": "hash"}),
    ] {
        let policy = configured(settings);
        policy
            .every_chunking("Call +1 415-555-2671 or write to jo@x.org, key AKIAIOSFODNN7Q2W4E5R.");
        policy.every_chunking("Nothing at 12:30 in v1.2.3.4.5");
    }
}

#[test]
fn deny_names_the_kinds_and_not_the_values() {
    let policy = configured(json!({"action": "deny"}));
    let mut exchange = policy.exchange(Request::user("a@b.com 81.2.69.142 c@d.com"));
    let Verdict::Deny(denial) = exchange.on_request() else {
        panic!("not denied");
    };
    assert_eq!(denial.code, "pii");
    assert_eq!(
        denial.message,
        "the request contains personal data or secrets: email, ip"
    );
    assert_eq!(exchange.findings().len(), 2);
    let mut exchange = policy.exchange(Request::user("hello"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let answer = exchange.answer(&["Call ", "+1415555", "2671", ", please"]);
    assert_eq!(answer.text, "Call ");
    assert_eq!(
        answer.denial.unwrap().message,
        "the answer contains personal data or secrets: phone"
    );
    assert_eq!(exchange.complete(Outcome::completed()).findings.len(), 1);
}

#[test]
fn report_changes_nothing() {
    let policy = configured(json!({"action": "report"}));
    let mut exchange = policy.exchange(Request::user("a@b.com"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    assert_eq!(exchange.texts(), ["a@b.com"]);
    let answer = exchange.answer(&["Call +1415", "5552671"]);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!(answer.most_held, 0);
    assert_eq!(exchange.complete(Outcome::completed()).findings.len(), 2);
}

#[test]
fn formats() {
    let text = "4111 1111 1111 1111, a.b@c.org, +14155552671, DE89370400440532013000, 123-45-6789, 81.2.69.142";
    let mask = configured(json!({"format": "mask"}));
    let mut exchange = mask.exchange(Request::user(text));
    exchange.on_request();
    let expected = "**** **** **** 1111, *.*@*.***, +*******2671, ******************3000, ***-**-6789, **.*.**.***";
    assert_eq!(exchange.texts(), [expected]);

    let hashed = |salt: &str| {
        let policy = configured(json!({"format": "hash", "salt": salt}));
        let mut exchange = policy.exchange(Request::user("abc@b.com abc@b.com"));
        exchange.on_request();
        exchange.texts().remove(0)
    };
    // The first bytes of SHA-256 of "abc@b.com", as `sha256sum` gives them.
    assert_eq!(hashed(""), "[EMAIL:0a5a1023] [EMAIL:0a5a1023]");
    assert_eq!(hashed("pepper"), "[EMAIL:0b030382] [EMAIL:0b030382]");
}

#[test]
fn only_named_entities_are_looked_for() {
    let policy = configured(json!({"entities": ["ssn", "api_key"]}));
    let mut exchange = policy.exchange(Request::user("a@b.com 123-45-6789"));
    exchange.on_request();
    assert_eq!(exchange.texts(), ["a@b.com [SSN]"]);
}

#[test]
fn hooks_are_those_that_the_settings_need() {
    let hooks = |settings| configured(settings).hooks();
    assert_eq!(hooks(json!({})), Hooks::ON_REQUEST | Hooks::ON_ANSWER);
    assert_eq!(hooks(json!({"answers": false})), Hooks::ON_REQUEST);
    assert_eq!(hooks(json!({"requests": false})), Hooks::ON_ANSWER);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (settings, says) in [
        (json!({"acton": "deny"}), "acton"),
        (json!({"action": "block"}), "block"),
        (json!({"entities": ["emial"]}), "emial"),
        (json!({"entities": []}), "at least one"),
        (json!({"requests": false, "answers": false}), "both false"),
    ] {
        let error = testing::configure::<PiiDetector>(settings).err().unwrap();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn the_schema_has_every_setting() {
    let schema: Value =
        witgate_policy::serde_json::from_str(&PiiDetector::schema().unwrap()).unwrap();
    let mut keys: Vec<_> = schema["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "action",
            "answers",
            "entities",
            "format",
            "private_ips",
            "regions",
            "requests",
            "salt"
        ]
    );
}

/// The body as the policy leaves it.
fn after(settings: Value, body: Value) -> Value {
    let mut exchange = configured(settings).exchange(Request::from_body(body));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    exchange.request().body().clone()
}

#[test]
fn every_string_of_the_request_is_read() {
    let body = json!({
        "messages": [
            {"role": "user", "name": "jane@x.org", "content": [
                {"type": "text", "text": "hello"},
                {"type": "document", "source": {"by": "jane@x.org"}},
            ]},
            {"role": "assistant", "tool_calls": [{"id": "call_81.2.69.142", "type": "function", "function": {
                "name": "ask-4111111111111111", "arguments": "4111111111111111",
            }}]},
            {"role": "tool", "tool_call_id": "call_81.2.69.142", "content": "{\"to\": 4111111111111111}"},
        ],
        "tools": [{"type": "function", "function": {
            "name": "ask-4111111111111111",
            "description": "Asks jane@x.org",
            "parameters": {
                "properties": {
                    "jane@x.org": {"type": "string", "description": "See 81.2.69.143", "enum": ["a@x.org", "b@x.org"]},
                },
                "required": ["jane@x.org"],
            },
        }}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"title": "Of jane@x.org"}}},
        "stop": ["jane@x.org"],
        "user": "jane@x.org",
        "metadata": {"jane@x.org": "81.2.69.142"},
        "unheard_of": {"of": ["jane@x.org"]},
    });
    let after = after(json!({}), body);
    let at = |pointer: &str| after.pointer(pointer).unwrap().clone();
    for (pointer, expected) in [
        ("/messages/0/content/1/source/by", "[EMAIL]"),
        ("/messages/1/tool_calls/0/function/arguments", "\"[CARD]\""),
        ("/messages/2/content", "{\"to\": \"[CARD]\"}"),
        ("/tools/0/function/description", "Asks [EMAIL]"),
        ("/response_format/json_schema/schema/title", "Of [EMAIL]"),
        ("/stop/0", "[EMAIL]"),
        ("/user", "[EMAIL]"),
        ("/unheard_of/of/0", "[EMAIL]"),
    ] {
        assert_eq!(at(pointer), expected, "at {pointer}");
    }
    // What refers to a name still does, and a name stays one.
    let name = at("/messages/0/name");
    assert!(name.as_str().unwrap().starts_with("EMAIL_"), "{name}");
    let tool = at("/tools/0/function/name");
    assert!(tool.as_str().unwrap().starts_with("ask-CARD_"), "{tool}");
    assert_eq!(at("/messages/1/tool_calls/0/function/name"), tool);
    let id = at("/messages/2/tool_call_id");
    assert!(id.as_str().unwrap().starts_with("call_IP_"), "{id}");
    assert_eq!(at("/messages/1/tool_calls/0/id"), id);
    let schema = at("/tools/0/function/parameters");
    let key = name.as_str().unwrap();
    assert_eq!(schema["required"][0], key);
    assert_eq!(schema["properties"][key]["description"], "See [IP]");
    let choices = schema["properties"][key]["enum"].as_array().unwrap();
    assert_ne!(choices[0], choices[1]);
    assert_eq!(after["metadata"][key], "[IP]");
    let text = after.to_string();
    for value in ["jane@", "81.2.69", "4111", "a@x"] {
        assert!(!text.contains(value), "{value} in {text}");
    }
}

#[test]
fn what_is_only_reported_stays_wherever_it_stands() {
    let body = json!({"messages": [{"role": "user", "content": "hi"}], "user": "jane@x.org"});
    assert_eq!(
        after(json!({"action": "report"}), body.clone())["user"],
        "jane@x.org"
    );
    let policy = configured(json!({"action": "deny"}));
    let mut exchange = policy.exchange(Request::from_body(body));
    assert!(matches!(exchange.on_request(), Verdict::Deny(_)));
}

#[test]
fn values_cut_over_parts_of_a_message_are_found() {
    let parts = |texts: &[&str]| {
        let parts = texts
            .iter()
            .map(|text| json!({"type": "text", "text": text}));
        let content = Value::Array(parts.collect());
        let after = after(
            json!({}),
            json!({"messages": [{"role": "user", "content": content}]}),
        );
        let parts = after
            .pointer("/messages/0/content")
            .unwrap()
            .as_array()
            .unwrap()
            .clone();
        parts
            .iter()
            .map(|part| part["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        parts(&["Ask jane@exam", "ple.org, or"]),
        ["Ask [EMAIL]", ", or"]
    );
    assert_eq!(
        parts(&["4111 1111 ", "1111", " 1111 and", " a@b.com"]),
        ["[CARD]", "", " and", " [EMAIL]"]
    );
    assert_eq!(
        parts(&["a@b.com", " c@d.com e@", "f.com g@h", ".com"]),
        ["[EMAIL]", " [EMAIL] [EMAIL]", " [EMAIL]", ""]
    );
    // Each part is read alone, too.
    assert_eq!(parts(&["4111111111111111", "5"]), ["[CARD]", "5"]);
    assert_eq!(parts(&["one", "two"]), ["one", "two"]);
}

#[test]
fn what_cannot_be_replaced_is_denied() {
    // The name would have more than 64 characters.
    let name = format!("{}!a@b.co", "n".repeat(57));
    let body = json!({"messages": [{"role": "user", "name": name, "content": "hi"}]});
    let mut exchange = configured(json!({})).exchange(Request::from_body(body));
    let Verdict::Deny(denial) = exchange.on_request() else {
        panic!("not denied");
    };
    assert_eq!(denial.code, "pii");
    assert!(
        denial.message.ends_with("personal data or secrets: email"),
        "{}",
        denial.message
    );
}
