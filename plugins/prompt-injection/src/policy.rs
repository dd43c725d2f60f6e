//! The policy: its settings, and its verdict on a request.

use std::rc::Rc;

use serde::Deserialize;
use witgate_policy::{Denial, Hooks, Policy, Role, Text, Verdict, report, request};

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
    unread: Unread,
    #[serde(skip)]
    scanner: Option<Rc<Scanner>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Deny,
    Report,
}

/// What becomes of a request with a text that is longer than is read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Unread {
    Deny,
    Pass,
}

/// Whose words are read.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    /// What stands in no message: tools, formats, stop words, members that nobody knows.
    Request,
}

impl Speaker {
    fn of(text: &Text) -> Speaker {
        match text.role {
            Some(Role::System) => Speaker::System,
            Some(Role::Developer) => Speaker::Developer,
            Some(Role::User) => Speaker::User,
            Some(Role::Assistant) => Speaker::Assistant,
            Some(Role::Tool) => Speaker::Tool,
            None => Speaker::Request,
        }
    }

    fn origin(self) -> Origin {
        match self {
            Speaker::Tool => Origin::Tool,
            _ => Origin::Person,
        }
    }
}

impl Default for PromptInjection {
    fn default() -> Self {
        PromptInjection {
            action: Action::Deny,
            threshold: 0.6,
            patterns: Vec::new(),
            roles: vec![Speaker::User, Speaker::Tool, Speaker::Request],
            max_bytes: 16 << 20,
            unread: Unread::Deny,
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
        self.scanner = Some(Rc::new(Scanner::build(
            patterns,
            self.max_bytes,
            self.threshold,
            enough,
        )?));
        Ok(())
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let Some(scanner) = &self.scanner else {
            return Verdict::Proceed;
        };
        let texts = request::texts();
        let mut found = Score::default();
        let mut unread = 0;
        let mut read = |speaker: Speaker, pieces: &[&str]| {
            let mut worst = Score::default();
            message::texts(pieces, |text| {
                let score = scanner.scan(text, speaker.origin());
                unread = unread.max(score.unread);
                if score.value > worst.value {
                    worst = score;
                }
            });
            if worst.value >= self.threshold {
                found.merge(&worst);
            }
        };
        // What is said in a message is one text; a name, an id or what a tool is said to be is each a text of its own.
        let mut said: Vec<&Text> = Vec::new();
        let heard = texts
            .iter()
            .filter(|text| self.roles.contains(&Speaker::of(text)));
        for text in heard {
            if text.segment.is_none() {
                read(Speaker::of(text), &[&text.text]);
            } else {
                said.push(text);
            }
        }
        for message in said.chunk_by(|a, b| a.message == b.message && a.role == b.role) {
            let pieces: Vec<&str> = message.iter().map(|text| text.text.as_str()).collect();
            read(Speaker::of(message[0]), &pieces);
        }
        if unread > 0 {
            report("unread-text", 1);
        }
        if found.value < self.threshold {
            return match self.unread {
                Unread::Deny if unread > 0 && self.action == Action::Deny => {
                    let denial = Denial::new("unread-text", too_long(self.max_bytes));
                    Verdict::Deny(denial.with_status(413))
                }
                _ => Verdict::Proceed,
            };
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

fn too_long(max_bytes: usize) -> String {
    format!(
        "a text in this request is longer than the {max_bytes} bytes that are looked through for prompt injections; send it in parts"
    )
}

/// The message to the client. It names the kinds of signals, and never the text.
fn sentence(found: &Score) -> String {
    let kinds: Vec<&str> = found.kinds().map(|(kind, _)| kind.code()).collect();
    format!(
        "this request looks like a prompt injection ({})",
        kinds.join(", ")
    )
}
