//! Says what requests and answers may be about, by words with weights and by example sentences.
//!
//! - `settings`: what the operator writes.
//! - `words`: the words of a text that comes in pieces.
//! - `terms`: words and phrases, looked up word by word.
//! - `likeness`: what is learned from example sentences.
//! - `score`: what a text is about, by both.

mod likeness;
mod policy;
mod score;
mod settings;
mod terms;
mod words;

#[cfg(test)]
mod held_out;
#[cfg(test)]
mod tests;

pub use policy::Topics;
pub use settings::Settings;

witgate_policy::export!(Topics);
