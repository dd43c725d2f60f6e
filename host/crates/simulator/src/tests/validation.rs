//! What is refused, and in which words.

use super::*;

async fn message(body: &Value) -> String {
    let reply = chat(body).await;
    assert_eq!(reply.status, 400, "{body} -> {}", reply.text);
    let error = reply.json();
    assert_eq!(error["type"], "invalid_request_error");
    assert_eq!(error["param"], "validation_error");
    assert_eq!(error["code"], "wrong_api_format");
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn unknown_fields_are_named_by_their_path() {
    let hi = json!({"role": "user", "content": "hi"});
    for (more, expected) in [
        (
            json!({"store": true}),
            "body.store: property 'body.store' is unsupported",
        ),
        (
            json!({"messages": [hi, hi, {"role": "assistant", "content": "a", "reasoning_content": "b"}]}),
            "messages.2.assistant.reasoning_content: property 'messages.2.assistant.reasoning_content' is unsupported",
        ),
        (
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}]}),
            "messages.0.user.content.0.cache_control: property 'messages.0.user.content.0.cache_control' is unsupported",
        ),
        (
            json!({"stream_options": {"x": 1}}),
            "stream_options.x: property 'stream_options.x' is unsupported",
        ),
        (
            json!({"store": true, "top_k": 1, "metadata": null}),
            "body.store: property 'body.store' is unsupported\n\
             body.top_k: property 'body.top_k' is unsupported\n\
             body.metadata: property 'body.metadata' is unsupported",
        ),
    ] {
        assert_eq!(message(&with(say("hi"), more)).await, expected);
    }
}

#[tokio::test]
async fn values_out_of_range_are_problems() {
    for (more, expected) in [
        (
            json!({"temperature": 2.1}),
            "body.temperature: Input should be less than or equal to 2",
        ),
        (
            json!({"temperature": "hot"}),
            "body.temperature: Input should be a valid number",
        ),
        (
            json!({"n": 0}),
            "body.n: Input should be greater than or equal to 1",
        ),
        (json!({"n": 1.5}), "body.n: Input should be a valid integer"),
        (
            json!({"max_tokens": -2}),
            "body.max_tokens: Input should be greater than or equal to -1",
        ),
        (
            json!({"stop": ["a", "b", "c", "d", "e"]}),
            "body.stop: List should have at most 4 items",
        ),
        (
            json!({"stop": 1}),
            "body.stop: Input should be a valid string or a valid list",
        ),
        (
            json!({"reasoning_format": null}),
            "body.reasoning_format: Input should be 'none' or 'parsed' or 'text_parsed' or 'raw' or 'hidden'",
        ),
        (
            json!({"reasoning_effort": "minimal"}),
            "body.reasoning_effort: Input should be 'none' or 'low' or 'medium' or 'high'",
        ),
        (
            json!({"messages": []}),
            "body.messages: List should have at least 1 item",
        ),
        (
            json!({"messages": [{"content": "x"}]}),
            "messages.0: Unable to extract tag using discriminator 'role'",
        ),
        (
            json!({"messages": [{"role": "user"}]}),
            "messages.0.user.content: Field required",
        ),
        (
            json!({"logit_bias": {"7": 101}}),
            "logit_bias.7: Input should be less than or equal to 100",
        ),
    ] {
        assert_eq!(message(&with(say("hi"), more)).await, expected);
    }
    assert_eq!(
        message(&json!({"messages": [{"role": "user", "content": "x"}]})).await,
        "body.model: Field required"
    );
    assert_eq!(
        message(&json!([])).await,
        "body: Input should be a valid dictionary"
    );
}

#[tokio::test]
async fn fields_that_do_not_go_together_are_refused() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "s", "strict": true, "schema": {"type": "object"}}});
    for (more, expected) in [
        (
            json!({"max_tokens": 1, "max_completion_tokens": 1}),
            "\"max_tokens\" is incompatible with \"max_completion_tokens\"",
        ),
        (
            json!({"model": "gpt-oss-120b", "tools": tools, "response_format": {"type": "json_object"}}),
            "\"tools\" is incompatible with \"response_format\"",
        ),
        (
            json!({"stream": true, "response_format": {"type": "json_object"}}),
            "\"response_format\" of type \"json_object\" is incompatible with \"stream\"",
        ),
        (
            json!({"reasoning_format": "raw", "response_format": {"type": "json_object"}}),
            "\"reasoning_format\" of \"raw\" is incompatible with \"response_format\"",
        ),
        (
            json!({"model": "gpt-oss-120b", "reasoning_effort": "none"}),
            "\"reasoning_effort\" of \"none\" is not supported by this model",
        ),
        (
            json!({"top_logprobs": 3}),
            "\"top_logprobs\" requires \"logprobs\" to be true",
        ),
        (
            json!({"tool_choice": "auto"}),
            "\"tool_choice\" is not allowed without \"tools\"",
        ),
        (
            json!({"tools": [{"type": "function", "function": {"name": "a b"}}]}),
            "tools.0.function.name: String should match pattern '^[A-Za-z0-9_-]{1,64}$'",
        ),
        (
            json!({"response_format": schema}),
            "additionalProperties must be set to false for all objects in JSON schema",
        ),
        (
            json!({"tools": tools, "prediction": {"type": "content", "content": "x"}}),
            "\"prediction\" is incompatible with \"tools\"",
        ),
    ] {
        assert_eq!(message(&with(say("hi"), more)).await, expected);
    }
}

#[tokio::test]
async fn what_only_some_models_take_is_refused_by_others() {
    let developer =
        json!([{"role": "developer", "content": "a"}, {"role": "user", "content": "say: x"}]);
    for (model, more, expected) in [
        ("gpt-oss-120b", json!({"messages": developer}), None),
        (
            "gemma-4-31b",
            json!({"messages": developer}),
            Some("messages.0.developer: role 'developer' is not supported by this model"),
        ),
        ("zai-glm-4.7", json!({"clear_thinking": false}), None),
        (
            "gpt-oss-120b",
            json!({"clear_thinking": false}),
            Some("body.clear_thinking: property 'body.clear_thinking' is unsupported"),
        ),
        ("gpt-oss-120b", json!({"model_parameters": null}), None),
        (
            "gpt-oss-120b",
            json!({"model_parameters": {}}),
            Some("body.model_parameters: property 'body.model_parameters' is unsupported"),
        ),
    ] {
        let body = with(with(say("say: x"), more), json!({"model": model}));
        match expected {
            None => assert_eq!(chat(&body).await.status, 200),
            Some(expected) => assert_eq!(message(&body).await, expected),
        }
    }
}

#[tokio::test]
async fn glm_takes_tools_with_a_format() {
    let body = with(
        say("say: {}"),
        json!({"model": "zai-glm-4.7", "response_format": {"type": "json_object"},
               "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}),
    );
    assert_eq!(chat(&body).await.status, 200);
}

#[tokio::test]
async fn tool_messages_must_answer_calls_right_after_them() {
    let user = json!({"role": "user", "content": "x"});
    let calls = |ids: &[&str]| {
        let calls: Vec<_> = ids
            .iter()
            .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}))
            .collect();
        json!({"role": "assistant", "content": null, "tool_calls": calls})
    };
    let tool = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
    for (messages, expected) in [
        (
            json!([user, calls(&["a", "b"]), tool("b"), tool("a")]),
            None,
        ),
        (
            json!([user, calls(&["a"]), user]),
            Some("followed by a tool message for 'a'"),
        ),
        (
            json!([user, calls(&["a"])]),
            Some("followed by a tool message for 'a'"),
        ),
        (
            json!([user, tool("a")]),
            Some("no preceding tool call has the id 'a'"),
        ),
        (
            json!([user, calls(&["a"]), tool("a"), calls(&["a"]), tool("a")]),
            Some("duplicate tool call id 'a'"),
        ),
    ] {
        let body = with(say(""), json!({"messages": messages}));
        match expected {
            None => assert_eq!(chat(&body).await.status, 200),
            Some(part) => assert!(message(&body).await.contains(part), "{messages}"),
        }
    }
}

#[tokio::test]
async fn images_are_for_models_that_see() {
    let image = |url: &str| json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]);
    let png = "data:image/png;base64,AAAA";
    let body = |model: &str, url: &str| json!({"model": model, "messages": image(url)});
    let reply = chat(&body("gemma-4-31b", png)).await;
    assert_eq!(
        reply.json()["usage"]["prompt_tokens_details"]["image_tokens"],
        280
    );
    assert_eq!(
        message(&body("llama3.1-8b", png)).await,
        "This model does not support image inputs"
    );
    assert!(
        message(&body("gemma-4-31b", "https://x/y.png"))
            .await
            .contains("base64 data URIs")
    );
    let large = format!("{png}{}", "A".repeat(15 << 20));
    assert_eq!(chat(&body("gemma-4-31b", &large)).await.status, 413);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_told_both_numbers() {
    let reply = chat(&with(say("hi"), json!({"max_completion_tokens": 40_000}))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(reply.code(), "context_length_exceeded");
    assert_eq!(
        reply.json()["message"],
        "Please reduce the length of the messages or completion. Current length is 40005 while limit is 32768"
    );
}

#[tokio::test]
async fn a_model_that_does_not_exist_is_404() {
    let reply = chat(&with(say("hi"), json!({"model": "gpt-4o"}))).await;
    assert_eq!(reply.status, 404);
    assert_eq!(
        reply.text,
        r#"{"message":"Model does not exist or you do not have access to it.","type":"not_found_error","param":"model","code":"model_not_found"}"#
    );
}

#[tokio::test]
async fn penalties_are_fine_unless_the_old_rule_is_wanted() {
    let body = with(
        say("hi"),
        json!({"frequency_penalty": 0.5, "logit_bias": {}}),
    );
    assert_eq!(chat(&body).await.status, 200);
    let old = Options {
        legacy_penalties: true,
        ..frozen()
    };
    let reply = send(&old, request("/v1/chat/completions", &[], body.to_string())).await;
    assert_eq!(
        reply.json()["message"],
        "body.frequency_penalty: property 'body.frequency_penalty' is unsupported\n\
         body.logit_bias: property 'body.logit_bias' is unsupported"
    );
    let asked = chat_with(&[("x-simulate-fault", "penalties")], &body).await;
    assert_eq!(asked.text, reply.text);
}

#[tokio::test]
async fn a_text_completion_is_closed_too() {
    for (body, expected) in [
        (
            json!({"model": "llama3.1-8b"}),
            "body.prompt: Field required",
        ),
        (
            json!({"model": "llama3.1-8b", "prompt": "x", "messages": []}),
            "body.messages: property 'body.messages' is unsupported",
        ),
        (
            json!({"model": "llama3.1-8b", "prompt": [-1]}),
            "prompt.0: Input should be greater than or equal to 0",
        ),
        (
            json!({"model": "llama3.1-8b", "prompt": "x", "suffix": "y"}),
            "\"suffix\" is not supported",
        ),
        (
            json!({"model": "llama3.1-8b", "prompt": "x", "best_of": 2, "stream": true}),
            "\"best_of\" is incompatible with \"stream\"",
        ),
    ] {
        let reply = send(&frozen(), request("/v1/completions", &[], body.to_string())).await;
        assert_eq!(reply.json()["message"], expected);
    }
}
