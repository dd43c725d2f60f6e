#![expect(clippy::unwrap_used, reason = "a test")]

use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Request};
use witgate_policy::{DataPolicy, Target, Verdict};

use crate::Access;

fn wrong(settings: Value) -> String {
    testing::configure::<Access>(settings).err().unwrap()
}

/// The rule that denied it, or nothing.
fn asks(settings: &Value, request: Request) -> String {
    let policy = testing::configure::<Access>(settings.clone()).unwrap();
    match policy.exchange(request).on_request() {
        Verdict::Proceed => String::new(),
        Verdict::Deny(denial) => {
            let name = denial.code.strip_prefix("access.").unwrap();
            assert!(
                denial.message.contains(&format!("`{name}`")),
                "{}",
                denial.message
            );
            name.to_owned()
        }
        other => panic!("{other:?}"),
    }
}

fn hi() -> Request {
    Request::user("hi")
}

fn with_tools(names: &[&str]) -> Request {
    let tools: Vec<Value> = names
        .iter()
        .map(|name| json!({"type": "function", "function": {"name": name}}))
        .collect();
    hi().with("tools", tools.into())
}

fn targets(ids: &[&str]) -> Vec<Target> {
    let target = |id: &&str| Target {
        id: (*id).into(),
        provider: "cerebras".into(),
        model: None,
        data_policy: DataPolicy::default(),
    };
    ids.iter().map(target).collect()
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<Access>(
        &json!({"default": "deny", "rules": [{"name": "a", "effect": "allow"}]}),
    );
}

#[test]
fn what_no_rule_speaks_of_is_as_the_default_says() {
    for (default, denied_by) in [("deny", "default"), ("allow", "")] {
        let settings = json!({"default": default, "rules": [
            {"name": "writers", "effect": "allow", "roles": ["writer"]},
            {"name": "interns", "effect": "deny", "roles": ["intern"]},
        ]});
        assert_eq!(asks(&settings, hi()), denied_by);
        assert_eq!(asks(&settings, hi().roles(["writer"])), "");
        assert_eq!(asks(&settings, hi().roles(["intern"])), "interns");
        // The first that speaks decides.
        assert_eq!(asks(&settings, hi().roles(["intern", "writer"])), "");
    }
}

#[test]
fn a_rule_is_for_who_fits_all_that_it_names() {
    let settings = json!({"default": "deny", "rules": [
        {"name": "one", "effect": "allow", "principals": ["svc-*"], "teams": ["blue", "green"], "roles": ["a", "b"]},
    ]});
    let fits = || hi().principal("svc-1").team("green").roles(["x", "b"]);
    assert_eq!(asks(&settings, fits()), "");
    assert_eq!(asks(&settings, fits().principal("ann")), "default");
    assert_eq!(asks(&settings, fits().team("red")), "default");
    assert_eq!(asks(&settings, fits().roles(["x"])), "default");
    assert_eq!(asks(&settings, hi().team("green").roles(["b"])), "default");
    assert_eq!(
        asks(&settings, hi().principal("svc-1").roles(["b"])),
        "default"
    );
}

#[test]
fn models_and_endpoints_are_what_was_asked_for() {
    let settings = json!({"default": "allow", "rules": [
        {"name": "small", "effect": "allow", "models": ["*-8b"]},
        {"name": "large", "effect": "deny", "teams": ["blue"], "models": ["llama*"], "endpoints": ["chat", "messages"]},
    ]});
    let blue = || hi().team("blue");
    assert_eq!(asks(&settings, blue()), "");
    assert_eq!(asks(&settings, blue().model("llama3.3-70b")), "large");
    assert_eq!(asks(&settings, blue().model("gpt-oss-120b")), "");
    assert_eq!(asks(&settings, hi().model("llama3.3-70b")), "");
    assert_eq!(
        asks(
            &settings,
            blue().model("llama3.3-70b").endpoint("responses")
        ),
        ""
    );
    assert_eq!(
        asks(&settings, blue().model("llama3.3-70b").endpoint("messages")),
        "large"
    );
}

/// Targets that are asked for these models.
fn asked_for(targets: &[(&str, &str)]) -> Vec<Target> {
    let target = |(id, model): &(&str, &str)| Target {
        id: (*id).into(),
        provider: "cerebras".into(),
        model: Some((*model).into()),
        data_policy: DataPolicy::default(),
    };
    targets.iter().map(target).collect()
}

#[test]
fn how_a_client_writes_a_model_opens_nothing() {
    let deny = json!({"default": "allow", "rules": [
        {"name": "large", "effect": "deny", "teams": ["blue"], "models": ["gpt-oss-120b"]},
        {"name": "names", "effect": "deny", "models": ["nickname"]},
    ]});
    let allow = json!({"default": "deny", "rules": [
        {"name": "small", "effect": "allow", "models": ["small*", "cerebras/gpt-oss-120b"]},
    ]});
    let blue = |written: &str, model: &str| {
        let targets = asked_for(&[("a", model)]);
        hi().team("blue").model(written).targets(targets)
    };
    for written in ["gpt-oss-120b", "cerebras/gpt-oss-120b", "small-alias"] {
        let request = || blue(written, "gpt-oss-120b");
        assert_eq!(asks(&deny, request()), "large", "{written}");
        assert_eq!(asks(&deny, request().team("red")), "", "{written}");
        assert_eq!(asks(&allow, request()), "default", "{written}");
    }
    assert_eq!(asks(&allow, blue("cerebras/small-8b", "small-8b")), "");
    assert_eq!(asks(&allow, blue("nickname", "small-8b")), "");
    assert_eq!(asks(&deny, blue("nickname", "small-8b")), "names");
    // Where no target says a model, it is the client's.
    let silent = hi().team("blue").model("gpt-oss-120b");
    assert_eq!(
        asks(&deny, silent.clone().targets(targets(&["a"]))),
        "large"
    );
    assert_eq!(asks(&deny, silent.targets(Vec::new())), "large");
}

#[test]
fn a_fallback_to_a_model_that_is_not_allowed_is_left_out() {
    let left = |rules: Value, default: &str| {
        let settings = json!({"default": default, "rules": rules});
        let policy = testing::configure::<Access>(settings).unwrap();
        let targets = asked_for(&[("a", "small"), ("b", "large"), ("c", "small")]);
        let request = with_tools(&["search"]).model("small").targets(targets);
        let mut exchange = policy.exchange(request);
        assert_eq!(exchange.on_request(), Verdict::Proceed);
        let left = exchange.targets().iter();
        left.map(|it| it.id.clone()).collect::<Vec<_>>()
    };
    let denied = json!([{"name": "x", "effect": "deny", "models": ["large"]}]);
    assert_eq!(left(denied, "allow"), ["a", "c"]);
    let allowed = json!([{"name": "x", "effect": "allow", "models": ["small"]}]);
    assert_eq!(left(allowed, "deny"), ["a", "c"]);
    let tool = json!([{"name": "x", "effect": "deny", "models": ["large"], "tools": ["search"]}]);
    assert_eq!(left(tool, "allow"), ["a", "c"]);
    let other = json!([{"name": "x", "effect": "deny", "models": ["large"], "tools": ["mail"]}]);
    assert_eq!(left(other, "allow"), ["a", "b", "c"]);
}

/// Whoever asks for a model is given that one or none.
#[test]
fn a_fallback_to_another_model_alone_is_no_target_of_this_one() {
    let denied = json!({"default": "allow", "rules": [{"name": "x", "effect": "deny", "targets": ["us-*"]}]});
    let policy = testing::configure::<Access>(denied).unwrap();
    let verdict = |targets: &[(&str, &str)]| {
        let request = with_tools(&[]).model("large").targets(asked_for(targets));
        policy.exchange(request).on_request()
    };
    let both = [("us-1", "large"), ("eu-1", "large"), ("eu-2", "small")];
    assert_eq!(verdict(&both), Verdict::Proceed);
    let Verdict::Deny(denial) = verdict(&[("us-1", "large"), ("eu-2", "small")]) else {
        panic!("a smaller model would answer");
    };
    assert_eq!(denial.code, "access.x");
}

#[test]
fn each_tool_must_be_allowed_and_the_rule_that_denies_is_named() {
    let settings = json!({"default": "deny", "rules": [
        {"name": "no-shell", "effect": "deny", "tools": ["shell", "exec_*"]},
        {"name": "coders", "effect": "allow", "roles": ["coder"], "tools": ["code_*", "search"]},
        {"name": "admins", "effect": "allow", "roles": ["admin"]},
    ]});
    let coder = |tools: &[&str]| with_tools(tools).roles(["coder"]);
    let cases = [
        (coder(&[]), ""),
        (coder(&["code_read", "search"]), ""),
        (coder(&["code_read", "mail"]), "default"),
        (coder(&["search", "exec_now"]), "no-shell"),
        (with_tools(&["mail"]).roles(["admin"]), ""),
        (
            with_tools(&["mail", "search"]).roles(["admin", "coder"]),
            "",
        ),
        (with_tools(&["shell"]).roles(["admin"]), "no-shell"),
        (with_tools(&["search"]), "default"),
    ];
    for (at, (request, denied_by)) in cases.into_iter().enumerate() {
        assert_eq!(asks(&settings, request), denied_by, "{at}");
    }
}

#[test]
fn targets_that_are_not_allowed_are_left_out_and_none_is_a_denial() {
    let settings = json!({"default": "allow", "rules": [
        {"name": "eu-only", "effect": "deny", "teams": ["health"], "targets": ["us-*"]},
    ]});
    let policy = testing::configure::<Access>(settings.clone()).unwrap();
    let health = |ids: &[&str]| hi().team("health").targets(targets(ids));
    let mut exchange = policy.exchange(health(&["us-1", "eu-1", "us-2", "eu-2"]));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let left = exchange.targets().iter();
    let left: Vec<_> = left.map(|it| it.id.clone()).collect();
    assert_eq!(left, ["eu-1", "eu-2"]);
    assert_eq!(asks(&settings, health(&["us-1"])), "eu-only");
    assert_eq!(asks(&settings, hi().targets(targets(&["us-1"]))), "");
    let only = json!({"default": "deny", "rules": [{"name": "one", "effect": "allow", "targets": ["eu-*"]}]});
    assert_eq!(asks(&only, hi().targets(targets(&["eu-1", "us-1"]))), "");
    assert_eq!(asks(&only, hi().targets(targets(&["us-1"]))), "default");
    // Where there are none, as in a sample, nothing is left out.
    assert_eq!(asks(&only, hi().targets(Vec::new())), "");
}

/// A Wednesday, 2025-01-01, at that time, UTC.
fn at(hour: u64, minute: u64) -> Request {
    hi().received_at(1_735_689_600_000 + (hour * 60 + minute) * 60_000)
}

#[test]
fn hours_are_in_their_zone_and_may_pass_midnight() {
    let within = |hours: Value, request: Request| {
        let settings = json!({"default": "deny", "rules": [{"name": "then", "effect": "allow", "hours": hours}]});
        asks(&settings, request).is_empty()
    };
    let day = json!({"from": "08:00", "to": "18:00"});
    assert!(!within(day.clone(), at(7, 59)) && within(day.clone(), at(8, 0)));
    assert!(within(day.clone(), at(17, 59)) && !within(day, at(18, 0)));
    let berlin = json!({"from": "08:00", "to": "18:00", "zone": "+01:00"});
    assert!(within(berlin.clone(), at(7, 0)) && !within(berlin, at(17, 0)));
    let west = json!({"from": "08:00", "to": "18:00", "zone": "-08:30"});
    assert!(within(west.clone(), at(16, 30)) && !within(west, at(16, 29)));
    let days = |days: Value| json!({"days": days, "from": "00:00", "to": "24:00"});
    assert!(within(days(json!(["mon-fri"])), at(12, 0)));
    assert!(within(days(json!(["wed"])), at(0, 0)) && within(days(json!(["wed"])), at(23, 59)));
    assert!(!within(days(json!(["thu-tue"])), at(12, 0)));
    assert!(within(days(json!(["sat-wed"])), at(12, 0)));
    // A night belongs to the day that it began on.
    let night = |day: &str| json!({"days": [day], "from": "22:00", "to": "06:00"});
    assert!(within(night("wed"), at(22, 0)) && !within(night("wed"), at(5, 59)));
    assert!(within(night("tue"), at(5, 59)) && !within(night("tue"), at(6, 0)));
}

/// Clocks in Berlin went from 02:00 to 03:00 on 2026-03-29 and from 03:00 back to 02:00 on 2026-10-25, both at 01:00 UTC.
#[test]
fn hours_follow_the_clocks_of_their_zone_into_summer_and_out_of_it() {
    const SPRING: u64 = 1_774_746_000;
    const AUTUMN: u64 = 1_792_890_000;
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    let within = |zone: &str, from: &str, to: &str, seconds: u64| {
        let settings = json!({"default": "deny", "rules": [{"name": "then", "effect": "allow", "hours": {"from": from, "to": to, "zone": zone}}]});
        asks(&settings, hi().received_at(seconds * 1000)).is_empty()
    };
    let berlin = |from, to, seconds| within("Europe/Berlin", from, to, seconds);
    // 08:00 is 07:00 UTC on the day before, and 06:00 UTC from that day on.
    let eight = SPRING + 5 * HOUR;
    assert!(!berlin("08:00", "18:00", eight - 24 * HOUR));
    assert!(berlin("08:00", "18:00", eight - 23 * HOUR));
    assert!(!berlin("08:00", "18:00", eight - MINUTE) && berlin("08:00", "18:00", eight));
    // And again an hour later from the autumn day on.
    assert!(berlin("08:00", "18:00", AUTUMN - 19 * HOUR));
    let eight = AUTUMN + 6 * HOUR;
    assert!(!berlin("08:00", "18:00", eight - MINUTE) && berlin("08:00", "18:00", eight));
    // From 02:00 to 03:00 there is nothing in spring, and two hours in autumn.
    for minutes in 0..180 {
        let at = minutes * MINUTE;
        assert!(!berlin("02:00", "03:00", SPRING - 90 * MINUTE + at));
        let twice = (30..150).contains(&minutes);
        assert_eq!(
            berlin("02:00", "03:00", AUTUMN - 90 * MINUTE + at),
            twice,
            "{minutes}"
        );
    }
    // A zone with an offset has no summer, and one of the other half of the earth has it in our winter.
    assert!(within("+01:00", "08:00", "09:00", SPRING + 6 * HOUR));
    assert!(within("Australia/Sydney", "12:00", "12:01", SPRING));
    assert!(within("australia/sydney", "12:00", "12:01", AUTUMN));
    // Years that the table has by rule alone, and a time past all of them.
    assert!(berlin("10:00", "10:01", 3_865_737_600));
    berlin("08:00", "18:00", u64::MAX / 1000);
}

#[test]
fn who_must_be_known_is_and_tools_go_by_role_as_keeptrusts_has_them() {
    let auth = json!({"require_auth": true});
    assert_eq!(asks(&auth, hi()), "require_auth");
    assert_eq!(asks(&auth, hi().principal("ann")), "");
    let roles = json!({"roles": {
        "analyst": {"allowed_tools": ["search"], "denied_tools": []},
        "Chief of Staff": {"denied_tools": ["payroll"]},
        "clerk": {"allowed_tools": ["mail"]},
        "nobody": {"allowed_tools": []},
    }});
    let cases = [
        (with_tools(&["search"]).roles(["analyst"]), ""),
        (
            with_tools(&["mail"]).roles(["analyst"]),
            "roles.analyst.others",
        ),
        (
            with_tools(&["mail", "search"]).roles(["analyst", "clerk"]),
            "",
        ),
        (
            with_tools(&["payroll"]).roles(["Chief of Staff"]),
            "roles.1.denied",
        ),
        (with_tools(&["mail"]).roles(["Chief of Staff"]), ""),
        (
            with_tools(&["mail"]).roles(["nobody"]),
            "roles.nobody.others",
        ),
        (with_tools(&["anything"]), ""),
        (hi().roles(["nobody"]), ""),
    ];
    for (at, (request, denied_by)) in cases.into_iter().enumerate() {
        assert_eq!(asks(&roles, request), denied_by, "{at}");
    }
}

#[test]
fn what_cannot_be_meant_is_told_and_so_is_what_does_it_here() {
    let rule = |more: Value| {
        let mut rule = json!({"name": "a", "effect": "allow"});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"default": "deny", "rules": [rule]})
    };
    let table = [
        (json!({}), "`default` is missing"),
        (
            json!({"rules": [{"name": "a", "effect": "allow"}]}),
            "`default` is missing",
        ),
        (json!({"default": "block"}), "unknown variant"),
        (json!({"default": "deny", "rule": []}), "unknown field"),
        (rule(json!({"name": "A b"})), "can't be a rule's name"),
        (rule(json!({"name": "default"})), "can't be a rule's name"),
        (
            rule(json!({"name": "x".repeat(58)})),
            "can't be a rule's name",
        ),
        (rule(json!({"roles": []})), "`roles` is empty"),
        (rule(json!({"endpoints": ["embeddings"]})), "no endpoint"),
        (
            rule(json!({"hours": {"from": "8", "to": "18:00"}})),
            "no time of day",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "25:00"}})),
            "no time of day",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "08:00"}})),
            "no time at all",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "18:00", "zone": "Europe/Berlim"}})),
            "no time zone",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "18:00", "zone": "+15:00"}})),
            "no time zone",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "18:00", "zone": ""}})),
            "no time zone",
        ),
        (
            rule(json!({"hours": {"from": "08:00", "to": "18:00", "days": ["monday"]}})),
            "no days",
        ),
        (
            rule(json!({"effect": "deny", "tools": ["a"], "targets": ["b"]})),
            "write two",
        ),
        (
            json!({"default": "deny", "rules": [{"name": "a", "effect": "allow"}, {"name": "a", "effect": "deny"}]}),
            "two rules `a`",
        ),
        (json!({"roles": {"clerk": {}}}), "allowed_tools"),
        (
            json!({"deny_if_missing": ["X-User-ID"]}),
            "require_auth: true",
        ),
        (json!({"data_access": {}}), "data-routing"),
        (json!({"minimum_necessary": {}}), "pii-detector"),
    ];
    for (settings, words) in table {
        let said = wrong(settings.clone());
        assert!(said.contains(words), "{settings}: {said}");
    }
}

#[test]
fn patterns_end_whatever_they_are() {
    let settings = json!({"default": "deny", "rules": [
        {"name": "a", "effect": "allow", "models": ["*a*a*a*a*a*a*a*a*a*a*a*a*b"]},
    ]});
    assert_eq!(asks(&settings, hi().model(&"a".repeat(4096))), "default");
}
