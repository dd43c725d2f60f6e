#![expect(clippy::unwrap_used, reason = "a test")]

mod events;

use super::*;
use crate::json::BadRequest;
use crate::{Channel, Dialect, Request, Role};

fn read(body: &str) -> Result<Request, BadRequest> {
    request(body.as_bytes())
}

fn chat(body: &str) -> String {
    let request = read(body).unwrap_or_else(|bad| panic!("{body}: {bad:?}"));
    String::from_utf8(request.to_bytes(None).to_vec()).unwrap()
}

/// The messages that stand for this input.
fn messages(input: &str) -> String {
    let chat = chat(&format!(r#"{{"model":"m","input":{input}}}"#));
    let chat = chat.strip_prefix(r#"{"model":"m","messages":"#).unwrap();
    chat.strip_suffix('}').unwrap().to_owned()
}

/// What else stands in the chat request.
fn members(more: &str) -> String {
    let chat = chat(&format!(r#"{{"model":"m","input":"i",{more}}}"#));
    let chat = chat.strip_prefix(r#"{"model":"m","messages":[{"role":"user","content":"i"}]"#);
    chat.unwrap().strip_suffix('}').unwrap().to_owned()
}

#[test]
fn a_text_is_a_message_and_instructions_come_first() {
    assert_eq!(
        messages(r#""hi \u00e9""#),
        r#"[{"role":"user","content":"hi \u00e9"}]"#
    );
    assert_eq!(
        chat(
            r#"{"input":[{"role":"system","content":"s"},{"role":"user","content":"u"}],"instructions":"be brief","model":"m"}"#
        ),
        r#"{"model":"m","messages":[{"role":"system","content":"be brief"},{"role":"system","content":"s"},{"role":"user","content":"u"}]}"#
    );
    for nothing in ["null", "\"\""] {
        let body = format!(r#"{{"model":"m","input":"i","instructions":{nothing}}}"#);
        assert_eq!(
            chat(&body),
            r#"{"model":"m","messages":[{"role":"user","content":"i"}]}"#
        );
    }
    let request = read(r#"{"model":"m","input":"hi","instructions":"be brief"}"#).unwrap();
    assert_eq!(
        (request.endpoint(), request.dialect()),
        ("responses", Dialect::Chat)
    );
    let segments = request.segments(0);
    assert_eq!(
        (segments[0].role, &*segments[0].text),
        (Role::System, "be brief")
    );
}

#[test]
fn messages_have_texts_or_parts() {
    for (item, message) in [
        (
            r#"{"role":"user","content":"a"}"#,
            r#"{"role":"user","content":"a"}"#,
        ),
        (
            r#"{"type":"message","role":"developer","content":"a"}"#,
            r#"{"role":"system","content":"a"}"#,
        ),
        (
            r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"a\u0021"}]}"#,
            r#"{"role":"user","content":"a\u0021"}"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_image","image_url":"data:x","detail":"low","file_id":null}]}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:x","detail":"low"}}]}"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"input_image","image_url":"data:x"}]}"#,
            r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:x"}}]}"#,
        ),
        (
            r#"{"role":"user","content":[{"type":"input_file","file_data":"x","filename":"f"},{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}]}"#,
            r#"{"role":"user","content":[{"type":"file","file":{"file_data":"x","filename":"f"}},{"type":"input_audio","input_audio":{"data":"x","format":"wav"}}]}"#,
        ),
        (
            r#"{"role":"user","content":[]}"#,
            r#"{"role":"user","content":""}"#,
        ),
        (
            r#"{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[],"logprobs":[]},{"type":"output_text","text":"b"}]}"#,
            r#"{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}"#,
            r#"{"role":"assistant","refusal":"no"}"#,
        ),
        (
            r#"{"role":"assistant","content":[{"type":"output_text","text":"a"},{"type":"refusal","refusal":"no"}]}"#,
            r#"{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"no"}]}"#,
        ),
        (
            r#"{"type":"function_call_output","call_id":"c","output":"o"}"#,
            r#"{"role":"tool","tool_call_id":"c","content":"o"}"#,
        ),
        (
            r#"{"type":"function_call_output","call_id":"c","output":null,"status":"incomplete"}"#,
            r#"{"role":"tool","tool_call_id":"c","content":""}"#,
        ),
        (
            r#"{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"o"}]}"#,
            r#"{"role":"tool","tool_call_id":"c","content":"o"}"#,
        ),
    ] {
        assert_eq!(
            messages(&format!("[{item}]")),
            format!("[{message}]"),
            "{item}"
        );
    }
}

const THOUGHT: &str = r#"{"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"t"}],"encrypted_content":null,"status":"completed"}"#;
const SAID: &str = r#"{"role":"assistant","content":"s"}"#;
const CALL: &str = r#"{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1.50}","status":"completed"}"#;
const CALL_2: &str = r#"{"type":"function_call","call_id":"c2","name":"g","arguments":""}"#;
const RESULT: &str = r#"{"type":"function_call_output","call_id":"c1","output":"o"}"#;
const USER: &str = r#"{"role":"user","content":"u"}"#;

/// The items of one turn of the model's are one message, which is what the next turn needs to be taken.
#[test]
fn a_turn_is_one_message() {
    let call =
        r#"{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.50}"}}"#;
    let call_2 = r#"{"id":"c2","type":"function","function":{"name":"g","arguments":""}}"#;
    let result = r#"{"role":"tool","tool_call_id":"c1","content":"o"}"#;
    for (items, expected) in [
        (vec![THOUGHT, SAID], r#"{"role":"assistant","reasoning":"t","content":"s"}"#.to_owned()),
        // Text and calls are one message, and so are calls in a row.
        (
            vec![THOUGHT, SAID, CALL, CALL_2, RESULT],
            format!(r#"{{"role":"assistant","reasoning":"t","content":"s","tool_calls":[{call},{call_2}]}},{result}"#),
        ),
        (
            vec![CALL, THOUGHT, CALL_2, RESULT],
            format!(r#"{{"role":"assistant","reasoning":"t","tool_calls":[{call},{call_2}]}},{result}"#),
        ),
        // What was said after a call belongs to it: no message may stand between a call and its result.
        (
            vec![CALL, SAID, RESULT],
            format!(r#"{{"role":"assistant","content":"s","tool_calls":[{call}]}},{result}"#),
        ),
        (
            vec![CALL, RESULT, CALL_2],
            format!(r#"{{"role":"assistant","tool_calls":[{call}]}},{result},{{"role":"assistant","tool_calls":[{call_2}]}}"#),
        ),
        // Reasoning that came late, as behind a stage that holds its last word back.
        (
            vec![SAID, THOUGHT, USER],
            format!(r#"{{"role":"assistant","reasoning":"t","content":"s"}},{USER}"#),
        ),
        (
            vec![SAID, THOUGHT, SAID],
            r#"{"role":"assistant","content":"s"},{"role":"assistant","reasoning":"t","content":"s"}"#.to_owned(),
        ),
        (
            vec![THOUGHT, THOUGHT, SAID],
            r#"{"role":"assistant","reasoning":"t\nt","content":"s"}"#.to_owned(),
        ),
        // Reasoning alone is nobody's.
        (vec![USER, THOUGHT, USER], format!("{USER},{USER}")),
        (vec![USER, THOUGHT], USER.to_owned()),
    ] {
        let input = format!("[{}]", items.join(","));
        assert_eq!(messages(&input), format!("[{expected}]"), "{input}");
    }
    let request = read(&format!(
        r#"{{"model":"m","input":[{THOUGHT},{SAID},{CALL}]}}"#
    ))
    .unwrap();
    let channels: Vec<_> = request
        .segments(0)
        .into_iter()
        .map(|it| it.channel)
        .collect();
    assert!(
        matches!(&channels[..], [Channel::Reasoning, Channel::Content, Channel::ToolArguments(call)] if call.name() == "f"),
        "{channels:?}"
    );
}

#[test]
fn reasoning_is_the_text_or_what_a_client_kept_of_it_or_a_summary() {
    let of = |members: &str| {
        let item = format!(r#"{{"type":"reasoning",{members}}}"#);
        messages(&format!("[{item},{SAID}]"))
    };
    let thought =
        |text: &str| format!(r#"[{{"role":"assistant","reasoning":"{text}","content":"s"}}]"#);
    let text = r#""content":[{"type":"reasoning_text","text":"a \"b\""},{"type":"reasoning_text","text":"c"}]"#;
    assert_eq!(of(text), thought(r#"a \"b\"\nc"#));
    let kept = r#""encrypted_content":"witgate-reasoning:a \"b\"""#;
    assert_eq!(of(kept), thought(r#"a \"b\""#));
    let summary = r#""summary":[{"type":"summary_text","text":"d"}]"#;
    assert_eq!(of(summary), thought("d"));
    assert_eq!(of(&format!("{kept},{summary}")), thought(r#"a \"b\""#));
    assert_eq!(
        of(&format!("{text},{kept},{summary}")),
        thought(r#"a \"b\"\nc"#)
    );
    let others = r#""summary":[],"encrypted_content":"gAAAAA""#;
    assert_eq!(of(others), format!("[{SAID}]"));
}

#[test]
fn parameters_keep_their_digits_under_their_names_in_chat() {
    for (more, expected) in [
        (
            r#""max_output_tokens":5,"temperature":0.50,"top_p":1e0"#,
            r#","max_completion_tokens":5,"temperature":0.50,"top_p":1e0"#,
        ),
        (
            r#""stream":true"#,
            r#","stream":true,"stream_options":{"include_usage":true}"#,
        ),
        (
            r#""stream":false,"stream_options":{"include_obfuscation":false}"#,
            r#","stream":false"#,
        ),
        (
            r#""user":"u","metadata":{"a":"b"},"service_tier":"flex""#,
            r#","user":"u","metadata":{"a":"b"},"service_tier":"flex""#,
        ),
        (
            r#""parallel_tool_calls":false,"prompt_cache_key":"k""#,
            r#","parallel_tool_calls":false,"prompt_cache_key":"k""#,
        ),
        (
            r#""top_logprobs":2"#,
            r#","logprobs":true,"top_logprobs":2"#,
        ),
        (
            r#""include":["message.output_text.logprobs"]"#,
            r#","logprobs":true"#,
        ),
        (
            r#""reasoning":{"effort":"low","summary":"auto"}"#,
            r#","reasoning_effort":"low""#,
        ),
        (
            r#""text":{"format":{"type":"text"},"verbosity":"low"}"#,
            r#","verbosity":"low""#,
        ),
        (
            r#""text":{"format":{"type":"json_object"}}"#,
            r#","response_format":{"type":"json_object"}"#,
        ),
        (
            r#""text":{"format":{"schema":{"type":"object"},"strict":true,"type":"json_schema","name":"n","description":null}}"#,
            r#","response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}}"#,
        ),
        // What changes nothing here.
        (
            r#""store":false,"include":["reasoning.encrypted_content"],"truncation":"auto","background":false,"previous_response_id":null,"max_tool_calls":3,"client_metadata":{"a":"b"},"temperature":null"#,
            "",
        ),
    ] {
        assert_eq!(members(more), expected, "{more}");
    }
}

#[test]
fn tools_are_nested_and_the_choice_of_them_is_kept() {
    const F: &str = r#"{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":true}"#;
    const G: &str =
        r#"{"name":"g","type":"function","parameters":null,"strict":null,"defer_loading":false}"#;
    let nested_f = r#"{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},"strict":true}}"#;
    let nested_g = r#"{"type":"function","function":{"name":"g"}}"#;
    for (choice, expected) in [
        ("null", format!(r#","tools":[{nested_f},{nested_g}]"#)),
        (
            r#""required""#,
            format!(r#","tools":[{nested_f},{nested_g}],"tool_choice":"required""#),
        ),
        (
            r#"{"type":"function","name":"g"}"#,
            format!(
                r#","tools":[{nested_f},{nested_g}],"tool_choice":{{"type":"function","function":{{"name":"g"}}}}"#
            ),
        ),
        (
            r#"{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"g"},{"type":"function","name":"g"}]}"#,
            format!(r#","tools":[{nested_g}],"tool_choice":"required""#),
        ),
    ] {
        let more = format!(r#""tools":[{F},{G}],"tool_choice":{choice}"#);
        assert_eq!(members(&more), expected);
    }
    assert_eq!(members(r#""tools":[],"tool_choice":"auto""#), "");
    assert_eq!(members(r#""tool_choice":"none""#), "");
}

/// What can't be done is refused by name, before anybody is asked, and never left out in silence.
#[test]
fn nothing_is_dropped_silently() {
    let tool =
        |tool: &str| format!(r#""input":"i","tools":[{{"type":"function","name":"f"}},{tool}]"#);
    let item = |item: &str| format!(r#""input":[{{"role":"user","content":"u"}},{item}]"#);
    let choice = |choice: &str| {
        format!(r#""input":"i","tools":[{{"type":"function","name":"f"}}],"tool_choice":{choice}"#)
    };
    for (more, param) in [
        (
            r#""input":"i","previous_response_id":"resp_1""#.to_owned(),
            "previous_response_id",
        ),
        (
            r#""input":"i","conversation":{"id":"c"}"#.to_owned(),
            "conversation",
        ),
        (r#""input":"i","background":true"#.to_owned(), "background"),
        (r#""input":"i","prompt":{"id":"p"}"#.to_owned(), "prompt"),
        (
            r#""input":"i","moderation":{"model":"m"}"#.to_owned(),
            "moderation",
        ),
        (r#""input":"i","Input":"j""#.to_owned(), "Input"),
        (r#""input":"i","unknown":1"#.to_owned(), "unknown"),
        (
            r#""input":"i","include":["file_search_call.results"]"#.to_owned(),
            "include[0]",
        ),
        (r#""input":"i","truncation":"odd""#.to_owned(), "truncation"),
        (
            r#""input":"i","text":{"format":{"type":"grammar"}}"#.to_owned(),
            "text.format.type",
        ),
        (
            r#""input":"i","text":{"format":{"type":"json_schema","schema":{}}}"#.to_owned(),
            "text.format.name",
        ),
        (
            r#""input":"i","reasoning":{"mode":"pro"}"#.to_owned(),
            "reasoning.mode",
        ),
        (tool(r#"{"type":"web_search"}"#), "tools[1].type"),
        (
            tool(r#"{"type":"custom","name":"apply_patch"}"#),
            "tools[1].type",
        ),
        (tool(r#"{"type":"local_shell"}"#), "tools[1].type"),
        (tool(r#"{"type":"function"}"#), "tools[1].name"),
        (
            tool(r#"{"type":"function","name":"g","defer_loading":true}"#),
            "tools[1].defer_loading",
        ),
        (
            choice(r#"{"type":"custom","name":"f"}"#),
            "tool_choice.type",
        ),
        (
            choice(r#"{"type":"function","name":"g"}"#),
            "tool_choice.name",
        ),
        (choice(r#""any""#), "tool_choice"),
        (
            choice(
                r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"mcp","server_label":"s"}]}"#,
            ),
            "tool_choice.tools[0].type",
        ),
        (
            choice(
                r#"{"type":"allowed_tools","mode":"auto","tools":[{"type":"function","name":"f"},{"type":"function","name":"g"}]}"#,
            ),
            "tool_choice.tools",
        ),
        (
            r#""input":"i","tool_choice":"required""#.to_owned(),
            "tool_choice",
        ),
        (
            item(r#"{"type":"item_reference","id":"msg_1"}"#),
            "input[1].type",
        ),
        (item(r#"{"id":"msg_1"}"#), "input[1].type"),
        (
            item(r#"{"type":"web_search_call","id":"w","status":"completed"}"#),
            "input[1].type",
        ),
        (
            item(r#"{"type":"custom_tool_call","call_id":"c","name":"n","input":"i"}"#),
            "input[1].type",
        ),
        (
            item(r#"{"role":"user","content":"u","weight":1}"#),
            "input[1].weight",
        ),
        (item(r#"{"role":"tool","content":"u"}"#), "input[1].role"),
        (item(r#"{"role":"user"}"#), "input[1].content"),
        (
            item(r#"{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"odd"}]}"#),
            "input[1].content[1].type",
        ),
        (
            item(r#"{"role":"user","content":[{"type":"input_image","file_id":"f"}]}"#),
            "input[1].content[0].file_id",
        ),
        (
            item(r#"{"role":"user","content":[{"type":"input_text","text":5}]}"#),
            "input[1].content[0].text",
        ),
        (
            item(r#"{"type":"function_call","name":"f","arguments":"{}"}"#),
            "input[1].call_id",
        ),
        (
            item(r#"{"type":"function_call_output","call_id":"c","output":{"a":1}}"#),
            "input[1].output",
        ),
        (
            item(r#"{"type":"reasoning","content":[{"type":"odd","text":"t"}]}"#),
            "input[1].content[0].type",
        ),
        (item("5"), "input[1]"),
        (r#""input":[]"#.to_owned(), "input"),
        (r#""input":{}"#.to_owned(), "input"),
        (r#""instructions":"x""#.to_owned(), "input"),
        (
            r#""input":"i","instructions":["x"]"#.to_owned(),
            "instructions",
        ),
    ] {
        let bad = read(&format!(r#"{{"model":"m",{more}}}"#)).map(|it| it.to_bytes(None));
        let bad = bad.expect_err(&more);
        assert_eq!(bad.param, param, "{more}: {}", bad.message);
        assert!(bad.message.contains(param), "{more}: {}", bad.message);
    }
    for body in ["", "[]", "{", r#"{"model":"m","input":"i"} x"#, "\u{1}"] {
        assert_eq!(read(body).expect_err(body).param, "");
    }
    assert_eq!(read(r#"{"input":"i"}"#).unwrap_err().param, "model");
}

/// One reader would take the first, another the last.
#[test]
fn a_key_stands_once_in_each_object() {
    for (body, param) in [
        (r#"{"model":"m","input":"a","input":"b"}"#, "input"),
        (r#"{"model":"m","input":"a","\u0069nput":"b"}"#, "input"),
        (
            r#"{"model":"m","input":[{"role":"user","content":"a","content":"b"}]}"#,
            "input[0].content",
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":null,"content":"b"}]}"#,
            "input[0].content",
        ),
        (
            r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]}]}"#,
            "input[0].content[0].text",
        ),
        (
            r#"{"model":"m","input":[{"type":"message","type":"reasoning","role":"user","content":"a"}]}"#,
            "input[0].type",
        ),
        (
            r#"{"model":"m","input":"a","tools":[{"type":"function","name":"f","name":"g"}]}"#,
            "tools[0].name",
        ),
        (
            r#"{"model":"m","input":"a","text":{"format":{"type":"text","type":"json_object"}}}"#,
            "text.format.type",
        ),
        (
            r#"{"model":"m","input":"a","metadata":{"x":"1","x":"2"}}"#,
            "metadata.x",
        ),
        (
            r#"{"model":"m","input":"a","tools":[{"type":"function","name":"f","parameters":{"a":1,"a":2}}]}"#,
            "tools[0].function.parameters.a",
        ),
    ] {
        let bad = read(body).map(|it| it.to_bytes(None)).expect_err(body);
        assert_eq!(bad.param, param, "{body}: {}", bad.message);
    }
}

#[test]
fn what_a_policy_edits_stays_a_response() {
    let request = read(r#"{"model":"m","input":"hi"}"#).unwrap();
    let mut draft = request.draft();
    draft.replace_segment(0, "ho").unwrap();
    let edited = draft.commit().unwrap();
    assert_eq!(
        (&*edited.segments(0)[0].text, edited.endpoint()),
        ("ho", "responses")
    );
    assert!(edited.bridge().is_some());
}

/// Instructions, tools and schemas can be read by a policy, and pictures can't: so they are refused where one judges.
#[test]
fn everything_that_goes_on_is_shown_to_policies() {
    let request = read(r#"{"model":"m","instructions":"words of instruction","input":[{"role":"user","content":[{"type":"input_text","text":"words of a user"},{"type":"input_image","image_url":"data:x"}]}],"tools":[{"type":"function","name":"a_name","description":"words of a tool","parameters":{"properties":{"some property":{"description":"words of a schema"}}}}],"text":{"format":{"type":"json_schema","name":"fmt","schema":{"title":"words of a format"}}},"user":"words of who","metadata":{"key of metadata":"words of metadata"},"prompt_cache_key":"words of a key"}"#).unwrap();
    let texts = request.texts();
    for text in [
        "words of instruction",
        "words of a user",
        "a_name",
        "words of a tool",
        "some property",
        "words of a schema",
        "words of a format",
        "words of who",
        "key of metadata",
        "words of metadata",
        "words of a key",
    ] {
        assert!(texts.iter().any(|it| it.text == text), "{text}");
    }
    assert_eq!(request.opaque_part(), Some("/messages/1/content/1"));
    assert_eq!(request.tools()[0].name, "a_name");
}

#[test]
fn an_answer_repeats_what_was_asked_and_no_more_than_is_short() {
    let body = r#"{"id":"chatcmpl-1","created":7,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"content":"a"}}]}"#;
    let answered = |request: &str| {
        let request = read(request).unwrap();
        let whole = request.bridge().unwrap().whole(body.into()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&whole).unwrap()
    };
    let said = answered(
        r#"{"model":"m","input":"i","tools":[{"type":"function","name":"f"}],"temperature":0.50,"metadata":{"a":
"b"},"store":true,"truncation":"auto","max_output_tokens":9}"#,
    );
    assert_eq!(said["tools"][0]["name"], "f");
    assert_eq!(
        (&said["temperature"], &said["max_output_tokens"]),
        (&0.5.into(), &9.into())
    );
    assert_eq!(said["metadata"]["a"], "b");
    // What is so, and not what was asked.
    assert_eq!(
        (&said["store"], &said["truncation"]),
        (&false.into(), &"disabled".into())
    );
    assert_eq!(said["output"][0]["id"], "msg_1");
    let long = format!(
        r#"{{"model":"m","input":"i","instructions":"{}"}}"#,
        "a".repeat(20_000)
    );
    assert!(answered(&long)["instructions"].is_null());
    for name in [
        "error",
        "incomplete_details",
        "instructions",
        "previous_response_id",
        "usage",
    ] {
        assert_eq!(
            answered(r#"{"model":"m","input":"i"}"#).get(name),
            Some(&serde_json::Value::Null),
            "{name}"
        );
    }
}

/// The same items with the same ids, whole and streamed; and a call's own id is another one.
#[test]
fn ids_are_the_same_whole_and_streamed() {
    let request = read(r#"{"model":"m","input":"i"}"#).unwrap();
    let bridge = request.bridge().unwrap();
    let said = |name: &str, call: &str| {
        format!(
            r#"{{"id":"chatcmpl-7","created":7,"model":"m","choices":[{{"index":0,"finish_reason":"tool_calls","{name}":{{"reasoning":"r","content":"c","tool_calls":[{{{call}"id":"x1","type":"function","function":{{"name":"f","arguments":"{{}}"}}}}]}}}}]}}"#
        )
    };
    let whole = bridge.whole(said("message", "").into()).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&whole).unwrap();
    let mut stream = bridge.stream().unwrap();
    let event = format!("data: {}\n\n", said("delta", "\"index\":0,"));
    let mut events = stream.write(event.into()).to_vec();
    events.extend_from_slice(&stream.end());
    let events = String::from_utf8(events).unwrap();
    let last = events
        .lines()
        .rfind(|line| line.starts_with("data: "))
        .unwrap();
    let last: serde_json::Value = serde_json::from_str(&last[6..]).unwrap();
    assert_eq!(last["response"], whole);
    let ids: Vec<_> = whole["output"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["rs_7", "msg_7", "fc_7_0"]);
    assert_eq!(whole["output"][2]["call_id"], "x1");
}

#[test]
fn a_long_id_of_an_upstreams_makes_no_id_longer_than_clients_take() {
    let output = output::Output::of(&"ü".repeat(200));
    assert!(output.id().len() <= 64);
}
