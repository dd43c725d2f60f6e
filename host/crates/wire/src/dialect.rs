//! The one seam between the gateway and the shapes that upstreams speak. Clients speak others as well: see [`bridge`](crate::bridge).
//!
//! A dialect has a folder in this crate for its requests; answers that are lists of choices share [`choices`](crate::choices). Whoever
//! takes a request through the gateway names no member of its JSON: the functions here do, each for all dialects.

use bytes::Bytes;
use serde_json::json;

use crate::Role;
use crate::chat;
use crate::chat::shape::Shape;
use crate::choices::chunk::{Chunk, NotAChunk, needs_parse};
use crate::choices::compose::Composition;
use crate::choices::envelope::Envelope;
use crate::choices::whole::WholeAnswer;
use crate::index::Index;
use crate::json::BadRequest;
use crate::parameters;
use crate::read;
use crate::sse::{self, Event};

/// Which shape a request has, and so how its answer is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    Chat,
    /// `POST /v1/completions`.
    Completions,
}

/// An error in the middle of a stream.
#[derive(Clone, Copy, Debug)]
pub struct ErrorEvent<'a> {
    /// The HTTP status that it would have been.
    pub status: u16,
    /// A sentence.
    pub message: &'a str,
    /// The class of the error.
    pub kind: &'a str,
    /// What it is about; may be empty.
    pub param: &'a str,
    /// The error's own word.
    pub code: &'a str,
}

impl Dialect {
    /// What policies and metrics call it.
    pub fn word(self) -> &'static str {
        match self {
            Dialect::Chat => "chat",
            Dialect::Completions => "completions",
        }
    }

    /// Where a target takes such requests, below its address.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Chat => "chat/completions",
            Dialect::Completions => "completions",
        }
    }

    /// The id of an answer that no upstream made.
    pub fn answer_id(self, request: &str) -> String {
        match self {
            Dialect::Chat => format!("chatcmpl-{request}"),
            Dialect::Completions => format!("cmpl-{request}"),
        }
    }

    /// Reads an event of a streamed answer.
    ///
    /// # Errors
    /// As [`Chunk::parse`].
    pub fn chunk(self, data: &[u8]) -> Result<Chunk<'_>, NotAChunk> {
        match self {
            Dialect::Chat => Chunk::read(data, false),
            Dialect::Completions => Chunk::read(data, true),
        }
    }

    /// Whether an event may hold what is read even where no policy sees the answer: a finish, usage, an error. `false` is certain.
    pub fn needs_parse(self, data: &[u8]) -> bool {
        match self {
            Dialect::Chat | Dialect::Completions => needs_parse(data),
        }
    }

    /// What new chunks look like beside this one.
    ///
    /// # Errors
    /// As [`Envelope::of`].
    pub fn envelope(self, data: &[u8]) -> Result<Envelope, NotAChunk> {
        Envelope::of(self, data)
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// As [`WholeAnswer::parse`].
    pub fn whole(self, body: Bytes) -> Result<WholeAnswer, NotAChunk> {
        match self {
            Dialect::Chat => WholeAnswer::read(body, false),
            Dialect::Completions => WholeAnswer::read(body, true),
        }
    }

    /// Whether a body is a whole answer at all and not a web page, though something in it may be unknown here.
    pub fn is_whole(self, body: &[u8]) -> bool {
        let body = std::str::from_utf8(body).unwrap_or_default();
        match self {
            Dialect::Chat | Dialect::Completions => {
                let choices = crate::raw::member(body, "choices");
                choices.is_some_and(|choices| choices.get().starts_with('['))
            }
        }
    }

    /// An answer that no upstream made, streamed or whole.
    pub fn compose(self, composition: &Composition<'_>, stream: bool) -> Bytes {
        if stream {
            composition.stream(self)
        } else {
            composition.whole(self)
        }
    }

    /// Whether an event says that a stream has ended well.
    pub fn is_end(self, event: &Event) -> bool {
        match self {
            Dialect::Chat | Dialect::Completions => event.is_done(),
        }
    }

    /// The event that ends a stream.
    pub fn end(self) -> Bytes {
        match self {
            Dialect::Chat | Dialect::Completions => sse::DONE,
        }
    }

    /// An error in mid-stream, as Cerebras words them.
    pub fn error_event(self, error: &ErrorEvent<'_>) -> Bytes {
        let body = match self {
            Dialect::Chat | Dialect::Completions => json!({
                "status_code": error.status,
                "error": {
                    "message": error.message,
                    "type": error.kind,
                    "param": error.param,
                    "code": error.code,
                    "id": "",
                },
            }),
        };
        sse::event(body.to_string().as_bytes())
    }

    /// Reads a request of this dialect: whether it is one, so far that every text in it is where it is looked for.
    pub(crate) fn read(self, body: &[u8]) -> Result<Index, BadRequest> {
        self.read_within(body, Index::most(body.len()))
    }

    /// The same of one that may have so many strings.
    pub(crate) fn read_within(self, body: &[u8], most: usize) -> Result<Index, BadRequest> {
        read::body(self, body, most).map_err(|bad| *bad)
    }

    /// A message with one text, as JSON.
    ///
    /// # Errors
    /// A sentence, where requests have no messages, or one of that role needs more.
    pub(crate) fn message(self, role: Role, text: &str) -> Result<String, &'static str> {
        match (self, role) {
            (Dialect::Chat, Role::Tool) => {
                Err("a tool message needs a tool_call_id; put it in with `set`")
            }
            (Dialect::Chat, _) => Ok(chat::message(role, text)),
            (Dialect::Completions, _) => Err(
                "a text completion has no messages; change its prompt with `replace-text` or `set`",
            ),
        }
    }

    /// What Cerebras accepts of the requests that targets are sent.
    pub(crate) fn parameters(self) -> &'static parameters::Table {
        match self {
            Dialect::Chat => &parameters::CHAT,
            Dialect::Completions => &parameters::COMPLETIONS,
        }
    }

    /// What a request calls itself in an error.
    pub(crate) fn request_name(self) -> &'static str {
        match self {
            Dialect::Chat => "a chat request",
            Dialect::Completions => "a text completion",
        }
    }

    /// The member that holds what is said, and what counts as messages.
    pub(crate) fn said(self) -> &'static str {
        match self {
            Dialect::Chat => "messages",
            Dialect::Completions => "prompt",
        }
    }

    /// The list of what is said, of which each element is a message.
    pub(crate) fn is_said(self, shape: Shape) -> bool {
        match self {
            Dialect::Chat => shape == Shape::Messages,
            Dialect::Completions => shape == Shape::Prompts,
        }
    }

    /// Who speaks in what counts as the message after the last.
    pub(crate) fn last_role(self) -> Role {
        match self {
            Dialect::Chat => Role::Assistant,
            Dialect::Completions => Role::User,
        }
    }

    /// The members that have a meaning at a place of that shape.
    pub(crate) fn members(self, shape: Shape) -> &'static [(&'static str, Shape)] {
        match (self, shape) {
            (Dialect::Completions, Shape::Body) => Shape::Completion.members(),
            _ => shape.members(),
        }
    }

    /// What stands under that key, and whether the key has a meaning.
    pub(crate) fn member(self, shape: Shape, key: &str) -> (Shape, bool) {
        let members = self.members(shape);
        match members.iter().find(|(name, _)| *name == key) {
            Some((_, shape)) => (*shape, true),
            None if shape == Shape::Body => (Shape::Open, false),
            None => shape.member(key),
        }
    }

    /// Whether each element of what is said is answered by choices of its own, so that a client counts on how many there are.
    pub(crate) fn answers_each(self) -> bool {
        self == Dialect::Completions
    }
}
