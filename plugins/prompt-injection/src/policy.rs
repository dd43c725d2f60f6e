//! The policy: its settings, and its verdict on a request.

use std::rc::Rc;

use serde::Deserialize;
use witgate_policy::{Denial, Finding, Hooks, Policy, Role, Text, Verdict, host, report, request};

use crate::message;
use crate::patterns::{Patterns, Setting};
use crate::scan::{Scanner, Score};
use crate::signals::Origin;

/// Denies requests that read like an attempt to take the model over.
#[derive(Clone)]
pub struct PromptInjection {
    action: Action,
    threshold: f32,
    roles: Rc<[Speaker]>,
    max_bytes: usize,
    unread: Unread,
    scanner: Rc<Scanner>,
}

/// The settings; everything has a default. See the crate's documentation.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    action: Action,
    sensitivity: Sensitivity,
    /// In place of the sensitivity's.
    threshold: Option<f32>,
    patterns: Vec<Setting>,
    roles: Vec<Speaker>,
    max_bytes: usize,
    unread: Unread,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Action {
    Deny,
    Report,
}

/// How many harmless texts may be taken for attacks, so that more attacks are found.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Sensitivity {
    Low,
    Medium,
    High,
}

impl Sensitivity {
    /// The score from which on it acts. Training puts the scores where these mean what the documentation says.
    fn threshold(self) -> f32 {
        match self {
            Sensitivity::Low => 0.8,
            Sensitivity::Medium => 0.5,
            Sensitivity::High => 0.2,
        }
    }
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
            Some(Role::User | Role::Other) => Speaker::User,
            Some(Role::Assistant) => Speaker::Assistant,
            Some(Role::Tool) => Speaker::Tool,
            None => Speaker::Request,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Speaker::System => "system",
            Speaker::Developer => "developer",
            Speaker::User => "user",
            Speaker::Assistant => "assistant",
            Speaker::Tool => "tool",
            Speaker::Request => "request",
        }
    }

    fn origin(self) -> Origin {
        match self {
            Speaker::Tool => Origin::Tool,
            _ => Origin::Person,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            action: Action::Deny,
            sensitivity: Sensitivity::Medium,
            threshold: None,
            patterns: Vec::new(),
            roles: vec![Speaker::User, Speaker::Tool, Speaker::Request],
            max_bytes: 16 << 20,
            unread: Unread::Deny,
        }
    }
}

/// The weight of a signal after which no other is looked for, where one is enough.
const ENOUGH: f32 = 0.85;
/// The score from which on it is told of a request that goes on, where scores are reported.
const TOLD: f32 = 0.1;

/// What a finding says besides its code: the score, whose text it was, and where in it the window that reads most like an attack ends.
fn detail(found: &Score, speaker: Speaker, length: usize) -> String {
    format!(
        "score {:.2}, {} text, window to byte {} of {length}",
        found.value,
        speaker.name(),
        found.end
    )
}

fn tell(code: &str, count: u32, detail: &str) {
    host::report(&Finding {
        detail: Some(detail.to_owned()),
        ..Finding::new(code, count)
    });
}

impl Policy for PromptInjection {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        let threshold = settings.threshold;
        let threshold = threshold.unwrap_or(settings.sensitivity.threshold());
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(format!(
                "threshold: {threshold} is out of range; give a number above 0 and at most 1"
            ));
        }
        if settings.roles.is_empty() {
            return Err("roles: the list is empty, so nothing would be read; name one, or leave the key out".into());
        }
        if settings.max_bytes < 1024 {
            return Err(format!(
                "max_bytes: {} is too little to read anything; give 1024 or more",
                settings.max_bytes
            ));
        }
        let patterns = Patterns::new(&settings.patterns)?;
        // One finding is enough to deny, but a report has to count all of them.
        let enough = match settings.action {
            Action::Deny => ENOUGH,
            Action::Report => f32::INFINITY,
        };
        let scanner = Scanner::build(patterns, settings.max_bytes, enough)?;
        Ok(PromptInjection {
            action: settings.action,
            threshold,
            roles: settings.roles.into(),
            max_bytes: settings.max_bytes,
            unread: settings.unread,
            scanner: Rc::new(scanner),
        })
    }

    fn hooks(&self) -> Hooks {
        Hooks::ON_REQUEST
    }

    fn on_request(&mut self) -> Verdict {
        let (scanner, threshold) = (&self.scanner, self.threshold);
        let texts = request::texts();
        let mut found = Score::default();
        // The highest score of all, whether it is acted on or not.
        let mut highest = (0.0, String::new());
        let mut unread = 0;
        let mut read = |speaker: Speaker, pieces: &[&str]| {
            let mut worst = Score::default();
            message::texts(pieces, |text| {
                let score = match speaker {
                    // The developer wrote it, and instructions are what it is for.
                    Speaker::Request => scanner.scan_instructions(text, speaker.origin()),
                    _ => scanner.scan(text, speaker.origin()),
                };
                unread = unread.max(score.unread);
                if score.value > worst.value {
                    if score.value >= TOLD.min(threshold) && score.value > highest.0 {
                        highest = (score.value, detail(&score, speaker, text.len()));
                    }
                    worst = score;
                }
            });
            if worst.value >= threshold {
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
        let detail = highest.1;
        if found.value < threshold {
            if self.action == Action::Report && !detail.is_empty() {
                tell("below-threshold", 1, &detail);
            }
            return match self.unread {
                Unread::Deny if unread > 0 && self.action == Action::Deny => {
                    let denial = Denial::new("unread-text", too_long(self.max_bytes));
                    Verdict::Deny(denial.with_status(413))
                }
                _ => Verdict::Proceed,
            };
        }
        for (kind, count) in found.kinds() {
            tell(kind.code(), count, &detail);
        }
        match self.action {
            Action::Deny => Verdict::deny("prompt-injection", sentence(&found)),
            Action::Report => Verdict::Proceed,
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
