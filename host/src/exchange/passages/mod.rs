//! An answer's text on its way through the stages: passages, holding back, replacing, denying.
//!
//! Deltas go in with the place they came from; what comes out says, for each place, whether its text goes as it came or is
//! another now, and what text is new. Nothing here knows how an answer looks on the wire, and it is the same for streams,
//! whole answers and answers of a stage's own. It reads beside «Answers» in the contract.
//!
//! - [`seam`]: what goes in and comes out, and the stages that are asked;
//! - [`channel`]: one channel, at one stage; [`flow`]: from stage to stage; [`hold`]: what a stage keeps back;
//!   [`sleeper`]: a stage that is shown what interests it alone; [`arguments`]: what edits do to a tool call.
//!
//! The channels of a choice stand beside each other, each to the choice's finish: text that another channel interrupts is one text.
//! What is held of one doesn't hold up the others.
//!
//! What must stay true: every place that goes in comes out exactly once, or its choice is ended by a stage; within a channel of a choice the
//! order stays; after a denial or a stage's finish nothing of that choice comes out.

mod arguments;
mod channel;
mod flow;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod hold;
mod seam;
mod sleeper;
#[cfg(test)]
pub(super) mod tests;

use crate::policy::types::Denial;
use crate::wire::Channel;
pub(super) use crate::wire::ChannelKey;
use smallvec::{SmallVec, smallvec};

use self::arguments::Arguments;
pub(super) use self::channel::FINISHED_A_CALL;
use self::channel::{Hop, OpenChannel, said_at_end};
use self::flow::{ChannelAt, Work};
use self::hold::{Hold, Item};
pub(super) use self::seam::{
    Aborted, AnswerStages, Delta, HoldLimits, Output, StageFailure, StageId, TextRef,
};
use self::sleeper::Sleeper;

/// Why a choice ends that a stage finished, as the stages behind it, the client and the outcome are told.
pub(super) const STOP: &str = "stop";

/// The passages of one answer. `P` is what a stage has of a passage.
pub(super) struct Passages<P> {
    choices: Vec<Choice<P>>,
    /// Deltas that went in, those of denied choices left out.
    deltas: u64,
}

struct Choice<P> {
    index: u32,
    /// It was denied, or a stage finished it.
    ended: bool,
    /// A stage has finished it, and its channels are still to be ended.
    finishing: bool,
    /// Whether the stages were told of its content.
    has_content: bool,
    open: SmallVec<[OpenChannel<P>; 1]>,
}

impl<P: Send> Passages<P> {
    pub(super) fn new() -> Self {
        Passages {
            choices: Vec::new(),
            deltas: 0,
        }
    }

    /// How many deltas went in.
    pub(super) fn deltas(&self) -> u64 {
        self.deltas
    }

    /// Whether a piece of that channel may come now. A tool call's name goes out with its first piece, in which the stages are told of it:
    /// one that comes later, or another one, nobody would have judged.
    pub(super) fn fits(&self, choice: u32, channel: &Channel<'_>) -> bool {
        let Some(name) = channel.name() else {
            return true;
        };
        let choice = self.choices.iter().find(|known| known.index == choice);
        let mut open = choice.iter().flat_map(|choice| &choice.open);
        let open = open.find(|open| open.key == channel.key());
        open.is_none_or(|open| open.name.as_deref() == Some(name))
    }

    /// Takes a delta through the stages.
    pub(super) async fn push<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        delta: Delta<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        self.take(stages, delta, out).await?;
        self.end_finished(stages, out).await
    }

    async fn take<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        delta: Delta<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let choice = self.choice(delta.choice);
        if self.choices[choice].ended {
            return Ok(());
        }
        self.deltas += 1;
        let key = delta.channel.key();
        let known = self.choices[choice]
            .open
            .iter()
            .position(|open| open.key == key);
        let begins = known.is_none();
        let open = match known {
            Some(open) => open,
            None => self.open(stages, choice, delta.channel, out).await?,
        };
        if self.choices[choice].ended {
            // A stage failed over the opening, and what it had held was denied further on.
            return Ok(());
        }
        if self.choices[choice].finishing {
            // Or finished further on. A call of which nothing came is none: nobody hears of its end.
            if begins && key.is_call() {
                self.choices[choice].open.remove(open);
            }
            return Ok(());
        }
        if let Some(arguments) = &mut self.choices[choice].open[open].arguments {
            arguments.came(&delta.text);
        }
        let item = Item {
            place: delta.place,
            text: delta.text,
            changed: false,
            opens: begins && key.is_call(),
        };
        let work = Work {
            channel: ChannelAt { choice, open },
            from: 0,
            items: smallvec![item],
            ends: false,
        };
        self.flow(stages, work, out).await
    }

    /// The choice finishes: every channel of it ends. One that had no content has it now, without a text, so that each stage is told of
    /// the end of what is said, and can judge that there was nothing.
    pub(super) async fn finish<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: u32,
        finish: &str,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let choice = self.choice(choice);
        let known = &self.choices[choice];
        if !known.ended && !known.has_content && stages.count() > 0 {
            self.open(stages, choice, &Channel::Content, out).await?;
        }
        if !self.choices[choice].ended {
            self.close(stages, choice, finish, out).await?;
            self.finished(choice, out);
        }
        self.end_finished(stages, out).await
    }

    /// Ends the choices that stages have finished: each of their channels ends, and each stage that still follows one is told.
    async fn end_finished<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let finishing = |choice: &Choice<P>| choice.finishing && !choice.ended;
        while let Some(choice) = self.choices.iter().position(finishing) {
            if !self.choices[choice].has_content {
                self.open(stages, choice, &Channel::Content, out).await?;
            }
            self.close(stages, choice, STOP, out).await?;
            self.finished(choice, out);
        }
        Ok(())
    }

    /// The channels of a choice have ended. If a stage finished it, perhaps over what another said at the end, nothing more of it comes.
    fn finished(&mut self, choice: usize, out: &mut Vec<Output>) {
        let choice = &mut self.choices[choice];
        if choice.finishing && !choice.ended {
            choice.ended = true;
            let choice = choice.index;
            out.push(Output::Finished { choice });
        }
    }

    /// The answer is over: what is still open ends.
    #[cfg(any(test, fuzzing))]
    pub(super) async fn finish_all<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        let choices: Vec<u32> = self.choices.iter().map(|choice| choice.index).collect();
        for choice in choices {
            self.finish(stages, choice, "", out).await?;
        }
        Ok(())
    }

    fn choice(&mut self, index: u32) -> usize {
        let known = self.choices.iter().position(|choice| choice.index == index);
        known.unwrap_or_else(|| {
            self.choices.push(Choice {
                index,
                ended: false,
                finishing: false,
                has_content: false,
                open: SmallVec::new(),
            });
            self.choices.len() - 1
        })
    }

    async fn open<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: usize,
        channel: &Channel<'_>,
        out: &mut Vec<Output>,
    ) -> Result<usize, Aborted> {
        let index = self.choices[choice].index;
        let mut hops = SmallVec::new();
        let mut skipped: SmallVec<[usize; 1]> = SmallVec::new();
        let named = channel.name().unwrap_or_default();
        for at in 0..stages.count() {
            // The name of a tool is a word of its call, too.
            let interest = stages.interest(at, index);
            let interest = interest.filter(|interest| !interest.matches(named, true));
            if let Some(interest) = interest {
                let (passage, hold) = (None, Hold::default());
                let sleeper = Some(Sleeper::new(interest, channel.key().is_call()));
                hops.push(Hop {
                    passage,
                    told: false,
                    hold,
                    sleeper,
                });
                continue;
            }
            let passage = match stages.on_answer(at, index, channel).await {
                Ok(passage) => passage,
                Err(StageFailure::Skip) => {
                    skipped.push(at);
                    None
                }
                Err(StageFailure::Abort(aborted)) => return Err(aborted),
            };
            let hold = Hold::default();
            hops.push(Hop {
                passage,
                told: false,
                hold,
                sleeper: None,
            });
        }
        let sees = |hop: &Hop<P>| hop.passage.is_some() || hop.sleeper.is_some();
        let seen = hops.iter().any(sees);
        let key = channel.key();
        self.choices[choice].has_content |= key == ChannelKey::Content;
        self.choices[choice].open.push(OpenChannel {
            key,
            name: channel.name().map(Into::into),
            channel: channel.to_owned(),
            finished_by: None,
            hops,
            arguments: (seen && key.is_call()).then(Arguments::default),
        });
        let open = self.choices[choice].open.len() - 1;
        // The last first: what it held came before, and must not meet it again.
        for at in skipped.into_iter().rev() {
            self.skip(stages, at, out).await?;
        }
        Ok(open)
    }

    /// Ends every open channel of a choice, stage by stage: what one adds passes the later ones before their own end.
    async fn close<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        choice: usize,
        finish: &str,
        out: &mut Vec<Output>,
    ) -> Result<(), Aborted> {
        for open in 0..self.choices[choice].open.len() {
            let channel = ChannelAt { choice, open };
            for at in 0..stages.count() {
                if self.choices[choice].ended {
                    return Ok(());
                }
                if self.channel(channel).hops[at].sleeper.is_some() {
                    let last_word = Work {
                        channel,
                        from: at,
                        items: SmallVec::new(),
                        ends: true,
                    };
                    self.flow(stages, last_word, out).await?;
                    if self.choices[choice].ended {
                        return Ok(());
                    }
                }
                let Some(passage) = self.channel(channel).hops[at].passage.take() else {
                    continue;
                };
                let edit = match stages.on_end(at, passage, finish).await {
                    Ok(edit) => edit,
                    Err(failure) => {
                        self.go_on_without(stages, at, failure, out).await?;
                        continue;
                    }
                };
                let items = match said_at_end(self.channel(channel), at, edit) {
                    Ok(items) => items,
                    Err(denial) => {
                        self.deny(stages, choice, at, denial, out);
                        return Ok(());
                    }
                };
                if !items.is_empty() {
                    let work = Work {
                        channel,
                        from: at + 1,
                        items,
                        ends: false,
                    };
                    self.flow(stages, work, out).await?;
                }
            }
            let arguments = self.choices[choice]
                .open
                .get(open)
                .and_then(|open| open.arguments.as_ref());
            if let Some(at) = arguments.and_then(Arguments::broken_by) {
                let failure = stages.broke_arguments(at);
                self.go_on_without(stages, at, failure, out).await?;
            }
        }
        self.choices[choice].open.clear();
        Ok(())
    }

    fn deny<S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &S,
        choice: usize,
        at: usize,
        denial: Denial,
        out: &mut Vec<Output>,
    ) {
        let choice = &mut self.choices[choice];
        choice.ended = true;
        choice.open.clear();
        out.push(Output::Denied {
            choice: choice.index,
            stage: stages.stage(at),
            denial,
        });
    }

    fn channel(&mut self, at: ChannelAt) -> &mut OpenChannel<P> {
        &mut self.choices[at.choice].open[at.open]
    }
}
