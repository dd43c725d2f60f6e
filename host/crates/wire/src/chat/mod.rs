//! The chat-completions dialect: its requests. Its answers are [`choices`](crate::choices).
//!
//! - [`shape`]: what each place of a request is; [`read`]: one pass over one, which checks it and remembers its texts.

pub(crate) mod read;
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
