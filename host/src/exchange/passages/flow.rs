//! Items on their way from stage to stage, and what a stage that is skipped lets go.

use smallvec::{SmallVec, smallvec};

use super::Passages;
use super::hold::Items;
use super::seam::{Aborted, AnswerStages, Output, StageFailure};

/// Items that wait before a stage.
pub(super) struct Work<'a> {
    pub(super) channel: ChannelAt,
    pub(super) from: usize,
    pub(super) items: Items<'a>,
}

/// Where a choice and a channel of it stand in the lists here.
#[derive(Clone, Copy)]
pub(super) struct ChannelAt {
    pub(super) choice: usize,
    pub(super) open: usize,
}

impl<P: Send> Passages<P> {
    /// Carries items through the stages from where they wait.
    pub(super) async fn flow<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        work: Work<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let count = stages.count();
        let mut todo: SmallVec<[Work<'_>; 1]> = smallvec![work];
        while let Some(mut work) = todo.pop() {
            let choice = work.channel.choice;
            // What a stage let out before it denied still has the later ones to pass.
            let mut ending = None;
            for at in work.from..count {
                if work.items.is_empty() || self.choices[choice].denied {
                    break;
                }
                let items = std::mem::take(&mut work.items);
                let channel = self.channel(work.channel);
                let delivered = channel.deliver(stages, at, items).await?;
                if delivered.skipped {
                    // What it held of other channels goes on too.
                    self.release_all(at, &mut todo);
                }
                if let Some(denial) = delivered.denial {
                    ending = Some((at, denial));
                }
                work.items = delivered.onward;
            }
            if !self.choices[choice].denied {
                let index = self.choices[choice].index;
                self.channel(work.channel).emit(index, work.items, out);
                if let Some((at, denial)) = ending {
                    self.deny(stages, choice, at, denial, out);
                }
            }
        }
        self.reckon_expiry(stages);
        Ok(())
    }

    /// A stage failed: goes on without it, if its failure doesn't end the exchange.
    pub(super) async fn go_on_without<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        failure: StageFailure,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        match failure {
            StageFailure::Skip => self.skip(stages, at, out).await,
            StageFailure::Abort(aborted) => Err(aborted),
        }
    }

    /// Goes on without a stage: what it held goes to the next.
    pub(super) async fn skip<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let mut todo: SmallVec<[Work<'_>; 1]> = SmallVec::new();
        self.release_all(at, &mut todo);
        for work in todo {
            self.flow(stages, work, out).await?;
        }
        Ok(())
    }

    fn release_all<'a>(&mut self, at: usize, todo: &mut SmallVec<[Work<'a>; 1]>) {
        for (choice, known) in self.choices.iter_mut().enumerate() {
            for (open, channel) in known.open.iter_mut().enumerate() {
                let Some(hop) = channel.hops.get_mut(at) else {
                    continue;
                };
                hop.passage = None;
                let items = hop.hold.release();
                if !items.is_empty() {
                    todo.push(Work {
                        channel: ChannelAt { choice, open },
                        from: at + 1,
                        items,
                    });
                }
            }
        }
    }
}
