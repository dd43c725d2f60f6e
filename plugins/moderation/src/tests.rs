#![expect(clippy::unwrap_used, reason = "a test")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use witgate_policy::http::{self, Call};
use witgate_policy::prelude::*;
use witgate_policy::serde_json::{self, Value, json};
use witgate_policy::testing::{self, Configured, Outcome, Request};

use crate::Moderation;

const SENTENCE: &str =
    "This is a sentence that says very little, and it is long enough to be asked about alone. ";

fn sent(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap()
}

/// OpenAI's service, to which a text is hateful that says so, and as hateful as it says.
fn openai(call: &Call) -> Result<http::Reply, String> {
    let sent = sent(call);
    let results = sent["input"].as_array().unwrap().iter().map(|text| {
        let text = text.as_str().unwrap();
        let score = if text.contains("hate") { 0.8 } else { 0.1 };
        json!({
            "flagged": score > 0.5,
            "categories": {"hate": score > 0.5, "violence": text.contains("violence")},
            "category_scores": {"hate": score, "violence": if text.contains("violence") { 0.6 } else { 0.0 }},
        })
    });
    let results: Vec<Value> = results.collect();
    Ok(http::reply(200, json!({"results": results}).to_string()))
}

fn configured(settings: Value) -> Configured<Moderation> {
    testing::configure::<Moderation>(settings)
        .unwrap()
        .replying(openai)
}

fn verdict(policy: &Configured<Moderation>, text: &str) -> Verdict {
    policy.exchange(Request::user(text)).on_request()
}

fn code(verdict: Verdict) -> Option<String> {
    match verdict {
        Verdict::Deny(denial) => Some(denial.code),
        _ => None,
    }
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<Moderation>(&json!({}));
}

#[test]
fn what_is_asked_is_what_openai_takes() {
    let calls: Rc<RefCell<Vec<Call>>> = Rc::default();
    let heard = Rc::clone(&calls);
    let policy = testing::configure::<Moderation>(json!({"timeout_ms": 700})).unwrap();
    let policy = policy.replying(move |call| {
        heard.borrow_mut().push(call.clone());
        openai(call)
    });
    let request = Request::new()
        .message(Role::System, "be kind")
        .message(Role::User, "one")
        .message(Role::Assistant, "two")
        .message(Role::User, " \n")
        .message(Role::User, "three");
    assert_eq!(policy.exchange(request).on_request(), Verdict::Proceed);
    let calls = calls.borrow();
    assert_eq!(calls.len(), 1);
    assert_eq!(
        (&*calls[0].method, &*calls[0].url),
        ("POST", "https://api.openai.com/v1/moderations")
    );
    assert_eq!(calls[0].timeout_ms, 700);
    let body = json!({"model": "omni-moderation-latest", "input": ["one", "three"]});
    assert_eq!(sent(&calls[0]), body);
}

#[test]
fn a_flagged_request_is_denied_and_says_for_what() {
    let policy = configured(json!({}));
    assert_eq!(verdict(&policy, "fine"), Verdict::Proceed);
    let mut exchange = policy.exchange(Request::user("hate and violence"));
    match exchange.on_request() {
        Verdict::Deny(denial) => {
            assert_eq!(denial.code, "moderation");
            assert_eq!(denial.message, "the request was flagged: hate, violence");
        }
        other => panic!("{other:?}"),
    }
    let codes: Vec<&str> = exchange.findings().iter().map(|it| &*it.code).collect();
    assert_eq!(codes, ["moderation.hate", "moderation.violence"]);
    assert_eq!(
        exchange.findings()[0].detail.as_deref(),
        Some("the request, score 0.80")
    );
}

#[test]
fn thresholds_and_categories_decide_what_counts() {
    for (settings, text, denied) in [
        (json!({"categories": ["violence"]}), "hate", false),
        (json!({"categories": ["violence"]}), "violence", true),
        (json!({"threshold": 0.9}), "hate", false),
        (json!({"threshold": 0.8}), "hate", true),
        (json!({"threshold": 0.05}), "fine", true),
        (json!({"thresholds": {"violence": 0.7}}), "violence", false),
        (json!({"thresholds": {"violence": 0.7}}), "hate", true),
        (
            json!({"threshold": 0.7, "thresholds": {"violence": 0.5}}),
            "violence",
            true,
        ),
    ] {
        let found = code(verdict(&configured(settings.clone()), text));
        assert_eq!(found.is_some(), denied, "{settings}: {text}");
    }
}

#[test]
fn an_answer_ends_with_the_sentence_that_is_flagged_at_every_cut() {
    let policy = configured(json!({}));
    let fine = SENTENCE.repeat(3);
    assert_eq!(policy.every_chunking(&fine[..200]).text, fine[..200]);
    let bad = format!("{}There is hate in it.", &SENTENCE[..88]);
    let answer = policy.every_chunking(&bad);
    assert_eq!(answer.denial.unwrap().code, "moderation");
    // Of a stream the sentences before are out, and nothing of that one.
    let mut exchange = policy.exchange(Request::user("hello"));
    let (one, two) = (
        format!("{SENTENCE}There is ha"),
        "te in it. And so on and on and on and on and on and on and on.\n",
    );
    let answer = exchange.answer(&[SENTENCE, &one, two]);
    assert_eq!(answer.text, SENTENCE);
    assert!(answer.denial.is_some());
    // A sentence is held whole until its end, and no more than a piece is.
    let mut exchange = policy.exchange(Request::user("hello"));
    let long = "x".repeat(5000);
    let pieces: Vec<&str> = long
        .as_bytes()
        .chunks(10)
        .map(|it| std::str::from_utf8(it).unwrap())
        .collect();
    let answer = exchange.answer(&pieces);
    assert_eq!(answer.text, long);
    assert!(answer.most_held <= 1024 + 10, "{}", answer.most_held);
}

#[test]
fn reasoning_and_arguments_are_asked_about_and_refusals_are_not() {
    let policy = configured(json!({}));
    let call = ToolCall {
        index: 0,
        id: "call_0".into(),
        name: "send".into(),
    };
    for (channel, denied) in [
        (Channel::Reasoning, true),
        (Channel::ToolArguments(call), true),
        (Channel::Refusal, false),
    ] {
        let mut exchange = policy.exchange(Request::user("hello"));
        let answer = exchange.answer_on(0, channel.clone(), &[r#"{"text":"ha"#, r#"te"}"#], "stop");
        assert_eq!(answer.denial.is_some(), denied, "{channel:?}");
    }
}

#[test]
fn what_is_only_reported_changes_and_delays_nothing() {
    let policy = configured(json!({"action": "report"}));
    let mut exchange = policy.exchange(Request::user("hate"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let answer = exchange.answer(&["so much ", "hate"]);
    assert!(answer.untouched && answer.most_held == 0);
    let record = exchange.complete(Outcome::completed());
    let places: Vec<_> = record
        .findings
        .iter()
        .map(|it| it.detail.clone().unwrap())
        .collect();
    assert_eq!(
        places,
        ["the request, score 0.80", "the answer, score 0.80"]
    );
}

/// Whatever a service says that isn't what was asked for: nothing passes.
#[test]
fn where_the_service_does_not_say_nothing_passes() {
    let whole = |body: Value| Ok(http::reply(200, body.to_string()));
    let result = json!({"flagged": false, "categories": {"hate": false}, "category_scores": {}});
    let replies: [Result<http::Reply, String>; 9] = [
        Err("there was no reply within 2000 ms".into()),
        Ok(http::reply(200, "no JSON")),
        Ok(http::reply(
            401,
            openai(&http::post_json("", &json!({"input": ["a"]})))
                .unwrap()
                .body,
        )),
        Ok(http::reply(302, "")),
        whole(json!({"results": []})),
        whole(json!({"results": [result, result]})),
        whole(json!({"results": [{"flagged": false}]})),
        whole(json!({"results": [null]})),
        // It doesn't know of violence.
        whole(json!({"results": [{"flagged": false, "categories": {"hate": false}}]})),
    ];
    for reply in replies {
        let (first, said) = (reply.clone(), reply.clone());
        let policy = testing::configure::<Moderation>(json!({"categories": ["hate", "violence"]}));
        let policy = policy.unwrap().replying(move |_| first.clone());
        let mut exchange = policy.exchange(Request::user("hello"));
        match exchange.on_request() {
            Verdict::Deny(denial) => {
                assert_eq!(
                    (&*denial.code, denial.status),
                    ("moderation-unavailable", Some(503))
                );
            }
            other => panic!("{said:?}: {other:?}"),
        }
        assert_eq!(exchange.findings()[0].code, "moderation.unavailable");
        let answer = policy.exchange(Request::user("hello")).answer(&["a", "b"]);
        assert_eq!(
            (&*answer.text, &*answer.denial.unwrap().code),
            ("", "moderation-unavailable")
        );
    }
    // A score that is needed and isn't there.
    let policy = testing::configure::<Moderation>(json!({"threshold": 0.5})).unwrap();
    let policy = policy.replying(move |_| whole(json!({"results": [result]})));
    assert_eq!(
        code(verdict(&policy, "hi")).unwrap(),
        "moderation-unavailable"
    );
}

#[test]
fn where_that_is_said_it_passes_and_nobody_waits_again() {
    let calls = Rc::new(Cell::new(0));
    let counted = Rc::clone(&calls);
    let policy = testing::configure::<Moderation>(json!({"on_failure": "pass"})).unwrap();
    let policy = policy.replying(move |_| {
        counted.set(counted.get() + 1);
        Err("it is away".into())
    });
    let mut exchange = policy.exchange(Request::user("hello"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let text = SENTENCE.repeat(4);
    assert_eq!(
        exchange.answer(&[&text, "more"]).text,
        format!("{text}more")
    );
    assert_eq!(calls.get(), 1);
    let record = exchange.complete(Outcome::completed());
    assert_eq!(record.findings[0].code, "moderation.unavailable");
    assert_eq!(policy.every_chunking(&text[..120]).text, text[..120]);
}

#[test]
fn a_large_request_is_asked_about_in_parts_and_none_is_left_out() {
    let heard: Rc<RefCell<Vec<Value>>> = Rc::default();
    let hearing = Rc::clone(&heard);
    let policy = testing::configure::<Moderation>(json!({}))
        .unwrap()
        .replying(move |call| {
            assert!(call.body.len() < 100 << 10);
            hearing.borrow_mut().push(sent(call)["input"].clone());
            openai(call)
        });
    let long = format!("{}é hate", "é".repeat(60_000));
    let mut request = Request::user(&long);
    for n in 0..70 {
        request = request.message(Role::User, &format!("text {n}"));
    }
    let denial = policy.exchange(request).on_request();
    assert_eq!(code(denial).unwrap(), "moderation");
    let heard = heard.borrow();
    let texts: Vec<&str> = heard
        .iter()
        .flat_map(|it| it.as_array().unwrap())
        .map(|it| it.as_str().unwrap())
        .collect();
    let wanted: Vec<String> = (0..70).map(|n| format!("text {n}")).collect();
    assert_eq!(texts.concat(), format!("{long}{}", wanted.concat()));
}

#[test]
fn a_webhook_is_told_by_the_template_and_read_by_pointers() {
    let settings = json!({
        "provider": "webhook", "endpoint": "https://guard.example/check",
        "template": {"documents": [{"text": "<{text}>"}], "strict": true},
        "flagged": "/verdict/bad", "scores": "/verdict/scores", "thresholds": {"rude": 0.4},
    });
    let policy = testing::configure::<Moderation>(settings)
        .unwrap()
        .replying(|call| {
            assert_eq!(call.url, "https://guard.example/check");
            let sent = sent(call);
            assert_eq!(sent["strict"], true);
            let text = sent["documents"][0]["text"].as_str().unwrap();
            assert!(text.starts_with('<') && text.ends_with('>'), "{text}");
            let rude = if text.contains("rude") { 0.5 } else { 0.1 };
            let verdict =
                json!({"bad": text.contains("bad"), "scores": {"rude": rude, "odd": 1.0}});
            Ok(http::reply(200, json!({"verdict": verdict}).to_string()))
        });
    for (text, found) in [
        ("fine \"quoted\"", None),
        ("rude", Some("rude")),
        ("bad", Some("flagged")),
    ] {
        let mut exchange = policy.exchange(Request::user(text));
        assert_eq!(
            code(exchange.on_request()).is_some(),
            found.is_some(),
            "{text}"
        );
        let codes: Vec<&str> = exchange.findings().iter().map(|it| &*it.code).collect();
        let wanted: Vec<String> = found
            .iter()
            .map(|name| format!("moderation.{name}"))
            .collect();
        assert_eq!(codes, wanted);
    }
    assert_eq!(
        policy.every_chunking("a fine text, and no more").text,
        "a fine text, and no more"
    );
    assert!(
        policy
            .every_chunking("a text that is rude")
            .denial
            .is_some()
    );
    // A bare yes or no.
    let bare = json!({"provider": "webhook", "endpoint": "http://guard.example/"});
    let says = |body: Value| {
        let policy = testing::configure::<Moderation>(bare.clone()).unwrap();
        let policy = policy.replying(move |_| Ok(http::reply(200, body.to_string())));
        code(verdict(&policy, "hi"))
    };
    assert_eq!(says(json!({"flagged": false})), None);
    assert_eq!(says(json!({"flagged": true})).unwrap(), "moderation");
    for odd in [
        json!({}),
        json!({"flagged": "no"}),
        json!({"flagged": null}),
        json!(false),
    ] {
        assert_eq!(says(odd).unwrap(), "moderation-unavailable");
    }
}

/// What no threshold decides the service's own word does, and where there is none, nothing passes.
#[test]
fn what_no_threshold_decides_the_service_does() {
    let asked = |more: Value, reply: Value| {
        let mut settings =
            json!({"provider": "webhook", "endpoint": "https://a.example/", "scores": "/scores"});
        for (key, value) in more.as_object().unwrap() {
            settings[key] = value.clone();
        }
        let policy = testing::configure::<Moderation>(settings).unwrap();
        let policy = policy.replying(move |_| Ok(http::reply(200, reply.to_string())));
        code(verdict(&policy, "hi"))
    };
    let hate = |score: f64| json!({"hate": score});
    for (more, reply, expected) in [
        (
            json!({}),
            json!({"scores": hate(0.9), "flagged": true}),
            Some("moderation"),
        ),
        (
            json!({}),
            json!({"scores": hate(0.9), "flagged": false}),
            None,
        ),
        (
            json!({}),
            json!({"scores": hate(0.9)}),
            Some("moderation-unavailable"),
        ),
        (
            json!({"threshold": 0.5}),
            json!({"scores": hate(0.9)}),
            Some("moderation"),
        ),
        (
            json!({"threshold": 0.5}),
            json!({"scores": hate(0.1)}),
            None,
        ),
        (
            json!({"threshold": 0.5}),
            json!({"scores": {}}),
            Some("moderation-unavailable"),
        ),
        (
            json!({"thresholds": {"rude": 0.5}}),
            json!({"scores": {"rude": 0.1, "hate": 0.9}}),
            Some("moderation-unavailable"),
        ),
        (
            json!({"categories": ["hate"], "thresholds": {"hate": 0.5}}),
            json!({"scores": hate(0.9)}),
            Some("moderation"),
        ),
    ] {
        assert_eq!(
            asked(more.clone(), reply.clone()).as_deref(),
            expected,
            "{more} {reply}"
        );
    }
    let result = json!({"categories": {"hate": "yes"}, "category_scores": {"hate": 0.9}});
    let policy = testing::configure::<Moderation>(json!({})).unwrap();
    let reply = json!({"results": [result]}).to_string();
    let policy = policy.replying(move |_| Ok(http::reply(200, reply.clone())));
    assert_eq!(
        code(verdict(&policy, "hi")).unwrap(),
        "moderation-unavailable"
    );
}

#[test]
fn the_parts_of_a_message_are_asked_about_as_one() {
    let part = |text: &str| json!({"type": "text", "text": text});
    let policy = configured(json!({}));
    let denied = |messages: Value| {
        let request = Request::from_body(json!({"model": "m", "messages": messages}));
        code(policy.exchange(request).on_request()).is_some()
    };
    assert!(denied(
        json!([{"role": "user", "content": [part("so much ha"), part("te")]}])
    ));
    assert!(!denied(json!([
        {"role": "user", "content": [part("so much ha")]},
        {"role": "user", "content": [part("te")]}
    ])));
}

#[test]
fn settings_that_can_not_be_meant_are_told() {
    for (settings, words) in [
        (json!({"secret_key_ref": "OPENAI_KEY"}), "grants: [{http:"),
        (
            json!({"provider": "lakera"}),
            "`lakera` isn't offered; use `webhook`",
        ),
        (json!({"provider": "azure-content-safety"}), "use `webhook`"),
        (
            json!({"provider": "openai"}),
            "valid: openai-moderation, webhook",
        ),
        (json!({"provider": "webhook"}), "endpoint"),
        (json!({"endpoint": "api.openai.com"}), "endpoint"),
        (json!({"template": {}}), "webhook"),
        (
            json!({"provider": "webhook", "endpoint": "https://a", "template": {"a": "text"}}),
            "{text}",
        ),
        (
            json!({"provider": "webhook", "endpoint": "https://a", "threshold": 0.5}),
            "scores",
        ),
        (
            json!({"provider": "webhook", "endpoint": "https://a", "flagged": "flagged"}),
            "JSON pointer",
        ),
        (
            json!({"provider": "webhook", "endpoint": "https://a", "scores": "/scores", "categories": ["hate"]}),
            "`hate` has no threshold",
        ),
        (
            json!({"provider": "webhook", "endpoint": "https://a", "scores": "/scores", "categories": ["hate", "rude"], "thresholds": {"hate": 0.5}}),
            "`rude` has no threshold",
        ),
        (json!({"threshold": 50}), "from 0 to 1"),
        (
            json!({"categories": ["hate"], "thresholds": {"violence": 0.5}}),
            "`violence`",
        ),
        (json!({"roles": ["model"]}), "`model`"),
        (
            json!({"requests": false, "answers": false}),
            "nothing would be asked",
        ),
        (
            json!({"roles": [], "answers": false}),
            "nothing would be asked",
        ),
        (json!({"fail_open": true}), "fail_open"),
    ] {
        let said = testing::configure::<Moderation>(settings.clone())
            .err()
            .unwrap();
        assert!(said.contains(words), "{settings}: {said}");
    }
    let hooks = |settings| configured(settings).hooks();
    assert_eq!(hooks(json!({"requests": false})), Hooks::ON_ANSWER);
    assert_eq!(
        hooks(json!({"answers": false, "action": "block"})),
        Hooks::ON_REQUEST
    );
}

#[test]
fn the_schema_has_every_setting_and_no_other() {
    let schema: Value = serde_json::from_str(&Moderation::schema().unwrap()).unwrap();
    for (name, of) in schema["properties"].as_object().unwrap() {
        let Some(default) = of.get("default") else {
            continue;
        };
        let mut settings = json!({});
        if ["template", "flagged"].contains(&&**name) {
            settings = json!({"provider": "webhook", "endpoint": "https://a.example/"});
        }
        settings[name] = default.clone();
        testing::configure::<Moderation>(settings).unwrap();
    }
}
