//! Text between two stages, and what a stage keeps of it.

use std::borrow::Cow;

use smallvec::SmallVec;
use tokio::time::Instant;

use super::seam::{HoldLimits, TextRef};

/// A piece of text between two stages.
pub(super) struct Item<'a> {
    pub(super) place: Option<TextRef>,
    pub(super) text: Cow<'a, str>,
    pub(super) changed: bool,
    /// It opens a tool call, so it is delivered even if it is empty.
    pub(super) opens: bool,
}

pub(super) type Items<'a> = SmallVec<[Item<'a>; 2]>;

/// What a stage keeps back of a channel.
#[derive(Default)]
pub(super) struct Hold {
    items: Vec<Held>,
    bytes: u64,
}

struct Held {
    place: Option<TextRef>,
    text: String,
    changed: bool,
    opens: bool,
    since: Instant,
}

impl Hold {
    /// Keeps an item. What counts is what the stage asked to keep: a delta may be longer than the open end of it.
    pub(super) fn keep<'a>(
        &mut self,
        item: Item<'a>,
        wanted: u64,
        limits: HoldLimits,
    ) -> Result<(), (Item<'a>, String)> {
        let bytes = self.bytes + item.text.len() as u64;
        if bytes.min(wanted) > limits.bytes {
            let why = format!("held more than its held_text of {} bytes", limits.bytes);
            return Err((item, why));
        }
        self.bytes = bytes;
        self.items.push(Held {
            since: Instant::now(),
            place: item.place,
            text: item.text.into_owned(),
            changed: item.changed,
            opens: item.opens,
        });
        Ok(())
    }

    pub(super) fn release_into(&mut self, items: &mut Items<'_>) {
        if !self.items.is_empty() {
            items.extend(self.release());
        }
    }

    pub(super) fn release<'a>(&mut self) -> Items<'a> {
        self.bytes = 0;
        self.items.drain(..).map(Held::into_item).collect()
    }

    /// Lets go what ends before the last `bytes` of all, where `coming` more are about to be kept.
    pub(super) fn release_before(&mut self, coming: usize, bytes: u32, items: &mut Items<'_>) {
        let mut after = self.bytes + coming as u64;
        let decided = self.items.iter().take_while(|held| {
            after -= held.text.len() as u64;
            after >= u64::from(bytes)
        });
        let count = decided.count();
        for held in self.items.drain(..count) {
            self.bytes -= held.text.len() as u64;
            items.push(held.into_item());
        }
    }

    /// Since when the oldest text is kept.
    pub(super) fn since(&self) -> Option<Instant> {
        self.items.first().map(|held| held.since)
    }
}

impl Held {
    fn into_item<'a>(self) -> Item<'a> {
        Item {
            place: self.place,
            text: Cow::Owned(self.text),
            changed: self.changed,
            opens: self.opens,
        }
    }
}

/// Puts a text in the place of these items: the last one gets it and the others are emptied. Without any item it is text of its
/// own.
pub(super) fn replace(items: &mut Items<'_>, text: String) {
    match items.split_last_mut() {
        Some((last, others)) => {
            for other in others {
                other.text = Cow::Borrowed("");
                other.changed = true;
            }
            last.text = Cow::Owned(text);
            last.changed = true;
        }
        None if text.is_empty() => {}
        None => items.push(Item {
            place: None,
            text: Cow::Owned(text),
            changed: true,
            opens: false,
        }),
    }
}
