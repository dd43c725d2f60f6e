#![expect(clippy::unwrap_used, reason = "a test")]

use super::*;

fn chat(body: &str) -> String {
    let request = request(body.as_bytes()).unwrap();
    String::from_utf8(request.to_bytes(None).to_vec()).unwrap()
}

fn refused(body: &str) -> (String, String) {
    let bad = request(body.as_bytes()).unwrap_err();
    (bad.param, bad.message)
}

#[test]
fn a_flat_request_is_a_chat_with_one_message() {
    assert_eq!(
        chat(r#"{"model":"m","prompt":"hi \u00e9"}"#),
        r#"{"model":"m","messages":[{"role":"user","content":"hi \u00e9"}],"temperature":1.0,"max_completion_tokens":1000,"top_p":1.0,"frequency_penalty":0,"presence_penalty":0}"#
    );
    assert_eq!(
        chat(
            r#"{"top_p":0.50,"presence_penalty":-2,"prompt":"","frequency_penalty":2e0,"max_tokens":1,"temperature":null,"model":"m"}"#
        ),
        r#"{"model":"m","messages":[{"role":"user","content":""}],"temperature":1.0,"max_completion_tokens":1,"top_p":0.50,"frequency_penalty":2e0,"presence_penalty":-2}"#
    );
    let request = request(br#"{"model":"m","prompt":"hi"}"#).unwrap();
    assert_eq!(
        (request.endpoint(), request.dialect()),
        ("action", Dialect::Chat)
    );
    assert_eq!(request.segments(0)[0].text, "hi");
}

#[test]
fn what_a_policy_edits_stays_an_action() {
    let request = request(br#"{"model":"m","prompt":"hi"}"#).unwrap();
    let mut draft = request.draft();
    draft.replace_segment(0, "ho").unwrap();
    let edited = draft.commit().unwrap();
    assert_eq!(edited.segments(0)[0].text, "ho");
    assert_eq!(edited.endpoint(), "action");
    assert!(edited.bridge().is_some());
}

#[test]
fn what_is_wrong_is_named() {
    for (body, param, says) in [
        ("", "", "the body is empty"),
        ("[]", "", "a JSON object, not an array"),
        ("{", "", "can't be read as JSON"),
        (r#"{"prompt":"p"}"#, "model", "must be there"),
        (r#"{"model":"m"}"#, "prompt", "must be there"),
        (r#"{"model":"m","prompt":["p"]}"#, "prompt", "be a string"),
        (
            r#"{"model":"m","prompt":"a","prompt":"b"}"#,
            "prompt",
            "stands twice",
        ),
        (
            r#"{"model":"m","prompt":"a","\u0070rompt":"b"}"#,
            "prompt",
            "stands twice",
        ),
        (
            r#"{"model":"m","prompt":"p","stream":true}"#,
            "stream",
            "no stream",
        ),
        (
            r#"{"model":"m","prompt":"p","Prompt":"q"}"#,
            "Prompt",
            "isn't known",
        ),
        (
            r#"{"model":"m","prompt":"p","temperature":2.1}"#,
            "temperature",
            "from 0 to 2",
        ),
        (
            r#"{"model":"m","prompt":"p","temperature":"1"}"#,
            "temperature",
            "a number",
        ),
        (
            r#"{"model":"m","prompt":"p","top_p":-0.1}"#,
            "top_p",
            "from 0 to 1",
        ),
        (
            r#"{"model":"m","prompt":"p","max_tokens":0}"#,
            "max_tokens",
            "a whole number from 1",
        ),
        (
            r#"{"model":"m","prompt":"p","max_tokens":1.5}"#,
            "max_tokens",
            "a whole number",
        ),
        (
            r#"{"model":"m","prompt":"p","presence_penalty":-3}"#,
            "presence_penalty",
            "from -2 to 2",
        ),
        (r#"{"model":"","prompt":"p"}"#, "model", ""),
    ] {
        let (found, message) = refused(body);
        assert_eq!(found, param, "{body}: {message}");
        assert!(message.contains(says), "{body}: {message}");
    }
}

#[test]
fn a_chats_answer_is_told_flat() {
    let flat = |body: &str| {
        let flat = answer(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        String::from_utf8(flat.to_vec()).unwrap()
    };
    assert_eq!(
        flat(
            r#"{"id":"x","model":"m","choices":[{"index":0,"finish_reason":"length","message":{"role":"assistant","reasoning":"hm","content":"a \"b\""}}],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5}}"#
        ),
        r#"{"content":"a \"b\"","finish_reason":"length","model_used":"m","usage_total_tokens":5,"usage_prompt_tokens":2,"usage_completion_tokens":3}"#
    );
    for (finish, told) in [
        ("stop", "stop"),
        ("content_filter", "error"),
        ("odd", "error"),
    ] {
        let body = format!(
            r#"{{"model":"m","choices":[{{"index":0,"finish_reason":"{finish}","message":{{}}}}]}}"#
        );
        let expected = format!(r#"{{"content":"","finish_reason":"{told}","model_used":"m","#);
        assert!(flat(&body).starts_with(&expected), "{}", flat(&body));
    }
    assert!(answer(Bytes::from_static(b"{}")).is_err());
}
