//! The policies that read content, in whole exchanges of every dialect.

use crate::support::*;

const CHAT: &str = "/v1/chat/completions";
const RESPONSES: &str = "/v1/responses";
const MESSAGES: &str = "/anthropic/v1/messages";

/// A request of each dialect, whole and streamed, with this instruction, this message, and a tool for each name.
fn requests(instruction: &str, text: &str, tools: &[&str]) -> Vec<(&'static str, Value)> {
    let parameters = json!({"type": "object"});
    let list =
        |tool: &dyn Fn(&str) -> Value| -> Value { tools.iter().map(|name| tool(name)).collect() };
    let user = json!([{"role": "user", "content": text}]);
    let mut messages = json!([{"role": "system", "content": instruction}]);
    messages
        .as_array_mut()
        .unwrap()
        .extend(user.as_array().cloned().unwrap());
    let chat = json!({"model": "llama3.1-8b", "messages": messages,
        "tools": list(&|name| json!({"type": "function", "function": {"name": name, "parameters": parameters}}))});
    let responses = json!({"model": "llama3.1-8b", "instructions": instruction, "input": text,
        "tools": list(&|name| json!({"type": "function", "name": name, "parameters": parameters}))});
    let message = json!({"model": "llama3.1-8b", "max_tokens": 4096, "system": instruction, "messages": user,
        "tools": list(&|name| json!({"name": name, "input_schema": parameters}))});
    let mut all = Vec::new();
    for (path, mut body) in [(CHAT, chat), (RESPONSES, responses), (MESSAGES, message)] {
        if tools.is_empty() {
            body.as_object_mut().unwrap().remove("tools");
        }
        all.push((path, body.clone()));
        all.push((path, with(body, json!({"stream": true}))));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_denied_call_leaves_in_any_dialect() {
    let bench = Bench::of(
        "policies: {chain: [agent-firewall]}\n\
         policy: {agent-firewall: {offered: keep, blocked_tools: [wipe], rules: [{tools: [pay], schema: {properties: {sum: {maximum: 100}}}}]}}",
    )
    .await;
    for (call, secret, code) in [
        (r#"wipe {"disk": "/dev/sda"}"#, "/dev/sda", "tool_denied"),
        (r#"pay {"sum": 98765}"#, "98765", "tool_arguments_denied"),
    ] {
        let text = format!("chunk: 3 | call: {call}");
        for (path, body) in requests("Be brief.", &text, &["wipe", "pay"]) {
            let reply = bench.post_with(path, &body, &[]).await;
            assert!(reply.text().contains(code), "{path}: {}", reply.text());
            assert!(!reply.text().contains(secret), "{path}: {}", reply.text());
            assert!(!reply.text().contains("call_"), "{path}: {}", reply.text());
        }
    }
    for (path, body) in requests("Be brief.", r#"chunk: 3 | call: pay {"sum": 98}"#, &["pay"]) {
        let reply = bench.post_with(path, &body, &[]).await;
        assert!(!reply.text().contains("denied"), "{path}: {}", reply.text());
        assert!(reply.text().contains("pay"), "{path}: {}", reply.text());
    }
    bench.settled().await;
}

/// Writes a placeholder into an answer: a request that asked the simulator for one would have it in it, and then it stands for nothing.
const WRITER: &str =
    "writer: {requests: false, blocked_terms: [PLACEHOLDER], replacement: <EMAIL_1>}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_never_sees_a_value_and_the_client_always_does() {
    let bench = Bench::of(&format!(
        "policies: {{chain: [{{id: writer, component: \"bundled:dlp\"}}, pii-vault]}}\npolicy: {{{WRITER}}}"
    ))
    .await;
    let text = "chunk: 2 | say: Dear PLACEHOLDER, well.";
    for (path, body) in requests("Write to ann@example.org.", text, &[]) {
        let reply = bench.post_with(path, &body, &[]).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let text = reply.text();
        assert!(
            text.contains("ann@example.org") && !text.contains("EMAIL_"),
            "{path}: {text}"
        );
    }
    let seen = json!(bench.upstream().bodies()).to_string();
    assert!(
        seen.contains("<EMAIL_1>") && !seen.contains("ann@"),
        "{seen}"
    );
    bench.settled().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_them_stand_in_one_chain() {
    let bench = Bench::of(&format!(
        "policies: {{chain: [topics, tool-firewall, {{id: writer, component: \"bundled:dlp\"}}, dlp, pii-vault, json-answer]}}\n\
         policy:\n  \
           topics: {{forbidden: {{weapons: {{terms: [gun, rifle], threshold: 2}}}}}}\n  \
           tool-firewall: {{blocked_tools: [wipe]}}\n  \
           dlp: {{blocked_terms: [Project Lynx], sensitivity_level: high}}\n  \
           json-answer: {{schema: {{type: object, required: [to]}}}}\n  \
           {WRITER}\n"
    ))
    .await;
    let said = |text: &str| requests("Of Project Lynx write to ann@example.org.", text, &[]);
    for (path, body) in
        said("chunk: 2 | say: ```json\n{\"to\": \"PLACEHOLDER\", \"a\": \"b\"}\n```")
    {
        let reply = bench.post_with(path, &body, &[]).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        let text = reply.text();
        assert!(
            text.contains("ann@example.org") && !text.contains("EMAIL_"),
            "{path}: {text}"
        );
        assert!(!text.contains("```"), "{path}: {text}");
    }
    let seen = json!(bench.upstream().bodies()).to_string();
    assert!(seen.contains("Of [REDACTED] write to <EMAIL_1>."), "{seen}");
    for (text, code) in [
        ("say: {\"to\": \"a gun and a", "json_syntax"),
        ("say: {}", "json_schema"),
        ("say: Dear Ann", "json_syntax"),
        ("words: 0", "json_empty"),
        ("say: a gun and a rifle", "topic_forbidden"),
    ] {
        for (path, body) in said(text) {
            let reply = bench.post_with(path, &body, &[]).await;
            assert!(
                reply.text().contains(code),
                "{path} {text}: {}",
                reply.text()
            );
        }
    }
    bench.settled().await;
}

/// A value that is whole so far passes nothing that follows it, also where the stage may be skipped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_held_until_it_matches_is_not_let_go_for_its_length() {
    use crate::support::scripted::{DONE, Scripted, Step, event, finish};
    let mut pieces = vec!["{}".to_owned()];
    pieces.resize(8, " ".repeat(50));
    pieces.push("and prose".to_owned());
    let mut steps: Vec<Step> = pieces.iter().map(|it| Step::Write(event(it))).collect();
    steps.push(Step::Write(finish(0) + DONE));
    let upstream = Scripted::serve(steps).await;
    let bench = Bench::to(
        "policies: {chain: [{id: json-answer, on_error: skip, limits: {held_text: 100B}}]}\npolicy: {json-answer: {hold: true}}",
        vec![upstream.address],
    )
    .await;
    let reply = bench.chat(&ask_stream("hello")).await;
    assert_eq!(reply.error(), (422, "json_held".into()));
}

/// What the last word denies is its own choice: the others are read on, whatever `on_error` says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_is_too_long_to_hold_takes_no_other_with_it() {
    use crate::support::scripted::{DONE, Scripted, Step, delta, finish};
    let long = format!("[{}", "1, ".repeat(6_000));
    let text = |choice: u32, text: &str| Step::Write(delta(choice, json!({"content": text})));
    let mut streamed = vec![text(0, "["), text(1, "{\"a\":")];
    streamed.extend((0..6).map(|_| text(0, &"1, ".repeat(1_000))));
    streamed.extend([text(1, " 1}"), Step::Write(finish(0) + &finish(1))]);
    // It begins when the first choice has been too long already.
    streamed.extend([text(2, "prose"), Step::Write(finish(2) + DONE)]);
    let choice = |index: u32, content: &str| json!({"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": content}});
    let whole = json!({"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "llama3.1-8b",
        "choices": [choice(0, &long), choice(1, "{\"a\": 1}"), choice(2, "prose")]});
    for on_error in ["skip", "deny"] {
        let chain = format!(
            "policies: {{chain: [{{id: json-answer, on_error: {on_error}}}]}}\npolicy: {{json-answer: {{hold: true}}}}"
        );
        for is_stream in [true, false] {
            let upstream = match is_stream {
                true => Scripted::serve(streamed.clone()).await,
                false => {
                    let steps = vec![Step::Write(whole.to_string())];
                    Scripted::serve_as("200 OK", "application/json", steps).await
                }
            };
            let bench = Bench::to(&chain, vec![upstream.address]).await;
            let body = with(ask("hi"), json!({"n": 3, "stream": is_stream}));
            let reply = bench.chat(&body).await;
            let which = format!("{on_error} {is_stream}: {}", reply.text());
            assert_eq!(reply.status, 200, "{which}");
            let said = reply.said();
            assert_eq!(said.denials[&0]["code"], "json_held", "{which}");
            if is_stream {
                // A whole answer tells the first choice's alone.
                assert_eq!(said.denials[&2]["code"], "json_syntax", "{which}");
            }
            let contents = [0, 1, 2].map(|choice| said.of(choice, "content"));
            assert_eq!(contents, ["", "{\"a\": 1}", ""], "{which}");
        }
    }
}
