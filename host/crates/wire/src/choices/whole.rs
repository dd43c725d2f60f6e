//! A whole answer.
//!
//! What must stay true: an answer that nobody changed leaves as the bytes that came; in a changed one, only the changed texts,
//! their choices' logprobs and the denied choices differ.

use std::ops::Range;

use bytes::Bytes;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};

use super::chunk::{Chunk, NotAChunk, Piece};
use super::envelope::{DENIED, now, write_call, write_denial, write_identity, write_usage};
use super::splice::{Slot, set_texts};
use crate::raw::{ObjectWriter, RawObject};
use crate::{Channel, ToolCall, Usage};

/// One text of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerText {
    /// The choice that it belongs to.
    pub choice: u32,
    /// What it is.
    pub channel: Channel<'static>,
    /// The text, without JSON escapes; the parts of a content together.
    pub text: String,
    slots: SmallVec<[Slot; 1]>,
}

/// A whole answer and what is to be changed in it.
#[derive(Clone, Debug)]
pub struct WholeAnswer {
    original: Bytes,
    texts: Vec<AnswerText>,
    finishes: Vec<(u32, String)>,
    usage: Option<Usage>,
    model: Option<String>,
    choices: usize,
    logprobs: Vec<(u32, Range<usize>)>,
    changed: Vec<(usize, String)>,
    denied: Vec<Denied>,
}

#[derive(Clone, Debug)]
struct Denied {
    choice: u32,
    policy: String,
    code: String,
    message: String,
}

impl WholeAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`NotAChunk`] as [`Chunk::parse`], and where there are no choices.
    pub fn parse(original: Bytes) -> Result<WholeAnswer, NotAChunk> {
        let data = original.clone();
        let chunk = Chunk::parse(&data)?;
        if chunk.choices == 0 {
            return Err(NotAChunk("it has no choices".to_owned()));
        }
        let mut texts: Vec<AnswerText> = Vec::with_capacity(chunk.pieces.len());
        for piece in chunk.pieces {
            let Piece {
                choice,
                channel,
                text,
                slot,
            } = piece;
            let channel = channel.into_owned();
            match texts
                .iter_mut()
                .rfind(|text| text.choice == choice && text.channel == channel)
            {
                Some(before) => {
                    before.text.push_str(&text);
                    before.slots.push(slot);
                }
                None => texts.push(AnswerText {
                    choice,
                    channel,
                    text: text.into_owned(),
                    slots: smallvec![slot],
                }),
            }
        }
        Ok(WholeAnswer {
            texts,
            finishes: chunk
                .finishes
                .into_iter()
                .map(|(choice, reason)| (choice, reason.into_owned()))
                .collect(),
            usage: chunk.usage,
            model: chunk.model.map(|model| model.into_owned()),
            choices: chunk.choices,
            logprobs: chunk.logprobs.into_vec(),
            changed: Vec::new(),
            denied: Vec::new(),
            original,
        })
    }

    /// Every text as it came: choices in order, in each reasoning, content, refusal, tool calls by index.
    pub fn texts(&self) -> &[AnswerText] {
        &self.texts
    }

    /// The choices that ended, and why.
    pub fn finishes(&self) -> &[(u32, String)] {
        &self.finishes
    }

    /// What it took.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The model that answered.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// How many choices there are.
    pub fn choices(&self) -> usize {
        self.choices
    }

    /// Puts another text in the place of one of [`texts`](WholeAnswer::texts), by its place there. Of several the last holds. The
    /// first part gets the whole, where the content has parts. Does nothing where there is no such text.
    pub fn set_text(&mut self, index: usize, text: String) {
        self.changed.retain(|(changed, _)| *changed != index);
        if self
            .texts
            .get(index)
            .is_some_and(|before| before.text != text)
        {
            self.changed.push((index, text));
        }
    }

    /// Takes everything that the model said out of a choice and ends it as denied. The first denial of a choice holds.
    pub fn deny_choice(&mut self, choice: u32, policy: &str, code: &str, message: &str) {
        if !self.denied.iter().any(|denied| denied.choice == choice) {
            let [policy, code, message] = [policy, code, message].map(str::to_owned);
            self.denied.push(Denied {
                choice,
                policy,
                code,
                message,
            });
        }
    }

    /// The body to send.
    pub fn to_bytes(&self) -> Bytes {
        if self.changed.is_empty() && self.denied.is_empty() {
            return self.original.clone();
        }
        let mut edits: Vec<(&Slot, &str)> = Vec::new();
        let mut nulled = Vec::new();
        for (index, text) in &self.changed {
            let before = &self.texts[*index];
            let texts = std::iter::once(text.as_str()).chain(std::iter::repeat(""));
            edits.extend(before.slots.iter().zip(texts));
            let logprobs = self
                .logprobs
                .iter()
                .filter(|(choice, _)| *choice == before.choice);
            nulled.extend(logprobs.map(|(_, span)| span.clone()));
        }
        let body = set_texts(&self.original, &edits, &nulled);
        if self.denied.is_empty() {
            return Bytes::from(body);
        }
        Bytes::from(
            self.without_denied(&body)
                .expect("the answer has been read before"),
        )
    }

    fn without_denied(&self, body: &[u8]) -> Result<Vec<u8>, NotAChunk> {
        let body = std::str::from_utf8(body).map_err(|error| NotAChunk(error.to_string()))?;
        let mut out = Vec::with_capacity(body.len() + 128);
        let mut answer = ObjectWriter::new(&mut out);
        for (key, value) in &RawObject::parse(body)?.members {
            match key.as_ref() {
                "choices" => {
                    let out = answer.key(key);
                    out.push(b'[');
                    for (index, choice) in serde_json::from_str::<Vec<&RawValue>>(value.get())?
                        .into_iter()
                        .enumerate()
                    {
                        if index > 0 {
                            out.push(b',');
                        }
                        self.choice(choice, out)?;
                    }
                    out.push(b']');
                }
                "witgate" => {}
                _ => answer.raw(key, value.get()),
            }
        }
        if let Some(denied) = self.denied.first() {
            write_denial(
                answer.key("witgate"),
                &denied.policy,
                &denied.code,
                &denied.message,
            );
        }
        answer.end();
        Ok(out)
    }

    fn choice(&self, json: &RawValue, out: &mut Vec<u8>) -> Result<(), NotAChunk> {
        let choice = RawObject::parse(json.get())?;
        let index: u32 = choice
            .get("index")
            .and_then(|index| index.get().parse().ok())
            .unwrap_or(0);
        if !self.denied.iter().any(|denied| denied.choice == index) {
            out.extend_from_slice(json.get().as_bytes());
            return Ok(());
        }
        // Only what is known to say nothing of the text stays.
        let mut writer = ObjectWriter::new(out);
        writer.text("finish_reason", DENIED);
        writer.raw("index", &index.to_string());
        writer.raw("message", r#"{"content":null,"role":"assistant"}"#);
        writer.end();
        Ok(())
    }

    /// An answer that no upstream made: one choice for each that the deltas name, each text put together from its deltas.
    pub fn respond(id: &str, model: &str, deltas: &[(u32, Channel<'_>, String)]) -> Bytes {
        WholeAnswer::respond_at(id, model, deltas, now())
    }

    fn respond_at(
        id: &str,
        model: &str,
        deltas: &[(u32, Channel<'_>, String)],
        created: u64,
    ) -> Bytes {
        let mut choices: Vec<u32> = deltas.iter().map(|(choice, ..)| *choice).collect();
        choices.sort_unstable();
        choices.dedup();
        if choices.is_empty() {
            choices.push(0);
        }
        let mut out = Vec::with_capacity(512);
        let mut answer = ObjectWriter::new(&mut out);
        answer.text("id", id);
        let list = answer.key("choices");
        list.push(b'[');
        for (place, choice) in choices.iter().enumerate() {
            if place > 0 {
                list.push(b',');
            }
            let mine = deltas
                .iter()
                .filter(|(of, ..)| of == choice)
                .map(|(_, channel, text)| (channel, text.as_str()));
            write_choice(list, *choice, mine);
        }
        list.extend_from_slice(b"],");
        write_identity(list, model, created, "chat.completion");
        write_usage(answer.key("usage"), &Usage::default());
        answer.end();
        Bytes::from(out)
    }
}

fn write_choice<'d>(
    out: &mut Vec<u8>,
    choice: u32,
    deltas: impl Iterator<Item = (&'d Channel<'d>, &'d str)>,
) {
    let [mut reasoning, mut content, mut refusal] = [const { None::<String> }; 3];
    let mut calls: Vec<(&ToolCall<'_>, String)> = Vec::new();
    for (channel, text) in deltas {
        let joined = match channel {
            Channel::Reasoning => &mut reasoning,
            Channel::Content => &mut content,
            Channel::Refusal => &mut refusal,
            Channel::ToolArguments(call) => {
                match calls
                    .iter_mut()
                    .find(|(before, _)| before.index == call.index)
                {
                    Some((_, arguments)) => arguments.push_str(text),
                    None => calls.push((call, text.to_owned())),
                }
                continue;
            }
        };
        joined.get_or_insert_default().push_str(text);
    }
    calls.sort_by_key(|(call, _)| call.index);
    let finish = if calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    };
    let mut writer = ObjectWriter::new(out);
    writer.text("finish_reason", finish);
    writer.raw("index", &choice.to_string());
    let mut message = ObjectWriter::new(writer.key("message"));
    if calls.is_empty() && content.is_none() && refusal.is_none() {
        content = Some(String::new());
    }
    for (name, text) in [
        ("reasoning", reasoning),
        ("content", content),
        ("refusal", refusal),
    ] {
        if let Some(text) = text {
            message.text(name, &text);
        }
    }
    if !calls.is_empty() {
        let list = message.key("tool_calls");
        list.push(b'[');
        for (place, (call, arguments)) in calls.iter().enumerate() {
            if place > 0 {
                list.push(b',');
            }
            write_call(list, None, Some(call.id()), Some(call.name()), arguments);
        }
        list.push(b']');
    }
    message.text("role", "assistant");
    message.end();
    writer.end();
}

#[cfg(test)]
mod tests;
