//! The wire: framing and dialects, text in and text out.
//!
//! The one idea: bytes that nobody changed leave as they came. So everything here reads a body or an event where it lies,
//! remembers where its texts are, and writes new bytes only around a text that changed.
//!
//! - [`sse`]: events out of bytes, and back; [`Beginning`]: where among them an answer begins;
//! - [`json`]: a strict scanner of JSON, which builds nothing;
//! - [`raw`]: JSON objects whose values stay the bytes that they were;
//! - [`choices`]: answers that are lists of choices, streamed and whole;
//! - [`chat`]: what makes a chat request, read in one pass; [`index`]: what is remembered of it, above all where its texts lie;
//! - [`request`]: what a client asks, in any dialect, read where it lies; [`draft`]: edits to it that take effect together;
//! - [`packed`]: bodies in gzip and MessagePack, unpacked to JSON;
//! - [`parameters`]: what Cerebras accepts of a request, and what becomes of the rest;
//! - [`dialect`]: which shape a request has, of those that upstreams speak: the one seam to all this;
//! - [`bridge`]: the dialects that no upstream speaks, by way of chat: `action`, [`messages`], [`responses`]; [`endpoint`]: where requests of each
//!   come in.
//!
//! What must stay true: nothing here knows of policies or of HTTP.

mod action;
mod beginning;
pub mod bridge;
pub(crate) mod chat;
pub mod choices;
mod completions;
pub mod dialect;
pub mod draft;
pub mod endpoint;
mod index;
pub mod json;
pub mod messages;
pub mod packed;
pub mod parameters;
pub mod raw;
mod read;
pub mod request;
pub mod responses;
pub mod sse;
mod steps;

use std::borrow::Cow;

pub use beginning::{Beginning, Begun};
pub use dialect::Dialect;
pub use draft::Draft;
pub use endpoint::Endpoint;
pub use request::Request;

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The operator of the application.
    System,
    /// The same, as newer models call it.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

impl Role {
    /// The role that goes by this name on the wire.
    pub fn from_name(name: &str) -> Option<Role> {
        Some(match name {
            "system" => Role::System,
            "developer" => Role::Developer,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            _ => return None,
        })
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Role::System => "system",
            Role::Developer => "developer",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
        }
    }
}

/// One call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ToolCall<'a> {
    /// Its place among the calls of the message or choice.
    pub index: u32,
    /// The upstream's id for it. Never empty; of a streamed call only its first piece has it.
    pub id: Option<Cow<'a, str>>,
    /// The tool's name. Never empty; of a streamed call only its first piece has it.
    pub name: Option<Cow<'a, str>>,
}

impl<'a> ToolCall<'a> {
    /// A call with an id and a name; an empty one of them counts as none.
    pub fn new(
        index: u32,
        id: impl Into<Cow<'a, str>>,
        name: impl Into<Cow<'a, str>>,
    ) -> ToolCall<'a> {
        let named = |text: Cow<'a, str>| Some(text).filter(|text| !text.is_empty());
        ToolCall {
            index,
            id: named(id.into()),
            name: named(name.into()),
        }
    }

    /// The call's id; empty where there is none.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The tool's name; empty where there is none.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// What a text is, with what is known of it where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel<'a> {
    /// What is said.
    Content,
    /// What is thought.
    Reasoning,
    /// Why the model won't.
    Refusal,
    /// The arguments of one tool call, as raw JSON text.
    ToolArguments(ToolCall<'a>),
    /// The arguments of a `function_call`, the old kind of tool call: one alone, without an id. Its name, where this piece says it.
    FunctionCall(Option<Cow<'a, str>>),
    /// One of the first three, in a further place of the choice. It may be the same text again, so it is never one with another.
    Beside(Beside),
}

/// A further place in which a choice shows a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beside {
    /// What the text is.
    pub voice: Voice,
    /// The member that it stands in.
    pub member: Member,
    /// Which of the member's parts it is, from 0.
    pub part: u32,
}

/// What a text is that is no tool call's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Voice {
    /// What is thought.
    Reasoning,
    /// What is said.
    Content,
    /// Why the model won't.
    Refusal,
}

/// A member of a delta or a message that has text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// `reasoning`.
    Reasoning,
    /// `reasoning_content`.
    ReasoningContent,
    /// `content`.
    Content,
    /// `refusal`.
    Refusal,
}

impl Member {
    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Member::Reasoning => "reasoning",
            Member::ReasoningContent => "reasoning_content",
            Member::Content => "content",
            Member::Refusal => "refusal",
        }
    }

    /// What its text is.
    pub fn voice(self) -> Voice {
        match self {
            Member::Reasoning | Member::ReasoningContent => Voice::Reasoning,
            Member::Content => Voice::Content,
            Member::Refusal => Voice::Refusal,
        }
    }
}

/// Which of a choice's channels: all that tells one from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChannelKey {
    /// What is thought.
    Reasoning,
    /// What is said.
    Content,
    /// Why the model won't.
    Refusal,
    /// The arguments of the tool call of that index.
    ToolArguments(u32),
    /// The arguments of a `function_call`.
    FunctionCall,
    /// A text in a further place.
    Beside(Beside),
}

impl Channel<'_> {
    /// The same, with texts of its own.
    #[must_use]
    pub fn to_owned(&self) -> Channel<'static> {
        let owned =
            |text: &Option<Cow<'_, str>>| text.as_deref().map(|text| Cow::Owned(text.to_owned()));
        match self {
            Channel::Content => Channel::Content,
            Channel::Reasoning => Channel::Reasoning,
            Channel::Refusal => Channel::Refusal,
            Channel::ToolArguments(call) => Channel::ToolArguments(ToolCall {
                index: call.index,
                id: owned(&call.id),
                name: owned(&call.name),
            }),
            Channel::FunctionCall(name) => Channel::FunctionCall(owned(name)),
            Channel::Beside(beside) => Channel::Beside(*beside),
        }
    }
}

impl ChannelKey {
    /// Whether it is a tool call's.
    pub fn is_call(self) -> bool {
        matches!(
            self,
            ChannelKey::ToolArguments(_) | ChannelKey::FunctionCall
        )
    }

    /// What its text is; `None` for a tool call.
    pub fn voice(self) -> Option<Voice> {
        match self {
            ChannelKey::Reasoning => Some(Voice::Reasoning),
            ChannelKey::Content => Some(Voice::Content),
            ChannelKey::Refusal => Some(Voice::Refusal),
            ChannelKey::Beside(beside) => Some(beside.voice),
            ChannelKey::ToolArguments(_) | ChannelKey::FunctionCall => None,
        }
    }

    /// The member that its text stands in; `None` for a tool call.
    pub fn member(self) -> Option<Member> {
        match self {
            ChannelKey::Reasoning => Some(Member::Reasoning),
            ChannelKey::Content => Some(Member::Content),
            ChannelKey::Refusal => Some(Member::Refusal),
            ChannelKey::Beside(beside) => Some(beside.member),
            ChannelKey::ToolArguments(_) | ChannelKey::FunctionCall => None,
        }
    }

    /// In which order the texts of one chunk go: reasoning, content, refusal, tool calls; those of one member as they stand.
    pub(crate) fn order(self) -> (Option<u32>, Option<Voice>, Option<Member>) {
        let call = match self {
            ChannelKey::ToolArguments(index) => Some(index),
            ChannelKey::FunctionCall => Some(u32::MAX),
            _ => None,
        };
        (call, self.voice(), self.member())
    }
}

impl Channel<'_> {
    /// Which channel it is.
    pub fn key(&self) -> ChannelKey {
        match self {
            Channel::Content => ChannelKey::Content,
            Channel::Reasoning => ChannelKey::Reasoning,
            Channel::Refusal => ChannelKey::Refusal,
            Channel::ToolArguments(call) => ChannelKey::ToolArguments(call.index),
            Channel::FunctionCall(_) => ChannelKey::FunctionCall,
            Channel::Beside(beside) => ChannelKey::Beside(*beside),
        }
    }

    /// Whether a piece of this channel opens a tool call: it says which tool is called, or the call's id.
    pub fn opens_call(&self) -> bool {
        match self {
            Channel::ToolArguments(call) => call.id.is_some() || call.name.is_some(),
            Channel::FunctionCall(name) => name.is_some(),
            _ => false,
        }
    }

    /// Of a tool call: the tool's name, where this piece says it.
    pub fn name(&self) -> Option<&str> {
        match self {
            Channel::ToolArguments(call) => call.name.as_deref(),
            Channel::FunctionCall(name) => name.as_deref(),
            _ => None,
        }
    }

    /// The same channel, borrowing nothing.
    pub fn into_owned(self) -> Channel<'static> {
        match self {
            Channel::Content => Channel::Content,
            Channel::Reasoning => Channel::Reasoning,
            Channel::Refusal => Channel::Refusal,
            Channel::ToolArguments(ToolCall { index, id, name }) => {
                Channel::ToolArguments(ToolCall {
                    index,
                    id: id.map(|id| Cow::Owned(id.into_owned())),
                    name: name.map(|name| Cow::Owned(name.into_owned())),
                })
            }
            Channel::FunctionCall(name) => {
                Channel::FunctionCall(name.map(|name| Cow::Owned(name.into_owned())))
            }
            Channel::Beside(beside) => Channel::Beside(beside),
        }
    }
}

impl From<ChannelKey> for Channel<'_> {
    /// The channel as every piece after the first names it.
    fn from(key: ChannelKey) -> Self {
        match key {
            ChannelKey::Content => Channel::Content,
            ChannelKey::Reasoning => Channel::Reasoning,
            ChannelKey::Refusal => Channel::Refusal,
            ChannelKey::ToolArguments(index) => Channel::ToolArguments(ToolCall {
                index,
                id: None,
                name: None,
            }),
            ChannelKey::FunctionCall => Channel::FunctionCall(None),
            ChannelKey::Beside(beside) => Channel::Beside(beside),
        }
    }
}

/// One piece of text that the model will read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The message that it belongs to, counted from 0.
    pub message: u32,
    /// Who speaks in that message.
    pub role: Role,
    /// What the text is.
    pub channel: Channel<'a>,
    /// The text, without JSON escapes.
    pub text: Cow<'a, str>,
}

/// One string that an upstream may show the model, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// Its JSON pointer, of the member itself where it is a key. A long one is cut, and ends in `…`.
    pub pointer: String,
    /// Whether it is the key of a member.
    pub is_key: bool,
    /// The message that it stands in.
    pub message: Option<u32>,
    /// Who speaks in that message.
    pub role: Option<Role>,
    /// Which segment it is, if it is one.
    pub segment: Option<u32>,
    /// The string, without JSON escapes.
    pub text: Cow<'a, str>,
}

/// One tool that the model may call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema of its arguments, as JSON text.
    pub parameters: Option<String>,
}

/// Tokens that an answer took, as the upstream counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u32,
    /// Tokens written, reasoning included.
    pub completion_tokens: u32,
    /// Those of the prompt that came from the upstream's cache.
    pub cached_tokens: u32,
    /// Those of the completion that were reasoning.
    pub reasoning_tokens: u32,
}
