//! The chat-completions dialect: its requests. Its answers are [`choices`](crate::choices).
//!
//! - [`check`]: what makes a chat request; [`walk`]: every text of one.

pub(crate) mod check;
pub(crate) mod shape;
pub(crate) mod texts;
pub(crate) mod walk;

use serde_json::{Value, json};

use crate::Role;

/// The role of each message.
pub(crate) fn roles(body: &Value) -> Vec<Role> {
    let role = |message: &Value| {
        message["role"]
            .as_str()
            .and_then(Role::from_name)
            .unwrap_or(Role::User)
    };
    let messages = body["messages"].as_array();
    messages.into_iter().flatten().map(role).collect()
}

/// A message with one text.
pub(crate) fn message(role: Role, text: &str) -> Value {
    json!({"role": role.name(), "content": text})
}
