//! The policy: who is asked about what, and what comes of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use witgate_policy::prelude::*;

use crate::pieces::Pieces;
use crate::service::{Flagged, ask};
use crate::settings::{Checked, OnFailure, Settings};

/// Asks a moderation service about requests, and about answers sentence by sentence.
#[derive(Clone)]
pub struct Moderation {
    settings: Rc<Checked>,
    /// The service didn't say what a text is, and what comes after passes as well: nobody waits for it again.
    given_up: bool,
}

impl Policy for Moderation {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        Ok(Moderation {
            settings: Rc::new(settings.checked()?),
            given_up: false,
        })
    }

    fn hooks(&self) -> Hooks {
        let settings = &self.settings;
        let mut hooks = Hooks::empty();
        let requests = settings.said.requests && !settings.roles.is_empty();
        hooks.set(Hooks::ON_REQUEST, requests);
        hooks.set(Hooks::ON_ANSWER, settings.said.answers);
        hooks
    }

    fn on_request(&mut self) -> Verdict {
        let segments = request::segments().into_iter();
        let mut mine: Vec<Segment> = segments
            .filter(|it| self.settings.roles.contains(&it.role))
            .collect();
        // A model reads the parts of a message as one text.
        mine.dedup_by(|part, text| {
            let same = part.message == text.message && part.channel == text.channel;
            if same {
                text.text.push_str(&part.text);
            }
            same
        });
        let texts: Vec<String> = mine
            .into_iter()
            .map(|it| it.text)
            .filter(|it| !is_blank(it))
            .collect();
        match self.judged(&texts, "the request") {
            None => Verdict::Proceed,
            Some(denial) => denial.into(),
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        // Why a model won't is its own moderation.
        (*channel != Channel::Refusal).then(|| Box::new(Sentences::default()) as Box<_>)
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

impl Moderation {
    /// What comes of these texts, which come in this order. `None`: they pass.
    fn judged(&mut self, texts: &[String], place: &str) -> Option<Denial> {
        if self.given_up || texts.is_empty() {
            return None;
        }
        let settings = Rc::clone(&self.settings);
        let said = match ask(&settings, texts.iter().map(String::as_str)) {
            Ok(said) => said,
            Err(why) => return self.unknown(&why, place),
        };
        let mut flagged = said.iter().filter(|it| !it.is_empty());
        if settings.said.action == Sanction::Report {
            flagged.for_each(|it| found(it, place));
            return None;
        }
        // The first that was flagged, however many were asked about at once.
        let first = flagged.next()?;
        found(first, place);
        let names: Vec<&str> = first.keys().map(String::as_str).collect();
        let message = format!("{place} was flagged: {}", names.join(", "));
        Some(Denial::new("moderation", message))
    }

    /// The service didn't say.
    fn unknown(&mut self, why: &str, place: &str) -> Option<Denial> {
        log::warn!("the moderation service didn't say what {place} is: {why}");
        let finding = Finding::new("moderation.unavailable", 1);
        host::report(&finding.with_detail(place));
        let said = &self.settings.said;
        if said.on_failure == OnFailure::Pass || said.action == Sanction::Report {
            self.given_up = true;
            return None;
        }
        let message = format!("{place} couldn't be checked: the moderation service doesn't answer");
        Some(Denial::new("moderation-unavailable", message).with_status(503))
    }
}

/// Reports what a text was flagged for.
fn found(flagged: &Flagged, place: &str) {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    for (category, score) in flagged {
        let score = score.map(|score| format!(", score {score:.2}"));
        codes.insert(
            code(category),
            format!("{place}{}", score.unwrap_or_default()),
        );
    }
    for (code, detail) in codes {
        host::report(&Finding::new(code, 1).with_detail(detail));
    }
}

/// The finding's code for a category, which may be named in any way: `self-harm/intent` is `moderation.self-harm.intent`.
fn code(category: &str) -> String {
    let mut code = String::from("moderation.");
    for char in category.chars().take(50) {
        code.push(match char.to_ascii_lowercase() {
            plain @ ('a'..='z' | '0'..='9' | '-' | '_' | '.') => plain,
            '/' => '.',
            _ => '-',
        });
    }
    code
}

/// One passage of an answer. Text is held until the service has said what its piece is.
#[derive(Default)]
struct Sentences(Pieces);

impl Passage<Moderation> for Sentences {
    fn on_delta(&mut self, policy: &mut Moderation, text: &str) -> Edit {
        if policy.given_up {
            return Edit::Forward;
        }
        let pieces = self.0.push(text);
        match judged(policy, pieces) {
            Some(denial) => denial.into(),
            // What is only reported needn't wait.
            None if policy.given_up || policy.settings.said.action == Sanction::Report => {
                Edit::Forward
            }
            None => match self.0.pending() {
                0 => Edit::Forward,
                pending => Edit::hold_last(pending),
            },
        }
    }

    fn on_end(&mut self, policy: &mut Moderation, _finish: &str) -> Edit {
        let rest = self.0.rest();
        match judged(policy, rest.into_iter().collect()) {
            Some(denial) => denial.into(),
            None => Edit::Forward,
        }
    }
}

fn judged(policy: &mut Moderation, mut pieces: Vec<String>) -> Option<Denial> {
    pieces.retain(|it| !is_blank(it));
    policy.judged(&pieces, "the answer")
}
