//! The wire: framing and dialects, text in and text out.
//!
//! The one idea: bytes that nobody changed leave as they came. So everything here reads a body or an event where it lies,
//! remembers where its texts are, and writes new bytes only around a text that changed.
//!
//! - [`sse`]: events out of bytes, and back;
//! - [`json`]: a request body, read strictly;
//! - [`raw`]: JSON objects whose values stay the bytes that they were;
//! - [`chat`]: the chat-completions dialect.
//!
//! What must stay true: nothing here knows of policies or of HTTP.

pub mod chat;
pub mod json;
pub mod raw;
pub mod sse;

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
pub struct ToolCall {
    /// Its place among the calls of the message or choice.
    pub index: u32,
    /// The upstream's id for it; empty where there is none.
    pub id: String,
    /// The tool's name; empty where there is none.
    pub name: String,
}

/// What a text is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// What is said.
    Content,
    /// What is thought.
    Reasoning,
    /// Why the model won't.
    Refusal,
    /// The arguments of one tool call, as raw JSON text.
    ToolArguments(ToolCall),
}

/// One piece of text that the model will read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// The message that it belongs to, counted from 0.
    pub message: u32,
    /// Who speaks in that message.
    pub role: Role,
    /// What the text is.
    pub channel: Channel,
    /// The text, without JSON escapes.
    pub text: &'a str,
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
