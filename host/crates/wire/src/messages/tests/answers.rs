//! Whole answers.

use super::*;

fn told(body: &str) -> Value {
    let told = answer(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    json(std::str::from_utf8(&told).unwrap())
}

fn saying(message: &str, finish: &str) -> Value {
    told(&format!(
        r#"{{"id":"chatcmpl-1","model":"m","choices":[{{"index":0,"finish_reason":"{finish}","message":{message}}}]}}"#
    ))
}

#[test]
fn a_chats_answer_is_a_message() {
    let told = answer(Bytes::from_static(
        br#"{"id":"chatcmpl-d89b","choices":[{"finish_reason":"tool_calls","index":0,"message":{"reasoning":"hm","content":"a \"b\"","tool_calls":[{"function":{"name":"f","arguments":"{ \"n\": 1.50 }"},"type":"function","id":"85e4fd267"},{"function":{"name":"g","arguments":""},"type":"function","id":"x"}],"role":"assistant"}}],"created":1,"model":"m","usage":{"total_tokens":387,"completion_tokens":65,"prompt_tokens":322,"prompt_tokens_details":{"cached_tokens":256}}}"#,
    ));
    assert_eq!(
        String::from_utf8(told.unwrap().to_vec()).unwrap(),
        concat!(
            r#"{"id":"msg_d89b","type":"message","role":"assistant","model":"m","content":["#,
            r#"{"type":"thinking","thinking":"hm","signature":"d2l0Z2F0ZQ=="},{"type":"text","text":"a \"b\""},"#,
            r#"{"type":"tool_use","id":"85e4fd267","name":"f","input":{ "n": 1.50 }},{"type":"tool_use","id":"x","name":"g","input":{}}],"#,
            r#""stop_reason":"tool_use","stop_sequence":null,"#,
            r#""usage":{"input_tokens":66,"cache_creation_input_tokens":0,"cache_read_input_tokens":256,"output_tokens":65}}"#
        )
    );
}

#[test]
fn why_an_answer_ended_is_told_in_anthropics_words() {
    const CALL: &str = r#"{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}"#;
    for (message, finish, word) in [
        ("{}", "stop", "end_turn"),
        ("{}", "length", "max_tokens"),
        ("{}", "content_filter", "refusal"),
        ("{}", "odd", "end_turn"),
        (CALL, "tool_calls", "tool_use"),
        (CALL, "stop", "tool_use"),
        (CALL, "length", "max_tokens"),
    ] {
        let told = saying(message, finish);
        assert_eq!(told["stop_reason"], word, "{finish}");
        assert_eq!(told["stop_sequence"], Value::Null);
        assert_eq!(told.get("stop_details"), None);
    }
}

#[test]
fn a_denial_keeps_its_code_and_its_sentence() {
    let told = told(
        r#"{"id":"1","model":"m","choices":[{"finish_reason":"content_filter","index":0,"message":{"content":null,"role":"assistant"}}],"witgate":{"policy":"p","code":"leak","message":"It says \"no\"."}}"#,
    );
    assert_eq!(told["stop_reason"], "refusal");
    assert_eq!(told["stop_details"]["explanation"], "It says \"no\".");
    assert_eq!(told["witgate"]["code"], "leak");
    assert_eq!(told["content"], json("[]"));
}

#[test]
fn arguments_that_are_no_object_are_told_as_the_text_that_they_are() {
    for arguments in ["{\"a\":", "[1]", "3", "\"{}\"", "{} {}", &"[".repeat(500)] {
        let told = saying(
            &format!(
                r#"{{"tool_calls":[{{"id":"i","function":{{"name":"f","arguments":{}}}}}]}}"#,
                serde_json::to_string(arguments).unwrap()
            ),
            "tool_calls",
        );
        assert_eq!(
            told["content"][0]["input"],
            serde_json::json!({"unparsed_arguments": arguments})
        );
    }
    let told = saying(
        r#"{"tool_calls":[{"function":{"name":"f","arguments":" {} "}},{"function":{"name":"g","arguments":"{}"}}]}"#,
        "stop",
    );
    assert_eq!(told["content"][0]["input"], json("{}"));
    // Ids that the upstream left out are made, and differ.
    assert_eq!(
        (&told["content"][0]["id"], &told["content"][1]["id"]),
        (&"toolu_1_0".into(), &"toolu_1_1".into())
    );
}

#[test]
fn what_is_thought_twice_is_told_once() {
    let told = saying(
        r#"{"reasoning_content":"hm","reasoning":"hm","content":[{"type":"text","text":"a"},{"type":"text","text":"a"}],"refusal":"no"}"#,
        "stop",
    );
    let content = told["content"].as_array().unwrap();
    let texts: Vec<&str> = content
        .iter()
        .map(|block| {
            block["text"]
                .as_str()
                .or(block["thinking"].as_str())
                .unwrap()
        })
        .collect();
    assert_eq!(texts, ["hm", "aa", "no"]);
    let told = saying(r#"{"reasoning_content":"hm"}"#, "stop");
    assert_eq!(told["content"][0]["thinking"], "hm");
    assert!(answer(Bytes::from_static(b"{}")).is_err());
}
