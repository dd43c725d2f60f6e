//! The conversation: items become messages.
//!
//! What a model says in one turn comes as several items, of which chat makes one message: what was thought, what was said, and the calls.
//! So the items of a turn wait until something of another's comes.

use super::KEPT;
use crate::bridge::place::Place;
use crate::index::push;
use crate::json::{BadRequest, Kind};
use crate::raw::ObjectWriter;

/// Members of items that tell of an answer what a model needn't know.
const ABOUT: [&str; 8] = [
    "type",
    "id",
    "status",
    "phase",
    "caller",
    "created_by",
    "internal_chat_message_metadata_passthrough",
    "prompt_cache_breakpoint",
];

/// The same of parts.
const ABOUT_PART: [&str; 4] = ["type", "annotations", "logprobs", "prompt_cache_breakpoint"];

/// Writes the list of messages that stands for instructions and input.
pub(super) fn write<'a>(
    input: &Place<'a, '_>,
    instructions: Option<&str>,
    out: &mut Vec<u8>,
) -> Result<(), BadRequest> {
    out.push(b'[');
    let mut messages = Messages {
        input,
        out,
        first: true,
        turn: Vec::new(),
    };
    if let Some(instructions) = instructions.filter(|text| *text != "\"\"") {
        messages.simple("system", instructions);
    }
    if input.is(Kind::String) {
        messages.simple("user", input.json);
    } else if input.is(Kind::Array) {
        for (at, json) in input.items()?.enumerate() {
            messages.take(at, json)?;
        }
        messages.end_turn()?;
    } else {
        return Err(input.bad("must be a string or an array of items"));
    }
    if messages.first {
        return Err(input.bad("must have at least one message"));
    }
    out.push(b']');
    Ok(())
}

/// What an item of a model's turn is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Reasoning,
    Message,
    Call,
}

struct Messages<'o, 'i, 'a, 'w> {
    input: &'i Place<'a, 'w>,
    out: &'o mut Vec<u8>,
    first: bool,
    /// Items of the model's turn that isn't written yet, each with its number.
    turn: Vec<(Said, u32, &'a str)>,
}

impl<'a> Messages<'_, '_, 'a, '_> {
    /// A message with a text, as it came.
    fn simple(&mut self, role: &str, content: &str) {
        let mut message = self.message(role);
        message.raw("content", content);
        message.end();
    }

    /// Begins a message.
    fn message(&mut self, role: &str) -> ObjectWriter<'_> {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        let mut message = ObjectWriter::new(self.out);
        message.text("role", role);
        message
    }

    fn take(&mut self, at: usize, json: &'a str) -> Result<(), BadRequest> {
        let item = self.input.item(at, json);
        item.must_be(Kind::Object)?;
        let kind = item.get("type").filter(|kind| *kind != "null");
        match kind {
            Some("\"message\"") => self.said(&item, at),
            None if item.get("role").is_some() => self.said(&item, at),
            Some("\"reasoning\"") => {
                read_reasoning(&item, &mut Vec::new())?;
                self.wait(Said::Reasoning, at, json);
                Ok(())
            }
            Some("\"function_call\"") => {
                self.wait(Said::Call, at, json);
                Ok(())
            }
            Some("\"function_call_output\"") => self.output(&item),
            None => Err(item.lacks("type")),
            Some(kind) => {
                let place = item.member("type", kind);
                place.string()?;
                let what = place.quoted();
                Err(place.bad(format_args!(
                    "is {what}, which isn't supported; there may be messages, reasoning, function_call and function_call_output"
                )))
            }
        }
    }

    fn wait(&mut self, said: Said, at: usize, json: &'a str) {
        let number = u32::try_from(at).unwrap_or(u32::MAX);
        push(&mut self.turn, (said, number, json));
    }

    /// A message of anyone's.
    fn said(&mut self, item: &Place<'a, '_>, at: usize) -> Result<(), BadRequest> {
        let [role, content] = item.known(["role", "content"], &ABOUT)?;
        let role = item.member("role", role.ok_or_else(|| item.lacks("role"))?);
        let content = item.member("content", content.ok_or_else(|| item.lacks("content"))?);
        let role = match &*role.text()? {
            "assistant" => {
                if self.turn.iter().any(|(said, ..)| *said == Said::Message) {
                    self.begin_turn()?;
                }
                self.wait(Said::Message, at, item.json);
                return Ok(());
            }
            "user" => "user",
            // Not every model knows the newer word.
            "system" | "developer" => "system",
            _ => return Err(role.bad("must be user, assistant, system or developer")),
        };
        self.end_turn()?;
        let mut message = self.message(role);
        write_content(&content, message.key("content"))?;
        message.end();
        Ok(())
    }

    /// What a tool said.
    fn output(&mut self, item: &Place<'a, '_>) -> Result<(), BadRequest> {
        self.end_turn()?;
        let [id, output] = item.known(["call_id", "output"], &ABOUT)?;
        let id = item.needs("call_id", id)?;
        let mut message = self.message("tool");
        message.raw("tool_call_id", id);
        match output {
            Some(output) => write_content(&item.member("output", output), message.key("content"))?,
            None => message.text("content", ""),
        }
        message.end();
        Ok(())
    }

    /// The turn ends, and another one of the model's follows it: what was thought last is already that one's.
    fn begin_turn(&mut self) -> Result<(), BadRequest> {
        let said = |(said, ..): &(Said, u32, &str)| *said != Said::Reasoning;
        let end = self.turn.iter().rposition(said).map_or(0, |last| last + 1);
        let next = self.turn.split_off(end);
        self.end_turn()?;
        self.turn = next;
        Ok(())
    }

    /// The turn ends. Of one in which nothing was said nothing is left.
    fn end_turn(&mut self) -> Result<(), BadRequest> {
        let turn = std::mem::take(&mut self.turn);
        if turn.iter().all(|(said, ..)| *said == Said::Reasoning) {
            return Ok(());
        }
        let input = self.input;
        let of = |said| {
            let mine = turn.iter().filter(move |(it, ..)| *it == said);
            mine.map(|(_, at, json)| input.item(*at as usize, json))
        };
        let mut thoughts = Vec::new();
        for item in of(Said::Reasoning) {
            read_reasoning(&item, &mut thoughts)?;
        }
        let mut message = self.message("assistant");
        if !thoughts.is_empty() {
            write_joined(&thoughts, message.key("reasoning"));
        }
        for item in of(Said::Message) {
            let [content, _] = item.known(["content", "role"], &ABOUT)?;
            let content = item.member("content", content.unwrap_or("\"\""));
            write_answer(&content, &mut message)?;
        }
        let mut calls = of(Said::Call).peekable();
        if calls.peek().is_some() {
            let out = message.key("tool_calls");
            let mut before = b'[';
            for item in calls {
                out.push(std::mem::replace(&mut before, b','));
                write_call(&item, out)?;
            }
            out.push(b']');
        }
        message.end();
        Ok(())
    }
}

/// The texts of what was thought, as literals without their quotation marks: the text itself, else what a client kept of an answer of
/// ours, else a summary. What another service has encrypted nobody here can read, and no model.
fn read_reasoning<'a>(item: &Place<'a, '_>, texts: &mut Vec<&'a str>) -> Result<(), BadRequest> {
    let names = ["content", "encrypted_content", "summary"];
    let [content, kept, summary] = item.known(names, &ABOUT)?;
    let before = texts.len();
    if let Some(json) = content {
        read_thoughts(&item.member("content", json), texts)?;
    }
    if let Some(json) = kept {
        let literal = inside(item.member("encrypted_content", json).string()?);
        let kept = literal.strip_prefix(KEPT);
        texts.extend(kept.filter(|_| texts.len() == before));
    }
    if let Some(json) = summary {
        let said = texts.len();
        read_thoughts(&item.member("summary", json), texts)?;
        if said > before {
            texts.truncate(said);
        }
    }
    Ok(())
}

fn read_thoughts<'a>(list: &Place<'a, '_>, texts: &mut Vec<&'a str>) -> Result<(), BadRequest> {
    for (at, json) in list.items()?.enumerate() {
        let part = list.item(at, json);
        let [kind, text] = part.known(["type", "text"], &[])?;
        let kind = part.needs("type", kind)?;
        if !matches!(kind, "\"reasoning_text\"" | "\"summary_text\"" | "\"text\"") {
            let place = part.member("type", kind);
            return Err(place.bad("must be \"reasoning_text\" or \"summary_text\""));
        }
        push(texts, inside(part.needs("text", text)?));
    }
    Ok(())
}

/// What stands between the quotation marks of a literal.
fn inside(literal: &str) -> &str {
    &literal[1..literal.len() - 1]
}

/// Several texts as one, with line's ends between them.
fn write_joined(texts: &[&str], out: &mut Vec<u8>) {
    out.push(b'"');
    for (at, text) in texts.iter().enumerate() {
        if at > 0 {
            out.extend_from_slice(b"\\n");
        }
        out.extend_from_slice(text.as_bytes());
    }
    out.push(b'"');
}

/// One call of a function.
fn write_call(item: &Place<'_, '_>, out: &mut Vec<u8>) -> Result<(), BadRequest> {
    let [id, name, arguments] = item.known(["call_id", "name", "arguments"], &ABOUT)?;
    let mut call = ObjectWriter::new(out);
    call.raw("id", item.needs("call_id", id)?);
    call.text("type", "function");
    let mut function = ObjectWriter::new(call.key("function"));
    function.raw("name", item.needs("name", name)?);
    function.raw("arguments", item.needs("arguments", arguments)?);
    function.end();
    call.end();
    Ok(())
}

/// What the model said: a text, parts, or why it wouldn't.
fn write_answer(content: &Place<'_, '_>, message: &mut ObjectWriter<'_>) -> Result<(), BadRequest> {
    if content.is(Kind::Array) {
        let mut items = content.items()?;
        if let (Some(json), None) = (items.next(), items.next()) {
            let part = content.item(0, json);
            if part.get("type") == Some("\"refusal\"") {
                message.raw("refusal", refusal(&part)?);
                return Ok(());
            }
        }
    }
    write_content(content, message.key("content"))
}

fn refusal<'a>(part: &Place<'a, '_>) -> Result<&'a str, BadRequest> {
    let [refusal] = part.known(["refusal"], &ABOUT_PART)?;
    part.needs("refusal", refusal)
}

/// A text, or parts; of one part that is a text, the text.
fn write_content(content: &Place<'_, '_>, out: &mut Vec<u8>) -> Result<(), BadRequest> {
    if content.is(Kind::String) {
        out.extend_from_slice(content.json.as_bytes());
        return Ok(());
    }
    if !content.is(Kind::Array) {
        return Err(content.bad("must be a string or an array of parts"));
    }
    let start = out.len();
    let mut parts = 0;
    let mut only = None;
    out.push(b'[');
    for (at, json) in content.items()?.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        only = write_part(&content.item(at, json), out)?;
        parts += 1;
    }
    out.push(b']');
    let text = match (parts, only) {
        (0, _) => Some("\"\""),
        (1, text) => text,
        _ => None,
    };
    if let Some(text) = text {
        out.truncate(start);
        out.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// A part; its text, if it is one.
fn write_part<'a>(part: &Place<'a, '_>, out: &mut Vec<u8>) -> Result<Option<&'a str>, BadRequest> {
    part.must_be(Kind::Object)?;
    let kind = part.needs("type", part.get("type"))?;
    let mut writer = ObjectWriter::new(out);
    let mut said = None;
    match kind {
        "\"input_text\"" | "\"output_text\"" | "\"text\"" => {
            let [text] = part.known(["text"], &ABOUT_PART)?;
            let text = part.needs("text", text)?;
            writer.text("type", "text");
            writer.raw("text", text);
            said = Some(text);
        }
        "\"refusal\"" => {
            writer.text("type", "refusal");
            writer.raw("refusal", refusal(part)?);
        }
        "\"input_image\"" => {
            let [url, detail] = part.known(["image_url", "detail"], &ABOUT_PART)?;
            writer.text("type", "image_url");
            let mut image = ObjectWriter::new(writer.key("image_url"));
            image.raw("url", part.needs("image_url", url)?);
            if let Some(detail) = detail {
                image.raw("detail", detail);
            }
            image.end();
        }
        "\"input_file\"" => {
            let [data, name] = part.known(["file_data", "filename"], &ABOUT_PART)?;
            writer.text("type", "file");
            let mut file = ObjectWriter::new(writer.key("file"));
            file.raw("file_data", part.needs("file_data", data)?);
            if let Some(name) = name {
                file.raw("filename", name);
            }
            file.end();
        }
        "\"input_audio\"" => {
            let [audio] = part.known(["input_audio"], &ABOUT_PART)?;
            let audio = part.member(
                "input_audio",
                audio.ok_or_else(|| part.lacks("input_audio"))?,
            );
            audio.must_be(Kind::Object)?;
            writer.text("type", "input_audio");
            writer.raw("input_audio", audio.json);
        }
        kind => {
            let place = part.member("type", kind);
            let what = place.quoted();
            return Err(place.bad(format_args!(
                "is {what}, which isn't supported; there may be input_text, output_text, refusal, input_image, input_file and input_audio"
            )));
        }
    }
    writer.end();
    Ok(said)
}
