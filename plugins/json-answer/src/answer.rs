//! One answer as it comes: what is before the value, the value, and what is behind it.

use json_schema::{Schema, Unread};

use crate::fence::{Closing, Opening, opening};
use crate::reader::{Reader, Wrong};

/// The longest answer that is held to a schema, in bytes.
pub(crate) const LONGEST: usize = 4 * 1024 * 1024;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is none.
    Empty,
    /// It was cut off at the most tokens.
    Truncated,
    /// More of it is held back than may be, so nobody knows whether this was all.
    Held,
    /// It is no JSON, from this byte on.
    Syntax(usize),
    /// Arrays and objects lie too deep in each other.
    Depth,
    /// It is too long to be held to a schema.
    Length,
    /// Some object has a key twice.
    Repeated,
    /// It doesn't match, by this keyword of the schema.
    Schema(String),
}

/// What of a text belongs to the answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Nobody knows yet, of this and all before.
    Undecided,
    /// All of it, and what was undecided.
    All,
    /// This range of it, and nothing of what was undecided.
    Range(std::ops::Range<usize>),
}

/// An answer, of which the beginning has come.
#[derive(Debug)]
pub(crate) struct JsonText {
    /// All that has come, while it may become a fence.
    opening: String,
    stage: Stage,
    reader: Reader,
    /// The value, where it is to be held to a schema.
    value: String,
    /// How many bytes have come.
    came: usize,
}

#[derive(Debug)]
enum Stage {
    Opening,
    Plain,
    /// Within a fence of such marks, so many.
    Fenced(u8, usize, Closing),
}

impl JsonText {
    pub(crate) fn new(schema: Option<&Schema>, strip_fences: bool) -> JsonText {
        JsonText {
            opening: String::new(),
            stage: match strip_fences {
                true => Stage::Opening,
                false => Stage::Plain,
            },
            reader: Reader::new(schema),
            value: String::new(),
            came: 0,
        }
    }

    /// Whether there was any text.
    pub(crate) fn has_come(&self) -> bool {
        self.came > 0 || !self.opening.is_empty()
    }

    /// Whether a fence was taken off.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self.stage, Stage::Fenced(..))
    }

    /// Takes the next text.
    pub(crate) fn push(&mut self, text: &str, schema: Option<&Schema>) -> Result<Part, Fault> {
        if !matches!(self.stage, Stage::Opening) {
            return self.read(text, schema);
        }
        let before = self.opening.len();
        self.opening.push_str(text);
        match opening(&self.opening) {
            Opening::Undecided => Ok(Part::Undecided),
            Opening::None => {
                self.stage = Stage::Plain;
                let all = std::mem::take(&mut self.opening);
                self.read(&all, schema)
            }
            Opening::Fence(mark, marks, to) => {
                self.stage = Stage::Fenced(mark, marks, Closing::default());
                let all = std::mem::take(&mut self.opening);
                self.came = to;
                // The line's end has just come, so the value begins in this text.
                let from = to - before;
                match self.read(&all[to..], schema)? {
                    Part::Range(range) => Ok(Part::Range(range.start + from..range.end + from)),
                    other => Ok(other),
                }
            }
        }
    }

    fn read(&mut self, text: &str, schema: Option<&Schema>) -> Result<Part, Fault> {
        let bytes = text.as_bytes();
        let from = self.came;
        let read = match self.reader.read(bytes, schema) {
            Ok(read) => read,
            Err((_, Wrong::Schema(pointer))) => return Err(Fault::Schema(pointer)),
            Err((_, Wrong::Depth)) => return Err(Fault::Depth),
            Err((at, Wrong::Syntax)) => return Err(Fault::Syntax(from + at)),
        };
        self.came += bytes.len();
        if schema.is_some() {
            if self.value.len() + read > LONGEST {
                return Err(Fault::Length);
            }
            // What comes before a number's end is ASCII, and so is what ends anything else.
            self.value.push_str(&text[..read]);
        }
        let rest = &bytes[read..];
        let fits = match &mut self.stage {
            Stage::Fenced(mark, marks, closing) => closing.take(rest, *mark, *marks),
            _ => rest.iter().all(u8::is_ascii_whitespace),
        };
        if !fits {
            return Err(Fault::Syntax(from + read));
        }
        Ok(match self.stage {
            Stage::Fenced(..) => Part::Range(0..read),
            _ => Part::All,
        })
    }

    /// Nothing follows.
    pub(crate) fn end(&mut self, finish: &str, schema: Option<&Schema>) -> Result<(), Fault> {
        if let Stage::Opening = self.stage {
            // What may have become a fence is none.
            return Err(match self.opening.trim_ascii().is_empty() {
                true => Fault::Empty,
                false if finish == "length" => Fault::Truncated,
                false => Fault::Syntax(0),
            });
        }
        let fits = match &self.stage {
            Stage::Fenced(_, marks, closing) => closing.may_end(*marks),
            _ => true,
        };
        if matches!(self.stage, Stage::Plain) && !self.reader.has_begun() {
            return Err(Fault::Empty);
        }
        if !self.reader.is_whole() || !fits {
            return Err(match finish {
                "length" => Fault::Truncated,
                _ if self.came == 0 => Fault::Empty,
                _ => Fault::Syntax(self.came),
            });
        }
        let Some(schema) = schema else { return Ok(()) };
        match json_schema::read(&self.value) {
            Ok(value) => {
                let checked = schema.check(&value);
                checked.map_err(|violation| Fault::Schema(violation.pointer))
            }
            Err(Unread::Repeated) => Err(Fault::Repeated),
            Err(Unread::Syntax) => Err(Fault::Syntax(self.came)),
        }
    }
}
