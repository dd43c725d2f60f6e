//! The dialects that no upstream speaks. Their requests become chat requests at the door, so that policies and targets have one shape to
//! know; and what leaves an exchange in chat's shape is written in the client's.
//!
//! Each has a folder in this crate: its request, its whole answer, its stream.
//!
//! - [`place`]: how a request is read.
//!
//! What must stay true: what isn't carried into the chat request doesn't go on at all, so a policy has seen whatever does; and nothing is
//! written here that hasn't left the exchange.

pub(crate) mod place;

use std::sync::Arc;

use bytes::Bytes;

use crate::action;
use crate::choices::chunk::{Chunk, NotAChunk, UpstreamError};
use crate::json::{BadRequest, Fault, Kind, Scanner, sentence};
use crate::messages;
use crate::responses;
use crate::sse::{Event, Framer};

/// A dialect, and what its answers need of the request.
#[derive(Clone, Debug)]
pub enum Bridge {
    /// `POST /v1/actions/text-completion`.
    Action,
    /// `POST /anthropic/v1/messages`.
    Messages,
    /// `POST /v1/responses`.
    Responses(Arc<responses::Echo>),
}

impl Bridge {
    /// What policies call the endpoint.
    pub fn word(&self) -> &'static str {
        match self {
            Bridge::Action => "action",
            Bridge::Messages => "messages",
            Bridge::Responses(_) => "responses",
        }
    }

    /// Writes a whole answer, which is a chat's.
    ///
    /// # Errors
    /// [`NotAChunk`] where it can't be read.
    pub fn whole(&self, answer: Bytes) -> Result<Bytes, NotAChunk> {
        match self {
            Bridge::Action => action::answer(answer),
            Bridge::Messages => messages::answer(answer),
            Bridge::Responses(echo) => responses::answer(echo, answer),
        }
    }

    /// What writes a stream; `None` where the dialect has none.
    pub fn stream(&self) -> Option<StreamWriter> {
        match self {
            Bridge::Action => None,
            Bridge::Messages => Some(StreamWriter::new(messages::Writer::default())),
            Bridge::Responses(echo) => {
                Some(StreamWriter::new(responses::Stream::new(echo.clone())))
            }
        }
    }
}

/// Goes over a body once: whether it is one JSON object, and nothing else. Shows each of its members in turn, the key as it is written. That
/// costs nothing beside the body, and whoever looks for something in a value afterwards reads JSON.
pub(crate) fn each_checked<'b>(
    body: &'b [u8],
    mut see: impl FnMut(&'b str, &'b str) -> Result<(), BadRequest>,
) -> Result<(), BadRequest> {
    let bad = |why: String| BadRequest::new("", why);
    let fault = |at, fault| bad(sentence(body, "the body", at, fault));
    let text =
        std::str::from_utf8(body).map_err(|error| fault(error.valid_up_to(), Fault::Encoding))?;
    let mut scanner = Scanner::new(body, 0);
    scanner.space();
    match Kind::of(scanner.peek()) {
        Some(Kind::Object) => {}
        Some(other) => {
            let is = other.word();
            return Err(bad(format!("the body must be a JSON object, not {is}")));
        }
        None if scanner.peek().is_none() => {
            return Err(bad("the body is empty; it must be a JSON object".into()));
        }
        None => return Err(fault(scanner.at, Fault::Syntax)),
    }
    let member = |scanner: &mut Scanner<'b>| {
        let key = scanner.string()?;
        scanner.space();
        scanner.must_take(b':')?;
        let start = scanner.at;
        scanner.value()?;
        let value = &text[start..scanner.at];
        scanner.space();
        Ok([&text[key.start..key.end], value])
    };
    scanner.takes(b'{');
    let mut over = scanner.takes(b'}');
    while !over {
        let [key, value] = member(&mut scanner).map_err(|why| fault(scanner.at, why))?;
        see(key, value)?;
        over = scanner.takes(b'}');
        if !over {
            (scanner.must_take(b',')).map_err(|why| fault(scanner.at, why))?;
        }
    }
    match scanner.peek() {
        None => Ok(()),
        Some(_) => Err(fault(scanner.at, Fault::Syntax)),
    }
}

/// What the events of a dialect are longer than chat's, in bytes: no promise, but room that is made at once.
const ROOM: usize = 256;

/// Writes the events of one stream as a dialect has them.
pub trait WriteStream: Send + Sync {
    /// A chunk, read, and the data that it was read from.
    fn chunk(&mut self, chunk: &Chunk<'_>, data: &[u8], out: &mut Vec<u8>);

    /// The stream has broken off. Nothing follows.
    fn error(&mut self, error: &UpstreamError, out: &mut Vec<u8>);

    /// The stream has ended well. Nothing follows.
    fn end(&mut self, out: &mut Vec<u8>);
}

/// Reads the events that leave an exchange, and writes them as a dialect has them.
pub struct StreamWriter {
    framer: Framer,
    dialect: Box<dyn WriteStream>,
    over: bool,
}

impl StreamWriter {
    /// One for that dialect's stream.
    pub fn new(dialect: impl WriteStream + 'static) -> StreamWriter {
        StreamWriter {
            // What leaves an exchange is bounded there; held text may be longer than what came as one event.
            framer: Framer::new(usize::MAX),
            dialect: Box::new(dialect),
            over: false,
        }
    }

    /// Writes what these bytes complete; may be nothing. Comments stay what they are.
    pub fn write(&mut self, bytes: Bytes) -> Bytes {
        let mut out = Vec::with_capacity(bytes.len() + ROOM);
        self.framer.push(bytes);
        loop {
            match self.framer.next() {
                Ok(Some(event)) => self.event(&event, &mut out),
                Ok(None) => return out.into(),
                Err(error) => {
                    self.unreadable(&error, &mut out);
                    return out.into();
                }
            }
        }
    }

    /// The exchange has sent its last. Writes what is still owed to the client; may be nothing.
    pub fn end(&mut self) -> Bytes {
        let mut out = Vec::new();
        if let Some(rest) = self.framer.finish() {
            // An end without its blank line is one, as a client of chat would have it.
            let mut framer = Framer::new(usize::MAX);
            framer.push([&rest[..], b"\n\n"].concat().into());
            while let Ok(Some(event)) = framer.next() {
                self.event(&event, &mut out);
            }
        }
        self.over(&mut out);
        out.into()
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.over {
            return;
        }
        let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else {
            // Nothing else that has no data says anything.
            let lines = event.raw.split(|byte| matches!(byte, b'\n' | b'\r'));
            let before = out.len();
            for comment in lines.filter(|line| line.starts_with(b":")) {
                out.extend_from_slice(comment);
                out.push(b'\n');
            }
            if out.len() > before {
                out.push(b'\n');
            }
            return;
        };
        if event.is_done() {
            return self.over(out);
        }
        match Chunk::parse(data) {
            Ok(chunk) => match &chunk.error {
                Some(error) => {
                    self.over = true;
                    self.dialect.error(error, out);
                }
                None => self.dialect.chunk(&chunk, data, out),
            },
            Err(error) => self.unreadable(&error, out),
        }
    }

    fn over(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.over, true) {
            self.dialect.end(out);
        }
    }

    fn unreadable(&mut self, why: &dyn std::fmt::Display, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let error = UpstreamError {
            message: format!("The upstream's answer can't be read: {why}."),
            kind: "upstream_error".into(),
            code: "upstream_unreadable".into(),
            status: Some(502),
            ..UpstreamError::default()
        };
        self.dialect.error(&error, out);
    }
}

impl std::fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamWriter")
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
