//! The policy: what happens to a request or an answer in which something was found.

use std::rc::Rc;

use pii_entities::{Entity, Scope};
use witgate_policy::prelude::*;
use witgate_policy::redact::{Form, Redactor, redact_request};

use crate::detector::Detector;
use crate::settings::{Action, Format, Settings};

/// Keeps personal data and secrets out of requests and answers.
#[derive(Clone)]
pub struct PiiDetector {
    settings: Rc<Settings>,
    detector: Rc<Detector>,
    /// What was found in the answer.
    found: Counts,
}

/// How often each entity was found, by number.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts([u32; Entity::ALL.len()]);

impl Policy for PiiDetector {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        if settings.entities.is_empty() {
            return Err("entities: name at least one, or leave the key out for all".into());
        }
        if !settings.requests && !settings.answers {
            return Err(
                "requests and answers are both false: nothing would be looked at. Leave one of them true, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        let salt = settings.salt.clone();
        let scope = Scope {
            entities: settings.entities,
            regions: settings.regions,
            private_ips: settings.private_ips,
        };
        Ok(PiiDetector {
            detector: Rc::new(Detector::new(scope, settings.format, salt)),
            settings: Rc::new(settings),
            found: Counts::default(),
        })
    }

    fn hooks(&self) -> Hooks {
        let mut hooks = Hooks::empty();
        hooks.set(Hooks::ON_REQUEST, self.settings.requests);
        hooks.set(Hooks::ON_ANSWER, self.settings.answers);
        hooks
    }

    /// What a mask hides it writes as it stands there, so that depends on all of the text.
    fn interest(&self) -> Option<String> {
        let masks = self.settings.format == Format::Mask;
        (!masks).then(|| pii_entities::expression(self.settings.entities))
    }

    fn on_request(&mut self) -> Verdict {
        let mut found = Counts::default();
        let change = self.settings.action == Action::Redact;
        let label = |kind: usize| Entity::ALL[kind].label();
        let done = redact_request(&self.detector, change, &label);
        found.add(&done.counts);
        found.report("in the request");
        match self.settings.action {
            Action::Deny if found.any() => found.denial("the request contains").into(),
            Action::Redact if done.is_stuck => {
                let place = "in a place where nothing else can be put, the request contains";
                found.denial(place).into()
            }
            _ => Verdict::Proceed,
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        Some(Box::new(Redacting(self.redactor(channel))))
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl PiiDetector {
    fn redactor(&self, channel: &Channel) -> Redactor<Rc<Detector>> {
        let mut redactor = Redactor::new(Rc::clone(&self.detector), Form::of(channel));
        if self.settings.format != Format::Mask {
            redactor = redactor.with_interest();
        }
        match self.settings.action {
            Action::Report => redactor.watching(),
            Action::Redact | Action::Deny => redactor,
        }
    }
}

/// One passage of an answer.
struct Redacting(Redactor<Rc<Detector>>);

impl Passage<PiiDetector> for Redacting {
    fn on_delta(&mut self, policy: &mut PiiDetector, text: &str) -> Edit {
        let edit = self.0.push(text);
        self.settle(policy, edit)
    }

    fn on_end(&mut self, policy: &mut PiiDetector, _finish: &str) -> Edit {
        let edit = self.0.finish();
        self.settle(policy, edit)
    }
}

impl Redacting {
    fn settle(&mut self, policy: &mut PiiDetector, edit: Edit) -> Edit {
        let counts = self.0.take_counts();
        if counts.is_empty() {
            return edit;
        }
        // The findings are reported at once, because an `on-complete` of another stage reads those that were reported
        // before it.
        let mut now = Counts::default();
        now.add(&counts);
        now.report("in the answer");
        policy.found.add(&counts);
        match policy.settings.action {
            Action::Deny => policy.found.denial("the answer contains").into(),
            Action::Redact | Action::Report => edit,
        }
    }
}

impl Counts {
    pub(crate) fn add(&mut self, counts: &[u32]) {
        for (sum, count) in self.0.iter_mut().zip(counts) {
            *sum = sum.saturating_add(*count);
        }
    }

    fn any(&self) -> bool {
        self.0.iter().any(|count| *count > 0)
    }

    fn found(&self) -> impl Iterator<Item = (Entity, u32)> {
        let all = Entity::ALL.into_iter().zip(self.0);
        all.filter(|(_, count)| *count > 0)
    }

    /// The denial. It names the kinds of data, and never a value.
    fn denial(&self, place: &str) -> Denial {
        let names: Vec<_> = self.found().map(|(entity, _)| entity.name()).collect();
        let names = names.join(", ");
        Denial::new("pii", format!("{place} personal data or secrets: {names}"))
    }

    fn report(&self, place: &str) {
        for (entity, count) in self.found() {
            let code = format!("pii.{}", entity.name());
            host::report(&Finding::new(code, count).with_detail(place));
        }
    }
}
