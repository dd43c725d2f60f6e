//! Answers as JSON text, key for key in the order that Cerebras was recorded to write them in. Written by hand: a stream
//! has thousands of events, and all of an event but its text is the same.

use std::fmt::Write as _;
use std::io::Write as _;

use bytes::{BufMut as _, BytesMut};

use super::catalog::Model;
use super::pieces::{Piece, What};
use super::plan::{Call, Choice};
use super::tokens;

/// Chat or text completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Chat,
    Text,
}

/// What all events of an answer share, written once.
#[derive(Debug)]
pub(super) struct Envelope {
    dialect: Dialect,
    /// Up to the choices.
    head: String,
    /// Behind the choices of an event, and of a whole answer.
    event_stamp: String,
    whole_stamp: String,
    /// `Some` asks for log probabilities, with this many alternatives for each token.
    logprobs: Option<u64>,
    tail: String,
}

/// Counts for the `usage` object.
#[derive(Debug, Default)]
pub(super) struct Usage {
    pub(super) prompt: u64,
    pub(super) cached: u64,
    pub(super) completion: u64,
    pub(super) reasoning: u64,
    pub(super) accepted: u64,
    pub(super) rejected: u64,
    /// `Some` for models that see images, which have a shorter form.
    pub(super) image: Option<u64>,
}

/// Seconds for the `time_info` object.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) created: f64,
    pub(super) queue: f64,
    pub(super) prompt: f64,
    pub(super) completion: f64,
}

/// `usage`, `time_info` and the service tier, each with a comma before it.
pub(super) fn tail(usage: &Usage, times: &Times, tier: Option<&str>) -> String {
    let mut text = String::with_capacity(400);
    let total = usage.prompt + usage.completion;
    let _ = write!(
        text,
        r#","usage":{{"total_tokens":{total},"completion_tokens":{},"completion_tokens_details":{{"#,
        usage.completion
    );
    if usage.image.is_none() {
        let _ = write!(
            text,
            r#""accepted_prediction_tokens":{},"rejected_prediction_tokens":{},"#,
            usage.accepted, usage.rejected
        );
    }
    let _ = write!(
        text,
        r#""reasoning_tokens":{}}},"prompt_tokens":{},"prompt_tokens_details":{{"cached_tokens":{}"#,
        usage.reasoning, usage.prompt, usage.cached
    );
    if let Some(image) = usage.image {
        let _ = write!(text, r#","image_tokens":{image}"#);
    }
    let total = times.queue + times.prompt + times.completion + 0.001;
    let _ = write!(
        text,
        r#"}}}},"time_info":{{"created":{:?},"queue_time":{:?},"prompt_time":{:?},"completion_time":{:?},"total_time":{total:?}}}"#,
        times.created, times.queue, times.prompt, times.completion
    );
    match tier {
        Some("auto") => text.push_str(r#","service_tier_used":"default""#),
        Some(tier) => {
            let _ = write!(text, r#","service_tier":"{tier}""#);
        }
        None => {}
    }
    text
}

/// A JSON string.
fn string(out: &mut BytesMut, text: &str) {
    serde_json::to_writer(out.writer(), text).expect("a string always serialises into memory");
}

macro_rules! put {
    ($out:expr, $($format:tt)*) => {
        write!($out.writer(), $($format)*).expect("memory can always be written")
    };
}

impl Envelope {
    /// The envelope of the answer `id`, made `created` seconds after 1970. `tail` is what [`tail`] made.
    pub(super) fn new(
        dialect: Dialect,
        id: &str,
        created: u64,
        model: &Model,
        logprobs: Option<u64>,
        tail: String,
    ) -> Self {
        let (name, print) = (model.id, model.fingerprint());
        let stamp = |object: &str| match dialect {
            Dialect::Chat => format!(
                r#"],"created":{created},"model":"{name}","system_fingerprint":"{print}","object":"{object}""#
            ),
            Dialect::Text => format!(
                r#"],"created":{created},"model":"{name}","object":"{object}","system_fingerprint":"{print}""#
            ),
        };
        let (event, whole) = match dialect {
            Dialect::Chat => ("chat.completion.chunk", "chat.completion"),
            Dialect::Text => ("text_completion", "text_completion"),
        };
        Self {
            dialect,
            head: format!(r#"{{"id":"{id}","choices":["#),
            event_stamp: stamp(event),
            whole_stamp: stamp(whole),
            logprobs,
            tail,
        }
    }

    /// The JSON of one event. `last` gives it usage and times.
    pub(super) fn event(&self, out: &mut BytesMut, choices: &[Choice], piece: Piece, last: bool) {
        out.put_slice(self.head.as_bytes());
        let choice = &choices[piece.choice];
        match self.dialect {
            Dialect::Chat => self.chat_choice(out, choice, piece),
            Dialect::Text => self.text_choice(out, choice, piece),
        }
        out.put_slice(self.event_stamp.as_bytes());
        if last {
            out.put_slice(self.tail.as_bytes());
        }
        out.put_u8(b'}');
    }

    fn chat_choice(&self, out: &mut BytesMut, choice: &Choice, piece: Piece) {
        out.put_slice(br#"{"delta":{"#);
        let mut probable = None;
        match piece.what {
            What::Role => out.put_slice(br#""role":"assistant""#),
            What::Reasoning => {
                let text = &choice.reasoning[piece.start..piece.end];
                out.put_slice(br#""reasoning":"#);
                string(out, text);
                probable = Some(("reasoning_logprobs", text));
            }
            What::Content => {
                let text = content(choice, piece);
                out.put_slice(br#""content":"#);
                string(out, text);
                probable = Some(("logprobs", text));
            }
            What::CallOpen(number) => {
                out.put_slice(br#""tool_calls":["#);
                call(out, &choice.calls[number], "", Some(number));
                out.put_u8(b']');
            }
            What::CallWhole(number) => {
                out.put_slice(br#""tool_calls":["#);
                let made = &choice.calls[number];
                call(out, made, &made.arguments, Some(number));
                out.put_u8(b']');
            }
            What::CallPart(number) => {
                out.put_slice(br#""tool_calls":[{"function":{"arguments":"#);
                string(out, &choice.calls[number].arguments[piece.start..piece.end]);
                put!(out, r#"}},"type":"function","index":{number}}}]"#);
            }
            What::Finish => {}
        }
        out.put_u8(b'}');
        if piece.what == What::Finish {
            put!(out, r#","finish_reason":"{}""#, choice.finish.name());
        }
        put!(out, r#","index":{}"#, piece.choice);
        if let (Some(alternatives), Some((name, text))) = (self.logprobs, probable) {
            put!(out, r#","{name}":"#);
            chat_logprobs(out, text, alternatives);
        }
        out.put_u8(b'}');
    }

    fn text_choice(&self, out: &mut BytesMut, choice: &Choice, piece: Piece) {
        put!(out, r#"{{"index":{}"#, piece.choice);
        let text = match piece.what {
            What::Content => content(choice, piece),
            _ => "",
        };
        if piece.what == What::Finish {
            put!(out, r#","finish_reason":"{}""#, choice.finish.name());
        } else if let Some(alternatives) = self.logprobs {
            out.put_slice(br#","logprobs":"#);
            text_logprobs(out, text, piece.start, alternatives);
        }
        out.put_slice(br#","text":"#);
        string(out, text);
        out.put_u8(b'}');
    }

    /// The JSON of a whole answer.
    pub(super) fn whole(&self, out: &mut BytesMut, choices: &[Choice]) {
        out.put_slice(self.head.as_bytes());
        for (index, choice) in choices.iter().enumerate() {
            if index > 0 {
                out.put_u8(b',');
            }
            match self.dialect {
                Dialect::Chat => self.whole_chat_choice(out, index, choice),
                Dialect::Text => self.whole_text_choice(out, index, choice),
            }
        }
        out.put_slice(self.whole_stamp.as_bytes());
        out.put_slice(self.tail.as_bytes());
        out.put_u8(b'}');
    }

    fn whole_chat_choice(&self, out: &mut BytesMut, index: usize, choice: &Choice) {
        let finish = choice.finish.name();
        put!(
            out,
            r#"{{"finish_reason":"{finish}","index":{index},"message":{{"#
        );
        if let Some(content) = &choice.content {
            out.put_slice(br#""content":"#);
            string(out, content);
            out.put_u8(b',');
        }
        if !choice.reasoning.is_empty() {
            out.put_slice(br#""reasoning":"#);
            string(out, &choice.reasoning);
            out.put_u8(b',');
        }
        if !choice.calls.is_empty() {
            out.put_slice(br#""tool_calls":["#);
            for (number, made) in choice.calls.iter().enumerate() {
                if number > 0 {
                    out.put_u8(b',');
                }
                call(out, made, &made.arguments, None);
            }
            out.put_slice(b"],");
        }
        out.put_slice(br#""role":"assistant"}"#);
        if let Some(alternatives) = self.logprobs {
            if let Some(content) = &choice.content {
                out.put_slice(br#","logprobs":"#);
                chat_logprobs(out, content, alternatives);
            }
            if !choice.reasoning.is_empty() {
                out.put_slice(br#","reasoning_logprobs":"#);
                chat_logprobs(out, &choice.reasoning, alternatives);
            }
        }
        out.put_u8(b'}');
    }

    fn whole_text_choice(&self, out: &mut BytesMut, index: usize, choice: &Choice) {
        let finish = choice.finish.name();
        let text = choice.content.as_deref().unwrap_or_default();
        put!(
            out,
            r#"{{"index":{index},"finish_reason":"{finish}","logprobs":"#
        );
        match self.logprobs {
            Some(alternatives) => text_logprobs(out, text, 0, alternatives),
            None => out.put_slice(b"null"),
        }
        out.put_slice(br#","text":"#);
        string(out, text);
        out.put_slice(br#","tokens":null}"#);
    }
}

fn content(choice: &Choice, piece: Piece) -> &str {
    let content = choice.content.as_deref().unwrap_or_default();
    &content[piece.start..piece.end]
}

fn call(out: &mut BytesMut, call: &Call, arguments: &str, index: Option<usize>) {
    out.put_slice(br#"{"function":{"name":"#);
    string(out, &call.name);
    out.put_slice(br#","arguments":"#);
    string(out, arguments);
    put!(out, r#"}},"type":"function","id":"{}""#, call.id);
    if let Some(index) = index {
        put!(out, r#","index":{index}"#);
    }
    out.put_u8(b'}');
}

/// An invented probability, higher for longer tokens: only its look matters.
fn probability(token: &str, rank: u64) -> f64 {
    -1.0 / (1.0 + token.len() as f64) - rank as f64
}

fn entry(out: &mut BytesMut, token: &str, rank: u64) {
    out.put_slice(br#"{"token":"#);
    string(out, token);
    let bytes = token.as_bytes();
    put!(
        out,
        r#","logprob":{:?},"bytes":{bytes:?}"#,
        probability(token, rank)
    );
}

fn chat_logprobs(out: &mut BytesMut, text: &str, alternatives: u64) {
    out.put_slice(br#"{"content":["#);
    for (index, token) in tokens::cut(text).enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        entry(out, token, 0);
        out.put_slice(br#","top_logprobs":["#);
        for rank in 0..alternatives {
            if rank > 0 {
                out.put_u8(b',');
            }
            entry(out, &alternative(token, rank), rank);
            out.put_u8(b'}');
        }
        out.put_slice(b"]}");
    }
    out.put_slice(b"]}");
}

/// The alternatives of a token: the token itself first, then invented ones.
fn alternative(token: &str, rank: u64) -> String {
    match rank {
        0 => token.to_owned(),
        rank => format!("{token}{rank}"),
    }
}

fn text_logprobs(out: &mut BytesMut, text: &str, offset: usize, alternatives: u64) {
    let mut offsets = Vec::new();
    let mut at = offset;
    let cut: Vec<&str> = tokens::cut(text).collect();
    for token in &cut {
        offsets.push(at);
        at += token.len();
    }
    let logprobs: Vec<f64> = cut.iter().map(|token| probability(token, 0)).collect();
    put!(
        out,
        r#"{{"text_offset":{offsets:?},"token_logprobs":{logprobs:?},"tokens":["#
    );
    for (index, token) in cut.iter().enumerate() {
        if index > 0 {
            out.put_u8(b',');
        }
        string(out, token);
    }
    out.put_slice(br#"],"top_logprobs":["#);
    for (index, token) in cut.iter().enumerate() {
        out.put_slice(if index > 0 { b",{" } else { b"{" });
        for rank in 0..alternatives {
            if rank > 0 {
                out.put_u8(b',');
            }
            string(out, &alternative(token, rank));
            put!(out, ":{:?}", probability(token, rank));
        }
        out.put_u8(b'}');
    }
    out.put_slice(b"]}");
}
