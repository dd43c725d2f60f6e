//! What the host must be sure of before it sends a changed request: that every text in it is where it is looked for. The upstream
//! checks the rest.

use serde_json::Value;

use super::body::list;
use super::draft::{is_mark, purge};

type Checked = Result<(), String>;

/// The longest `name` of a message, in characters.
pub(super) const MAX_NAME: usize = 64;

/// A whole body.
pub(super) fn all(body: &Value) -> Checked {
    let asks = if body.get("prompt").is_some() {
        "prompt"
    } else {
        "messages"
    };
    for name in ["model", asks] {
        if body.get(name).is_none() {
            return Err(format!("`{name}` is missing"));
        }
    }
    let mut members = body.as_object().into_iter().flatten();
    members.try_for_each(|(name, value)| field(name, value))
}

/// A body, looking at no more than what a change at that pointer may have broken. A test's request needn't be a whole one.
pub(super) fn after(body: &Value, tokens: &[String], inserted: bool) -> Checked {
    let name = tokens[0].as_str();
    let Some(value) = body.get(name) else {
        return match name {
            "model" | "messages" | "prompt" => {
                Err(format!("`{name}` can't be removed: the request needs it"))
            }
            _ => Ok(()),
        };
    };
    // Marks stand for what will be gone.
    let mut value = value.clone();
    let Some(changed) = tokens.get(1).filter(|_| name == "messages") else {
        purge(&mut value);
        return field(name, &value);
    };
    let messages = list(&value);
    let index = changed.parse().unwrap_or(messages.len().saturating_sub(1));
    match messages.get(index) {
        None => Ok(()),
        Some(gone) if is_mark(gone) => {
            if !inserted && messages.iter().all(is_mark) {
                return Err("the last message can't be removed: a chat request needs one".into());
            }
            Ok(())
        }
        Some(changed) => {
            let mut changed = changed.clone();
            purge(&mut changed);
            message(&format!("messages[{index}]"), &changed)
        }
    }
}

fn field(name: &str, value: &Value) -> Checked {
    match name {
        "model" => be(
            value
                .as_str()
                .is_some_and(|name| (1..=256).contains(&name.len())),
            name,
        ),
        "messages" => {
            be(!list(value).is_empty(), name)?;
            list(value)
                .iter()
                .enumerate()
                .try_for_each(|(at, value)| message(&format!("messages[{at}]"), value))
        }
        "prompt" => prompts(value),
        _ if value.is_null() => Ok(()),
        "suffix" => be(value.is_string(), name),
        "stream_options" => {
            be(value.is_object(), name)?;
            let usage = value.get("include_usage").unwrap_or(&Value::Null);
            be(
                usage.is_null() || usage.is_boolean(),
                "stream_options.include_usage",
            )
        }
        "tools" => {
            be(value.is_array(), name)?;
            list(value)
                .iter()
                .enumerate()
                .try_for_each(|(at, value)| tool(&format!("tools[{at}]"), value))
        }
        "prediction" => {
            be(value.is_object(), name)?;
            text("prediction.content", &value["content"])
        }
        _ => Ok(()),
    }
}

/// A text, or a list in which each is a text, a token or a list of tokens.
fn prompts(prompt: &Value) -> Checked {
    be(prompt.is_string() || !list(prompt).is_empty(), "prompt")?;
    let tokens = |prompt: &Value| {
        let tokens = list(prompt);
        !tokens.is_empty() && tokens.iter().all(Value::is_number)
    };
    for (index, one) in list(prompt).iter().enumerate() {
        let right = one.is_string() || one.is_number() || tokens(one);
        be(right, &format!("prompt[{index}]"))?;
    }
    Ok(())
}

fn message(path: &str, message: &Value) -> Checked {
    be(message.is_object(), path)?;
    let role = message["role"].as_str();
    let roles = ["system", "developer", "user", "assistant", "tool"];
    be(
        role.is_some_and(|role| roles.contains(&role)),
        &format!("{path}.role"),
    )?;
    if role != Some("assistant") {
        be(!message["content"].is_null(), &format!("{path}.content"))?;
    }
    for (name, value) in message.as_object().into_iter().flatten() {
        let at = format!("{path}.{name}");
        match name.as_str() {
            _ if value.is_null() => {}
            "content" | "reasoning" | "reasoning_content" => text(&at, value)?,
            "refusal" => be(value.is_string(), &at)?,
            "name" => {
                let short = |name: &str| name.chars().count() <= MAX_NAME;
                be(value.as_str().is_some_and(short), &at)?;
            }
            "function_call" => function(&at, value)?,
            "tool_calls" => {
                be(value.is_array(), &at)?;
                for (c, value) in list(value).iter().enumerate() {
                    call(&format!("{at}[{c}]"), value)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A string, or parts.
fn text(path: &str, value: &Value) -> Checked {
    be(
        value.is_null() || value.is_string() || value.is_array(),
        path,
    )?;
    for (index, part) in list(value).iter().enumerate() {
        let kind = part["type"].as_str();
        be(kind.is_some(), &format!("{path}[{index}].type"))?;
        for name in ["text", "refusal"] {
            let must = kind == Some(name) || part.get(name).is_some();
            be(
                !must || part[name].is_string(),
                &format!("{path}[{index}].{name}"),
            )?;
        }
    }
    Ok(())
}

fn call(path: &str, call: &Value) -> Checked {
    let custom = call.get("custom");
    if let Some(custom) = custom {
        be(custom["input"].is_string(), &format!("{path}.custom.input"))?;
    }
    match (call.get("function"), custom) {
        (None, Some(_)) => Ok(()),
        _ => function(&format!("{path}.function"), &call["function"]),
    }
}

fn function(path: &str, function: &Value) -> Checked {
    be(function["name"].is_string(), &format!("{path}.name"))?;
    be(
        function["arguments"].is_string(),
        &format!("{path}.arguments"),
    )
}

fn tool(path: &str, tool: &Value) -> Checked {
    be(tool.is_object(), path)?;
    let kind = tool["type"].as_str().unwrap_or("function");
    if kind != "function" && tool.get("function").is_none() {
        return Ok(());
    }
    be(
        tool["function"]["name"].is_string(),
        &format!("{path}.function.name"),
    )
}

fn be(right: bool, path: &str) -> Checked {
    if right {
        Ok(())
    } else {
        Err(format!("`{path}` is missing, or not what it must be"))
    }
}
