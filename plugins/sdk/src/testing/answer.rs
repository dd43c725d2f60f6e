//! Applies a passage's edits as the host does: which deltas are kept, and which text goes out.

use crate::redact::{Finder, Redactor};
use crate::{Denial, Edit, Replacement};

/// The result of one passage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The text that the client reads.
    pub text: String,
    /// The text, chunk by chunk. A replacement takes the place of the last chunk that it replaces.
    pub chunks: Vec<String>,
    /// Why the choice ended early.
    pub denial: Option<Denial>,
    /// The most bytes held at once; the host bounds them (`held_text`).
    pub most_held: usize,
    /// The most deltas held at once, which is the most deltas by which one goes out late. 0 if each went out when it came.
    pub most_deltas_held: usize,
    /// Whether every chunk went out as it came.
    pub untouched: bool,
}

/// A passage, as the host keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    held: Vec<String>,
    /// So many bytes at the beginning of it are decided, and wait for the rest of their delta.
    decided: usize,
    /// All that came.
    came: String,
    pub(super) answer: Answer,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            decided: 0,
            came: String::new(),
            answer: Answer {
                untouched: true,
                ..Answer::default()
            },
        }
    }

    /// Applies the edit of a delta. Returns the denial, if it is one.
    pub(super) fn delta(&mut self, text: &str, edit: Edit) -> Option<Denial> {
        self.held.push(text.into());
        self.came.push_str(text);
        let denial = self.settle(edit);
        let bytes = self.held.iter().map(String::len).sum();
        let answer = &mut self.answer;
        answer.most_held = answer.most_held.max(bytes);
        answer.most_deltas_held = answer.most_deltas_held.max(self.held.len());
        denial
    }

    /// Applies the edit at the passage's end. Returns the denial, if it is one.
    ///
    /// # Panics
    ///
    /// If the edit is a hold.
    pub(super) fn end(&mut self, edit: Edit) -> Option<Denial> {
        assert!(
            !matches!(
                edit,
                Edit::Hold | Edit::HoldLast(_) | Edit::ReplaceAndHoldLast(_)
            ),
            "on_end answered `{edit:?}`: nothing comes after it"
        );
        self.settle(edit)
    }

    /// Whether what came was JSON, and what the edits left is none.
    pub(super) fn broke_json(&self) -> bool {
        let parses = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        !self.answer.untouched && parses(&self.came) && !parses(&self.answer.chunks.concat())
    }

    /// The choice ended early.
    pub(super) fn drop_held(&mut self) {
        self.held.clear();
        self.decided = 0;
    }

    pub(super) fn finished(&mut self, denial: Option<Denial>) -> Answer {
        self.answer.denial = denial;
        self.answer.text = self.answer.chunks.concat();
        self.answer.clone()
    }

    /// Puts a text in the place of all that is undecided but for the last so many bytes: into the last delta that lies in it.
    fn put(&mut self, text: &str, held: usize) {
        self.answer.untouched = false;
        let end: usize = self.held.iter().map(String::len).sum();
        let from = self.decided;
        let to = end.saturating_sub(held).max(from);
        if self.held.is_empty() {
            self.held.push(String::new());
        }
        let (mut begins, mut put) = (0, false);
        for delta in &mut self.held {
            let ends = begins + delta.len();
            if begins <= to && from <= ends && !put {
                put = to <= ends;
                let gone = from.max(begins) - begins..to.min(ends) - begins;
                assert!(
                    delta.is_char_boundary(gone.end),
                    "{held} bytes stay held behind a text, and the first of them lies within a character"
                );
                delta.replace_range(gone, if put { text } else { "" });
            }
            begins = ends;
        }
    }

    /// Lets go the deltas that end in what is decided. One of which nothing is left says nothing.
    fn release_decided(&mut self) {
        while let Some(first) = self.held.first().map(String::len)
            && first <= self.decided
        {
            self.decided -= first;
            let chunk = self.held.remove(0);
            if !chunk.is_empty() {
                self.answer.chunks.push(chunk);
            }
        }
    }

    fn settle(&mut self, edit: Edit) -> Option<Denial> {
        match edit {
            Edit::Hold => {}
            Edit::HoldLast(bytes) => {
                let mut after: usize = self.held.iter().map(String::len).sum();
                let gone = self.held.iter().take_while(|held| {
                    after -= held.len();
                    after >= bytes as usize
                });
                let gone = gone.count();
                if gone > 0 {
                    self.decided = 0;
                }
                self.answer.chunks.extend(self.held.drain(..gone));
            }
            Edit::Forward => {
                self.answer.chunks.append(&mut self.held);
                self.decided = 0;
            }
            Edit::Replace(text) => {
                self.put(&text, 0);
                self.decided = self.held.iter().map(String::len).sum();
                self.release_decided();
            }
            Edit::ReplaceAndHoldLast(Replacement { text, held }) => {
                self.put(&text, held as usize);
                self.decided += text.len();
                self.release_decided();
            }
            Edit::Deny(denial) => {
                self.drop_held();
                self.answer.untouched = false;
                return Some(denial);
            }
        }
        None
    }
}

/// Sends an answer of these deltas through a redactor alone, with no policy around it: to test a
/// [`Finder`] of one's own.
///
/// ```
/// use witgate_policy::redact::{Form, Redactor, Words};
/// use witgate_policy::testing;
///
/// let names = Words::new(["lynx"], "[NAME]");
/// let answer = testing::redact(Redactor::new(names, Form::Text), ["a", " ly", "ric", " lynx"]);
/// assert_eq!(answer.chunks, ["a", " ly", "ric", " [NAME]"]);
/// assert_eq!(answer.most_deltas_held, 1);
/// ```
pub fn redact<'a, F: Finder>(
    mut redactor: Redactor<F>,
    deltas: impl IntoIterator<Item = &'a str>,
) -> Answer {
    let mut kept = Kept::new();
    for delta in deltas.into_iter().filter(|delta| !delta.is_empty()) {
        let edit = redactor.push(delta);
        kept.delta(delta, edit);
    }
    kept.end(redactor.finish());
    kept.finished(None)
}
