//! A whole answer, and the object that stands for one at any time of its making.

use bytes::Bytes;

use super::echo::{Echo, write_line};
use super::output::{Head, Item, Kind, Output, SHOWN, logprobs, number, shown};
use crate::choices::chunk::{Chunk, NotAChunk};
use crate::choices::whole::WholeAnswer;
use crate::raw::ObjectWriter;
use crate::{Usage, Voice};

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The model has said what it had to say.
    Completed,
    /// It may not say more.
    Length,
    /// Somebody won't have it said: the upstream, or a stage.
    Filtered,
}

impl Ended {
    /// By what a choice says of it. A word that nobody knows is an end like any other.
    pub(super) fn of(finish: &str) -> Ended {
        match finish {
            "length" => Ended::Length,
            "content_filter" => Ended::Filtered,
            _ => Ended::Completed,
        }
    }

    pub(super) fn status(self) -> &'static str {
        match self {
            Ended::Completed => "completed",
            Ended::Length | Ended::Filtered => "incomplete",
        }
    }

    /// Why there isn't more of it, as JSON.
    fn details(self) -> &'static str {
        match self {
            Ended::Completed => "null",
            Ended::Length => r#"{"reason":"max_output_tokens"}"#,
            Ended::Filtered => r#"{"reason":"content_filter"}"#,
        }
    }

    /// The status of one of so many items: what was cut off is the last.
    pub(super) fn status_of(self, item: usize, items: usize) -> &'static str {
        if item + 1 == items {
            self.status()
        } else {
            "completed"
        }
    }
}

/// What a response object says of where its answer is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage<'s> {
    /// It has begun.
    Begun,
    /// It is over.
    Ended(Ended, Option<Usage>),
    /// It broke off, for that reason, as JSON.
    Failed(&'s [u8]),
}

/// What a response object is written of.
pub(super) struct Response<'r> {
    pub(super) head: &'r Head,
    pub(super) model: Option<&'r str>,
    pub(super) output: &'r Output,
    pub(super) echo: &'r Echo,
}

impl Response<'_> {
    pub(super) fn write(&self, stage: Stage<'_>, out: &mut Vec<u8>) {
        let Response {
            head,
            model,
            output,
            echo,
        } = self;
        let mut response = ObjectWriter::new(out);
        response.text("id", &output.id());
        response.text("object", "response");
        number(response.key("created_at"), head.created);
        let (status, details) = match stage {
            Stage::Begun => ("in_progress", "null"),
            Stage::Ended(ended, _) => (ended.status(), ended.details()),
            Stage::Failed(_) => ("failed", "null"),
        };
        response.text("status", status);
        match stage {
            Stage::Failed(error) => response.key("error").extend_from_slice(error),
            _ => response.raw("error", "null"),
        }
        response.raw("incomplete_details", details);
        if let (Stage::Ended(Ended::Filtered, _), Some(denial)) = (stage, &head.denial) {
            write_line(response.key("witgate"), denial);
        }
        match model {
            Some(model) => response.text("model", model),
            None => response.raw("model", &echo.model),
        }
        let list = response.key("output");
        list.push(b'[');
        let items: &[Item] = match stage {
            Stage::Begun => &[],
            _ => &output.items,
        };
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                list.push(b',');
            }
            let status = match stage {
                Stage::Ended(ended, _) => ended.status_of(at, items.len()),
                _ => "incomplete",
            };
            item.write(status, echo.keeps_reasoning, list);
        }
        list.push(b']');
        match stage {
            Stage::Ended(_, Some(usage)) => write_usage(response.key("usage"), usage),
            _ => response.raw("usage", "null"),
        }
        if let Some(tier) = head.tier.as_ref().or(echo.tier.as_ref()) {
            write_line(response.key("service_tier"), tier);
        }
        response.members(&echo.members);
        response.end();
    }
}

fn write_usage(out: &mut Vec<u8>, usage: Usage) {
    let mut writer = ObjectWriter::new(out);
    let total = u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens);
    number(writer.key("input_tokens"), usage.prompt_tokens.into());
    let mut details = ObjectWriter::new(writer.key("input_tokens_details"));
    number(details.key("cached_tokens"), usage.cached_tokens.into());
    details.raw("cache_write_tokens", "0");
    details.end();
    number(writer.key("output_tokens"), usage.completion_tokens.into());
    let mut details = ObjectWriter::new(writer.key("output_tokens_details"));
    number(
        details.key("reasoning_tokens"),
        usage.reasoning_tokens.into(),
    );
    details.end();
    number(writer.key("total_tokens"), total);
    writer.end();
}

/// The response that a chat's answer is.
pub(crate) fn answer(echo: &Echo, body: Bytes) -> Result<Bytes, NotAChunk> {
    // It reads more strictly than a chunk is read.
    WholeAnswer::parse(body.clone())?;
    let chunk = Chunk::parse(&body)?;
    let head = Head::read(&body);
    let mut output = Output::of(&head.id);
    let mut scratch = Vec::new();
    for piece in shown(&chunk) {
        if let Some(spot) = output.spot(&piece.channel) {
            output.take(spot, &piece.text, &mut scratch);
            scratch.clear();
        }
    }
    // Of a message alone: it has one part of each kind, and calls and reasoning show no tokens.
    let messages = output.items.iter_mut();
    let messages = messages.filter(|item| matches!(item.kind, Kind::Message));
    for part in messages.flat_map(|item| &mut item.parts) {
        let voice = match part.refusal {
            true => Voice::Refusal,
            false => Voice::Content,
        };
        write_line(&mut part.logprobs, logprobs(&chunk, &body, voice));
    }
    let mut finishes = chunk.finishes.iter();
    let finish = finishes.find(|(choice, _)| *choice == SHOWN);
    let ended = finish.map_or(Ended::Completed, |(_, finish)| Ended::of(finish));
    let response = Response {
        head: &head,
        model: chunk.model.as_deref(),
        output: &output,
        echo,
    };
    let mut out = Vec::with_capacity(body.len() + echo.members.len() + 512);
    response.write(Stage::Ended(ended, chunk.usage), &mut out);
    Ok(out.into())
}
