//! The policy: what happens to a request or an answer in which something was found.

use std::rc::Rc;

use witgate_policy::prelude::*;
use witgate_policy::redact::{self, Form, Redactor, redact_request};

use crate::finder::{DlpFinder, Kind};
use crate::interest;
use crate::settings::{Action, Settings};

/// Keeps an operator's own terms and patterns, and classified documents, out of requests and answers.
#[derive(Clone)]
pub struct Dlp {
    finder: Rc<DlpFinder>,
    interest: Option<Rc<str>>,
    action: Action,
    hooks: Hooks,
}

impl Policy for Dlp {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let finder = DlpFinder::new(&settings)?;
        Ok(Dlp {
            interest: interest::expression(&settings, &finder).map(Rc::from),
            finder: Rc::new(finder),
            action: settings.action,
            hooks: redact::hooks(settings.requests, settings.answers)?,
        })
    }

    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn interest(&self) -> Option<String> {
        self.interest.as_deref().map(str::to_owned)
    }

    fn on_request(&mut self) -> Verdict {
        let change = self.action == Action::Redact;
        let done = redact_request(&self.finder, change, &|_| "REDACTED");
        let found = self.report(&done.counts, "in the request");
        match self.action {
            Action::Deny if found => denial("the request").into(),
            Action::Redact if done.is_stuck => {
                denial("in a place where nothing else can be put, the request").into()
            }
            _ => Verdict::Proceed,
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let mut redactor = Redactor::new(Rc::clone(&self.finder), Form::of(channel));
        if self.interest.is_some() {
            redactor = redactor.with_interest();
        }
        if self.action == Action::Report {
            redactor = redactor.watching();
        }
        Some(Box::new(redactor.telling(Dlp::found)))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Dlp {
    fn found(&mut self, counts: &[u32]) -> Option<Denial> {
        let found = self.report(counts, "in the answer");
        (found && self.action == Action::Deny).then(|| denial("the answer"))
    }

    /// Reports what was found, by its place in the settings: a term may be a secret itself. Whether there was anything.
    fn report(&self, counts: &[u32], place: &str) -> bool {
        let mut any = false;
        for (kind, times) in counts.iter().enumerate().filter(|(_, times)| **times > 0) {
            any = true;
            let (code, detail) = match self.finder.kind(kind) {
                (Kind::Term, n) => ("dlp.term", format!("blocked_terms[{n}], {place}")),
                (Kind::Marker, _) => ("dlp.marker", place.to_owned()),
                (Kind::Pattern, n) => ("dlp.pattern", format!("detect_patterns[{n}], {place}")),
            };
            host::report(&Finding::new(code, *times).with_detail(detail));
        }
        any
    }
}

/// The denial, which doesn't say what was found.
fn denial(place: &str) -> Denial {
    Denial::new(
        "dlp",
        format!("{place} contains something that must not leave"),
    )
}
