#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Outcome, Request};

fn policy(settings: Value) -> Configured<DataRouting> {
    testing::configure(settings).unwrap()
}

fn target(id: &str, data_policy: DataPolicy) -> Target {
    Target {
        id: id.into(),
        provider: "cerebras".into(),
        model: None,
        data_policy,
    }
}

/// One that promises everything, one that keeps data, one that trains, one far away, and one that says nothing.
fn targets() -> Vec<Target> {
    let best = DataPolicy {
        retention_days: Some(0),
        trains: Some(false),
        region: Some("eu".into()),
    };
    vec![
        target("silent", DataPolicy::default()),
        target(
            "keeps",
            DataPolicy {
                retention_days: Some(30),
                ..best.clone()
            },
        ),
        target(
            "trains",
            DataPolicy {
                trains: Some(true),
                ..best.clone()
            },
        ),
        target(
            "far",
            DataPolicy {
                region: Some("us".into()),
                ..best.clone()
            },
        ),
        target("best", best),
    ]
}

fn ask(text: &str) -> Request {
    Request::user(text).targets(targets())
}

/// The targets that are left, or the code and status of the denial.
fn left(
    policy: &Configured<DataRouting>,
    request: Request,
) -> Result<Vec<String>, (String, Option<u16>)> {
    let mut exchange = policy.exchange(request);
    match exchange.on_request() {
        Verdict::Proceed => {
            let left = exchange.targets().iter();
            Ok(left.map(|target| target.id.clone()).collect())
        }
        Verdict::Deny(denial) => Err((denial.code, denial.status)),
        other => panic!("{other:?}"),
    }
}

fn left_by(settings: Value) -> Vec<String> {
    let policy = policy(settings);
    left(&policy, ask("hello")).unwrap()
}

#[test]
fn keys_that_others_have_say_what_to_use() {
    testing::says_what_to_use_instead::<DataRouting>(&json!({"require_no_training": true}));
}

#[test]
fn what_is_not_declared_is_not_promised() {
    assert_eq!(
        left_by(json!({"require_zero_data_retention": true})),
        ["trains", "far", "best"]
    );
    assert_eq!(
        left_by(json!({"max_retention_days": 30})),
        ["keeps", "trains", "far", "best"]
    );
    assert_eq!(
        left_by(json!({"require_no_training": true})),
        ["keeps", "far", "best"]
    );
    assert_eq!(
        left_by(json!({"regions": ["eu", "ch"]})),
        ["keeps", "trains", "best"]
    );
    assert_eq!(
        left_by(json!({"targets": ["far", "silent"]})),
        ["silent", "far"]
    );
    let all = json!({"require_zero_data_retention": true, "require_no_training": true, "regions": ["eu"]});
    assert_eq!(left_by(all), ["best"]);
}

#[test]
fn silence_is_taken_for_a_promise_where_that_is_said() {
    let settings = json!({
        "require_zero_data_retention": true,
        "require_no_training": true,
        "regions": ["eu"],
        "undeclared": "allow",
    });
    assert_eq!(left_by(settings), ["silent", "best"]);
}

#[test]
fn what_is_found_in_a_request_asks_for_more() {
    let policy = policy(json!({"classes": [
        {"name": "salary", "keywords": ["Gehalt", "base pay"], "regions": ["eu"]},
        {"name": "case", "patterns": ["[A-Z]{2}-[0-9]{6}"], "require_zero_data_retention": true},
        {"name": "secret", "headers": {"x-data-class": ["secret"]}, "targets": ["best"]},
        {"name": "people", "teams": ["hr"], "require_no_training": true},
        {"name": "found", "tags": {"pii": [], "kind": ["a", "b"]}, "targets": ["far"]},
    ]}));
    let all = ["silent", "keeps", "trains", "far", "best"];
    let of = |request: Request| left(&policy, request).unwrap();
    assert_eq!(of(ask("Gehaltlos, and the database payload")), all);
    assert_eq!(of(ask("Mein GEHALT?")), ["keeps", "trains", "best"]);
    assert_eq!(of(ask("my (base pay)")), ["keeps", "trains", "best"]);
    assert_eq!(of(ask("see DE-123456")), ["trains", "far", "best"]);
    assert_eq!(of(ask("gehalt DE-123456")), ["trains", "best"]);
    let header = |value: &str| ask("hello").header("X-Data-Class", value);
    assert_eq!(of(header("public, SECRET")), ["best"]);
    assert_eq!(of(header("public")), all);
    assert_eq!(of(ask("hello").team("hr")), ["keeps", "far", "best"]);
    let tagged = |key: &str, value: &str| ask("hello").tagged(key, value);
    assert_eq!(of(tagged("pii", "email")), ["far"]);
    assert_eq!(of(tagged("kind", "b")), ["far"]);
    assert_eq!(of(tagged("kind", "c")), all);
    // It isn't only in messages that something can be.
    let tool =
        json!([{"type": "function", "function": {"name": "f", "description": "about DE-123456"}}]);
    assert_eq!(
        of(ask("hello").with("tools", tool)),
        ["trains", "far", "best"]
    );

    let mut exchange = policy.exchange(ask("gehalt"));
    exchange.on_request();
    let record = exchange.complete(Outcome::completed());
    assert_eq!(record.findings[0].code, "data-routing.salary");
    assert_eq!(record.tags, [("data-class".into(), "salary".into())]);
}

#[test]
fn what_is_found_is_what_a_model_reads() {
    let policy = policy(json!({"classes": [
        {"name": "salary", "keywords": ["salary", "gehälter", "base pay"], "patterns": ["DE-[0-9]{6}"], "regions": ["eu"]},
    ]}));
    let all = ["silent", "keeps", "trains", "far", "best"];
    let eu = ["keeps", "trains", "best"];
    let of = |request: Request| left(&policy, request).unwrap();
    // JSON that stands in a text, and JSON in a string of that.
    for text in [
        r#"{"row":"Name\nSalary: 5000"}"#,
        r#"{"row":"{\"a\":\"Name\\nSalary: 5000\"}"}"#,
        r"Geh\u00e4lter",
        r"DE\u002d123456",
        // As it stands it counts, too.
        r"C:\salary",
    ] {
        assert_eq!(of(ask(text)), eu, "{text}");
        let result = ask("hi").message(Role::Tool, text);
        assert_eq!(of(result), eu, "{text}");
    }
    let call = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": r#"{"row":"Name\nSalary: 5000"}"#}}]);
    let messages = json!([{"role": "assistant", "tool_calls": call}]);
    assert_eq!(of(ask("hi").with("messages", messages)), eu);
    // The parts of a message are read as one.
    assert_eq!(of(ask("my sal").part("ary")), eu);
    assert_eq!(of(ask("my base ").part("p").part("ay?")), eu);
    assert_eq!(of(ask(r"Geh\u00").part("e4lter")), eu);
    assert_eq!(of(ask("salary").part("es")), eu);
    // Those of two aren't.
    assert_eq!(of(ask("my sal").message(Role::User, "ary")), all);
    assert_eq!(of(ask(r#"{"row":"Name\nCelery: 5000"}"#)), all);
}

#[test]
fn where_no_target_is_left_it_says_whose_matter_that_is() {
    // What this request has in it.
    let strict = json!({"classes": [{"name": "x", "keywords": ["x"], "regions": ["mars"]}]});
    let policy1 = policy(strict);
    let wanted = ("data-routing.denied".to_owned(), None);
    assert_eq!(left(&policy1, ask("x")), Err(wanted));
    assert_eq!(left(&policy1, ask("y")).unwrap().len(), 5);
    // What every request needs.
    let policy2 = policy(json!({"regions": ["mars"]}));
    let wanted = ("data-routing.no-target".to_owned(), Some(503));
    assert_eq!(left(&policy2, ask("y")), Err(wanted));
    // A model that no target takes is told later.
    let request = ask("y").targets(Vec::new());
    assert_eq!(left(&policy2, request), Ok(Vec::new()));
}

/// Whoever asks for a model is given that one or none.
#[test]
fn a_fallback_to_another_model_alone_is_no_target_of_this_one() {
    let policy = policy(json!({"classes": [{"name": "x", "keywords": ["x"], "regions": ["eu"]}]}));
    let mut targets = targets();
    for target in &mut targets {
        let in_eu = target.data_policy.region.as_deref() == Some("eu");
        target.model = Some(if in_eu { "small" } else { "large" }.into());
    }
    targets.sort_by_key(|target| target.model.as_deref() == Some("small"));
    let wanted = ("data-routing.denied".to_owned(), None);
    let request = |text| ask(text).targets(targets.clone());
    assert_eq!(left(&policy, request("x")), Err(wanted));
    assert_eq!(left(&policy, request("y")).unwrap().len(), targets.len());
}

#[test]
fn a_warning_lets_it_go_on_and_tells() {
    let policy = policy(json!({"regions": ["mars"], "on_no_compliant_provider": "warn"}));
    let mut exchange = policy.exchange(ask("y"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let record = exchange.complete(Outcome::completed());
    assert_eq!(record.findings[0].code, "data-routing.no-target");
    assert_eq!(record.log.len(), 1);
}

#[test]
fn a_selection_is_logged_where_that_is_wanted() {
    let policy = policy(json!({"regions": ["eu"], "log_provider_selection": true}));
    let mut exchange = policy.exchange(ask("y"));
    exchange.on_request();
    let lines: Vec<&str> = exchange.log().iter().map(|(_, line)| &**line).collect();
    assert_eq!(
        lines[0],
        "target `silent` may not be sent it: where it handles data isn't declared"
    );
    assert_eq!(lines[4], "target `best` may be sent it");
}

#[test]
fn settings_that_contradict_are_errors() {
    let error = |settings: Value| testing::configure::<DataRouting>(settings).unwrap_err();
    let class = |class: Value| error(json!({"classes": [class]}));
    for (said, wanted) in [
        (error(json!({})), "nothing is asked of any target"),
        (
            error(json!({"require_zero_data_retention": true, "max_retention_days": 7})),
            "`max_retention_days`: 7 days aren't none",
        ),
        (error(json!({"regions": [""]})), "`regions`: an empty name"),
        (
            error(json!({"zdr": true})),
            "`zdr` is no setting here: a target declares that",
        ),
        (
            error(json!({"data_collection": "deny"})),
            "here it is `require_no_training`",
        ),
        (error(json!({"allowed_regions": ["eu"]})), "say `regions`"),
        (
            class(json!({"name": "a", "regions": ["eu"]})),
            "`classes[0]`: nothing tells it",
        ),
        (
            class(json!({"name": "a", "keywords": ["x"]})),
            "`classes[0]`: nothing is asked of a target for it",
        ),
        (
            class(json!({"name": "A b", "keywords": ["x"], "regions": ["eu"]})),
            "`classes[0].name`",
        ),
        (
            class(json!({"name": "a", "keywords": [" "], "regions": ["eu"]})),
            "`classes[0].keywords`",
        ),
        (
            class(json!({"name": "a", "patterns": ["("], "regions": ["eu"]})),
            "`classes[0].patterns[0]`",
        ),
        (
            class(json!({"name": "a", "patterns": ["x*"], "regions": ["eu"]})),
            "it matches every text",
        ),
        (
            error(json!({"classes": [
                {"name": "a", "keywords": ["x"], "regions": ["eu"]},
                {"name": "a", "keywords": ["y"], "regions": ["us"]},
            ]})),
            "there is a class `a` already",
        ),
    ] {
        assert!(said.contains(wanted), "{said}\n{wanted}");
    }
}
