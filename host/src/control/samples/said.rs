//! What the model says in a sample: its thoughts, its text, its calls of tools, and why it ends.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use super::Cut;
use crate::wire::{Channel, ToolCall};

/// The most characters of a delta that is cut at random: models' deltas are words.
const LONGEST_PIECE: usize = 12;

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

    /// The characters of its longest text.
    pub(super) fn longest(&self) -> usize {
        let calls = self.calls.iter().map(|call| &call.arguments);
        let parts = [&self.reasoning, &self.answer].into_iter().chain(calls);
        let lengths = parts.map(|Texts(texts)| texts.iter().map(|text| text.chars().count()).sum());
        lengths.max().unwrap_or_default()
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
            Cut::After(characters) => {
                let text = self.0.concat();
                let at = text.char_indices().nth(characters).map(|(at, _)| at);
                let (one, two) = text.split_at(at.unwrap_or(text.len()));
                let parts = [one, two].into_iter().map(str::to_owned);
                parts.filter(|part| !part.is_empty()).collect()
            }
            Cut::Random(seed) => {
                let mut random = fastrand::Rng::with_seed(seed);
                let (mut pieces, mut left) = (Vec::new(), 0);
                for character in self.0.concat().chars() {
                    if left == 0 {
                        left = random.usize(1..=LONGEST_PIECE);
                        pieces.push(String::new());
                    }
                    left -= 1;
                    pieces.last_mut().expect("one was pushed").push(character);
                }
                pieces
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_of_a_text_keeps_it() {
        let texts = Texts(vec!["grüße".into(), " an alle, die das hier lesen".into()]);
        let length = texts.0.concat().chars().count();
        let two = (0..=length + 1).map(Cut::After);
        let random = (0..50).map(Cut::Random);
        for cut in two.chain(random) {
            let pieces = texts.cut(cut);
            assert_eq!(pieces.concat(), texts.0.concat(), "{cut}");
            assert!(pieces.iter().all(|piece| !piece.is_empty()), "{cut}");
        }
        assert_eq!(texts.cut(Cut::After(3))[0], "grü");
        assert_eq!(texts.cut(Cut::Random(7)), texts.cut(Cut::Random(7)));
        assert_ne!(texts.cut(Cut::Random(7)), texts.cut(Cut::Random(8)));
    }
}
