//! Text between two stages, and what a stage keeps of it.

use std::borrow::Cow;

use smallvec::SmallVec;
use tokio::time::{Duration, Instant};

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

/// A stage held an end that begins within a character.
#[derive(Debug, thiserror::Error)]
#[error("it put a text before the last bytes of a passage, which begin within a character")]
pub(super) struct CutsACharacter;

/// A pause between two deltas counts up to this part of `held_time`. A longer one is the upstream's silence, which decides nothing and is
/// nobody's fault: its own limit bounds it.
const PAUSE: u32 = 16;

/// What a stage keeps back of a channel.
#[derive(Default)]
pub(super) struct Hold {
    items: Vec<Held>,
    bytes: u64,
    /// So many bytes at the beginning are decided, and are still here only because a piece goes as a whole.
    decided: usize,
    /// Time that counted while something was held, up to the last delta.
    flowed: Duration,
    /// When the last delta came.
    last: Option<Instant>,
}

struct Held {
    place: Option<TextRef>,
    text: String,
    changed: bool,
    opens: bool,
    /// What had flowed when it came.
    since: Duration,
}

impl Hold {
    /// A delta has come, which may decide what is held.
    pub(super) fn came(&mut self, limits: HoldLimits) {
        if let (false, Some(last)) = (self.items.is_empty(), self.last) {
            let now = Instant::now();
            self.flowed += (now - last).min(limits.time / PAUSE);
            self.last = Some(now);
        }
    }

    /// Keeps an item. Where the stage then holds more than it may, or for longer, says so. What counts is what the stage asked to keep:
    /// a delta may be longer than the open end of it.
    pub(super) fn keep(
        &mut self,
        item: Item<'_>,
        wanted: u64,
        limits: HoldLimits,
    ) -> Result<(), String> {
        self.push(item);
        self.bears(self.bytes.min(wanted), limits)
    }

    /// Keeps an item, without a word about how much that makes.
    pub(super) fn push(&mut self, item: Item<'_>) {
        if self.items.is_empty() {
            self.last = Some(Instant::now());
        }
        self.bytes += item.text.len() as u64;
        self.items.push(Held {
            since: self.flowed,
            place: item.place,
            text: item.text.into_owned(),
            changed: item.changed,
            opens: item.opens,
        });
    }

    /// Whether a stage may hold so many bytes, and for as long. If not, says so.
    pub(super) fn bears(&self, bytes: u64, limits: HoldLimits) -> Result<(), String> {
        if bytes > limits.bytes {
            return Err(format!(
                "held more than its held_text of {} bytes",
                limits.bytes
            ));
        }
        if self.is_late(limits) {
            let limit = limits.time.as_millis();
            return Err(format!(
                "held text for longer than its held_time of {limit} ms"
            ));
        }
        Ok(())
    }

    /// Whether what came first is held for as long as it may be.
    pub(super) fn is_late(&self, limits: HoldLimits) -> bool {
        let oldest = self.items.first().map(|held| self.flowed - held.since);
        oldest.is_some_and(|held| held >= limits.time)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Bytes of all that is held.
    pub(super) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// What is held from one place to another, as far as it lies in one item.
    pub(super) fn piece(&self, from: usize, to: usize) -> &str {
        let mut begins = 0;
        for held in &self.items {
            let ends = begins + held.text.len();
            if from < ends && from < to {
                return &held.text[from - begins..to.min(ends) - begins];
            }
            begins = ends;
        }
        ""
    }

    /// Bytes at the beginning of what is held that are decided.
    pub(super) fn decided(&self) -> usize {
        self.decided
    }

    /// So many bytes at the beginning are decided now.
    pub(super) fn decide(&mut self, bytes: usize) {
        self.decided = bytes;
    }

    /// Lets go the items that end in what is decided, and returns their bytes.
    pub(super) fn release_decided(&mut self, items: &mut Items<'_>) -> usize {
        let gone = self.release_first(self.decided, items);
        self.decided -= gone;
        gone
    }

    /// Puts a text in the place of what is held from one place to another, which may be the same; something is held.
    pub(super) fn put(&mut self, from: usize, to: usize, text: &str) -> Result<(), CutsACharacter> {
        if !self.is_char_boundary(to) {
            return Err(CutsACharacter);
        }
        if from < to {
            self.rewrite(from, to, text);
        } else if !text.is_empty() {
            self.insert(from, text);
        }
        Ok(())
    }

    /// Puts a text in the place of all that is undecided, but for the last so many bytes.
    pub(super) fn replace_before(
        &mut self,
        bytes: usize,
        text: &str,
    ) -> Result<(), CutsACharacter> {
        let from = self.decided;
        let to = self.bytes().saturating_sub(bytes).max(from);
        self.put(from, to, text)?;
        self.decided = from + text.len();
        Ok(())
    }

    /// Lets go what is decided, also of the piece in which the rest begins: that rest stays, without a place of its own.
    pub(super) fn split_decided(&mut self, items: &mut Items<'_>) -> usize {
        let gone = self.release_decided(items);
        let decided = std::mem::take(&mut self.decided);
        let Some(first) = self.items.first_mut().filter(|_| decided > 0) else {
            return gone;
        };
        let rest = first.text.split_off(decided);
        self.bytes -= decided as u64;
        items.push(Item {
            place: first.place.take(),
            text: Cow::Owned(std::mem::replace(&mut first.text, rest)),
            changed: first.changed,
            opens: std::mem::take(&mut first.opens),
        });
        gone + decided
    }

    fn is_char_boundary(&self, at: usize) -> bool {
        let mut begins = 0;
        for held in &self.items {
            let ends = begins + held.text.len();
            if at <= ends {
                return held.text.is_char_boundary(at - begins);
            }
            begins = ends;
        }
        true
    }

    /// Puts a text in the place of what is held from one place to another: the item in which that ends gets it.
    fn rewrite(&mut self, from: usize, to: usize, text: &str) {
        let mut begins = 0;
        for held in &mut self.items {
            let ends = begins + held.text.len();
            if from < ends && begins < to {
                let gone = from.max(begins) - begins..to.min(ends) - begins;
                let put = if to <= ends { text } else { "" };
                held.text.replace_range(gone, put);
                held.changed = true;
            }
            begins = ends;
        }
        self.bytes = self.bytes - (to - from) as u64 + text.len() as u64;
    }

    /// Puts a text before what is held from that byte on. `false`: nothing is held that it could be put into.
    pub(super) fn insert(&mut self, at: usize, text: &str) -> bool {
        let mut begins = 0;
        for held in &mut self.items {
            let ends = begins + held.text.len();
            if at <= ends {
                held.text.insert_str(at - begins, text);
                held.changed = true;
                self.bytes += text.len() as u64;
                return true;
            }
            begins = ends;
        }
        false
    }

    /// Lets go the items that end in the first so many bytes, and returns their bytes.
    fn release_first(&mut self, bytes: usize, items: &mut Items<'_>) -> usize {
        let mut gone = 0;
        let decided = self.items.iter().take_while(|held| {
            let ends = gone + held.text.len();
            let decided = ends <= bytes;
            if decided {
                gone = ends;
            }
            decided
        });
        let count = decided.count();
        self.bytes -= gone as u64;
        items.extend(self.items.drain(..count).map(Held::into_item));
        gone
    }

    pub(super) fn release_into(&mut self, items: &mut Items<'_>) {
        if !self.items.is_empty() {
            items.extend(self.release());
        }
    }

    pub(super) fn release<'a>(&mut self) -> Items<'a> {
        self.bytes = 0;
        self.decided = 0;
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
        if count > 0 {
            self.decided = 0;
        }
        for held in self.items.drain(..count) {
            self.bytes -= held.text.len() as u64;
            items.push(held.into_item());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn held(texts: &[&str]) -> Hold {
        let mut hold = Hold::default();
        for text in texts {
            hold.push(Item {
                place: None,
                text: Cow::Owned((*text).to_owned()),
                changed: false,
                opens: false,
            });
        }
        hold
    }

    /// What a stage owes stands where it was shown the text, and nothing that it wasn't shown is lost.
    #[test]
    fn a_text_is_put_before_what_is_held_and_nothing_is_lost() {
        for (at, expected) in [
            (0, ["] x ", "foo"]),
            (1, ["x]  ", "foo"]),
            (2, ["x ] ", "foo"]),
            (3, ["x ", "f] oo"]),
            (5, ["x ", "foo] "]),
        ] {
            let mut hold = held(&["x ", "foo"]);
            assert!(hold.insert(at, "] "));
            assert_eq!(hold.bytes(), 7);
            let items = hold.release();
            let texts: Vec<&str> = items.iter().map(|item| &*item.text).collect();
            assert_eq!(texts, expected, "{at}");
        }
        assert!(!held(&[]).insert(0, "x"));
    }
}
