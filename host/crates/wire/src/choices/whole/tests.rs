#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use crate::ToolCall;

const RECORDED: &str = r#"{"id":"chatcmpl-d89ba80c","choices":[{"finish_reason":"tool_calls","index":0,"message":{"reasoning":"hm","tool_calls":[{"function":{"name":"f","arguments":"{}"},"type":"function","id":"85e4fd267"}],"role":"assistant"}}],"created":1779146781,"model":"zai-glm-4.7","system_fingerprint":"fp_a3","object":"chat.completion","usage":{"total_tokens":387,"completion_tokens":65,"completion_tokens_details":{"reasoning_tokens":58},"prompt_tokens":322,"prompt_tokens_details":{"cached_tokens":256}},"time_info":{"total_time":0.13299274444580078}}"#;
const TWO: &str = r#"{ "choices":[{"index":0,"message":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}],"refusal":null,"x":1.50},"logprobs":{"content":[1]},"finish_reason":"stop"},
 {"index":1,"message":{"role":"assistant","content":"two","tool_calls":null,"annotations":["two"]},"logprobs":{"content":[2]},"finish_reason":"length"}],"n":123456789012345678901234567890}"#;

fn answer(body: &str) -> WholeAnswer {
    WholeAnswer::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

#[test]
fn a_recorded_answer_is_read() {
    let answer = answer(RECORDED);
    let call = ToolCall::new(0, "85e4fd267", "f");
    let texts: Vec<_> = answer
        .texts()
        .iter()
        .map(|text| (text.choice, text.channel.clone(), text.text.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            (0, Channel::Reasoning, "hm"),
            (0, Channel::ToolArguments(call), "{}")
        ]
    );
    assert_eq!(answer.finishes(), [(0, "tool_calls".to_owned())]);
    assert_eq!((answer.model(), answer.choices()), (Some("zai-glm-4.7"), 1));
    assert_eq!(answer.usage().unwrap().reasoning_tokens, 58);
}

#[test]
fn an_unchanged_answer_leaves_as_it_came() {
    let body = Bytes::from_static(TWO.as_bytes());
    let mut answer = WholeAnswer::parse(body.clone()).unwrap();
    answer.set_text(0, "x".to_owned());
    answer.set_text(0, "ab".to_owned());
    answer.set_text(9, "no such".to_owned());
    assert_eq!(answer.to_bytes().as_ptr(), body.as_ptr());
}

#[test]
fn a_changed_text_loses_its_choices_logprobs_and_nothing_else() {
    let mut answer = answer(TWO);
    assert_eq!(answer.texts()[0].text, "ab");
    answer.set_text(0, "\"new\"".to_owned());
    let expected = TWO
        .replace("\"text\":\"a\"", "\"text\":\"\\\"new\\\"\"")
        .replace("\"text\":\"b\"", "\"text\":\"\"")
        .replace(r#"{"content":[1]}"#, "null");
    assert_eq!(answer.to_bytes(), expected);
}

#[test]
fn a_denied_choice_says_nothing_any_more() {
    let mut answer = answer(TWO);
    answer.set_text(0, "new".to_owned());
    answer.set_text(1, "lost".to_owned());
    let denied = |policy, code| Denied {
        choice: 1,
        policy,
        code,
        message: "no",
        status: 429,
        retry_after: Some(7),
    };
    answer.deny_choice(&denied("tone", "rude"));
    answer.deny_choice(&denied("other", "late"));
    let body = answer.to_bytes();
    assert_eq!(
        body,
        r#"{"choices":[{"index":0,"message":{"content":[{"type":"text","text":"new"},{"type":"text","text":""}],"refusal":null,"x":1.50},"logprobs":null,"finish_reason":"stop"},{"finish_reason":"content_filter","index":1,"message":{"content":null,"role":"assistant"}}],"n":123456789012345678901234567890,"witgate":{"policy":"tone","code":"rude","message":"no","status":429,"retry_after":7}}"#
    );
    let again = WholeAnswer::parse(body).unwrap();
    assert!(again.texts().iter().all(|text| text.choice == 0));
    assert_eq!(again.finishes()[1], (1, "content_filter".to_owned()));
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [
        "{}",
        r#"{"choices":[]}"#,
        "[]",
        "<html>",
        r#"{"choices":[{"message":{"content":"a","content":"b"}}]}"#,
    ] {
        assert!(
            WholeAnswer::parse(Bytes::copy_from_slice(body.as_bytes())).is_err(),
            "{body}"
        );
    }
}
