//! Rules, and which of them decides.
//!
//! There are three questions about a request: whether it may be at all, and, for each of its tools and for each target, whether that may be
//! used with it. Each is decided by the first rule that speaks of it, else by the default.
//!
//! What must stay true: how a client writes a model opens nothing. A rule that allows is about the model that a target is asked for; one that
//! denies is about that and about what the client wrote.

use serde::Deserialize;

use crate::hours::Hours;
use crate::settings::{DEFAULT, REQUIRE_AUTH};
use witgate_policy::glob::matches;

/// What a rule says.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Effect {
    /// It may be.
    Allow,
    /// It may not.
    Deny,
}

/// All of them, in order.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    pub(crate) default: Effect,
    pub(crate) require_auth: bool,
    pub(crate) rules: Vec<Rule>,
}

/// One of them. `None`: whatever it is.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) who: Who,
    pub(crate) models: Option<Vec<String>>,
    pub(crate) endpoints: Option<Vec<String>>,
    pub(crate) hours: Option<Hours>,
    pub(crate) targets: Option<Vec<String>>,
    pub(crate) tools: Option<Vec<String>>,
}

/// Whom a rule is for: who fits each that is named, and of roles has one.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub(crate) principals: Option<Vec<String>>,
    pub(crate) teams: Option<Vec<String>>,
    pub(crate) roles: Option<Vec<String>>,
}

/// What is known of a request.
pub(crate) struct Asked {
    pub(crate) principal: Option<String>,
    pub(crate) team: Option<String>,
    pub(crate) roles: Vec<String>,
    /// The model, as the client wrote it: with a provider before it, or an alias.
    pub(crate) written: String,
    pub(crate) endpoint: String,
    pub(crate) at: u64,
}

/// What a question is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// Whether the request may be.
    Request,
    /// A tool of it.
    Tool(&'a str),
    /// A target that it may go to.
    Target(&'a str),
}

impl Rules {
    /// The rules that may speak of this request, found once for all questions about it.
    pub(crate) fn of<'a>(&'a self, asked: &'a Asked) -> Applying<'a> {
        Applying {
            rules: self
                .rules
                .iter()
                .filter(|rule| rule.is_for(asked))
                .collect(),
            written: &asked.written,
            default: self.default,
            stranger: self.require_auth && asked.principal.is_none(),
        }
    }
}

/// Those that may speak of one request.
pub(crate) struct Applying<'a> {
    rules: Vec<&'a Rule>,
    written: &'a str,
    default: Effect,
    stranger: bool,
}

impl<'a> Applying<'a> {
    /// The name of what denies it, where that model is asked; `None` where it may be.
    pub(crate) fn denies(&self, about: About<'_>, model: &str) -> Option<&'a str> {
        if self.stranger {
            return Some(REQUIRE_AUTH);
        }
        let deciding = self
            .rules
            .iter()
            .find(|rule| rule.is_about(model, self.written) && rule.speaks_of(about));
        let (effect, name) = match deciding {
            Some(rule) => (rule.effect, &*rule.name),
            None => (self.default, DEFAULT),
        };
        (effect == Effect::Deny).then_some(name)
    }
}

impl Rule {
    fn is_for(&self, asked: &Asked) -> bool {
        let Who {
            principals,
            teams,
            roles,
        } = &self.who;
        let one = |patterns: &Option<Vec<String>>, text: Option<&str>| {
            let fits = |patterns: &Vec<String>| text.is_some_and(|text| any(patterns, text));
            patterns.as_ref().is_none_or(fits)
        };
        one(principals, asked.principal.as_deref())
            && one(teams, asked.team.as_deref())
            && roles
                .as_ref()
                .is_none_or(|patterns| asked.roles.iter().any(|role| any(patterns, role)))
            && one(&self.endpoints, Some(&asked.endpoint))
            && self.hours.as_ref().is_none_or(|hours| hours.have(asked.at))
    }

    /// Whether it is about a model. What the client wrote counts for a rule that denies alone.
    fn is_about(&self, model: &str, written: &str) -> bool {
        let denies = self.effect == Effect::Deny;
        let fits =
            |patterns: &Vec<String>| any(patterns, model) || (denies && any(patterns, written));
        self.models.as_ref().is_none_or(fits)
    }

    /// Whether it decides that question. A rule that denies tools or targets denies these alone, and one that allows some allows the request
    /// with them.
    fn speaks_of(&self, about: About<'_>) -> bool {
        let denies = self.effect == Effect::Deny;
        match about {
            About::Request => !denies || (self.tools.is_none() && self.targets.is_none()),
            About::Tool(name) => match &self.tools {
                Some(patterns) => any(patterns, name),
                None => !denies || self.targets.is_none(),
            },
            About::Target(id) => match &self.targets {
                Some(patterns) => any(patterns, id),
                None => !denies || self.tools.is_none(),
            },
        }
    }
}

fn any(patterns: &[String], text: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, text))
}
