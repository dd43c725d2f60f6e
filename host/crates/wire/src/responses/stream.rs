//! A stream: each chunk of a chat's becomes the events that a client of responses waits for, in their order and with their numbers.
//!
//! An item stays open until its choice finishes. A stage may let the last word of the reasoning go just before the finish, behind text of the
//! message ([lanes](../../../../../docs/decisions/lanes.md)); a client tells items apart by their place, and an item that was closed could
//! take no more. So all are closed at the finish, in their order, and the terminal event comes at the end, when the usage is known.

use std::sync::Arc;

use super::answer::{Ended, Response, Stage};
use super::echo::{Echo, write_line};
use super::output::{Head, Kind, Output, SHOWN, Spot, Text, logprobs, number, shown};
use crate::bridge::WriteStream;
use crate::choices::chunk::{Chunk, Piece, UpstreamError};
use crate::json::write_str;
use crate::raw::ObjectWriter;
use crate::{Usage, Voice};

/// Writes one stream.
pub(crate) struct Stream {
    echo: Arc<Echo>,
    /// What the first chunk says of the answer; until it comes nothing has been written.
    head: Option<Head>,
    model: Option<String>,
    output: Output,
    /// The number of the next event.
    next: u64,
    ended: Option<Ended>,
    usage: Option<Usage>,
    /// Bytes of what has been said, which is told once more at the end.
    kept: usize,
    /// It was broken off here.
    broken: bool,
}

/// The most that a response may say, in bytes: what an answer may have that comes whole.
const MOST: usize = 64 << 20;

impl Stream {
    pub(crate) fn new(echo: Arc<Echo>) -> Stream {
        Stream {
            echo,
            head: None,
            model: None,
            output: Output::default(),
            next: 0,
            ended: None,
            usage: None,
            kept: 0,
            broken: false,
        }
    }

    /// Begins an event of that type; its members go on from there.
    fn begin(&mut self, kind: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: {\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        number(out, self.next);
        self.next += 1;
    }

    /// An event with the response as it is now.
    fn lifecycle(&mut self, kind: &str, stage: Stage<'_>, out: &mut Vec<u8>) {
        self.begin(kind, out);
        out.extend_from_slice(b",\"response\":");
        let none = Head::default();
        let response = Response {
            head: self.head.as_ref().unwrap_or(&none),
            model: self.model.as_deref(),
            output: &self.output,
            echo: &self.echo,
        };
        response.write(stage, out);
        end(out);
    }

    /// What comes before anything else.
    fn created(&mut self, head: Head, out: &mut Vec<u8>) {
        self.output = Output::of(&head.id);
        self.head = Some(head);
        self.lifecycle("response.created", Stage::Begun, out);
        self.lifecycle("response.in_progress", Stage::Begun, out);
    }

    fn piece(&mut self, piece: &Piece<'_>, tokens: &str, out: &mut Vec<u8>) {
        let Some(spot) = self.output.spot(&piece.channel) else {
            return;
        };
        if spot.opens_item {
            self.item(spot.item, "response.output_item.added", "in_progress", out);
        }
        let text = self.output.text(spot);
        if spot.opens_part && text != Text::Arguments {
            self.part("response.content_part.added", spot, out);
        }
        if piece.text.is_empty() {
            return;
        }
        let kind = match text {
            Text::Reasoning => "response.reasoning_text.delta",
            Text::Said => "response.output_text.delta",
            Text::Refusal => "response.refusal.delta",
            Text::Arguments => "response.function_call_arguments.delta",
        };
        self.begin(kind, out);
        self.place(spot, out);
        out.extend_from_slice(b",\"delta\":");
        self.output.take(spot, &piece.text, out);
        if text == Text::Said {
            out.extend_from_slice(b",\"logprobs\":[");
            let kept = &mut self.output.items[spot.item].parts[spot.part].logprobs;
            if !tokens.is_empty() {
                if !kept.is_empty() {
                    kept.push(b',');
                }
                write_line(kept, tokens);
                write_line(out, tokens);
            }
            out.push(b']');
        }
        end(out);
    }

    /// Which item, and which part of it, an event is about.
    fn place(&self, spot: Spot, out: &mut Vec<u8>) {
        let item = &self.output.items[spot.item];
        out.extend_from_slice(&item.place);
        if !matches!(item.kind, Kind::Call { .. }) {
            out.extend_from_slice(b",\"content_index\":");
            number(out, spot.part as u64);
        }
    }

    /// An event with an item: as it begins, or when it is done.
    fn item(&mut self, item: usize, kind: &str, status: &str, out: &mut Vec<u8>) {
        self.begin(kind, out);
        out.extend_from_slice(b",\"output_index\":");
        number(out, item as u64);
        out.extend_from_slice(b",\"item\":");
        let it = &self.output.items[item];
        if status == "in_progress" {
            it.empty().write(status, false, out);
        } else {
            it.write(status, self.echo.keeps_reasoning, out);
        }
        end(out);
    }

    /// The choice has finished: every item is done.
    fn done(&mut self, ended: Ended, out: &mut Vec<u8>) {
        self.ended = Some(ended);
        let items = self.output.items.len();
        for item in 0..items {
            for part in 0..self.output.items[item].parts.len() {
                self.part_done(item, part, out);
            }
            let status = ended.status_of(item, items);
            self.item(item, "response.output_item.done", status, out);
        }
    }

    fn part_done(&mut self, item: usize, part: usize, out: &mut Vec<u8>) {
        let spot = Spot {
            item,
            part,
            opens_item: false,
            opens_part: false,
        };
        let text = self.output.text(spot);
        let (kind, name) = match text {
            Text::Reasoning => ("response.reasoning_text.done", "text"),
            Text::Said => ("response.output_text.done", "text"),
            Text::Refusal => ("response.refusal.done", "refusal"),
            Text::Arguments => ("response.function_call_arguments.done", "arguments"),
        };
        self.begin(kind, out);
        self.place(spot, out);
        let said = &self.output.items[item].parts[part];
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":\"");
        out.extend_from_slice(&said.text);
        out.push(b'"');
        if let Kind::Call { name, .. } = &self.output.items[item].kind {
            out.extend_from_slice(b",\"name\":");
            out.extend_from_slice(name);
        }
        if text == Text::Said {
            out.extend_from_slice(b",\"logprobs\":[");
            out.extend_from_slice(&said.logprobs);
            out.push(b']');
        }
        end(out);
        if text != Text::Arguments {
            self.part("response.content_part.done", spot, out);
        }
    }

    /// An event with a part: as it begins, or when it is done.
    fn part(&mut self, kind: &str, spot: Spot, out: &mut Vec<u8>) {
        self.begin(kind, out);
        self.place(spot, out);
        out.extend_from_slice(b",\"part\":");
        let item = &self.output.items[spot.item];
        item.parts[spot.part].write(&item.kind, out);
        end(out);
    }
}

/// The event is whole.
fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"}\n\n");
}

impl WriteStream for Stream {
    fn chunk(&mut self, chunk: &Chunk<'_>, data: &[u8], out: &mut Vec<u8>) {
        if self.broken {
            return;
        }
        if self.model.is_none() {
            self.model = chunk.model.as_deref().map(str::to_owned);
        }
        if self.head.is_none() {
            self.created(Head::read(data), out);
        }
        if self.ended.is_none() {
            // A content may come in parts; its tokens are told once.
            let mut told = [false; 2];
            for piece in shown(chunk) {
                let voice = piece.channel.key().voice();
                let tokens = match voice {
                    Some(voice @ (Voice::Content | Voice::Refusal))
                        if !chunk.logprobs.is_empty()
                            && !std::mem::replace(
                                &mut told[usize::from(voice == Voice::Refusal)],
                                true,
                            ) =>
                    {
                        logprobs(chunk, data, voice)
                    }
                    _ => "",
                };
                self.kept += piece.text.len() + tokens.len();
                self.piece(piece, tokens, out);
            }
        }
        if self.kept > MOST {
            let error = UpstreamError {
                message: format!("The answer is larger than {MOST} bytes."),
                code: "upstream_broke_off".into(),
                ..UpstreamError::default()
            };
            self.error(&error, out);
            self.broken = true;
            self.output = Output::default();
            return;
        }
        let mut finishes = chunk.finishes.iter();
        let finish = finishes.find(|(choice, _)| *choice == SHOWN);
        if chunk.usage.is_some() || finish.is_some() {
            self.usage = chunk.usage.or(self.usage);
            let said = Head::read(data);
            if let Some(head) = &mut self.head {
                head.tier = said.tier.or(head.tier.take());
                head.denial = head.denial.take().or(said.denial);
            }
        }
        if let (Some((_, finish)), None) = (finish, self.ended) {
            self.done(Ended::of(finish), out);
        }
    }

    fn error(&mut self, error: &UpstreamError, out: &mut Vec<u8>) {
        if self.broken {
            return;
        }
        if self.head.is_none() {
            self.created(Head::read(b"{}"), out);
        }
        let first = |texts: [&str; 2], default: &'static str| {
            let mut texts = texts.into_iter().filter(|text| !text.is_empty());
            texts.next().map_or(default.to_owned(), str::to_owned)
        };
        let code = first([&error.code, &error.kind], "server_error");
        let message = first([&error.message, ""], "The upstream broke off.");
        self.begin("error", out);
        for (name, text) in [
            ("code", &code),
            ("message", &message),
            ("param", &error.param),
        ] {
            out.extend_from_slice(b",\"");
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
            match text.as_str() {
                "" => out.extend_from_slice(b"null"),
                text => write_str(out, text),
            }
        }
        end(out);
        let mut told = Vec::with_capacity(128);
        let mut writer = ObjectWriter::new(&mut told);
        writer.text("code", &code);
        writer.text("message", &message);
        writer.end();
        self.lifecycle("response.failed", Stage::Failed(&told), out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        if self.broken {
            return;
        }
        if self.head.is_none() {
            self.created(Head::read(b"{}"), out);
        }
        if self.ended.is_none() {
            self.done(Ended::Completed, out);
        }
        let ended = self.ended.unwrap_or(Ended::Completed);
        let kind = match ended.status() {
            "completed" => "response.completed",
            _ => "response.incomplete",
        };
        self.lifecycle(kind, Stage::Ended(ended, self.usage), out);
    }
}
