//! The text-completions dialect: what of its requests differs from chat's. They are read by the same pass
//! ([`read`](crate::read)), over another table of members ([`Shape::Completion`](crate::chat::shape::Shape::Completion)). Its answers are [`choices`](crate::choices).
//!
//! Each prompt counts as a message of the user's, and the suffix as one more after them. A prompt may be a list of tokens, which no
//! policy can read: it is opaque, as a picture is in a chat.
//!
//! As many choices are answered as `n` says, for each prompt. `best_of` counts for nothing here: of so many the upstream makes, it shows `n`.

#[cfg(test)]
mod tests;
