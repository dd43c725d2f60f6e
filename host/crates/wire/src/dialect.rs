//! The one seam between the gateway and the shapes that its clients speak.
//!
//! A dialect has a folder in this crate for its requests; answers that are lists of choices share [`choices`](crate::choices). Whoever
//! takes a request through the gateway names no member of its JSON: the functions here do, each for all dialects.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use crate::Role;
use crate::chat;
use crate::chat::walk::{Place, Site};
use crate::choices::chunk::{Chunk, NotAChunk, needs_parse};
use crate::choices::compose::Composition;
use crate::choices::envelope::Envelope;
use crate::choices::whole::WholeAnswer;
use crate::json::BadRequest;
use crate::sse::{self, DEFAULT_CAP, Event, Framer};

/// Which shape a request came in, and so how its answer is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `POST /v1/chat/completions`.
    Chat,
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
        }
    }

    /// Where a target takes such requests, below its address.
    pub fn path(self) -> &'static str {
        match self {
            Dialect::Chat => "chat/completions",
        }
    }

    /// The id of an answer that no upstream made.
    pub fn answer_id(self, request: &str) -> String {
        match self {
            Dialect::Chat => format!("chatcmpl-{request}"),
        }
    }

    /// Reads an event of a streamed answer.
    ///
    /// # Errors
    /// As [`Chunk::parse`].
    pub fn chunk(self, data: &[u8]) -> Result<Chunk<'_>, NotAChunk> {
        match self {
            Dialect::Chat => Chunk::parse(data),
        }
    }

    /// Whether an event may hold what is read even where no policy sees the answer: a finish, usage, an error. `false` is certain.
    pub fn needs_parse(self, data: &[u8]) -> bool {
        match self {
            Dialect::Chat => needs_parse(data),
        }
    }

    /// What new chunks look like beside this one.
    ///
    /// # Errors
    /// As [`Envelope::of`].
    pub fn envelope(self, data: &[u8]) -> Result<Envelope, NotAChunk> {
        match self {
            Dialect::Chat => Envelope::of(data),
        }
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// As [`WholeAnswer::parse`].
    pub fn whole(self, body: Bytes) -> Result<WholeAnswer, NotAChunk> {
        match self {
            Dialect::Chat => WholeAnswer::parse(body),
        }
    }

    /// Whether a body is a whole answer at all and not a web page, though something in it may be unknown here.
    pub fn is_whole(self, body: &[u8]) -> bool {
        let body = std::str::from_utf8(body).unwrap_or_default();
        match self {
            Dialect::Chat => {
                let choices = crate::raw::member(body, "choices");
                choices.is_some_and(|choices| choices.get().starts_with('['))
            }
        }
    }

    /// An answer that no upstream made, streamed or whole.
    pub fn compose(self, composition: &Composition<'_>, stream: bool) -> Bytes {
        match self {
            Dialect::Chat if stream => composition.stream(),
            Dialect::Chat => composition.whole(),
        }
    }

    /// Whether an event says that a stream has ended well.
    pub fn is_end(self, event: &Event) -> bool {
        match self {
            Dialect::Chat => event.is_done(),
        }
    }

    /// The event that ends a stream.
    pub fn end(self) -> Bytes {
        match self {
            Dialect::Chat => sse::DONE,
        }
    }

    /// The data of a stream's first event that has any, if that is an error. A comment says nothing.
    pub fn first_error(self, bytes: &Bytes) -> Option<Bytes> {
        let mut framer = Framer::new(DEFAULT_CAP);
        framer.push(bytes.clone());
        let data = loop {
            if let Some(data) = framer.next().ok()??.data {
                break data;
            }
        };
        let is_error = self.chunk(&data).ok()?.error.is_some();
        is_error.then_some(data)
    }

    /// An error in mid-stream, as Cerebras words them.
    pub fn error_event(self, error: &ErrorEvent<'_>) -> Bytes {
        let body = match self {
            Dialect::Chat => json!({
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

    /// Whether a body is a request of this dialect, so far that every text in it is where it is looked for.
    pub(crate) fn check(self, body: &Map<String, Value>) -> Result<(), BadRequest> {
        match self {
            Dialect::Chat => chat::check::body(body),
        }
    }

    /// The same of one member of the body.
    pub(crate) fn check_field(self, name: &str, value: &Value) -> Result<(), BadRequest> {
        match self {
            Dialect::Chat => chat::check::field(name, value),
        }
    }

    /// The same of one message.
    pub(crate) fn check_message(self, index: usize, value: &Value) -> Result<(), BadRequest> {
        match self {
            Dialect::Chat => chat::check::message(index, value),
        }
    }

    /// Shows every text of a request, from that message on, in document order.
    pub(crate) fn walk<'v>(self, body: &'v Value, first: usize, see: impl FnMut(Site<'v>)) {
        match self {
            Dialect::Chat => chat::walk::walk(body, first, see),
        }
    }

    /// The text that a walk found at that place, to be written; `None` where something has taken the place away.
    pub(crate) fn at_mut(
        self,
        body: &mut Value,
        message: usize,
        place: Place,
    ) -> Option<&mut Value> {
        match self {
            Dialect::Chat => chat::walk::at_mut(body, message, place),
        }
    }

    /// The role of each message.
    pub(crate) fn roles(self, body: &Value) -> Vec<Role> {
        match self {
            Dialect::Chat => chat::roles(body),
        }
    }

    /// A message with one text.
    pub(crate) fn message(self, role: Role, text: &str) -> Value {
        match self {
            Dialect::Chat => chat::message(role, text),
        }
    }
}
