//! What a stream says beside its texts, and why it may end early.

use tokio::time::Instant;

use crate::exchange::passages::StageId;
use crate::wire::Usage;
use crate::wire::choices::chunk::{Chunk, NotAChunk};
use crate::wire::sse::TooLong;

/// Why a stream ends before its end.
#[derive(Debug)]
pub(in crate::exchange) enum StreamError {
    /// That stage failed, and its `on_error` is deny.
    Stage(StageId),
    /// The upstream said so itself, in an event that has been passed on.
    Said,
    /// The upstream sent what can't be read.
    NotAChunk(NotAChunk),
    /// The upstream sent bytes that are no lines of events.
    NotEvents,
    /// An event past the cap.
    TooLong(TooLong),
}

impl From<NotAChunk> for StreamError {
    fn from(error: NotAChunk) -> Self {
        StreamError::NotAChunk(error)
    }
}

/// What the stream says beside its texts.
#[derive(Debug, Default)]
pub(in crate::exchange) struct StreamFacts {
    pub(in crate::exchange) usage: Option<Usage>,
    pub(in crate::exchange) model: Option<String>,
    pub(in crate::exchange) finishes: Vec<(u32, String)>,
    pub(in crate::exchange) first_delta: Option<Instant>,
    /// The event that ends a stream came.
    pub(in crate::exchange) done: bool,
}

impl StreamFacts {
    /// Notes what a chunk says beside its texts.
    pub(super) fn note(&mut self, chunk: &Chunk<'_>) {
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
        }
        if self.model.is_none() {
            self.model = chunk.model.as_deref().map(str::to_owned);
        }
        for (choice, finish) in &chunk.finishes {
            self.finishes.push((*choice, finish.to_string()));
        }
    }
}
