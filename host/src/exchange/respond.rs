//! An answer that a stage gave in the model's place: the text passes every other stage, then becomes an ordinary completion.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use super::passages::{Aborted, AnswerStages, Delta, Output, Passages, StageId};
use super::request::neutral;
use crate::policy::types::{self, Denial};
use crate::wire::choices::envelope::Envelope;
use crate::wire::choices::whole::WholeAnswer as Body;
use crate::wire::{Channel, ChannelKey, Usage, sse};

/// What came out of the other stages.
pub(super) struct Composed {
    /// In order: text with the channel that it belongs to.
    texts: Vec<(u32, Channel<'static>, String)>,
    choices: SmallVec<[u32; 1]>,
    denied: SmallVec<[(u32, StageId, Denial); 1]>,
    pub(super) deltas: u64,
}

/// Takes the deltas through every other stage.
pub(super) async fn compose<S: AnswerStages>(
    stages: &mut S,
    deltas: &[types::Delta],
) -> Result<Composed, Aborted> {
    let mut answer = Passages::<S::Passage>::new();
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
            channel: &neutral(&delta.channel),
            place: None,
            text: Cow::Borrowed(&delta.text),
        };
        answer.push(stages, going, &mut outs).await?;
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
        deltas: answer.deltas(),
    };
    for out in outs {
        match out {
            Output::Added {
                choice,
                channel,
                text,
            } => {
                let channel = as_named(deltas, choice, channel);
                composed.texts.push((choice, channel, text));
            }
            Output::Denied {
                choice,
                stage,
                denial,
            } => {
                stages.denied(stage, choice, &denial);
                composed.denied.push((choice, stage, denial));
            }
            Output::AsCame(_) | Output::Changed(..) => {
                unreachable!("no delta of a response has a place")
            }
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
        let mine = |(of, channel, _): &&(u32, Channel<'static>, String)| {
            *of == choice && matches!(channel, Channel::ToolArguments(_))
        };
        self.texts.iter().any(|text| mine(&text))
    }

    /// As a completion.
    pub(super) fn whole(self, id: &str, model: &str, stages: &impl AnswerStages) -> Bytes {
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
            body.deny_choice(*choice, stages.name(*stage), &denial.code, &denial.message);
        }
        body.to_bytes()
    }

    /// As a stream: a role for each choice, the texts, a finish for each, and the end.
    pub(super) fn stream(self, id: &str, model: &str, stages: &impl AnswerStages) -> Bytes {
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
            let continuing = Channel::from(channel.key());
            let channel = if continues { &continuing } else { channel };
            put(envelope.text_chunk(*choice, channel, text));
        }
        let last = self.choices.len() - 1;
        for (at, choice) in self.choices.iter().enumerate() {
            let usage = (at == last).then(Usage::default);
            match self.denied.iter().find(|(denied, ..)| denied == choice) {
                Some((_, stage, denial)) => {
                    put(envelope.denied_chunk(
                        *choice,
                        stages.name(*stage),
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
fn as_named(deltas: &[types::Delta], choice: u32, key: ChannelKey) -> Channel<'static> {
    let mut channels = deltas
        .iter()
        .filter(|delta| delta.choice == choice)
        .map(|delta| neutral(&delta.channel));
    channels
        .find(|channel| channel.key() == key)
        .unwrap_or(Channel::Content)
}
