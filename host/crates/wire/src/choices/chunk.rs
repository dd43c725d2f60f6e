//! One event of a streamed answer: the hot path.
//!
//! One pass finds every text and where its JSON literal lies. Nothing is copied but texts that have escapes in them.
//!
//! What must stay true: a text that a client would show is a piece here, or the event is [`NotAChunk`].

use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use smallvec::SmallVec;

pub use super::fault::NotAChunk;
use super::splice::{Slot, set_texts};
use super::{known, restate, scan};
use crate::{Channel, Usage, Voice};

/// A chunk, read. It borrows from the event's data.
#[derive(Debug, Default)]
pub struct Chunk<'a> {
    /// Every text: choices in the order of the array; in each reasoning, content, refusal, tool calls by index. No empty
    /// ones, but for a tool call that opens.
    pub pieces: SmallVec<[Piece<'a>; 2]>,
    /// The choices that end, and why.
    pub finishes: SmallVec<[(u32, Cow<'a, str>); 1]>,
    /// The usage, where the chunk has it.
    pub usage: Option<Usage>,
    /// The model that answers.
    pub model: Option<Cow<'a, str>>,
    /// That the upstream broke off.
    pub error: Option<Box<UpstreamError>>,
    /// The index of each choice that stands in the chunk.
    pub choices: SmallVec<[u32; 1]>,
    /// Where the values of `logprobs` and their like lie; those that are null left out.
    pub logprobs: SmallVec<[Logprobs; 1]>,
    /// Where a member stands that isn't known here and says something. `None`: there is none.
    pub unknown: Option<&'static str>,
    /// A role, or something in a delta that is unknown here.
    pub(super) extras: bool,
    /// A choice may have its text itself.
    pub(super) plain: bool,
}

/// What tells a text of a choice again, token by token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logprobs {
    /// The choice.
    pub choice: u32,
    /// Where the value lies in the data.
    pub span: Range<usize>,
    /// What the text is; `None` where it can't be compared.
    pub of: Option<Voice>,
}

/// One text of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The choice that it belongs to.
    pub choice: u32,
    /// What it is.
    pub channel: Channel<'a>,
    /// The text, without JSON escapes. Half of a surrogate pair is read as U+FFFD.
    pub text: Cow<'a, str>,
    /// Where it lies in the data.
    pub slot: Slot,
}

/// What an upstream says when it breaks off in mid-stream. What it doesn't say is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpstreamError {
    /// A sentence.
    pub message: String,
    /// Its `type`.
    pub kind: String,
    /// Its `param`.
    pub param: String,
    /// Its `code`.
    pub code: String,
    /// The HTTP status that it would have been.
    pub status: Option<u16>,
}

impl<'a> Chunk<'a> {
    /// Reads an event's data.
    ///
    /// # Errors
    /// [`NotAChunk`] for what isn't UTF-8, isn't one JSON object, has a key twice that matters here, or has a text, choice or
    /// tool call of an unknown shape.
    pub fn parse(data: &'a [u8]) -> Result<Chunk<'a>, NotAChunk> {
        Chunk::read(data, false)
    }

    /// The same, where a choice may have its text itself, as in a text completion.
    ///
    /// # Errors
    /// As [`parse`](Chunk::parse).
    pub fn read(data: &'a [u8], plain: bool) -> Result<Chunk<'a>, NotAChunk> {
        let data = std::str::from_utf8(data)?;
        let mut chunk = Chunk {
            plain,
            ..Chunk::default()
        };
        scan::scan(data, &mut chunk)?;
        Ok(chunk)
    }

    /// Whether the chunk still says something when that piece's text is taken out of it: a role, a tool call's id or name, a
    /// finish, usage, an error, another piece, another choice, or something that is unknown here.
    pub fn carries_more(&self, piece: usize) -> bool {
        self.pieces.len() > 1
            || self.choices.len() > 1
            || self.extras
            || !self.finishes.is_empty()
            || self.usage.is_some()
            || self.error.is_some()
            || self
                .pieces
                .get(piece)
                .is_some_and(|piece| piece.channel.opens_call())
    }

    /// Whether nothing of the answer is in it: at most a role, and what is counted. What isn't known here may be something.
    pub fn says_nothing(&self) -> bool {
        self.pieces.is_empty()
            && self.finishes.is_empty()
            && self.error.is_none()
            && self.unknown.is_none()
    }

    /// Where the logprobs of that choice lie.
    pub fn logprobs_of(&self, choice: u32) -> impl Iterator<Item = Range<usize>> {
        self.logprobs
            .iter()
            .filter(move |it| it.choice == choice)
            .map(|it| it.span.clone())
    }

    /// Whether there is nothing in it that a stage can't read: no member that isn't known, and no logprobs but of the texts beside them.
    /// `data` is what it was read from.
    pub fn is_readable(&self, data: &[u8]) -> bool {
        self.unknown.is_none() && (self.logprobs.is_empty() || self.unread(data).is_empty())
    }

    /// The logprobs that don't tell the texts beside them.
    fn unread(&self, data: &[u8]) -> SmallVec<[Range<usize>; 1]> {
        let data = std::str::from_utf8(data).unwrap_or_default();
        let unread = |it: &&Logprobs| !restate::restates(self, data, it);
        let unread = self.logprobs.iter().filter(unread);
        unread.map(|it| it.span.clone()).collect()
    }

    /// The data without what a stage can't read; with what isn't known, where that `passes`.
    ///
    /// # Errors
    /// [`NotAChunk`] where `data` isn't the chunk's.
    pub fn readable(&self, data: &[u8], passes: bool) -> Result<Vec<u8>, NotAChunk> {
        let unread = self.unread(data);
        if passes {
            return Ok(set_texts(data, &[], &unread));
        }
        known::only_known(std::str::from_utf8(data)?, &unread, self.plain)
    }
}

/// Whether an event's data may hold what is read even where no policy wants answers: a finish, usage, an error.
///
/// `false` is certain; `true` isn't, for such a key may stand anywhere in the JSON.
pub fn needs_parse(data: &[u8]) -> bool {
    static KEYS: LazyLock<[Finder<'static>; 3]> =
        LazyLock::new(|| ["\"finish_reason\"", "\"usage\"", "\"error\""].map(Finder::new));
    // A letter of a key can be written as an escape.
    static ESCAPED: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\\u00"));
    KEYS.iter().any(|key| {
        let mut ends = key.find_iter(data).map(|at| at + key.needle().len());
        ends.any(|end| !is_null(&data[end..]))
    }) || ESCAPED.find(data).is_some()
}

/// Whether what follows a key is null.
fn is_null(after_key: &[u8]) -> bool {
    let value = after_key
        .trim_ascii_start()
        .strip_prefix(b":")
        .map(<[u8]>::trim_ascii_start);
    value.is_some_and(|value| value.starts_with(b"null"))
}

#[cfg(test)]
mod tests;
