#![expect(clippy::unwrap_used, reason = "a test")]

use serde_json::{Value, json};
use witgate_policy::testing::{self, Outcome, Record, Request};

use super::*;

mod fits;

fn complete(settings: Value, outcome: Outcome) -> Record {
    let request = Request::user("my secret")
        .part("word")
        .principal("team-a")
        .team("blue")
        .roles(["writer", "reader"]);
    let policy = testing::configure::<AuditLogger>(settings).unwrap();
    policy.exchange(request).complete(outcome)
}

fn entry(settings: Value, outcome: Outcome) -> Value {
    let record = complete(settings, outcome);
    assert!(!record.journal[0].contains('\n'), "an entry is one line");
    record.entries().remove(0)
}

fn denied() -> Outcome {
    Outcome::ended(Ending::Denied)
        .stage("first", "proceed")
        .account(Account {
            stage: "guard".into(),
            verdict: "deny".into(),
            denial: Some(Denial::new("injection", "not \"this\"\nplease")),
            findings: vec![
                Finding::new("pattern", 2).with_detail("override"),
                Finding::new("long", 1),
            ],
        })
        .stage("audit-logger", "unreached")
}

#[test]
fn a_completed_exchange_is_told_in_full() {
    let outcome = Outcome {
        tokens: Some(Usage {
            prompt_tokens: 4,
            completion_tokens: 3,
            cached_tokens: 2,
            reasoning_tokens: 1,
        }),
        cost_micros: Some(17),
        tags: vec![("tier".into(), "gold".into())],
        ..Outcome::completed().stage("pii-detector", "edit")
    };
    let expected = json!({
        "id": "req-1",
        "at": "2025-01-01T00:00:00.000Z",
        "endpoint": "chat",
        "principal": "team-a",
        "team": "blue",
        "roles": ["writer", "reader"],
        "model": "llama3.1-8b",
        "answered_by": {"target": "cerebras", "model": "llama3.1-8b"},
        "status": 200,
        "ended": "completed",
        "verdict": "proceed",
        "stages": [{"policy": "pii-detector", "verdict": "edit", "findings": []}],
        "finish_reasons": ["stop"],
        "usage": {"prompt_tokens": 4, "completion_tokens": 3, "cached_tokens": 2, "reasoning_tokens": 1},
        "cost_micros": 17,
        "deltas": 0,
        "sent_bytes": 400,
        "first_delta_us": 1000,
        "total_us": 2000,
        "tags": {"tier": "gold"},
    });
    assert_eq!(entry(json!({}), outcome), expected);
}

#[test]
fn a_denied_exchange_names_the_stage_and_its_reason() {
    let expected = json!({
        "id": "req-1",
        "at": "2025-01-01T00:00:00.000Z",
        "endpoint": "chat",
        "principal": "team-a",
        "team": "blue",
        "roles": ["writer", "reader"],
        "model": "llama3.1-8b",
        "ended": "denied",
        "verdict": "deny",
        "policy": "guard",
        "code": "injection",
        "stages": [
            {"policy": "first", "verdict": "proceed", "findings": []},
            {"policy": "guard", "verdict": "deny",
             "denial": {"code": "injection", "message": "not \"this\"\nplease"},
             "findings": [{"code": "pattern", "count": 2, "detail": "override"}, {"code": "long", "count": 1}]},
            {"policy": "audit-logger", "verdict": "unreached", "findings": []},
        ],
        "finish_reasons": [],
        "deltas": 0,
        "sent_bytes": 0,
        "total_us": 2000,
        "tags": {},
    });
    assert_eq!(entry(json!({}), denied()), expected);
}

#[test]
fn the_verdict_follows_from_how_it_ended() {
    let of = |ended, verdict: &str| {
        let entry = entry(json!({}), Outcome::ended(ended).stage("one", verdict));
        ["ended", "verdict", "policy"].map(|key| entry[key].as_str().map(String::from))
    };
    let is = |words: [&str; 3]| words.map(|word| (!word.is_empty()).then(|| word.to_string()));
    assert_eq!(
        of(Ending::Responded, "respond"),
        is(["responded", "respond", "one"])
    );
    assert_eq!(
        of(Ending::Faulted, "error:trap"),
        is(["faulted", "fault", "one"])
    );
    assert_eq!(
        of(Ending::UpstreamFailed, "proceed"),
        is(["upstream-failed", "proceed", ""])
    );
    assert_eq!(
        of(Ending::Disconnected, "proceed"),
        is(["disconnected", "proceed", ""])
    );
}

#[test]
fn without_log_all_access_only_what_happened_is_logged() {
    let logged = |outcome: Outcome| {
        !complete(json!({"log_all_access": false}), outcome)
            .journal
            .is_empty()
    };
    let found = Account {
        stage: "one".into(),
        verdict: "proceed".into(),
        denial: None,
        findings: vec![Finding::new("email", 1)],
    };
    assert!(!logged(Outcome::completed().stage("one", "proceed")));
    assert!(!logged(
        Outcome::ended(Ending::Disconnected).stage("one", "unreached")
    ));
    assert!(logged(Outcome::completed().stage("one", "edit")));
    assert!(logged(Outcome::completed().stage("one", "skip:deadline")));
    assert!(logged(Outcome::completed().stage("one", "deny")));
    assert!(logged(Outcome::completed().account(found)));
    for ended in [
        Ending::Denied,
        Ending::Responded,
        Ending::Faulted,
        Ending::UpstreamFailed,
    ] {
        assert!(logged(Outcome::ended(ended)), "{ended:?}");
    }
}

#[test]
fn no_text_is_captured_unless_asked_for() {
    let line = |capture: &str| {
        complete(json!({"capture": capture}), Outcome::completed())
            .journal
            .remove(0)
    };
    for capture in ["none", "hash"] {
        assert!(!line(capture).contains("secret"), "{capture}");
    }
    assert!(line("full").contains("secret"));
}

#[test]
fn full_capture_keeps_the_segments() {
    let captured = &entry(json!({"capture": "full"}), Outcome::completed())["capture"];
    let expected = json!({"segments": [
        {"message": 0, "role": "user", "channel": "content", "text": "my secret"},
        {"message": 0, "role": "user", "channel": "content", "text": "word"},
    ]});
    assert_eq!(*captured, expected);
}

#[test]
fn the_hash_is_of_each_text_after_its_length() {
    let captured = &entry(json!({"capture": "hash"}), Outcome::completed())["capture"];
    // printf '\0\0\0\0\0\0\0\11my secret\0\0\0\0\0\0\0\4word' | sha256sum
    let expected = "931f62704ae40cf70480280a54e89da0d2c3f7b5d7d6c0803f9c09e750a378aa";
    assert_eq!(*captured, json!({"sha256": expected}));
}

/// What `capture: full` keeps where the stages before said this.
fn captured(verdicts: &[&str]) -> Value {
    let outcome = Outcome::ended(Ending::Completed);
    let outcome = verdicts
        .iter()
        .enumerate()
        .fold(outcome, |outcome, (at, verdict)| {
            outcome.stage(&format!("stage-{at}"), verdict)
        });
    entry(json!({"capture": "full"}), outcome)["capture"].take()
}

#[test]
fn a_text_is_kept_only_once_every_stage_has_let_it_pass() {
    for verdicts in [
        &["proceed", "edit", "proceed"][..],
        &["shadow:deny", "proceed"],
        &["shadow:error:trap", "edit"],
    ] {
        let kept = captured(verdicts);
        assert!(kept["segments"].is_array(), "{verdicts:?}: {kept}");
    }
    for (verdicts, stage) in [
        (&["deny", "unreached", "unreached"][..], "stage-0"),
        (&["proceed", "deny", "unreached"], "stage-1"),
        (&["proceed", "unreached"], "stage-1"),
        (&["proceed", "skip:deadline", "proceed"], "stage-1"),
        (&["error:trap", "unreached"], "stage-0"),
        (&["proceed", "respond"], "stage-1"),
        // A verdict that is new to this policy lets nothing pass.
        (&["another"], "stage-0"),
    ] {
        let sha256 = "931f62704ae40cf70480280a54e89da0d2c3f7b5d7d6c0803f9c09e750a378aa";
        let expected = json!({"sha256": sha256, "not_passed": stage});
        assert_eq!(captured(verdicts), expected, "{verdicts:?}");
    }
}

#[test]
fn it_is_known_how_much_went_out_to_a_client_that_left() {
    let outcome = Outcome {
        deltas: 17,
        sent_bytes: 4711,
        ..Outcome::ended(Ending::Disconnected)
    };
    let entry = entry(json!({}), outcome);
    assert_eq!(
        (&entry["deltas"], &entry["sent_bytes"]),
        (&json!(17), &json!(4711))
    );
}

#[test]
fn a_journal_that_refuses_is_logged() {
    let policy = testing::configure::<AuditLogger>(json!({})).unwrap();
    let mut exchange = policy.exchange(Request::user("hello"));
    exchange.fail_journal("the disk is full");
    let record = exchange.complete(Outcome::completed());
    let expected = "the journal has no entry for req-1: the disk is full";
    assert_eq!(record.log, [(Level::Error, expected.into())]);
}

#[test]
fn it_wants_the_end_alone() {
    let policy = testing::configure::<AuditLogger>(json!({})).unwrap();
    assert_eq!(policy.hooks(), Hooks::ON_COMPLETE);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let error = |settings| testing::configure::<AuditLogger>(settings).unwrap_err();
    for days in [0, 36_501] {
        let expected = format!("`retention_days`: {days} is not between 1 and 36500");
        assert!(error(json!({"retention_days": days})).starts_with(&expected));
    }
    for days in [1, 36_500] {
        testing::configure::<AuditLogger>(json!({"retention_days": days})).unwrap();
    }
    assert!(error(json!({"capture": "all"})).starts_with("`capture`: unknown variant `all`"));
    assert!(error(json!({"retention": 1})).starts_with("`retention`: unknown field `retention`"));
    let immutable = "`immutable`: invalid type: string \"yes\", expected a boolean";
    assert_eq!(error(json!({"immutable": "yes"})), immutable);
}

#[test]
fn the_schema_knows_every_setting() {
    let schema: Value = serde_json::from_str(&AuditLogger::schema().unwrap()).unwrap();
    let mut keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    // The order of the fields depends on which other crates are built.
    keys.sort();
    assert_eq!(
        keys,
        ["capture", "immutable", "log_all_access", "retention_days"]
    );
}
