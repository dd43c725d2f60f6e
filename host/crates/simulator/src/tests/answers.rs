//! What a whole answer says.

use super::*;

async fn message(body: &Value) -> Value {
    let reply = chat(body).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.json()["choices"][0]["message"].clone()
}

fn tools() -> Value {
    json!([
        {"type": "function", "function": {"name": "first", "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}}}},
        {"type": "function", "function": {"name": "second"}}
    ])
}

#[tokio::test]
async fn an_answer_is_written_as_recorded() {
    let body = with(
        say("think: Why | say: Got \"it\"!"),
        json!({"model": "gpt-oss-120b"}),
    );
    let reply = chat(&body).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    let id = reply.json()["id"].as_str().unwrap().to_owned();
    let print = reply.json()["system_fingerprint"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!((id.len(), print.len()), ("chatcmpl-".len() + 36, 23));
    assert_eq!(
        reply.text,
        format!(
            concat!(
                r#"{{"id":"{}","choices":[{{"finish_reason":"stop","index":0,"message":"#,
                r#"{{"content":"Got \"it\"!","reasoning":"Why","role":"assistant"}}}}],"created":1775751421,"#,
                r#""model":"gpt-oss-120b","system_fingerprint":"{}","object":"chat.completion","#,
                r#""usage":{{"total_tokens":24,"completion_tokens":7,"completion_tokens_details":"#,
                r#"{{"accepted_prediction_tokens":0,"rejected_prediction_tokens":0,"reasoning_tokens":1}},"#,
                r#""prompt_tokens":17,"prompt_tokens_details":{{"cached_tokens":0}}}},"#,
                r#""time_info":{{"created":1775751421.0,"queue_time":0.004,"prompt_time":0.00217,"#,
                r#""completion_time":0.0023333333333333335,"total_time":0.009503333333333332}}}}"#
            ),
            id, print
        )
    );
}

#[tokio::test]
async fn the_same_request_gets_the_same_bytes_when_time_is_frozen() {
    assert_eq!(chat(&say("hi")).await.text, chat(&say("hi")).await.text);
    assert_ne!(chat(&say("hi")).await.text, chat(&say("ho")).await.text);
}

#[tokio::test]
async fn gemma_counts_images_and_leaves_predictions_out() {
    let reply = chat(&with(say("say: x"), json!({"model": "gemma-4-31b"}))).await;
    assert!(reply.text.contains(
        r#""completion_tokens_details":{"reasoning_tokens":0},"prompt_tokens":7,"prompt_tokens_details":{"cached_tokens":0,"image_tokens":0}"#
    ), "{}", reply.text);
}

#[tokio::test]
async fn reasoning_follows_model_effort_and_format() {
    for (model, more, reasoning, content) in [
        ("llama3.1-8b", json!({}), Value::Null, "A"),
        (
            "gpt-oss-120b",
            json!({}),
            json!("The user wants an answer. A short one will do."),
            "A",
        ),
        ("gemma-4-31b", json!({}), Value::Null, "A"),
        (
            "gemma-4-31b",
            json!({"reasoning_effort": "low"}),
            json!("The user wants an answer. A short one will do."),
            "A",
        ),
        (
            "zai-glm-4.7",
            json!({"reasoning_effort": "none"}),
            Value::Null,
            "A",
        ),
        (
            "gpt-oss-120b",
            json!({"reasoning_format": "hidden"}),
            Value::Null,
            "A",
        ),
        (
            "gpt-oss-120b",
            json!({"reasoning_format": "raw"}),
            Value::Null,
            "The user wants an answer. A short one will do.A",
        ),
        (
            "qwen-3-32b",
            json!({}),
            Value::Null,
            "<think>The user wants an answer. A short one will do.</think>A",
        ),
    ] {
        let message = message(&with(with(say("say: A"), json!({"model": model})), more)).await;
        assert_eq!(message["reasoning"], reasoning, "{model}");
        assert_eq!(message["content"], content, "{model}");
    }
}

#[tokio::test]
async fn a_small_limit_is_eaten_by_reasoning_first() {
    let body = |limit: i64| {
        with(
            say("think: a b c | say: d e f"),
            json!({"max_completion_tokens": limit, "model": "gpt-oss-120b"}),
        )
    };
    for (limit, reasoning, content, finish) in [
        (2, "a b", None, "length"),
        (3, "a b c", None, "length"),
        (5, "a b c", Some("d e"), "length"),
        (6, "a b c", Some("d e f"), "stop"),
        (-1, "a b c", Some("d e f"), "stop"),
    ] {
        let reply = chat(&body(limit)).await.json();
        let choice = &reply["choices"][0];
        assert_eq!(choice["finish_reason"], finish, "{limit}");
        assert_eq!(choice["message"]["reasoning"], reasoning, "{limit}");
        assert_eq!(
            choice["message"].get("content").and_then(Value::as_str),
            content,
            "{limit}"
        );
    }
}

#[tokio::test]
async fn a_stop_sequence_ends_the_content_before_it() {
    let reply = chat(&with(
        say("say: one two three"),
        json!({"stop": ["three", " two"]}),
    ))
    .await
    .json();
    assert_eq!(reply["choices"][0]["message"]["content"], "one");
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn tools_are_called_with_the_arguments_as_written() {
    let body = with(
        say(r#"call: first {"x":  1} | call: third {"#),
        json!({"tools": tools()}),
    );
    let reply = chat(&body).await.json();
    let choice = &reply["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"].get("content"), None);
    let calls = choice["message"]["tool_calls"].as_array().unwrap();
    assert_eq!(
        calls[0]["function"],
        json!({"name": "first", "arguments": "{\"x\":  1}"})
    );
    assert_eq!(
        calls[1]["function"],
        json!({"name": "third", "arguments": "{"})
    );
    let id = calls[0]["id"].as_str().unwrap();
    assert!(
        id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
    let one = message(&with(body, json!({"parallel_tool_calls": false}))).await;
    assert_eq!(one["tool_calls"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_demanded_tool_is_called_and_a_forbidden_one_is_not() {
    for (choice, expected) in [
        (
            json!("required"),
            json!({"name": "first", "arguments": "{\"x\":0}"}),
        ),
        (
            json!({"type": "function", "function": {"name": "second"}}),
            json!({"name": "second", "arguments": "{}"}),
        ),
        (json!("none"), Value::Null),
        (json!("auto"), Value::Null),
    ] {
        let message = message(&with(
            say("hi"),
            json!({"tools": tools(), "tool_choice": choice}),
        ))
        .await;
        assert_eq!(message["tool_calls"][0]["function"], expected, "{choice}");
    }
}

#[tokio::test]
async fn a_call_is_not_repeated_once_the_tool_has_answered() {
    let body = json!({"model": "llama3.1-8b", "tools": tools(), "messages": [
        {"role": "user", "content": "call: first {}"},
        {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "first", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "done"}
    ]});
    let message = message(&body).await;
    assert_eq!(message.get("tool_calls"), None);
    assert!(message["content"].is_string());
}

#[tokio::test]
async fn a_format_is_filled_unless_something_is_said() {
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {"properties": {"ok": {"type": "boolean"}}}}});
    let body = |text| with(say(text), json!({"response_format": schema}));
    assert_eq!(message(&body("hi")).await["content"], "{\"ok\":true}");
    assert_eq!(message(&body("say: no")).await["content"], "no");
}

#[tokio::test]
async fn an_ordinary_answer_repeats_nothing_of_the_request() {
    let body = with(say("My secret is swordfish"), json!({"n": 3}));
    let reply = chat(&body).await;
    for word in ["swordfish", "secret"] {
        assert!(!reply.text.contains(word), "{word}: {}", reply.text);
    }
    let answer = reply.json();
    let choices = answer["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    assert_ne!(choices[0]["message"], choices[1]["message"]);
}

#[tokio::test]
async fn predictions_and_tiers_show_in_the_answer() {
    let body = with(
        say("say: one two three"),
        json!({"prediction": {"type": "content", "content": "one two four five"}, "service_tier": "auto"}),
    );
    let reply = chat(&body).await.json();
    let details = &reply["usage"]["completion_tokens_details"];
    assert_eq!(details["accepted_prediction_tokens"], 2);
    assert_eq!(details["rejected_prediction_tokens"], 2);
    assert_eq!(reply["service_tier_used"], "default");
}

#[tokio::test]
async fn log_probabilities_cover_the_content() {
    let body = with(
        say("say: Hi you"),
        json!({"logprobs": true, "top_logprobs": 2}),
    );
    let reply = chat(&body).await.json();
    let tokens = reply["choices"][0]["logprobs"]["content"]
        .as_array()
        .unwrap();
    assert_eq!(tokens[1]["token"], " you");
    assert_eq!(tokens[1]["bytes"], json!([32, 121, 111, 117]));
    assert_eq!(tokens[1]["top_logprobs"].as_array().unwrap().len(), 2);
    let streamed = chat(&streamed(body)).await;
    let chunks = streamed.chunks();
    let told: usize = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["logprobs"]["content"].as_array())
        .map(Vec::len)
        .sum();
    assert_eq!(told, 2);
}

#[tokio::test]
async fn a_repeated_prompt_is_cached() {
    let router = router(frozen());
    let body = with(
        say("say: x"),
        json!({"messages": [
        {"role": "system", "content": "be brief ".repeat(150)}, {"role": "user", "content": "say: x"}]}),
    );
    let mut cached = Vec::new();
    for _ in 0..2 {
        let request = request("/v1/chat/completions", &[], body.to_string());
        let reply = read(router.clone().oneshot(request).await.unwrap())
            .await
            .json();
        cached.push(reply["usage"]["prompt_tokens_details"]["cached_tokens"].clone());
    }
    assert_eq!(cached, [0, 256]);
}

#[tokio::test]
async fn a_text_completion_has_its_own_shape() {
    let body =
        json!({"model": "llama3.1-8b", "prompt": ["say: one", "x"], "echo": true, "logprobs": 1});
    let reply = send(&frozen(), request("/v1/completions", &[], body.to_string())).await;
    let answer = reply.json();
    assert_eq!(answer["object"], "text_completion");
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2);
    assert_eq!(answer["choices"][0]["text"], "say: oneone");
    assert_eq!(
        answer["choices"][0]["logprobs"]["tokens"],
        json!(["say", ":", " oneone"])
    );
    assert_eq!(
        answer["choices"][0]["logprobs"]["text_offset"],
        json!([0, 3, 4])
    );
    assert!(reply.text.contains(r#""tokens":null}"#), "{}", reply.text);
}
