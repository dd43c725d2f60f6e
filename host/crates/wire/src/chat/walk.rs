//! Every text of a request that the model can read, in document order.
//!
//! What must stay true: what the model can read and this doesn't show is a bug, and the order is the same whenever the same
//! request is walked, for segments go by number.

use serde_json::Value;

use crate::{Channel, Role, ToolCall};

/// One text, where it lies.
pub(crate) struct Site<'v> {
    pub(crate) message: usize,
    pub(crate) role: Role,
    pub(crate) place: Place,
    kind: Kind<'v>,
    pub(crate) text: &'v str,
}

/// How to get from a message, or from `prediction`, to the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Field(&'static str),
    Part(&'static str, usize, &'static str),
    Call(usize, &'static str, &'static str),
    FunctionCall,
    /// In `prediction`, not in a message.
    Prediction(Option<(usize, &'static str)>),
}

impl Place {
    pub(crate) fn pointer(&self, message: usize) -> String {
        let m = format!("/messages/{message}");
        match self {
            Place::Field(field) => format!("{m}/{field}"),
            Place::Part(field, index, name) => format!("{m}/{field}/{index}/{name}"),
            Place::Call(index, function, argument) => {
                format!("{m}/tool_calls/{index}/{function}/{argument}")
            }
            Place::FunctionCall => format!("{m}/function_call/arguments"),
            Place::Prediction(None) => "/prediction/content".to_owned(),
            Place::Prediction(Some((index, name))) => {
                format!("/prediction/content/{index}/{name}")
            }
        }
    }
}

enum Kind<'v> {
    Content,
    Reasoning,
    Refusal,
    /// The call and what it calls, for id and name.
    Call(usize, &'v Value, &'v Value),
}

impl<'v> Site<'v> {
    pub(crate) fn channel(&self) -> Channel<'v> {
        let text = |value: &'v Value, name: &str| {
            value.get(name).and_then(Value::as_str).unwrap_or_default()
        };
        match self.kind {
            Kind::Content => Channel::Content,
            Kind::Reasoning => Channel::Reasoning,
            Kind::Refusal => Channel::Refusal,
            Kind::Call(index, call, function) => Channel::ToolArguments(ToolCall::new(
                u32::try_from(index).unwrap_or(u32::MAX),
                text(call, "id"),
                text(function, "name"),
            )),
        }
    }
}

/// Shows each text of the messages from `first` on, then that of the prediction, as if it were one more message of the
/// assistant's.
pub(crate) fn walk<'v>(body: &'v Value, first: usize, mut see: impl FnMut(Site<'v>)) {
    let messages = body
        .get("messages")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    for (index, message) in messages.iter().enumerate().skip(first) {
        each_of_message(index, message, &mut see);
    }
    match body
        .get("prediction")
        .and_then(|prediction| prediction.get("content"))
    {
        Some(content) if first <= messages.len() => {
            texts(content, |part, name, text| {
                see(Site {
                    message: messages.len(),
                    role: Role::Assistant,
                    place: Place::Prediction(part),
                    kind: if name == "refusal" {
                        Kind::Refusal
                    } else {
                        Kind::Content
                    },
                    text,
                });
            });
        }
        _ => {}
    }
}

fn each_of_message<'v>(index: usize, message: &'v Value, see: &mut impl FnMut(Site<'v>)) {
    let Some(members) = message.as_object() else {
        return;
    };
    let role = members
        .get("role")
        .and_then(Value::as_str)
        .and_then(Role::from_name)
        .unwrap_or(Role::User);
    let mut found = |place, kind, text| {
        see(Site {
            message: index,
            role,
            place,
            kind,
            text,
        })
    };
    for (name, value) in members {
        let field = match name.as_str() {
            "content" => "content",
            "reasoning" => "reasoning",
            "reasoning_content" => "reasoning_content",
            "refusal" => {
                if let Some(text) = value.as_str() {
                    found(Place::Field("refusal"), Kind::Refusal, text);
                }
                continue;
            }
            "function_call" => {
                if let Some(text) = value.get("arguments").and_then(Value::as_str) {
                    found(
                        Place::FunctionCall,
                        Kind::Call(0, &Value::Null, value),
                        text,
                    );
                }
                continue;
            }
            "tool_calls" => {
                for (index, call) in value.as_array().into_iter().flatten().enumerate() {
                    for (function, argument) in [("function", "arguments"), ("custom", "input")] {
                        let Some(called) = call.get(function) else {
                            continue;
                        };
                        if let Some(text) = called.get(argument).and_then(Value::as_str) {
                            found(
                                Place::Call(index, function, argument),
                                Kind::Call(index, call, called),
                                text,
                            );
                        }
                    }
                }
                continue;
            }
            _ => continue,
        };
        texts(value, |part, name, text| {
            let place = part.map_or(Place::Field(field), |(index, name)| {
                Place::Part(field, index, name)
            });
            let kind = match (name, field) {
                ("refusal", _) => Kind::Refusal,
                (_, "content") => Kind::Content,
                _ => Kind::Reasoning,
            };
            found(place, kind, text);
        });
    }
}

/// The texts of a string or of parts: place of the part and its member, that member's name, text.
fn texts<'v>(
    value: &'v Value,
    mut see: impl FnMut(Option<(usize, &'static str)>, &'static str, &'v str),
) {
    match value {
        Value::String(text) => see(None, "text", text),
        Value::Array(parts) => {
            for (index, part) in parts.iter().enumerate() {
                for name in ["text", "refusal"] {
                    if let Some(text) = part.get(name).and_then(Value::as_str) {
                        see(Some((index, name)), name, text);
                    }
                }
            }
        }
        _ => {}
    }
}

/// The text that a walk found at that place, to be written; `None` where something has taken the place away.
pub(crate) fn at_mut(body: &mut Value, message: usize, place: Place) -> Option<&mut Value> {
    if let Place::Prediction(part) = place {
        let content = body.get_mut("prediction")?.get_mut("content")?;
        return match part {
            Some((index, name)) => content.get_mut(index)?.get_mut(name),
            None => Some(content),
        };
    }
    let message = body.get_mut("messages")?.get_mut(message)?;
    match place {
        Place::Field(field) => message.get_mut(field),
        Place::Part(field, index, name) => message.get_mut(field)?.get_mut(index)?.get_mut(name),
        Place::Call(index, function, argument) => message
            .get_mut("tool_calls")?
            .get_mut(index)?
            .get_mut(function)?
            .get_mut(argument),
        Place::FunctionCall => message.get_mut("function_call")?.get_mut("arguments"),
        Place::Prediction(_) => None,
    }
}
