//! Every fault, by header; and the other ways to ask for one.

use std::time::Duration;

use tokio::time::Instant;

use super::*;

async fn with_fault(fault: &str, body: &Value) -> Reply {
    chat_with(
        &[("x-simulate-fault", fault), ("x-simulate-chunk", "2")],
        body,
    )
    .await
}

const SENTENCE: &str = "say: abcdefgh";

#[tokio::test]
async fn faults_that_are_a_status() {
    for (fault, status, code) in [
        ("401", 401, "wrong_api_key"),
        ("402", 402, "payment_required"),
        ("404", 404, "model_not_found"),
        ("408", 408, "request_timeout"),
        ("413", 413, "content_too_large"),
        ("422", 422, "wrong_api_format"),
        ("429-requests", 429, "request_quota_exceeded"),
        ("429-tokens", 429, "token_quota_exceeded"),
        ("429-queue", 429, "queue_exceeded"),
        ("500", 500, ""),
        ("503", 503, "service_unavailable"),
    ] {
        for body in [say("hi"), streamed(say("hi"))] {
            let reply = with_fault(fault, &body).await;
            assert_eq!(reply.status, status, "{fault}");
            assert_eq!(reply.code(), code, "{fault}");
            let all_strings = reply
                .json()
                .as_object()
                .unwrap()
                .values()
                .all(Value::is_string);
            assert!(
                all_strings && reply.json().as_object().unwrap().len() == 4,
                "{fault}"
            );
            assert_eq!(
                reply.headers.contains_key("retry-after"),
                status == 429,
                "{fault}"
            );
        }
    }
}

#[tokio::test]
async fn faults_that_are_html() {
    for (fault, status) in [("403-html", 403), ("html-200", 200)] {
        let reply = with_fault(fault, &say("hi")).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.headers["content-type"], "text/html; charset=UTF-8");
        assert!(reply.text.starts_with("<!DOCTYPE html>"), "{}", reply.text);
    }
}

#[tokio::test]
async fn not_json_is_half_of_it_or_one_event_of_half() {
    let reply = with_fault("not-json", &say(SENTENCE)).await;
    assert_eq!(reply.status, 200);
    assert!(reply.text.starts_with("{\"id\""), "{}", reply.text);
    serde_json::from_str::<Value>(&reply.text).unwrap_err();
    let reply = with_fault("not-json", &streamed(say(SENTENCE))).await;
    let events = reply.events();
    let junk: Vec<_> = (0..events.len())
        .filter(|at| serde_json::from_str::<Value>(events[*at]).is_err())
        .collect();
    assert_eq!(junk, [3, events.len() - 1]);
    assert_eq!(events[3], r#"{"id":"chatcmpl-"#);
    assert_eq!(events.last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn an_error_may_come_first_or_in_the_middle() {
    let error = r#"{"status_code":500,"error":{"message":"Encountered a server error, please try again.","type":"server_error","param":"","code":"","id":""}}"#;
    let reply = with_fault("error-first", &streamed(say(SENTENCE))).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.events(), [error]);
    let reply = with_fault("error-mid-stream", &streamed(say(SENTENCE))).await;
    let events = reply.events();
    assert_eq!(events.len(), 4);
    assert!(events[2].contains(r#""content":"cd""#), "{:?}", events[2]);
    assert_eq!(events[3], error);
    for fault in ["error-first", "error-mid-stream"] {
        assert_eq!(with_fault(fault, &say(SENTENCE)).await.status, 500);
    }
}

#[tokio::test]
async fn a_cut_breaks_the_body_after_some_content() {
    let reply = with_fault("cut", &streamed(say(SENTENCE))).await;
    assert!(reply.broken);
    assert_eq!(reply.events().len(), 3);
    let reply = with_fault("cut", &say(SENTENCE)).await;
    assert!(reply.broken);
    let length: usize = reply.headers["content-length"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(reply.text.len(), length / 2);
}

#[tokio::test(start_paused = true)]
async fn a_stall_says_nothing_more() {
    for body in [streamed(say(SENTENCE)), say(SENTENCE)] {
        let request = request(
            "/v1/chat/completions",
            &[("x-simulate-fault", "stall")],
            body.to_string(),
        );
        let response = router(frozen()).oneshot(request).await.unwrap();
        let mut body = response.into_body();
        let mut frames = 0;
        let silence = loop {
            match tokio::time::timeout(Duration::from_secs(86_400), body.frame()).await {
                Ok(Some(frame)) => frames += frame.map(|_| 1).unwrap(),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(silence && frames > 0, "{silence}, {frames} frames");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_comes_before_everything() {
    let request = request(
        "/v1/chat/completions",
        &[("x-simulate-fault", "silent")],
        say("x").to_string(),
    );
    let answer = router(frozen()).oneshot(request);
    tokio::time::timeout(Duration::from_secs(86_400), answer)
        .await
        .unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn a_slow_first_byte_takes_the_time_it_is_told() {
    for (fault, seconds) in [("slow-first-byte", 2), ("slow-first-byte=7s", 7)] {
        let start = Instant::now();
        let reply = with_fault(fault, &say("hi")).await;
        assert_eq!(reply.status, 200);
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
}

#[tokio::test]
async fn an_empty_answer_can_end_by_length() {
    let reply = with_fault("empty-length", &say("hi")).await.json();
    assert_eq!(reply["choices"][0]["message"]["content"], "");
    assert_eq!(reply["choices"][0]["finish_reason"], "length");
    let reply = with_fault("empty-length", &streamed(say("hi"))).await;
    assert_eq!(reply.chunks().len(), 2);
    assert_eq!(reply.chunks()[1]["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn text_and_tools_come_together() {
    let reply = with_fault("text-and-tools", &say("say: text")).await.json();
    let choice = &reply["choices"][0];
    assert_eq!(choice["message"]["content"], "text");
    assert_eq!(
        choice["message"]["tool_calls"][0]["function"]["name"],
        "simulated"
    );
    assert_eq!(choice["finish_reason"], "tool_calls");
    let reply = with_fault("text-and-tools", &streamed(say("say: text"))).await;
    assert_eq!(reply.deltas(0, "content").concat(), "text");
    assert!(
        reply
            .text
            .contains(r#""tool_calls":[{"function":{"name":"simulated","arguments":"{}"}"#)
    );
}

#[tokio::test]
async fn a_huge_event_is_one_line() {
    let reply = with_fault("huge-event=2", &streamed(say("hi"))).await;
    let deltas = reply.deltas(0, "content");
    assert_eq!(deltas.len(), 1);
    assert_eq!(deltas[0].len(), 2 << 20);
}

#[tokio::test]
async fn carriage_returns_and_comments_change_no_event() {
    let plain = chat_with(&[("x-simulate-chunk", "2")], &streamed(say(SENTENCE))).await;
    let reply = with_fault("crlf", &streamed(say(SENTENCE))).await;
    assert!(
        reply.text.starts_with(": simulated\r\n\r\ndata: {"),
        "{}",
        reply.text
    );
    assert!(!reply.text.replace("\r\n", "").contains('\n'));
    let events: Vec<_> = reply
        .text
        .split("\r\n\r\n")
        .filter_map(|event| event.strip_prefix("data: "))
        .collect();
    assert_eq!(events, plain.events());
}

#[tokio::test]
async fn bytewise_is_the_same_answer_in_frames_of_one_byte() {
    for body in [say(SENTENCE), streamed(say(SENTENCE))] {
        let plain = chat_with(&[("x-simulate-chunk", "2")], &body).await;
        let headers = [("x-simulate-fault", "bytewise"), ("x-simulate-chunk", "2")];
        let request = request("/v1/chat/completions", &headers, body.to_string());
        let mut body = router(frozen()).oneshot(request).await.unwrap().into_body();
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert_eq!(data.len(), 1);
            bytes.extend(data);
        }
        assert_eq!(bytes, plain.text.as_bytes());
    }
}

#[tokio::test]
async fn a_stream_can_end_without_done() {
    let reply = with_fault("no-done", &streamed(say("hi"))).await;
    assert!(reply.events().last().unwrap().contains("finish_reason"));
    assert!(!reply.broken);
}

#[tokio::test]
async fn a_fault_can_stand_in_the_model_or_the_message() {
    let model = with(say("hi"), json!({"model": "llama3.1-8b+503"}));
    assert_eq!(chat(&model).await.status, 503);
    assert_eq!(chat(&say("fault: 503 | say: hi")).await.status, 503);
    let crlf = with(
        streamed(say("fault: bytewise | say: hi")),
        json!({"model": "llama3.1-8b+crlf"}),
    );
    let reply = chat(&crlf).await;
    assert!(
        reply.text.starts_with(": simulated\r\n")
            && reply.text.contains(r#""model":"llama3.1-8b""#),
        "{}",
        reply.text
    );
    let prompt = json!({"model": "llama3.1-8b", "prompt": "fault: 402"});
    let reply = send(
        &frozen(),
        request("/v1/completions", &[], prompt.to_string()),
    )
    .await;
    assert_eq!(reply.status, 402);
}

#[tokio::test]
async fn a_fault_with_a_count_wears_off_for_each_body() {
    let router = router(frozen());
    let mut seen = Vec::new();
    for text in ["a", "a", "a", "b"] {
        let request = request(
            "/v1/chat/completions",
            &[("x-simulate-fault", "500*2")],
            say(text).to_string(),
        );
        seen.push(
            router
                .clone()
                .oneshot(request)
                .await
                .unwrap()
                .status()
                .as_u16(),
        );
    }
    assert_eq!(seen, [500, 500, 200, 500]);
}

#[tokio::test]
async fn an_unknown_fault_is_refused_with_the_known_ones() {
    let reply = with_fault("explode", &say("hi")).await;
    assert_eq!(reply.status, 400);
    let message = reply.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.starts_with("the simulator knows no fault 'explode'; it knows 401,"),
        "{message}"
    );
}
