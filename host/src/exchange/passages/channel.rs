//! One channel of a choice, and the stages that it passes.

use smallvec::SmallVec;

use super::arguments::Arguments;
use super::hold::{Hold, Items, replace};
use super::seam::{Aborted, AnswerStages, Output, StageFailure};
use super::sleeper::Sleeper;
use crate::policy::types::{Denial, Edit, Replacement};
use crate::wire::{Channel, ChannelKey};

/// What a stage did that finished a choice where it can't.
pub(in crate::exchange) const FINISHED_A_CALL: &str =
    "it finished a choice in the arguments of a tool call, which would be broken off";

/// A channel that has begun, and every stage that it passes.
pub(super) struct OpenChannel<P> {
    pub(super) key: ChannelKey,
    /// Of a tool call: the name that the stages were told.
    pub(super) name: Option<Box<str>>,
    /// The stage that finished the choice there: to it and to those before it nothing more of the channel comes.
    pub(super) finished_by: Option<usize>,
    /// As a stage that sleeps will be told of it.
    pub(super) channel: Channel<'static>,
    pub(super) hops: SmallVec<[Hop<P>; 4]>,
    /// Of a tool call that any stage sees: its arguments, to compare at its end.
    pub(super) arguments: Option<Arguments>,
}

/// One stage on the way of one channel.
pub(super) struct Hop<P> {
    /// `None`: the stage doesn't see the channel, or hasn't woken yet.
    pub(super) passage: Option<P>,
    /// Whether anything of the channel has reached the stage.
    pub(super) told: bool,
    pub(super) hold: Hold,
    /// Of a stage that is shown what interests it alone.
    pub(super) sleeper: Option<Sleeper>,
}

/// What came of giving a stage its items.
pub(super) struct Delivered<'a> {
    /// What goes on to the next stage.
    pub(super) onward: Items<'a>,
    /// Why the stage isn't told of more.
    pub(super) ended: Option<Ended<'a>>,
}

/// A stage's part in a channel has ended.
pub(super) enum Ended<'a> {
    /// The stage denied the choice.
    Denied(Denial),
    /// The stage finished the choice.
    Finished,
    /// The stage failed and the exchange goes on without it.
    Skipped,
    /// It holds more than it may, for that reason; and what is behind that.
    HeldTooMuch(String, Items<'a>),
}

/// What a stage said at the end of a channel, done with what it held: what goes on, or why the choice is denied.
pub(super) fn said_at_end<'a, P>(
    channel: &mut OpenChannel<P>,
    at: usize,
    edit: Edit,
) -> Result<Items<'a>, Denial> {
    let Hop { hold, sleeper, .. } = &mut channel.hops[at];
    // What a stage that sleeps holds is more than it was shown: the rest stays, before and behind what it says.
    let (from, to) = match sleeper.take() {
        Some(sleeper) => sleeper.shown(hold),
        None => (0, hold.bytes()),
    };
    let part = to - from < hold.bytes();
    let items = match edit {
        Edit::Forward | Edit::Hold | Edit::HoldLast(_) | Edit::ReplaceAndHoldLast(_) => {
            hold.release()
        }
        // It ends there anyway.
        Edit::Replace(text) | Edit::Finish(text) => {
            if let Some(arguments) = &mut channel.arguments {
                arguments.edited_by(at);
            }
            if part && hold.put(from, to, &text).is_ok() {
                hold.release()
            } else {
                let mut items = hold.release();
                replace(&mut items, text);
                items
            }
        }
        Edit::Deny(denial) => {
            hold.release();
            return Err(denial);
        }
    };
    Ok(items)
}

impl<P: Send> OpenChannel<P> {
    /// Gives a stage the items that have reached it, one after the other, and does what it says of each.
    pub(super) async fn deliver<'a, S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        at: usize,
        items: Items<'a>,
    ) -> Result<Delivered<'a>, Aborted> {
        let mut delivered = Delivered {
            onward: Items::new(),
            ended: None,
        };
        let Hop {
            passage,
            told,
            hold,
            ..
        } = &mut self.hops[at];
        let Some(passage) = passage else {
            delivered.onward = items;
            return Ok(delivered);
        };
        let onward = &mut delivered.onward;
        let mut items = items.into_iter();
        while let Some(item) = items.next() {
            if item.text.is_empty() && !item.opens {
                // Text that was removed before isn't delivered, and waits for nothing.
                onward.push(item);
                continue;
            }
            let limits = stages.hold_limits(at);
            hold.came(limits);
            *told = true;
            match stages.on_delta(at, passage, &item.text).await {
                Ok(Edit::Forward | Edit::HoldLast(0)) => {
                    hold.release_into(onward);
                    onward.push(item);
                }
                Ok(edit @ (Edit::Hold | Edit::HoldLast(_))) => {
                    let mut wanted = u64::MAX;
                    if let Edit::HoldLast(bytes) = edit {
                        hold.release_before(item.text.len(), bytes, onward);
                        wanted = bytes.into();
                    }
                    if let Err(why) = hold.keep(item, wanted, limits) {
                        delivered.ended = Some(Ended::HeldTooMuch(why, items.collect()));
                        break;
                    }
                }
                Ok(
                    Edit::Replace(text) | Edit::ReplaceAndHoldLast(Replacement { text, held: 0 }),
                ) => {
                    let mut items = hold.release();
                    items.push(item);
                    replace(&mut items, text);
                    onward.extend(items);
                    if let Some(arguments) = &mut self.arguments {
                        arguments.edited_by(at);
                    }
                }
                Ok(Edit::ReplaceAndHoldLast(Replacement { text, held })) => {
                    hold.push(item);
                    if let Err(cuts) = hold.replace_before(held as usize, &text) {
                        match stages.misused(at, cuts.to_string()) {
                            StageFailure::Skip => {
                                hold.release_into(onward);
                                onward.extend(items);
                                delivered.ended = Some(Ended::Skipped);
                                break;
                            }
                            StageFailure::Abort(aborted) => return Err(aborted),
                        }
                    }
                    hold.split_decided(onward);
                    if let Some(arguments) = &mut self.arguments {
                        arguments.edited_by(at);
                    }
                    if let Err(why) = hold.bears(hold.bytes() as u64, limits) {
                        delivered.ended = Some(Ended::HeldTooMuch(why, items.collect()));
                        break;
                    }
                }
                Ok(Edit::Deny(denial)) => {
                    delivered.ended = Some(Ended::Denied(denial));
                    break;
                }
                Ok(Edit::Finish(_)) if self.key.is_call() => {
                    match stages.misused(at, FINISHED_A_CALL.to_owned()) {
                        StageFailure::Skip => {
                            hold.release_into(onward);
                            onward.push(item);
                            onward.extend(items);
                            delivered.ended = Some(Ended::Skipped);
                            break;
                        }
                        StageFailure::Abort(aborted) => return Err(aborted),
                    }
                }
                Ok(Edit::Finish(text)) => {
                    let mut items = hold.release();
                    items.push(item);
                    replace(&mut items, text);
                    onward.extend(items);
                    delivered.ended = Some(Ended::Finished);
                    break;
                }
                Err(StageFailure::Skip) => {
                    hold.release_into(onward);
                    onward.push(item);
                    onward.extend(items);
                    delivered.ended = Some(Ended::Skipped);
                    break;
                }
                Err(StageFailure::Abort(aborted)) => return Err(aborted),
            }
        }
        Ok(delivered)
    }

    /// That stage finished the choice in this channel: what it and those before it hold came after the end.
    pub(super) fn finish(&mut self, at: usize) {
        self.finished_by = self.finished_by.max(Some(at));
        for hop in &mut self.hops[..=at] {
            hop.passage = None;
            hop.sleeper = None;
            hop.hold.release();
        }
    }

    /// Gives out what has passed every stage, as text of that choice.
    pub(super) fn emit(&mut self, choice: u32, items: Items<'_>, out: &mut Vec<Output>) {
        let mut items = items.into_iter().peekable();
        while let Some(item) = items.next() {
            if item.place.is_none()
                && !item.text.is_empty()
                && let Some(next) = items.peek_mut().filter(|next| next.place.is_some())
            {
                // What stayed held behind a text has no piece of its own: it goes with the next.
                let mut text = item.text.into_owned();
                text.push_str(&next.text);
                next.text = text.into();
                next.changed = true;
                continue;
            }
            if let Some(arguments) = &mut self.arguments {
                arguments.went(&item.text);
            }
            match item.place {
                Some(place) if item.changed => {
                    out.push(Output::Changed(place, item.text.into_owned()));
                }
                Some(place) => out.push(Output::AsCame(place)),
                None if item.text.is_empty() && !item.opens => {}
                None => out.push(Output::Added {
                    choice,
                    channel: self.key,
                    text: item.text.into_owned(),
                }),
            }
        }
    }
}
