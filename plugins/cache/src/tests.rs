#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Exchange, Outcome, Request, StageState};
use witgate_policy::{OtherChannel, ToolCall};

fn policy(settings: Value) -> Configured<Cache> {
    testing::configure(settings).unwrap()
}

fn shared() -> Configured<Cache> {
    policy(json!({"scope": "shared", "max_temperature": 2}))
}

fn ask(
    policy: &Configured<Cache>,
    state: &StageState,
    request: Request,
) -> (Verdict, Exchange<Cache>) {
    let mut exchange = policy.exchange(request);
    exchange.keep_in(state);
    (exchange.on_request(), exchange)
}

/// Asks, and lets the model answer like this where it is asked.
fn answered(
    policy: &Configured<Cache>,
    state: &StageState,
    request: Request,
    text: &str,
) -> String {
    match ask(policy, state, request) {
        (Verdict::Respond(deltas), _) => deltas.into_iter().map(|delta| delta.text).collect(),
        (Verdict::Proceed, mut exchange) => {
            let answer = exchange.answer(&[text]);
            exchange.complete(Outcome::completed());
            answer.text
        }
        (verdict, _) => panic!("{verdict:?}"),
    }
}

fn tags(exchange: Exchange<Cache>) -> Vec<(String, String)> {
    exchange.complete(Outcome::ended(Ending::Denied)).tags
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<Cache>(&json!({}));
}

#[test]
fn an_equal_request_gets_the_same_answer_until_it_expires() {
    let (policy, state) = (shared(), StageState::default());
    let request = || Request::user("What is two and two?");
    assert_eq!(answered(&policy, &state, request(), "Four."), "Four.");
    assert_eq!(answered(&policy, &state, request(), "Five."), "Four.");
    let (_, exchange) = ask(&policy, &state, request());
    assert_eq!(tags(exchange), [("cache".into(), "hit".into())]);
    let later = request().received_at(1_735_689_600_000 + 300_000);
    assert_eq!(answered(&policy, &state, later, "Five."), "Five.");
    // Nothing of the request or its client is to be read in the store.
    let keys = state.keys();
    let hash = |key: &String| key.len() == 66 && key[2..].bytes().all(|b| b.is_ascii_hexdigit());
    assert!(keys.iter().all(hash), "{keys:?}");
}

#[test]
fn what_makes_no_difference_to_an_answer_makes_none_to_the_key() {
    let (policy, state) = (shared(), StageState::default());
    let body = |text: &str| Request::from_body(witgate_policy::serde_json::from_str(text).unwrap());
    let first = r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0}"#;
    answered(&policy, &state, body(first), "kept");
    let same = r#"{"temperature":0,"stream":true,"user":"ann","metadata":{"a":"b"},"seed":null,"service_tier":"auto",
        "stream_options":{"include_usage":true},"messages":[{"content":"hi","role":"user"}],"model":"m"}"#;
    assert_eq!(answered(&policy, &state, body(same), "other"), "kept");
    for other in [
        r#"{"model":"n","messages":[{"role":"user","content":"hi"}],"temperature":0}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi "}],"temperature":0}"#,
        r#"{"model":"m","messages":[{"role":"system","content":"hi"}],"temperature":0}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":1}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0,"max_completion_tokens":5}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}],"temperature":0,"tools":[]}"#,
        r#"{"model":"m","messages":[{"role":"user","content":"hi"},{"role":"user","content":""}],"temperature":0}"#,
    ] {
        assert_eq!(
            answered(&policy, &state, body(other), "other"),
            "other",
            "{other}"
        );
    }
    let elsewhere = body(first).endpoint("responses");
    assert_eq!(answered(&policy, &state, elsewhere, "other"), "other");
}

#[test]
fn objects_are_equal_in_any_order_at_any_depth_and_nothing_else_is() {
    let (policy, state) = (shared(), StageState::default());
    let asked = |member: &str, text: &str| {
        let body = format!(
            r#"{{"model":"m","temperature":0,"messages":[{{"role":"user","content":"hi"}}],"x":{member}}}"#
        );
        let body = witgate_policy::serde_json::from_str(&body).unwrap();
        answered(&policy, &state, Request::from_body(body), text)
    };
    let all = [
        r#"{"b":[1,{"d":2,"c":null}],"a":"t\n"}"#,
        r#"{"b":[{"d":2,"c":null},1],"a":"t\n"}"#,
        r#"{"b":[1,{"d":2}],"a":"t\n"}"#,
        r#"{"b":[1,{"d":2.5,"c":null}],"a":"t\n"}"#,
        r#"{"b":[1,{"d":-2,"c":null}],"a":"t\n"}"#,
        r#"{"b":[1,{"d":"2","c":null}],"a":"t\n"}"#,
        r#"{"b":[1,{"d":true,"c":"null"}],"a":"t\n"}"#,
        r#"{"b":[1,{}],"a":"t\n"}"#,
        r#"{"b":[[1],{}],"a":"t\\n"}"#,
        r#"{"a\":1,\"b":2}"#,
        r#"{"a":1,"b":2}"#,
    ];
    for (index, member) in all.iter().enumerate() {
        let mine = index.to_string();
        assert_eq!(asked(member, &mine), mine, "{member}");
    }
    assert_eq!(
        asked(r#"{ "a":"t\n", "b":[1, {"c":null,"d":2}] }"#, "other"),
        "0"
    );
}

#[test]
fn a_body_that_is_too_long_is_not_cached_and_costs_no_answer() {
    let (policy, state) = (shared(), StageState::default());
    // Little text, and much JSON.
    let long = |items: usize| Request::user("hi").with("x", json!(vec![json!({"a": 0}); items]));
    for _ in 0..2 {
        let (verdict, exchange) = ask(&policy, &state, long(140_000));
        assert_eq!(verdict, Verdict::Proceed);
        assert_eq!(tags(exchange), [("cache".into(), "bypass".into())]);
    }
    assert_eq!(answered(&policy, &state, long(100_000), "kept"), "kept");
    assert_eq!(answered(&policy, &state, long(100_000), "other"), "kept");
}

#[test]
fn nobody_gets_an_answer_of_another_scope() {
    let state = StageState::default();
    let of = |principal: &str, team: &str| Request::user("hi").principal(principal).team(team);
    let own = policy(json!({"max_temperature": 2}));
    assert_eq!(answered(&own, &state, of("ann", "red"), "a"), "a");
    assert_eq!(answered(&own, &state, of("bob", "red"), "b"), "b");
    assert_eq!(answered(&own, &state, of("ann", "blue"), "c"), "a");
    let team = policy(json!({"scope": "team", "max_temperature": 2}));
    assert_eq!(answered(&team, &state, of("ann", "red"), "d"), "d");
    assert_eq!(answered(&team, &state, of("bob", "red"), "e"), "d");
    assert_eq!(answered(&team, &state, of("bob", "blue"), "f"), "f");
    // A client whose name is a team's, or who has none.
    assert_eq!(answered(&own, &state, of("red", "x"), "g"), "g");
    for _ in 0..2 {
        let (_, exchange) = ask(&own, &state, Request::user("hi"));
        assert_eq!(tags(exchange), [("cache".into(), "bypass".into())]);
    }
}

#[test]
fn what_is_meant_to_vary_is_not_kept() {
    let state = StageState::default();
    let policy = policy(json!({"scope": "shared", "max_temperature": 0.3}));
    let asked = |request: Request| {
        answered(&policy, &state, request.clone(), "first");
        answered(&policy, &state, request, "second")
    };
    let with = |key: &str, value: Value| {
        Request::user("hi")
            .with("temperature", json!(0.3))
            .with(key, value)
    };
    assert_eq!(asked(with("temperature", json!(0.3))), "first");
    assert_eq!(asked(with("temperature", json!(0.31))), "second");
    assert_eq!(asked(Request::user("hi")), "second");
    assert_eq!(asked(with("logprobs", json!(true))), "second");
    assert_eq!(asked(with("logprobs", json!(false))), "first");
    let header = |value: &str| with("seed", json!(1)).header("cache-control", value);
    assert_eq!(asked(header("max-age=0, No-Store")), "second");
    assert_eq!(asked(header("no-cache")), "second");
    assert_eq!(asked(with("seed", json!(1))), "second");
}

#[test]
fn only_a_complete_answer_that_nobody_minds_is_kept() {
    let kept = |outcome: Outcome| {
        let (policy, state) = (shared(), StageState::default());
        let (_, mut exchange) = ask(&policy, &state, Request::user("hi"));
        exchange.answer(&["text"]);
        exchange.complete(outcome);
        !state.keys().is_empty()
    };
    let of = |ended: Ending| Outcome {
        ended,
        ..Outcome::completed()
    };
    assert!(kept(
        Outcome::completed()
            .stage("a", "edit")
            .stage("b", "shadow:deny")
            .stage("c", "clear")
    ));
    for ended in [
        Ending::Denied,
        Ending::Faulted,
        Ending::UpstreamFailed,
        Ending::Disconnected,
        Ending::Responded,
    ] {
        assert!(!kept(of(ended)), "{ended:?}");
    }
    for finish in ["length", "content_filter", ""] {
        let finish_reasons = vec!["stop".into(), finish.into()];
        assert!(
            !kept(Outcome {
                finish_reasons,
                ..Outcome::completed()
            }),
            "{finish}"
        );
    }
    assert!(!kept(Outcome {
        finish_reasons: Vec::new(),
        ..Outcome::completed()
    }));
    for verdict in ["deny", "error:trap", "skip:deadline"] {
        assert!(
            !kept(Outcome::completed().stage("other", verdict)),
            "{verdict}"
        );
    }
}

#[test]
fn every_channel_of_every_choice_comes_back_in_order() {
    let (policy, state) = (shared(), StageState::default());
    let call = |index: u32| {
        let (id, name) = (format!("call_{index}"), "look\"up".into());
        Channel::ToolArguments(ToolCall { index, id, name })
    };
    let (_, mut exchange) = ask(&policy, &state, Request::user("hi"));
    let thought = exchange.open(0, Channel::Reasoning);
    let content = exchange.open(0, Channel::Content);
    let (first, second) = (exchange.open(0, call(0)), exchange.open(0, call(1)));
    let other = exchange.open(1, Channel::Content);
    for (passage, text) in [
        (thought, "hm"),
        (content, "So"),
        (thought, " hm"),
        (content, " it"),
        (content, " is"),
        (first, "{\"a\""),
        (first, ":1}"),
        (second, ""),
        (other, "Or \u{1F600}"),
    ] {
        exchange.delta(passage, text);
    }
    for passage in [thought, content, first, second, other] {
        assert!(exchange.end(passage, "tool_calls").untouched);
    }
    exchange.complete(Outcome::completed());
    let (Verdict::Respond(deltas), _) = ask(&policy, &state, Request::user("hi")) else {
        panic!("no hit");
    };
    let got: Vec<_> = deltas
        .iter()
        .map(|delta| (delta.choice, delta.channel.clone(), &*delta.text))
        .filter(|(_, channel, text)| !text.is_empty() || channel == &call(1))
        .collect();
    let wanted = [
        (0, Channel::Reasoning, "hm"),
        (0, Channel::Content, "So"),
        (0, Channel::Reasoning, " hm"),
        (0, Channel::Content, " it is"),
        (0, call(0), "{\"a\":1}"),
        (0, call(1), ""),
        (1, Channel::Content, "Or \u{1F600}"),
    ];
    assert_eq!(got, wanted);
}

#[test]
fn an_answer_with_a_text_that_no_response_can_give_back_is_not_kept() {
    let (policy, state) = (shared(), StageState::default());
    let (_, mut exchange) = ask(&policy, &state, Request::user("hi"));
    let other = Channel::Other(OtherChannel {
        name: "transcript".into(),
        tool_call: None,
    });
    assert!(exchange.answer_on(0, other, &["spoken"], "stop").untouched);
    assert!(exchange.answer(&["said"]).untouched);
    exchange.complete(Outcome::completed());
    let (verdict, _) = ask(&policy, &state, Request::user("hi"));
    assert_eq!(verdict, Verdict::Proceed);
}

#[test]
fn an_answer_that_is_too_long_is_not_kept() {
    let policy = policy(json!({"scope": "shared", "max_temperature": 2, "max_bytes": 10}));
    let state = StageState::default();
    assert_eq!(
        answered(&policy, &state, Request::user("a"), "0123456789"),
        "0123456789"
    );
    assert_eq!(
        answered(&policy, &state, Request::user("b"), "0123456789a"),
        "0123456789a"
    );
    assert_eq!(
        answered(&policy, &state, Request::user("a"), "x"),
        "0123456789"
    );
    assert_eq!(answered(&policy, &state, Request::user("b"), "x"), "x");
}

#[test]
fn a_store_that_fails_costs_no_answer() {
    let (policy, state) = (shared(), StageState::default());
    state.fail("the disk is full");
    assert_eq!(answered(&policy, &state, Request::user("a"), "yes"), "yes");
}

#[test]
fn what_another_version_kept_is_no_hit() {
    assert_eq!(kept::read("{}"), None);
    assert_eq!(kept::read(r#"{"lanes":[],"pieces":[[0,"a"]]}"#), None);
    assert_eq!(
        kept::read(r#"{"lanes":[{"choice":0,"kind":"call"}],"pieces":[[0,"a"]]}"#),
        None
    );
}

#[test]
fn it_changes_nothing_however_an_answer_is_cut() {
    let policy = shared();
    let answer = policy.every_chunking_of(&Request::user("hi"), "An answer, é and so on.");
    assert!(answer.untouched);
}

#[test]
fn settings_that_cannot_be_are_errors() {
    let error = |settings: Value| testing::configure::<Cache>(settings).unwrap_err();
    for (said, wanted) in [
        (
            error(json!({"ttl_seconds": 0})),
            "`ttl_seconds`: 0 is out of range",
        ),
        (
            error(json!({"max_temperature": 3})),
            "`max_temperature`: 3 is no temperature",
        ),
        (error(json!({"max_bytes": 1 << 20})), "`max_bytes`"),
        (
            error(json!({"scope": "everyone"})),
            "unknown variant `everyone`",
        ),
        (
            error(json!({"ttl": "5m"})),
            "`ttl` is no setting here: say `ttl_seconds`",
        ),
        (
            error(json!({"threshold": 0.8})),
            "only equal requests share an answer here",
        ),
        (
            error(json!({"cache_by_model": true})),
            "each model has its own answers",
        ),
    ] {
        assert!(said.contains(wanted), "{said}\n{wanted}");
    }
}

/// A stage behind that finishes the choice puts its own text at the end, and the rest of the model's never came.
#[test]
fn what_a_stage_behind_finished_is_not_kept() {
    let (policy, state) = (shared(), StageState::default());
    let (_, mut exchange) = ask(&policy, &state, Request::user("hi"));
    let thought = exchange.open(0, Channel::Reasoning);
    let content = exchange.open(0, Channel::Content);
    exchange.delta(thought, "hm");
    exchange.delta(content, "one two");
    // Of the channel that was finished it hears no end; of the others it does.
    exchange.end(thought, "stop");
    exchange.complete(Outcome::completed());
    assert!(state.keys().is_empty());
    assert_eq!(
        answered(&policy, &state, Request::user("hi"), "whole"),
        "whole"
    );
    assert_eq!(
        answered(&policy, &state, Request::user("hi"), "other"),
        "whole"
    );
}
