//! A whole answer.
//!
//! What must stay true: an answer that nobody changed leaves as the bytes that came; in a changed one, only the changed texts,
//! their choices' logprobs and the denied choices differ.

use bytes::Bytes;
use serde_json::value::RawValue;
use smallvec::{SmallVec, smallvec};

use super::chunk::{Chunk, Logprobs, NotAChunk, Piece};
use super::compose::Denied;
use super::envelope::{DENIED, write_denial};
use super::fault;
use super::splice::{Slot, set_texts};
use crate::raw::{ObjectWriter, RawObject};
use crate::{Channel, Usage};

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
    /// By index.
    choices: Vec<u32>,
    logprobs: Vec<Logprobs>,
    changed: Vec<(usize, String)>,
    /// Content of choices that came without any.
    added: Vec<(u32, String)>,
    /// Where a member stands that isn't known and says something.
    unknown: Option<&'static str>,
    /// There is nothing in it that a stage can't read.
    readable: bool,
    /// A choice may have its text itself.
    plain: bool,
    /// The choices that are denied, each with what the answer says of it, in JSON.
    denied: Vec<(u32, Vec<u8>)>,
    /// The choices that end early, each with how many of its calls stay.
    finished: Vec<(u32, usize)>,
}

impl WholeAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`NotAChunk`] as [`Chunk::parse`], and where there are no choices.
    pub fn parse(original: Bytes) -> Result<WholeAnswer, NotAChunk> {
        WholeAnswer::read(original, false)
    }

    /// The same, where a choice may have its text itself, as in a text completion.
    ///
    /// # Errors
    /// As [`parse`](WholeAnswer::parse).
    pub fn read(original: Bytes, plain: bool) -> Result<WholeAnswer, NotAChunk> {
        let data = original.clone();
        let chunk = Chunk::read(&data, plain)?;
        if chunk.choices.is_empty() {
            return Err(NotAChunk::new(fault::NO_CHOICES));
        }
        // A client would take them for one choice or for two.
        let mut indices = chunk.choices.clone();
        indices.sort_unstable();
        if indices.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(NotAChunk::new(fault::TWICE));
        }
        let readable = chunk.is_readable(&data);
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
            choices: chunk.choices.to_vec(),
            logprobs: chunk.logprobs.into_vec(),
            changed: Vec::new(),
            added: Vec::new(),
            denied: Vec::new(),
            finished: Vec::new(),
            unknown: chunk.unknown,
            readable,
            plain,
            original,
        })
    }

    /// Where a member stands that isn't known here and says something. `None`: there is none.
    pub fn unknown(&self) -> Option<&'static str> {
        self.unknown
    }

    /// Whether there is nothing in it that a stage can't read, as [`Chunk::is_readable`] has it.
    pub fn is_readable(&self) -> bool {
        self.readable
    }

    /// The answer as it came, without what a stage can't read; with what isn't known, where that `passes`.
    ///
    /// # Errors
    /// None, as long as the answer can be read.
    pub fn readable(&self, passes: bool) -> Result<WholeAnswer, NotAChunk> {
        let chunk = Chunk::read(&self.original, self.plain)?;
        let data = chunk.readable(&self.original, passes)?;
        WholeAnswer::read(data.into(), self.plain)
    }

    /// Every text as it came: choices in order, in each reasoning, content, refusal, tool calls by index.
    pub fn texts(&self) -> &[AnswerText] {
        &self.texts
    }

    /// The choices that ended, and why.
    pub fn finishes(&self) -> &[(u32, String)] {
        &self.finishes
    }

    /// The usage.
    pub fn usage(&self) -> Option<Usage> {
        self.usage
    }

    /// The model that answered.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// How many choices there are.
    pub fn choices(&self) -> usize {
        self.choices.len()
    }

    /// The index of each choice, as they stand in it.
    pub fn indices(&self) -> &[u32] {
        &self.choices
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

    /// Gives a choice a content that came without any, or more of it.
    pub fn add_content(&mut self, choice: u32, text: &str) {
        match self.added.iter_mut().find(|(of, _)| *of == choice) {
            Some((_, before)) => before.push_str(text),
            None => self.added.push((choice, text.to_owned())),
        }
    }

    /// Takes everything that the model said out of a choice and ends it as denied. The first denial of a choice holds.
    pub fn deny_choice(&mut self, denied: &Denied<'_>) {
        if !self
            .denied
            .iter()
            .any(|(choice, _)| *choice == denied.choice)
        {
            let mut told = Vec::with_capacity(128);
            write_denial(&mut told, denied);
            self.denied.push((denied.choice, told));
        }
    }

    /// Ends a choice early, as if the model had stopped: with `stop`, and with the first so many of its tool calls alone.
    pub fn finish_choice(&mut self, choice: u32, calls: usize) {
        self.finished.push((choice, calls));
    }

    /// Whether it goes as it came.
    pub fn is_unchanged(&self) -> bool {
        self.changed.is_empty() && !self.changes_choices()
    }

    fn changes_choices(&self) -> bool {
        !(self.added.is_empty() && self.denied.is_empty() && self.finished.is_empty())
    }

    /// Bytes of it, as it came.
    pub fn size(&self) -> usize {
        self.original.len()
    }

    /// The body to send.
    pub fn to_bytes(&self) -> Bytes {
        if self.is_unchanged() {
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
                .filter(|logprobs| logprobs.choice == before.choice);
            nulled.extend(logprobs.map(|logprobs| logprobs.span.clone()));
        }
        let body = set_texts(&self.original, &edits, &nulled);
        if !self.changes_choices() {
            return Bytes::from(body);
        }
        Bytes::from(
            self.with_choices(&body)
                .expect("the answer has been read before"),
        )
    }

    /// The body with what became of single choices.
    fn with_choices(&self, body: &[u8]) -> Result<Vec<u8>, NotAChunk> {
        let body = std::str::from_utf8(body)?;
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
                "witgate" if !self.denied.is_empty() => {}
                _ => answer.raw(key, value.get()),
            }
        }
        if let Some((_, told)) = self.denied.first() {
            answer.key("witgate").extend_from_slice(told);
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
        if !self.denied.iter().any(|(denied, _)| *denied == index) {
            let added = self.added.iter().find(|(of, _)| *of == index);
            let finished = self.finished.iter().find(|(of, _)| *of == index);
            let mut ended = Vec::new();
            let choice = match finished {
                Some((_, calls)) => {
                    write_finished(&choice, *calls, &mut ended)?;
                    RawObject::parse(std::str::from_utf8(&ended)?)?
                }
                None => choice,
            };
            match added {
                Some((_, text)) => self.with_content(&choice, text, out)?,
                None if finished.is_some() => out.extend_from_slice(&ended),
                None => out.extend_from_slice(json.get().as_bytes()),
            }
            return Ok(());
        }
        // Only what is known to say nothing of the text stays.
        let mut writer = ObjectWriter::new(out);
        writer.text("finish_reason", DENIED);
        writer.raw("index", &index.to_string());
        match self.plain {
            true => writer.text("text", ""),
            false => writer.raw("message", r#"{"content":null,"role":"assistant"}"#),
        }
        writer.end();
        Ok(())
    }

    /// A choice that came without content, with this one.
    fn with_content(
        &self,
        choice: &RawObject<'_>,
        text: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), NotAChunk> {
        let mut writer = ObjectWriter::new(out);
        for (key, value) in &choice.members {
            match key.as_ref() {
                "text" if self.plain => {}
                "message" if !self.plain => {
                    let mut message = ObjectWriter::new(writer.key(key));
                    message.text("content", text);
                    for (key, value) in &RawObject::parse(value.get())?.members {
                        if key.as_ref() != "content" {
                            message.raw(key, value.get());
                        }
                    }
                    message.end();
                }
                _ => writer.raw(key, value.get()),
            }
        }
        if self.plain {
            writer.text("text", text);
        }
        writer.end();
        Ok(())
    }
}

/// A choice that ends early: `stop`, and the first so many of its calls.
fn write_finished(
    choice: &RawObject<'_>,
    calls: usize,
    out: &mut Vec<u8>,
) -> Result<(), NotAChunk> {
    let mut writer = ObjectWriter::new(out);
    for (key, value) in &choice.members {
        match key.as_ref() {
            "finish_reason" => writer.text("finish_reason", "stop"),
            "message" => {
                let mut message = ObjectWriter::new(writer.key(key));
                for (key, value) in &RawObject::parse(value.get())?.members {
                    match key.as_ref() {
                        "function_call" | "tool_calls" if calls == 0 => {}
                        "tool_calls" => {
                            let all: Vec<&RawValue> = serde_json::from_str(value.get())?;
                            let kept = &all[..calls.min(all.len())];
                            message.raw(key, &serde_json::to_string(kept)?);
                        }
                        _ => message.raw(key, value.get()),
                    }
                }
                message.end();
            }
            _ => writer.raw(key, value.get()),
        }
    }
    writer.end();
    Ok(())
}

#[cfg(test)]
mod tests;
