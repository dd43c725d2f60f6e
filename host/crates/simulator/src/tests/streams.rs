//! Streams: their exact bytes, their cuts, their pace.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

/// A chunk of the model, with the parts that are the same in all replaced.
fn bare(reply: &Reply) -> Vec<String> {
    let chunk = reply.chunks()[0].clone();
    let head = format!(r#"{{"id":"{}","choices":["#, chunk["id"].as_str().unwrap());
    let stamp = format!(
        r#"],"created":1775751421,"model":"{}","system_fingerprint":"{}","object":"chat.completion.chunk""#,
        chunk["model"].as_str().unwrap(),
        chunk["system_fingerprint"].as_str().unwrap()
    );
    let events = reply.events();
    events
        .iter()
        .map(|event| event.replace(&head, "<").replace(&stamp, ">"))
        .collect()
}

const CHARS: (&str, &str) = ("x-simulate-chunk", "4");

#[tokio::test]
async fn a_stream_is_written_as_recorded() {
    let body = streamed(with(
        say("think: hmm | say: Got it!"),
        json!({"model": "gpt-oss-120b"}),
    ));
    let reply = chat_with(&[CHARS], &body).await;
    assert_eq!(
        reply.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(
        bare(&reply),
        [
            r#"<{"delta":{"role":"assistant"},"index":0}>}"#,
            r#"<{"delta":{"reasoning":"hmm"},"index":0}>}"#,
            r#"<{"delta":{"content":"Got "},"index":0}>}"#,
            r#"<{"delta":{"content":"it!"},"index":0}>}"#,
            concat!(
                r#"<{"delta":{},"finish_reason":"stop","index":0}>,"usage":{"total_tokens":18,"completion_tokens":4,"#,
                r#""completion_tokens_details":{"accepted_prediction_tokens":0,"rejected_prediction_tokens":0,"#,
                r#""reasoning_tokens":1},"prompt_tokens":14,"prompt_tokens_details":{"cached_tokens":0}},"#,
                r#""time_info":{"created":1775751421.0,"queue_time":0.004,"prompt_time":0.00214,"#,
                r#""completion_time":0.0013333333333333333,"total_time":0.008473333333333333}}"#
            ),
            "[DONE]",
        ]
    );
}

#[tokio::test]
async fn calls_come_in_fragments_or_whole_as_the_model_does_it() {
    let tools = json!([{"type": "function", "function": {"name": "run_me"}}]);
    let body = |model: &str| {
        let said = say(r#"think: | call: run_me {"a":1} | call: run_me {}"#);
        streamed(with(said, json!({"model": model, "tools": tools})))
    };
    let strip = |reply: &Reply| {
        let mut events = bare(reply);
        for event in &mut events {
            while let Some(at) = event.find(r#""id":""#) {
                event.replace_range(at..at + r#""id":"123456789""#.len(), "ID");
            }
        }
        events
    };
    let reply = chat_with(&[CHARS], &body("gpt-oss-120b")).await;
    let events = strip(&reply);
    assert_eq!(
        events[1..6],
        [
            r#"<{"delta":{"tool_calls":[{"function":{"name":"run_me","arguments":""},"type":"function",ID,"index":0}]},"index":0}>}"#,
            r#"<{"delta":{"tool_calls":[{"function":{"arguments":"{\"a\""},"type":"function","index":0}]},"index":0}>}"#,
            r#"<{"delta":{"tool_calls":[{"function":{"arguments":":1}"},"type":"function","index":0}]},"index":0}>}"#,
            r#"<{"delta":{"tool_calls":[{"function":{"name":"run_me","arguments":""},"type":"function",ID,"index":1}]},"index":0}>}"#,
            r#"<{"delta":{"tool_calls":[{"function":{"arguments":"{}"},"type":"function","index":1}]},"index":0}>}"#,
        ]
    );
    assert!(
        events[6].starts_with(r#"<{"delta":{},"finish_reason":"tool_calls","index":0}>,"usage""#),
        "{:?}",
        events[6]
    );
    let reply = chat_with(&[CHARS], &body("zai-glm-4.7")).await;
    assert_eq!(
        strip(&reply)[1],
        r#"<{"delta":{"tool_calls":[{"function":{"name":"run_me","arguments":"{\"a\":1}"},"type":"function",ID,"index":0}]},"index":0}>}"#
    );
}

#[tokio::test]
async fn every_cut_gives_the_same_text() {
    let text = "Ein Zürcher—“quoted”\n\tline \u{1F980} end";
    let count = text.chars().count();
    for at in 1..count {
        let chunk = format!("{at},1000");
        let body = streamed(say(&format!("say: {text}")));
        let reply = chat_with(&[("x-simulate-chunk", &chunk)], &body).await;
        let deltas = reply.deltas(0, "content");
        assert_eq!(deltas.len(), 2);
        assert_eq!(deltas[0].chars().count(), at);
        assert_eq!(deltas.concat(), text);
    }
    let reply = chat(&streamed(say(&format!("say: {text}")))).await;
    assert_eq!(reply.deltas(0, "content").concat(), text);
}

#[tokio::test]
async fn a_message_can_choose_its_cuts() {
    let reply = chat(&streamed(say("chunk: 1 | say: abc"))).await;
    assert_eq!(reply.deltas(0, "content"), ["a", "b", "c"]);
}

#[tokio::test]
async fn choices_are_interleaved_and_usage_comes_once_at_the_end() {
    let reply = chat_with(
        &[CHARS],
        &streamed(with(say("say: some words"), json!({"n": 2}))),
    )
    .await;
    let chunks = reply.chunks();
    let order: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk["choices"][0]["index"].as_u64().unwrap())
        .collect();
    assert_eq!(order, [0, 1, 0, 1, 0, 1, 0, 0, 1, 1]);
    assert_eq!(reply.deltas(0, "content").concat(), "some words");
    assert_eq!(reply.deltas(1, "content").concat(), "some words");
    let with_usage = chunks.iter().filter(|chunk| chunk.get("usage").is_some());
    assert_eq!(with_usage.count(), 1);
    assert_eq!(chunks.last().unwrap()["usage"]["completion_tokens"], 4);
}

#[tokio::test]
async fn an_empty_answer_has_no_content_chunk() {
    let reply = chat(&streamed(say("say:"))).await;
    assert_eq!(reply.chunks().len(), 2);
}

#[tokio::test]
async fn a_text_completion_streams_pieces_of_text() {
    let body = json!({"model": "llama3.1-8b", "prompt": "say: Got it!", "stream": true});
    let reply = send(
        &frozen(),
        request("/v1/completions", &[CHARS], body.to_string()),
    )
    .await;
    let chunks = reply.chunks();
    let texts: Vec<_> = chunks
        .iter()
        .map(|chunk| chunk["choices"][0]["text"].as_str().unwrap())
        .collect();
    assert_eq!(texts, ["Got ", "it!", ""]);
    assert_eq!(chunks[0]["object"], "text_completion");
    assert_eq!(chunks[2]["choices"][0]["finish_reason"], "stop");
    assert!(chunks[2]["usage"].is_object());
}

async fn arrivals(options: &Options, headers: &[(&str, &str)], body: &Value) -> Vec<Duration> {
    let start = Instant::now();
    let request = request("/v1/chat/completions", headers, body.to_string());
    let response = router(options.clone()).oneshot(request).await.unwrap();
    let mut body = response.into_body();
    let mut arrivals = Vec::new();
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        arrivals.push(start.elapsed());
    }
    arrivals
}

#[tokio::test(start_paused = true)]
async fn a_stream_keeps_its_pace_without_drift() {
    let options = Options {
        tokens_per_second: Some(300.0),
        ..frozen()
    };
    let body = streamed(say(&format!("say: {}", " a".repeat(3_000))));
    // Two characters are one token here: a chunk every 3 1/3 ms. The timer knows only whole ones, and rounds up.
    let arrivals = arrivals(&options, &[("x-simulate-chunk", "2")], &body).await;
    assert_eq!(arrivals.len(), 3_003);
    assert_eq!(arrivals[0], Duration::ZERO);
    for (tokens, at) in arrivals[..=3_000].iter().enumerate() {
        let due = Duration::from_secs_f64(tokens as f64 / 300.0);
        assert!(
            *at >= due && *at <= due + Duration::from_millis(2),
            "{tokens}: {at:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_can_choose_its_pace() {
    let body = streamed(say("say: a b c d"));
    let slow = arrivals(&frozen(), &[("x-simulate-tokens-per-second", "1")], &body).await;
    assert_eq!(slow.last().unwrap().as_secs(), 4);
    let options = Options {
        tokens_per_second: Some(1.0),
        ..frozen()
    };
    let fast = arrivals(&options, &[("x-simulate-tokens-per-second", "0")], &body).await;
    assert_eq!(*fast.last().unwrap(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_whole_answer_takes_as_long_as_its_stream() {
    let options = Options {
        tokens_per_second: Some(2.0),
        ..frozen()
    };
    let arrivals = arrivals(&options, &[], &say("say: a b c d")).await;
    assert_eq!(arrivals, [Duration::from_secs(2)]);
}
