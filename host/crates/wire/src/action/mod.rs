//! The action form that workflow tools use: a flat request with one prompt, and a flat answer. It is a chat with one message.

use std::borrow::Cow;

use bytes::Bytes;

use crate::bridge::{self, Bridge};
use crate::choices::chunk::NotAChunk;
use crate::choices::whole::WholeAnswer;
use crate::json::{BadRequest, cut};
use crate::raw::{ObjectWriter, unescape};
use crate::{ChannelKey, Dialect, Request};

/// A number that a request may have.
struct Number {
    name: &'static str,
    /// What a chat request calls it.
    chat: &'static str,
    /// What it is where the request doesn't say.
    default: &'static str,
    least: f64,
    most: f64,
    whole: bool,
}

const fn number(name: &'static str, default: &'static str, least: f64, most: f64) -> Number {
    Number {
        name,
        chat: name,
        default,
        least,
        most,
        whole: false,
    }
}

const NUMBERS: [Number; 5] = [
    number("temperature", "1.0", 0.0, 2.0),
    Number {
        chat: "max_completion_tokens",
        whole: true,
        ..number("max_tokens", "1000", 1.0, 2_147_483_647.0)
    },
    number("top_p", "1.0", 0.0, 1.0),
    number("frequency_penalty", "0", -2.0, 2.0),
    number("presence_penalty", "0", -2.0, 2.0),
];

const TEXTS: [&str; 2] = ["model", "prompt"];

/// The chat request that stands for it.
pub(crate) fn request(body: &[u8]) -> Result<Request, BadRequest> {
    // Never more than the names that are known: the first other one is refused.
    let mut asked: Vec<(Cow<'_, str>, &str)> = Vec::new();
    bridge::each_checked(body, |key, value| {
        let name = unescape(key).unwrap_or_default();
        known(&name, value)?;
        if asked.iter().any(|(before, _)| *before == name) {
            let sentence = format!("the key `{name}` stands twice in the body");
            return Err(BadRequest::new(&name, sentence));
        }
        asked.push((name, value));
        Ok(())
    })?;
    let get = |name: &str| asked.iter().find(|(it, _)| it == name).map(|(_, it)| *it);
    let [model, prompt] = TEXTS.map(|name| {
        let value = get(name);
        value.filter(|value| value.starts_with('"')).ok_or_else(|| {
            BadRequest::new(name, format!("`{name}` must be there, and be a string"))
        })
    });
    let mut chat = Vec::with_capacity(body.len() + 256);
    let mut writer = ObjectWriter::new(&mut chat);
    writer.raw("model", model?);
    let messages = writer.key("messages");
    messages.push(b'[');
    let mut message = ObjectWriter::new(messages);
    message.text("role", "user");
    message.raw("content", prompt?);
    message.end();
    messages.push(b']');
    for number in &NUMBERS {
        let value = get(number.name).filter(|value| *value != "null");
        let value = number.checked(value.unwrap_or(number.default))?;
        writer.raw(number.chat, &value);
    }
    writer.end();
    Ok(Request::parse(Dialect::Chat, chat.into())?.across(Bridge::Action))
}

fn known(name: &str, value: &str) -> Result<(), BadRequest> {
    let mut names = TEXTS.into_iter().chain(NUMBERS.iter().map(|it| it.name));
    let asks_for_whole = name == "stream" && matches!(value, "false" | "null");
    if asks_for_whole || names.any(|known| known == name) {
        return Ok(());
    }
    let name = cut(name);
    let why = match &*name {
        "stream" => {
            "an action has a whole answer and no stream; for a stream ask POST /v1/chat/completions"
                .to_owned()
        }
        _ => format!(
            "`{name}` isn't known here; an action has model, prompt, temperature, max_tokens, top_p, frequency_penalty and presence_penalty"
        ),
    };
    Err(BadRequest::new(&name, why))
}

impl Number {
    /// The number as it is written, if it is one and within its range. One that must be whole loses a point and an exponent, which
    /// tools write without meaning anything by it, and which upstreams refuse there.
    fn checked<'v>(&self, value: &'v str) -> Result<Cow<'v, str>, BadRequest> {
        let Number {
            name, least, most, ..
        } = self;
        let fits = |it: &f64| (*least..=*most).contains(it) && (!self.whole || it.fract() == 0.0);
        let number = value.parse::<f64>().ok().filter(fits);
        let written = |number: f64| match self.whole {
            true => Cow::Owned(format!("{number:.0}")),
            false => Cow::Borrowed(value),
        };
        number.map(written).ok_or_else(|| {
            let kind = if self.whole {
                "a whole number"
            } else {
                "a number"
            };
            BadRequest::new(
                name,
                format!("`{name}` must be {kind} from {least} to {most}"),
            )
        })
    }
}

/// The flat answer of a chat's.
pub(crate) fn answer(body: Bytes) -> Result<Bytes, NotAChunk> {
    let answer = WholeAnswer::parse(body)?;
    let mut texts = answer.texts().iter();
    let content = texts.find(|it| it.choice == 0 && it.channel.key() == ChannelKey::Content);
    let mut finishes = answer.finishes().iter();
    let finish = finishes.find(|(choice, _)| *choice == 0);
    let finish = finish.map_or("", |(_, finish)| finish);
    let usage = answer.usage().unwrap_or_default();
    let mut out = Vec::with_capacity(256);
    let mut writer = ObjectWriter::new(&mut out);
    writer.text("content", content.map_or("", |it| &it.text));
    writer.text(
        "finish_reason",
        match finish {
            "stop" | "length" | "tool_calls" => finish,
            _ => "error",
        },
    );
    writer.text("model_used", answer.model().unwrap_or_default());
    for (name, tokens) in [
        (
            "usage_total_tokens",
            u64::from(usage.prompt_tokens) + u64::from(usage.completion_tokens),
        ),
        ("usage_prompt_tokens", usage.prompt_tokens.into()),
        ("usage_completion_tokens", usage.completion_tokens.into()),
    ] {
        writer.raw(name, &tokens.to_string());
    }
    writer.end();
    Ok(out.into())
}

#[cfg(test)]
mod tests;
