//! What a request says of tools: those it offers, earlier calls, and what they gave back.
//!
//! Only what is asked for is copied into the sandbox: the tools, and of each assistant's message its calls.

use std::collections::BTreeMap;

use serde_json::Value;
use witgate_policy::{Role, request};

use crate::rules::{Refusal, Rules};

/// A tool that a request offers.
pub(crate) struct OfferedTool {
    /// Its place in the list.
    pub(crate) index: usize,
    pub(crate) name: String,
}

/// The tools that the request offers. One without a name, which some upstreams have built in, is called by its type.
pub(crate) fn offered() -> Vec<OfferedTool> {
    let tools = json("/tools").unwrap_or_default();
    let all = tools.as_array().map(Vec::as_slice).unwrap_or_default();
    let tools = all.iter().enumerate();
    tools
        .map(|(index, tool)| {
            let called = tool.get("function").or_else(|| tool.get("custom"));
            let name = called
                .unwrap_or(tool)
                .get("name")
                .or_else(|| tool.get("type"));
            OfferedTool {
                index,
                name: text(name).to_owned(),
            }
        })
        .collect()
}

/// Takes tools out of the request, and the wish that one of them is called.
pub(crate) fn remove(gone: &[&OfferedTool], all: usize) -> Result<(), String> {
    if gone.len() == all {
        for pointer in ["/tools", "/tool_choice", "/parallel_tool_calls"] {
            if request::get(pointer).is_some() {
                request::set(pointer, None)?;
            }
        }
        return Ok(());
    }
    for tool in gone {
        request::set(&format!("/tools/{}", tool.index), None)?;
    }
    if let Some(choice) = json("/tool_choice")
        && gone.iter().any(|tool| names(&choice, &tool.name))
    {
        request::set("/tool_choice", None)?;
    }
    Ok(())
}

/// Whether a wish names this tool, in whatever form it has.
fn names(choice: &Value, tool: &str) -> bool {
    match choice {
        Value::Object(members) => {
            text(members.get("name")) == tool || members.values().any(|value| names(value, tool))
        }
        Value::Array(items) => items.iter().any(|item| names(item, tool)),
        _ => false,
    }
}

/// The first earlier call that may not be made, or result that may not be shown, with the tool's name.
pub(crate) fn history(rules: &Rules, roles: &[String]) -> Result<(), (String, Refusal)> {
    if request::endpoint() == "completions" {
        return Ok(());
    }
    // Whose result it is, a result says by the id of its call.
    let mut calls: BTreeMap<String, String> = BTreeMap::new();
    for (index, role) in request::messages().into_iter().enumerate() {
        match role {
            Role::Assistant => {
                let made = json(&format!("/messages/{index}/tool_calls")).unwrap_or_default();
                let old = json(&format!("/messages/{index}/function_call"));
                for call in made.as_array().into_iter().flatten() {
                    let (name, arguments) = match call.get("custom") {
                        Some(custom) => (text(custom.get("name")), text(custom.get("input"))),
                        None => {
                            let function = call.get("function").unwrap_or(call);
                            (text(function.get("name")), text(function.get("arguments")))
                        }
                    };
                    call_in(rules, roles, name, arguments)?;
                    calls.insert(text(call.get("id")).to_owned(), name.to_owned());
                }
                if let Some(call) = old.filter(|call| !call.is_null()) {
                    call_in(
                        rules,
                        roles,
                        text(call.get("name")),
                        text(call.get("arguments")),
                    )?;
                }
            }
            Role::Tool => {
                let message = json(&format!("/messages/{index}")).unwrap_or_default();
                let name = calls.get(text(message.get("tool_call_id")));
                let name = name
                    .map(String::as_str)
                    .or_else(|| message["name"].as_str());
                let refused = |refusal| (name.unwrap_or_default().to_owned(), refusal);
                if name.is_some_and(|name| !rules.may_call(name, roles)) {
                    return Err(refused(Refusal::Tool));
                }
                let result = content(&message["content"]);
                rules.check_result(name, &result).map_err(refused)?;
            }
            Role::System | Role::Developer | Role::User | Role::Other => {}
        }
    }
    Ok(())
}

fn call_in(
    rules: &Rules,
    roles: &[String],
    name: &str,
    arguments: &str,
) -> Result<(), (String, Refusal)> {
    let refused = |refusal| (name.to_owned(), refusal);
    if !rules.may_call(name, roles) {
        return Err(refused(Refusal::Tool));
    }
    rules.check_arguments(name, arguments).map_err(refused)
}

/// The text of a message, whose parts a model reads as one.
fn content(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().map(|part| text(part.get("text"))).collect(),
        _ => String::new(),
    }
}

fn json(pointer: &str) -> Option<Value> {
    serde_json::from_str(&request::get(pointer)?).ok()
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}
