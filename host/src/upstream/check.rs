//! Whether the targets can be used: each is asked for its models, with each of its keys.
//!
//! What is told apart is who has to act: a key that is refused is its owner's to replace, a target that can't be reached is the network's,
//! and a model that isn't offered is the configuration's. All of it goes on at the same time and within one limit, so that whoever asks
//! waits no longer for many targets than for one. What a target says comes without its key, as everywhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::failure::{Failure, in_one_line};
use super::keys::Key;
use super::models;
use super::{Answer, Target, Targets};
use crate::api::Charge;

/// The most that is read of one list, in bytes.
const LARGEST: usize = 4 << 20;
/// How long a target may take for it.
const TIME: Duration = Duration::from_secs(10);
/// How many questions are on their way at once.
const AT_ONCE: usize = 64;

/// What came of asking a target for its models with one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyCheck {
    /// It takes the key and lists these.
    Valid(Vec<String>),
    /// It refuses the key: what it says.
    Refused(String),
    /// Nothing came from it: why.
    Unreachable(String),
    /// It answered, and from its answer nothing follows about the key: what it says.
    Unclear(String),
}

/// What came of asking one target.
#[derive(Debug)]
pub struct TargetCheck {
    /// The target.
    pub target: Arc<Target>,
    /// What the configuration calls each of its keys, and what came of that one.
    pub keys: Vec<(String, KeyCheck)>,
}

impl Targets {
    /// Asks every target for its models, with each of its keys. Takes no longer than the slowest of them, and that is bounded.
    pub async fn check(&self) -> Vec<TargetCheck> {
        let mut asked = Vec::new();
        for target in self.iter() {
            let keys = target.keys().iter();
            asked.extend(keys.map(|key| (Arc::clone(target), Arc::clone(key))));
        }
        let checks: Vec<_> = stream::iter(asked)
            .map(|(target, key)| async move {
                let check = checked(&target, &key).await;
                (target, key.name().to_owned(), check)
            })
            .buffered(AT_ONCE)
            .collect()
            .await;
        let mut found: Vec<TargetCheck> = Vec::with_capacity(self.targets.len());
        for (target, name, check) in checks {
            match found.last_mut() {
                Some(last) if last.target.id() == target.id() => last.keys.push((name, check)),
                _ => found.push(TargetCheck {
                    target,
                    keys: vec![(name, check)],
                }),
            }
        }
        found
    }
}

impl TargetCheck {
    /// Whether the target takes every one of its keys. A model that it doesn't list is no fault: not every server lists what it serves.
    pub fn ok(&self) -> bool {
        let valid = |(_, check): &(_, _)| matches!(check, KeyCheck::Valid(_));
        self.keys.iter().all(valid)
    }

    /// The models that it lists to the first key that it takes.
    pub fn models(&self) -> Option<&[String]> {
        self.keys.iter().find_map(|(_, check)| check.models())
    }

    /// For people and programs.
    pub fn to_json(&self) -> Value {
        let target = &self.target;
        let keys = self.keys.iter().map(|(name, check)| {
            let mut shown = json!({"key": name, "result": check.word(target.model())});
            if let Some(why) = check.why() {
                shown["why"] = json!(why);
            }
            shown
        });
        let mut shown = target.to_json();
        shown["ok"] = json!(self.ok());
        shown["keys"] = keys.collect();
        if let Some(models) = self.models() {
            shown["models"] = json!(models);
            if let Some(pinned) = target.model()
                && !models.iter().any(|model| model == pinned)
            {
                shown["warning"] = json!(format!(
                    "it doesn't list `{pinned}`, the model it is pinned to; requests for it may fail"
                ));
            }
        }
        shown
    }
}

impl KeyCheck {
    /// In a word, for a target that is pinned to that model, if it is.
    pub fn word(&self, pinned: Option<&str>) -> &'static str {
        let offered = |models: &[String], pinned: &str| models.iter().any(|it| it == pinned);
        match (self, pinned) {
            (KeyCheck::Valid(models), Some(pinned)) if !offered(models, pinned) => {
                "model-not-offered"
            }
            (KeyCheck::Valid(_), _) => "valid",
            (KeyCheck::Refused(_), _) => "refused",
            (KeyCheck::Unreachable(_), _) => "unreachable",
            (KeyCheck::Unclear(_), _) => "unclear",
        }
    }

    /// A sentence about what is wrong, if something is.
    pub fn why(&self) -> Option<&str> {
        match self {
            KeyCheck::Valid(_) => None,
            KeyCheck::Refused(why) | KeyCheck::Unreachable(why) | KeyCheck::Unclear(why) => {
                Some(why)
            }
        }
    }

    fn models(&self) -> Option<&[String]> {
        match self {
            KeyCheck::Valid(models) => Some(models),
            _ => None,
        }
    }
}

/// Asks a target with one of its keys. A key that rests is asked with too, and is ready again if it is taken.
async fn checked(target: &Target, key: &Key) -> KeyCheck {
    let asked = async {
        match target.models_with(key).await {
            Ok(answer) => told(answer).await,
            Err(failure) => untold(&failure),
        }
    };
    timeout(TIME, asked).await.unwrap_or_else(|_| {
        let seconds = TIME.as_secs();
        KeyCheck::Unreachable(format!("it didn't list its models within {seconds} s"))
    })
}

async fn told(answer: Answer) -> KeyCheck {
    let status = answer.status;
    let mut charge = Charge::unbound();
    if !status.is_success() {
        let said = answer.into_error(&mut charge).await;
        return KeyCheck::Unclear(says(status, &said.message));
    }
    let body = match answer.whole(LARGEST, TIME, &mut charge).await {
        Ok(body) => body,
        Err(error) => return KeyCheck::Unreachable(error.to_string()),
    };
    match models::names(&body) {
        Some(models) => KeyCheck::Valid(models),
        None => {
            let why = "what it says of its models is no list of them";
            KeyCheck::Unclear(why.to_owned())
        }
    }
}

/// Why no answer came from it, or one that is about the key or about now.
fn untold(failure: &Failure) -> KeyCheck {
    match failure {
        Failure::Refused(said) | Failure::Keyless(said) => {
            KeyCheck::Refused(says(said.status, &said.error.message))
        }
        Failure::Status(said) => KeyCheck::Unclear(says(said.status, &said.error.message)),
        Failure::Connect(_)
        | Failure::ConnectTimeout(_)
        | Failure::FirstByteTimeout(_)
        | Failure::FirstTokenTimeout(_)
        | Failure::Deadline(_)
        | Failure::Broken(_)
        | Failure::Closed(_) => KeyCheck::Unreachable(failure.to_string()),
        Failure::Redirect(_)
        | Failure::NoName
        | Failure::Resting(_)
        | Failure::NoStatus(_)
        | Failure::Coded(_) => KeyCheck::Unclear(failure.to_string()),
    }
}

fn says(status: impl fmt::Display, message: &str) -> String {
    format!("it answers {status}: {}", in_one_line(message))
}
