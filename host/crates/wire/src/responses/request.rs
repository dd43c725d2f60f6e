//! The request: every member is carried into the chat request, or answered by the gateway itself, or refused.

use std::sync::Arc;

use super::echo::Echo;
use super::{items, tools};
use crate::bridge::Bridge;
use crate::bridge::place::Place;
use crate::dialect::Dialect;
use crate::index::Index;
use crate::json::{BadRequest, Kind};
use crate::raw::ObjectWriter;
use crate::request::Request;

/// What becomes of a member.
#[derive(Clone, Copy)]
enum Fate {
    /// It goes on under that name, as it came.
    Goes(&'static str),
    /// It becomes something else, in a function below.
    Becomes,
    /// It changes nothing here, for the reason that stands beside it.
    Idle,
    /// It can't be done, for that reason.
    Refused(&'static str),
}

use Fate::{Becomes, Goes, Idle, Refused};

const KEEPS_NOTHING: &str =
    "isn't supported: no response is kept here; send the whole conversation as `input`";

const MEMBERS: [(&str, Fate); 34] = [
    ("model", Goes("model")),
    ("input", Becomes),
    ("instructions", Becomes),
    ("stream", Becomes),
    ("tools", Becomes),
    ("tool_choice", Becomes),
    ("text", Becomes),
    ("reasoning", Becomes),
    ("include", Becomes),
    ("top_logprobs", Becomes),
    ("truncation", Becomes),
    ("max_output_tokens", Goes("max_completion_tokens")),
    ("temperature", Goes("temperature")),
    ("top_p", Goes("top_p")),
    ("parallel_tool_calls", Goes("parallel_tool_calls")),
    ("user", Goes("user")),
    ("metadata", Goes("metadata")),
    ("service_tier", Goes("service_tier")),
    ("safety_identifier", Goes("safety_identifier")),
    ("prompt_cache_key", Goes("prompt_cache_key")),
    ("prompt_cache_retention", Goes("prompt_cache_retention")),
    ("prompt_cache_options", Goes("prompt_cache_options")),
    ("frequency_penalty", Goes("frequency_penalty")),
    ("presence_penalty", Goes("presence_penalty")),
    ("seed", Goes("seed")),
    ("stop", Goes("stop")),
    // Nothing is stored, and the answer says so.
    ("store", Idle),
    // For tools that run where the model does; there are none here.
    ("max_tool_calls", Idle),
    // Padding of events; there is none here.
    ("stream_options", Idle),
    // What Codex tells OpenAI of itself.
    ("client_metadata", Idle),
    ("previous_response_id", Refused(KEEPS_NOTHING)),
    ("conversation", Refused(KEEPS_NOTHING)),
    (
        "background",
        Refused("must be false: an answer is made while its client waits"),
    ),
    (
        "prompt",
        Refused("isn't supported: no prompts are stored here; send `instructions` and `input`"),
    ),
];

/// How much longer than the request the chat request that stands for it can become: by half, which is that of calls without names, each in
/// a turn of its own.
fn room(request: usize) -> usize {
    request + request / 2 + 4096
}

/// How many strings such a request may have: what is remembered of them and the chat request together stay within the bound that every
/// request has.
fn most(request: usize) -> usize {
    Index::most(0) + request / 56
}

/// The chat request that stands for it.
pub(crate) fn request(body: &[u8]) -> Result<Request, BadRequest> {
    let top = Place::top(body)?;
    let found = top.known(MEMBERS.map(|(name, _)| name), &[])?;
    let get = |name: &str| {
        let at = MEMBERS.iter().position(|(known, _)| *known == name)?;
        found[at]
    };
    for ((name, fate), json) in MEMBERS.iter().zip(found) {
        if let (Refused(why), Some(json)) = (fate, json)
            && json != "false"
        {
            return Err(top.member(name, json).bad(why));
        }
    }
    let mut echo = Echo::of(get);
    let mut chat = Vec::with_capacity(room(body.len()));
    let mut writer = ObjectWriter::new(&mut chat);
    if let Some(model) = get("model") {
        writer.raw("model", model);
    }
    let input = get("input").ok_or_else(|| top.lacks("input"))?;
    let instructions = get("instructions");
    if let Some(json) = instructions {
        top.member("instructions", json).string()?;
    }
    let input = top.member("input", input);
    items::write(&input, instructions, writer.key("messages"))?;
    if let Some(json) = get("stream") {
        writer.raw("stream", json);
        if json == "true" {
            writer.raw("stream_options", r#"{"include_usage":true}"#);
        }
    }
    for ((name, fate), json) in MEMBERS.iter().zip(found).skip(1) {
        if let (Goes(to), Some(json)) = (fate, json) {
            debug_assert_ne!(*name, "model");
            writer.raw(to, json);
        }
    }
    let place = |name| get(name).map(|json| top.member(name, json));
    tools::write(place("tools"), place("tool_choice"), &mut writer)?;
    if let Some(text) = place("text") {
        write_text(&text, &mut writer)?;
    }
    if let Some(reasoning) = place("reasoning") {
        write_reasoning(&reasoning, &mut writer)?;
    }
    let mut logprobs = get("top_logprobs").is_some();
    if let Some(include) = place("include") {
        for (at, json) in include.items()?.enumerate() {
            let item = include.item(at, json);
            match &*item.text()? {
                "reasoning.encrypted_content" => echo.keeps_reasoning = true,
                "message.output_text.logprobs" => logprobs = true,
                _ => {
                    let what = item.quoted();
                    return Err(item.bad(format_args!(
                        "is {what}, and nothing here has that; leave it out"
                    )));
                }
            }
        }
    }
    if logprobs {
        writer.raw("logprobs", "true");
    }
    if let Some(json) = get("top_logprobs") {
        writer.raw("top_logprobs", json);
    }
    if let Some(truncation) = place("truncation") {
        // What is too long is refused by the upstream, so `auto` loses nothing unseen.
        if !matches!(&*truncation.text()?, "auto" | "disabled") {
            return Err(truncation.bad("must be \"auto\" or \"disabled\""));
        }
    }
    writer.end();
    debug_assert!(chat.len() <= room(body.len()), "the room is enough");
    chat.shrink_to_fit();
    let request = Request::within(Dialect::Chat, chat.into(), most(body.len()))?;
    Ok(request.across(Bridge::Responses(Arc::new(echo))))
}

/// How the text is to look: a response format, and how much there is to be of it.
fn write_text(text: &Place<'_, '_>, writer: &mut ObjectWriter<'_>) -> Result<(), BadRequest> {
    let [format, verbosity] = text.known(["format", "verbosity"], &[])?;
    if let Some(json) = format {
        write_format(&text.member("format", json), writer)?;
    }
    if let Some(json) = verbosity {
        writer.raw("verbosity", text.member("verbosity", json).string()?);
    }
    Ok(())
}

fn write_format(format: &Place<'_, '_>, writer: &mut ObjectWriter<'_>) -> Result<(), BadRequest> {
    const NAMES: [&str; 5] = ["type", "name", "description", "schema", "strict"];
    let found = format.known(NAMES, &[])?;
    let kind = format.needs("type", found[0])?;
    match kind {
        // It is what there is anyway, and no upstream need know it.
        "\"text\"" => {}
        "\"json_object\"" => writer.raw("response_format", r#"{"type":"json_object"}"#),
        "\"json_schema\"" => {
            format.needs("name", found[1])?;
            if found[3].is_none() {
                return Err(format.lacks("schema"));
            }
            let mut outer = ObjectWriter::new(writer.key("response_format"));
            outer.text("type", "json_schema");
            let mut inner = ObjectWriter::new(outer.key("json_schema"));
            for (name, json) in NAMES.iter().zip(found).skip(1) {
                if let Some(json) = json {
                    inner.raw(name, json);
                }
            }
            inner.end();
            outer.end();
        }
        kind => {
            let place = format.member("type", kind);
            return Err(place.bad("must be \"text\", \"json_object\" or \"json_schema\""));
        }
    }
    Ok(())
}

/// How much is to be thought. Summaries there are none: the reasoning itself is in the answer.
fn write_reasoning(
    reasoning: &Place<'_, '_>,
    writer: &mut ObjectWriter<'_>,
) -> Result<(), BadRequest> {
    let beside = ["summary", "generate_summary", "context"];
    let [effort, mode] = reasoning.known(["effort", "mode"], &beside)?;
    if let Some(json) = effort {
        writer.raw(
            "reasoning_effort",
            reasoning.member("effort", json).string()?,
        );
    }
    match mode.map(|json| reasoning.member("mode", json)) {
        Some(mode) if !(mode.is(Kind::String) && mode.text()? == "standard") => {
            Err(mode.bad("must be \"standard\""))
        }
        _ => Ok(()),
    }
}
