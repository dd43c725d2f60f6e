//! New chunks that look like the upstream's.
//!
//! What must stay true: to a client, a chunk made here belongs to the same answer as those around it. So it has the same id,
//! time, model and fingerprint, in the same order and bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use super::chunk::NotAChunk;
use super::compose::Denied;
use crate::json::write_str;
use crate::raw::{ObjectWriter, RawObject};
use crate::{Beside, Channel, Dialect, ToolCall, Usage, Voice};

/// What an answer made here has for the upstream's fingerprint: the official client needs one.
pub(super) const FINGERPRINT: &str = "fp_witgate";

/// What is at the top level of every chunk of one answer, around its choices. What its functions return is the data of an
/// event; `sse::event` makes one of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    dialect: Dialect,
    /// From `{` to the bracket of the choices.
    before: Vec<u8>,
    /// From the choices' closing bracket on, without the last `}`.
    after: Vec<u8>,
}

impl Envelope {
    /// That of a chunk of the upstream's.
    ///
    /// # Errors
    /// [`NotAChunk`] where it is no JSON object.
    pub fn of(dialect: Dialect, data: &[u8]) -> Result<Envelope, NotAChunk> {
        let data = std::str::from_utf8(data)?;
        let object = RawObject::parse(data)?;
        let mut out = Vec::with_capacity(256);
        let mut writer = ObjectWriter::new(&mut out);
        let mut split = None;
        for (key, value) in &object.members {
            match key.as_ref() {
                "choices" if split.is_none() => {
                    let out = writer.key("choices");
                    out.push(b'[');
                    split = Some(out.len());
                    out.push(b']');
                }
                // These belong to one chunk, not to all.
                "choices" | "usage" | "time_info" | "error" | "status_code" | "witgate" => {}
                _ => writer.raw(key, value.get()),
            }
        }
        let split = split.unwrap_or_else(|| {
            let out = writer.key("choices");
            out.extend_from_slice(b"[]");
            out.len() - 1
        });
        let after = out.split_off(split);
        Ok(Envelope {
            dialect,
            before: out,
            after,
        })
    }

    /// That of an answer that no upstream made, created now.
    pub fn fresh(dialect: Dialect, id: &str, model: &str) -> Envelope {
        Envelope::at(dialect, id, model, now())
    }

    /// As [`fresh`](Envelope::fresh), created at that time, in seconds since 1970.
    pub fn at(dialect: Dialect, id: &str, model: &str, created: u64) -> Envelope {
        let mut before = Vec::with_capacity(64);
        let mut writer = ObjectWriter::new(&mut before);
        writer.text("id", id);
        writer.key("choices").push(b'[');
        let mut after = b"],".to_vec();
        let object = match dialect {
            Dialect::Chat => "chat.completion.chunk",
            Dialect::Completions => TEXT_COMPLETION,
        };
        write_identity(&mut after, model, created, object);
        Envelope {
            dialect,
            before,
            after,
        }
    }

    /// A chunk with a text. A text completion has one place for texts and none for reasoning and calls, which aren't written there.
    pub fn text_chunk(&self, choice: u32, channel: &Channel<'_>, text: &str) -> Vec<u8> {
        if self.dialect == Dialect::Completions {
            let text = if is_plain(channel) { text } else { "" };
            return self.plain_chunk(choice, None, text);
        }
        self.chunk(choice, None, |delta| match channel {
            Channel::Reasoning => delta.text("reasoning", text),
            Channel::Content => delta.text("content", text),
            Channel::Refusal => delta.text("refusal", text),
            Channel::ToolArguments(ToolCall { index, id, name }) => {
                let out = delta.key("tool_calls");
                out.push(b'[');
                write_call(out, Some(*index), id.as_deref(), name.as_deref(), text);
                out.push(b']');
            }
            Channel::FunctionCall(name) => {
                write_function(delta.key("function_call"), name.as_deref(), text);
            }
            Channel::Beside(Beside { voice, member, .. }) if *voice == member.voice() => {
                delta.text(member.name(), text);
            }
            // A refusal among the parts of another member.
            Channel::Beside(beside) => {
                let out = delta.key(beside.member.name());
                out.push(b'[');
                let mut part = ObjectWriter::new(out);
                part.text("type", "refusal");
                part.text("refusal", text);
                part.end();
                out.push(b']');
            }
        })
    }

    /// The chunk that opens a choice: the role alone.
    pub fn role_chunk(&self, choice: u32) -> Vec<u8> {
        self.chunk(choice, None, |delta| delta.text("role", "assistant"))
    }

    /// The chunk that ends a choice. Usage goes with the last choice's, as the upstream does it.
    pub fn finish_chunk(&self, choice: u32, reason: &str, usage: Option<&Usage>) -> Vec<u8> {
        let mut out = self.chunk(choice, Some(reason), |_| {});
        if let Some(usage) = usage {
            out.pop();
            out.extend_from_slice(b",\"usage\":");
            write_usage(&mut out, usage);
            out.push(b'}');
        }
        out
    }

    /// The chunk that ends a choice that was denied.
    pub fn denied_chunk(&self, denied: &Denied<'_>) -> Vec<u8> {
        let mut out = self.chunk(denied.choice, Some(DENIED), |_| {});
        out.pop();
        out.extend_from_slice(b",\"witgate\":");
        write_denial(&mut out, denied);
        out.push(b'}');
        out
    }

    fn plain_chunk(&self, choice: u32, finish: Option<&str>, text: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.before.len() + self.after.len() + 256);
        out.extend_from_slice(&self.before);
        write_plain_choice(&mut out, choice, finish, text);
        out.extend_from_slice(&self.after);
        out.push(b'}');
        out
    }

    fn chunk(
        &self,
        choice: u32,
        finish: Option<&str>,
        delta: impl FnOnce(&mut ObjectWriter<'_>),
    ) -> Vec<u8> {
        if self.dialect == Dialect::Completions {
            return self.plain_chunk(choice, finish, "");
        }
        let mut out = Vec::with_capacity(self.before.len() + self.after.len() + 256);
        out.extend_from_slice(&self.before);
        let mut writer = ObjectWriter::new(&mut out);
        let mut deltas = ObjectWriter::new(writer.key("delta"));
        delta(&mut deltas);
        deltas.end();
        if let Some(finish) = finish {
            writer.text("finish_reason", finish);
        }
        writer.raw("index", &choice.to_string());
        writer.end();
        out.extend_from_slice(&self.after);
        out.push(b'}');
        out
    }
}

/// Whether a text completion can say it.
pub(super) fn is_plain(channel: &Channel<'_>) -> bool {
    matches!(channel.key().voice(), Some(Voice::Content | Voice::Refusal))
}

pub(super) const TEXT_COMPLETION: &str = "text_completion";

/// The choice of a text completion.
pub(super) fn write_plain_choice(out: &mut Vec<u8>, choice: u32, finish: Option<&str>, text: &str) {
    let mut writer = ObjectWriter::new(out);
    writer.text("text", text);
    writer.raw("index", &choice.to_string());
    writer.raw("logprobs", "null");
    match finish {
        Some(finish) => writer.text("finish_reason", finish),
        None => writer.raw("finish_reason", "null"),
    }
    writer.end();
}

/// The finish of a choice that was denied.
pub(crate) const DENIED: &str = "content_filter";

pub(crate) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The members `created` to `object`, without braces.
pub(super) fn write_identity(out: &mut Vec<u8>, model: &str, created: u64, object: &str) {
    out.extend_from_slice(b"\"created\":");
    out.extend_from_slice(created.to_string().as_bytes());
    for (key, text) in [
        ("model", model),
        ("system_fingerprint", FINGERPRINT),
        ("object", object),
    ] {
        out.push(b',');
        write_str(out, key);
        out.push(b':');
        write_str(out, text);
    }
}

pub(super) fn write_denial(out: &mut Vec<u8>, denied: &Denied<'_>) {
    let mut writer = ObjectWriter::new(out);
    writer.text("policy", denied.policy);
    writer.text("code", denied.code);
    writer.text("message", denied.message);
    writer.raw("status", &denied.status.to_string());
    if let Some(seconds) = denied.retry_after {
        writer.raw("retry_after", &seconds.to_string());
    }
    writer.end();
}

pub(super) fn write_call(
    out: &mut Vec<u8>,
    index: Option<u32>,
    id: Option<&str>,
    name: Option<&str>,
    text: &str,
) {
    let mut call = ObjectWriter::new(out);
    write_function(call.key("function"), name, text);
    call.text("type", "function");
    if let Some(id) = id {
        call.text("id", id);
    }
    if let Some(index) = index {
        call.raw("index", &index.to_string());
    }
    call.end();
}

fn write_function(out: &mut Vec<u8>, name: Option<&str>, text: &str) {
    let mut function = ObjectWriter::new(out);
    if let Some(name) = name {
        function.text("name", name);
    }
    function.text("arguments", text);
    function.end();
}

pub(super) fn write_usage(out: &mut Vec<u8>, usage: &Usage) {
    let mut writer = ObjectWriter::new(out);
    let total = u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens);
    writer.raw("total_tokens", &total.to_string());
    writer.raw("completion_tokens", &usage.completion_tokens.to_string());
    writer.raw(
        "completion_tokens_details",
        &format!("{{\"reasoning_tokens\":{}}}", usage.reasoning_tokens),
    );
    writer.raw("prompt_tokens", &usage.prompt_tokens.to_string());
    writer.raw(
        "prompt_tokens_details",
        &format!("{{\"cached_tokens\":{}}}", usage.cached_tokens),
    );
    writer.end();
}

#[cfg(test)]
mod tests;
