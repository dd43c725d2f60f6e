//! Streamed answers.

use super::*;
use crate::bridge::Bridge;

const DONE: &str = "data: [DONE]\n\n";

fn chunk(delta: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"choices\":[{{\"delta\":{delta},\"index\":0}}],\"model\":\"m\"}}\n\n"
    )
}

fn finish(reason: &str) -> String {
    format!(
        "data: {{\"id\":\"chatcmpl-1\",\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{reason}\",\"index\":0}}],\"model\":\"m\"}}\n\n"
    )
}

/// What a client gets of a stream, in pieces of that size.
fn written(stream: &str, size: usize) -> String {
    let mut writer = Bridge::Messages.stream().unwrap();
    let mut out = Vec::new();
    for piece in stream.as_bytes().chunks(size) {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    String::from_utf8(out).unwrap()
}

/// The data of its events, which it has in the same way at every cut, after a check that each has its own name.
fn events(stream: &str) -> Vec<Value> {
    let all = written(stream, stream.len());
    for size in [1, 2, 7, 64] {
        assert_eq!(written(stream, size), all, "{stream} by {size}");
    }
    let events = all.split_terminator("\n\n").map(|event| {
        let (name, data) = event.split_once('\n').unwrap();
        let data = json(data.strip_prefix("data: ").unwrap());
        assert_eq!(name, format!("event: {}", data["type"].as_str().unwrap()));
        data
    });
    events.collect()
}

/// The events in short: `start`, `0 text hi`, `stop 0`.
fn short(stream: &str) -> Vec<String> {
    let told = events(stream).into_iter().map(|event| {
        let index = &event["index"];
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                let block = &event["content_block"];
                format!("{index} {}", block["type"].as_str().unwrap())
            }
            "content_block_delta" => {
                let delta = event["delta"].as_object().unwrap();
                let text = delta.values().nth(1).unwrap();
                format!(
                    "{index} {} {text}",
                    delta["type"].as_str().unwrap().trim_end_matches("_delta")
                )
            }
            "content_block_stop" => format!("stop {index}"),
            "message_delta" => format!("end {}", event["delta"]["stop_reason"].as_str().unwrap()),
            "error" => format!("error {}", event["error"]["type"].as_str().unwrap()),
            other => other.to_owned(),
        }
    });
    told.collect()
}

#[test]
fn a_stream_is_a_message_of_blocks() {
    let stream = [
        &chunk(r#"{"role":"assistant"}"#),
        &chunk(r#"{"reasoning":"h"}"#),
        &chunk(r#"{"reasoning":"m"}"#),
        &chunk(r#"{"content":"a \"b\"\n"}"#),
        "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\",\"index\":0}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\n",
        DONE,
    ]
    .concat();
    let usage = r#"{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}"#;
    let expected = [
        format!(r#"{{"type":"message_start","message":{{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{usage}}}}}"#),
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#.into(),
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"h"}}"#.into(),
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"m"}}"#.into(),
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#.into(),
        r#"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"a \"b\"\n"}}"#.into(),
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"d2l0Z2F0ZQ=="}}"#.into(),
        r#"{"type":"content_block_stop","index":0}"#.into(),
        r#"{"type":"content_block_stop","index":1}"#.into(),
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":3}}"#.into(),
        r#"{"type":"message_stop"}"#.into(),
    ];
    let expected: Vec<Value> = expected.iter().map(|event| json(event)).collect();
    assert_eq!(events(&stream), expected);
}

#[test]
fn calls_are_blocks_of_their_own_however_they_come() {
    // Two in one chunk, one of them without arguments; then a piece of the first.
    let stream = [
        chunk(r#"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":""}}]}"#),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"#),
        finish("tool_calls"),
        DONE.into(),
    ]
    .concat();
    assert_eq!(
        short(&stream),
        [
            "message_start",
            "0 tool_use",
            r#"0 input_json "{\"x\"""#,
            "1 tool_use",
            r#"0 input_json ":1}""#,
            "stop 0",
            "stop 1",
            "end tool_use",
            "message_stop"
        ]
    );
    let starts = events(&stream);
    let block = &starts[1]["content_block"];
    assert_eq!(
        block,
        &json(r#"{"type":"tool_use","id":"a","name":"f","input":{}}"#)
    );
    // One of the old kind, which has no id, and is said to have stopped.
    let old = [
        chunk(r#"{"function_call":{"name":"f","arguments":"{}"}}"#),
        finish("stop"),
        DONE.into(),
    ];
    let told = events(&old.concat());
    assert_eq!(told[1]["content_block"]["id"], "toolu_1_0");
    assert_eq!(told[4]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn a_late_word_goes_to_its_own_block() {
    let stream = [
        chunk(r#"{"reasoning":"think"}"#),
        chunk(r#"{"content":"say"}"#),
        chunk(r#"{"reasoning":"ing"}"#),
        chunk(r#"{"content":"ing"}"#),
        finish("stop"),
        DONE.into(),
    ];
    assert_eq!(
        short(&stream.concat())[1..9],
        [
            "0 thinking",
            r#"0 thinking "think""#,
            "1 text",
            r#"1 text "say""#,
            r#"0 thinking "ing""#,
            r#"1 text "ing""#,
            r#"0 signature "d2l0Z2F0ZQ==""#,
            "stop 0",
        ]
    );
}

#[test]
fn usage_may_come_after_the_finish_and_other_choices_say_nothing() {
    let stream = [
        chunk(r#"{"content":"a"}"#),
        "data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"index\":1}]}\n\n".into(),
        finish("length"),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":8}}\n\n".into(),
        DONE.into(),
    ]
    .concat();
    assert_eq!(
        short(&stream),
        [
            "message_start",
            "0 text",
            r#"0 text "a""#,
            "stop 0",
            "end max_tokens",
            "message_stop"
        ]
    );
    let usage = &events(&stream)[4]["usage"];
    assert_eq!(
        (&usage["input_tokens"], &usage["output_tokens"]),
        (&7.into(), &8.into())
    );
    assert_eq!(
        short(&(finish("stop") + DONE)),
        ["message_start", "end end_turn", "message_stop"]
    );
}

#[test]
fn nothing_follows_an_error_and_a_denial_keeps_its_code() {
    let broken = [
        chunk(r#"{"content":"a"}"#),
        "data: {\"status_code\":429,\"error\":{\"message\":\"no\",\"type\":\"t\",\"param\":\"\",\"code\":\"queue_exceeded\",\"id\":\"\"}}\n\n".into(),
        chunk(r#"{"content":"b"}"#),
        DONE.into(),
    ]
    .concat();
    assert_eq!(
        short(&broken),
        [
            "message_start",
            "0 text",
            r#"0 text "a""#,
            "error rate_limit_error"
        ]
    );
    assert_eq!(
        events(&broken)[3]["error"],
        json(r#"{"type":"rate_limit_error","message":"no","code":"queue_exceeded"}"#)
    );
    let denied = [
        chunk(r#"{"content":"a"}"#),
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\",\"index\":0}],\"witgate\":{\"policy\":\"p\",\"code\":\"leak\",\"message\":\"No.\",\"status\":429,\"retry_after\":7}}\n\n".into(),
        DONE.into(),
    ]
    .concat();
    let told = events(&denied);
    assert_eq!(
        (&told[4]["delta"], &told[4]["witgate"]),
        (
            &json(
                r#"{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":"No."}}"#
            ),
            &json(r#"{"policy":"p","code":"leak","message":"No.","status":429,"retry_after":7}"#)
        )
    );
}

#[test]
fn what_is_thought_twice_is_streamed_once() {
    let stream = [
        chunk(r#"{"reasoning":"h","reasoning_content":"h"}"#),
        chunk(r#"{"reasoning_content":"m","reasoning":"m"}"#),
        finish("stop"),
        DONE.into(),
    ];
    assert_eq!(
        short(&stream.concat())[1..4],
        ["0 thinking", r#"0 thinking "h""#, r#"0 thinking "m""#]
    );
}

#[test]
fn what_stands_in_a_denials_place_is_told_as_texts_and_numbers() {
    let stream = [
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"content_filter\",\"index\":0}],\"witgate\":{\"code\":\"\\ud800\",\"message\":{\"a\":1},\"status\":\"403\",\"retry_after\":-1,\"x\":\"y\"}}\n\n",
        DONE,
    ]
    .concat();
    assert_eq!(
        events(&stream)[1]["witgate"],
        json("{\"policy\":\"\",\"code\":\"\u{fffd}\",\"message\":\"\"}")
    );
}
