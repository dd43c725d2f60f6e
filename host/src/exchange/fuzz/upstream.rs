//! An upstream's answer, drawn from a script.

use std::collections::{BTreeMap, BTreeSet};

use arbitrary::Unstructured;
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Texts;
use crate::exchange::passages::ChannelKey;
use crate::exchange::passages::fuzz::next;
use crate::wire::{Beside, Dialect, Member, Voice};

/// More chunks than this find nothing new.
const CHUNKS: usize = 40;

/// The other name under which reasoning is shown.
pub(super) const AGAIN: ChannelKey = ChannelKey::Beside(Beside {
    voice: Voice::Reasoning,
    member: Member::ReasoningContent,
    part: 0,
});

/// What an answer may have in it.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// What its choices look like.
    dialect: Dialect,
    /// Texts of one choice in one chunk.
    texts: u8,
    /// There are tool calls, beside each other.
    tools: bool,
    /// Choices may stay without a finish.
    unfinished: bool,
    /// There are members that nobody knows, and logprobs of other texts.
    odd: bool,
    /// There are texts that are longer than the pieces that a whole answer is cut into.
    long: bool,
}

impl Limits {
    /// `long`: there are long texts.
    pub(super) fn any(dialect: Dialect, long: bool) -> Self {
        Limits {
            dialect,
            texts: 3,
            tools: true,
            unfinished: true,
            odd: true,
            long,
        }
    }

    /// No arguments that must stay JSON, and each choice finishes.
    pub(super) fn plain(dialect: Dialect) -> Self {
        Limits {
            dialect,
            texts: 3,
            tools: false,
            unfinished: false,
            odd: true,
            long: false,
        }
    }

    pub(super) fn one_text_a_chunk(dialect: Dialect) -> Self {
        Limits {
            dialect,
            texts: 1,
            tools: false,
            unfinished: false,
            odd: false,
            long: false,
        }
    }
}

pub(super) struct Upstream {
    pub(super) dialect: Dialect,
    events: Vec<Vec<u8>>,
    /// In the order in which they came.
    texts: Vec<(u32, ChannelKey, String)>,
    pub(super) choices: u32,
    pub(super) finishes: BTreeMap<u32, &'static str>,
    /// The totals of every usage, sorted.
    pub(super) usages: Vec<u64>,
    pub(super) done: bool,
}

impl Upstream {
    pub(super) fn draw(script: &mut Unstructured<'_>, limits: Limits) -> Self {
        let mut upstream = Upstream {
            dialect: limits.dialect,
            events: Vec::new(),
            texts: Vec::new(),
            choices: 1 + u32::from(next(script, 3)),
            finishes: BTreeMap::new(),
            usages: Vec::new(),
            done: true,
        };
        let mut opened = BTreeSet::new();
        for _ in 0..CHUNKS {
            if script.is_empty() || upstream.finishes.len() == upstream.choices as usize {
                break;
            }
            let mut choices = vec![upstream.choice(script, limits, &mut opened)];
            if limits.texts > 1 && next(script, 4) == 0 {
                let other = upstream.choice(script, limits, &mut opened);
                if other["index"] != choices[0]["index"] {
                    choices.push(other);
                } else {
                    upstream.push(script, json!([choices.pop()]));
                    choices.push(other);
                }
            }
            upstream.push(script, choices.into());
        }
        for choice in 0..upstream.choices {
            let finished = upstream.finishes.contains_key(&choice);
            if finished || limits.unfinished && next(script, 3) == 0 {
                continue;
            }
            upstream.finishes.insert(choice, "stop");
            let mut end = upstream.says_nothing(choice);
            end["finish_reason"] = json!("stop");
            upstream.push(script, json!([end]));
        }
        let finished = upstream.finishes.len() == upstream.choices as usize;
        if finished && next(script, 4) == 0 {
            upstream.done = false;
        } else {
            upstream.events.push(b"data: [DONE]\n\n".to_vec());
        }
        upstream.usages.sort_unstable();
        upstream
    }

    /// One choice of a chunk: some texts, or none.
    fn choice(
        &mut self,
        script: &mut Unstructured<'_>,
        limits: Limits,
        opened: &mut BTreeSet<(u32, u32)>,
    ) -> Value {
        let going = (0..self.choices).filter(|choice| !self.finishes.contains_key(choice));
        let going: Vec<u32> = going.collect();
        let Some(choice) = going
            .get(usize::from(next(script, 3)) % going.len().max(1))
            .copied()
        else {
            return self.says_nothing(0);
        };
        let mut keys = BTreeSet::new();
        for _ in 0..=next(script, limits.texts) {
            keys.insert(key(script, limits));
        }
        let mut delta = Map::new();
        let mut calls = Vec::new();
        for key in keys {
            let text = text(script, key, limits);
            let name = match key {
                ChannelKey::Content => "content",
                ChannelKey::Reasoning => "reasoning",
                ChannelKey::Refusal => "refusal",
                ChannelKey::Beside(_) => "reasoning_content",
                ChannelKey::FunctionCall => unreachable!("none is drawn"),
                ChannelKey::ToolArguments(index) => {
                    let mut call = json!({"function": {"arguments": text}, "index": index});
                    if opened.insert((choice, index)) {
                        call["id"] = json!(format!("call-{index}"));
                        call["function"]["name"] = json!("f");
                    }
                    calls.push(call);
                    self.texts.push((choice, key, text));
                    continue;
                }
            };
            delta.insert(name.to_owned(), json!(text));
            self.texts.push((choice, key, text));
        }
        if !calls.is_empty() {
            delta.insert("tool_calls".to_owned(), calls.into());
        }
        if next(script, 8) == 0 {
            delta.insert("role".to_owned(), json!("assistant"));
        }
        let mut json = match limits.dialect {
            Dialect::Completions => json!({"text": delta["content"], "index": choice}),
            _ => json!({"delta": delta, "index": choice}),
        };
        match next(script, 12) {
            0 if limits.odd => json["logprobs"] = json!({"content": [{"token": "x"}]}),
            0 if limits.dialect == Dialect::Completions => {
                json["logprobs"] = json!({"tokens": [json["text"]], "token_logprobs": [-0.5]});
            }
            0 => {
                let content = json["delta"]["content"].as_str().unwrap_or_default();
                let tokens = content
                    .chars()
                    .map(|char| json!({"token": char, "bytes": null}));
                json["logprobs"] = json!({"content": tokens.collect::<Vec<_>>()});
            }
            1 if limits.odd => json["unknown"] = json!([1.50, null]),
            1 => json["unknown"] = json!([]),
            2 | 3 => {
                let finish = ["stop", "length"][usize::from(next(script, 2))];
                json["finish_reason"] = json!(finish);
                self.finishes.insert(choice, finish);
            }
            _ => {}
        }
        json
    }

    /// A choice without any text.
    fn says_nothing(&self, choice: u32) -> Value {
        match self.dialect {
            Dialect::Completions => json!({"text": "", "index": choice}),
            _ => json!({"delta": {}, "index": choice}),
        }
    }

    /// Writes a chunk as an event, in one of the ways that events are written.
    fn push(&mut self, script: &mut Unstructured<'_>, choices: Value) {
        let mut chunk = json!({
            "id": "chatcmpl-1", "choices": choices, "created": 7, "model": "m",
            "system_fingerprint": "fp", "object": "chat.completion.chunk",
        });
        if next(script, 10) == 0 {
            let total = u64::from(next(script, 100));
            chunk["usage"] = json!({"total_tokens": total, "completion_tokens": 1});
            chunk["time_info"] = json!({"total_time": 0.13299274444580078});
            self.usages.push(total);
        }
        self.events.push(match next(script, 8) {
            0 => format!("data:{chunk}\r\n\r\n").into_bytes(),
            1 => format!(": why not\ndata: {chunk}\nid: 7\n\n").into_bytes(),
            _ => format!("data: {chunk}\n\n").into_bytes(),
        });
        if next(script, 16) == 0 {
            self.events.push(b": ping\n\n".to_vec());
        }
    }

    /// All events as one piece.
    pub(super) fn stream(&self) -> Bytes {
        self.events.concat().into()
    }

    /// The same bytes, cut anywhere.
    pub(super) fn cut(&self, script: &mut Unstructured<'_>) -> Vec<Bytes> {
        let mut rest = self.stream();
        let mut pieces = Vec::new();
        while !rest.is_empty() {
            let length = match next(script, 4) {
                0 => usize::from(next(script, 7)) + 1,
                1 => rest.len(),
                _ => usize::from(next(script, 255)) + 60,
            };
            pieces.push(rest.split_to(length.min(rest.len())));
        }
        pieces
    }

    /// The whole text of each channel that has any.
    pub(super) fn texts(&self) -> Texts {
        let mut texts = Texts::new();
        for (choice, key, text) in self.texts.iter().filter(|(.., text)| !text.is_empty()) {
            texts.entry((*choice, *key)).or_default().push_str(text);
        }
        texts
    }

    /// The same texts in other chunks: choice after choice.
    pub(super) fn rechunked(&self, script: &mut Unstructured<'_>) -> Upstream {
        let mut other = Upstream {
            dialect: self.dialect,
            events: Vec::new(),
            texts: self.texts.clone(),
            choices: self.choices,
            finishes: self.finishes.clone(),
            usages: Vec::new(),
            done: true,
        };
        for ((choice, key), text) in self.texts() {
            let name = match key {
                ChannelKey::Reasoning => "reasoning",
                ChannelKey::Refusal => "refusal",
                ChannelKey::Beside(_) => "reasoning_content",
                _ => "content",
            };
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let length = usize::from(next(script, 6)) + 1;
                let (piece, after) = rest.split_at(rest.floor_char_boundary(length.max(4)));
                let choice = match self.dialect {
                    Dialect::Completions => json!({"text": piece, "index": choice}),
                    _ => json!({"delta": {name: piece}, "index": choice}),
                };
                other.push(script, json!([choice]));
                rest = after;
            }
        }
        for (choice, finish) in &self.finishes {
            let mut end = self.says_nothing(*choice);
            end["finish_reason"] = json!(finish);
            other.push(script, json!([end]));
        }
        other.events.push(b"data: [DONE]\n\n".to_vec());
        other
    }

    /// The same answer as one body.
    pub(super) fn whole(&self) -> Bytes {
        let mut texts = self.texts();
        let choices = (0..self.choices).map(|choice| {
            let mut message = json!({"role": "assistant"});
            for (name, key) in [
                ("reasoning", ChannelKey::Reasoning),
                ("reasoning_content", AGAIN),
                ("content", ChannelKey::Content),
                ("refusal", ChannelKey::Refusal),
            ] {
                if let Some(text) = texts.remove(&(choice, key)) {
                    message[name] = json!(text);
                }
            }
            // In a message the place tells a call.
            let last = (0..2).rfind(|index| {
                texts.contains_key(&(choice, ChannelKey::ToolArguments(*index)))
            });
            let calls: Vec<Value> = (0..last.map_or(0, |last| last + 1))
                .map(|index| {
                    let text = texts.remove(&(choice, ChannelKey::ToolArguments(index)));
                    let function = json!({"name": "f", "arguments": text.unwrap_or_default()});
                    json!({"id": format!("call-{index}"), "function": function, "index": index})
                })
                .collect();
            if !calls.is_empty() {
                message["tool_calls"] = calls.into();
            }
            let finish = self.finishes.get(&choice);
            if self.dialect == Dialect::Completions {
                let text = message["content"].as_str().unwrap_or_default();
                return json!({"finish_reason": finish, "index": choice, "text": text, "logprobs": null});
            }
            json!({"finish_reason": finish, "index": choice, "message": message, "logprobs": {"content": []}})
        });
        let body = json!({
            "id": "chatcmpl-1", "choices": choices.collect::<Vec<_>>(), "created": 7, "model": "m",
            "object": "chat.completion", "usage": {"total_tokens": 3}, "time_info": {"total_time": 1.50},
        });
        serde_json::to_vec(&body).expect("a JSON value").into()
    }
}

fn key(script: &mut Unstructured<'_>, limits: Limits) -> ChannelKey {
    match next(script, 12) {
        _ if limits.dialect == Dialect::Completions => ChannelKey::Content,
        0..=4 => ChannelKey::Content,
        5 => ChannelKey::Reasoning,
        6 => AGAIN,
        7 => ChannelKey::Refusal,
        8 | 9 if limits.tools => ChannelKey::ToolArguments(0),
        _ if limits.tools => ChannelKey::ToolArguments(1),
        _ => ChannelKey::Content,
    }
}

/// A short text; of arguments, parts of JSON.
fn text(script: &mut Unstructured<'_>, key: ChannelKey, limits: Limits) -> String {
    if limits.long && next(script, 8) == 7 {
        return format!("\"{}\"", "é".repeat(usize::from(next(script, 4)) * 2_500));
    }
    if matches!(key, ChannelKey::ToolArguments(_)) {
        let parts = ["{}", "", "{\"a\":", "1}", "[", "\"x\"", "]"];
        return parts[usize::from(next(script, 7))].to_owned();
    }
    let letters = ['a', 'b', 'a', 'b', 'c', 'e', '"', '\n', 'é', '\u{1f600}'];
    (0..next(script, 7))
        .map(|_| letters[usize::from(next(script, 10))])
        .collect()
}
