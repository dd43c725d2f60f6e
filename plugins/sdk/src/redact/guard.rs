//! What policies have in common that act on what a finder finds: in requests and answers, and in how they tell of it.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::redactor::count;
use super::{Finder, Form, Redactor, redact_request};
use crate::{Channel, Denial, Finding, Hooks, Verdict, host};

/// The most bytes before a kind's name in a finding's code. The contract gives a code 64, and `patterns::Pattern` a name 40.
const PREFIX: usize = 24;

/// What codes look like.
const CODE: &str = "[a-z0-9][a-z0-9._-]{0,63}";

/// Whether the contract takes that for the code of a finding or a denial.
fn is_code(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 64
        && text.starts_with(letter)
        && text.chars().all(|c| letter(c) || "._-".contains(c))
}

/// What to do with what was found: a setting, `redact`, `deny` or `report`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Replace it.
    #[default]
    Redact,
    /// Deny the request, or end the answer.
    Deny,
    /// Report it and change nothing.
    Report,
}

/// A finder whose kinds have names.
pub trait Named: Finder {
    /// How many kinds there are: they count from 0.
    fn kinds(&self) -> usize;

    /// A kind's name, for findings and denials, as in `email`: behind [`Terms::finding`] it is a code, so where an operator chooses it, it matches
    /// `[a-z0-9][a-z0-9._-]{0,39}`. Several kinds may have one. It never tells a value.
    fn name(&self, kind: usize) -> &str;

    /// What a match becomes where only a name can stand, with a number behind it: `EMAIL_1`. Letters, digits, `_` and `-`.
    fn label(&self, kind: usize) -> &str {
        let _ = kind;
        "REDACTED"
    }
}

/// What a policy says of whatever it finds.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The code of its denials: `secret`.
    pub denial: &'static str,
    /// What goes before a kind's name in the code of a finding: `secrets.`. At most 24 bytes: a code has 64, and a name may have 40.
    pub finding: &'static str,
    /// What a denial's message calls it all: `secrets`.
    pub things: &'static str,
}

/// A finder, and what is done with what it finds: most of a policy that keeps something out of requests and answers.
///
/// Each kind that was found is reported under its name, with a detail that says where. A denial has the names, and no value.
///
/// ```
/// use witgate_policy::prelude::*;
/// use witgate_policy::redact::{Action, Finder, Guard, Named, Scan, Terms, View, Words};
/// # use witgate_policy::{serde_json::json, testing};
///
/// #[derive(Deserialize)]
/// # #[serde(crate = "witgate_policy::serde")]
/// struct Settings {
///     names: Vec<String>,
///     action: Action,
/// }
///
/// #[derive(Clone)]
/// struct Discreet {
///     guard: Guard<Words>,
/// }
///
/// impl Policy for Discreet {
///     type Settings = Settings;
///
///     fn new(settings: Settings) -> Result<Self, String> {
///         let names = Words::new(settings.names, "[NAME]");
///         let terms = Terms { denial: "name", finding: "names.", things: "names" };
///         let guard = Guard::new(names, settings.action, terms);
///         Ok(Discreet { guard })
///     }
///
///     fn on_request(&mut self) -> Verdict {
///         self.guard.on_request()
///     }
///
///     fn on_answer(&mut self, _choice: u32, channel: &Channel) -> Option<Box<dyn Passage<Self>>> {
///         let redactor = self.guard.redactor(channel);
///         Some(Box::new(redactor.telling(|policy: &mut Self, counts| policy.guard.found(counts))))
///     }
/// }
///
/// # let policy = testing::configure::<Discreet>(json!({"names": ["lynx"], "action": "redact"}))?;
/// # assert_eq!(policy.every_chunking("A lynx.").text, "A [NAME].");
/// # let policy = testing::configure::<Discreet>(json!({"names": ["lynx"], "action": "deny"}))?;
/// # let denial = policy.every_chunking("A lynx.").denial.unwrap();
/// # assert_eq!(denial.message, "the answer contains names: word");
/// # Ok::<(), String>(())
/// ```
#[derive(Debug)]
pub struct Guard<F> {
    finder: Rc<F>,
    action: Action,
    terms: Terms,
    /// What was found in the answer, by kind.
    found: Vec<u32>,
}

/// The clones share the finder.
impl<F> Clone for Guard<F> {
    fn clone(&self) -> Self {
        Guard {
            finder: Rc::clone(&self.finder),
            action: self.action,
            terms: self.terms,
            found: self.found.clone(),
        }
    }
}

impl<F: Named> Guard<F> {
    /// Does this with what the finder finds.
    ///
    /// # Panics
    ///
    /// Where the prefix of findings has more than 24 bytes, the prefix and a kind's name are no code of a finding, or the denial's code is none. So that is known when the policy is configured, and not with the first match.
    pub fn new(finder: F, action: Action, terms: Terms) -> Self {
        assert!(
            terms.finding.len() <= PREFIX,
            "`{}` goes before names in findings, and has more than {PREFIX} bytes",
            terms.finding
        );
        assert!(
            is_code(terms.denial),
            "`{}` is the code of denials, and doesn't match {CODE}",
            terms.denial
        );
        for kind in 0..finder.kinds() {
            let code = format!("{}{}", terms.finding, finder.name(kind));
            assert!(
                is_code(&code),
                "`{code}` would be the code of findings of kind {kind}, and doesn't match {CODE}: give that kind another name"
            );
        }
        Guard {
            finder: Rc::new(finder),
            action,
            terms,
            found: Vec::new(),
        }
    }

    /// The finder.
    pub fn finder(&self) -> &F {
        &self.finder
    }

    /// Looks at every string of the request that a model may be shown ([`redact_request`]), and does what the action says.
    pub fn on_request(&self) -> Verdict {
        let changes = self.action == Action::Redact;
        let done = redact_request(&self.finder, changes, &|kind| self.finder.label(kind));
        self.report(&done.counts, "in the request");
        match self.action {
            Action::Deny if self.acts_on(&done.counts) => {
                self.denial(&done.counts, "the request contains").into()
            }
            Action::Redact if done.is_stuck => {
                let place = "in a place where nothing else can be put, the request contains";
                self.denial(&done.counts, place).into()
            }
            _ => Verdict::Proceed,
        }
    }

    /// For a passage on this channel. Its policy hands what it [tells](Redactor::telling) to [`found`](Guard::found).
    pub fn redactor(&self, channel: &Channel) -> Redactor<Rc<F>> {
        let redactor = Redactor::new(Rc::clone(&self.finder), Form::of(channel));
        match self.action {
            Action::Report => redactor.watching(),
            Action::Redact | Action::Deny => redactor,
        }
    }

    /// Takes what was found in the answer. A denial, if the action says so.
    pub fn found(&mut self, counts: &[u32]) -> Option<Denial> {
        // At once, because an `on_complete` of another stage reads what was reported before it.
        self.report(counts, "in the answer");
        for (kind, times) in counts.iter().enumerate() {
            count(&mut self.found, kind, *times);
        }
        let denies = self.action == Action::Deny && self.acts_on(counts);
        denies.then(|| self.denial(&self.found, "the answer contains"))
    }

    /// Whether something was found that doesn't [stay](Finder::keeps) whatever the action is.
    fn acts_on(&self, counts: &[u32]) -> bool {
        let mut counts = counts.iter().enumerate();
        counts.any(|(kind, times)| *times > 0 && !self.finder.keeps(kind))
    }

    fn by_name(&self, counts: &[u32]) -> BTreeMap<&str, u32> {
        let mut names = BTreeMap::new();
        for (kind, times) in counts.iter().enumerate().filter(|(_, times)| **times > 0) {
            let sum: &mut u32 = names.entry(self.finder.name(kind)).or_default();
            *sum = sum.saturating_add(*times);
        }
        names
    }

    fn report(&self, counts: &[u32], place: &str) {
        for (name, times) in self.by_name(counts) {
            let code = format!("{}{name}", self.terms.finding);
            host::report(&Finding::new(code, times).with_detail(place));
        }
    }

    fn denial(&self, counts: &[u32], place: &str) -> Denial {
        let names: Vec<&str> = self.by_name(counts).into_keys().collect();
        let message = format!("{place} {}: {}", self.terms.things, names.join(", "));
        Denial::new(self.terms.denial, message)
    }
}

/// The hooks of a policy that looks at requests, answers or both, as its settings `requests` and `answers` say.
///
/// # Errors
///
/// A sentence for the operator where both are false.
pub fn hooks(requests: bool, answers: bool) -> Result<Hooks, String> {
    if !requests && !answers {
        return Err(
            "requests and answers are both false: nothing would be looked at. Leave one of them true, or take the stage out of the chain"
                .into(),
        );
    }
    let mut hooks = Hooks::empty();
    hooks.set(Hooks::ON_REQUEST, requests);
    hooks.set(Hooks::ON_ANSWER, answers);
    Ok(hooks)
}
