//! How bodies are made to fit.

use super::*;
use proptest::prelude::*;

#[track_caller]
fn is(model: &str, members: &str, goes_on: &str, dropped: &str) {
    let (found, names) = mended(model, members);
    assert_eq!((&*found, &*names), (goes_on, dropped), "{members}");
}

#[test]
fn a_body_that_fits_is_the_bytes_that_came() {
    let body = r#" { "model" : "gpt-oss-120b","temperature":1.50e0, "messages":[ {"content":[{"text":"a\u0041\n","type":"text"}],"role":"user"},
      {"role":"assistant","reasoning":"so","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"1","content":"x"}],
      "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","any":[1,{"x":"y"}]},"strict":false}}],
      "tool_choice":{"type":"function","function":{"name":"f"}}, "stop":["a"],"user":null,"seed":7 } "#;
    let request = chat(body);
    let fitted = request.fitted("gpt-oss-120b");
    assert_eq!(fitted.dropped, None);
    assert_eq!(fitted.body.as_ptr(), request.body().as_ptr());
    assert_eq!(request.fits("gpt-oss-120b"), Ok(()));
    let renamed = request.fitted("other");
    assert_eq!(renamed.body, request.to_bytes(Some("other")));
}

#[test]
fn what_is_unknown_goes_with_one_comma() {
    is("m", r#""store":true"#, "", "store");
    is("m", r#""store":true,"top_p":1"#, r#""top_p":1"#, "store");
    is(
        "m",
        r#""top_p":1 , "store" : [1,{"a":2}] "#,
        r#""top_p":1  "#,
        "store",
    );
    is(
        "m",
        r#""a":1,"top_p":1,"b":2,"c":3,"n":1,"d":4,"e":5"#,
        r#""top_p":1,"n":1"#,
        "a, b, c, d, e",
    );
    is(
        "m",
        r#""response_format":{"schema":{},"type":"json_object","x":1},"n":1"#,
        r#""response_format":{"type":"json_object"},"n":1"#,
        "response_format.schema, response_format.x",
    );
    is(
        "m",
        r#""stream_options":{"include_obfuscation":false},"stream":true"#,
        r#""stream_options":{},"stream":true"#,
        "stream_options.include_obfuscation",
    );
}

#[test]
fn what_is_of_no_kind_or_out_of_range_goes() {
    for (member, name) in [
        (r#""temperature":2.5"#, "temperature"),
        (r#""temperature":"0.7""#, "temperature"),
        (r#""top_p":-0.1"#, "top_p"),
        (r#""presence_penalty":3"#, "presence_penalty"),
        (r#""logit_bias":[]"#, "logit_bias"),
        (r#""logit_bias":{"7":101}"#, "logit_bias"),
        (r#""logprobs":3"#, "logprobs"),
        (r#""seed":1.5"#, "seed"),
        (r#""seed":"7""#, "seed"),
        (r#""user":7"#, "user"),
        (r#""stop":7"#, "stop"),
        (r#""stop":["a",null]"#, "stop"),
        (r#""service_tier":"standard_only""#, "service_tier"),
        (r#""reasoning_format":null"#, "reasoning_format"),
        (r#""reasoning_format":"hide""#, "reasoning_format"),
        (r#""reasoning_effort":"auto""#, "reasoning_effort"),
        (r#""response_format":"json""#, "response_format"),
        (r#""response_format":{"type":"grammar"}"#, "response_format"),
        (
            r#""response_format":{"type":"json_schema","schema":{}}"#,
            "response_format.schema, response_format",
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{"schema":{}}}"#,
            "response_format",
        ),
        (r#""parallel_tool_calls":"no""#, "parallel_tool_calls"),
        (r#""prediction":{"type":"content"}"#, "prediction"),
        (r#""tool_choice":{"type":"allowed_tools"}"#, "tool_choice"),
    ] {
        is("m", member, "", name);
    }
    let long = format!(r#""prompt_cache_key":"{}""#, "é".repeat(1025));
    is("m", &long, "", "prompt_cache_key");
    let most = format!(r#""prompt_cache_key":"{}""#, "é".repeat(1024));
    is("m", &most, &most, "");
    is(
        "m",
        r#""stop":["a","b","c","d","e","f"],"n":1"#,
        r#""stop":["a","b","c","d"],"n":1"#,
        "stop[4..]",
    );
    for fine in [
        r#""seed":18446744073709551615"#,
        r#""seed":-3"#,
        r#""temperature":0"#,
        r#""temperature":2e0"#,
        r#""top_logprobs":null"#,
        r#""stop":null"#,
        r#""tools":[]"#,
        r#""tools":null"#,
        r#""metadata_not":1,"n":1"#,
    ]
    .iter()
    .take(8)
    {
        is("m", fine, fine, "");
    }
}

#[test]
fn a_long_user_goes() {
    let user = |text: String| format!(r#""user":"{text}""#);
    let most = user("é".repeat(64));
    is("m", &most, &most, "");
    is("m", &user("é".repeat(65)), "", "user");
    is("m", &user("x".repeat(65)), "", "user");
    let escaped = user("\\u0041".repeat(64));
    is("m", &escaped, &escaped, "");
    assert_eq!(chat(&with(&user("x".repeat(65)))).fits("m"), Ok(()));
}

#[test]
fn a_limit_of_tokens_is_never_raised() {
    for (came, goes_on, dropped) in [
        (r#""max_tokens":5"#, r#""max_tokens":5"#, ""),
        (
            r#""max_tokens":5,"max_completion_tokens":9"#,
            r#""max_tokens":5"#,
            "max_completion_tokens",
        ),
        (
            r#""max_completion_tokens":5,"max_tokens":9"#,
            r#""max_completion_tokens":5"#,
            "max_tokens",
        ),
        (
            r#""max_completion_tokens":5,"max_tokens":5"#,
            r#""max_completion_tokens":5"#,
            "max_tokens",
        ),
        (
            r#""max_completion_tokens":-1,"max_tokens":5"#,
            r#""max_tokens":5"#,
            "max_completion_tokens",
        ),
        (
            r#""max_completion_tokens":null,"max_tokens":5"#,
            r#""max_completion_tokens":null,"max_tokens":5"#,
            "",
        ),
        (
            r#""maxTokens":5"#,
            r#""max_completion_tokens":5"#,
            "maxTokens->max_completion_tokens",
        ),
        (
            r#""max_output_tokens":null,"maxTokens":7,"n":1"#,
            r#""max_completion_tokens":7,"n":1"#,
            "max_output_tokens, maxTokens->max_completion_tokens",
        ),
        (
            r#""maxTokens":7,"max_tokens":9,"max_completion_tokens":8"#,
            r#""max_completion_tokens":7"#,
            "max_completion_tokens, maxTokens->max_completion_tokens, max_tokens",
        ),
        (
            r#""maxTokens":7,"max_tokens":3,"max_completion_tokens":8"#,
            r#""max_tokens":3"#,
            "max_completion_tokens, maxTokens->max_completion_tokens, maxTokens",
        ),
        (r#""max_tokens":"5""#, r#""max_tokens":"5""#, ""),
        (r#""max_tokens":1"#, r#""max_tokens":1"#, ""),
    ] {
        is("m", came, goes_on, dropped);
    }
}

#[test]
fn what_does_not_go_together_is_parted() {
    let tool = r#"{"type":"function","function":{"name":"f"}}"#;
    let with_tool = format!(r#""tools":[{tool}]"#);
    let json = r#""response_format":{"type":"json_object"}"#;
    let both = format!("{with_tool},{json}");
    is("gpt-oss-120b", &both, &with_tool, "response_format");
    is("zai-glm-4.7", &both, &both, "");
    let neither = format!(r#""tools":[],{json}"#);
    is("gpt-oss-120b", &neither, &neither, "");
    let streamed = format!(r#""stream":true,{json}"#);
    is("m", &streamed, r#""stream":true"#, "response_format");
    let raw = format!(r#""reasoning_format":"raw",{json}"#);
    is("m", &raw, json, "reasoning_format");
    is(
        "gemma-4-31b",
        r#""reasoning_format":"hidden""#,
        "",
        "reasoning_format",
    );
    is("m", r#""top_logprobs":3"#, "", "top_logprobs");
    is(
        "m",
        r#""logprobs":false,"top_logprobs":3"#,
        r#""logprobs":false"#,
        "top_logprobs",
    );
    let fine = r#""logprobs":true,"top_logprobs":3"#;
    is("m", fine, fine, "");
    let prediction = r#""prediction":{"type":"content","content":"x"}"#;
    for other in [&*with_tool, r#""logprobs":true"#, r#""n":2"#] {
        is("m", &format!("{other},{prediction}"), other, "prediction");
    }
    is("m", prediction, prediction, "");
    is(
        "llama3.1-8b",
        r#""clear_thinking":true"#,
        "",
        "clear_thinking",
    );
    is(
        "zai-glm-4.7",
        r#""clear_thinking":true"#,
        r#""clear_thinking":true"#,
        "",
    );
}

#[test]
fn efforts_are_those_of_the_model() {
    for (model, came, goes_on) in [
        ("gpt-oss-120b", "none", "low"),
        ("gpt-oss-120b", "minimal", "low"),
        ("gpt-oss-120b", "xhigh", "high"),
        ("gpt-oss-120b", "medium", "medium"),
        ("zai-glm-4.7", "none", "none"),
        ("m", "max", "high"),
    ] {
        let effort = |word: &str| format!(r#""reasoning_effort":"{word}""#);
        let dropped = match came == goes_on {
            true => String::new(),
            false => format!("reasoning_effort:{came}->{goes_on}"),
        };
        is(model, &effort(came), &effort(goes_on), &dropped);
    }
}

#[test]
fn choices_of_a_tool_are_said_in_one_way() {
    let tools = r#""tools":[{"type":"function","function":{"name":"f"}}],"#;
    let named = r#"{"type":"function","function":{"name":"f"}}"#;
    for (came, goes_on, dropped) in [
        (r#""any""#, r#""required""#, "tool_choice:any->required"),
        (
            r#"{"type":"any"}"#,
            r#""required""#,
            "tool_choice.type:any->required",
        ),
        (
            r#"{"type":"auto"}"#,
            r#""auto""#,
            "tool_choice.type:auto->auto",
        ),
        (
            r#"{"type":"tool","name":"f","disable_parallel_tool_use":true}"#,
            named,
            "tool_choice.type:tool->function, tool_choice.disable_parallel_tool_use, tool_choice.name->function",
        ),
        (
            r#"{"type":"function","name":"f"}"#,
            named,
            "tool_choice.name->function",
        ),
        (named, named, ""),
    ] {
        is(
            "m",
            &format!(r#"{tools}"tool_choice":{came}"#),
            &format!(r#"{tools}"tool_choice":{goes_on}"#),
            dropped,
        );
    }
    is("m", r#""tool_choice":"auto""#, "", "tool_choice");
    is(
        "m",
        r#""tools":[],"tool_choice":"auto""#,
        r#""tools":[]"#,
        "tool_choice",
    );
    is(
        "m",
        &format!(r#"{tools}"tool_choice":{{"type":"function","function":{{"name":"g"}}}}"#),
        tools.trim_end_matches(','),
        "tool_choice",
    );
}

#[test]
fn tools_of_other_types_go_and_with_the_last_the_choice() {
    is(
        "m",
        r#""tools":[{"type":"web_search"},{"type":"function","function":{"name":"f","strict":null,"x":1},"cache_control":{}},{"type":"a, b\n"}]"#,
        r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
        "tools[type=web_search], tools[].function.strict, tools[].function.x, tools[].cache_control, tools[type=a??b?]",
    );
    is(
        "m",
        r#""tools":[{"type":"web_search"}],"tool_choice":"auto""#,
        r#""tools":[]"#,
        "tools[type=web_search], tool_choice",
    );
    let nameless = r#""tools":[{"function":{"name":"f"}}]"#;
    is("m", nameless, nameless, "");
}

#[test]
fn strict_goes_where_a_schema_can_not_be_decoded_strictly() {
    let tool = |strict: &str, schema: &str| {
        format!(
            r#""tools":[{{"type":"function","function":{{"name":"f",{strict}"parameters":{schema}}}}}]"#
        )
    };
    let open = r#"{"type":"object","properties":{}}"#;
    let closed = r#"{"type":"object","properties":{},"additionalProperties":false}"#;
    is(
        "m",
        &tool(r#""strict":true,"#, open),
        &tool("", open),
        "tools[].function.strict",
    );
    let fine = tool(r#""strict":true,"#, closed);
    is("m", &fine, &fine, "");
    let fine = tool(r#""strict":false,"#, open);
    is("m", &fine, &fine, "");
    is(
        "m",
        r#""response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"a":{"type":"string","format":"date"}},"additionalProperties":false},"strict":true}}"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"s","schema":{"type":"object","properties":{"a":{"type":"string","format":"date"}},"additionalProperties":false}}}"#,
        "response_format.json_schema.strict",
    );
}

/// A body with these messages, and what of them goes on.
#[track_caller]
fn messages(model: &str, came: &str, goes_on: &str, dropped: &str) {
    let body = |messages: &str| format!(r#"{{"messages":[{messages}],"model":"{model}"}}"#);
    let fitted = chat(&body(came)).fitted(model);
    let found = String::from_utf8(fitted.body.to_vec()).unwrap();
    assert_eq!(found, body(goes_on));
    assert_eq!(fitted.dropped.unwrap_or_default(), dropped, "{came}");
}

#[test]
fn a_turn_that_a_client_gives_back_is_one_that_goes_on() {
    for (came, goes_on, dropped) in [
        (
            r#"{"role":"assistant","content":"a","reasoning_content":"because"}"#,
            r#"{"role":"assistant","content":"a","reasoning":"because"}"#,
            "messages[].reasoning_content->reasoning",
        ),
        (
            r#"{"reasoning_content":"because","role":"assistant","reasoning":"so","content":"a"}"#,
            r#"{"role":"assistant","reasoning":"so","content":"a"}"#,
            "messages[].reasoning_content",
        ),
        (
            r#"{"role":"assistant","reasoning_content":"so","content":"a","reasoning":null}"#,
            r#"{"role":"assistant","reasoning":"so","content":"a"}"#,
            "messages[].reasoning, messages[].reasoning_content->reasoning",
        ),
        (
            r#"{"role":"assistant","content":"a","reasoning_content":null}"#,
            r#"{"role":"assistant","content":"a"}"#,
            "messages[].reasoning_content",
        ),
        (
            r#"{"content":"a","refusal":null,"role":"assistant","annotations":[],"audio":null,"function_call":null,"tool_calls":null}"#,
            r#"{"content":"a","role":"assistant","tool_calls":null}"#,
            "messages[].refusal, messages[].annotations, messages[].audio, messages[].function_call",
        ),
        (
            r#"{"role":"assistant","content":[{"type":"thinking","thinking":"h"},{"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]}"#,
            r#"{"role":"assistant","content":[{"type":"text","text":"a"},{"type":"text","text":"no"}]}"#,
            "messages[].content[type=thinking], messages[].content[].type:output_text->text, messages[].content[].annotations, messages[].content[].type:refusal->text, messages[].content[].refusal->text",
        ),
        (
            r#"{"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}"#,
            r#"{"role":"user","content":[{"type":"text","text":"a"}]}"#,
            "messages[].content[].cache_control",
        ),
        (
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{}","parsed":null},"extra_content":{}}]}"#,
            r#"{"role":"assistant","tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]}"#,
            "messages[].tool_calls[].function.parsed, messages[].tool_calls[].extra_content",
        ),
    ] {
        messages("m", came, goes_on, dropped);
    }
}

#[test]
fn the_developer_is_the_system_where_a_model_has_none() {
    let message = |role: &str| format!(r#"{{"role":"{role}","content":"a"}}"#);
    let dropped = "messages[].role:developer->system";
    messages(
        "zai-glm-4.7",
        &message("developer"),
        &message("system"),
        dropped,
    );
    for model in ["gpt-oss-120b", "my-own-model"] {
        messages(model, &message("developer"), &message("developer"), "");
    }
}

#[test]
fn what_a_client_says_stays_though_it_is_refused() {
    for said in [
        r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}"#,
        r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"AA","format":"wav"}}]}"#,
        r#"{"role":"tool","tool_call_id":"none","content":"x"}"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":"x"}}]}"#,
    ] {
        let request = chat(&format!(r#"{{"messages":[{said}],"model":"llama3.1-8b"}}"#));
        assert_eq!(request.fitted("llama3.1-8b").dropped, None, "{said}");
        assert!(request.fits("llama3.1-8b").is_err(), "{said}");
    }
}

#[test]
fn text_completions_have_a_table_of_their_own() {
    let completion = |members: &str| format!(r#"{{"prompt":["a","b"],"model":"m",{members}}}"#);
    for (came, goes_on, dropped) in [
        (
            r#""max_completion_tokens":9"#,
            r#""max_tokens":9"#,
            "max_completion_tokens->max_tokens",
        ),
        (
            r#""max_completion_tokens":9,"max_tokens":7"#,
            r#""max_tokens":7"#,
            "max_completion_tokens",
        ),
        (
            r#""tools":[],"n":1,"response_format":{"type":"text"},"logprobs":true"#,
            r#""n":1"#,
            "tools, response_format, logprobs",
        ),
        (
            r#""stream":true,"best_of":2"#,
            r#""stream":true"#,
            "best_of",
        ),
        (
            r#""stream":true,"best_of":1"#,
            r#""stream":true,"best_of":1"#,
            "",
        ),
        (r#""suffix":"b""#, r#""suffix":"b""#, ""),
    ] {
        let request = Request::parse(Dialect::Completions, completion(came).into()).unwrap();
        let fitted = request.fitted("m");
        assert_eq!(&fitted.body[..], completion(goes_on).as_bytes());
        assert_eq!(fitted.dropped.unwrap_or_default(), dropped);
    }
}

#[test]
fn the_model_and_what_is_dropped_change_in_one_body() {
    let request = chat(
        r#"{"store":1,"model":"alias","messages":[{"role":"user","content":"hi"}],"top_k":3}"#,
    );
    let fitted = request.fitted("a\"b");
    assert_eq!(
        &fitted.body[..],
        br#"{"model":"a\"b","messages":[{"role":"user","content":"hi"}]}"#
    );
    assert_eq!(fitted.dropped.unwrap(), "store, top_k");
}

#[test]
fn the_names_are_a_header_whatever_a_client_sends() {
    let keys: Vec<_> = (0..40)
        .map(|n| format!(r#""k{n},\n\u00e9\u0000{}":1"#, "x".repeat(200)))
        .collect();
    let (_, names) = mended("m", &keys.join(","));
    assert!(names.len() < 2048, "{}", names.len());
    assert!(
        names.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        "{names}"
    );
    assert!(names.starts_with("k0????x"), "{names}");
    assert!(names.ends_with("..., ..."), "{names}");
    assert_eq!(names.split(", ").count(), 17);
}

#[test]
fn a_body_with_more_to_mend_than_any_client_sends_goes_as_it_came() {
    let tools = vec![r#"{"type":"x"}"#; 30_000].join(",");
    let request = chat(&with(&format!(r#""tools":[{tools}]"#)));
    let fitted = request.fitted("m");
    assert_eq!(
        (fitted.dropped, fitted.body),
        (None, request.to_bytes(None))
    );
    assert_eq!(request.fits("m").unwrap_err().0.lines().count(), 20);
}

/// A value with a chance to be right at many places, and wrong at others.
fn value() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    const WORDS: &[&str] = &[
        "text",
        "function",
        "auto",
        "any",
        "tool",
        "json_object",
        "json_schema",
        "thinking",
        "low",
        "minimal",
        "image_url",
        "refusal",
        "f",
        "raw",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        (-3_i64..200).prop_map(|number| json!(number)),
        (-3.0_f64..3.0).prop_map(|number| json!(number)),
        prop::sample::select(WORDS).prop_map(|word| json!(word)),
        "[ -~é]{0,70}".prop_map(|text| json!(text)),
    ];
    const KEYS: &[&str] = &[
        "type",
        "text",
        "content",
        "function",
        "name",
        "parameters",
        "strict",
        "json_schema",
        "schema",
        "x",
        "image_url",
        "url",
        "refusal",
        "arguments",
        "id",
        "cache_control",
    ];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        let members = (prop::sample::select(KEYS), inner.clone());
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(Value::Array),
            prop::collection::vec(members, 0..6).prop_map(|members| {
                let members = members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(members.collect())
            }),
        ]
    })
}

fn request() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::{Value, json};
    const KEYS: &[&str] = &[
        "max_tokens",
        "max_completion_tokens",
        "maxTokens",
        "temperature",
        "stop",
        "tools",
        "tool_choice",
        "response_format",
        "reasoning_effort",
        "reasoning_format",
        "logprobs",
        "top_logprobs",
        "prediction",
        "user",
        "store",
        "metadata",
        "logit_bias",
        "stream_options",
    ];
    const MEMBERS: &[&str] = &[
        "reasoning",
        "reasoning_content",
        "refusal",
        "tool_calls",
        "name",
        "x",
        "annotations",
    ];
    let messages = prop::collection::vec(
        (
            prop::sample::select(&["user", "assistant", "system", "developer", "tool"][..]),
            value(),
            prop::collection::vec((prop::sample::select(MEMBERS), value()), 0..4),
        ),
        1..4,
    );
    let members = prop::collection::vec((prop::sample::select(KEYS), value()), 0..8);
    (messages, members).prop_map(|(messages, members)| {
        let messages = messages.into_iter().map(|(role, content, members)| {
            let mut message = json!({"role": role, "content": content});
            for (key, value) in members {
                message[key] = value;
            }
            message
        });
        let mut body =
            json!({"model": "gpt-oss-120b", "messages": messages.collect::<Vec<Value>>()});
        for (key, value) in members {
            body[key] = value;
        }
        body
    })
}

/// Every string and number in a value, and every key.
fn said(value: &serde_json::Value, into: &mut Vec<String>) {
    use serde_json::Value;
    match value {
        Value::Array(values) => values.iter().for_each(|value| said(value, into)),
        Value::Object(members) => {
            for (key, value) in members {
                into.push(format!("key {key}"));
                said(value, into);
            }
        }
        other => into.push(other.to_string()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn what_goes_on_was_all_said_by_the_client(body in request()) {
        let text = body.to_string();
        let Ok(request) = Request::parse(Dialect::Chat, text.clone().into()) else {
            return Ok(());
        };
        let fitted = request.fitted("gpt-oss-120b");
        let again = Request::parse(Dialect::Chat, fitted.body.clone());
        let again = again.map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        // Once mended there is nothing to mend.
        prop_assert_eq!(again.fitted("gpt-oss-120b").dropped, None, "{}", text);
        prop_assert_eq!(fitted.dropped.is_none(), fitted.body == text.as_bytes());
        prop_assert_eq!((again.stream(), again.n()), (request.stream(), request.n()));
        prop_assert_eq!(again.roles().len(), request.roles().len());
        let (mut before, mut after) = (Vec::new(), Vec::new());
        said(&body, &mut before);
        said(&serde_json::from_slice(&fitted.body).unwrap(), &mut after);
        let words = [
            "\"text\"", "\"function\"", "\"required\"", "\"auto\"", "\"none\"", "\"low\"", "\"high\"", "\"system\"",
            "key text", "key function", "key reasoning", "key max_completion_tokens",
        ];
        for it in after {
            prop_assert!(before.contains(&it) || words.contains(&&*it), "{} in {}", it, text);
        }
    }
}
