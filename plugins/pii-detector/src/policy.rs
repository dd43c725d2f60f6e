//! The policy: what happens to a request or an answer in which something was found.

use std::rc::Rc;

use witgate_policy::prelude::*;
use witgate_policy::redact::{self, Guard, Terms};

use crate::detector::Detector;
use crate::interest;
use crate::settings::{Format, Scope, Settings};

const TERMS: Terms = Terms {
    denial: "pii",
    finding: "pii.",
    things: "personal data or secrets",
};

/// Keeps personal data and secrets out of requests and answers.
#[derive(Clone)]
pub struct PiiDetector {
    hooks: Hooks,
    guard: Guard<Detector>,
    interest: Option<Rc<str>>,
}

impl Policy for PiiDetector {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.entities.is_empty() {
            return Err("entities: name at least one, or leave the key out for all".into());
        }
        let scope = Scope {
            entities: settings.entities,
            regions: settings.regions,
            private_ips: settings.private_ips,
        };
        let detector = Detector::new(scope, settings.format, settings.salt);
        // What a mask hides it writes as it stands there, so that depends on all of the text.
        let masks = settings.format == Format::Mask;
        Ok(PiiDetector {
            hooks: redact::hooks(settings.requests, settings.answers)?,
            guard: Guard::new(detector, settings.action, TERMS),
            interest: (!masks).then(|| interest::expression(settings.entities).into()),
        })
    }

    fn hooks(&self) -> Hooks {
        self.hooks
    }

    fn interest(&self) -> Option<String> {
        self.interest.as_deref().map(str::to_owned)
    }

    fn on_request(&mut self) -> Verdict {
        self.guard.on_request()
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        let mut redactor = self.guard.redactor(channel);
        if self.interest.is_some() {
            redactor = redactor.with_interest();
        }
        Some(Box::new(redactor.telling(PiiDetector::found)))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl PiiDetector {
    fn found(&mut self, counts: &[u32]) -> Option<Denial> {
        self.guard.found(counts)
    }
}
