//! A whole answer.

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{Lane, SIGNATURE, Stop, call_id, message_id, write_usage};
use crate::choices::chunk::NotAChunk;
use crate::choices::whole::{AnswerText, WholeAnswer};
use crate::raw::ObjectWriter;
use crate::{Channel, ToolCall};

/// The member that holds arguments which are no JSON object: a client takes nothing else for an input.
const UNREAD: &str = "unparsed_arguments";

/// The message that a chat's answer becomes.
pub(crate) fn answer(body: Bytes) -> Result<Bytes, NotAChunk> {
    let answer = WholeAnswer::parse(body.clone())?;
    let id = message_id(&body);
    let mut out = Vec::with_capacity(body.len() + 256);
    let mut message = ObjectWriter::new(&mut out);
    message.text("id", &id);
    message.text("type", "message");
    message.text("role", "assistant");
    message.text("model", answer.model().unwrap_or_default());
    let content = message.key("content");
    content.push(b'[');
    let has_calls = blocks(&answer, &id, content);
    content.push(b']');
    let mut finishes = answer.finishes().iter();
    let finish = finishes.find(|(choice, _)| *choice == 0);
    let finish = finish.map_or("", |(_, finish)| finish);
    let stop = Stop::of(finish, has_calls, &body);
    stop.write(&mut message);
    write_usage(message.key("usage"), answer.usage().unwrap_or_default());
    stop.write_denial(&mut message);
    message.end();
    Ok(out.into())
}

/// Writes the blocks of the first choice; whether there are calls among them.
fn blocks(answer: &WholeAnswer, id: &str, out: &mut Vec<u8>) -> bool {
    let lane = |text: &AnswerText| Lane::of(text.channel.key());
    let texts = || answer.texts().iter().filter(|text| text.choice == 0);
    let mut has_calls = false;
    let mut written: Vec<Lane> = Vec::new();
    for text in texts() {
        let mine = lane(text);
        if written.contains(&mine) || mine.says_again(written.iter().copied()) {
            continue;
        }
        if !written.is_empty() {
            out.push(b',');
        }
        let mut block = ObjectWriter::new(out);
        let whole = || -> String {
            texts()
                .filter(|text| lane(text) == mine)
                .map(|text| &*text.text)
                .collect()
        };
        match &text.channel {
            Channel::ToolArguments(call) => write_call(call, &text.text, id, written.len(), block),
            Channel::FunctionCall(name) => {
                let call = ToolCall::new(0, "", name.as_deref().unwrap_or_default());
                write_call(&call, &text.text, id, written.len(), block);
            }
            _ if mine.is_thought() => {
                block.text("type", "thinking");
                block.text("thinking", &whole());
                block.text("signature", SIGNATURE);
                block.end();
            }
            _ => {
                block.text("type", "text");
                block.text("text", &whole());
                block.end();
            }
        }
        has_calls |= mine.is_call();
        written.push(mine);
    }
    has_calls
}

fn write_call(
    call: &ToolCall<'_>,
    arguments: &str,
    message: &str,
    place: usize,
    mut block: ObjectWriter<'_>,
) {
    block.text("type", "tool_use");
    match call.id() {
        "" => block.text("id", &call_id(message, place)),
        id => block.text("id", id),
    }
    block.text("name", call.name());
    write_input(arguments, block.key("input"));
    block.end();
}

/// An object, as it came; none where there are no arguments.
fn write_input(arguments: &str, out: &mut Vec<u8>) {
    let object = arguments.trim_ascii();
    if object.is_empty() {
        out.extend_from_slice(b"{}");
    } else if object.starts_with('{') && serde_json::from_str::<&RawValue>(object).is_ok() {
        out.extend_from_slice(object.as_bytes());
    } else {
        let mut input = ObjectWriter::new(out);
        input.text(UNREAD, arguments);
        input.end();
    }
}
