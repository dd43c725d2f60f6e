//! Of which tool each message of a request is the result: read once, however often it is asked.

use std::collections::HashMap;

use serde_json::Value;

use super::types::Role;

/// The tool of each message that is a result, by the message's place.
pub(super) struct ToolNames(HashMap<usize, String>);

impl ToolNames {
    /// Of messages with these roles, of which `get` gives the JSON at a pointer. Each call and each result is read once.
    pub(super) fn of(roles: &[Role], get: impl Fn(&str) -> Option<String>) -> Self {
        let read =
            |pointer: String| -> Option<Value> { serde_json::from_str(&get(&pointer)?).ok() };
        let mut called: HashMap<String, String> = HashMap::new();
        let mut results = HashMap::new();
        for (at, role) in roles.iter().enumerate() {
            match role {
                Role::Assistant => {
                    let calls = read(format!("/messages/{at}/tool_calls"));
                    let calls = calls.as_ref().and_then(Value::as_array);
                    // Of calls of one message with the same id the first counts; of messages, the last before the result.
                    called.extend(calls.into_iter().flatten().rev().filter_map(named));
                }
                Role::Tool => {
                    let id = read(format!("/messages/{at}/tool_call_id"));
                    let tool = id.as_ref().and_then(Value::as_str);
                    let tool = tool.and_then(|id| called.get(id));
                    results.extend(tool.map(|tool| (at, tool.clone())));
                }
                _ => {}
            }
        }
        ToolNames(results)
    }

    /// The tool whose result that message is.
    pub(super) fn get(&self, message: u32) -> Option<&str> {
        self.0.get(&(message as usize)).map(String::as_str)
    }
}

/// A call's id and its tool.
fn named(call: &Value) -> Option<(String, String)> {
    let tool = ["function", "custom"]
        .iter()
        .find_map(|kind| call[kind]["name"].as_str())?;
    Some((call["id"].as_str()?.to_owned(), tool.to_owned()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    /// What is known of these messages, and how often something was read for it.
    fn names(messages: &Value) -> (ToolNames, usize) {
        let reads = Cell::new(0);
        let role = |message: &Value| match message["role"].as_str() {
            Some("assistant") => Role::Assistant,
            Some("tool") => Role::Tool,
            _ => Role::User,
        };
        let roles: Vec<Role> = messages.as_array().unwrap().iter().map(role).collect();
        let names = ToolNames::of(&roles, |pointer| {
            reads.set(reads.get() + 1);
            let pointer = pointer.strip_prefix("/messages")?;
            messages.pointer(pointer).map(Value::to_string)
        });
        (names, reads.get())
    }

    #[test]
    fn each_message_is_read_once_though_no_id_is_of_a_call() {
        let call = |n: usize| {
            let calls = json!([{"id": format!("call-{n}"), "function": {"name": "look"}}]);
            json!({"role": "assistant", "tool_calls": calls})
        };
        let result = |_| json!({"role": "tool", "tool_call_id": "of nothing"});
        let messages: Vec<Value> = (0..100).map(call).chain((0..100).map(result)).collect();
        let (names, reads) = names(&messages.into());
        assert!((0..200).all(|at| names.get(at).is_none()));
        assert_eq!(reads, 200);
    }

    #[test]
    fn a_result_has_the_role_of_a_tool_and_an_id_that_is_a_string() {
        let (names, _) = names(&json!([
            {"role": "assistant", "tool_calls": [
                {"function": {"name": "nameless"}},
                {"id": "a", "function": {"name": "near"}},
                {"id": "a", "function": {"name": "second"}},
                {"id": "b", "custom": {"name": "far"}},
            ]},
            {"role": "tool", "tool_call_id": "b"},
            {"role": "tool", "tool_call_id": "a"},
            {"role": "tool", "tool_call_id": null},
            {"role": "user", "tool_call_id": "a"},
            {"role": "tool", "tool_call_id": "c"},
            {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "late"}}]},
        ]));
        let all: Vec<_> = (0..7).map(|at| names.get(at)).collect();
        assert_eq!(
            all,
            [None, Some("far"), Some("near"), None, None, None, None]
        );
    }
}
