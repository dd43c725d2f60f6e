//! A chat-shaped body: where its segments are, and how edits reach them.

use serde_json::{Value, json};

use crate::{Channel, Role, Segment, Tool, ToolCall};

/// What one edit of the request asks for. Indices are those at the start of the call.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Replace(usize, String),
    Insert(usize, Role, String),
    Set(String, Option<Value>),
}

#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Value);

impl Body {
    pub(super) fn model(&self) -> String {
        self.0["model"].as_str().unwrap_or_default().into()
    }

    pub(super) fn roles(&self) -> Vec<Role> {
        let prompts = match &self.0["prompt"] {
            Value::Array(prompts) => prompts.len(),
            Value::String(_) => 1,
            _ => 0,
        };
        let messages = self.messages().iter().map(role);
        messages
            .chain(std::iter::repeat_n(Role::User, prompts))
            .collect()
    }

    /// Every text that the model reads, each with its JSON pointer.
    pub(super) fn segments(&self) -> Vec<(String, Segment)> {
        let mut all = Vec::new();
        for (m, message) in self.messages().iter().enumerate() {
            let mut add = |pointer: String, channel: Channel, text: &Value| {
                if let Some(text) = text.as_str() {
                    all.push((pointer, segment(m, role(message), channel, text)));
                }
            };
            let at = format!("/messages/{m}");
            add(
                format!("{at}/content"),
                Channel::Content,
                &message["content"],
            );
            for (p, part) in list(&message["content"]).iter().enumerate() {
                add(
                    format!("{at}/content/{p}/text"),
                    Channel::Content,
                    &part["text"],
                );
                add(
                    format!("{at}/content/{p}/refusal"),
                    Channel::Refusal,
                    &part["refusal"],
                );
            }
            add(
                format!("{at}/reasoning"),
                Channel::Reasoning,
                &message["reasoning"],
            );
            for (c, call) in list(&message["tool_calls"]).iter().enumerate() {
                let channel = Channel::ToolArguments(ToolCall {
                    index: number(c),
                    id: text(&call["id"]),
                    name: text(&call["function"]["name"]),
                });
                add(
                    format!("{at}/tool_calls/{c}/function/arguments"),
                    channel,
                    &call["function"]["arguments"],
                );
            }
        }
        let after = self.messages().len();
        let mut add = |pointer: String, message: usize, role: Role, text: &Value| {
            if let Some(text) = text.as_str() {
                all.push((pointer, segment(message, role, Channel::Content, text)));
            }
        };
        add("/prompt".into(), after, Role::User, &self.0["prompt"]);
        for (p, prompt) in list(&self.0["prompt"]).iter().enumerate() {
            add(format!("/prompt/{p}"), after + p, Role::User, prompt);
        }
        let predicted = &self.0["prediction"]["content"];
        add(
            "/prediction/content".into(),
            after,
            Role::Assistant,
            predicted,
        );
        for (p, part) in list(predicted).iter().enumerate() {
            let pointer = format!("/prediction/content/{p}/text");
            add(pointer, after, Role::Assistant, &part["text"]);
        }
        all
    }

    pub(super) fn tools(&self) -> Vec<Tool> {
        list(&self.0["tools"])
            .iter()
            .map(|tool| &tool["function"])
            .map(|function| Tool {
                name: text(&function["name"]),
                description: function["description"].as_str().map(Into::into),
                parameters: function.get("parameters").map(Value::to_string),
            })
            .collect()
    }

    pub(super) fn insert_message(&mut self, before: usize, role: Role, text: &str) {
        let message = json!({"role": format!("{role:?}").rsplit("::").next().map(str::to_lowercase), "content": text});
        if let Some(messages) = self.0["messages"].as_array_mut() {
            messages.insert(before.min(messages.len()), message);
        }
    }

    pub(super) fn add_part(&mut self, text: &str) {
        let last = self.0["messages"]
            .as_array_mut()
            .and_then(|all| all.last_mut());
        let Some(content) = last.map(|message| &mut message["content"]) else {
            panic!("a part needs a message before it");
        };
        if let Value::String(first) = content {
            *content = json!([{"type": "text", "text": first}]);
        }
        if let Some(parts) = content.as_array_mut() {
            parts.push(json!({"type": "text", "text": text}));
        }
    }

    /// Carries out what was asked for, in order; messages come in last, so that every index means what it meant.
    pub(super) fn apply(&mut self, changes: Vec<Change>) {
        let places: Vec<String> = self.segments().into_iter().map(|(at, _)| at).collect();
        let mut inserts = Vec::new();
        for change in changes {
            match change {
                Change::Replace(index, text) => {
                    if let Some(place) = self.0.pointer_mut(&places[index]) {
                        *place = text.into();
                    }
                }
                Change::Set(pointer, value) => {
                    self.set(&pointer, value);
                }
                Change::Insert(before, role, text) => inserts.push((before, role, text)),
            }
        }
        // From the back, so that no insertion moves the place of another; the first said stays first.
        inserts.sort_by_key(|(before, ..)| *before);
        for (before, role, text) in inserts.into_iter().rev() {
            self.insert_message(before, role, &text);
        }
    }

    /// Puts a value at a pointer, or removes what is there. False when there is no such place.
    pub(super) fn set(&mut self, pointer: &str, value: Option<Value>) -> bool {
        let Some((parent, key)) = pointer.rsplit_once('/') else {
            return false;
        };
        let key = key.replace("~1", "/").replace("~0", "~");
        match self.0.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                match value {
                    Some(value) => members.insert(key, value),
                    None => members.remove(&key),
                };
                true
            }
            Some(Value::Array(items)) => match (key.parse::<usize>(), value) {
                (Ok(at), Some(value)) if at < items.len() => {
                    items[at] = value;
                    true
                }
                (Ok(at), None) if at < items.len() => {
                    items.remove(at);
                    true
                }
                (Ok(at), Some(value)) if at == items.len() => {
                    items.push(value);
                    true
                }
                _ => false,
            },
            _ => false,
        }
    }

    fn messages(&self) -> &[Value] {
        list(&self.0["messages"])
    }
}

fn segment(message: usize, role: Role, channel: Channel, text: &str) -> Segment {
    Segment {
        message: number(message),
        role,
        channel,
        text: text.into(),
    }
}

fn role(message: &Value) -> Role {
    match message["role"].as_str() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => Role::User,
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
