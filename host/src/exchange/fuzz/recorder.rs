//! A last stage that forwards everything and remembers it: what it saw is what the stages before it let go.

use std::collections::BTreeMap;

use super::Texts;
use crate::exchange::passages::{AnswerStages, ChannelKey, HoldLimits, StageFailure, StageId};
use crate::policy::types::{Denial, Edit};
use crate::wire::Channel;

/// Some stages, and one more behind them.
pub(super) struct Recorder<S> {
    pub(super) inner: S,
    pub(super) texts: Texts,
    /// The choices that were denied, with the stage that did it.
    pub(super) denied: BTreeMap<u32, StageId>,
}

pub(super) enum Passage<P> {
    Inner(P),
    Recorded(u32, ChannelKey),
}

impl<S> Recorder<S> {
    pub(super) fn new(inner: S) -> Self {
        Recorder {
            inner,
            texts: Texts::new(),
            denied: BTreeMap::new(),
        }
    }
}

impl<S: AnswerStages<Passage: Sync>> AnswerStages for Recorder<S> {
    type Passage = Passage<S::Passage>;

    fn count(&self) -> usize {
        self.inner.count() + 1
    }

    fn may_change_answer(&self) -> bool {
        true
    }

    fn stage(&self, at: usize) -> StageId {
        StageId(at)
    }

    fn name(&self, _: StageId) -> &str {
        "stage"
    }

    fn hold_limits(&self, at: usize) -> HoldLimits {
        self.inner.hold_limits(at.min(self.inner.count() - 1))
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<Self::Passage>, StageFailure> {
        if at == self.inner.count() {
            return Ok(Some(Passage::Recorded(choice, channel.key())));
        }
        let opened = self.inner.on_answer(at, choice, channel).await?;
        Ok(opened.map(Passage::Inner))
    }

    async fn on_delta(
        &mut self,
        at: usize,
        passage: &Self::Passage,
        text: &str,
    ) -> Result<Edit, StageFailure> {
        match passage {
            Passage::Inner(passage) => self.inner.on_delta(at, passage, text).await,
            Passage::Recorded(choice, key) => {
                self.texts
                    .entry((*choice, *key))
                    .or_default()
                    .push_str(text);
                Ok(Edit::Forward)
            }
        }
    }

    async fn on_end(
        &mut self,
        at: usize,
        passage: Self::Passage,
        finish: &str,
    ) -> Result<Edit, StageFailure> {
        match passage {
            Passage::Inner(passage) => self.inner.on_end(at, passage, finish).await,
            Passage::Recorded(..) => Ok(Edit::Forward),
        }
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        self.inner.held_too_much(at, why)
    }

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        self.inner.misused(at, why)
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        self.inner.broke_arguments(at)
    }

    fn denied(&mut self, stage: StageId, choice: u32, _: &Denial) {
        let before = self.denied.insert(choice, stage);
        assert_eq!(before, None, "choice {choice} was denied twice");
    }
}
