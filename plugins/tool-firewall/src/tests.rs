//! The policy, driven as the host drives it.

#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Answer, Configured, Request};

use crate::ToolFirewall;

fn configured(settings: Value) -> Configured<ToolFirewall> {
    testing::configure(settings).unwrap()
}

fn channel(name: &str, index: u32) -> Channel {
    Channel::ToolArguments(ToolCall {
        index,
        id: format!("call_{index}"),
        name: name.into(),
    })
}

/// A call alone, its arguments in these pieces after the opening, and what is reported.
fn call(settings: Value, name: &str, pieces: &[&str]) -> (Answer, Vec<Finding>) {
    let policy = configured(settings);
    let mut exchange = policy.exchange(Request::user("hi"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let pieces: Vec<&str> = std::iter::once("").chain(pieces.iter().copied()).collect();
    let answer = exchange.answer_on(0, channel(name, 0), &pieces, "tool_calls");
    (answer, exchange.findings().to_vec())
}

fn denied(answer: &Answer) -> Option<&str> {
    answer.denial.as_ref().map(|denial| denial.code.as_str())
}

fn offers(names: &[&str]) -> Value {
    let tools = names.iter();
    let tools: Vec<_> = tools
        .map(|name| json!({"type": "function", "function": {"name": name, "parameters": {}}}))
        .collect();
    json!(tools)
}

fn left(request: &Request) -> Vec<String> {
    let tools = request.body()["tools"].as_array().cloned();
    let names = tools.unwrap_or_default();
    let names = names.iter();
    names
        .map(|tool| tool["function"]["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<ToolFirewall>(&json!({"max_calls": 1}));
}

#[test]
fn no_byte_of_a_denied_call_leaves() {
    let blocked = json!({"blocked_tools": ["sh*"]});
    let (answer, findings) = call(blocked.clone(), "shell", &["{\"a\"", ": 1}"]);
    assert_eq!(denied(&answer), Some("tool_denied"));
    assert!(answer.chunks.is_empty(), "{answer:?}");
    assert_eq!(
        findings,
        [Finding::new("tools.denied", 1).with_detail("`shell`")]
    );
    let (answer, _) = call(blocked, "list", &["{}"]);
    assert!(
        answer.untouched && answer.most_deltas_held == 0,
        "{answer:?}"
    );
}

#[test]
fn a_call_whose_arguments_are_looked_at_is_held_from_its_opening() {
    let settings = json!({"rules": [{"tools": ["pay"], "schema": {"properties": {"sum": {"maximum": 100}}, "required": ["sum"]}}]});
    let (answer, _) = call(settings.clone(), "pay", &["{\"sum\":", " 1", "00}"]);
    assert!(
        answer.untouched && answer.most_deltas_held == 4,
        "{answer:?}"
    );
    for (pieces, says) in [
        (vec!["{\"sum\": 1", "01}"], "/properties/sum/maximum"),
        (vec!["{}"], "/required"),
        (vec![], "/required"),
        (vec!["{\"sum\": 1"], "no JSON"),
    ] {
        let (answer, findings) = call(settings.clone(), "pay", &pieces);
        assert_eq!(denied(&answer), Some("tool_arguments_denied"), "{pieces:?}");
        assert!(answer.chunks.is_empty(), "{answer:?}");
        assert!(answer.denial.unwrap().message.contains(says));
        assert_eq!(findings[0].code, "tools.arguments");
    }
}

#[test]
fn a_text_of_a_call_for_which_there_is_no_word_yet_is_judged_as_its_arguments() {
    let settings =
        json!({"blocked_tools": ["shell"], "rules": [{"tools": ["pay"], "forbid": ["rm"]}]});
    let policy = configured(settings);
    let said = |tool: Option<&str>, text: &str| {
        let tool_call = tool.map(|name| ToolCall {
            index: 0,
            id: "call_0".into(),
            name: name.into(),
        });
        let name = "input".into();
        let channel = Channel::Other(OtherChannel { name, tool_call });
        let mut exchange = policy.exchange(Request::user("hi"));
        exchange.answer_on(0, channel, &[text], "tool_calls")
    };
    assert_eq!(denied(&said(Some("shell"), "ls")), Some("tool_denied"));
    let unreadable = said(Some("pay"), "ls");
    assert_eq!(denied(&unreadable), Some("tool_arguments_denied"));
    assert!(said(Some("look_up"), "ls").untouched);
    assert!(said(None, "rm").untouched);
}

#[test]
fn a_pattern_is_looked_for_behind_escapes_and_in_keys() {
    let settings = json!({"rules": [{"tools": ["*"], "forbid": [r"rm\s+-rf"]}]});
    for arguments in [
        r#"{"command": "rm  -rf /"}"#,
        r#"{"command": "\u0072m\t-rf /"}"#,
        r#"{"list": [{"rm -rf": 1}]}"#,
        r#""rm -rf""#,
    ] {
        let (answer, _) = call(settings.clone(), "shell", &[arguments]);
        assert_eq!(
            denied(&answer),
            Some("tool_arguments_denied"),
            "{arguments}"
        );
    }
    let (answer, _) = call(settings, "shell", &[r#"{"command": "rmdir -rf"}"#]);
    assert!(answer.untouched);
}

#[test]
fn a_key_that_stands_twice_hides_nothing() {
    let settings = |action: &str| json!({"action": action, "rules": [{"tools": ["*"], "forbid": [r"rm\s+-rf"]}]});
    for arguments in [
        r#"{"cmd": "rm -rf /", "cmd": "ls"}"#,
        r#"{"\u0063md": "rm -rf /", "cmd": "ls"}"#,
        r#"{"all": [{"cmd": "ls", "cmd": "ls"}]}"#,
    ] {
        let (answer, _) = call(settings("deny"), "shell", &[arguments]);
        assert_eq!(
            denied(&answer),
            Some("tool_arguments_denied"),
            "{arguments}"
        );
        let (answer, findings) = call(settings("report"), "shell", &[arguments]);
        assert!(answer.untouched);
        assert_eq!(findings[0].code, "tools.arguments");
    }
}

#[test]
fn a_held_call_of_which_more_may_come_is_denied() {
    let settings =
        |action: &str| json!({"action": action, "rules": [{"tools": ["*"], "forbid": ["rm"]}]});
    for (action, pieces) in [
        ("deny", ["", "  \n "]),
        ("deny", ["", "{}"]),
        ("report", ["", "  "]),
    ] {
        let policy = configured(settings(action));
        let mut exchange = policy.exchange(Request::user("hi"));
        // So the gateway asks for the last word, where too much is held.
        let answer = exchange.answer_on(0, channel("shell", 0), &pieces, "");
        let expected = (action == "deny").then_some("tool_arguments_denied");
        assert_eq!(denied(&answer), expected, "{pieces:?}");
    }
}

#[test]
fn calls_are_counted_in_each_answer() {
    let policy = configured(json!({"max_calls": 2, "rules": [{"tools": ["pay"], "max_calls": 1}]}));
    let mut exchange = policy.exchange(Request::user("hi"));
    exchange.on_request();
    let go = |exchange: &mut testing::Exchange<ToolFirewall>, choice, name, index| {
        let answer = exchange.answer_on(choice, channel(name, index), &["", "{}"], "tool_calls");
        denied(&answer).map(str::to_owned)
    };
    assert_eq!(go(&mut exchange, 0, "list", 0), None);
    assert_eq!(go(&mut exchange, 0, "pay", 1), None);
    // The same call in another place of the chunk is no other call.
    assert_eq!(go(&mut exchange, 0, "pay", 1), None);
    assert_eq!(
        go(&mut exchange, 0, "list", 2).as_deref(),
        Some("too_many_tool_calls")
    );
    assert_eq!(go(&mut exchange, 1, "pay", 0), None);
    assert_eq!(
        go(&mut exchange, 1, "pay", 1).as_deref(),
        Some("too_many_tool_calls")
    );
}

#[test]
fn who_may_call_what_goes_by_role() {
    let policy = configured(json!({
        "allowed_tools": ["search"],
        "blocked_tools": ["*_all"],
        "tools": {"roles": {
            "analyst": {"allowed": ["query_*"]},
            "guest": {"denied": ["search"]}
        }}
    }));
    for (roles, may) in [
        (&[][..], &["search"][..]),
        (&["analyst"], &["search", "query_one"]),
        (&["guest"], &[]),
        (&["analyst", "guest", "other"], &["query_one"]),
    ] {
        let roles: Vec<String> = roles.iter().map(|role| (*role).into()).collect();
        let request = Request::user("hi").roles(roles.clone());
        let all = ["search", "query_one", "query_all", "shell"];
        let mut exchange = policy.exchange(request.with("tools", offers(&all)));
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        assert_eq!(left(exchange.request()), may, "{roles:?}");
        for name in all {
            let mut exchange = policy.exchange(Request::user("hi").roles(roles.clone()));
            // An answer may come without the request before it.
            let answer = exchange.answer_on(0, channel(name, 0), &["", "{}"], "tool_calls");
            assert_eq!(
                answer.denial.is_none(),
                may.contains(&name),
                "{roles:?} {name}"
            );
        }
    }
}

#[test]
fn tools_are_taken_out_of_a_request_or_the_request_is_denied() {
    let blocked = |offered: &str| json!({"blocked_tools": ["sh*"], "offered": offered});
    let request = || {
        Request::user("hi")
            .with("tools", offers(&["shell", "list", "show"]))
            .with(
                "tool_choice",
                json!({"type": "function", "function": {"name": "show"}}),
            )
    };
    let run = |offered: &str, request: Request| {
        let policy = configured(blocked(offered));
        let mut exchange = policy.exchange(request);
        let verdict = exchange.on_request();
        (
            verdict,
            exchange.request().body().clone(),
            exchange.findings().len(),
        )
    };
    let (verdict, body, findings) = run("remove", request());
    assert_eq!((verdict, findings), (Verdict::Proceed, 2));
    assert_eq!(body["tools"], offers(&["list"]));
    assert!(body.get("tool_choice").is_none());
    let all = Request::user("hi")
        .with("tools", offers(&["shell"]))
        .with("tool_choice", json!("required"));
    let (_, body, _) = run("remove", all);
    assert!(body.get("tools").is_none() && body.get("tool_choice").is_none());
    let (verdict, ..) = run("deny", request());
    let Verdict::Deny(denial) = verdict else {
        panic!("not denied")
    };
    assert_eq!(denial.code, "tool_denied");
    let (verdict, body, _) = run("keep", request());
    assert_eq!(
        (verdict, &body["tools"]),
        (Verdict::Proceed, &offers(&["shell", "list", "show"]))
    );
}

fn earlier(name: &str, arguments: &str, result: &str) -> Request {
    Request::from_body(json!({"model": "m", "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": result}]}
    ]}))
}

#[test]
fn earlier_calls_and_results_are_held_to_the_same_where_that_is_wanted() {
    let settings = |history: &str| {
        let mut settings = json!({"blocked_tools": ["shell"], "history": history,
            "rules": [{"tools": ["fetch"], "forbid": ["file:"]}]});
        if history == "deny" {
            settings["rules"][0]["forbid_results"] = json!(["BEGIN .*KEY"]);
        }
        settings
    };
    for (request, code) in [
        (earlier("shell", "{}", ""), Some("tool_denied")),
        (
            earlier("fetch", r#"{"url": "file:///etc"}"#, ""),
            Some("tool_arguments_denied"),
        ),
        (
            earlier("fetch", "{}", "-----BEGIN A KEY"),
            Some("tool_result_denied"),
        ),
        (
            earlier("fetch", "{}", r#"{"a": "BEGIN A\u0020KEY"}"#),
            Some("tool_result_denied"),
        ),
        (
            earlier("fetch", "{}", r#"{"a": "BEGIN A\u0020KEY", "a": ""}"#),
            Some("tool_result_denied"),
        ),
        (
            earlier("fetch", r#"{"url": "file:", "url": ""}"#, ""),
            Some("tool_arguments_denied"),
        ),
        (earlier("list", "{}", "BEGIN A KEY"), None),
    ] {
        let verdict = configured(settings("deny"))
            .exchange(request.clone())
            .on_request();
        let said = match &verdict {
            Verdict::Deny(denial) => Some(denial.code.as_str()),
            _ => None,
        };
        assert_eq!(said, code, "{:?}", request.body());
        let verdict = configured(settings("ignore"))
            .exchange(request)
            .on_request();
        assert_eq!(verdict, Verdict::Proceed);
    }
}

#[test]
fn a_report_changes_and_delays_nothing() {
    let settings = json!({"action": "report", "blocked_tools": ["shell"], "rules": [{"tools": ["pay"], "schema": {"required": ["sum"]}}]});
    for (name, code) in [("shell", "tools.denied"), ("pay", "tools.arguments")] {
        let (answer, findings) = call(settings.clone(), name, &["{", "}"]);
        assert!(
            answer.untouched && answer.most_deltas_held <= 1,
            "{answer:?}"
        );
        assert_eq!(findings[0].code, code);
        assert_eq!(findings.len(), 1);
    }
}

#[test]
fn a_name_that_is_none_isnt_repeated() {
    let (answer, findings) = call(json!({"allowed_tools": ["x"]}), "ann@example.org says", &[]);
    assert!(!answer.denial.unwrap().message.contains("ann"));
    assert_eq!(findings[0].detail.as_deref(), Some("of an odd name"));
}

#[test]
fn settings_that_make_no_sense_say_so() {
    for (settings, says) in [
        (json!({}), "nothing is said of any tool"),
        (
            json!({"allowed_tools": ["a"], "blocked_tools": ["a"]}),
            "`a` stands in allowed_tools and in blocked_tools",
        ),
        (
            json!({"tools": {"roles": {"r": {}}}}),
            "tools.roles.r: neither",
        ),
        (
            json!({"rules": [{"tools": []}]}),
            "rules[0].tools: name at least one",
        ),
        (
            json!({"rules": [{"tools": ["a"]}]}),
            "nothing is said of them",
        ),
        (
            json!({"rules": [{"tools": ["a"], "forbid": ["("]}]}),
            "rules[0].forbid[0]",
        ),
        (
            json!({"rules": [{"tools": ["a"], "schema": {"minContains": 1}}]}),
            "rules[0].schema: `/minContains`",
        ),
        (
            json!({"rules": [{"tools": ["a"], "forbid_results": ["x"]}]}),
            "history: deny",
        ),
        (
            json!({"max_calls": 1, "action": "report", "history": "deny"}),
            "leave one of them out",
        ),
        (
            json!({"max_calls": 1, "action": "report", "offered": "deny"}),
            "write `offered: keep`",
        ),
        (
            json!({"denied_tools": ["a"]}),
            "`denied_tools`: it is called `blocked_tools` here",
        ),
        (json!({"max_actions_per_session": 3}), "`max_calls`"),
        (json!({"rate_limits": {}}), "policy `rate-limit`"),
        (json!({"transaction_limits": {}}), "maximum: 1000"),
        (json!({"kill_switches": {}}), "pii-detector"),
        (json!({"monitoring": {}}), "witgate_findings_total"),
        (json!({"allowed": []}), "unknown field"),
    ] {
        let error = testing::configure::<ToolFirewall>(settings.clone()).err();
        let error = error.unwrap_or_else(|| panic!("{settings} is taken"));
        assert!(error.contains(says), "{settings}: {error}");
    }
}

#[test]
fn the_schema_has_every_setting() {
    let schema: Value =
        witgate_policy::serde_json::from_str(&ToolFirewall::schema().unwrap()).unwrap();
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 8);
}

proptest! {
    /// What is said of a call depends on its arguments alone, and what was let through is what came.
    #[test]
    fn however_arguments_are_cut_the_same_is_said(
        arguments in r#"\{"(sum|x)": ("[a-z\\u0-9]{0,8}"|[0-9]{1,4})\}?"#,
        cuts in proptest::collection::vec(0usize..20, 0..6),
    ) {
        let settings = json!({"rules": [
            {"tools": ["pay"], "schema": {"properties": {"sum": {"type": "integer", "maximum": 999}}}, "forbid": ["ab"]}
        ]});
        let (whole, _) = call(settings.clone(), "pay", &[&arguments]);
        let mut pieces = Vec::new();
        let mut rest = arguments.as_str();
        for cut in cuts {
            let (piece, more) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = more;
        }
        pieces.push(rest);
        let (cut, _) = call(settings, "pay", &pieces);
        prop_assert_eq!(denied(&cut), denied(&whole));
        prop_assert_eq!(&cut.text, &whole.text);
        prop_assert!(cut.denial.is_some() || cut.text == arguments);
        prop_assert!(cut.denial.is_none() || cut.text.is_empty());
    }
}
