//! The chat request that stands for a request for a message.
//!
//! It is written around the values that came, and is never more than twice as long. Until it is whole both are held; then the first goes.

use bytes::Bytes;

use super::fields::{At, fields, items, kind, string};
use super::turns::Turns;
use crate::bridge::{self, Bridge};
use crate::index::Index;
use crate::json::{BadRequest, Kind, cut};
use crate::raw::{ObjectWriter, unescape};
use crate::{Dialect, Request};

/// The budgets of tokens for thinking up to which the effort is low, and medium.
const LOW: u64 = 4096;
const MEDIUM: u64 = 16_384;

/// What is written around the values at the most, where there is nothing that is written twice.
const AROUND: usize = 512;

/// Reads a request for a message.
pub(crate) fn request(body: Bytes) -> Result<Request, BadRequest> {
    let (request, _) = read(body, true)?;
    Ok(request.across(Bridge::Messages))
}

/// The chat request, and how many pictures are in it.
pub(super) fn read(body: Bytes, to_answer: bool) -> Result<(Request, u64), BadRequest> {
    let mut chat = Vec::with_capacity(2 * body.len() + AROUND);
    let pictures = convert(bridge::checked(&body)?, to_answer, &mut chat)?;
    let size = body.len();
    drop(body);
    let chat = Bytes::from(chat.into_boxed_slice());
    let request = Request::within(Dialect::Chat, chat, Index::most(size)).map_err(|bad| {
        match &*bad.param {
            "model" => bad,
            // Its path leads into the chat.
            _ => BadRequest {
                message: format!(
                    "the chat request that stands for this one can't be sent: {}",
                    bad.message
                ),
                ..bad
            },
        }
    })?;
    Ok((request, pictures))
}

fn convert(json: &str, to_answer: bool, out: &mut Vec<u8>) -> Result<u64, BadRequest> {
    let body = At::Body;
    let [
        model,
        max_tokens,
        messages,
        system,
        stream,
        stop,
        temperature,
        top_p,
        tools,
        tool_choice,
        thinking,
        output,
        metadata,
        tier,
    ] = fields(
        json,
        [
            "model",
            "max_tokens",
            "messages",
            "system",
            "stream",
            "stop_sequences",
            "temperature",
            "top_p",
            "tools",
            "tool_choice",
            "thinking",
            "output_config",
            "metadata",
            "service_tier",
        ],
        &body,
    )?;
    let mut chat = ObjectWriter::new(out);
    let model = model.ok_or_else(|| body.missing("model"))?;
    chat.raw("model", string(model, &At::Member(&body, "model"))?);

    let messages = messages.ok_or_else(|| body.missing("messages"))?;
    let mut turns = Turns::new(chat.key("messages"));
    if let Some(system) = system {
        turns.system(system)?;
    }
    turns.messages(messages)?;
    let pictures = turns.end();

    if let Some(most) = max_tokens {
        if !most.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(At::Member(&body, "max_tokens").bad("must be a whole number"));
        }
        chat.raw("max_completion_tokens", most);
    } else if to_answer {
        return Err(body.missing("max_tokens"));
    }
    for (name, value) in [("temperature", temperature), ("top_p", top_p)] {
        if let Some(value) = value {
            if kind(value) != Some(Kind::Number) {
                return Err(At::Member(&body, name).wrong("a number", value));
            }
            chat.raw(name, value);
        }
    }
    match stream {
        None | Some("false") => {}
        Some("true") => {
            chat.raw("stream", "true");
            chat.raw("stream_options", r#"{"include_usage":true}"#);
        }
        Some(other) => return Err(At::Member(&body, "stream").wrong("true or false", other)),
    }
    if let Some(stop) = stop {
        let at = At::Member(&body, "stop_sequences");
        let mut count = 0;
        for (index, place) in items(stop, "an array of strings", &at)?.enumerate() {
            string(&stop[place], &At::Item(&at, index))?;
            count += 1;
        }
        if count > 0 {
            chat.raw("stop", stop);
        }
    }
    let has_tools = write_tools(tools, &mut chat)?;
    // Without tools there is nothing to choose, and a chat that says what it would choose is refused.
    if let Some(choice) = tool_choice.filter(|_| has_tools) {
        write_choice(choice, &mut chat)?;
    }
    write_effort(thinking, output, &mut chat)?;
    if let Some(metadata) = metadata {
        let at = At::Member(&body, "metadata");
        let [user] = fields(metadata, ["user_id"], &at)?;
        if let Some(user) = user {
            chat.raw("user", string(user, &At::Member(&at, "user_id"))?);
        }
    }
    match tier {
        Some(r#""standard_only""#) => chat.text("service_tier", "default"),
        // Words of the upstream's, for those who know what it has.
        Some(tier @ (r#""default""# | r#""flex""# | r#""priority""#)) => {
            chat.raw("service_tier", tier);
        }
        // What `auto` asks for is what an upstream does.
        _ => {}
    }
    chat.end();
    Ok(pictures)
}

/// Whether there are any.
fn write_tools(tools: Option<&str>, chat: &mut ObjectWriter<'_>) -> Result<bool, BadRequest> {
    let Some(tools) = tools else {
        return Ok(false);
    };
    let at = At::Member(&At::Body, "tools");
    let mut places = items(tools, "an array of tools", &at)?
        .enumerate()
        .peekable();
    if places.peek().is_none() {
        return Ok(false);
    }
    let out = chat.key("tools");
    for (index, place) in places {
        out.push(if index == 0 { b'[' } else { b',' });
        write_tool(&tools[place], &At::Item(&at, index), out)?;
    }
    out.push(b']');
    Ok(true)
}

fn write_tool(tool: &str, at: &At<'_>, out: &mut Vec<u8>) -> Result<(), BadRequest> {
    let names = ["type", "name", "description", "input_schema", "strict"];
    let [of, name, description, schema, strict] = fields(tool, names, at)?;
    if let Some(of) = of.filter(|of| *of != r#""custom""#) {
        let at = At::Member(at, "type");
        let of = unescape(string(of, &at)?).unwrap_or_default();
        let of = cut(&of);
        return Err(at.bad(format_args!(
            "is `{of}`, a tool that Anthropic's servers or models have and this gateway hasn't; send tools of the type `custom`, or without a type"
        )));
    }
    let mut tool = ObjectWriter::new(out);
    tool.text("type", "function");
    let mut function = ObjectWriter::new(tool.key("function"));
    let name = name.ok_or_else(|| at.missing("name"))?;
    function.raw("name", string(name, &At::Member(at, "name"))?);
    if let Some(description) = description {
        function.raw(
            "description",
            string(description, &At::Member(at, "description"))?,
        );
    }
    let schema = schema.ok_or_else(|| at.missing("input_schema"))?;
    if kind(schema) != Some(Kind::Object) {
        return Err(At::Member(at, "input_schema").wrong("an object", schema));
    }
    function.raw("parameters", schema);
    if strict == Some("true") {
        function.raw("strict", "true");
    }
    function.end();
    tool.end();
    Ok(())
}

fn write_choice(choice: &str, chat: &mut ObjectWriter<'_>) -> Result<(), BadRequest> {
    let at = At::Member(&At::Body, "tool_choice");
    let names = ["type", "name", "disable_parallel_tool_use"];
    let [of, name, alone] = fields(choice, names, &at)?;
    match of.ok_or_else(|| at.missing("type"))? {
        r#""auto""# => chat.text("tool_choice", "auto"),
        r#""any""# => chat.text("tool_choice", "required"),
        r#""none""# => chat.text("tool_choice", "none"),
        r#""tool""# => {
            let name = name.ok_or_else(|| at.missing("name"))?;
            let name = string(name, &At::Member(&at, "name"))?;
            let mut choice = ObjectWriter::new(chat.key("tool_choice"));
            choice.text("type", "function");
            let mut function = ObjectWriter::new(choice.key("function"));
            function.raw("name", name);
            function.end();
            choice.end();
        }
        _ => return Err(At::Member(&at, "type").bad("must be `auto`, `any`, `tool` or `none`")),
    }
    if alone == Some("true") {
        chat.raw("parallel_tool_calls", "false");
    }
    Ok(())
}

/// How hard the model is to think, and how its answer is to look. An effort that is named counts before a budget.
fn write_effort(
    thinking: Option<&str>,
    output: Option<&str>,
    chat: &mut ObjectWriter<'_>,
) -> Result<(), BadRequest> {
    let at = At::Member(&At::Body, "output_config");
    let [effort, format] = match output {
        Some(output) => fields(output, ["effort", "format"], &at)?,
        None => [None; 2],
    };
    let effort = match effort {
        Some(r#""low""#) => Some("low"),
        Some(r#""medium""#) => Some("medium"),
        Some(r#""high""# | r#""xhigh""# | r#""max""#) => Some("high"),
        _ => None,
    };
    let budget = match thinking {
        Some(thinking) => budget(thinking)?,
        None => None,
    };
    let from_budget = budget.map(|budget| match budget {
        0..=LOW => "low",
        _ if budget <= MEDIUM => "medium",
        _ => "high",
    });
    if let Some(effort) = effort.or(from_budget) {
        chat.text("reasoning_effort", effort);
    }
    let Some(format) = format else {
        return Ok(());
    };
    let at = At::Member(&at, "format");
    let [of, schema] = fields(format, ["type", "schema"], &at)?;
    if of != Some(r#""json_schema""#) {
        return Err(At::Member(&at, "type").bad("must be `json_schema`"));
    }
    let schema = schema.ok_or_else(|| at.missing("schema"))?;
    let mut format = ObjectWriter::new(chat.key("response_format"));
    format.text("type", "json_schema");
    let mut named = ObjectWriter::new(format.key("json_schema"));
    named.text("name", "answer");
    named.raw("schema", schema);
    named.raw("strict", "true");
    named.end();
    format.end();
    Ok(())
}

/// The tokens that the model may think for, where the client says it.
fn budget(thinking: &str) -> Result<Option<u64>, BadRequest> {
    let at = At::Member(&At::Body, "thinking");
    let [of, budget] = fields(thinking, ["type", "budget_tokens"], &at)?;
    if of != Some(r#""enabled""#) {
        return Ok(None);
    }
    let budget = budget.ok_or_else(|| at.missing("budget_tokens"))?;
    match budget.parse() {
        Ok(budget) => Ok(Some(budget)),
        Err(_) => Err(At::Member(&at, "budget_tokens").bad("must be a whole number")),
    }
}
