//! A stage that says what it looks out for sleeps through all other text of a channel.
//!
//! It is shown whole words: from the first one that matches on, and on from there until it lets all go. A word that is not at its end yet
//! and doesn't match so far stays back, for it may still match, and then its beginning must not have gone. So of clean text one word is late,
//! and the stage isn't called at all.
//!
//! What is held of the channel is, in this order: what is decided and has gone no further only because a chunk goes as a whole; what the stage
//! was shown and holds; the word at the end that it wasn't shown.
//!
//! What must stay true: a stage that sleeps holds nothing of its own; what it is shown after it slept begins a word. Where it can't be
//! known whether a word matches (it is too long, or takes too long to come) the stage is woken.

use std::sync::Arc;

use smallvec::SmallVec;

use super::channel::{Delivered, Ended, FINISHED_A_CALL, Hop, OpenChannel};
use super::hold::{CutsACharacter, Hold, Item, Items};
use super::seam::{Aborted, AnswerStages, HoldLimits, StageFailure};
use crate::policy::types::{Edit, Replacement};
use crate::policy::{Interest, Word};

/// How a stage with an interest follows a channel.
pub(super) struct Sleeper {
    interest: Arc<Interest>,
    word: Word,
    /// They are a tool's: a backslash wakes the stage.
    arguments: bool,
    awake: bool,
    /// It said that it wants to see what follows, or may owe a text.
    stays_awake: bool,
    /// The pieces behind what is decided that the stage was shown and holds, by their bytes.
    shown: SmallVec<[usize; 4]>,
}

impl Sleeper {
    pub(super) fn new(interest: Arc<Interest>, arguments: bool) -> Self {
        Sleeper {
            word: interest.word(),
            interest,
            arguments,
            // How they begin says what stands in them.
            awake: arguments,
            stays_awake: false,
            shown: SmallVec::new(),
        }
    }

    /// Where what the stage was shown and holds begins and ends.
    pub(super) fn shown(&self, hold: &Hold) -> (usize, usize) {
        let from = hold.decided();
        (from, from + self.shown.iter().sum::<usize>())
    }

    /// The stage holds the last so many bytes of what it was shown, in whole pieces; the pieces before them are decided.
    fn holds_last(&mut self, hold: &mut Hold, bytes: usize) {
        let mut after: usize = self.shown.iter().sum();
        let gone = self.shown.iter().take_while(|piece| {
            after -= **piece;
            after >= bytes
        });
        let gone = gone.count();
        let gone: usize = self.shown.drain(..gone).sum();
        hold.decide(hold.decided() + gone);
    }

    /// It says `forward` or holds. The error says that it holds too much.
    fn lets_go(&mut self, hold: &mut Hold, edit: &Edit, limits: HoldLimits) -> Result<(), String> {
        let wanted = match edit {
            Edit::HoldLast(bytes @ 1..) => {
                self.holds_last(hold, *bytes as usize);
                u64::from(*bytes)
            }
            Edit::Hold => u64::MAX,
            _ => {
                hold.decide(self.shown(hold).1);
                self.shown.clear();
                self.stays_awake = matches!(edit, Edit::HoldLast(_));
                return Ok(());
            }
        };
        let (from, to) = self.shown(hold);
        hold.bears(((to - from) as u64).min(wanted), limits)
    }

    /// It puts a text in the place of what it was shown, but for the last so many bytes, which it holds. By how much what is held has grown.
    fn replaces(
        &mut self,
        hold: &mut Hold,
        text: &str,
        held: usize,
    ) -> Result<isize, CutsACharacter> {
        let (from, shown) = self.shown(hold);
        let to = shown.saturating_sub(held).max(from);
        hold.put(from, to, text)?;
        hold.decide(from + text.len());
        let mut gone = to - from;
        self.shown.retain(|piece| {
            let of_it = gone.min(*piece);
            gone -= of_it;
            *piece -= of_it;
            *piece > 0
        });
        // It may owe the rest.
        self.stays_awake = true;
        Ok(text.len() as isize - (to - from) as isize)
    }

    fn wakes(&mut self, hold: &mut Hold, at: usize) {
        self.awake = true;
        self.stays_awake = false;
        hold.decide(at);
    }

    /// It sleeps if nothing keeps it awake: what it holds, what it said, or a word that it has seen half of.
    fn may_sleep(&mut self, hold: &mut Hold, onward: &mut Items<'_>) {
        let in_word = self.word.is_open() && self.word.matches();
        self.awake = !self.shown.is_empty() || self.stays_awake || in_word;
        if !self.awake {
            hold.decide(hold.bytes() - self.word.undecided());
            hold.release_decided(onward);
        }
    }
}

impl<P: Send> OpenChannel<P> {
    /// Shows a stage what there is for it in the items that have reached it, and does what it says. `ends`: nothing more comes.
    pub(super) async fn deliver_to_sleeper<'a, S: AnswerStages<Passage = P>>(
        &mut self,
        stages: &mut S,
        (at, choice): (usize, u32),
        items: Items<'a>,
        ends: bool,
    ) -> Result<Delivered<'a>, Aborted> {
        let mut delivered = Delivered {
            onward: Items::new(),
            ended: None,
        };
        let limits = stages.hold_limits(at);
        let mut items = items.into_iter();
        loop {
            let onward = &mut delivered.onward;
            let item = items.next();
            let at_end = item.is_none();
            if at_end && !ends {
                return Ok(delivered);
            }
            // How much of what is held the stage may be shown now.
            let mut to = match item {
                Some(item) => self.hops[at].comes(item, limits, onward),
                None => self.hops[at].comes_no_more(onward),
            };
            if to.is_some() && self.hops[at].passage.is_none() {
                match stages.on_answer(at, choice, &self.channel).await {
                    Ok(Some(passage)) => self.hops[at].passage = Some(passage),
                    Ok(None) => {
                        to = None;
                        self.hops[at].declines(onward);
                    }
                    Err(StageFailure::Skip) => {
                        self.hops[at].declines(onward);
                        return Ok(delivered.skipped(items));
                    }
                    Err(StageFailure::Abort(aborted)) => return Err(aborted),
                }
            }
            while let Some(until) = to {
                let Hop {
                    passage: Some(passage),
                    told,
                    hold,
                    sleeper: Some(it),
                } = &mut self.hops[at]
                else {
                    break;
                };
                let piece = hold.piece(it.shown(hold).1, until);
                if piece.is_empty() {
                    it.may_sleep(hold, onward);
                    break;
                }
                let bytes = piece.len();
                *told = true;
                let edit = match stages.on_delta(at, passage, piece).await {
                    Ok(edit) => edit,
                    Err(StageFailure::Skip) => {
                        self.hops[at].declines(onward);
                        return Ok(delivered.skipped(items));
                    }
                    Err(StageFailure::Abort(aborted)) => return Err(aborted),
                };
                it.shown.push(bytes);
                match edit {
                    Edit::Deny(denial) => {
                        delivered.ended = Some(Ended::Denied(denial));
                        return Ok(delivered);
                    }
                    Edit::Finish(_) if self.key.is_call() => {
                        match stages.misused(at, FINISHED_A_CALL.to_owned()) {
                            StageFailure::Skip => {
                                self.hops[at].declines(onward);
                                return Ok(delivered.skipped(items));
                            }
                            StageFailure::Abort(aborted) => return Err(aborted),
                        }
                    }
                    Edit::Finish(text) => {
                        // What it wasn't shown came after the end.
                        let (from, to) = (it.shown(hold).0, hold.bytes());
                        let put = hold.put(from, to, &text);
                        debug_assert!(put.is_ok(), "all of it ends with a character");
                        hold.release_into(onward);
                        delivered.ended = Some(Ended::Finished);
                        return Ok(delivered);
                    }
                    Edit::Replace(text) => {
                        if let Some(arguments) = &mut self.arguments {
                            arguments.edited_by(at);
                        }
                        let grown = it.replaces(hold, &text, 0).unwrap_or(0);
                        to = Some(until.saturating_add_signed(grown));
                    }
                    Edit::ReplaceAndHoldLast(Replacement { text, held }) => {
                        let grown = match it.replaces(hold, &text, held as usize) {
                            Ok(grown) => grown,
                            Err(cuts) => match stages.misused(at, cuts.to_string()) {
                                StageFailure::Skip => {
                                    self.hops[at].declines(onward);
                                    return Ok(delivered.skipped(items));
                                }
                                StageFailure::Abort(aborted) => return Err(aborted),
                            },
                        };
                        if let Some(arguments) = &mut self.arguments {
                            arguments.edited_by(at);
                        }
                        let gone = hold.split_decided(onward);
                        to = Some(until.saturating_add_signed(grown) - gone);
                        let (from, shown) = it.shown(hold);
                        if let Err(why) = hold.bears((shown - from) as u64, limits) {
                            let behind = items.collect();
                            delivered.ended = Some(Ended::HeldTooMuch(why, behind));
                            return Ok(delivered);
                        }
                    }
                    edit => {
                        if let Err(why) = it.lets_go(hold, &edit, limits) {
                            let behind = items.collect();
                            delivered.ended = Some(Ended::HeldTooMuch(why, behind));
                            return Ok(delivered);
                        }
                    }
                }
                let gone = hold.release_decided(onward);
                to = to.map(|until| until - gone);
            }
            if at_end {
                return Ok(delivered);
            }
        }
    }
}

impl<P> Hop<P> {
    /// Takes an item. How far the stage may be shown what is held, if there is anything for it.
    fn comes<'a>(
        &mut self,
        item: Item<'a>,
        limits: HoldLimits,
        onward: &mut Items<'a>,
    ) -> Option<usize> {
        let Hop { hold, sleeper, .. } = self;
        let Some(it) = sleeper.as_mut().filter(|_| !item.text.is_empty()) else {
            // It has declined the channel; or the text was removed before, and waits for nothing.
            onward.push(item);
            return None;
        };
        let bytes = item.text.as_bytes();
        let first = it.interest.read(&mut it.word, bytes, it.arguments);
        if hold.is_empty() && !it.awake && first.is_none() && it.word.undecided() == 0 {
            onward.push(item);
            return None;
        }
        hold.came(limits);
        let first = first.map(|begins| hold.bytes().saturating_add_signed(begins));
        hold.push(item);
        let mut late = None;
        if it.shown.is_empty() && it.word.undecided() > 0 && hold.is_late(limits) {
            it.word.give_up();
            late = Some(hold.bytes() - it.word.length());
        }
        if !it.awake {
            match first.or(late) {
                Some(begins) => it.wakes(hold, begins),
                None => hold.decide(hold.bytes() - it.word.undecided()),
            }
            hold.release_decided(onward);
        }
        it.awake.then(|| hold.bytes() - it.word.undecided())
    }

    /// The same at the end, where a word is as long as it gets.
    fn comes_no_more(&mut self, onward: &mut Items<'_>) -> Option<usize> {
        let Hop { hold, sleeper, .. } = self;
        let it = sleeper.as_mut()?;
        if !it.awake && it.interest.ends(&it.word) {
            it.wakes(hold, hold.bytes() - it.word.length());
            hold.release_decided(onward);
        }
        it.word = it.interest.word();
        if !it.awake {
            hold.release_into(onward);
        }
        it.awake.then(|| hold.bytes())
    }

    /// It sees no more of the channel: what is held goes.
    fn declines(&mut self, onward: &mut Items<'_>) {
        self.sleeper = None;
        self.hold.release_into(onward);
    }
}

impl<'a> Delivered<'a> {
    /// The stage failed, and the exchange goes on without it: what it wasn't shown goes, too.
    fn skipped(mut self, behind: impl Iterator<Item = Item<'a>>) -> Self {
        self.onward.extend(behind);
        self.ended = Some(Ended::Skipped);
        self
    }
}
