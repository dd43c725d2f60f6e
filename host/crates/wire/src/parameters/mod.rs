//! What Cerebras accepts of a request, as data, and what becomes of the rest.
//!
//! Cerebras closes every object: a member that it doesn't know is a 400, where other providers pass over it. So what their clients send
//! is made to fit: what would be refused is dropped, or gets the name that Cerebras has for it.
//!
//! - [`table`] is what the tables are made of: [`chat`] and [`completions`] are the two of them, with the rules between their fields, and
//!   [`models`] is what depends on the model;
//! - [`walk`] goes over a body by a table, and [`found`] is what comes of it: splices and names, or sentences;
//! - [`schema`] are the rules for schemas that are decoded strictly, [`conversation`] those that only the whole of the messages can break.
//!
//! What must stay true: nothing is added that the client didn't say. A member is dropped or renamed, and a word of the protocol put in
//! another's place, so whoever has seen every string of the request has seen every string that goes on. What the client *says* stays:
//! no message, text, picture, prompt or limit of tokens is dropped, though upstream may refuse it. And a body with nothing to mend goes on
//! as the very bytes that came.

mod chat;
mod completions;
mod conversation;
mod found;
mod models;
mod schema;
mod table;
mod walk;

use bytes::Bytes;

use self::found::Found;
pub(crate) use self::table::Table;
use self::walk::Walk;
use crate::request::Request;

pub(crate) use self::chat::CHAT;
pub(crate) use self::completions::COMPLETIONS;

/// A body that fits, and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fitted {
    /// The body to send.
    pub body: Bytes,
    /// The names of what was dropped or renamed: a list for people, of printable ASCII and a bounded length. `None`: nothing was.
    pub dropped: Option<String>,
}

/// What Cerebras would say of a request that it refuses: a line for each problem, or the first of many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub String);

impl Request {
    /// The body for that model, without what Cerebras would refuse.
    pub fn fitted(&self, model: &str) -> Fitted {
        let table = self.dialect().parameters();
        let mut found = Found::mends(self.body().len());
        Walk::new(self.body(), self.index(), model, &mut found).over(table);
        match found.mended(self.body(), self.index().model_span, self.renamed(model)) {
            Some((body, dropped)) => Fitted {
                body: body.into(),
                dropped: Some(dropped),
            },
            None => Fitted {
                body: self.to_bytes(Some(model)),
                dropped: None,
            },
        }
    }

    /// Whether Cerebras would take it, for that model.
    ///
    /// # Errors
    /// What Cerebras would say, as far as that can be known here.
    pub fn fits(&self, model: &str) -> Result<(), Refused> {
        let table = self.dialect().parameters();
        let mut found = Found::sentences();
        Walk::new(self.body(), self.index(), model, &mut found).over(table);
        found.refused().map_or(Ok(()), |says| Err(Refused(says)))
    }

    /// The model's name, where that is another than the body has.
    fn renamed<'m>(&self, model: &'m str) -> Option<&'m str> {
        Some(model).filter(|model| *model != self.model())
    }
}

#[cfg(test)]
mod tests;
