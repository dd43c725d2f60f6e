//! When an answer has begun: with its first content. A head, a comment that keeps the connection alive or a chunk with a role alone is
//! nothing that anybody waits for, so none of them ends the wait for a first token.
//!
//! Only whoever knows the dialect can tell, so the question brings a reader along. It sees each piece once, until there is content, and
//! is gone after it: a delta costs nothing.

use std::fmt;

use bytes::Bytes;

/// What the bytes of an answer so far say.
#[derive(Debug, PartialEq, Eq)]
pub enum Begins {
    /// Nothing yet.
    NotYet,
    /// Something.
    Content,
    /// That the target broke off before it said anything: what it said of that.
    Error(Bytes),
}

/// Reads the bytes of a stream up to its first content, however they were cut.
pub struct ReadsBeginning(Box<dyn FnMut(&Bytes) -> Begins + Send>);

impl ReadsBeginning {
    /// `read` is given each piece in turn.
    pub fn with(read: impl FnMut(&Bytes) -> Begins + Send + 'static) -> ReadsBeginning {
        ReadsBeginning(Box::new(read))
    }

    pub(super) fn read(&mut self, bytes: &Bytes) -> Begins {
        (self.0)(bytes)
    }
}

impl fmt::Debug for ReadsBeginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadsBeginning")
    }
}
