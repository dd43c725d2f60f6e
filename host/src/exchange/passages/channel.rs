//! One channel of a choice, and the stages that it passes.

use smallvec::SmallVec;

use super::arguments::Arguments;
use super::hold::{Hold, Items, replace};
use super::seam::{Aborted, AnswerStages, Output, StageFailure};
use crate::policy::types::{Denial, Edit};
use crate::wire::ChannelKey;

/// A channel that has begun, and every stage that it passes.
pub(super) struct OpenChannel<P> {
    pub(super) key: ChannelKey,
    pub(super) hops: SmallVec<[Hop<P>; 4]>,
    /// Of a tool call that any stage sees: its arguments, to compare at its end.
    pub(super) arguments: Option<Arguments>,
}

/// One stage on the way of one channel.
pub(super) struct Hop<P> {
    /// `None`: the stage doesn't see the channel.
    pub(super) passage: Option<P>,
    pub(super) hold: Hold,
}

/// What came of giving a stage its items.
pub(super) struct Delivered<'a> {
    /// What goes on to the next stage.
    pub(super) onward: Items<'a>,
    /// The stage failed and the exchange goes on without it.
    pub(super) skipped: bool,
    /// The stage denied the choice.
    pub(super) denial: Option<Denial>,
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
            skipped: false,
            denial: None,
        };
        let Hop { passage, hold } = &mut self.hops[at];
        let Some(passage) = passage else {
            delivered.onward = items;
            return Ok(delivered);
        };
        let onward = &mut delivered.onward;
        for item in items {
            if delivered.skipped || (item.text.is_empty() && !item.opens) {
                // Text that was removed before isn't delivered, and waits for nothing.
                onward.push(item);
                continue;
            }
            let (item, failure) = match stages.on_delta(at, passage, &item.text).await {
                Ok(Edit::Forward | Edit::HoldLast(0)) => {
                    hold.release_into(onward);
                    onward.push(item);
                    continue;
                }
                Ok(edit @ (Edit::Hold | Edit::HoldLast(_))) => {
                    let mut wanted = u64::MAX;
                    if let Edit::HoldLast(bytes) = edit {
                        hold.release_before(item.text.len(), bytes, onward);
                        wanted = bytes.into();
                    }
                    match hold.keep(item, wanted, stages.hold_limits(at)) {
                        Ok(()) => continue,
                        Err((item, why)) => (item, stages.held_too_much(at, why)),
                    }
                }
                Ok(Edit::Replace(text)) => {
                    let mut items = hold.release();
                    items.push(item);
                    replace(&mut items, text);
                    onward.extend(items);
                    if let Some(arguments) = &mut self.arguments {
                        arguments.edited_by(at);
                    }
                    continue;
                }
                Ok(Edit::Deny(denial)) => {
                    delivered.denial = Some(denial);
                    break;
                }
                Err(failure) => (item, failure),
            };
            match failure {
                StageFailure::Skip => delivered.skipped = true,
                StageFailure::Abort(aborted) => return Err(aborted),
            }
            hold.release_into(onward);
            onward.push(item);
        }
        Ok(delivered)
    }

    /// Gives out what has passed every stage, as text of that choice.
    pub(super) fn emit(&mut self, choice: u32, items: Items<'_>, out: &mut Vec<Output>) {
        for item in items {
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
