//! The policy: what happens to a request or an answer in which a secret was found.

use witgate_policy::prelude::*;
use witgate_policy::redact::{self, Action, Guard, Terms};

use crate::finder::SecretFinder;

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

const TERMS: Terms = Terms {
    denial: "secret",
    finding: "secrets.",
    things: "secrets",
};

/// Keeps keys, tokens and passwords out of requests and answers.
#[derive(Clone)]
pub struct Secrets {
    hooks: Hooks,
    guard: Guard<SecretFinder>,
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
        Ok(Secrets {
            hooks: redact::hooks(settings.requests, settings.answers)?,
            guard: Guard::new(SecretFinder::new(&settings), settings.action, TERMS),
        })
    }

    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn interest(&self) -> Option<String> {
        Some(self.guard.finder().interest())
    }

    fn on_request(&mut self) -> Verdict {
        self.guard.on_request()
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let redactor = self.guard.redactor(channel).with_interest();
        Some(Box::new(redactor.telling(Secrets::found)))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Secrets {
    fn found(&mut self, counts: &[u32]) -> Option<Denial> {
        self.guard.found(counts)
    }
}
