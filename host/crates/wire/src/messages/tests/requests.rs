//! Requests.

use super::*;

#[test]
fn a_request_is_a_chat_of_the_very_bytes_that_came() {
    assert_eq!(
        chat(
            r#" { "max_tokens" : 1024 , "temperature":0.70, "top_p":1e-1, "top_k":40, "model":"\u006d",
            "system":"be \u00e9", "stop_sequences":["a", "b"], "stream":true, "metadata":{"user_id":"u\n"}, "container":"c",
            "messages":[ {"role" : "user", "content" : "h\/i \ud83d\ude00"} ] } "#
        ),
        concat!(
            r#"{"model":"\u006d","messages":[{"role":"system","content":"be \u00e9"},{"role":"user","content":"h\/i \ud83d\ude00"}],"#,
            r#""max_completion_tokens":1024,"temperature":0.70,"top_p":1e-1,"stream":true,"stream_options":{"include_usage":true},"#,
            r#""stop":["a", "b"],"user":"u\n"}"#
        )
    );
    let request = read(
        r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}],"stream":false}"#,
    )
    .unwrap();
    assert_eq!(
        (request.endpoint(), request.dialect(), request.stream()),
        ("messages", Dialect::Chat, false)
    );
    let mut draft = request.draft();
    draft.replace_segment(0, "ho").unwrap();
    let edited = draft.commit().unwrap();
    assert_eq!(
        (edited.endpoint(), &*edited.segments(0)[0].text),
        ("messages", "ho")
    );
}

#[test]
fn what_the_system_says_comes_first_and_may_come_again() {
    let with = |system: &str| {
        beside_system(&format!(
            r#"{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":"hi"}}],"system":{system}}}"#
        ))
    };
    fn beside_system(body: &str) -> String {
        let chat = chat(body);
        let (messages, _) = chat.split_once(r#"{"role":"user""#).unwrap();
        messages
            .strip_prefix(r#"{"model":"m","messages":["#)
            .unwrap()
            .to_owned()
    }
    assert_eq!(
        with(r#""be kind""#),
        r#"{"role":"system","content":"be kind"},"#
    );
    assert_eq!(
        with(r#"[{"type":"text","text":"one","cache_control":{"type":"ephemeral"}}]"#),
        r#"{"role":"system","content":"one"},"#
    );
    assert_eq!(
        with(
            r#"[{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{"type":"ephemeral","ttl":"1h"}}]"#
        ),
        r#"{"role":"system","content":[{"type":"text","text":"one"},{"type":"text","text":"two"}]},"#
    );
    for nothing in [r#""""#, "[]", "null"] {
        assert_eq!(with(nothing), "");
    }
    assert_eq!(
        turns(
            r#"[{"role":"user","content":"a"},{"role":"system","content":[{"type":"text","text":"b"}]},{"role":"user","content":"c"}]"#
        ),
        r#"[{"role":"user","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"c"}]"#
    );
}

#[test]
fn messages_of_one_role_in_a_row_are_one_and_may_be_empty() {
    assert_eq!(
        turns(
            r#"[{"role":"user","content":"a"},{"role":"user","content":[{"type":"text","text":"b"},{"type":"text","text":""}]},
            {"role":"assistant","content":[]},{"role":"user","content":""},{"role":"assistant","content":"Once"}]"#
        ),
        concat!(
            r#"[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"},{"type":"text","text":""}]},"#,
            r#"{"role":"assistant","content":""},{"role":"user","content":""},{"role":"assistant","content":"Once"}]"#
        )
    );
}

#[test]
fn calls_follow_what_was_thought_and_said_and_results_follow_calls() {
    assert_eq!(
        turns(
            r#"[{"role":"user","content":"go"},
            {"role":"assistant","content":[
                {"type":"thinking","thinking":"I \"could\"","signature":"s"},
                {"type":"redacted_thinking","data":"xx"},
                {"type":"text","text":"Let me see."},
                {"type":"tool_use","id":"t1","name":"ls","input":{ "p":"a\n", "n": 1.0 },"cache_control":null,"caller":{"type":"direct"}},
                {"type":"tool_use","id":"t2","name":"ls","input":{}}]},
            {"role":"user","content":[
                {"type":"text","text":"and then?"},
                {"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},
                {"type":"tool_result","tool_use_id":"t2"}]}]"#
        ),
        concat!(
            r#"[{"role":"user","content":"go"},"#,
            r#"{"role":"assistant","reasoning":"I \"could\"","content":"Let me see.","tool_calls":["#,
            r#"{"id":"t1","type":"function","function":{"name":"ls","arguments":"{ \"p\":\"a\\n\", \"n\": 1.0 }"}},"#,
            r#"{"id":"t2","type":"function","function":{"name":"ls","arguments":"{}"}}]},"#,
            r#"{"role":"tool","tool_call_id":"t1","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]},"#,
            r#"{"role":"tool","tool_call_id":"t2","content":""},"#,
            r#"{"role":"user","content":"and then?"}]"#
        )
    );
}

#[test]
fn what_a_turn_says_in_several_messages_stays_in_the_order_that_a_chat_wants() {
    // The calls of both messages are answered right behind them.
    assert_eq!(
        turns(
            r#"[{"role":"assistant","content":[{"type":"thinking","thinking":"a","signature":""},{"type":"tool_use","id":"1","name":"f","input":{}}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"b","signature":""},{"type":"tool_use","id":"2","name":"f","input":{}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"1","content":"one"},{"type":"text","text":"hm"}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"2","content":"two"}]}]"#
        ),
        concat!(
            r#"[{"role":"assistant","reasoning":"a\nb","tool_calls":["#,
            r#"{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},"#,
            r#"{"id":"2","type":"function","function":{"name":"f","arguments":"{}"}}]},"#,
            r#"{"role":"tool","tool_call_id":"1","content":"one"},{"role":"tool","tool_call_id":"2","content":"two"},"#,
            r#"{"role":"user","content":"hm"}]"#
        )
    );
}

#[test]
fn a_tool_that_failed_says_so() {
    let results = |results: &str| turns(&format!(r#"[{{"role":"user","content":[{results}]}}]"#));
    assert_eq!(
        results(
            r#"{"type":"tool_result","tool_use_id":"1","is_error":true,"content":"no \u0066ile"},{"type":"tool_result","tool_use_id":"2","is_error":false,"content":"x"}"#
        ),
        r#"[{"role":"tool","tool_call_id":"1","content":"Error: no \u0066ile"},{"role":"tool","tool_call_id":"2","content":"x"}]"#
    );
    assert_eq!(
        results(
            r#"{"type":"tool_result","tool_use_id":"1","is_error":true,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"#
        ),
        r#"[{"role":"tool","tool_call_id":"1","content":[{"type":"text","text":"Error: a"},{"type":"text","text":"b"}]}]"#
    );
    assert_eq!(
        results(r#"{"type":"tool_result","tool_use_id":"1","is_error":true}"#),
        r#"[{"role":"tool","tool_call_id":"1","content":"Error: "}]"#
    );
}

#[test]
fn pictures_are_parts_of_the_users_that_no_policy_can_read() {
    let png =
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO+/=="}}"#;
    let part = r#"{"type":"image_url","image_url":{"url":"data:image/png;base64,iVBO+/=="}}"#;
    let body = format!(r#"[{{"role":"user","content":[{png},{{"type":"text","text":"what?"}}]}}]"#);
    assert_eq!(
        turns(&body),
        format!(r#"[{{"role":"user","content":[{part},{{"type":"text","text":"what?"}}]}}]"#)
    );
    let request = read(&format!(
        r#"{{"model":"m","max_tokens":9,"messages":{body}}}"#
    ));
    assert_eq!(
        request.unwrap().opaque_part(),
        Some("/messages/0/content/0")
    );
    // A tool's message can't have one.
    assert_eq!(
        turns(&format!(
            r#"[{{"role":"user","content":[{{"type":"text","text":"there"}},{{"type":"tool_result","tool_use_id":"1","content":[{{"type":"text","text":"a"}},{png}]}},
            {{"type":"image","source":{{"type":"url","url":"https://x/\u0079"}}}}]}}]"#
        )),
        format!(
            r#"[{{"role":"tool","tool_call_id":"1","content":"a"}},{{"role":"user","content":[{{"type":"text","text":"there"}},{part},{{"type":"image_url","image_url":{{"url":"https://x/\u0079"}}}}]}}]"#
        )
    );
}

#[test]
fn documents_of_text_are_text() {
    assert_eq!(
        turns(
            r#"[{"role":"user","content":[
            {"type":"document","title":"T","context":null,"source":{"type":"text","media_type":"text/plain","data":"plain"},"citations":{"enabled":true}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"in parts"}]}},
            {"type":"search_result","source":"https://s","title":"S","content":[{"type":"text","text":"found"}]}]}]"#
        ),
        format!(
            r#"[{{"role":"user","content":[{}]}}]"#,
            ["T", "plain", "in parts", "S", "https://s", "found"]
                .map(|text| format!(r#"{{"type":"text","text":"{text}"}}"#))
                .join(",")
        )
    );
}

#[test]
fn tools_are_functions() {
    assert_eq!(
        beside(
            r#""tools":[{"name":"ls","description":"lists","input_schema":{"type":"object","properties":{"p":{"type":"string","default":1.50}}},"cache_control":{"type":"ephemeral"},"eager_input_streaming":true},
            {"type":"custom","name":"x","input_schema":{},"strict":true}],"tool_choice":{"type":"tool","name":"ls","disable_parallel_tool_use":true}"#
        ),
        concat!(
            r#""tools":[{"type":"function","function":{"name":"ls","description":"lists","parameters":{"type":"object","properties":{"p":{"type":"string","default":1.50}}}}},"#,
            r#"{"type":"function","function":{"name":"x","parameters":{},"strict":true}}],"#,
            r#""tool_choice":{"type":"function","function":{"name":"ls"}},"parallel_tool_calls":false}"#
        )
    );
    const ONE: &str = r#""tools":[{"name":"x","input_schema":{}}]"#;
    for (choice, chosen) in [
        (r#"{"type":"auto"}"#, r#""tool_choice":"auto"}"#),
        (
            r#"{"type":"auto","disable_parallel_tool_use":true}"#,
            r#""tool_choice":"auto","parallel_tool_calls":false}"#,
        ),
        (r#"{"type":"any"}"#, r#""tool_choice":"required"}"#),
        (r#"{"type":"none"}"#, r#""tool_choice":"none"}"#),
    ] {
        let chat = beside(&format!(r#"{ONE},"tool_choice":{choice}"#));
        assert!(chat.ends_with(chosen), "{chat}");
    }
    // Without tools there is nothing to choose.
    assert_eq!(beside(r#""tools":[],"tool_choice":{"type":"auto"}"#), "}");
}

#[test]
fn how_hard_to_think_comes_from_an_effort_or_a_budget() {
    for (members, effort) in [
        (
            r#""thinking":{"type":"enabled","budget_tokens":1024}"#,
            "low",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":4096}"#,
            "low",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":4097}"#,
            "medium",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":16384}"#,
            "medium",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":31999}"#,
            "high",
        ),
        (
            r#""thinking":{"type":"adaptive"},"output_config":{"effort":"medium"}"#,
            "medium",
        ),
        (
            r#""thinking":{"type":"enabled","budget_tokens":31999},"output_config":{"effort":"low"}"#,
            "low",
        ),
        (r#""output_config":{"effort":"max"}"#, "high"),
    ] {
        assert_eq!(
            beside(members),
            format!(r#""reasoning_effort":"{effort}"}}"#)
        );
    }
    for members in [
        r#""thinking":{"type":"disabled"}"#,
        r#""thinking":{"type":"adaptive"}"#,
        r#""output_config":{}"#,
    ] {
        assert_eq!(beside(members), "}");
    }
    assert_eq!(
        beside(r#""output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}"#),
        r#""response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},"strict":true}}}"#
    );
}

#[test]
fn a_tier_is_a_word_that_the_upstream_knows() {
    for (tier, sent) in [
        ("auto", "}"),
        ("standard_only", r#""service_tier":"default"}"#),
        ("flex", r#""service_tier":"flex"}"#),
        ("odd", "}"),
    ] {
        assert_eq!(beside(&format!(r#""service_tier":"{tier}""#)), sent);
    }
}

#[test]
fn a_policy_sees_every_string_that_goes_on_and_what_is_left_out_goes_nowhere() {
    let body = r#"{"model":"m","max_tokens":9,"system":"t-system","x":"left","betas":["left"],"mcp_servers":[{"url":"left"}],
        "messages":[{"role":"user","content":[{"type":"text","text":"t-text","citations":"left","x":"left"}],"x":"left"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"t-thinking","signature":"left"},{"type":"redacted_thinking","data":"left"},
                {"type":"tool_use","id":"t-id","name":"t-called","input":{"t-key":"t-value"}}]},
            {"role":"user","content":[{"type":"tool_result","tool_use_id":"t-id2","content":[{"type":"text","text":"t-result"}]},
                {"type":"document","title":"t-title","context":"t-context","source":{"type":"text","data":"t-data"}}]}],
        "tools":[{"name":"t-tool","description":"t-description","input_schema":{"properties":{"t-property":{"description":"t-schema","enum":["t-enum"]}}},
            "input_examples":[{"a":"left"}]}],
        "tool_choice":{"type":"tool","name":"t-chosen"},"stop_sequences":["t-stop"],"metadata":{"user_id":"t-user","x":"left"}}"#;
    let request = read(body).unwrap();
    let texts = request.texts();
    let all: String = texts.iter().map(|text| format!("{} ", text.text)).collect();
    for part in [
        "system",
        "text",
        "thinking",
        "id",
        "called",
        "key",
        "value",
        "id2",
        "result",
        "title",
        "context",
        "data",
        "tool",
        "description",
        "property",
        "schema",
        "enum",
        "chosen",
        "stop",
        "user",
    ] {
        assert!(all.contains(&format!("t-{part}")), "t-{part} in {all}");
    }
    let sent = chat(body);
    assert!(!sent.contains("left"), "{sent}");
    assert!(!sent.contains("reasoning_content"), "{sent}");
}

#[test]
fn what_is_wrong_is_named() {
    let turn = |content: &str| {
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{content}]}}]}}"#
        )
    };
    let with = |members: &str| {
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"x"}}],{members}}}"#
        )
    };
    let said = |role: &str, content: &str| {
        format!(
            r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"{role}","content":{content}}}]}}"#
        )
    };
    for (body, param, says) in [
        (String::new(), "", "the body is empty"),
        ("[]".into(), "", "a JSON object, not an array"),
        ("{".into(), "", "can't be read as JSON"),
        ("{} x".into(), "", "can't be read as JSON"),
        (r#"{"model":"m"}"#.into(), "messages", "`messages` is missing"),
        (r#"{"messages":[],"model":"m"}"#.into(), "messages", "at least one"),
        (r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#.into(), "max_tokens", "`max_tokens` is missing"),
        (r#"{"max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#.into(), "model", "`model` is missing"),
        (r#"{"model":3,"max_tokens":1,"messages":[]}"#.into(), "model", "a string, not a number"),
        (r#"{"model":"","max_tokens":1,"messages":[{"role":"user","content":"x"}]}"#.into(), "model", "the name of a model"),
        (r#"{"model":"m","max_tokens":1,"model":"n","messages":[{"role":"user","content":"x"}]}"#.into(), "model", "stands there twice"),
        (r#"{"model":"m","max_tokens":1.5,"messages":[{"role":"user","content":"x"}]}"#.into(), "max_tokens", "a whole number"),
        (r#"{"model":"m","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}"#.into(), "max_tokens", "a whole number"),
        (with(r#""system":[{"type":"image","source":{}}]"#), "system[0].type", "is `image`"),
        (with(r#""system":4"#), "system", "a string or an array"),
        (with(r#""stream":"yes""#), "stream", "true or false, not a string"),
        (with(r#""temperature":"hot""#), "temperature", "a number, not a string"),
        (with(r#""stop_sequences":[1]"#), "stop_sequences[0]", "a string, not a number"),
        (with(r#""tools":{}"#), "tools", "an array of tools"),
        (with(r#""tools":[{"type":"web_search_20250305","name":"web_search"}]"#), "tools[0].type", "`web_search_20250305`"),
        (with(r#""tools":[{"name":"a","input_schema":{}},{"type":"bash_20250124","name":"bash"}]"#), "tools[1].type", "`bash_20250124`"),
        (with(r#""tools":[{"name":"a"}]"#), "tools[0].input_schema", "is missing"),
        (with(r#""tools":[{"name":"a","name":"b","input_schema":{}}]"#), "tools[0].name", "twice"),
        (with(r#""tools":[{"name":"a","n\u0061me":"b","input_schema":{}}]"#), "tools[0].name", "twice"),
        (with(r#""tools":[{"name":"a","input_schema":{"type":"object","type":"x"}}]"#), "tools[0].function.parameters.type", "the chat request that stands for this one"),
        (with(r#""tools":[{"name":"a","input_schema":{}}],"tool_choice":{"type":"some"}"#), "tool_choice.type", "`auto`, `any`, `tool` or `none`"),
        (with(r#""thinking":{"type":"enabled"}"#), "thinking.budget_tokens", "is missing"),
        (with(r#""metadata":{"user_id":3}"#), "metadata.user_id", "a string"),
        (said("tool", "\"x\""), "messages[0].role", "`user`, `assistant` or `system`"),
        (said("user", "3"), "messages[0].content", "a string or an array of content blocks"),
        (said("user", "null"), "messages[0].content", "is missing"),
        (said("assistant", r#"[{"type":"tool_use","id":"a","name":"b","input":"x"}]"#), "messages[0].content[0].input", "an object, not a string"),
        (said("assistant", r#"[{"type":"tool_use","id":"a","name":"b"}]"#), "messages[0].content[0].input", "is missing"),
        (said("assistant", r#"[{"type":"server_tool_use","id":"a","name":"b","input":{}}]"#), "messages[0].content[0].type", "`server_tool_use`"),
        (said("assistant", r#"[{"type":"image","source":{"type":"url","url":"u"}}]"#), "messages[0].content[0].type", "`image`"),
        (turn(r#"{"type":"text"}"#), "messages[0].content[0].text", "is missing"),
        (turn(r#"{"type":"text","text":"a","text":"b"}"#), "messages[0].content[0].text", "twice"),
        (turn(r#"{"text":"a"}"#), "messages[0].content[0].type", "is missing"),
        (turn(r#"{"type":"tool_use","id":"a","name":"b","input":{}}"#), "messages[0].content[0].type", "`tool_use`"),
        (turn(r#"{"type":"container_upload","file_id":"f"}"#), "messages[0].content[0].type", "`container_upload`"),
        (turn(r#"{"type":"image","source":{"type":"file","file_id":"f"}}"#), "messages[0].content[0].source.type", "keeps no files"),
        (turn(r#"{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"x"}}"#), "messages[0].content[0].source", "is no text"),
        (turn(r#"{"type":"tool_result","content":"x"}"#), "messages[0].content[0].tool_use_id", "is missing"),
        (turn(r#"{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"x"}]}"#), "messages[0].content[0].content[0].type", "`tool_reference`"),
        (turn(r#"{"type":"text","text":"\ud800"}"#), "", "half of a surrogate pair"),
    ] {
        let (found, message) = refused(&body);
        assert_eq!(found, param, "{body}: {message}");
        assert!(message.contains(says), "{body}: {message}");
        assert!(param.is_empty() || message.contains(param), "{message}");
    }
}

#[test]
fn tokens_are_reckoned_by_bytes() {
    let count = |body: &str| count(Bytes::copy_from_slice(body.as_bytes()));
    // No length need be said. 8 bytes, and a message.
    assert_eq!(
        count(r#"{"model":"m","messages":[{"role":"user","content":"12345678"}]}"#).unwrap(),
        2 + 4
    );
    let picture =
        r#"{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}"#;
    let with = |data: &str| {
        count(
            &format!(r#"{{"model":"m","system":"1234","messages":[{{"role":"user","content":[{picture},{{"type":"text","text":"12345678"}}]}}]}}"#)
                .replace("DATA", data),
        )
        .unwrap()
    };
    assert_eq!(with("x"), 1 + 2 + 2 * 4 + 280);
    assert_eq!(with(&"x".repeat(100_000)), with("x"), "data are no text");
    assert!(count(r#"{"model":"m","messages":[]}"#).is_err());
}
