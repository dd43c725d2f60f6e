//! Items on their way from stage to stage, and what a stage that is skipped lets go.

use smallvec::{SmallVec, smallvec};

use super::channel::{Ended, said_at_end};
use super::hold::Items;
use super::seam::{Aborted, AnswerStages, Output, StageFailure};
use super::{Choice, Passages};
use crate::policy::types::Denial;

/// Items that wait before a stage.
pub(super) struct Work<'a> {
    pub(super) channel: ChannelAt,
    pub(super) from: usize,
    pub(super) items: Items<'a>,
    /// The channel ends there: nothing more comes to that stage.
    pub(super) ends: bool,
}

/// Where a choice and a channel of it stand in the lists here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct ChannelAt {
    pub(super) choice: usize,
    pub(super) open: usize,
}

/// What a stage says of all that it holds, before it is skipped.
struct LastWords<'a> {
    /// What goes on of the channel in question.
    here: Items<'a>,
    /// Its choice is denied, and nothing else was asked.
    denial: Option<Denial>,
    /// What goes on of other channels.
    elsewhere: SmallVec<[Work<'a>; 1]>,
    /// It could be asked of everything.
    asked: bool,
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
                let ends = work.ends && at == work.from;
                if work.items.is_empty() && !ends || self.choices[choice].ended {
                    break;
                }
                let items = std::mem::take(&mut work.items);
                let index = self.choices[choice].index;
                let channel = self.channel(work.channel);
                if channel.finished_by.is_some_and(|by| at <= by) {
                    // It came after the end.
                    work.items.clear();
                    break;
                }
                let delivered = if channel.hops[at].sleeper.is_some() {
                    let place = (at, index);
                    channel
                        .deliver_to_sleeper(stages, place, items, ends)
                        .await?
                } else {
                    channel.deliver(stages, at, items).await?
                };
                work.items = delivered.onward;
                match delivered.ended {
                    None => {}
                    Some(Ended::Denied(denial)) => ending = Some((at, denial)),
                    Some(Ended::Finished) => {
                        // What another denied before it came after the end.
                        ending = None;
                        self.channel(work.channel).finish(at);
                        self.choices[choice].finishing = true;
                    }
                    // What it held of other channels goes on too.
                    Some(Ended::Skipped) => self.release_all(at, &mut todo),
                    Some(Ended::HeldTooMuch(why, behind)) => {
                        let said = self.last_words(stages, at, work.channel, out).await?;
                        if let Some(denial) = said.denial {
                            // Nothing goes for its having held too much, so it stays for all the rest of the exchange.
                            ending = Some((at, denial));
                            continue;
                        }
                        if said.asked {
                            self.no_longer(stages, at, why)?;
                        }
                        work.items.extend(said.here);
                        work.items.extend(behind);
                        todo.extend(said.elsewhere);
                    }
                }
            }
            if !self.choices[choice].ended {
                let index = self.choices[choice].index;
                self.channel(work.channel).emit(index, work.items, out);
                if let Some((at, denial)) = ending {
                    self.deny(stages, choice, at, denial, out);
                }
            }
        }
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

    /// The stage holds more than it may, in that channel. Before the exchange goes on without it, it has the last word on what it holds
    /// there and in every other channel: nothing of it goes that the stage would have changed. If its word on that channel is a denial, the
    /// choice ends and nothing has to go, so it isn't asked of others.
    async fn last_words<'a, S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        here: ChannelAt,
        out: &mut Vec<Output>,
    ) -> Result<LastWords<'a>, Aborted> {
        let mut said = LastWords {
            here: Items::new(),
            denial: None,
            elsewhere: SmallVec::new(),
            asked: true,
        };
        let open = |(choice, known): (usize, &Choice<P>)| {
            (0..known.open.len()).map(move |open| ChannelAt { choice, open })
        };
        let all = self.choices.iter().enumerate().flat_map(open);
        let others: Vec<ChannelAt> = all.filter(|it| *it != here).collect();
        for channel in std::iter::once(here).chain(others) {
            if self.choices[channel.choice].ended {
                continue;
            }
            let Some(hop) = self.channel(channel).hops.get_mut(at) else {
                continue;
            };
            let Some(passage) = hop.passage.take().filter(|_| hop.told) else {
                // Where nothing has reached it there is no last word: what it added would come before the channel's beginning. It isn't
                // woken any more.
                if hop.sleeper.take().is_some() {
                    let items = hop.hold.release();
                    match channel == here {
                        true => said.here.extend(items),
                        false if items.is_empty() => {}
                        false => said.elsewhere.push(Work {
                            channel,
                            from: at + 1,
                            items,
                            ends: false,
                        }),
                    }
                }
                continue;
            };
            let edit = match stages.on_end(at, passage, "").await {
                Ok(edit) => edit,
                Err(StageFailure::Abort(aborted)) => return Err(aborted),
                Err(StageFailure::Skip) => {
                    // It failed over it, and can't be asked any more.
                    said.asked = false;
                    if !self.choices[here.choice].ended {
                        said.here.extend(self.channel(here).hops[at].hold.release());
                    }
                    self.release_all(at, &mut said.elsewhere);
                    break;
                }
            };
            match said_at_end(self.channel(channel), at, edit) {
                Ok(items) if channel == here => said.here = items,
                Ok(items) if items.is_empty() => {}
                Ok(items) => said.elsewhere.push(Work {
                    channel,
                    from: at + 1,
                    items,
                    ends: false,
                }),
                Err(denial) if channel == here => {
                    said.denial = Some(denial);
                    break;
                }
                Err(denial) => self.deny(stages, channel.choice, at, denial, out),
            }
        }
        Ok(said)
    }

    /// The exchange goes on without the stage, if its failure doesn't end it.
    fn no_longer<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        why: String,
    ) -> Result<(), Aborted> {
        match stages.held_too_much(at, why) {
            StageFailure::Skip => Ok(()),
            StageFailure::Abort(aborted) => Err(aborted),
        }
    }

    fn release_all<'a>(&mut self, at: usize, todo: &mut SmallVec<[Work<'a>; 1]>) {
        for (choice, known) in self.choices.iter_mut().enumerate() {
            for (open, channel) in known.open.iter_mut().enumerate() {
                let Some(hop) = channel.hops.get_mut(at) else {
                    continue;
                };
                hop.passage = None;
                hop.sleeper = None;
                let items = hop.hold.release();
                if !items.is_empty() {
                    todo.push(Work {
                        channel: ChannelAt { choice, open },
                        from: at + 1,
                        items,
                        ends: false,
                    });
                }
            }
        }
    }
}
