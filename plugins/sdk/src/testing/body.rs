//! A body, of a chat or of a text completion, as the host reads it: its segments, roles and tools.

use serde_json::{Map, Value, json};

use super::shape::Shape;
use crate::{Channel, Role, Segment, Tool, ToolCall};

#[derive(Clone, Debug)]
pub(super) struct Body(pub(super) Value);

impl Body {
    pub(super) fn model(&self) -> String {
        self.0["model"].as_str().unwrap_or_default().into()
    }

    /// What it is as a whole.
    pub(super) fn shape(&self) -> Shape {
        match self.0.get("prompt") {
            Some(_) => Shape::Completion,
            None => Shape::Body,
        }
    }

    /// How many prompts it has. A list of tokens is one.
    pub(super) fn prompts(&self) -> usize {
        match &self.0["prompt"] {
            Value::Null => 0,
            Value::Array(list) => {
                let others = list.iter().skip(1).filter(|item| !item.is_number());
                list.len().min(1) + others.count()
            }
            _ => 1,
        }
    }

    pub(super) fn roles(&self) -> Vec<Role> {
        match self.shape() {
            Shape::Completion => vec![Role::User; self.prompts()],
            _ => list(&self.0["messages"]).iter().map(role).collect(),
        }
    }

    /// The tool whose call, in a message before, that message answers.
    pub(super) fn tool_of(&self, message: u32) -> Option<String> {
        let messages = list(&self.0["messages"]);
        let at = message as usize;
        let result = messages.get(at).filter(|it| role(it) == Role::Tool)?;
        let id = result["tool_call_id"].as_str()?;
        let calling = messages[..at].iter().rev();
        let mut calling = calling.filter(|it| role(it) == Role::Assistant);
        calling.find_map(|it| {
            let call = list(&it["tool_calls"]).iter().find(|it| it["id"] == id)?;
            let mut names = ["function", "custom"]
                .iter()
                .map(|kind| &call[kind]["name"]);
            names.find_map(|name| Some(name.as_str()?.to_owned()))
        })
    }

    /// Every text that the model reads, each with its JSON pointer. The members of a message come in the order in which the
    /// `Value` has them: serde_json keeps that of the document with its feature `preserve_order` alone.
    pub(super) fn segments(&self) -> Vec<(String, Segment)> {
        let mut found = Found(Vec::new());
        if self.shape() == Shape::Completion {
            let mut said = |at: String, message: usize, text: &Value| {
                found.text(at, message, Role::User, Channel::Content, text);
            };
            said("/prompt".into(), 0, &self.0["prompt"]);
            for (index, prompt) in list(&self.0["prompt"]).iter().enumerate() {
                said(format!("/prompt/{index}"), index, prompt);
            }
            said("/suffix".into(), self.prompts(), &self.0["suffix"]);
            return found.0;
        }
        let messages = list(&self.0["messages"]);
        for (index, message) in messages.iter().enumerate() {
            if let Some(members) = message.as_object() {
                found.in_message(index, role(message), members);
            }
        }
        let after = messages.len();
        let predicted = &self.0["prediction"]["content"];
        let at = "/prediction/content";
        found.texts(at, after, Role::Assistant, &Channel::Content, predicted);
        found.0
    }

    pub(super) fn tools(&self) -> Vec<Tool> {
        let tool = |tool: &Value| {
            let called = tool.get("function").or_else(|| tool.get("custom"))?;
            let schema = called.get("parameters").filter(|schema| !schema.is_null());
            Some(Tool {
                name: text(&called["name"]),
                description: called["description"].as_str().map(Into::into),
                parameters: schema.map(Value::to_string),
            })
        };
        list(&self.0["tools"]).iter().filter_map(tool).collect()
    }

    pub(super) fn add_message(&mut self, role: Role, text: &str) {
        if let Some(messages) = self.0["messages"].as_array_mut() {
            messages.push(message(role, text));
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
}

/// Segments, collected with their pointers.
struct Found(Vec<(String, Segment)>);

impl Found {
    fn in_message(&mut self, index: usize, role: Role, members: &Map<String, Value>) {
        for (name, value) in members {
            let at = format!("/messages/{index}/{name}");
            match name.as_str() {
                "content" => self.texts(&at, index, role, &Channel::Content, value),
                "reasoning" | "reasoning_content" => {
                    self.texts(&at, index, role, &Channel::Reasoning, value);
                }
                "refusal" => self.text(at, index, role, Channel::Refusal, value),
                "function_call" => {
                    let channel = call(0, &Value::Null, value);
                    let arguments = &value["arguments"];
                    self.text(format!("{at}/arguments"), index, role, channel, arguments);
                }
                "tool_calls" => {
                    for (c, tool_call) in list(value).iter().enumerate() {
                        for (kind, argument) in [("function", "arguments"), ("custom", "input")] {
                            let called = &tool_call[kind];
                            let at = format!("{at}/{c}/{kind}/{argument}");
                            let channel = call(c, tool_call, called);
                            self.text(at, index, role, channel, &called[argument]);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// A string, or the texts and refusals of parts.
    fn texts(&mut self, at: &str, message: usize, role: Role, channel: &Channel, value: &Value) {
        self.text(at.into(), message, role, channel.clone(), value);
        for (p, part) in list(value).iter().enumerate() {
            for (name, channel) in [("text", channel), ("refusal", &Channel::Refusal)] {
                let at = format!("{at}/{p}/{name}");
                self.text(at, message, role, channel.clone(), &part[name]);
            }
        }
    }

    fn text(&mut self, at: String, message: usize, role: Role, channel: Channel, value: &Value) {
        if let Some(text) = value.as_str() {
            let segment = Segment {
                message: number(message),
                role,
                channel,
                text: text.into(),
            };
            self.0.push((at, segment));
        }
    }
}

pub(super) fn message(role: Role, text: &str) -> Value {
    let role = match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
        Role::Other => "other",
    };
    json!({"role": role, "content": text})
}

fn call(index: usize, call: &Value, called: &Value) -> Channel {
    Channel::ToolArguments(ToolCall {
        index: number(index),
        id: text(&call["id"]),
        name: text(&called["name"]),
    })
}

pub(super) fn role(message: &Value) -> Role {
    match message["role"].as_str() {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("assistant") => Role::Assistant,
        Some("tool") => Role::Tool,
        _ => Role::User,
    }
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn number(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
