//! A request of the dialect of responses, and the stream that answers it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::Value;

use crate::wire::bridge::Bridge;
use crate::wire::{Dialect, Endpoint, Request};

/// What every stream begins with: it names the answer and its time.
const BEGINS: &[u8] = b"data: {\"id\":\"chatcmpl-1\",\"created\":1,\"choices\":[]}\n\n";

/// A request's body, and after a zero byte, which no JSON has, the bytes that leave an exchange for its client.
pub fn responses(data: &[u8]) {
    let (body, stream) = match memchr::memchr(0, data) {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &[][..]),
    };
    let read = Endpoint::Responses.read(Bytes::copy_from_slice(body));
    let request = read.or_else(|_| {
        let plain = r#"{"model":"m","input":"i","include":["reasoning.encrypted_content"]}"#;
        Endpoint::Responses.read(plain.into())
    });
    let request = request.expect("it is a request");
    becomes_a_chat(&request, body.len().max(80));
    let bridge = request.bridge().expect("it stands for another");
    let whole = written(bridge, &[stream]);
    let halves = stream.split_at(stream.len() / 2);
    let thirds = stream.split_at(stream.len() / 3);
    assert_eq!(written(bridge, &[halves.0, halves.1]), whole);
    assert_eq!(written(bridge, &[thirds.0, thirds.1]), whole);
    if stream.len() < 4096 {
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(written(bridge, &single), whole);
    }
    adds_up(&whole);
    if let Ok(whole) = bridge.whole(Bytes::copy_from_slice(stream)) {
        let response: Value = serde_json::from_slice(&whole).expect("an answer is JSON");
        assert_eq!(response["object"], "response");
    }
}

/// What goes on is a chat request of its own right, with no string that the client didn't send, and not much longer than what it sent.
fn becomes_a_chat(request: &Request, bytes: usize) {
    let chat = request.to_bytes(None);
    assert!(chat.len() <= bytes + bytes / 2 + 4096, "it is too long");
    let again = Request::parse(Dialect::Chat, chat).expect("it is a chat request");
    assert_eq!(again.segments(0), request.segments(0));
    assert_eq!((again.stream(), again.n()), (request.stream(), 1));
    assert_eq!(again.include_usage(), request.stream());
}

fn written(bridge: &Bridge, pieces: &[&[u8]]) -> Vec<u8> {
    let mut writer = bridge.stream().expect("it has streams");
    let mut out = writer.write(Bytes::from_static(BEGINS)).to_vec();
    for piece in pieces {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    assert!(writer.end().is_empty(), "an end comes once");
    out
}

/// Events have numbers, items begin before their texts and end in their order, texts add up, and there is one end.
fn adds_up(events: &[u8]) {
    let events = std::str::from_utf8(events).expect("events are text");
    let data = events
        .lines()
        .filter_map(|line| line.strip_prefix("data: "));
    // An event without data passes as a comment does.
    let data = data.filter(|data| !data.is_empty());
    let events: Vec<Value> = data
        .map(|data| serde_json::from_str(data).expect("an event is JSON"))
        .collect();
    let mut said: BTreeMap<(u64, u64), String> = BTreeMap::new();
    let (mut begun, mut done) = (Vec::new(), Vec::new());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        let kind = event["type"].as_str().expect("an event has a type");
        let at = event["output_index"].as_u64();
        let place = at.map(|at| (at, event["content_index"].as_u64().unwrap_or(0)));
        match kind {
            "response.output_item.added" => {
                assert_eq!(at, Some(begun.len() as u64), "places have no holes");
                begun.push(event["item"]["id"].clone());
            }
            "response.output_item.done" => done.push(event["item"].clone()),
            kind if kind.ends_with(".delta") => {
                let place = place.expect("a delta has a place");
                assert_eq!(event["item_id"], begun[place.0 as usize]);
                let delta = event["delta"].as_str().expect("a delta is text");
                said.entry(place).or_default().push_str(delta);
            }
            kind if kind.ends_with("text.done")
                || kind.ends_with("arguments.done")
                || kind.ends_with("refusal.done") =>
            {
                let names = ["text", "arguments", "refusal"].into_iter();
                let text = names.filter_map(|name| event[name].as_str()).next();
                let place = place.expect("a text has a place");
                assert_eq!(text, Some(said.remove(&place).unwrap_or_default().as_str()));
            }
            _ => {}
        }
    }
    let last = events.last().expect("there is an end");
    let failed = last["type"] == "response.failed";
    let terminal = [
        "response.completed",
        "response.incomplete",
        "response.failed",
    ];
    let ends = |event: &&Value| terminal.contains(&event["type"].as_str().unwrap_or_default());
    assert_eq!(events.iter().filter(ends).count(), 1, "it ends once");
    assert!(ends(&last), "nothing comes behind the end");
    let ids = |items: &Value| -> Vec<Value> {
        let items = items.as_array().into_iter().flatten();
        items.map(|item| item["id"].clone()).collect()
    };
    assert_eq!(ids(&last["response"]["output"]), begun);
    if !failed {
        assert_eq!(last["response"]["output"], Value::Array(done));
        assert!(said.is_empty(), "every text is done");
    }
}
