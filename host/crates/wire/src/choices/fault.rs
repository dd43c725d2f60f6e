//! What is wrong with an upstream's answer: of which kind, and where. Never a value: no stage has judged it, and what is said here goes to
//! the client and into the log. So the type holds no text but the program's own.

use std::fmt;

use serde_json::error::Category;

/// Bytes can't be read as a chunk or a whole answer, so it isn't known what text is in them.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct NotAChunk {
    kind: &'static str,
    /// Line and column, where the reader knows them.
    at: Option<(usize, usize)>,
}

impl NotAChunk {
    pub(super) const fn new(kind: &'static str) -> NotAChunk {
        NotAChunk { kind, at: None }
    }
}

impl fmt::Display for NotAChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind;
        write!(f, "the upstream sent what is no completion: {kind}")?;
        match self.at {
            Some((line, column)) => write!(f, " at line {line} column {column}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for NotAChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<std::str::Utf8Error> for NotAChunk {
    fn from(_: std::str::Utf8Error) -> NotAChunk {
        NotAChunk::new("it isn't UTF-8")
    }
}

impl From<serde_json::Error> for NotAChunk {
    /// Only the kind is taken over: the reader's own sentence may repeat what it read.
    fn from(error: serde_json::Error) -> NotAChunk {
        let kind = match error.classify() {
            Category::Data => known(&error),
            Category::Eof => "its JSON ends too early",
            Category::Io | Category::Syntax => "it isn't JSON",
        };
        let at = Some((error.line(), error.column())).filter(|(line, _)| *line > 0);
        NotAChunk { kind, at }
    }
}

/// The sentence of the program's own that this error is.
fn known(error: &serde_json::Error) -> &'static str {
    /// Takes the beginning and no more.
    struct Head(String);

    impl fmt::Write for Head {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(&text[..text.floor_char_boundary(100)]);
            if self.0.len() < 100 {
                Ok(())
            } else {
                Err(fmt::Error)
            }
        }
    }

    let mut head = Head(String::new());
    // It stops where there is enough.
    let _ = fmt::write(&mut head, format_args!("{error}"));
    let mut kinds = KINDS
        .iter()
        .chain(super::scan::TWICE.iter().copied().flatten());
    let kind = kinds.find(|kind| head.0.starts_with(**kind));
    kind.copied()
        .unwrap_or("a value is of another type than it must be")
}

/// Names the sentences of errors that come by way of the JSON reader.
macro_rules! kinds {
    ($($name:ident = $text:literal,)*) => {
        $(pub(super) const $name: &str = $text;)*
        const KINDS: &[&str] = &[$($text,)*];
    };
}

kinds! {
    CUSTOM_CALL = "a tool call of the kind `custom`",
    ARGUMENTS = "the arguments of a tool call are no string",
    LONG_NAME = "the name or the id of a tool call is longer than 256 bytes",
    FAR_CALL = "the index of a tool call is past 1023",
    FAR_CHOICE = "the index of a choice is past 127",
    LOST_CALL = "a tool call that can't be found again",
    BOTH = "a choice with two of a delta, a message and a text",
    TWO_TEXTS = "a part has two texts",
    PART_TEXT = "the text of a part is no string",
    TEXT = "a text is neither a string nor parts",
    MANY = "it has more choices, calls or parts than an answer may have",
    NO_WORD = "what must be a short word is none",
    TWICE = "a choice stands twice",
    NO_CHOICES = "it has no choices",
    NO_TEXT = "there is no such text in it",
}
