//! An answer that no upstream made: texts become an ordinary completion, streamed or whole.

use bytes::{Bytes, BytesMut};

use super::envelope::{
    Envelope, TEXT_COMPLETION, is_plain, now, write_call, write_identity, write_plain_choice,
    write_usage,
};
use super::whole::WholeAnswer;
use crate::raw::ObjectWriter;
use crate::{Channel, Dialect, ToolCall, Usage, sse};

/// Why a choice was denied, as a client reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied<'a> {
    /// The choice.
    pub choice: u32,
    /// The id of the stage that denied it.
    pub policy: &'a str,
    /// The policy's word for why.
    pub code: &'a str,
    /// A sentence.
    pub message: &'a str,
    /// The HTTP status that it has, or would have had.
    pub status: u16,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u32>,
}

/// What an answer made here says.
#[derive(Clone, Debug)]
pub struct Composition<'a> {
    /// The answer's id.
    pub id: &'a str,
    /// The model that it names.
    pub model: &'a str,
    /// The indices of its choices, in order. At least one.
    pub choices: &'a [u32],
    /// The texts in order, each with its choice and channel.
    pub texts: &'a [(u32, Channel<'static>, String)],
    /// The choices that were denied.
    pub denied: &'a [Denied<'a>],
    /// Why the others end, by choice, where that isn't to be told from their texts.
    pub finishes: &'a [(u32, String)],
}

impl Composition<'_> {
    /// Why a choice ends, as a client reads it.
    pub fn finish(&self, choice: u32) -> &str {
        let calls = |(of, channel, _): &(u32, Channel<'_>, String)| {
            *of == choice && channel.key().is_call()
        };
        if self.denial(choice).is_some() {
            super::envelope::DENIED
        } else if let Some(finish) = self.said(choice) {
            finish
        } else if self.texts.iter().any(calls) {
            "tool_calls"
        } else {
            "stop"
        }
    }

    /// Why that choice ends, where it is said.
    fn said(&self, choice: u32) -> Option<&str> {
        let mut finishes = self.finishes.iter();
        let said = finishes.find(|(of, _)| *of == choice);
        said.map(|(_, finish)| &**finish)
    }

    fn denial(&self, choice: u32) -> Option<&Denied<'_>> {
        self.denied.iter().find(|denied| denied.choice == choice)
    }

    /// As a whole answer.
    pub fn whole(&self, dialect: Dialect) -> Bytes {
        let body = self.whole_at(dialect, now());
        if self.denied.is_empty() {
            return body;
        }
        let mut body =
            WholeAnswer::read(body, dialect == Dialect::Completions).expect("it was just written");
        for denied in self.denied {
            body.deny_choice(denied);
        }
        body.to_bytes()
    }

    fn whole_at(&self, dialect: Dialect, created: u64) -> Bytes {
        let mut out = Vec::with_capacity(512);
        let mut answer = ObjectWriter::new(&mut out);
        answer.text("id", self.id);
        let list = answer.key("choices");
        list.push(b'[');
        for (place, choice) in self.choices.iter().enumerate() {
            if place > 0 {
                list.push(b',');
            }
            let mine = self.texts.iter().filter(|(of, ..)| of == choice);
            let mine = mine.map(|(_, channel, text)| (channel, &**text));
            match dialect {
                Dialect::Chat => write_choice(list, *choice, self.said(*choice), mine),
                Dialect::Completions => {
                    let plain = mine.filter(|(channel, _)| is_plain(channel));
                    let text: String = plain.map(|(_, text)| text).collect();
                    write_plain_choice(
                        list,
                        *choice,
                        Some(self.said(*choice).unwrap_or("stop")),
                        &text,
                    );
                }
            }
        }
        list.extend_from_slice(b"],");
        let object = match dialect {
            Dialect::Chat => "chat.completion",
            Dialect::Completions => TEXT_COMPLETION,
        };
        write_identity(list, self.model, created, object);
        write_usage(answer.key("usage"), &Usage::default());
        answer.end();
        Bytes::from(out)
    }

    /// As a stream: a role for each choice, where the dialect has roles, the texts, a finish for each, and the end.
    pub fn stream(&self, dialect: Dialect) -> Bytes {
        let envelope = Envelope::fresh(dialect, self.id, self.model);
        let mut out = BytesMut::new();
        let mut put = |data: Vec<u8>| out.extend_from_slice(&sse::event(&data));
        if dialect == Dialect::Chat {
            for choice in self.choices {
                put(envelope.role_chunk(*choice));
            }
        }
        let mut opened: Vec<(u32, u32)> = Vec::new();
        for (choice, channel, text) in self.texts {
            let call = match channel {
                Channel::ToolArguments(call) => Some((*choice, call.index)),
                _ => None,
            };
            let continues = call.is_some_and(|call| opened.contains(&call));
            opened.extend(call.filter(|_| !continues));
            let continuing = Channel::from(channel.key());
            let channel = if continues { &continuing } else { channel };
            put(envelope.text_chunk(*choice, channel, text));
        }
        let last = self.choices.last();
        for choice in self.choices {
            let usage = (Some(choice) == last).then(Usage::default);
            put(match self.denial(*choice) {
                Some(denied) => envelope.denied_chunk(denied),
                None => envelope.finish_chunk(*choice, self.finish(*choice), usage.as_ref()),
            });
        }
        out.extend_from_slice(&sse::DONE);
        out.freeze()
    }
}

fn write_choice<'d>(
    out: &mut Vec<u8>,
    choice: u32,
    finish: Option<&str>,
    deltas: impl Iterator<Item = (&'d Channel<'d>, &'d str)>,
) {
    let [mut reasoning, mut content, mut refusal] = [const { None::<String> }; 3];
    let mut calls: Vec<(&ToolCall<'_>, String)> = Vec::new();
    for (channel, text) in deltas {
        let joined = match channel {
            Channel::Reasoning => &mut reasoning,
            Channel::Content => &mut content,
            Channel::Refusal => &mut refusal,
            // A stage has no other places to write to.
            Channel::FunctionCall(_) | Channel::Beside(_) => continue,
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
    let usual = if calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    };
    let finish = finish.unwrap_or(usual);
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
