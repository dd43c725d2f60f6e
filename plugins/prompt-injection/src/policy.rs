//! The policy: its settings, and its verdict on a request.

use std::rc::Rc;

use serde::Deserialize;
use witgate_policy::{Hooks, Policy, Role, Verdict, report, request};

use crate::message;
use crate::patterns::{Patterns, Setting};
use crate::scan::{Scanner, Score};
use crate::signals::Origin;

/// The settings; everything has a default. See the crate's documentation.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptInjection {
    action: Action,
    threshold: f32,
    patterns: Vec<Setting>,
    roles: Vec<Speaker>,
    max_bytes: usize,
    #[serde(skip)]
    scanner: Option<Rc<Scanner>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Deny,
    Report,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

impl From<Role> for Speaker {
    fn from(role: Role) -> Self {
        match role {
            Role::System => Speaker::System,
            Role::Developer => Speaker::Developer,
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
            Role::Tool => Speaker::Tool,
        }
    }
}

impl Default for PromptInjection {
    fn default() -> Self {
        PromptInjection {
            action: Action::Deny,
            threshold: 0.6,
            patterns: Vec::new(),
            roles: vec![Speaker::User, Speaker::Tool],
            max_bytes: 1 << 20,
            scanner: None,
        }
    }
}

impl Policy for PromptInjection {
    fn prepare(&mut self) -> Result<(), String> {
        if !(self.threshold > 0.0 && self.threshold <= 1.0) {
            return Err(format!(
                "threshold: {} is out of range; give a number above 0 and at most 1",
                self.threshold
            ));
        }
        if self.roles.is_empty() {
            return Err("roles: the list is empty, so nothing would be read; name one, or leave the key out".into());
        }
        if self.max_bytes < 1024 {
            return Err(format!(
                "max_bytes: {} is too little to read anything; give 1024 or more",
                self.max_bytes
            ));
        }
        let patterns = Patterns::new(&std::mem::take(&mut self.patterns))?;
        // One finding is enough to deny, but a report has to count all of them.
        let enough = match self.action {
            Action::Deny => self.threshold,
            Action::Report => f32::INFINITY,
        };
        self.scanner = Some(Rc::new(Scanner::build(patterns, self.max_bytes, enough)?));
        Ok(())
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let Some(scanner) = &self.scanner else {
            return Verdict::Proceed;
        };
        let mut found = Score::default();
        let segments = request::segments();
        for message in segments.chunk_by(|a, b| a.message == b.message && a.role == b.role) {
            let role = message[0].role;
            if !self.roles.contains(&role.into()) {
                continue;
            }
            let origin = if role == Role::Tool {
                Origin::Tool
            } else {
                Origin::Person
            };
            let texts: Vec<&str> = message
                .iter()
                .map(|segment| segment.text.as_str())
                .collect();
            let mut worst = Score::default();
            message::texts(&texts, |text| {
                let score = scanner.scan(text, origin);
                if score.value > worst.value {
                    worst = score;
                }
            });
            if worst.value >= self.threshold {
                found.merge(&worst);
            }
        }
        if found.value < self.threshold {
            return Verdict::Proceed;
        }
        match self.action {
            Action::Deny => Verdict::deny("prompt-injection", sentence(&found)),
            Action::Report => {
                for (kind, count) in found.kinds() {
                    report(kind.code(), count);
                }
                Verdict::Proceed
            }
        }
    }
}

/// The message to the client. It names the kinds of signals, and never the text.
fn sentence(found: &Score) -> String {
    let kinds: Vec<&str> = found.kinds().map(|(kind, _)| kind.code()).collect();
    format!(
        "this request looks like a prompt injection ({})",
        kinds.join(", ")
    )
}
