//! The policy: what happens to a text that is about something that it mustn't be about, or about nothing that it may.

use std::rc::Rc;

use witgate_policy::prelude::*;

use crate::score::{self, By, Score};
use crate::settings::{Settings, Speaker};

/// A request of fewer words needn't be about anything: `yes, please`.
const FEW_WORDS: usize = 4;

/// A longer word isn't held back: it is no word that anybody wrote, and it may never end.
const LONGEST_HELD: usize = 256;

/// Says what requests and answers may be about.
#[derive(Clone)]
pub struct Topics {
    topics: Rc<score::Topics>,
    settings: Rc<Settings>,
    /// Some topic ends an answer, so that the word that makes it one mustn't be out.
    denies: bool,
}

impl Policy for Topics {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self, String> {
        settings.check()?;
        let topics = score::Topics::new(&settings)?;
        tell_what_was_learned(&topics);
        let mut forbidden = topics.topics.iter().filter(|topic| !topic.is_allowed);
        Ok(Topics {
            denies: forbidden.any(|topic| topic.action == Sanction::Deny),
            topics: Rc::new(topics),
            settings: Rc::new(settings),
        })
    }

    fn hooks(&self) -> Hooks {
        let mut hooks = Hooks::empty();
        hooks.set(Hooks::ON_REQUEST, self.settings.requests);
        let forbids = !self.settings.forbidden.is_empty();
        hooks.set(Hooks::ON_ANSWER, self.settings.answers && forbids);
        hooks
    }

    fn on_request(&mut self) -> Verdict {
        let topics = &*self.topics;
        let mut wanted = request::segments();
        wanted.retain(|segment| {
            segment.channel == Channel::Content
                && self.settings.roles.iter().any(|role| role.is(segment.role))
        });
        let mut any = vec![false; topics.topics.len()];
        let (mut words, mut denied) = (0, None);
        // A model reads the parts of a message as one text.
        for parts in wanted.chunk_by(|a, b| a.message == b.message) {
            let mut score = topics.score();
            let mut reaches = |n: usize, by: By| {
                let topic = &topics.topics[n];
                if !topic.is_allowed {
                    found(&topic.name, "in the request", by);
                    if topic.action == Sanction::Deny && denied.is_none() {
                        denied = Some(n);
                    }
                }
                true
            };
            for part in parts {
                score.push(topics, &part.text, &mut reaches);
            }
            score.end(topics, &mut reaches);
            words += score.count;
            for (n, any) in any.iter_mut().enumerate() {
                *any |= score.reached(n);
            }
        }
        if let Some(n) = denied {
            return forbidden(&topics.topics[n].name, "the request").into();
        }
        let least = self.settings.min_words.unwrap_or(FEW_WORDS);
        let mut allowed = topics
            .topics
            .iter()
            .zip(&any)
            .filter(|(topic, _)| topic.is_allowed);
        let is_on = allowed.any(|(_, reached)| *reached);
        if self.settings.allowed.is_empty() || is_on || words < least {
            return Verdict::Proceed;
        }
        host::report(&Finding::new("topics.none", 1).with_detail("in the request"));
        match self.settings.action {
            Sanction::Report => Verdict::Proceed,
            Sanction::Deny => {
                let names: Vec<_> = self.settings.allowed.keys().map(String::as_str).collect();
                let message = format!(
                    "the request is about none of what it may be about: {}",
                    names.join(", ")
                );
                Verdict::deny("topic_not_allowed", message)
            }
        }
    }

    fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
        (*channel == Channel::Content).then(|| Box::new(Reading(self.topics.score())) as _)
    }

    fn schema() -> Option<String> {
        Some(include_str!("../settings.schema.json").into())
    }
}

impl Speaker {
    fn is(self, role: Role) -> bool {
        match self {
            Speaker::System => role == Role::System,
            Speaker::Developer => role == Role::Developer,
            Speaker::User => matches!(role, Role::User | Role::Other),
            Speaker::Assistant => role == Role::Assistant,
            Speaker::Tool => role == Role::Tool,
        }
    }
}

/// The content of one choice.
struct Reading(Score);

impl Passage<Topics> for Reading {
    fn on_delta(&mut self, policy: &mut Topics, text: &str) -> Edit {
        let mut denied = None;
        self.0.push(&policy.topics, text, |n, by| {
            reaches(policy, n, by, &mut denied)
        });
        match denied {
            Some(denial) => denial.into(),
            None if policy.denies && self.0.open() <= LONGEST_HELD => {
                Edit::hold_last(self.0.open())
            }
            None => Edit::Forward,
        }
    }

    fn on_end(&mut self, policy: &mut Topics, _finish: &str) -> Edit {
        let mut denied = None;
        self.0
            .end(&policy.topics, |n, by| reaches(policy, n, by, &mut denied));
        denied.map_or(Edit::Forward, Edit::from)
    }
}

/// An answer is about this now. Whether it may go on.
fn reaches(policy: &Topics, n: usize, by: By, denied: &mut Option<Denial>) -> bool {
    let topic = &policy.topics.topics[n];
    if topic.is_allowed {
        return true;
    }
    found(&topic.name, "in the answer", by);
    if topic.action == Sanction::Deny {
        *denied = Some(forbidden(&topic.name, "the answer"));
    }
    denied.is_none()
}

fn found(name: &str, place: &str, by: By) {
    let detail = match by {
        By::Terms => place.to_owned(),
        By::Examples => format!("{place}, by its examples"),
    };
    host::report(&Finding::new(format!("topics.{name}"), 1).with_detail(detail));
}

/// Tells the operator what the examples are worth, each judged by what is learned from all others.
fn tell_what_was_learned(topics: &score::Topics) {
    for (told, at) in topics.learned.told.iter().zip(&topics.with_examples) {
        let ((found, own), (taken, others)) = (told.own, told.others);
        let name = &topics.topics[*at].name;
        let what = format!(
            "topic {name}: {found} of its {own} examples are found by what the others teach, and {taken} of {others} other sentences are taken for it"
        );
        match 2 * found < own || 20 * taken > others {
            true => log::warn!("{what}; write more examples, or examples of one thing"),
            false => log::info!("{what}"),
        }
    }
}

fn forbidden(name: &str, place: &str) -> Denial {
    Denial::new(
        "topic_forbidden",
        format!("{place} is about something that it may not be about: {name}"),
    )
}
