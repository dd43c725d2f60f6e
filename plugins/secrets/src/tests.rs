//! The policy, driven as the host drives it. What is found is `secret-rules`' to test.

#![expect(clippy::unwrap_used, reason = "a test")]

use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, json};
use witgate_policy::testing::{self, Configured, Outcome, Request};

use crate::Secrets;

const KEY: &str = "AKIAIOSFODNN7Q2W4E5R";
const GENERIC: &str = "api_token = Zf3D0LXCM3EIMbgJpUNnkRtOfOueHznB";

fn configured(settings: Value) -> Configured<Secrets> {
    testing::configure(settings).unwrap()
}

fn request_with(settings: Value, text: &str) -> (Verdict, Vec<String>, Vec<Finding>) {
    let policy = configured(settings);
    let mut exchange = policy.exchange(Request::user(text));
    let verdict = exchange.on_request();
    (
        verdict,
        exchange.texts().to_vec(),
        exchange.findings().to_vec(),
    )
}

#[test]
fn a_finding_names_the_rule_and_so_does_what_replaces_the_key() {
    let (verdict, texts, findings) = request_with(json!({}), &format!("my {KEY}"));
    assert_eq!(verdict, Verdict::Proceed);
    assert_eq!(texts, ["my [SECRET:aws-access-token]"]);
    let expected = Finding::new("secrets.aws-access-token", 1).with_detail("in the request");
    assert_eq!(findings, [expected]);
}

#[test]
fn deny_names_rules_and_not_values() {
    let (verdict, ..) = request_with(json!({"action": "deny"}), KEY);
    let Verdict::Deny(denial) = verdict else {
        panic!("not denied");
    };
    assert_eq!(denial.code, "secret");
    assert_eq!(
        denial.message,
        "the request contains secrets: aws-access-token"
    );
    let policy = configured(json!({"action": "deny"}));
    let mut exchange = policy.exchange(Request::user("hello"));
    assert_eq!(exchange.on_request(), Verdict::Proceed);
    let answer = exchange.answer(&["Use ", "AKIAIOSFOD", "NN7Q2W4E5R", " now"]);
    assert_eq!(answer.text, "Use ");
    assert!(answer.denial.is_some());
}

#[test]
fn what_only_its_name_calls_a_secret_is_reported_unless_told_otherwise() {
    for (settings, text, found) in [
        (json!({}), GENERIC, 1),
        (json!({"generic": "off"}), GENERIC, 0),
        (
            json!({"generic": "act"}),
            "api_token = [SECRET:generic-api-key]",
            1,
        ),
    ] {
        let (verdict, texts, findings) = request_with(settings, GENERIC);
        assert_eq!(verdict, Verdict::Proceed);
        assert_eq!(texts, [text]);
        assert_eq!(findings.len(), found);
    }
    let (verdict, ..) = request_with(json!({"action": "deny"}), GENERIC);
    assert_eq!(verdict, Verdict::Proceed);
    let policy = configured(json!({}));
    let mut exchange = policy.exchange(Request::user("hello"));
    exchange.on_request();
    let answer = exchange.answer(&[
        "api_token",
        " = Zf3D0LXCM3EIMbgJpUNn",
        "kRtOfOueHznB",
        " ok",
    ]);
    assert!(answer.untouched, "{answer:?}");
    assert_eq!(exchange.complete(Outcome::completed()).findings.len(), 1);
}

#[test]
fn rules_and_values_can_be_let_through() {
    for settings in [
        json!({"ignore": ["aws-access-token"]}),
        json!({"allow": [KEY]}),
    ] {
        let (_, texts, findings) = request_with(settings, KEY);
        assert_eq!(texts, [KEY]);
        assert!(findings.is_empty());
    }
    for (settings, says) in [
        (json!({"ignore": ["aws"]}), "no rule `aws`"),
        (json!({"requests": false, "answers": false}), "both false"),
    ] {
        let error = testing::configure::<Secrets>(settings).err().unwrap();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn every_chunking_gives_the_same_answer() {
    for settings in [
        json!({}),
        json!({"action": "deny"}),
        json!({"format": "hash"}),
        json!({"generic": "act"}),
    ] {
        let policy = configured(settings);
        policy.every_chunking(&format!("{GENERIC}; key {KEY}, curl -u api:d2LkV78zLx!t x"));
        policy.every_chunking("SUMO_ACCESS_ID = \"suGyI5imvADdvU\" {\"a\": 1} sumo is sport");
    }
}

#[test]
fn prose_is_slept_through() {
    let policy = configured(json!({"generic": "off"}));
    for text in [
        "The committee met again; see the last page, or call.",
        "A state-of-the-art sandbox, e.g. ours: what is it?",
    ] {
        assert!(policy.sleeps_through(text), "{text}");
    }
    for text in [
        KEY,
        "SUMO_KEY",
        "postgres://app:hunter2@x",
        "-----BEGIN",
        "Authorization:",
    ] {
        assert!(!policy.sleeps_through(text), "{text}");
    }
}

#[test]
fn the_schema_has_every_setting() {
    let schema: Value = witgate_policy::serde_json::from_str(&Secrets::schema().unwrap()).unwrap();
    let keys: Vec<_> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 8);
}
