//! What is said of bodies that don't fit.

use super::*;

#[track_caller]
fn says(model: &str, members: &str, expected: &str) {
    let refused = chat(&with(members)).fits(model).unwrap_err();
    assert_eq!(refused.0, expected, "{members}");
}

#[test]
fn problems_are_told_in_the_words_of_cerebras() {
    for (members, expected) in [
        (
            r#""store":true,"top_k":1"#,
            "body.store: property 'body.store' is unsupported\nbody.top_k: property 'body.top_k' is unsupported",
        ),
        (
            r#""stream_options":{"x":1}"#,
            "stream_options.x: property 'stream_options.x' is unsupported",
        ),
        (
            r#""temperature":2.1"#,
            "body.temperature: Input should be less than or equal to 2",
        ),
        (
            r#""temperature":"hot""#,
            "body.temperature: Input should be a valid number",
        ),
        (
            r#""max_tokens":-2"#,
            "body.max_tokens: Input should be greater than or equal to -1",
        ),
        (
            r#""stop":["a","b","c","d","e"]"#,
            "body.stop: List should have at most 4 items",
        ),
        (
            r#""reasoning_effort":"minimal""#,
            "body.reasoning_effort: Input should be 'none' or 'low' or 'medium' or 'high'",
        ),
        (
            r#""logit_bias":{"7":101}"#,
            "body.logit_bias: Input should be less than or equal to 100",
        ),
        (
            r#""max_tokens":1,"max_completion_tokens":1"#,
            r#""max_tokens" is incompatible with "max_completion_tokens""#,
        ),
        (
            r#""tool_choice":"auto""#,
            r#""tool_choice" is not allowed without "tools""#,
        ),
        (
            r#""tools":[{"type":"function","function":{"name":"a b"}}]"#,
            "tools.0.function.name: String should match pattern '^[A-Za-z0-9_-]{1,64}$'",
        ),
        (
            r#""tools":[{"type":"web_search"}]"#,
            "tools.0: Input tag 'web_search' found using 'type' does not match any of the expected tags: 'function'",
        ),
    ] {
        says("m", members, expected);
    }
    says(
        "gpt-oss-120b",
        r#""tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"json_object"}"#,
        r#""tools" is incompatible with "response_format""#,
    );
    says(
        "gpt-oss-120b",
        r#""reasoning_effort":"none""#,
        r#""reasoning_effort" of "none" is not supported by this model"#,
    );
}

#[test]
fn messages_are_told_by_their_place_and_role() {
    let message = |role: &str, rest: &str| format!(r#"{{"role":"{role}",{rest}}}"#);
    let call = |id: &str| {
        message(
            "assistant",
            &format!(
                r#""tool_calls":[{{"id":"{id}","type":"function","function":{{"name":"f","arguments":""}}}}]"#
            ),
        )
    };
    let tool = |id: &str| message("tool", &format!(r#""tool_call_id":"{id}","content":"x""#));
    let user = message("user", r#""content":"a""#);
    for (messages, expected) in [
        (
            vec![
                user.clone(),
                message("assistant", r#""content":"a","reasoning_content":"b""#),
            ],
            "messages.1.assistant.reasoning_content: property 'messages.1.assistant.reasoning_content' is unsupported",
        ),
        (
            vec![message(
                "user",
                r#""content":[{"type":"text","text":"a","cache_control":{}}]"#,
            )],
            "messages.0.user.content.0.cache_control: property 'messages.0.user.content.0.cache_control' is unsupported",
        ),
        (
            vec![call("a"), user.clone()],
            "An assistant message with 'tool_calls' must be followed by a tool message for 'a'",
        ),
        (
            vec![message("developer", r#""content":"a""#)],
            "messages.0: role 'developer' is not supported by this model",
        ),
        (
            vec![tool("a")],
            "messages.0.tool.tool_call_id: no preceding tool call has the id 'a'",
        ),
        (
            vec![call("a"), tool("a"), call("a"), tool("a")],
            "messages.2.assistant.tool_calls: duplicate tool call id 'a'",
        ),
        (
            vec![message(
                "user",
                r#""content":[{"type":"image","image":"data:image/png;base64,AA"}]"#,
            )],
            "This model does not support image inputs",
        ),
    ] {
        let body = format!(r#"{{"model":"m","messages":[{}]}}"#, messages.join(","));
        assert_eq!(chat(&body).fits("llama3.1-8b").unwrap_err().0, expected);
    }
    let fine = format!(
        r#"{{"model":"m","messages":[{user},{},{}]}}"#,
        call("a"),
        tool("a")
    );
    assert_eq!(chat(&fine).fits("llama3.1-8b"), Ok(()));
}

#[test]
fn a_long_key_is_not_told_whole() {
    let key = "k".repeat(10_000);
    let refused = chat(&with(&format!(r#""{key}":1"#))).fits("m").unwrap_err();
    assert!(refused.0.len() < 300, "{}", refused.0.len());
}
