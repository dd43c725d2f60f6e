#![expect(clippy::unwrap_used, reason = "a test")]
use super::*;
use crate::{Channel, ToolCall};
use proptest::prelude::*;
use serde_json::json;

fn request(body: &str) -> Request {
    Request::parse(Dialect::Chat, Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

const FULL: &str = r#"{ "stream" : true,"prediction":{"type":"content","content":[{"type":"text","text":"p0"},{"type":"text","text":"p1"}]},
"messages":[
 {"role":"system","content":"s"},
 {"content":[{"type":"text","text":"u0"},{"type":"image_url","image_url":{"url":"data:"}},{"type":"text","text":"u1"}],"role":"user","name":"ann"},
 {"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"raw"}}],"reasoning":"r","content":null,"refusal":"no"},
 {"role":"assistant","reasoning_content":[{"type":"text","text":"rc"}],"content":[{"type":"refusal","refusal":"never"}],"function_call":{"name":"h","arguments":"[]"}},
 {"role":"tool","tool_call_id":"c1","content":"t"},
 {"role":"developer","content":"d"}],
"model":"gpt-oss-120b","stream_options":{"include_usage":true},"n":2,"unknown":{"x":[1.50]},
"tools":[{"type":"function","function":{"name":"f","description":"does","parameters":{"type":"object"}}},{"type":"function","function":{"name":"bare","parameters":null}}]}"#;

#[test]
fn every_text_is_a_segment_in_document_order() {
    let request = request(FULL);
    let call = |index, id: &'static str, name: &'static str| {
        Channel::ToolArguments(ToolCall::new(index, id, name))
    };
    let expected = [
        (0, Role::System, Channel::Content, "s"),
        (1, Role::User, Channel::Content, "u0"),
        (1, Role::User, Channel::Content, "u1"),
        (2, Role::Assistant, call(0, "c1", "f"), "{\"a\":1}"),
        (2, Role::Assistant, call(1, "c2", "g"), "raw"),
        (2, Role::Assistant, Channel::Reasoning, "r"),
        (2, Role::Assistant, Channel::Refusal, "no"),
        (3, Role::Assistant, Channel::Reasoning, "rc"),
        (3, Role::Assistant, Channel::Refusal, "never"),
        (3, Role::Assistant, call(0, "", "h"), "[]"),
        (4, Role::Tool, Channel::Content, "t"),
        (5, Role::Developer, Channel::Content, "d"),
        (6, Role::Assistant, Channel::Content, "p0"),
        (6, Role::Assistant, Channel::Content, "p1"),
    ]
    .map(|(message, role, channel, text)| Segment {
        message,
        role,
        channel,
        text: text.into(),
    });
    assert_eq!(request.segments(0), expected);
    assert_eq!(request.segments(4), expected[10..]);
    assert_eq!(request.segments(6), expected[12..]);
    assert_eq!(request.segments(7), []);
    assert_eq!(
        request.size(),
        expected
            .iter()
            .map(|segment| segment.text.len() as u64)
            .sum::<u64>()
    );
    assert_eq!(
        request.roles()[..3],
        [Role::System, Role::User, Role::Assistant]
    );
}

#[test]
fn the_rest_is_read_too() {
    let request = request(FULL);
    assert_eq!(
        (
            request.model(),
            request.stream(),
            request.include_usage(),
            request.n()
        ),
        ("gpt-oss-120b", true, true, 2)
    );
    let tools = request.tools();
    assert_eq!(
        tools[0].parameters.as_deref(),
        Some("{\"type\":\"object\"}")
    );
    assert_eq!(
        (
            tools[1].name.as_str(),
            &tools[1].description,
            &tools[1].parameters
        ),
        ("bare", &None, &None)
    );
    assert_eq!(request.get("/messages/1/name").unwrap(), "\"ann\"");
    assert_eq!(request.get("/unknown").unwrap(), "{\"x\":[1.50]}");
    assert_eq!(request.get("/messages/01"), None);
    assert!(
        request
            .get("")
            .unwrap()
            .starts_with("{ \"stream\" : true,\"prediction\"")
    );
}

#[test]
fn an_unedited_request_leaves_as_it_came() {
    let body = Bytes::from_static(FULL.as_bytes());
    let request = Request::parse(Dialect::Chat, body.clone()).unwrap();
    for model in [None, Some("gpt-oss-120b")] {
        assert_eq!(request.to_bytes(model).as_ptr(), body.as_ptr());
    }
    let request = request.draft().commit().unwrap();
    assert_eq!(request.to_bytes(None).as_ptr(), body.as_ptr());
}

#[test]
fn another_model_changes_the_name_alone() {
    let renamed = FULL.replace("\"gpt-oss-120b\"", "\"a \\\"b\\\"\"");
    assert_eq!(request(FULL).to_bytes(Some("a \"b\"")), renamed);
    let escaped = r#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],"mod\u0065l" : "x" ,"seed":1e2}"#;
    assert_eq!(
        request(escaped).to_bytes(Some("y")),
        escaped.replace(": \"x\" ,", ": \"y\" ,")
    );
}

#[test]
fn an_edited_request_takes_another_model_too() {
    let mut draft = request(r#"{"z":1,"model":"a","messages":[{"role":"user","content":"b"}],"seed":18446744073709551615}"#).draft();
    draft.replace_segment(0, "c").unwrap();
    let request = draft.commit().unwrap();
    assert_eq!(
        request.to_bytes(Some("m")),
        r#"{"z":1,"model":"m","messages":[{"role":"user","content":"c"}],"seed":18446744073709551615}"#
    );
}

#[test]
fn what_is_no_chat_request_is_refused_by_its_path() {
    let user = |message: &str| format!(r#"{{"model":"m","messages":[{message}]}}"#);
    let with = |field: &str| {
        format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}}],{field}}}"#)
    };
    for (body, param, said) in [
        ("{}".to_owned(), "model", "`model` is missing"),
        (
            r#"{"model":"m"}"#.to_owned(),
            "messages",
            "`messages` is missing",
        ),
        (
            r#"{"model":"","messages":[]}"#.to_owned(),
            "model",
            "`model` must be the name of a model, not an empty string",
        ),
        (user(""), "messages", "not an empty array"),
        (user("\"x\""), "messages[0]", "must be an object, not \"x\""),
        (user(r#"{"content":"x"}"#), "messages[0].role", "is missing"),
        (
            user(r#"{"role":"robot","content":"x"}"#),
            "messages[0].role",
            "not \"robot\"",
        ),
        (
            user(r#"{"role":"user"}"#),
            "messages[0].content",
            "only an assistant message may have none",
        ),
        (
            user(r#"{"role":"user","content":{"text":"x"}}"#),
            "messages[0].content",
            "not an object",
        ),
        (
            user(r#"{"role":"user","content":["x"]}"#),
            "messages[0].content[0]",
            "must be an object",
        ),
        (
            user(r#"{"role":"user","content":[{"type":"text"}]}"#),
            "messages[0].content[0].text",
            "not null",
        ),
        (
            user(r#"{"role":"user","content":[{"text":"x"}]}"#),
            "messages[0].content[0].type",
            "not null",
        ),
        (
            user(r#"{"role":"user","content":[{"type":"image_url","text":[]}]}"#),
            "messages[0].content[0].text",
            "string",
        ),
        (
            user(r#"{"role":"assistant","reasoning":1}"#),
            "messages[0].reasoning",
            "not 1",
        ),
        (
            user(r#"{"role":"assistant","refusal":["x"]}"#),
            "messages[0].refusal",
            "not an array",
        ),
        (
            user(r#"{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{}}}]}"#),
            "messages[0].tool_calls[0].function.arguments",
            "not an object",
        ),
        (
            user(r#"{"role":"assistant","tool_calls":[{}]}"#),
            "messages[0].tool_calls[0].function",
            "not null",
        ),
        (
            user(r#"{"role":"assistant","function_call":"f"}"#),
            "messages[0].function_call",
            "an object",
        ),
        (
            user(&format!(
                r#"{{"role":"user","content":"x","name":"{}"}}"#,
                "n".repeat(65)
            )),
            "messages[0].name",
            "64",
        ),
        (with(r#""stream":"yes""#), "stream", "true or false"),
        (with(r#""n":0"#), "n", "not 0"),
        (with(r#""n":1.5"#), "n", "not 1.5"),
        (with(r#""tools":{}"#), "tools", "an array"),
        (
            with(r#""tools":[{"type":"function"}]"#),
            "tools[0].function",
            "an object",
        ),
        (
            with(r#""stream_options":{"include_usage":1}"#),
            "stream_options.include_usage",
            "true or false",
        ),
        (
            with(r#""prediction":{"content":1}"#),
            "prediction.content",
            "not 1",
        ),
    ] {
        let error = Request::parse(Dialect::Chat, Bytes::from(body.clone())).unwrap_err();
        assert_eq!(error.param, param, "{body}");
        assert!(error.message.contains(said), "{body}: {error}");
    }
}

#[test]
fn null_and_unknown_fields_pass() {
    request(
        r#"{"model":"m","stream":null,"n":null,"tools":null,"stream_options":null,"prediction":null,"what":[],
        "messages":[{"role":"assistant","content":null,"tool_calls":null,"reasoning":null,"refusal":null,"name":null,"what":1}]}"#,
    );
}

proptest! {
    #[test]
    fn replacing_a_segment_changes_that_text_alone(index in 0_usize..14, text in ".*") {
        let before = request(FULL);
        let mut draft = before.draft();
        draft.replace_segment(index as u32, &text).unwrap();
        let after = draft.commit().unwrap();
        let mut expected = before.segments(0);
        expected[index].text = text.as_str().into();
        prop_assert_eq!(after.segments(0), expected);
        let again = request(std::str::from_utf8(&after.to_bytes(None)).unwrap());
        prop_assert_eq!(again.texts(), after.texts());
    }
}

#[test]
fn texts_come_in_pages_and_each_knows_which_segment_it_is() {
    let message = |n: usize| match n {
        // One that fills a page by itself.
        1500 => json!({"role": "user", "content": "a".repeat(2 << 20)}),
        _ => json!({"role": "user", "name": "jane", "content": format!("text {n}")}),
    };
    let body = json!({
        "prediction": {"type": "content", "content": "as foretold"},
        "model": "m",
        "messages": (0..3000).map(message).collect::<Vec<_>>(),
        "stop": ["end"],
    });
    let request = Request::parse(Dialect::Chat, Bytes::from(body.to_string())).unwrap();
    let texts = request.texts();
    assert_eq!(texts.len(), 3000 + 2999 + 2);
    let segments = request.segments(0);
    for (at, text) in texts.iter().enumerate() {
        if let Some(segment) = text.segment {
            assert_eq!(segments[segment as usize].text, text.text, "{at}");
        }
        if at % 101 > 0 {
            continue;
        }
        let page = request.texts_from(at as u32);
        assert_eq!(page[0], *text);
        let bytes: usize = page.iter().map(|text| text.text.len()).sum();
        assert!(page.len() <= 1024 && bytes <= 3 << 20, "{at}");
        assert_eq!(page.last(), texts.get(at + page.len() - 1));
    }
    let shown = texts.iter().filter(|text| text.segment.is_some()).count();
    assert_eq!(shown, segments.len());
    assert!(request.texts_from(texts.len() as u32).is_empty());
}

#[test]
fn the_most_tokens_are_those_of_all_choices() {
    for (members, most) in [
        ("", None),
        (r#","max_completion_tokens":7"#, Some(7)),
        (r#","max_tokens":7"#, Some(7)),
        (r#","max_tokens":7,"max_completion_tokens":9"#, Some(9)),
        (r#","n":3,"max_tokens":7"#, Some(21)),
        // As many as there may be, and what is no number of them.
        (r#","max_completion_tokens":-1"#, None),
        (r#","max_completion_tokens":null"#, None),
        (r#","max_completion_tokens":"7""#, None),
        (r#","metadata":{"max_tokens":7}"#, None),
    ] {
        let said = r#"{"role":"user","content":"hi"}"#;
        let request = request(&format!(r#"{{"model":"m","messages":[{said}]{members}}}"#));
        assert_eq!(request.most_tokens(), most, "{members}");
    }
}
