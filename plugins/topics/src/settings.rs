//! What the operator may set, under `policy.topics`.

use std::collections::BTreeMap;

use serde::Deserialize;
use witgate_policy::Sanction;

/// Whose messages are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// The settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What no text may be about, by name.
    #[serde(default)]
    pub(crate) forbidden: BTreeMap<String, Topic>,
    /// What requests must be about, by name: one of these.
    #[serde(default)]
    pub(crate) allowed: BTreeMap<String, Topic>,
    /// So many words are looked at together.
    #[serde(default = "window")]
    pub(crate) window: usize,
    /// Sentences about nothing of all this, beside those that are built in.
    #[serde(default)]
    pub(crate) ordinary: Vec<String>,
    /// A request of fewer words needn't be about anything.
    #[serde(default)]
    pub(crate) min_words: Option<usize>,
    #[serde(default)]
    pub(crate) action: Sanction,
    #[serde(default = "user")]
    pub(crate) roles: Vec<Speaker>,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
}

/// Something that texts may be about.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    #[serde(default)]
    pub(crate) terms: Vec<Term>,
    /// What the weights of its terms within a window must come to; 1 unless it is said.
    #[serde(default)]
    pub(crate) threshold: Option<f64>,
    /// Sentences about it, as people would write them.
    #[serde(default)]
    pub(crate) examples: Vec<String>,
    /// How likely a text must be about it, by its examples.
    #[serde(default)]
    pub(crate) likelihood: Option<f64>,
    /// In the place of the policy's.
    #[serde(default)]
    pub(crate) action: Option<Sanction>,
}

/// A word or phrase.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Term {
    /// Of weight 1.
    Plain(String),
    /// Of another.
    Weighted(Weighted),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weighted {
    pub(crate) term: String,
    pub(crate) weight: f64,
}

fn window() -> usize {
    200
}

fn user() -> Vec<Speaker> {
    vec![Speaker::User]
}

fn yes() -> bool {
    true
}

/// The most words of a window.
const LARGEST: usize = 10_000;

/// The most example sentences of a topic, and ordinary ones.
const MOST_EXAMPLES: usize = 1_000;

/// Of all topics together: each sentence is judged for each topic, while the settings are read.
const MOST_IN_ALL: usize = 5_000;

impl Settings {
    /// What doesn't make sense, alone or together.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.forbidden.is_empty() && self.allowed.is_empty() {
            return Err("there is no topic: write some under `forbidden` or `allowed`".into());
        }
        if !self.requests && !self.answers {
            return Err(
                "requests and answers are both false: nothing would be looked at. Leave one of them true, or take \
                 the stage out of the chain"
                    .into(),
            );
        }
        if !self.requests && !self.allowed.is_empty() {
            return Err(
                "allowed: what a text must be about is asked of requests, and `requests` is false; leave one of them out"
                    .into(),
            );
        }
        if self.min_words.is_some() && self.allowed.is_empty() {
            return Err("min_words is for `allowed`, and no topic stands there".into());
        }
        if self.requests && self.roles.is_empty() {
            return Err("roles: name at least one, or write `requests: false`".into());
        }
        if !(1..=LARGEST).contains(&self.window) {
            return Err(format!("window: 1 to {LARGEST} words"));
        }
        if let Some(both) = self
            .forbidden
            .keys()
            .find(|name| self.allowed.contains_key(*name))
        {
            return Err(format!(
                "`{both}` stands in forbidden and in allowed; take it out of one of them"
            ));
        }
        for (place, topics) in [("forbidden", &self.forbidden), ("allowed", &self.allowed)] {
            for (name, topic) in topics {
                topic
                    .check(name)
                    .map_err(|why| format!("{place}.{name}: {why}"))?;
                if place == "allowed" && topic.action.is_some() {
                    return Err(format!(
                        "allowed.{name}.action: what happens where a request is about none of them is the policy's `action`"
                    ));
                }
            }
        }
        let topics = self.forbidden.values().chain(self.allowed.values());
        let examples: usize = topics.map(|topic| topic.examples.len()).sum();
        if examples > MOST_IN_ALL {
            return Err(format!(
                "examples: {MOST_IN_ALL} sentences at most, of all topics together"
            ));
        }
        if !self.ordinary.is_empty() && examples == 0 {
            return Err(
                "ordinary: `examples` are weighed against these, and no topic has any".into(),
            );
        }
        if self.ordinary.len() > MOST_EXAMPLES {
            return Err(format!("ordinary: {MOST_EXAMPLES} sentences at most"));
        }
        Ok(())
    }
}

impl Topic {
    /// What the weights of its terms must come to.
    pub(crate) fn threshold(&self) -> f64 {
        self.threshold.unwrap_or(1.0)
    }

    fn check(&self, name: &str) -> Result<(), String> {
        let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let fits = name.starts_with(letter)
            && name.len() <= 50
            && name
                .chars()
                .all(|c| letter(c) || matches!(c, '.' | '_' | '-'));
        if !fits {
            return Err("a topic's name has a to z, 0 to 9, `.`, `_` and `-`, begins with a letter or digit, and has at most 50 of them: findings are named by it".into());
        }
        if self.terms.is_empty() && self.examples.is_empty() {
            return Err(
                "name `terms` (words and phrases), `examples` (sentences about it), or both".into(),
            );
        }
        if self.examples.len() > MOST_EXAMPLES {
            return Err(format!("examples: {MOST_EXAMPLES} sentences at most"));
        }
        if let Some(likelihood) = self.likelihood {
            if self.examples.is_empty() {
                return Err("likelihood is for `examples`, and there are none".into());
            }
            if !(0.5..=0.999).contains(&likelihood) {
                return Err("likelihood: a number from 0.5 to 0.999".into());
            }
        }
        if self.terms.is_empty() {
            return match self.threshold {
                Some(_) => Err("threshold is for `terms`, and there are none; for `examples` it is `likelihood`".into()),
                None => Ok(()),
            };
        }
        let threshold = self.threshold();
        if !(threshold > 0.0 && threshold.is_finite()) {
            return Err("threshold: a number above 0".into());
        }
        let mut most = 0.0;
        for (n, term) in self.terms.iter().enumerate() {
            let weight = term.weight();
            if !weight.is_finite() || weight == 0.0 {
                return Err(format!("terms[{n}].weight: a number that isn't 0"));
            }
            most += weight.max(0.0);
        }
        if most < threshold {
            return Err(format!(
                "threshold: all terms together come to {most}, so no text reaches {threshold}"
            ));
        }
        Ok(())
    }
}

impl Term {
    pub(crate) fn text(&self) -> &str {
        match self {
            Term::Plain(text) => text,
            Term::Weighted(it) => &it.term,
        }
    }

    pub(crate) fn weight(&self) -> f64 {
        match self {
            Term::Plain(_) => 1.0,
            Term::Weighted(it) => it.weight,
        }
    }
}
