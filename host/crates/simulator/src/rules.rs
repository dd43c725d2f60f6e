//! The rules that a shape can't express: which fields go together, what a model takes, how tool messages follow calls.
//!
//! Where Cerebras's own sentence isn't known, the one here is in its manner, with the code `wrong_api_format`.

use std::collections::HashSet;

use serde_json::Value;

use super::catalog::{Family, Model};
use super::strict;

/// Most bytes of image data in one request.
const IMAGE_BYTES: usize = 10 << 20;
const MOST_IMAGES: usize = 5;

/// Fields that were refused until early in 2026.
const YOUNG_FIELDS: [&str; 5] = [
    "frequency_penalty",
    "logit_bias",
    "presence_penalty",
    "parallel_tool_calls",
    "service_tier",
];

/// The rules that a body breaks. `too_large` has an answer of its own.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Breaches {
    pub(super) problems: Vec<String>,
    pub(super) too_large: bool,
}

impl Breaches {
    fn add(&mut self, broken: bool, sentence: impl Into<String>) {
        if broken {
            self.problems.push(sentence.into());
        }
    }

    fn incompatible(&mut self, broken: bool, one: &str, other: &str) {
        self.add(
            broken,
            format!("\"{one}\" is incompatible with \"{other}\""),
        );
    }
}

/// The fields in the body that the API of 2025 didn't take.
pub(super) fn young_fields(body: &Value) -> Vec<String> {
    YOUNG_FIELDS
        .iter()
        .filter(|name| !body[**name].is_null())
        .map(|name| format!("body.{name}: property 'body.{name}' is unsupported"))
        .collect()
}

/// The rules of `/v1/completions`.
pub(super) fn completion(body: &Value) -> Breaches {
    let mut breaches = Breaches::default();
    let streamed = body["stream"] == true;
    breaches.incompatible(
        streamed && body["best_of"].as_u64() > Some(1),
        "best_of",
        "stream",
    );
    breaches.add(!body["suffix"].is_null(), "\"suffix\" is not supported");
    breaches
}

/// The rules of `/v1/chat/completions`. The body has the right shape.
pub(super) fn chat(body: &Value, model: &Model) -> Breaches {
    let mut breaches = Breaches::default();
    let is_set = |name: &str| !body[name].is_null();
    let tools = items(&body["tools"]);
    let format = body["response_format"]["type"].as_str().unwrap_or("text");
    let reasoning = body["reasoning_format"].as_str().unwrap_or("none");

    let both = is_set("max_tokens") && is_set("max_completion_tokens");
    breaches.incompatible(both, "max_tokens", "max_completion_tokens");
    let constrained = format != "text";
    let gpt_oss = model.family == Family::GptOss;
    let tools_and_format = gpt_oss && !tools.is_empty() && constrained;
    breaches.incompatible(tools_and_format, "tools", "response_format");
    let streamed_object = format == "json_object" && body["stream"] == true;
    breaches.incompatible(
        streamed_object,
        "response_format\" of type \"json_object",
        "stream",
    );
    let raw_json = constrained && reasoning == "raw";
    breaches.incompatible(raw_json, "reasoning_format\" of \"raw", "response_format");
    breaches.add(
        model.family == Family::Gemma && matches!(reasoning, "raw" | "hidden"),
        format!("\"reasoning_format\" of \"{reasoning}\" is not supported by this model"),
    );
    for (name, taken) in [
        ("clear_thinking", model.family == Family::Glm),
        ("model_parameters", false),
    ] {
        breaches.add(
            is_set(name) && !taken,
            format!("body.{name}: property 'body.{name}' is unsupported"),
        );
    }
    if let Some(effort) = body["reasoning_effort"].as_str() {
        breaches.add(
            !model.efforts().contains(&effort),
            format!("\"reasoning_effort\" of \"{effort}\" is not supported by this model"),
        );
    }
    breaches.add(
        is_set("top_logprobs") && body["logprobs"] != true,
        "\"top_logprobs\" requires \"logprobs\" to be true",
    );
    if is_set("prediction") {
        breaches.incompatible(!tools.is_empty(), "prediction", "tools");
        breaches.incompatible(body["logprobs"] == true, "prediction", "logprobs");
        breaches.incompatible(body["n"].as_u64() > Some(1), "prediction", "n");
    }
    tool_rules(body, tools, &mut breaches);
    if body["response_format"]["json_schema"]["strict"] == true {
        let schema = &body["response_format"]["json_schema"]["schema"];
        breaches.problems.extend(strict::problem(schema));
    }
    developers(items(&body["messages"]), model, &mut breaches);
    conversation(items(&body["messages"]), &mut breaches);
    images(items(&body["messages"]), model, &mut breaches);
    breaches
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn tool_rules(body: &Value, tools: &[Value], breaches: &mut Breaches) {
    let choice = &body["tool_choice"];
    breaches.add(
        !choice.is_null() && tools.is_empty(),
        "\"tool_choice\" is not allowed without \"tools\"",
    );
    if let Some(named) = choice["function"]["name"].as_str() {
        breaches.add(
            !tools.is_empty() && tools.iter().all(|tool| tool["function"]["name"] != named),
            format!("\"tool_choice\" names a tool that is not in \"tools\": {named}"),
        );
    }
    for (index, tool) in tools.iter().enumerate() {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default();
        let well_named = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        breaches.add(
            !well_named,
            format!(
                "tools.{index}.function.name: String should match pattern '^[A-Za-z0-9_-]{{1,64}}$'"
            ),
        );
        if function["strict"] == true && !function["parameters"].is_null() {
            breaches
                .problems
                .extend(strict::problem(&function["parameters"]));
        }
    }
}

/// The role `developer` is documented of gpt-oss alone.
fn developers(messages: &[Value], model: &Model, breaches: &mut Breaches) {
    let first = messages
        .iter()
        .position(|message| message["role"] == "developer");
    if let (Some(index), true) = (first, model.family != Family::GptOss) {
        breaches.add(
            true,
            format!("messages.{index}.developer: role 'developer' is not supported by this model"),
        );
    }
}

/// Checks that every tool call of an assistant message is answered right after it, and that no other call is.
fn conversation(messages: &[Value], breaches: &mut Breaches) {
    let mut seen = HashSet::new();
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let known = open.iter().position(|waiting| *waiting == id);
            breaches.add(
                known.is_none(),
                format!(
                    "messages.{index}.tool.tool_call_id: no preceding tool call has the id '{id}'"
                ),
            );
            if let Some(at) = known {
                open.remove(at);
            }
            continue;
        }
        unanswered(&mut open, breaches);
        for call in items(&message["tool_calls"]) {
            let id = call["id"].as_str().unwrap_or_default();
            breaches.add(
                !seen.insert(id),
                format!("messages.{index}.assistant.tool_calls: duplicate tool call id '{id}'"),
            );
            open.push(id);
        }
    }
    unanswered(&mut open, breaches);
}

fn unanswered(open: &mut Vec<&str>, breaches: &mut Breaches) {
    for id in open.drain(..) {
        breaches.add(
            true,
            format!("An assistant message with 'tool_calls' must be followed by a tool message for '{id}'"),
        );
    }
}

fn images(messages: &[Value], model: &Model, breaches: &mut Breaches) {
    let mut count = 0;
    let mut bytes = 0;
    for (index, message) in messages.iter().enumerate() {
        for part in items(&message["content"]) {
            let url = match part["type"].as_str() {
                Some("image_url") => &part["image_url"]["url"],
                Some("image") => &part["image"],
                _ => continue,
            };
            count += 1;
            let url = url.as_str().unwrap_or_default();
            bytes += url.len() / 4 * 3;
            let role = message["role"].as_str().unwrap_or_default();
            breaches.add(
                role != "user",
                format!(
                    "messages.{index}.{role}.content: images are only supported in user messages"
                ),
            );
            let inline = ["data:image/png;base64,", "data:image/jpeg;base64,"]
                .iter()
                .any(|head| url.starts_with(head));
            breaches.add(
                !inline,
                format!(
                    "messages.{index}.{role}.content: images must be base64 data URIs of type image/png or image/jpeg"
                ),
            );
        }
    }
    breaches.add(
        count > 0 && !model.sees_images(),
        "This model does not support image inputs",
    );
    breaches.add(
        count > MOST_IMAGES,
        format!("A request may have at most {MOST_IMAGES} images"),
    );
    breaches.too_large = bytes > IMAGE_BYTES;
}
