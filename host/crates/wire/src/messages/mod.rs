//! Anthropic's messages, by way of chat.
//!
//! - `request`: what stands around the conversation, and the tools; `turns`: the conversation; `blocks`: what a turn has in it; `fields`: how
//!   a body that has been gone over is read;
//! - `answer`: a whole answer; `stream`: a streamed one; here is what both share;
//! - `tokens`: an estimate of what a request has.
//!
//! What must stay true: only what is written into the chat request goes on. So a member that isn't known is left out, and a block of content
//! that isn't known is refused: it is part of what somebody said.

mod answer;
mod blocks;
mod fields;
mod request;
mod stream;
mod tokens;
mod turns;

pub(crate) use self::answer::answer;
pub(crate) use self::request::request;
pub(crate) use self::stream::Writer;
pub use self::tokens::count;

use crate::choices::envelope::DENIED;
use crate::raw::{ObjectWriter, member, unescape};
use crate::{ChannelKey, Member, Usage, Voice};

/// Stands where Anthropic's own signature stands in a block of thinking. Clients send a block back only if it has one, and need it for no
/// more: it goes no further than here.
const SIGNATURE: &str = "d2l0Z2F0ZQ==";

/// Anthropic's word for an error that would have had that status.
///
/// The gateway has the same table for answers that are errors, where this crate isn't known; a test compares the two.
pub fn error_kind(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        408 | 504 => "timeout_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

/// What a text is to a client: each is a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    /// A text, by where it stands. Parts of one member are one.
    Voice(Voice, Option<Member>),
    /// A tool call, by its index; of the old kind there is one, without.
    Call(Option<u32>),
}

impl Lane {
    fn of(channel: ChannelKey) -> Lane {
        match (channel, channel.voice()) {
            (_, Some(voice)) => Lane::Voice(voice, channel.member()),
            (ChannelKey::ToolArguments(index), None) => Lane::Call(Some(index)),
            (_, None) => Lane::Call(None),
        }
    }

    fn is_call(self) -> bool {
        matches!(self, Lane::Call(_))
    }

    fn is_thought(self) -> bool {
        matches!(self, Lane::Voice(Voice::Reasoning, _))
    }

    /// Whether it is left out beside the lanes that there are. Some upstreams say what they think twice, under two names; the first is
    /// enough.
    fn says_again(self, mut others: impl Iterator<Item = Lane>) -> bool {
        self.is_thought() && others.any(|other| other.is_thought() && other != self)
    }
}

/// The id of a message that an answer of that id becomes. `data` is the answer, or a chunk of it.
fn message_id(data: &[u8]) -> String {
    let data = std::str::from_utf8(data).unwrap_or_default();
    let id = member(data, "id").and_then(|id| unescape(id.get()));
    let id = id.as_deref().unwrap_or("witgate");
    format!("msg_{}", id.strip_prefix("chatcmpl-").unwrap_or(id))
}

/// The id of a tool call that has none. Ids of one conversation must differ.
fn call_id(message: &str, place: usize) -> String {
    let message = message.strip_prefix("msg_").unwrap_or(message);
    format!("toolu_{message}_{place}")
}

/// Why an answer ended.
#[derive(Clone, Debug, Default)]
struct Stop {
    reason: &'static str,
    denial: Option<Denial>,
}

/// What a chat says of a denial.
#[derive(Clone, Debug)]
struct Denial {
    /// Which policy denied it, its code, and its sentence.
    texts: [String; 3],
    /// The status that it would have had, and the seconds to wait before trying again.
    numbers: [Option<u32>; 2],
}

/// The members of a denial, as a chat has them.
const TEXTS: [&str; 3] = ["policy", "code", "message"];
const NUMBERS: [&str; 2] = ["status", "retry_after"];

impl Stop {
    /// `data` is what said that it ended.
    fn of(finish: &str, has_calls: bool, data: &[u8]) -> Stop {
        let reason = match finish {
            "length" => "max_tokens",
            "tool_calls" | "function_call" => "tool_use",
            // Some upstreams call a tool and say that they stopped.
            "stop" if has_calls => "tool_use",
            DENIED => "refusal",
            _ => "end_turn",
        };
        let denied = || {
            let denial = member(std::str::from_utf8(data).ok()?, "witgate")?;
            let text = |name| Some(unescape(member(denial.get(), name)?.get())?.into_owned());
            let number = |name| member(denial.get(), name)?.get().parse().ok();
            Some(Denial {
                texts: TEXTS.map(|name| text(name).unwrap_or_default()),
                numbers: NUMBERS.map(number),
            })
        };
        let denial = (finish == DENIED).then(denied).flatten();
        Stop { reason, denial }
    }

    /// The members that tell it.
    fn write(&self, writer: &mut ObjectWriter<'_>) {
        writer.text("stop_reason", self.reason);
        writer.raw("stop_sequence", "null");
        if let Some(Denial {
            texts: [_, _, sentence],
            ..
        }) = &self.denial
        {
            let mut details = ObjectWriter::new(writer.key("stop_details"));
            details.text("type", "refusal");
            details.raw("category", "null");
            details.text("explanation", sentence);
            details.end();
        }
    }

    /// The member that tells which policy denied it and why, as in a chat.
    fn write_denial(&self, writer: &mut ObjectWriter<'_>) {
        if let Some(denial) = &self.denial {
            let mut told = ObjectWriter::new(writer.key("witgate"));
            for (name, text) in TEXTS.into_iter().zip(&denial.texts) {
                told.text(name, text);
            }
            for (name, number) in NUMBERS.into_iter().zip(denial.numbers) {
                if let Some(number) = number {
                    told.raw(name, &number.to_string());
                }
            }
            told.end();
        }
    }
}

/// Tokens read from a cache aren't among the others here.
fn write_usage(out: &mut Vec<u8>, usage: Usage) {
    let mut writer = ObjectWriter::new(out);
    for (name, tokens) in [
        (
            "input_tokens",
            usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        ),
        ("cache_creation_input_tokens", 0),
        ("cache_read_input_tokens", usage.cached_tokens),
        ("output_tokens", usage.completion_tokens),
    ] {
        writer.raw(name, &tokens.to_string());
    }
    writer.end();
}

#[cfg(test)]
mod tests;
