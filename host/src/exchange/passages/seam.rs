//! What [`Passages`](super::Passages) takes in and gives out, and the stages that it asks.

use std::borrow::Cow;
use std::sync::Arc;

use tokio::time::Duration;

use crate::policy::Interest;
use crate::policy::types::{Denial, Edit};
use crate::wire::{Channel, ChannelKey};

/// A stage, by its index in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::exchange) struct StageId(pub(in crate::exchange) usize);

/// Where a text came from: a chunk, and which of its pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct TextRef {
    pub(in crate::exchange) chunk: u64,
    pub(in crate::exchange) piece: u32,
}

/// One piece of text on its way in.
#[derive(Clone, Debug)]
pub(in crate::exchange) struct Delta<'a> {
    pub(in crate::exchange) choice: u32,
    /// As the piece names it; the first piece of a channel says what the channel is.
    pub(in crate::exchange) channel: &'a Channel<'a>,
    pub(in crate::exchange) place: Option<TextRef>,
    pub(in crate::exchange) text: Cow<'a, str>,
}

/// What is to be done on the wire, in order.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::exchange) enum Output {
    /// The text at that place goes as it came.
    AsCame(TextRef),
    /// The text at that place is this now; empty where it was removed or has moved.
    Changed(TextRef, String),
    /// Text that has no place of its own.
    Added {
        choice: u32,
        channel: ChannelKey,
        text: String,
    },
    /// That choice ends here; whatever of it has not come out never will.
    Denied {
        choice: u32,
        stage: StageId,
        denial: Denial,
    },
    /// A stage ended that choice as the model would: what has not come out never will.
    Finished { choice: u32 },
}

/// A stage failed, and its `on_error` is deny: the exchange ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) struct Aborted(pub(in crate::exchange) StageId);

/// What a failed call of a stage means for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::exchange) enum StageFailure {
    /// `on_error: skip`: the exchange goes on without the stage.
    Skip,
    /// `on_error: deny`: the exchange ends.
    Abort(Aborted),
}

/// How much, and for how long, a stage may hold.
#[derive(Clone, Copy, Debug)]
pub(in crate::exchange) struct HoldLimits {
    pub(in crate::exchange) bytes: u64,
    pub(in crate::exchange) time: Duration,
}

/// The stages that an answer passes. `at` counts them in the order of answers. A stage that was skipped isn't called again.
pub(in crate::exchange) trait AnswerStages: Send {
    /// One channel of one choice, as a stage follows it.
    type Passage: Send;

    /// How many stages see the answer.
    fn count(&self) -> usize;

    /// Whether any stage that sees the answer may change it. Those in shadow may not.
    fn may_change_answer(&self) -> bool;

    /// Which stage of the chain stands there.
    fn stage(&self, at: usize) -> StageId;

    /// The stage's id in the configuration.
    fn name(&self, stage: StageId) -> &str;

    fn hold_limits(&self, at: usize) -> HoldLimits;

    /// What the stage looks out for in that choice, where it needn't be told of anything else.
    fn interest(&self, at: usize, choice: u32) -> Option<Arc<Interest>> {
        let _ = (at, choice);
        None
    }

    /// A channel begins. `None`: the stage doesn't want to see it.
    fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> impl Future<Output = Result<Option<Self::Passage>, StageFailure>> + Send;

    fn on_delta(
        &mut self,
        at: usize,
        passage: &Self::Passage,
        text: &str,
    ) -> impl Future<Output = Result<Edit, StageFailure>> + Send;

    fn on_end(
        &mut self,
        at: usize,
        passage: Self::Passage,
        finish: &str,
    ) -> impl Future<Output = Result<Edit, StageFailure>> + Send;

    /// The stage held more than it may, or for longer: a failure of the stage.
    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure;

    /// The stage said of a text what can't be said of it: a failure of the stage.
    fn misused(&mut self, at: usize, why: String) -> StageFailure;

    /// The stage edited a tool call's arguments last, and they are no longer JSON: a failure of the stage.
    fn broke_arguments(&mut self, at: usize) -> StageFailure;

    /// The stage's denial has ended that choice.
    fn denied(&mut self, stage: StageId, choice: u32, denial: &Denial);
}
