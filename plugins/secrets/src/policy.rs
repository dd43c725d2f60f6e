//! The policy: what happens to a request or an answer in which a secret was found.

use std::collections::BTreeMap;
use std::rc::Rc;

use witgate_policy::prelude::*;
use witgate_policy::redact::{Finder, Form, Redactor, redact_request};

use crate::finder::SecretFinder;

/// What to do with a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Replace it.
    #[default]
    Redact,
    /// Deny the request, or end the answer.
    Deny,
    /// Report it and change nothing.
    Report,
}

/// What to do with what only its name calls a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generic {
    /// Nothing: it isn't looked for.
    Off,
    /// Report it and change nothing, whatever the action is.
    #[default]
    Report,
    /// The same as with any other secret.
    Act,
}

/// What a secret is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// `[SECRET:github-pat]`
    #[default]
    Label,
    /// `[SECRET:1a2b3c4d]`: the same text for the same value.
    Hash,
}

/// The settings.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default)]
    pub(crate) action: Action,
    #[serde(default)]
    pub(crate) generic: Generic,
    /// Rules that aren't looked for.
    #[serde(default)]
    pub(crate) ignore: Vec<String>,
    /// Values that may pass.
    #[serde(default)]
    pub(crate) allow: Vec<String>,
    #[serde(default)]
    pub(crate) format: Format,
    /// Goes before each value that is hashed, so that nobody can try values out.
    #[serde(default)]
    pub(crate) salt: String,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
}

fn yes() -> bool {
    true
}

/// Keeps keys, tokens and passwords out of requests and answers.
#[derive(Clone)]
pub struct Secrets {
    settings: Rc<Settings>,
    finder: Rc<SecretFinder>,
    /// What was found in the answer, by rule.
    found: Vec<u32>,
}

impl Policy for Secrets {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let mut ignored = settings.ignore.iter();
        if let Some(unknown) = ignored.find(|it| !secret_rules::is_rule(it)) {
            return Err(format!(
                "ignore: there is no rule `{unknown}`. The README lists them; findings name them behind `secrets.`"
            ));
        }
        if !settings.requests && !settings.answers {
            return Err(
                "requests and answers are both false: nothing would be looked at. Leave one of them true, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        Ok(Secrets {
            finder: Rc::new(SecretFinder::new(&settings)),
            settings: Rc::new(settings),
            found: Vec::new(),
        })
    }

    fn hooks(&self) -> Hooks {
        let mut hooks = Hooks::empty();
        hooks.set(Hooks::ON_REQUEST, self.settings.requests);
        hooks.set(Hooks::ON_ANSWER, self.settings.answers);
        hooks
    }

    fn interest(&self) -> Option<String> {
        Some(self.finder.interest())
    }

    fn on_request(&mut self) -> Verdict {
        let change = self.settings.action == Action::Redact;
        let done = redact_request(&self.finder, change, &|_| "SECRET");
        report(&done.counts, "in the request");
        match self.settings.action {
            Action::Deny if self.acts_on(&done.counts) => {
                denial(&done.counts, "the request contains").into()
            }
            Action::Redact if done.is_stuck => denial(
                &done.counts,
                "in a place where nothing else can be put, the request contains",
            )
            .into(),
            _ => Verdict::Proceed,
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = Redactor::new(Rc::clone(&self.finder), Form::of(channel)).with_interest();
        Some(Box::new(Redacting(match self.settings.action {
            Action::Report => redactor.watching(),
            Action::Redact | Action::Deny => redactor,
        })))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Secrets {
    /// Whether any of these is more than what only its name calls a secret.
    fn acts_on(&self, counts: &[u32]) -> bool {
        let mut counts = counts.iter().enumerate();
        counts.any(|(rule, times)| *times > 0 && !self.finder.keeps(rule))
    }
}

/// One passage of an answer.
struct Redacting(Redactor<Rc<SecretFinder>>);

impl Passage<Secrets> for Redacting {
    fn on_delta(&mut self, policy: &mut Secrets, text: &str) -> Edit {
        let edit = self.0.push(text);
        self.settle(policy, edit)
    }

    fn on_end(&mut self, policy: &mut Secrets, _finish: &str) -> Edit {
        let edit = self.0.finish();
        self.settle(policy, edit)
    }
}

impl Redacting {
    fn settle(&mut self, policy: &mut Secrets, edit: Edit) -> Edit {
        let counts = self.0.take_counts();
        if counts.is_empty() {
            return edit;
        }
        report(&counts, "in the answer");
        if policy.settings.action != Action::Deny || !policy.acts_on(&counts) {
            return edit;
        }
        policy.found.resize(policy.found.len().max(counts.len()), 0);
        for (sum, count) in policy.found.iter_mut().zip(&counts) {
            *sum = sum.saturating_add(*count);
        }
        denial(&policy.found, "the answer contains").into()
    }
}

/// How often each rule's name was found.
fn by_name(counts: &[u32]) -> BTreeMap<&'static str, u32> {
    let mut names = BTreeMap::new();
    for (rule, times) in counts.iter().enumerate().filter(|(_, times)| **times > 0) {
        let sum: &mut u32 = names.entry(secret_rules::name(rule)).or_default();
        *sum = sum.saturating_add(*times);
    }
    names
}

/// The denial. It names the rules, and never a value.
fn denial(counts: &[u32], place: &str) -> Denial {
    let names: Vec<_> = by_name(counts).into_keys().collect();
    Denial::new("secret", format!("{place} secrets: {}", names.join(", ")))
}

fn report(counts: &[u32], place: &str) {
    for (name, times) in by_name(counts) {
        host::report(&Finding::new(format!("secrets.{name}"), times).with_detail(place));
    }
}
