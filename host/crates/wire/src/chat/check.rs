//! What a gateway must be sure of before it lets anyone read a chat request.
//!
//! Only so much that every text in it is found: the upstream checks the rest, and fields nobody knows pass.

use serde_json::{Map, Value};

use crate::Role;
use crate::json::{BadRequest, kind};

type Checked = Result<(), BadRequest>;

/// The longest `name` of a message, in characters: it is no segment, so it must stay too short to say much.
const MAX_NAME: usize = 64;

/// Everything.
pub(crate) fn body(body: &Map<String, Value>) -> Checked {
    for name in ["model", "messages"] {
        if !body.contains_key(name) {
            return Err(BadRequest::new(name, format!("`{name}` is missing")));
        }
    }
    body.iter().try_for_each(|(name, value)| field(name, value))
}

/// One field of the body.
pub(crate) fn field(name: &str, value: &Value) -> Checked {
    let is_null = value.is_null();
    match name {
        "model" if value.as_str().is_none_or(str::is_empty) => {
            wrong(name, "the name of a model", value)
        }
        "messages" => match value.as_array() {
            Some(messages) if !messages.is_empty() => messages
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| message(index, value)),
            _ => wrong(name, "an array with at least one message", value),
        },
        "stream" if !is_null && !value.is_boolean() => wrong(name, "true or false", value),
        "n" if !is_null
            && value
                .as_u64()
                .is_none_or(|n| n == 0 || n > u64::from(u32::MAX)) =>
        {
            wrong(name, "a whole number from 1", value)
        }
        "stream_options" if !is_null => {
            let Some(options) = value.as_object() else {
                return wrong(name, "an object", value);
            };
            match options.get("include_usage") {
                Some(include) if !include.is_null() && !include.is_boolean() => {
                    wrong("stream_options.include_usage", "true or false", include)
                }
                _ => Ok(()),
            }
        }
        "tools" if !is_null => {
            let Some(tools) = value.as_array() else {
                return wrong(name, "an array", value);
            };
            tools
                .iter()
                .enumerate()
                .try_for_each(|(index, value)| tool(&format!("tools[{index}]"), value))
        }
        "prediction" if !is_null => {
            let Some(prediction) = value.as_object() else {
                return wrong(name, "an object", value);
            };
            match prediction.get("content") {
                Some(content) => text("prediction.content", content),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// One message.
pub(crate) fn message(index: usize, value: &Value) -> Checked {
    let at = |field: &str| format!("messages[{index}].{field}");
    let Some(message) = value.as_object() else {
        return wrong(&format!("messages[{index}]"), "an object", value);
    };
    let Some(role) = message.get("role") else {
        return Err(BadRequest::new(
            at("role"),
            format!("`{}` is missing", at("role")),
        ));
    };
    let Some(role) = role.as_str().and_then(Role::from_name) else {
        return wrong(
            &at("role"),
            "one of system, developer, user, assistant, tool",
            role,
        );
    };
    match message.get("content") {
        None | Some(Value::Null) if role != Role::Assistant => {
            let message = format!(
                "`{}` is missing; only an assistant message may have none",
                at("content")
            );
            return Err(BadRequest::new(at("content"), message));
        }
        _ => {}
    }
    for (name, value) in message.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "content" | "reasoning" | "reasoning_content" => text(&at(name), value)?,
            "refusal" if !value.is_string() => wrong(&at(name), "a string", value)?,
            "name"
                if value
                    .as_str()
                    .is_none_or(|name| name.chars().count() > MAX_NAME) =>
            {
                wrong(&at(name), "a string of at most 64 characters", value)?;
            }
            "function_call" => function(&at(name), value)?,
            "tool_calls" => {
                let Some(calls) = value.as_array() else {
                    return wrong(&at(name), "an array", value);
                };
                for (call_index, value) in calls.iter().enumerate() {
                    call(&format!("{}[{call_index}]", at(name)), value)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A string, or parts.
fn text(path: &str, value: &Value) -> Checked {
    let parts = match value {
        Value::String(_) | Value::Null => return Ok(()),
        Value::Array(parts) => parts,
        _ => return wrong(path, "a string or an array of parts", value),
    };
    for (index, part) in parts.iter().enumerate() {
        let Some(members) = part.as_object() else {
            return wrong(&format!("{path}[{index}]"), "an object", part);
        };
        let kind = members.get("type").unwrap_or(&Value::Null);
        let Some(kind) = kind.as_str() else {
            return wrong(&format!("{path}[{index}].type"), "a string", kind);
        };
        for name in ["text", "refusal"] {
            let value = members.get(name);
            let missing = value.is_none() && kind == name;
            if missing || value.is_some_and(|value| !value.is_string()) {
                return wrong(
                    &format!("{path}[{index}].{name}"),
                    "a string",
                    value.unwrap_or(&Value::Null),
                );
            }
        }
    }
    Ok(())
}

fn call(path: &str, value: &Value) -> Checked {
    let Some(call) = value.as_object() else {
        return wrong(path, "an object", value);
    };
    if let Some(custom) = call.get("custom") {
        let input = custom.get("input").unwrap_or(&Value::Null);
        if !input.is_string() {
            return wrong(&format!("{path}.custom.input"), "a string", input);
        }
    }
    match call.get("function") {
        None if call.contains_key("custom") => Ok(()),
        function => self::function(
            &format!("{path}.function"),
            function.unwrap_or(&Value::Null),
        ),
    }
}

fn function(path: &str, value: &Value) -> Checked {
    let Some(function) = value.as_object() else {
        return wrong(path, "an object", value);
    };
    for name in ["name", "arguments"] {
        let value = function.get(name).unwrap_or(&Value::Null);
        if !value.is_string() {
            return wrong(&format!("{path}.{name}"), "a string", value);
        }
    }
    Ok(())
}

fn tool(path: &str, value: &Value) -> Checked {
    let Some(tool) = value.as_object() else {
        return wrong(path, "an object", value);
    };
    let kind = tool
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or("function");
    match tool.get("function") {
        None if kind != "function" => Ok(()),
        function => {
            let function = function.unwrap_or(&Value::Null);
            if !function.is_object() {
                return wrong(&format!("{path}.function"), "an object", function);
            }
            match function.get("name").unwrap_or(&Value::Null) {
                Value::String(_) => Ok(()),
                other => wrong(&format!("{path}.function.name"), "a string", other),
            }
        }
    }
}

fn wrong(path: &str, must_be: &str, value: &Value) -> Checked {
    let is = match value {
        Value::String(text) if text.is_empty() => "an empty string".to_owned(),
        Value::String(text) if text.len() <= 32 => format!("{text:?}"),
        Value::String(_) => "a longer string".to_owned(),
        Value::Array(items) if items.is_empty() => "an empty array".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        other => kind(other).to_owned(),
    };
    Err(BadRequest::new(
        path,
        format!("`{path}` must be {must_be}, not {is}"),
    ))
}
