//! One completion: checked in upstream's order, planned, and sent whole or streamed.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, header};
use serde_json::Value;

use super::catalog::{self, Family, Model};
use super::directive::Directive;
use super::fault::Fault;
use super::knobs::Knobs;
use super::pieces::{self, Chunking, Cutting};
use super::plan::{Choice, RequestedAnswer};
use super::playback::{Dribble, Playback, Script, Torn};
use super::prompt::{self, Prompt};
use super::random::{self, Dice};
use super::recorder::Underway;
use super::refusal::Refusal;
use super::render::{self, Dialect, Envelope, Times, Usage};
use super::service::{self, Simulator};
use super::{rules, schema, shapes, tokens};

/// A request for a completion, its body read but not yet checked.
pub(super) struct Completion<'a> {
    pub(super) simulator: &'a Simulator,
    pub(super) dialect: Dialect,
    pub(super) key: &'a str,
    /// The owner of the rate limits that this request is counted against.
    pub(super) owner: u64,
    pub(super) body: &'a Value,
    /// The model's name, less any fault behind it.
    pub(super) model: &'a str,
    pub(super) directive: &'a Directive<'a>,
    pub(super) faults: &'a [Fault],
    pub(super) knobs: &'a Knobs,
}

impl Completion<'_> {
    /// The response. An error is one that Cerebras would send.
    pub(super) async fn respond(
        &self,
        dice: &mut Dice,
        underway: &mut Option<Underway>,
    ) -> Result<Response, Refusal> {
        let model = self.check()?;
        let prompt = prompt::measure(self.body, &[self.key, self.model]);
        let asked_for = self.most_output();
        let length = prompt.tokens.saturating_add(asked_for.unwrap_or(0));
        if length > model.context {
            return Err(Refusal::too_long(length, model.context));
        }
        if let Some(ledger) = &self.simulator.ledger {
            ledger.lock().admit(self.owner, prompt.tokens, asked_for)?;
        }
        let budget = asked_for.unwrap_or(u64::MAX).min(model.max_output);
        let budget = budget.min(model.context - prompt.tokens);
        let choices = self.plan(model, budget, dice);
        let usage = self.usage(model, &prompt, &choices);
        if let Some(ledger) = &self.simulator.ledger {
            ledger
                .lock()
                .charge(self.owner, usage.prompt + usage.completion);
        }
        let pace = self
            .knobs
            .pace
            .unwrap_or(self.simulator.options.tokens_per_second);
        let longest = choices
            .iter()
            .map(|choice| choice.tokens)
            .max()
            .unwrap_or(0) as f64;
        let now = self.simulator.now();
        let times = Times {
            created: now,
            queue: 0.004,
            prompt: 0.002 + prompt.tokens as f64 / 100_000.0,
            completion: longest / pace.unwrap_or(model.speed),
        };
        let tail = render::tail(&usage, &times, self.body["service_tier"].as_str());
        let envelope = Envelope::new(
            self.dialect,
            &format!("chatcmpl-{}", dice.uuid()),
            now as u64,
            model,
            self.logprobs(),
            tail,
        );
        let mut response = if self.body["stream"] == true {
            self.stream(envelope, choices, model, pace, underway)
        } else {
            if let Some(pace) = pace {
                tokio::time::sleep(Duration::from_secs_f64(longest / pace)).await;
            }
            self.whole(&envelope, &choices, underway)
        };
        if self.faults.contains(&Fault::Bytewise) {
            response = response.map(|body| Body::new(Dribble::new(body)));
        }
        Ok(response)
    }

    /// Checks the body's shape, then the model, then the rules between fields, in the order that Cerebras checks them.
    fn check(&self) -> Result<&'static Model, Refusal> {
        let shape = match self.dialect {
            Dialect::Chat => shapes::CHAT,
            Dialect::Text => shapes::COMPLETION,
        };
        let mut problems = schema::problems(self.body, shape);
        if self.simulator.options.legacy_penalties || self.faults.contains(&Fault::Penalties) {
            problems.extend(rules::young_fields(self.body));
        }
        if !problems.is_empty() {
            return Err(Refusal::wrong_format(problems.join("\n")));
        }
        let model = catalog::find(self.model).ok_or_else(Refusal::no_such_model)?;
        let breaches = match self.dialect {
            Dialect::Chat => rules::chat(self.body, model),
            Dialect::Text => rules::completion(self.body),
        };
        if !breaches.problems.is_empty() {
            return Err(Refusal::wrong_format(breaches.problems.join("\n")));
        }
        if breaches.too_large {
            return Err(Refusal::too_large("Image payload is too large."));
        }
        Ok(model)
    }

    /// The request's own limit on the answer. A limit of -1 counts as none.
    fn most_output(&self) -> Option<u64> {
        self.body["max_completion_tokens"]
            .as_u64()
            .or_else(|| self.body["max_tokens"].as_u64())
    }

    fn logprobs(&self) -> Option<u64> {
        let logprobs = &self.body["logprobs"];
        match self.dialect {
            Dialect::Chat => {
                (*logprobs == true).then(|| self.body["top_logprobs"].as_u64().unwrap_or(0))
            }
            Dialect::Text => logprobs.as_u64(),
        }
    }

    fn plan(&self, model: &'static Model, budget: u64, dice: &mut Dice) -> Vec<Choice> {
        let answer = RequestedAnswer {
            body: self.body,
            model,
            directive: self.directive,
            faults: self.faults,
            budget,
        };
        match self.dialect {
            Dialect::Chat => answer.chat(dice),
            Dialect::Text => answer.completion(&prompts(&self.body["prompt"])),
        }
    }

    fn usage(&self, model: &Model, prompt: &Prompt, choices: &[Choice]) -> Usage {
        let predicted = match &self.body["prediction"]["content"] {
            Value::String(text) => text.clone(),
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect(),
            _ => String::new(),
        };
        let written = choices.first().and_then(|choice| choice.content.as_deref());
        let accepted = tokens::cut(&predicted)
            .zip(tokens::cut(written.unwrap_or_default()))
            .take_while(|(guess, token)| guess == token)
            .count() as u64;
        Usage {
            prompt: prompt.tokens,
            cached: self.simulator.cache.lock().visit(prompt),
            completion: choices.iter().map(|choice| choice.tokens).sum(),
            reasoning: choices.iter().map(|choice| choice.reasoning_tokens).sum(),
            accepted,
            rejected: tokens::count(&predicted) - accepted,
            image: (model.family == Family::Gemma).then_some(prompt.image_tokens),
        }
    }

    fn chunking(&self, choices: &[Choice]) -> Chunking {
        if self
            .faults
            .iter()
            .any(|fault| matches!(fault, Fault::HugeEvent(_)))
        {
            return Chunking::Whole;
        }
        self.knobs.chunking.clone().unwrap_or_else(|| {
            let content = choices.first().and_then(|choice| choice.content.as_deref());
            let seed = self.body["seed"].as_i64().map(i64::cast_unsigned);
            Chunking::Tokens(
                seed.unwrap_or_else(|| random::hash(content.unwrap_or_default().as_bytes())),
            )
        })
    }

    fn stream(
        &self,
        envelope: Envelope,
        choices: Vec<Choice>,
        model: &Model,
        pace: Option<f64>,
        underway: &mut Option<Underway>,
    ) -> Response {
        let cutting = Cutting {
            chunking: self.chunking(&choices),
            roles: self.dialect == Dialect::Chat,
            calls_whole: model.sends_calls_whole() || self.faults.contains(&Fault::TextAndTools),
        };
        let pieces = pieces::of(&choices, &cutting);
        let script = Script {
            breaks: pieces::break_of(self.faults, &pieces),
            envelope,
            choices,
            pieces,
            pace,
            crlf: self.faults.contains(&Fault::Crlf),
            done: !self.faults.contains(&Fault::NoDone),
        };
        let underway = underway.take().unwrap_or_else(|| Underway::begin(None));
        let mut response = Response::new(Body::new(Playback::new(script, underway)));
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream; charset=utf-8"),
        );
        response
    }

    fn whole(
        &self,
        envelope: &Envelope,
        choices: &[Choice],
        underway: &mut Option<Underway>,
    ) -> Response {
        let mut out = service::buffer();
        envelope.whole(&mut out, choices);
        let whole = out.freeze();
        if self.faults.contains(&Fault::NotJson) {
            return service::json(whole.slice(..whole.len() / 2));
        }
        let stalls = self.faults.contains(&Fault::Stall);
        if stalls || self.faults.contains(&Fault::Cut) {
            let length = HeaderValue::from(whole.len());
            let underway = underway.take().unwrap_or_else(|| Underway::begin(None));
            let mut response = service::json(Body::new(Torn::new(whole, stalls, underway)));
            response
                .headers_mut()
                .insert(header::CONTENT_LENGTH, length);
            return response;
        }
        service::json(whole)
    }
}

/// The prompts of a text completion; those given as token ids have no text.
fn prompts(prompt: &Value) -> Vec<&str> {
    match prompt {
        Value::String(text) => vec![text],
        Value::Array(items) if items.iter().any(|item| !item.is_number()) => items
            .iter()
            .map(|item| item.as_str().unwrap_or_default())
            .collect(),
        _ => vec![""],
    }
}
