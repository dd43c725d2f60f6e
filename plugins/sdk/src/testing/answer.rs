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
    /// Whether the policy ended the choice as the model would, by [`Edit::Finish`].
    pub finished: bool,
    /// The most bytes held at once; the host bounds them (`held_text`).
    pub most_held: usize,
    /// The most deltas held at once, which is the most deltas by which one goes out late. 0 if each went out when it came.
    pub most_deltas_held: usize,
    /// Whether every chunk went out as it came.
    pub untouched: bool,
}

/// A text that the host keeps.
#[derive(Debug)]
struct Held {
    text: String,
    /// It is what stayed of a delta of which the rest has gone: it goes with the next one.
    stayed: bool,
    changed: bool,
}

/// A passage, as the host keeps it.
#[derive(Debug)]
pub(super) struct Kept {
    held: Vec<Held>,
    /// All that came.
    came: String,
    pub(super) answer: Answer,
}

impl Kept {
    pub(super) fn new() -> Self {
        Self {
            held: Vec::new(),
            came: String::new(),
            answer: Answer {
                untouched: true,
                ..Answer::default()
            },
        }
    }

    /// Applies the edit of a delta. Returns the denial, if it is one.
    pub(super) fn delta(&mut self, text: &str, edit: Edit) -> Option<Denial> {
        self.held.push(Held {
            text: text.into(),
            stayed: false,
            changed: false,
        });
        self.came.push_str(text);
        let denial = self.settle(edit);
        let bytes = self.held.iter().map(|held| held.text.len()).sum();
        let answer = &mut self.answer;
        answer.most_held = answer.most_held.max(bytes);
        answer.most_deltas_held = answer.most_deltas_held.max(self.held.len());
        denial
    }

    /// Applies the edit at the passage's end, where a finish is a replacement. Returns the denial, if it is one.
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
    }

    pub(super) fn finished(&mut self, denial: Option<Denial>) -> Answer {
        self.answer.denial = denial;
        self.answer.text = self.answer.chunks.concat();
        self.answer.clone()
    }

    /// Puts a text in the place of all but the last so many bytes: into the last delta that lies in it. Returns how many deltas, and how
    /// many bytes of the next, are before these.
    fn put(&mut self, text: &str, held: usize) -> (usize, usize) {
        self.answer.untouched = false;
        let end: usize = self.held.iter().map(|held| held.text.len()).sum();
        let to = end.saturating_sub(held);
        if self.held.is_empty() {
            self.held.push(Held {
                text: String::new(),
                stayed: false,
                changed: true,
            });
        }
        let mut begins = 0;
        for (at, delta) in self.held.iter_mut().enumerate() {
            let ends = begins + delta.text.len();
            let here = to <= ends;
            let gone = to.min(ends) - begins;
            assert!(
                delta.text.is_char_boundary(gone),
                "{held} bytes stay held behind a text, and the first of them lies within a character"
            );
            delta
                .text
                .replace_range(..gone, if here { text } else { "" });
            delta.changed = true;
            if here {
                let whole = to == ends;
                return if whole { (at + 1, 0) } else { (at, text.len()) };
            }
            begins = ends;
        }
        (self.held.len(), 0)
    }

    /// Lets go the first so many deltas. One of which nothing is left says nothing.
    fn let_go(&mut self, count: usize) {
        let mut before = String::new();
        let mut gone = self.held.drain(..count).peekable();
        while let Some(held) = gone.next() {
            let next = gone.peek().is_some_and(|next| !next.stayed);
            if held.stayed && next {
                before.push_str(&held.text);
                continue;
            }
            let says = !held.changed && !held.stayed || !held.text.is_empty();
            let text = std::mem::take(&mut before) + &held.text;
            if says || !text.is_empty() {
                self.answer.chunks.push(text);
            }
        }
    }

    fn settle(&mut self, edit: Edit) -> Option<Denial> {
        match edit {
            Edit::Hold => {}
            Edit::HoldLast(bytes) => {
                let mut after: usize = self.held.iter().map(|held| held.text.len()).sum();
                let gone = self.held.iter().take_while(|held| {
                    after -= held.text.len();
                    after >= bytes as usize
                });
                let gone = gone.count();
                self.let_go(gone);
            }
            Edit::Forward => self.let_go(self.held.len()),
            Edit::Replace(text) | Edit::Finish(text) => {
                self.put(&text, 0);
                self.let_go(self.held.len());
            }
            Edit::ReplaceAndHoldLast(Replacement { text, held }) => {
                let (mut deltas, bytes) = self.put(&text, held as usize);
                if bytes > 0 {
                    let split = &mut self.held[deltas];
                    let rest = split.text.split_off(bytes);
                    let rest = Held {
                        text: rest,
                        stayed: true,
                        changed: true,
                    };
                    deltas += 1;
                    self.held.insert(deltas, rest);
                }
                self.let_go(deltas);
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
