//! One passage: which edit to answer, delta by delta.

use super::tape::{Place, Tape};
use super::{Before, Finder, Form, Scan, View};
use crate::Edit;

/// Applies a [`Finder`] to one passage.
///
/// It answers `Forward` where everything is decided and nothing was found, `Hold` while the end of the text may still
/// become a match, and `Replace` once something was found. After a `Replace` it may owe the undecided rest, which the host
/// no longer has; then it answers `Replace` until that rest is out, with an empty text where there is nothing to give yet.
#[derive(Debug)]
pub struct Redactor<F> {
    finder: F,
    /// What the host holds for us, or what we owe it.
    tape: Tape,
    /// How far the tape is clear, in bytes of what the finder sees.
    clear: usize,
    /// What went before the tape.
    before: Before,
    owed: bool,
    watching: bool,
    patience: usize,
    counts: Vec<u32>,
}

impl<F: Finder> Redactor<F> {
    /// A redactor for one passage of this form.
    pub fn new(finder: F, form: Form) -> Redactor<F> {
        Redactor {
            finder,
            tape: Tape::new(form),
            clear: 0,
            before: Before::default(),
            owed: false,
            watching: false,
            patience: 8 * 1024,
            counts: Vec::new(),
        }
    }

    /// Count only: every answer is `Forward`.
    #[must_use]
    pub fn watching(mut self) -> Redactor<F> {
        self.watching = true;
        self
    }

    /// How much text, in bytes, may be held before the clear part of it is let go with `Replace`: the text stays the
    /// same, the chunks don't. 8 KiB unless set. Keep it, and the finder's longest match, a few KiB below the host's
    /// `held_text`.
    #[must_use]
    pub fn patience(mut self, bytes: usize) -> Redactor<F> {
        self.patience = bytes;
        self
    }

    /// Takes the next delta of the passage.
    pub fn push(&mut self, delta: &str) -> Edit {
        if let Tape::Text(kept) = &mut self.tape
            && kept.is_empty()
        {
            // The common case, with no copy: nothing is kept and nothing is found.
            let view = View {
                text: delta,
                end: false,
                before: self.before,
            };
            self.clear = match self.finder.scan(&view, 0) {
                Scan::Clear(to) if to == delta.len() => {
                    self.before = self.before.then(delta);
                    return Edit::Forward;
                }
                Scan::Clear(to) => to,
                Scan::Found(found) => found.start,
            };
        }
        self.step(delta, false)
    }

    /// The passage is over. Never `Hold`.
    pub fn finish(&mut self) -> Edit {
        self.step("", true)
    }

    /// A whole text at once, by a redactor that has seen nothing. `None` where nothing was found.
    pub fn whole(&mut self, text: &str) -> Option<String> {
        match self.step(text, true) {
            Edit::Replace(text) => Some(text),
            _ => None,
        }
    }

    /// How often each kind was found since this was asked last, by kind. Shorter where the last kinds were not found,
    /// empty where none was.
    pub fn take_counts(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.counts)
    }

    /// How many bytes at the end of the text pushed so far are undecided.
    pub fn undecided(&self) -> usize {
        self.tape.raw().len() - self.tape.raw_at(self.clear)
    }

    fn step(&mut self, delta: &str, end: bool) -> Edit {
        self.tape.push(delta, end);
        let raw = self.tape.raw();
        let view = View {
            text: self.tape.text(),
            end,
            before: self.before,
        };
        // What goes out, as far as it differs from `raw`, and how much of `raw` is in it.
        let mut out = String::new();
        let mut copied = 0;
        let mut value = String::new();
        let mut changed = false;
        loop {
            match self.finder.scan(&view, self.clear) {
                Scan::Clear(to) => {
                    self.clear = to;
                    break;
                }
                Scan::Found(found) => match self.tape.place(&view, found) {
                    Place::Undecided => {
                        self.clear = found.start;
                        break;
                    }
                    Place::Nowhere => self.clear = found.end,
                    Place::At(found, quoted) => {
                        count(&mut self.counts, found.kind);
                        out.push_str(&raw[copied..self.tape.raw_at(found.start)]);
                        value.clear();
                        let matched = &view.text[found.start..found.end];
                        self.finder.replace(found.kind, matched, &mut value);
                        quoted.write(&value, &mut out);
                        copied = self.tape.raw_at(found.end);
                        self.clear = found.end;
                        changed = true;
                    }
                },
            }
        }
        let to = if end {
            raw.len()
        } else {
            self.tape.raw_at(self.clear)
        };
        let open = to < raw.len();
        let impatient = to > 0 && raw.len() > self.patience;
        if open && !(changed || self.owed || self.watching || impatient) {
            return Edit::Hold;
        }
        out.push_str(&raw[copied..to]);
        self.before = self.before.then(&view.text[..self.clear]);
        self.tape.release(self.clear, to);
        self.clear = 0;
        if self.watching || !(open || changed || self.owed) {
            return Edit::Forward;
        }
        self.owed = open;
        Edit::Replace(out)
    }
}

fn count(counts: &mut Vec<u32>, kind: usize) {
    if counts.len() <= kind {
        counts.resize(kind + 1, 0);
    }
    counts[kind] = counts[kind].saturating_add(1);
}
