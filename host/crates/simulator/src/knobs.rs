//! The instructions to the simulator in a request, from three places: headers, model name, last user message.

use http::HeaderMap;
use serde_json::Value;

use super::directive::Directive;
use super::fault::{self, Fault, Wish};
use super::pieces::Chunking;
use super::refusal::Refusal;

const FAULT: &str = "x-simulate-fault";
const CHUNK: &str = "x-simulate-chunk";
const PACE: &str = "x-simulate-tokens-per-second";

/// The knobs of one request.
#[derive(Debug, Default)]
pub(super) struct Knobs {
    pub(super) wishes: Vec<Wish>,
    /// `None` cuts by tokens.
    pub(super) chunking: Option<Chunking>,
    /// `Some(None)` asks for no pace.
    pub(super) pace: Option<Option<f64>>,
}

impl Knobs {
    /// The knobs in the headers.
    pub(super) fn of_headers(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut knobs = Self::default();
        for value in headers.get_all(FAULT) {
            knobs
                .wishes
                .extend(fault::parse(value.to_str().unwrap_or_default())?);
        }
        let text = |name| {
            headers
                .get(name)
                .map(|value| value.to_str().unwrap_or_default())
        };
        if let Some(text) = text(CHUNK) {
            knobs.chunking = Chunking::read(text)?;
        }
        if let Some(text) = text(PACE) {
            knobs.pace = Some(pace(text)?);
        }
        Ok(knobs)
    }

    /// The knobs behind a model's name and in a message. The message's chunking stands before the headers'.
    pub(super) fn add(
        &mut self,
        suffix: Option<&str>,
        directive: &Directive<'_>,
    ) -> Result<(), Refusal> {
        for text in suffix.into_iter().chain(directive.fault) {
            self.wishes.extend(fault::parse(text)?);
        }
        if let Some(text) = directive.chunk {
            self.chunking = Chunking::read(text)?;
        }
        Ok(())
    }

    /// The faults, without their counts.
    pub(super) fn faults(&self) -> Vec<Fault> {
        self.wishes.iter().map(|wish| wish.fault).collect()
    }
}

fn pace(text: &str) -> Result<Option<f64>, Refusal> {
    match text.trim().parse::<f64>() {
        Ok(0.0) => Ok(None),
        Ok(pace) if (0.01..=1e9).contains(&pace) => Ok(Some(pace)),
        _ => Err(Refusal::wrong_format(format!(
            "the simulator can't write '{text}' tokens a second; it takes 0 (as fast as it can) or 0.01 and more"
        ))),
    }
}

/// A model's id, and the faults behind a `+`.
pub(super) fn split_model(name: &str) -> (&str, Option<&str>) {
    match name.split_once('+') {
        Some((id, fault)) => (id, Some(fault)),
        None => (name, None),
    }
}

/// The text that may hold a directive: of the last user message, or of the prompt. The body isn't checked yet.
pub(super) fn user_text(body: &Value) -> String {
    let prompt = match &body["prompt"] {
        Value::Array(prompts) => prompts.first().unwrap_or(&Value::Null),
        prompt => prompt,
    };
    if let Some(prompt) = prompt.as_str() {
        return prompt.to_owned();
    }
    let messages = body["messages"].as_array();
    let last = messages
        .into_iter()
        .flatten()
        .rfind(|message| message["role"] == "user");
    match last.map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}
