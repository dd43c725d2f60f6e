//! What a stream says beside its texts, and why it may end early.

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::exchange::assembled::stopped;
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
    /// The upstream sent what can't come there.
    OutOfTurn(OutOfTurn),
}

/// What an upstream may not send where it stands: no stage could judge it, or not with the text that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::exchange) enum OutOfTurn {
    #[error("text of a choice came after its finish")]
    AfterFinish,
    #[error("text came after the end of the stream")]
    AfterEnd,
    #[error("the name of a tool call came after its first piece")]
    LateName,
    #[error("chunks of which a text is held are too large, for what stands around it")]
    Heavy,
    /// Its place.
    #[error(
        "there is a member {0} that no policy can read, and this gateway is told to refuse such"
    )]
    Unknown(&'static str),
}

impl From<NotAChunk> for StreamError {
    fn from(error: NotAChunk) -> Self {
        StreamError::NotAChunk(error)
    }
}

impl From<OutOfTurn> for StreamError {
    fn from(error: OutOfTurn) -> Self {
        StreamError::OutOfTurn(error)
    }
}

/// What the stream says beside its texts.
#[derive(Debug, Default)]
pub(in crate::exchange) struct StreamFacts {
    pub(in crate::exchange) usage: Option<Usage>,
    pub(in crate::exchange) model: Option<String>,
    /// The finish of each choice that has one: the first, or a stage's.
    pub(in crate::exchange) finishes: Vec<(u32, String)>,
    /// The choices that have begun, of chunks that were read.
    begun: SmallVec<[u32; 1]>,
    /// There were events that couldn't be read, and no stage had to.
    pub(super) unread: bool,
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
        for choice in &chunk.choices {
            if !self.begun.contains(choice) {
                self.begun.push(*choice);
            }
        }
        for (choice, finish) in &chunk.finishes {
            if !self.has_finished(*choice) {
                self.finishes.push((*choice, finish.to_string()));
            }
        }
    }

    /// A stage finished that choice: that counts, and not what the upstream says.
    pub(super) fn stopped(&mut self, choice: u32) {
        stopped(&mut self.finishes, choice);
    }

    /// Whether that choice has finished.
    pub(super) fn has_finished(&self, choice: u32) -> bool {
        self.finishes.iter().any(|(of, _)| *of == choice)
    }

    /// Whether each choice that has begun has finished, but for those that stages ended, and at least one has.
    pub(super) fn all_finished(&self, ended: &[u32]) -> bool {
        let any = !self.finishes.is_empty() || !ended.is_empty();
        let ended = |choice: &u32| self.has_finished(*choice) || ended.contains(choice);
        any && self.begun.iter().all(ended)
    }
}
