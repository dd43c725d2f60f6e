//! What clients of responses through other gateways have tripped over, each by its name. The bytes of it all are in `tests/golden`.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Endpoint;

/// The events of a stream of these deltas, each with a finish or without.
fn events(chunks: &[Value]) -> Vec<Value> {
    let request = Endpoint::Responses.read(r#"{"model":"m","input":"i","stream":true}"#.into());
    let request = request.unwrap();
    let mut writer = request.bridge().unwrap().stream().unwrap();
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend_from_slice(&writer.write(format!("data: {chunk}\n\n").into()));
    }
    out.extend_from_slice(&writer.end());
    let out = String::from_utf8(out).unwrap();
    let data = out.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).unwrap())
        .collect()
}

fn whole(message: &Value, finish: &str) -> Value {
    let request = Endpoint::Responses.read(r#"{"model":"m","input":"i"}"#.into());
    let body = json!({"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": finish, "message": message}]});
    let request = request.unwrap();
    let bridge = request.bridge().unwrap();
    let whole = bridge.whole(Bytes::from(body.to_string())).unwrap();
    serde_json::from_slice(&whole).unwrap()
}

fn delta(delta: Value) -> Value {
    json!({"id": "chatcmpl-1", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn call(index: u32, arguments: &str) -> Value {
    json!({"index": index, "id": format!("c{index}"), "type": "function", "function": {"name": format!("f{index}"), "arguments": arguments}})
}

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().map(|event| event["type"].as_str().unwrap());
    kinds
        .map(|kind| kind.trim_start_matches("response."))
        .collect()
}

/// Those of one type.
fn of<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events
        .iter()
        .filter(|event| event["type"] == kind)
        .collect()
}

fn last(events: &[Value]) -> &Value {
    &events.last().unwrap()["response"]
}

#[test]
fn a_text_beside_calls_is_kept() {
    let said = json!({"content": "let me see", "tool_calls": [call(0, "{}"), call(1, "{}")]});
    let whole = whole(&said, "tool_calls");
    let streamed = events(&[delta(said), finish("tool_calls")]);
    for response in [&whole, last(&streamed)] {
        let kinds: Vec<_> = response["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| &item["type"])
            .collect();
        assert_eq!(kinds, ["message", "function_call", "function_call"]);
        assert_eq!(response["output"][0]["content"][0]["text"], "let me see");
        assert_eq!(response["status"], "completed");
    }
}

#[test]
fn calls_in_one_chunk_are_all_there_and_done_in_their_order() {
    let calls: Vec<Value> = (0..9).map(|index| call(index, "{}")).collect();
    let events = events(&[delta(json!({"tool_calls": calls})), finish("tool_calls")]);
    let done = of(&events, "response.output_item.done");
    let names: Vec<_> = done
        .iter()
        .map(|event| event["item"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(
        names,
        ["f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7", "f8"]
    );
    for (at, event) in done.iter().enumerate() {
        assert_eq!(
            (&event["output_index"], &event["item"]["call_id"]),
            (&json!(at), &json!(format!("c{at}")))
        );
    }
}

#[test]
fn a_call_without_arguments_is_done_too() {
    let events = events(&[
        delta(json!({"tool_calls": [call(0, "")]})),
        finish("tool_calls"),
    ]);
    assert_eq!(
        kinds(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "function_call_arguments.done",
            "output_item.done",
            "completed"
        ]
    );
    assert_eq!(last(&events)["output"][0]["arguments"], "");
}

#[test]
fn a_call_without_text_before_it_is_the_first_item_and_has_no_parts() {
    let events = events(&[
        delta(json!({"tool_calls": [call(0, "{}")]})),
        finish("tool_calls"),
    ]);
    for event in &events[2..events.len() - 1] {
        assert_eq!(event["output_index"], 0, "{event}");
        assert!(event.get("content_index").is_none(), "{event}");
    }
}

#[test]
fn usage_that_comes_behind_the_finish_is_told() {
    let usage = json!({"id": "chatcmpl-1", "choices": [], "usage": {"prompt_tokens": 2, "completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 1}, "prompt_tokens_details": {"cached_tokens": 2}}});
    let events = events(&[delta(json!({"content": "hi"})), finish("stop"), usage]);
    let usage = &last(&events)["usage"];
    assert_eq!(
        (
            &usage["input_tokens"],
            &usage["output_tokens"],
            &usage["total_tokens"]
        ),
        (&json!(2), &json!(3), &json!(5))
    );
    assert_eq!(usage["input_tokens_details"]["cached_tokens"], 2);
    assert_eq!(usage["output_tokens_details"]["reasoning_tokens"], 1);
}

#[test]
fn a_stream_begins_with_its_first_chunk_whatever_that_says() {
    for first in [
        delta(json!({"role": "assistant"})),
        delta(json!({"content": "hi"})),
        delta(json!({})),
        finish("stop"),
    ] {
        let events = events(&[first, finish("stop")]);
        assert_eq!(kinds(&events)[..2], ["created", "in_progress"]);
        assert_eq!(events[0]["response"]["output"], json!([]));
        assert_eq!(events[0]["response"]["status"], "in_progress");
    }
}

#[test]
fn reasoning_has_events_of_its_own_and_refusals_have_an_item() {
    let events = events(&[
        delta(json!({"reasoning": "hm"})),
        delta(json!({"refusal": "no"})),
        finish("stop"),
    ]);
    assert_eq!(
        kinds(&events),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "reasoning_text.delta",
            "output_item.added",
            "content_part.added",
            "refusal.delta",
            "reasoning_text.done",
            "content_part.done",
            "output_item.done",
            "refusal.done",
            "content_part.done",
            "output_item.done",
            "completed",
        ]
    );
    let parts = &last(&events)["output"][1]["content"];
    assert_eq!(parts, &json!([{"type": "refusal", "refusal": "no"}]));
}

/// Behind a stage that holds words back, the last word of the reasoning comes just before the finish.
#[test]
fn reasoning_that_comes_late_still_has_its_item() {
    let events = events(&[
        delta(json!({"reasoning": "so be"})),
        delta(json!({"content": "yes"})),
        delta(json!({"reasoning": " it"})),
        finish("stop"),
    ]);
    let output = &last(&events)["output"];
    assert_eq!(output[0]["content"][0]["text"], "so be it");
    assert_eq!(output.as_array().map(Vec::len), Some(2));
    let done = kinds(&events)
        .iter()
        .position(|kind| kind.ends_with(".done"))
        .unwrap();
    assert!(
        kinds(&events)[done..]
            .iter()
            .all(|kind| !kind.ends_with(".delta")),
        "what is done takes no more"
    );
}

#[test]
fn a_finish_that_nobody_knows_is_an_end_whole_and_streamed() {
    let said = json!({"content": "hi"});
    let streamed = events(&[delta(said.clone()), finish("done")]);
    for response in [&whole(&said, "done"), last(&streamed)] {
        assert_eq!(
            (&response["status"], &response["incomplete_details"]),
            (&json!("completed"), &Value::Null)
        );
    }
}

#[test]
fn what_is_cut_off_is_incomplete_with_its_last_item() {
    for (word, reason) in [
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ] {
        let said = json!({"reasoning": "hm", "content": "hi"});
        let streamed = events(&[delta(said.clone()), finish(word)]);
        assert_eq!(kinds(&streamed).last(), Some(&"incomplete"));
        for response in [&whole(&said, word), last(&streamed)] {
            assert_eq!(
                (
                    &response["status"],
                    &response["incomplete_details"]["reason"]
                ),
                (&json!("incomplete"), &json!(reason))
            );
            let of = |item: usize| response["output"][item]["status"].as_str().unwrap();
            assert_eq!([of(0), of(1)], ["completed", "incomplete"]);
        }
    }
}

/// No member of another service's own goes on: not `time_info`, not what a chunk has beside its choices.
#[test]
fn no_event_has_members_that_clients_don_t_know() {
    let mut chunk = delta(json!({"content": "hi"}));
    chunk["time_info"] = json!({"queue_time": 1.0});
    chunk["extra_fields"] = json!({"a": "b"});
    for event in events(&[chunk, finish("stop")]) {
        let members: Vec<_> = event
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let known = [
            "type",
            "sequence_number",
            "response",
            "item",
            "item_id",
            "output_index",
            "content_index",
            "part",
            "delta",
            "text",
            "logprobs",
        ];
        assert!(
            members.iter().all(|member| known.contains(member)),
            "{members:?}"
        );
        assert!(event["response"].get("time_info").is_none());
    }
}

#[test]
fn an_upstreams_error_fails_the_response_and_ends_it() {
    let error = json!({"status_code": 500, "error": {"message": "Sorry.", "type": "server_error", "param": "", "code": ""}});
    let events = events(&[
        delta(json!({"content": "hi"})),
        error,
        delta(json!({"content": "more"})),
        finish("stop"),
    ]);
    assert_eq!(kinds(&events)[events.len() - 2..], ["error", "failed"]);
    let told = &events[events.len() - 2];
    assert_eq!(
        (&told["code"], &told["message"], &told["param"]),
        (&json!("server_error"), &json!("Sorry."), &Value::Null)
    );
    assert_eq!(last(&events)["error"]["message"], "Sorry.");
}

/// What is said of each token stands once where its text does, and not once more for every part and every call.
#[test]
fn what_is_said_of_a_token_is_told_once() {
    let token = json!({"token": "a token", "logprob": -1.0, "bytes": null, "top_logprobs": []});
    let mut chunk = delta(
        json!({"content": [{"type": "text", "text": "a "}, {"type": "text", "text": "token"}]}),
    );
    chunk["choices"][0]["logprobs"] = json!({"content": [token]});
    let events = events(&[chunk, finish("stop")]);
    let told = of(&events, "response.output_text.delta");
    let told: Vec<usize> = told
        .iter()
        .map(|event| event["logprobs"].as_array().unwrap().len())
        .collect();
    assert_eq!(told.iter().sum::<usize>(), 1, "{told:?}");
    let done = of(&events, "response.output_text.done");
    assert_eq!(done[0]["logprobs"].as_array().unwrap().len(), 1);

    let request = Endpoint::Responses.read(r#"{"model":"m","input":"i"}"#.into());
    let calls: Vec<Value> = (0..100).map(|index| call(index, "{}")).collect();
    let long = "x".repeat(1000);
    let body = json!({"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "logprobs": {"content": [{"token": long, "logprob": -1.0, "bytes": null, "top_logprobs": []}]},
        "message": {"content": long, "tool_calls": calls}}]});
    let request = request.unwrap();
    let bridge = request.bridge().unwrap();
    let whole = bridge.whole(Bytes::from(body.to_string())).unwrap();
    let whole = String::from_utf8(whole.to_vec()).unwrap();
    assert_eq!(whole.matches(&long).count(), 2, "the text and its token");
}

/// An upstream that never ends is broken off where a whole answer would be, and nothing comes behind it.
#[test]
fn a_response_says_no_more_than_a_whole_answer_may() {
    let request = Endpoint::Responses.read(r#"{"model":"m","input":"i","stream":true}"#.into());
    let request = request.unwrap();
    let mut writer = request.bridge().unwrap().stream().unwrap();
    let piece = Bytes::from(format!(
        "data: {}\n\n",
        delta(json!({"content": "x".repeat(900_000)}))
    ));
    let mut errors = 0;
    let mut bytes = 0;
    for _ in 0..100 {
        let out = writer.write(piece.clone());
        bytes += out.len();
        let text = String::from_utf8(out.to_vec()).unwrap();
        errors += text.matches("event: error\n").count();
        if errors > 0 {
            assert!(writer.write(piece.clone()).is_empty());
            assert!(writer.end().is_empty());
            break;
        }
    }
    assert_eq!(errors, 1);
    assert!(bytes > 64 << 20, "{bytes}");
}
