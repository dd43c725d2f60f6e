//! What a client reads, by another reader than the one under test.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Texts;
use super::upstream::AGAIN;
use crate::exchange::passages::ChannelKey;

/// An answer as a client has it in the end.
#[derive(Default)]
pub(super) struct Read {
    pub(super) texts: Texts,
    /// The finish reasons of each choice: there should be one.
    pub(super) finishes: BTreeMap<u32, Vec<String>>,
    /// The totals of every usage, sorted.
    pub(super) usages: Vec<u64>,
    pub(super) done: bool,
    /// Nothing of a choice came after its denial.
    pub(super) denials_are_last: bool,
}

impl Read {
    pub(super) fn stream(bytes: &[u8]) -> Read {
        let mut read = Read {
            denials_are_last: true,
            ..Read::default()
        };
        let mut denied = BTreeSet::new();
        for event in events(bytes) {
            let event = String::from_utf8(event).expect("the client gets text");
            let mut lines = event.lines();
            let data = lines.find_map(|line| line.strip_prefix("data:"));
            let Some(data) = data.map(str::trim) else {
                continue;
            };
            assert!(!read.done, "{data} came after the end");
            if data == "[DONE]" {
                read.done = true;
                continue;
            }
            let chunk: Value = serde_json::from_str(data).expect("the client gets JSON");
            for choice in chunk["choices"].as_array().into_iter().flatten() {
                read.denials_are_last &= !denied.contains(&choice["index"].as_u64());
                read.choice(choice, "delta");
                if chunk.get("witgate").is_some() {
                    denied.insert(choice["index"].as_u64());
                }
            }
            read.usages.extend(chunk["usage"]["total_tokens"].as_u64());
        }
        read.usages.sort_unstable();
        read.texts.retain(|_, text| !text.is_empty());
        read
    }

    pub(super) fn whole(body: &[u8]) -> Read {
        let mut read = Read::default();
        let body: Value = serde_json::from_slice(body).expect("the client gets JSON");
        for choice in body["choices"].as_array().into_iter().flatten() {
            read.choice(choice, "message");
        }
        read.texts.retain(|_, text| !text.is_empty());
        read
    }

    fn choice(&mut self, choice: &Value, delta: &str) {
        let index = choice["index"].as_u64().unwrap_or_default() as u32;
        let mut show = |key, text: &Value| {
            let text = text.as_str().unwrap_or_default();
            self.texts.entry((index, key)).or_default().push_str(text);
        };
        show(ChannelKey::Reasoning, &choice[delta]["reasoning"]);
        show(AGAIN, &choice[delta]["reasoning_content"]);
        show(ChannelKey::Content, &choice[delta]["content"]);
        show(ChannelKey::Content, &choice["text"]);
        show(ChannelKey::Refusal, &choice[delta]["refusal"]);
        let calls = choice[delta]["tool_calls"].as_array();
        for (call, place) in calls.into_iter().flatten().zip(0..) {
            let number = call["index"].as_u64().unwrap_or(place) as u32;
            let key = ChannelKey::ToolArguments(number);
            show(key, &call["function"]["arguments"]);
        }
        if let Some(finish) = choice["finish_reason"].as_str() {
            self.finishes
                .entry(index)
                .or_default()
                .push(finish.to_owned());
        }
    }
}

/// The events, without the blank lines around them; line ends are line feeds.
pub(super) fn events(bytes: &[u8]) -> Vec<Vec<u8>> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let events = text.split("\n\n").map(|event| event.trim_matches('\n'));
    let events = events.filter(|event| !event.is_empty());
    events.map(|event| event.as_bytes().to_vec()).collect()
}

/// A whole answer without its texts and logprobs.
pub(super) fn without_texts(body: &[u8]) -> Value {
    let mut value = around(serde_json::from_slice(body).expect("JSON"));
    let choices = value.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        // A choice without content may have got one.
        let message = choice.get_mut("message").and_then(Value::as_object_mut);
        if let Some(message) =
            message.filter(|message| message.get("content") == Some(&Value::Null))
        {
            message.remove("content");
        }
    }
    value
}

/// The JSON without its texts and logprobs: what may not change when a text does.
pub(crate) fn around(mut value: Value) -> Value {
    fn take(members: Option<&mut Map<String, Value>>, names: &[&str]) {
        if let Some(members) = members {
            members.retain(|name, _| !names.contains(&name.as_str()));
        }
    }
    fn function(holder: &mut Value, name: &str) {
        take(
            holder.get_mut(name).and_then(Value::as_object_mut),
            &["arguments"],
        );
        // A call without one may have got one, for its arguments.
        let gone = |value: &Value| value.is_null() || value == &Value::Object(Map::new());
        if holder.get(name).is_some_and(gone) {
            take(holder.as_object_mut(), &[name]);
        }
    }
    let choices = value.get_mut("choices").and_then(Value::as_array_mut);
    for choice in choices.into_iter().flatten() {
        take(
            choice.as_object_mut(),
            &[
                "logprobs",
                "reasoning_logprobs",
                "tokens",
                "token_ids",
                "prompt_logprobs",
            ],
        );
        if let Some(text) = choice.get_mut("text") {
            *text = Value::Null;
        }
        for name in ["delta", "message"] {
            let Some(delta) = choice.get_mut(name) else {
                continue;
            };
            for name in ["content", "reasoning", "reasoning_content", "refusal"] {
                match delta.get_mut(name) {
                    Some(Value::Array(parts)) => {
                        for part in parts {
                            take(part.as_object_mut(), &["text", "refusal"]);
                        }
                    }
                    Some(text) => *text = Value::Null,
                    None => {}
                }
            }
            function(delta, "function_call");
            let calls = delta.get_mut("tool_calls").and_then(Value::as_array_mut);
            for call in calls.into_iter().flatten() {
                function(call, "function");
            }
        }
    }
    value
}
