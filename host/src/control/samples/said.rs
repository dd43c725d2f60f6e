//! What the model says in a sample: its thoughts, its text, its calls of tools, and why it ends.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::Cut;
use crate::wire::{Channel, ToolCall};

/// What a model says, each part as it comes.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) reasoning: Texts,
    pub(super) answer: Texts,
    pub(super) calls: Vec<Call>,
    /// `stop`, or `tool_calls`, where the sample doesn't say.
    pub(super) finish: Option<String>,
}

/// One call of a tool.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Call {
    name: String,
    #[serde(default)]
    arguments: Texts,
}

impl Said {
    /// Whether any part of it is a list of several texts: a way to cut it of its own.
    pub(super) fn is_cut(&self) -> bool {
        let calls = self.calls.iter().map(|call| &call.arguments);
        let mut parts = [&self.reasoning, &self.answer].into_iter().chain(calls);
        parts.any(|Texts(texts)| texts.len() > 1)
    }

    /// All of it, cut one way: each text with its channel, in the order in which it comes.
    pub(super) fn pieces(&self, cut: Cut) -> Vec<(Channel<'static>, String)> {
        let of = |channel: Channel<'static>, texts: &Texts| {
            let pieces = texts.cut(cut).into_iter();
            pieces
                .map(move |piece| (channel.clone(), piece))
                .collect::<Vec<_>>()
        };
        let mut pieces = of(Channel::Reasoning, &self.reasoning);
        pieces.retain(|(_, piece)| !piece.is_empty());
        if self.calls.is_empty() || !self.answer.is_empty() {
            pieces.extend(of(Channel::Content, &self.answer));
        }
        for (call, index) in self.calls.iter().zip(0..) {
            let id = format!("call_{index}");
            let channel = Channel::ToolArguments(ToolCall::new(index, id, call.name.clone()));
            // It opens before its arguments come.
            pieces.push((channel.clone(), String::new()));
            pieces.extend(of(channel, &call.arguments));
        }
        pieces
    }
}

/// One text, or a list of them.
#[derive(Debug, Default)]
pub(super) struct Texts(Vec<String>);

impl Texts {
    fn is_empty(&self) -> bool {
        self.0.iter().all(String::is_empty)
    }

    fn cut(&self, cut: Cut) -> Vec<String> {
        match cut {
            Cut::Whole => vec![self.0.concat()],
            Cut::Characters => self.0.concat().chars().map(String::from).collect(),
            Cut::AsGiven => self.0.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts(vec![text.to_owned()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = access.next_element()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_any(Either)
    }
}
