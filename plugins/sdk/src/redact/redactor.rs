//! The redactor of one passage: it decides the edit of each delta.
//!
//! What must stay true: the tape holds exactly the text that the host keeps for this passage as it came.

use std::collections::VecDeque;

use super::json::Json;
use super::tape::{MatchPlace, Tape};
use super::{Finder, Form, Preceding, Scan, View, Wait};
use crate::Edit;

/// Applies a [`Finder`] to one passage.
///
/// It answers
///
/// - `Forward` where everything is decided and nothing was found,
/// - `HoldLast` with the bytes that are undecided, while the end of the text may still become a match. The host lets go of
///   every delta that ends before them, so a clean text is late by its open word only. Never plain `Hold`.
/// - `Replace` once something was found; `ReplaceAndHoldLast` where the text behind it is undecided. The host keeps that as it came, so
///   nothing is lost if the policy fails, and chunks go untouched again as soon as nothing more is found.
#[derive(Debug)]
pub struct Redactor<F> {
    finder: F,
    /// The undecided text, and the decided part of the delta in which it starts.
    tape: Tape,
    /// Where in JSON the tape's text stands.
    json: Json,
    /// The lengths of the deltas that the host keeps; of the first, perhaps of its end alone.
    kept: VecDeque<usize>,
    /// The characters before the undecided part.
    before: Preceding,
    /// What is decided is given out in every step, also where nothing was found.
    gives_all: bool,
    /// What keeps the open text undecided, where that is known.
    wait: Option<Wait>,
    watching: bool,
    /// It is shown no more than what may interest it, and asks to be shown what follows where that matters.
    has_interest: bool,
    counts: Vec<u32>,
}

impl<F: Finder> Redactor<F> {
    /// A redactor for one passage of this form.
    pub fn new(finder: F, form: Form) -> Redactor<F> {
        Redactor {
            finder,
            tape: Tape::default(),
            json: match form {
                Form::Text => Json::text(),
                Form::Json => Json::document(),
            },
            kept: VecDeque::new(),
            before: Preceding::default(),
            gives_all: false,
            wait: None,
            watching: false,
            has_interest: false,
            counts: Vec::new(),
        }
    }

    /// Only counts matches: every answer is `Forward`.
    #[must_use]
    pub fn watching(mut self) -> Redactor<F> {
        self.watching = true;
        self
    }

    /// For a policy with an [interest](crate::Policy::interest): asks to be shown what follows wherever that matters, by
    /// `Edit::HoldLast(0)` in place of `Forward`. That is within JSON, and until white space has come behind what is no digit.
    ///
    /// The interest must match some word of every value that the finder finds, some word of all that announces one, and every word with a `{` or
    /// a `[` in it. A text that is one JSON string from its first quote to its last counts as text.
    #[must_use]
    pub fn with_interest(mut self) -> Redactor<F> {
        self.has_interest = true;
        self.json.may_have_begun();
        self
    }

    /// Takes the next delta of the passage.
    pub fn push(&mut self, delta: &str) -> Edit {
        let mut clear = 0;
        if self.tape.raw().is_empty() && !delta.contains('\\') {
            // Nothing is copied where nothing is kept and nothing is found.
            let view = View {
                text: delta,
                end: false,
                before: self.before,
            };
            clear = match self.finder.scan(&view, 0) {
                Scan::Clear(to) if to == delta.len() => {
                    self.before = self.before.then(delta);
                    self.json.walk(delta.as_bytes(), delta.len());
                    self.json.decide(delta.len());
                    return self.forward();
                }
                Scan::Clear(to) | Scan::Waits(to, _) => to,
                // Found again, because what came before the match may have announced it.
                Scan::Found(_) => 0,
            };
        }
        self.step(delta, clear, false)
    }

    /// Ends the passage. The edit is `Forward` or `Replace`.
    pub fn finish(&mut self) -> Edit {
        self.step("", 0, true)
    }

    /// Redacts a whole text at once, by a redactor that has seen no text before. `None` if nothing was found.
    pub fn whole(&mut self, text: &str) -> Option<String> {
        // Requests have thousands of short texts, and most are clean: nothing is kept of those.
        if text.len() <= PIECE && !text.contains('\\') {
            let view = View::whole(text);
            if matches!(self.finder.scan(&view, 0), Scan::Clear(_)) {
                return None;
            }
        }
        // In pieces, so that of a text of many MiB only a little is kept twice.
        let mut out: Option<String> = None;
        let (mut rest, mut same) = (text, 0);
        loop {
            let (piece, more) = rest.split_at(rest.floor_char_boundary(PIECE));
            rest = more;
            self.gives_all = true;
            let edit = match rest.is_empty() {
                true => self.step(piece, 0, true),
                false => self.push(piece),
            };
            let part = match &edit {
                Edit::Replace(part) => part,
                Edit::ReplaceAndHoldLast(it) => &it.text,
                _ => piece,
            };
            if out.is_none() && !self.watching && self.counts_a_change() {
                out = Some(text[..same].to_owned());
            }
            match &mut out {
                Some(out) => out.push_str(part),
                None => same += part.len(),
            }
            if rest.is_empty() {
                return out;
            }
        }
    }

    /// Whether something was found that doesn't stay.
    fn counts_a_change(&self) -> bool {
        let mut counts = self.counts.iter().enumerate();
        counts.any(|(kind, times)| *times > 0 && !self.finder.keeps(kind))
    }

    /// How often each kind was found since the last call of this, by kind. The list ends with the last kind that was found,
    /// so it is empty where none was.
    pub fn take_counts(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.counts)
    }

    /// How many bytes at the end of the text pushed so far are undecided.
    pub fn undecided(&self) -> usize {
        self.tape.raw().len()
    }

    /// Takes a delta and decides its edit. The text of the tape and this delta is known to be clear up to `clear`, in bytes
    /// as the finder sees them.
    fn step(&mut self, delta: &str, mut clear: usize, end: bool) -> Edit {
        let known = self.tape.text().len();
        self.tape.push(delta, end);
        let waits = self.wait.take().filter(|wait| {
            let text = self.tape.text().as_bytes();
            let goes_on = |byte: &u8| (wait.goes_on)(*byte);
            !end && text.len() < wait.until && text[known..].iter().all(goes_on)
        });
        self.wait = waits;
        let raw = self.tape.raw();
        let view = View {
            text: self.tape.text(),
            end,
            before: self.before,
        };
        // The text that goes out, once it differs from the text that came, and how much of `raw` is in it.
        let mut out = String::new();
        let mut copied = 0;
        let mut value = String::new();
        let mut changed = false;
        while self.wait.is_none() {
            match self.finder.scan(&view, clear) {
                Scan::Clear(to) => {
                    clear = to;
                    break;
                }
                Scan::Waits(from, wait) => {
                    clear = from;
                    let until = wait.until - from;
                    self.wait = Some(Wait { until, ..wait });
                }
                Scan::Found(found) => match self.json.place(&self.tape, end, found) {
                    MatchPlace::Undecided => {
                        clear = found.start;
                        break;
                    }
                    MatchPlace::Nowhere => clear = found.end,
                    MatchPlace::At(found, quoted) => {
                        count(&mut self.counts, found.kind, 1);
                        if self.finder.keeps(found.kind) {
                            clear = found.end;
                            continue;
                        }
                        if !changed {
                            out.push_str(self.tape.decided());
                        }
                        out.push_str(&raw[copied..self.tape.raw_at(found.start)]);
                        value.clear();
                        let matched = &view.text[found.start..found.end];
                        self.finder.replace(found.kind, matched, &mut value);
                        quoted.write(&value, &mut out);
                        copied = self.tape.raw_at(found.end);
                        clear = found.end;
                        changed = true;
                    }
                },
            }
        }
        let to = if end {
            raw.len()
        } else {
            self.tape.raw_at(clear)
        };
        let undecided = raw.len() - to;
        let decided = self.tape.decided().len() + to;
        let (edit, gone) = if self.watching {
            (Edit::Forward, decided)
        } else if changed || self.gives_all {
            if !changed {
                out.push_str(self.tape.decided());
            }
            out.push_str(&raw[copied..to]);
            self.kept.push_back(delta.len());
            cut(&mut self.kept, decided);
            (Edit::replace_and_hold_last(out, undecided), decided)
        } else {
            self.kept.push_back(delta.len());
            let gone = gone(&mut self.kept, decided);
            (Edit::hold_last(undecided), gone)
        };
        self.before = self.before.then(&view.text[..clear]);
        self.json.walk(raw.as_bytes(), to);
        self.json.decide(to);
        self.tape.decide(clear, to);
        self.tape.let_go(gone);
        match edit {
            Edit::Forward if !end => self.forward(),
            edit => edit,
        }
    }

    /// Lets all go.
    fn forward(&self) -> Edit {
        let Preceding(near, far) = self.before;
        let apart = near.is_none_or(|c| c.is_ascii_whitespace())
            && !far.is_some_and(|c| c.is_ascii_digit());
        let sees_on = !apart || !self.tape.raw().is_empty() || !self.json.is_text();
        if self.has_interest && sees_on {
            Edit::HoldLast(0)
        } else {
            Edit::Forward
        }
    }
}

/// How much of a whole text is looked at together.
const PIECE: usize = 16 * 1024;

/// Removes the deltas that lie in the first `decided` bytes, which the host lets go, and returns their length together.
fn gone(kept: &mut VecDeque<usize>, decided: usize) -> usize {
    let mut gone = 0;
    while let Some(length) = kept.front().filter(|length| gone + **length <= decided) {
        gone += length;
        kept.pop_front();
    }
    gone
}

/// Removes the first `decided` bytes of the deltas, in the place of which a text goes.
fn cut(kept: &mut VecDeque<usize>, decided: usize) {
    let rest = decided - gone(kept, decided);
    if let Some(first) = kept.front_mut() {
        *first -= rest;
    }
}

pub(super) fn count(counts: &mut Vec<u32>, kind: usize, times: u32) {
    if counts.len() <= kind {
        counts.resize(kind + 1, 0);
    }
    counts[kind] = counts[kind].saturating_add(times);
}
