//! An answer that a stage gave in the model's place: the text passes every other stage, then becomes an ordinary completion.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::answer::{Answer, Delta, Fault, Lane, Out};
use super::stages::Stages;
use crate::policy::types::{self, Denial};
use crate::wire::chat::answer::Answer as Body;
use crate::wire::chat::chunk::PieceChannel;
use crate::wire::chat::envelope::Envelope;
use crate::wire::{Channel, ToolCall, Usage, sse};

/// What came out of the other stages.
pub(super) struct Composed {
    /// In order: text with the channel that it belongs to.
    texts: Vec<(u32, Channel, String)>,
    choices: SmallVec<[u32; 1]>,
    denied: SmallVec<[(u32, usize, Denial); 1]>,
    pub(super) deltas: u64,
}

/// Takes the deltas through every other stage.
pub(super) async fn compose(
    stages: &mut Stages,
    deltas: &[types::Delta],
) -> Result<Composed, Fault> {
    let mut answer = Answer::new();
    let mut outs = Vec::new();
    let mut choices: SmallVec<[u32; 1]> = deltas.iter().map(|delta| delta.choice).collect();
    choices.sort_unstable();
    choices.dedup();
    if choices.is_empty() {
        choices.push(0);
    }
    for delta in deltas {
        let going = Delta {
            choice: delta.choice,
            lane: super::whole::lane(&neutral(&delta.channel)),
            place: None,
            text: Cow::Borrowed(&delta.text),
        };
        answer
            .push(stages, going, || delta.channel.clone(), &mut outs)
            .await?;
    }
    for choice in &choices {
        let calls = deltas.iter().any(|delta| {
            delta.choice == *choice && matches!(delta.channel, types::Channel::ToolArguments(_))
        });
        answer
            .finish(stages, *choice, finish(calls), &mut outs)
            .await?;
    }
    let mut composed = Composed {
        texts: Vec::new(),
        choices,
        denied: SmallVec::new(),
        deltas: answer.deltas,
    };
    for out in outs {
        match out {
            Out::Added { choice, lane, text } => {
                let channel = of_lane(deltas, choice, lane);
                composed.texts.push((choice, channel, text));
            }
            Out::Denied {
                choice,
                stage,
                denial,
            } => {
                stages.denied(stage, &denial);
                composed.denied.push((choice, stage, denial));
            }
            Out::AsCame(_) | Out::Changed(..) => unreachable!("no delta of a response has a place"),
        }
    }
    Ok(composed)
}

fn finish(calls: bool) -> &'static str {
    if calls { "tool_calls" } else { "stop" }
}

impl Composed {
    /// Whether no choice is left.
    pub(super) fn all_denied(&self) -> bool {
        self.denied.len() >= self.choices.len()
    }

    /// The finish reason of each choice.
    pub(super) fn finishes(&self) -> Vec<String> {
        let reason = |choice: &u32| match self.is_denied(*choice) {
            true => "content_filter".to_owned(),
            false => finish(self.calls(*choice)).to_owned(),
        };
        self.choices.iter().map(reason).collect()
    }

    fn is_denied(&self, choice: u32) -> bool {
        self.denied.iter().any(|(denied, ..)| *denied == choice)
    }

    fn calls(&self, choice: u32) -> bool {
        let mine = |(of, channel, _): &&(u32, Channel, String)| {
            *of == choice && matches!(channel, Channel::ToolArguments(_))
        };
        self.texts.iter().any(|text| mine(&text))
    }

    /// As a completion.
    pub(super) fn whole(self, id: &str, model: &str, stages: &Stages) -> Bytes {
        let mut texts = self.texts;
        // A choice without any text is still a choice.
        for choice in &self.choices {
            if !texts.iter().any(|(of, ..)| of == choice) {
                texts.push((*choice, Channel::Content, String::new()));
            }
        }
        let body = Body::respond(id, model, &texts);
        if self.denied.is_empty() {
            return body;
        }
        let mut body = Body::parse(body).expect("it was just written");
        for (choice, stage, denial) in &self.denied {
            body.deny_choice(*choice, stages.id(*stage), &denial.code, &denial.message);
        }
        body.to_bytes()
    }

    /// As a stream: a role for each choice, the texts, a finish for each, and the end.
    pub(super) fn stream(self, id: &str, model: &str, stages: &Stages) -> Bytes {
        let envelope = Envelope::fresh(id, model);
        let mut out = BytesMut::new();
        let mut put = |data: Vec<u8>| out.extend_from_slice(&sse::event(&data));
        for choice in &self.choices {
            put(envelope.role_chunk(*choice));
        }
        let mut opened: Vec<(u32, u32)> = Vec::new();
        for (choice, channel, text) in &self.texts {
            let call = match channel {
                Channel::ToolArguments(call) => Some((*choice, call.index)),
                _ => None,
            };
            let continues = call.is_some_and(|call| opened.contains(&call));
            opened.extend(call.filter(|_| !continues));
            let channel = match continues {
                true => PieceChannel::continuing(channel),
                false => PieceChannel::opening(channel),
            };
            put(envelope.text_chunk(*choice, &channel, text));
        }
        let last = self.choices.len() - 1;
        for (at, choice) in self.choices.iter().enumerate() {
            let usage = (at == last).then(Usage::default);
            match self.denied.iter().find(|(denied, ..)| denied == choice) {
                Some((_, stage, denial)) => {
                    put(envelope.denied_chunk(
                        *choice,
                        stages.id(*stage),
                        &denial.code,
                        &denial.message,
                    ));
                }
                None => {
                    put(envelope.finish_chunk(*choice, finish(self.calls(*choice)), usage.as_ref()))
                }
            }
        }
        out.extend_from_slice(&sse::DONE);
        out.freeze()
    }
}

/// The channel as the policy named it.
fn of_lane(deltas: &[types::Delta], choice: u32, lane: Lane) -> Channel {
    let mut channels = deltas
        .iter()
        .filter(|delta| delta.choice == choice)
        .map(|delta| neutral(&delta.channel));
    channels
        .find(|channel| super::whole::lane(channel) == lane)
        .unwrap_or(Channel::Content)
}

fn neutral(channel: &types::Channel) -> Channel {
    match channel {
        types::Channel::Content => Channel::Content,
        types::Channel::Reasoning => Channel::Reasoning,
        types::Channel::Refusal => Channel::Refusal,
        types::Channel::ToolArguments(call) => Channel::ToolArguments(ToolCall {
            index: call.index,
            id: call.id.clone(),
            name: call.name.clone(),
        }),
    }
}
