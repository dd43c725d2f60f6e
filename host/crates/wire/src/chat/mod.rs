//! The chat-completions dialect: its requests. Its answers are [`choices`](crate::choices).
//!
//! [`shape`] says what each place of a request is; [`read`](crate::read) goes over one by it.

pub(crate) mod shape;

use crate::Role;
use crate::json::literal;

/// A message with one text, as JSON.
pub(crate) fn message(role: Role, text: &str) -> String {
    format!(
        "{{\"role\":\"{}\",\"content\":{}}}",
        role.name(),
        literal(text)
    )
}
