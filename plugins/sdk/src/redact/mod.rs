//! Replaces matches in a text that arrives in pieces.
//!
//! A [`Finder`] knows what to look for, a [`Redactor`] applies it to one passage, [`redact_all`] to a whole text, and [`redact_request`] to every
//! string of a request. A redactor is a [`Passage`](crate::Passage): a policy returns it from `on_answer`. A [`Guard`] is all of that together, with
//! an [`Action`] that the operator chooses.
//!
//! What must stay true: **the text that comes out is a function of the concatenated text alone.** However a text is cut,
//! streamed or whole, the same text comes out. That works because a finder decides only what holds *whatever may follow*,
//! and the redactor lets nothing else go. A text in which nothing is found is not replaced: its chunks go out as they came,
//! and late only by their undecided end.
//!
//! Every pattern must have a greatest length. A text that can stay undecided for ever is held, until the host's limit
//! `held_text` ends the stage. An e-mail address is a good pattern: after 64 bytes without an `@`, it is none.
//!
//! ```
//! use witgate_policy::Edit;
//! use witgate_policy::redact::{Form, Redactor, Words};
//!
//! let names = Words::new(["Project Lynx"], "[NAME]");
//! let mut passage = Redactor::new(names, Form::Text);
//! assert!(matches!(passage.push("All of"), Edit::Forward));
//! assert!(matches!(passage.push(" our proj"), Edit::HoldLast(4)));
//! assert!(matches!(passage.push("ect lynx, "), Edit::Replace(text) if text == " our [NAME], "));
//! assert!(matches!(passage.push("and so on. "), Edit::Forward));
//! assert!(matches!(passage.finish(), Edit::Forward));
//! ```

mod doc;
mod guard;
mod json;
mod passage;
mod raw;
mod redactor;
mod request;
mod tape;
mod words;

#[cfg(test)]
mod tests;

pub use guard::{Action, Guard, Named, Terms, hooks};
pub use passage::Telling;
pub use redactor::Redactor;
pub use request::{Redacted, joined_parts, redact_request};
pub use words::Words;

use std::borrow::Cow;

use crate::Channel;
use tape::Tape;

/// Knows what to look for, and what to replace it by.
///
/// Its answers must hold whatever follows the text that it has seen, and must depend on nothing before `from` but the two
/// characters that [`View::before`] shows, `from` being the start of a text or where an earlier answer ended. Then the same matches
/// are found wherever a text is cut.
pub trait Finder {
    /// The first match that starts at `from` or later, or how far the text is clear.
    fn scan(&self, view: &View<'_>, from: usize) -> Scan;

    /// Appends the text that replaces `value`, a match of this kind. It appends plain text, which the redactor escapes
    /// where needed.
    fn replace(&self, kind: usize, value: &str, out: &mut String);

    /// Whether matches of this kind are counted and stay as they are.
    fn keeps(&self, _kind: usize) -> bool {
        false
    }

    /// The number of `value` in names, `EMAIL_1`, where the finder counts values itself: the same for the same, and no other's of its kind.
    /// `None`: [`redact_request`] counts them.
    fn number(&self, _kind: usize, _value: &str) -> Option<usize> {
        None
    }
}

impl<F: Finder + ?Sized> Finder for &F {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        (**self).scan(view, from)
    }
    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        (**self).replace(kind, value, out);
    }
    fn keeps(&self, kind: usize) -> bool {
        (**self).keeps(kind)
    }
    fn number(&self, kind: usize, value: &str) -> Option<usize> {
        (**self).number(kind, value)
    }
}

impl<F: Finder + ?Sized> Finder for std::rc::Rc<F> {
    fn scan(&self, view: &View<'_>, from: usize) -> Scan {
        (**self).scan(view, from)
    }
    fn replace(&self, kind: usize, value: &str, out: &mut String) {
        (**self).replace(kind, value, out);
    }
    fn keeps(&self, kind: usize) -> bool {
        (**self).keeps(kind)
    }
    fn number(&self, kind: usize, value: &str) -> Option<usize> {
        (**self).number(kind, value)
    }
}

/// A stretch of a text, as a [`Finder`] sees it.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The stretch. More may follow unless `end` is set.
    pub text: &'a str,
    /// Whether nothing follows.
    pub end: bool,
    before: Preceding,
}

impl<'a> View<'a> {
    /// A whole text.
    #[must_use]
    pub fn whole(text: &'a str) -> View<'a> {
        View {
            text,
            end: true,
            before: Preceding::default(),
        }
    }

    /// The two characters before this offset, the nearer one first. `None` before the start of the text.
    #[must_use]
    pub fn before(&self, at: usize) -> (Option<char>, Option<char>) {
        let Preceding(near, far) = self.before.then(&self.text[..at]);
        (near, far)
    }
}

/// The result of [`Finder::scan`].
#[derive(Clone, Copy, Debug)]
pub enum Scan {
    /// The first match. The search goes on at its end.
    Found(Found),
    /// No match starts before this offset, whatever follows. From this offset on the text is undecided; the length of the
    /// text means that nothing is. When nothing follows, it must be the length of the text.
    Clear(usize),
    /// The same for a match that may be long: from this offset on the text is undecided, and stays so while such bytes follow. It
    /// spares a text that comes byte by byte from being searched as often.
    Waits(usize, Wait),
}

/// What keeps a text undecided.
#[derive(Clone, Copy, Debug)]
pub struct Wait {
    /// Whether it stays so when this byte follows.
    pub goes_on: fn(u8) -> bool,
    /// It is decided once the text is as long.
    pub until: usize,
}

/// A match: where it is, in bytes, and which kind, as the finder counts its kinds from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last one. Greater than `start`.
    pub end: usize,
    /// Which kind of thing.
    pub kind: usize,
}

/// What a text is.
///
/// JSON is read in both, also JSON in strings of JSON: a replacement keeps it valid, which means that it is escaped inside a
/// string, becomes a string in place of a bare value, and 0 in place of a negative number's
/// digits. Escapes (`\u0040`, `\n`) are undone before the finder sees a text,
/// after any number of backslashes. Other backslashes it sees as they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Text, in which JSON may stand anywhere: an answer, what a tool gave back.
    Text,
    /// JSON from its first byte, such as the arguments of a tool call: a text that is a bare value is JSON, too.
    Json,
}

impl Form {
    /// The form of the text on this channel.
    #[must_use]
    pub fn of(channel: &Channel) -> Form {
        match channel {
            Channel::ToolArguments(_) => Form::Json,
            Channel::Content | Channel::Reasoning | Channel::Refusal | Channel::Other(_) => {
                Form::Text
            }
        }
    }
}

/// The whole text with every match of the finder replaced, or `None` if there is no match.
pub fn redact_all(finder: impl Finder, form: Form, text: &str) -> Option<String> {
    Redactor::new(finder, form).whole(text)
}

/// Every match of the finder in a whole plain text, in order.
pub fn find_all(finder: impl Finder, text: &str) -> Vec<Found> {
    let view = View::whole(text);
    let mut all = Vec::new();
    let mut from = 0;
    while let Scan::Found(found) = finder.scan(&view, from) {
        from = found.end;
        all.push(found);
    }
    all
}

/// The text with JSON's escapes undone, as a [`Finder`] sees it: after any number of backslashes, whether or not the text is JSON. Who only
/// looks for something looks at the text as it stands, too.
#[must_use]
pub fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut tape = Tape::default();
    tape.push(text, true);
    Cow::Owned(tape.text().to_owned())
}

/// The two characters before the undecided part, the nearer one first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Preceding(Option<char>, Option<char>);

impl Preceding {
    /// The last two characters once this text has followed.
    fn then(self, text: &str) -> Preceding {
        let mut back = text.chars().rev();
        match (back.next(), back.next()) {
            (None, _) => self,
            (near, None) => Preceding(near, self.0),
            (near, far) => Preceding(near, far),
        }
    }
}
