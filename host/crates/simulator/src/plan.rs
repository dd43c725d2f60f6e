//! The model's answer. It is planned whole before the first byte goes out, so that its usage is known and a stream is only
//! played back.

use serde_json::Value;

use super::catalog::{Family, Model, Thinks};
use super::directive::{Act, Directive};
use super::fault::Fault;
use super::random::Dice;
use super::sample;
use super::tokens;

/// One choice of an answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Choice {
    /// Empty where the choice has none.
    pub(super) reasoning: String,
    pub(super) content: Option<String>,
    pub(super) calls: Vec<Call>,
    pub(super) finish: Finish,
    /// Tokens of reasoning, shown or not.
    pub(super) reasoning_tokens: u64,
    /// All tokens of the choice.
    pub(super) tokens: u64,
}

/// One tool call.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

/// Why a choice ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Finish {
    #[default]
    Stop,
    Length,
    ToolCalls,
}

impl Finish {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
        }
    }
}

/// What the request asks for: everything that decides its answer.
pub(super) struct RequestedAnswer<'a> {
    pub(super) body: &'a Value,
    pub(super) model: &'static Model,
    pub(super) directive: &'a Directive<'a>,
    pub(super) faults: &'a [Fault],
    /// The most tokens that a choice may have.
    pub(super) budget: u64,
}

const THOUGHT: &str = "The user wants an answer. A short one will do.";
const CANNED: [&str; 4] = [
    "This answer comes from a simulator: no model has read the request.",
    "No model is behind this sentence; it only shows how an answer would arrive.",
    "Everything works as far as here, and a real model would have written something better.",
    "Here would stand what a real model has to say.",
];
const FILLER: [&str; 16] = [
    "a", "river", "runs", "past", "the", "quiet", "mill", "while", "old", "boats", "wait", "for",
    "wind", "and", "morning", "light",
];
/// Far more than any model writes in one answer.
const MOST_WORDS: u32 = 200_000;

impl RequestedAnswer<'_> {
    /// The choices of a chat completion.
    pub(super) fn chat(&self, dice: &mut Dice) -> Vec<Choice> {
        let count = self.body["n"].as_u64().unwrap_or(1);
        (0..count as usize)
            .map(|index| self.chat_choice(index, dice))
            .collect()
    }

    /// The choices of a text completion: `n` for each prompt.
    pub(super) fn completion(&self, prompts: &[&str]) -> Vec<Choice> {
        let count = self.body["n"].as_u64().unwrap_or(1) as usize;
        let mut choices = Vec::with_capacity(prompts.len() * count);
        for prompt in prompts {
            for index in 0..count {
                let mut choice = Choice::default();
                self.write_content(&mut choice, &Directive::read(prompt).act, index);
                if self.body["echo"] == true {
                    let written = choice.content.unwrap_or_default();
                    choice.content = Some(format!("{prompt}{written}"));
                }
                choices.push(choice);
            }
        }
        choices
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }

    fn chat_choice(&self, index: usize, dice: &mut Dice) -> Choice {
        let mut choice = Choice::default();
        self.think(&mut choice);
        let mix = self.has(Fault::TextAndTools);
        let mut calls = self.calls(dice);
        if mix && calls.is_empty() {
            calls.push(self.some_call(dice));
        }
        if calls.is_empty() || mix {
            self.write_content(&mut choice, &self.directive.act, index);
        }
        self.write_calls(&mut choice, calls);
        self.place_reasoning(&mut choice);
        choice
    }

    fn think(&self, choice: &mut Choice) {
        let off = self.body["disable_reasoning"] == true || self.body["reasoning_effort"] == "none";
        let on = match self.model.thinks {
            Thinks::Never => false,
            Thinks::IfAsked => self.body["reasoning_effort"].is_string(),
            Thinks::Apart | Thinks::Inline => true,
        };
        let thought = match self.directive.think {
            Some(thought) => thought,
            None if on && !off => THOUGHT,
            None => return,
        };
        let end = tokens::prefix(thought, self.budget);
        choice.reasoning = thought[..end].to_owned();
        choice.reasoning_tokens = tokens::count(&choice.reasoning);
        choice.tokens = choice.reasoning_tokens;
        if end < thought.len() {
            choice.finish = Finish::Length;
        }
    }

    /// Puts content into a choice, as much as the budget still allows.
    fn write_content(&self, choice: &mut Choice, act: &Act<'_>, index: usize) {
        if choice.finish == Finish::Length {
            return;
        }
        if self.has(Fault::EmptyLength) {
            choice.content = Some(String::new());
            choice.finish = Finish::Length;
            return;
        }
        let huge = self.faults.iter().find_map(|fault| match fault {
            Fault::HugeEvent(bytes) => Some(*bytes),
            _ => None,
        });
        let text = match huge {
            Some(bytes) => "x".repeat(bytes),
            None => self.text(act, index),
        };
        let left = self.budget - choice.tokens.min(self.budget);
        let stopped = self.stop(&text);
        let end = match huge {
            Some(_) => text.len(),
            None => tokens::prefix(&text[..stopped], left),
        };
        choice.tokens += tokens::count(&text[..end]);
        if end < stopped.min(text.len()) {
            choice.finish = Finish::Length;
            // Where the reasoning has used up the budget, the content is missing rather than empty.
            if end == 0 && choice.reasoning_tokens > 0 {
                return;
            }
        }
        let mut text = text;
        text.truncate(end);
        choice.content = Some(text);
    }

    fn text(&self, act: &Act<'_>, index: usize) -> String {
        match act {
            Act::Say(said) => return (*said).to_owned(),
            Act::Words(count) => return words((*count).min(MOST_WORDS)),
            _ => {}
        }
        let format = &self.body["response_format"];
        match format["type"].as_str() {
            Some("json_object") => r#"{"answer":"simulated"}"#.to_owned(),
            Some("json_schema") => sample::of(&format["json_schema"]["schema"]).to_string(),
            _ => CANNED[index % CANNED.len()].to_owned(),
        }
    }

    /// Where the first stop sequence begins.
    fn stop(&self, text: &str) -> usize {
        let stop = &self.body["stop"];
        let list = stop.as_array().map_or(&[][..], Vec::as_slice);
        let sequences = list.iter().chain(std::iter::once(stop));
        sequences
            .filter_map(Value::as_str)
            .filter(|sequence| !sequence.is_empty())
            .filter_map(|sequence| text.find(sequence))
            .min()
            .unwrap_or(text.len())
    }

    /// The calls that the request wants or demands.
    fn calls(&self, dice: &mut Dice) -> Vec<Call> {
        let has_tools = self.body["tools"].get(0).is_some();
        let choice = &self.body["tool_choice"];
        if !has_tools || choice == "none" {
            return Vec::new();
        }
        let demanded = choice == "required" || choice.is_object();
        match &self.directive.act {
            // A model doesn't call again with the result before it, unless it must.
            Act::Call(calls) if demanded || !self.has_result() => {
                let most = match self.body["parallel_tool_calls"] {
                    Value::Bool(false) => 1,
                    _ => calls.len(),
                };
                let call = |(name, arguments): &(&str, &str)| Call {
                    id: dice.call_id(),
                    name: (*name).to_owned(),
                    arguments: (*arguments).to_owned(),
                };
                calls.iter().take(most).map(call).collect()
            }
            _ if demanded => vec![self.some_call(dice)],
            _ => Vec::new(),
        }
    }

    /// A call of the tool that the request names, or else of its first, with the least arguments.
    fn some_call(&self, dice: &mut Dice) -> Call {
        let tools = self.body["tools"].as_array();
        let named = &self.body["tool_choice"]["function"]["name"];
        let tool = tools.and_then(|tools| {
            let named = tools.iter().find(|tool| tool["function"]["name"] == *named);
            named.or(tools.first())
        });
        let function = tool.map_or(&Value::Null, |tool| &tool["function"]);
        Call {
            id: dice.call_id(),
            name: function["name"].as_str().unwrap_or("simulated").to_owned(),
            arguments: sample::of(&function["parameters"]).to_string(),
        }
    }

    /// Whether a tool has answered since the user last spoke.
    fn has_result(&self) -> bool {
        let messages = self.body["messages"].as_array();
        let roles = messages.into_iter().flatten().rev().map(|m| &m["role"]);
        roles
            .take_while(|role| *role != "user")
            .any(|role| role == "tool")
    }

    fn write_calls(&self, choice: &mut Choice, calls: Vec<Call>) {
        if choice.finish == Finish::Length {
            return;
        }
        for mut call in calls {
            let left = self.budget - choice.tokens.min(self.budget);
            let name = tokens::count(&call.name);
            if left < name {
                choice.finish = Finish::Length;
                return;
            }
            let end = tokens::prefix(&call.arguments, left - name);
            choice.finish = if end < call.arguments.len() {
                Finish::Length
            } else {
                Finish::ToolCalls
            };
            call.arguments.truncate(end);
            choice.tokens += name + tokens::count(&call.arguments);
            choice.calls.push(call);
            if choice.finish == Finish::Length {
                return;
            }
        }
    }

    /// Shows, hides or inlines the reasoning, as the request's format says.
    fn place_reasoning(&self, choice: &mut Choice) {
        let json = self.body["response_format"]["type"]
            .as_str()
            .is_some_and(|format| format != "text");
        let inline = self.model.thinks == Thinks::Inline;
        let format = match self.body["reasoning_format"].as_str() {
            None | Some("none") if inline && json => "hidden",
            None | Some("none") if inline => "raw",
            None | Some("none") => "parsed",
            Some(format) => format,
        };
        match format {
            "hidden" => choice.reasoning.clear(),
            "raw" if !choice.reasoning.is_empty() => {
                let thought = std::mem::take(&mut choice.reasoning);
                let content = choice.content.take();
                choice.content = Some(match (self.model.family, content) {
                    (Family::GptOss, content) => thought + &content.unwrap_or_default(),
                    (_, Some(content)) => format!("<think>{thought}</think>{content}"),
                    (_, None) => format!("<think>{thought}"),
                });
            }
            _ => {}
        }
    }
}

fn words(count: u32) -> String {
    let mut text = String::with_capacity(count as usize * 6);
    for index in 0..count as usize {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(FILLER[index % FILLER.len()]);
    }
    text
}
