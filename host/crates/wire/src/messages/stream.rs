//! A streamed answer: named events, in which each text is a block.
//!
//! Blocks stay open until the choice finishes, and end in their order. A policy may hold the last word of a lane until then, when other lanes
//! have long begun; its delta names its block by the index, as every delta does. A block that ended when the next begins would have to give
//! that word to a block of its own, behind the answer: most answers that were thought about would end with a word of thinking.

use smallvec::SmallVec;

use super::{Lane, SIGNATURE, Stop, call_id, error_kind, message_id, write_usage};
use crate::bridge::WriteStream;
use crate::choices::chunk::{Chunk, Piece, UpstreamError};
use crate::json::write_str;
use crate::raw::ObjectWriter;
use crate::{Channel, Usage};

/// Writes one stream.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The message's id, once it has begun.
    id: Option<String>,
    /// What each block is, by its index.
    blocks: SmallVec<[Lane; 4]>,
    stop: Option<Stop>,
    usage: Usage,
}

impl WriteStream for Writer {
    fn chunk(&mut self, chunk: &Chunk<'_>, data: &[u8], out: &mut Vec<u8>) {
        if let Some(usage) = chunk.usage {
            self.usage = usage;
        }
        if self.id.is_none() {
            self.begin(message_id(data), chunk.model.as_deref(), out);
        }
        if self.stop.is_some() {
            return;
        }
        for piece in chunk.pieces.iter().filter(|piece| piece.choice == 0) {
            self.piece(piece, out);
        }
        if let Some((_, finish)) = chunk.finishes.iter().find(|(choice, _)| *choice == 0) {
            self.stop = Some(self.stopped(finish, data));
            self.close(out);
        }
    }

    fn error(&mut self, error: &UpstreamError, out: &mut Vec<u8>) {
        event("error", out, |event| {
            let mut told = ObjectWriter::new(event.key("error"));
            told.text("type", error_kind(error.status.unwrap_or(500)));
            told.text("message", &error.message);
            if !error.code.is_empty() {
                told.text("code", &error.code);
            }
            told.end();
        });
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.id.is_none() {
            self.begin(message_id(b""), None, out);
        }
        let stop = match self.stop.take() {
            Some(stop) => stop,
            None => {
                self.close(out);
                self.stopped("", b"")
            }
        };
        event("message_delta", out, |event| {
            let mut delta = ObjectWriter::new(event.key("delta"));
            stop.write(&mut delta);
            delta.end();
            write_usage(event.key("usage"), self.usage);
            stop.write_denial(event);
        });
        event("message_stop", out, |_| {});
    }
}

impl Writer {
    /// What was read isn't known yet, nearly always: it comes with the last event.
    fn begin(&mut self, id: String, model: Option<&str>, out: &mut Vec<u8>) {
        event("message_start", out, |event| {
            let mut message = ObjectWriter::new(event.key("message"));
            message.text("id", &id);
            message.text("type", "message");
            message.text("role", "assistant");
            message.text("model", model.unwrap_or_default());
            message.raw("content", "[]");
            message.raw("stop_reason", "null");
            message.raw("stop_sequence", "null");
            write_usage(
                message.key("usage"),
                Usage {
                    completion_tokens: 0,
                    ..self.usage
                },
            );
            message.end();
        });
        self.id = Some(id);
    }

    fn piece(&mut self, piece: &Piece<'_>, out: &mut Vec<u8>) {
        let lane = Lane::of(piece.channel.key());
        let index = match self.blocks.iter().position(|block| *block == lane) {
            Some(index) => index,
            None if lane.says_again(self.blocks.iter().copied()) => return,
            None => {
                self.open(lane, &piece.channel, out);
                self.blocks.len() - 1
            }
        };
        if piece.text.is_empty() {
            return;
        }
        let (kind, member) = match lane {
            Lane::Call(_) => ("input_json_delta", "partial_json"),
            lane if lane.is_thought() => ("thinking_delta", "thinking"),
            Lane::Voice(..) => ("text_delta", "text"),
        };
        delta(index, kind, member, &piece.text, out);
    }

    fn open(&mut self, lane: Lane, channel: &Channel<'_>, out: &mut Vec<u8>) {
        let index = self.blocks.len();
        event("content_block_start", out, |event| {
            event.raw("index", &index.to_string());
            let mut block = ObjectWriter::new(event.key("content_block"));
            match lane {
                Lane::Call(_) => {
                    let id = match channel {
                        Channel::ToolArguments(call) => call.id(),
                        _ => "",
                    };
                    block.text("type", "tool_use");
                    match id {
                        "" => {
                            let message = self.id.as_deref().unwrap_or_default();
                            block.text("id", &call_id(message, index));
                        }
                        id => block.text("id", id),
                    }
                    block.text("name", channel.name().unwrap_or_default());
                    block.raw("input", "{}");
                }
                lane if lane.is_thought() => {
                    block.text("type", "thinking");
                    block.text("thinking", "");
                    block.text("signature", "");
                }
                Lane::Voice(..) => {
                    block.text("type", "text");
                    block.text("text", "");
                }
            }
            block.end();
        });
        self.blocks.push(lane);
    }

    fn close(&self, out: &mut Vec<u8>) {
        for (index, lane) in self.blocks.iter().enumerate() {
            if lane.is_thought() {
                delta(index, "signature_delta", "signature", SIGNATURE, out);
            }
            event("content_block_stop", out, |event| {
                event.raw("index", &index.to_string());
            });
        }
    }

    fn stopped(&self, finish: &str, data: &[u8]) -> Stop {
        let has_calls = self.blocks.iter().any(|lane| lane.is_call());
        Stop::of(finish, has_calls, data)
    }
}

/// Writes an event of that name, with the members that `write` adds to its data.
fn event(name: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut event = ObjectWriter::new(out);
    event.text("type", name);
    write(&mut event);
    event.end();
    out.extend_from_slice(b"\n\n");
}

/// The event that there is one of for each piece.
fn delta(index: usize, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(
        b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
    );
    out.extend_from_slice(index.to_string().as_bytes());
    for part in [",\"delta\":{\"type\":\"", kind, "\",\"", member, "\":"] {
        out.extend_from_slice(part.as_bytes());
    }
    write_str(out, text);
    out.extend_from_slice(b"}}\n\n");
}
