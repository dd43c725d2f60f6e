//! Anthropic's messages: a request that becomes a chat's, and a chat's stream that becomes a message.

use bytes::Bytes;
use serde_json::Value;

use crate::wire::bridge::Bridge;
use crate::wire::choices::chunk::Chunk;
use crate::wire::sse::{DEFAULT_CAP, Framer};
use crate::wire::{ChannelKey, Endpoint, messages};

/// Bytes as a request: what becomes of it is a chat, says nothing that wasn't said in it, and is no more than twice as long.
pub fn messages_request(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let count = messages::count(body.clone());
    let request = match Endpoint::Messages.read(body) {
        Ok(request) => request,
        Err(bad) => {
            // Of one that only lacks a length the tokens can be told.
            assert!(count.is_err() || bad.param == "max_tokens", "{bad}");
            return;
        }
    };
    assert!(count.is_ok());
    let chat = request.to_bytes(None);
    assert!(
        chat.len() <= 2 * data.len() + 512,
        "{} of {}",
        chat.len(),
        data.len()
    );
    let again = Endpoint::Chat.read(chat.clone()).expect("a chat request");
    assert_eq!(again.texts(), request.texts());
    assert_eq!(again.stream(), request.stream());
    let came: Value = serde_json::from_slice(data).expect("it was read as JSON");
    let (mut said, mut keys) = (Vec::new(), Vec::new());
    strings(&came, &mut said, &mut keys);
    let said: String = said.concat();
    for segment in request.segments(0) {
        let text = segment
            .text
            .strip_prefix("Error: ")
            .unwrap_or(&segment.text);
        // Arguments are the text of an input, and thoughts of one turn are put together.
        if matches!(segment.channel.key(), ChannelKey::ToolArguments(_)) {
            assert!(serde_json::from_str::<Value>(text).is_ok_and(|input| input.is_object()));
        } else if segment.channel.key() != ChannelKey::Reasoning {
            assert!(said.contains(text), "{text:?} was made up");
        }
    }
}

/// Every string of a value, and every key.
fn strings<'v>(value: &'v Value, texts: &mut Vec<&'v str>, keys: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, texts, keys)),
        Value::Object(members) => {
            for (key, item) in members {
                keys.push(key);
                strings(item, texts, keys);
            }
        }
        _ => {}
    }
}

/// Bytes as a stream that leaves an exchange: a client gets the same at every cut, in events that are in their order, and every text of the
/// first choice in the block of its own. The input: where to cut, 4 bytes; the stream.
pub fn messages_stream(data: &[u8]) {
    let Some((cuts, stream)) = data.split_first_chunk::<4>() else {
        return;
    };
    let whole = written([stream]);
    assert_eq!(written(stream.chunks(1)), whole, "cut everywhere");
    let mut rest = stream;
    let pieces = cuts.iter().cycle().map_while(|size| {
        let at = (usize::from(*size) % 48 + 1).min(rest.len());
        let (piece, after) = rest.split_at(at);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    });
    assert_eq!(written(pieces), whole, "cut by {cuts:?}");
    let Some(told) = blocks(&whole) else {
        return;
    };
    assert_eq!(told, said(stream), "a client would read something else");
}

fn written<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> Vec<u8> {
    let mut writer = Bridge::Messages.stream().expect("it has streams");
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&writer.write(Bytes::copy_from_slice(piece)));
    }
    out.extend_from_slice(&writer.end());
    assert!(writer.end().is_empty(), "an end comes once");
    out
}

/// The texts of the blocks that a client puts together; `None` where the stream broke off.
fn blocks(stream: &[u8]) -> Option<Vec<String>> {
    let mut framer = Framer::new(usize::MAX);
    framer.push(Bytes::copy_from_slice(stream));
    let mut blocks: Vec<(String, bool)> = Vec::new();
    let mut last = String::new();
    while let Ok(Some(event)) = framer.next() {
        let Some(data) = &event.data else {
            continue;
        };
        let data: Value = serde_json::from_slice(data).expect("the data of an event is JSON");
        let kind = data["type"].as_str().expect("each has a type");
        assert_eq!(event.name.as_deref(), Some(kind.as_bytes()));
        assert!(
            last != "message_stop" && last != "error",
            "{kind} after the end"
        );
        assert_eq!(kind == "message_start", last.is_empty() && kind != "error");
        let index = data["index"].as_u64().unwrap_or(0) as usize;
        match kind {
            "content_block_start" => {
                assert_eq!(index, blocks.len());
                blocks.push((String::new(), true));
            }
            "content_block_delta" => {
                assert!(blocks[index].1, "a delta of a block that has ended");
                let delta = &data["delta"];
                for member in ["text", "thinking", "partial_json"] {
                    blocks[index].0 += delta[member].as_str().unwrap_or_default();
                }
            }
            "content_block_stop" => {
                assert!(std::mem::replace(&mut blocks[index].1, false));
            }
            "message_delta" => assert!(blocks.iter().all(|(_, open)| !open)),
            "error" => return None,
            _ => {}
        }
        last = kind.to_owned();
    }
    assert_eq!(last, "message_stop");
    Some(blocks.into_iter().map(|(text, _)| text).collect())
}

/// The texts of the first choice, each member's and each call's for itself, in the order in which they begin.
fn said(stream: &[u8]) -> Vec<String> {
    let ended = [stream, b"\n\n"].concat();
    let mut framer = Framer::new(DEFAULT_CAP);
    framer.push(ended.into());
    let mut texts: Vec<(String, String)> = Vec::new();
    while let Ok(Some(event)) = framer.next() {
        if event.is_done() {
            break;
        }
        let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else {
            continue;
        };
        let Ok(chunk) = Chunk::parse(data) else {
            break;
        };
        for piece in chunk.pieces.iter().filter(|piece| piece.choice == 0) {
            let key = piece.channel.key();
            let name = match key.voice() {
                Some(voice) => format!("{voice:?} {:?}", key.member()),
                None => format!("{key:?}"),
            };
            let twice = texts.iter().any(|(other, _)| {
                name.starts_with("Reasoning") && other.starts_with("Reasoning") && *other != name
            });
            match texts.iter_mut().find(|(other, _)| *other == name) {
                Some((_, text)) => *text += &piece.text,
                None if twice => {}
                None => texts.push((name, piece.text.to_string())),
            }
        }
        if chunk.finishes.iter().any(|(choice, _)| *choice == 0) {
            break;
        }
    }
    texts.into_iter().map(|(_, text)| text).collect()
}
