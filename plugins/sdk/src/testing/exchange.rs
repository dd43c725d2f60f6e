//! One exchange of a policy under test: one stage, and the host's part of the contract.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::answer::Kept;
use super::http::Replier;
use super::imports::{Phase, State, check_code, within};
use super::interest::{Interest, Sleep};
use super::{Answer, Outcome, Request, StageState};
use crate::{
    Channel, Denial, Edit, Finding, Hooks, Level, Passage, Policy, Segment, Target, Verdict,
};

/// Choices that an answer may have.
const CHOICES: u32 = 128;

/// What an exchange left behind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// The journal's entries.
    pub journal: Vec<String>,
    /// The findings reported, in order. Of those of `on_complete` the host tells nobody: the accounts are written by then.
    pub findings: Vec<Finding>,
    /// What the policy counted, by its own names.
    pub counts: BTreeMap<String, u64>,
    /// What was logged.
    pub log: Vec<(Level, String)>,
    /// The tags put. Those of `on_complete` come too late for anyone.
    pub tags: Vec<(String, String)>,
}

impl Record {
    /// The journal's entries as JSON.
    pub fn entries(&self) -> Vec<Value> {
        let entries = self.journal.iter();
        entries
            .map(|entry| serde_json::from_str(entry).expect("append checks that it is JSON"))
            .collect()
    }
}

/// One exchange. Calls come in the host's order: the request, answers, the end.
pub struct Exchange<P> {
    policy: P,
    hooks: Hooks,
    state: State,
    passages: Vec<OpenPassage<P>>,
    denied: BTreeMap<u32, Denial>,
    /// The choices that it finished.
    finished: BTreeSet<u32>,
    deltas: u64,
    /// What the policy is shown: `None` for everything.
    interest: Option<Interest>,
    /// The same exchange, of a policy that is shown what interests it alone.
    twin: Option<Box<Exchange<P>>>,
}

struct OpenPassage<P> {
    choice: u32,
    channel: Channel,
    /// Not asked yet, declined, or at work.
    passage: Option<Option<Box<dyn Passage<P>>>>,
    kept: Kept,
    ended: bool,
    /// Of a policy that is shown what interests it alone.
    sleep: Option<Sleep>,
}

impl<P: Policy> Exchange<P> {
    pub(super) fn new(policy: P, hooks: Hooks, request: Request) -> Self {
        Self {
            policy,
            hooks,
            state: State {
                request,
                ..State::default()
            },
            passages: Vec::new(),
            denied: BTreeMap::new(),
            finished: BTreeSet::new(),
            deltas: 0,
            interest: None,
            twin: None,
        }
    }

    /// Who replies to what it asks.
    pub(super) fn replying(mut self, replier: &Replier) -> Self {
        self.state.replier = replier.clone();
        self
    }

    /// The policy is shown what matches this alone.
    pub(super) fn asleep(mut self, interest: Interest) -> Self {
        self.interest = Some(interest);
        self
    }

    /// The same must come of both.
    pub(super) fn with_twin(mut self, twin: Exchange<P>) -> Self {
        self.twin = Some(Box::new(twin));
        self
    }

    /// The twin, and what it is shown.
    fn twin(&mut self) -> Option<(&mut Exchange<P>, Interest)> {
        let twin = self.twin.as_mut()?;
        let interest = twin.interest.clone()?;
        Some((twin, interest))
    }

    /// Shows the policy the request. Its edits are made if it proceeds, and dropped if not.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault.
    pub fn on_request(&mut self) -> Verdict {
        let verdict = self.judge_request();
        let shown = self.state.request.clone();
        let headers = self.state.answer_headers.clone();
        if let Some((twin, interest)) = self.twin() {
            let said = twin.judge_request();
            interest.same_request((&verdict, &shown), (&said, &twin.state.request));
            assert_eq!(
                headers, twin.state.answer_headers,
                "the headers that it puts on the answer depend on texts in which its interest matches no word"
            );
        }
        verdict
    }

    fn judge_request(&mut self) -> Verdict {
        if !self.hooks.contains(Hooks::ON_REQUEST) {
            return Verdict::Proceed;
        }
        let interest = self.interest.as_ref();
        if interest.is_some_and(|interest| !interest.request(&self.state.request)) {
            return Verdict::Proceed;
        }
        let policy = &mut self.policy;
        let verdict = within(&mut self.state, Phase::Request, || policy.on_request());
        self.state.collect();
        let (draft, targets) = (self.state.draft.take(), self.state.targets.take());
        match &verdict {
            Verdict::Proceed => {
                let request = &mut self.state.request;
                if let Some(draft) = draft {
                    request.body = draft.commit();
                }
                if let Some(ids) = targets {
                    request.restrict_targets(&ids);
                }
            }
            Verdict::Deny(denial) => check_code("the denial's code", &denial.code),
            Verdict::Respond(deltas) => {
                let far = deltas.iter().find(|delta| delta.choice >= CHOICES);
                assert!(far.is_none(), "responded with a choice past the 128th");
            }
        }
        verdict
    }

    /// The request, as the policy made it.
    pub fn request(&self) -> &Request {
        &self.state.request
    }

    /// The targets that the request may go to, as the policy left them.
    pub fn targets(&self) -> &[Target] {
        &self.state.request.targets
    }

    /// The request's segments, as the policy made them.
    pub fn segments(&self) -> Vec<Segment> {
        self.state.request.segments()
    }

    /// The texts of the request's segments, as the policy made them.
    pub fn texts(&self) -> Vec<String> {
        self.segments()
            .into_iter()
            .map(|segment| segment.text)
            .collect()
    }

    /// Answers in choice 0 with these deltas of content, and finishes with `stop`. Without any, the answer is empty, or one of tool
    /// calls alone: the policy is told of its content, and of its end.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault.
    pub fn answer(&mut self, deltas: &[&str]) -> Answer {
        self.answer_on(0, Channel::Content, deltas, "stop")
    }

    /// Answers on one channel of a choice with these deltas, and ends the passage.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault.
    pub fn answer_on(
        &mut self,
        choice: u32,
        channel: Channel,
        deltas: &[&str],
        finish: &str,
    ) -> Answer {
        let passage = self.open(choice, channel);
        for delta in deltas {
            self.delta(passage, delta);
        }
        self.end(passage, finish)
    }

    /// Opens a passage, for tests that run several beside each other. The policy hears of it with the first delta.
    pub fn open(&mut self, choice: u32, channel: Channel) -> usize {
        if let Some(twin) = &mut self.twin {
            twin.open(choice, channel.clone());
        }
        let (named, arguments) = match &channel {
            Channel::ToolArguments(call) => (call.name.as_str(), true),
            _ => ("", false),
        };
        let sleeps = self
            .interest
            .as_ref()
            .is_some_and(|it| !it.word(named, true));
        self.passages.push(OpenPassage {
            choice,
            channel,
            passage: None,
            kept: Kept::new(),
            ended: false,
            sleep: sleeps.then(|| Sleep::new(arguments)),
        });
        self.passages.len() - 1
    }

    /// A delta of that passage. Empty text isn't delivered, except as the first delta of a tool call.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault.
    pub fn delta(&mut self, passage: usize, text: &str) {
        if let Some(twin) = &mut self.twin {
            twin.delta(passage, text);
        }
        let open = &mut self.passages[passage];
        assert!(!open.ended, "a delta after the passage's end");
        let opens_call =
            open.passage.is_none() && matches!(open.channel, Channel::ToolArguments(_));
        let is_over =
            self.denied.contains_key(&open.choice) || self.finished.contains(&open.choice);
        if is_over || (text.is_empty() && !opens_call) {
            return;
        }
        self.deltas += 1;
        if open.sleep.is_some() {
            self.wake(passage, Some(text));
        } else {
            self.show(passage, text);
        }
    }

    /// What of a text there is for a policy that sleeps, or at the end.
    fn wake(&mut self, passage: usize, text: Option<&str>) {
        let open = &mut self.passages[passage];
        let arguments = matches!(open.channel, Channel::ToolArguments(_));
        let (Some(sleep), Some(interest)) = (&mut open.sleep, &self.interest) else {
            return;
        };
        let parts = sleep.next(interest, text, arguments);
        if !parts.passes.is_empty() {
            open.kept.delta(&parts.passes, Edit::Forward);
        }
        if parts.shown.is_empty() {
            return;
        }
        let forwards = self.show(passage, &parts.shown);
        let open = &mut self.passages[passage];
        if let Some(sleep) = &mut open.sleep {
            sleep.said(forwards);
        }
    }

    /// Tells the policy of the channel, once.
    fn begin(&mut self, passage: usize) {
        let open = &mut self.passages[passage];
        if open.passage.is_some() {
            return;
        }
        let (policy, choice, channel) = (&mut self.policy, open.choice, &open.channel);
        let wanted = self.hooks.contains(Hooks::ON_ANSWER);
        let asked = wanted.then(|| {
            within(&mut self.state, Phase::Answer, || {
                policy.on_answer(choice, channel)
            })
        });
        open.passage = Some(asked.flatten());
    }

    /// Shows the policy a text and does what it says. Whether it let all go.
    fn show(&mut self, passage: usize, text: &str) -> bool {
        self.begin(passage);
        let (open, policy) = (&mut self.passages[passage], &mut self.policy);
        let edit = match open.passage.as_mut().and_then(Option::as_mut) {
            Some(at_work) => within(&mut self.state, Phase::Answer, || {
                at_work.on_delta(policy, text)
            }),
            None => Edit::Forward,
        };
        let forwards = edit == Edit::Forward;
        if matches!(edit, Edit::Finish(_)) {
            assert!(
                !matches!(open.channel, Channel::ToolArguments(_)),
                "it finished a choice in the arguments of a tool call, which would be broken off"
            );
            // Nothing more is asked of this one.
            open.passage = Some(None);
            open.sleep = None;
            self.finished.insert(open.choice);
        }
        if let Some(denial) = open.kept.delta(text, edit) {
            self.deny(passage, denial);
        }
        forwards
    }

    /// Ends that passage.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault: a hold has nothing to wait for here.
    pub fn end(&mut self, passage: usize, finish: &str) -> Answer {
        let answer = self.finish(passage, finish);
        if let Some((twin, interest)) = self.twin() {
            let other = twin.finish(passage, finish);
            interest.same_answer(&answer, &other);
        }
        answer
    }

    fn finish(&mut self, passage: usize, finish: &str) -> Answer {
        let open = &mut self.passages[passage];
        assert!(!open.ended, "the passage has ended already");
        let silent = open.passage.is_none() && open.channel == Channel::Content;
        if silent && open.sleep.is_none() && !self.denied.contains_key(&open.choice) {
            self.begin(passage);
        }
        let open = &mut self.passages[passage];
        if !self.denied.contains_key(&open.choice) {
            self.wake(passage, None);
        }
        let open = &mut self.passages[passage];
        open.ended = true;
        let policy = &mut self.policy;
        if let (Some(Some(at_work)), false) =
            (&mut open.passage, self.denied.contains_key(&open.choice))
        {
            let edit = within(&mut self.state, Phase::Answer, || {
                at_work.on_end(policy, finish)
            });
            match open.kept.end(edit) {
                Some(denial) => self.deny(passage, denial),
                None => assert!(
                    !(matches!(open.channel, Channel::ToolArguments(_)) && open.kept.broke_json()),
                    "the edits made a tool call's arguments something that is no JSON"
                ),
            }
        }
        let open = &mut self.passages[passage];
        open.kept.answer.finished = self.finished.contains(&open.choice);
        open.kept.finished(self.denied.get(&open.choice).cloned())
    }

    /// Ends the choice that this passage belongs to.
    fn deny(&mut self, passage: usize, denial: Denial) {
        check_code("the denial's code", &denial.code);
        let choice = self.passages[passage].choice;
        for open in self
            .passages
            .iter_mut()
            .filter(|open| open.choice == choice)
        {
            open.kept.drop_held();
        }
        self.denied.insert(choice, denial);
    }

    /// The headers that the policy put on what the client gets, by name in small letters.
    pub fn answer_headers(&self) -> &[(String, String)] {
        &self.state.answer_headers
    }

    /// The findings reported so far.
    pub fn findings(&self) -> &[Finding] {
        &self.state.findings
    }

    /// The tags put so far.
    pub fn tags(&self) -> &[(String, String)] {
        &self.state.tags
    }

    /// What was logged so far.
    pub fn log(&self) -> &[(Level, String)] {
        &self.state.log
    }

    /// The policy, as the exchange left it.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Lets every `journal::append` from here on fail with this sentence.
    pub fn fail_journal(&mut self, error: &str) {
        if let Some(twin) = &mut self.twin {
            twin.fail_journal(error);
        }
        self.state.journal_error = Some(error.into());
    }

    /// Lets the exchange find what others kept by the grants `counters` and `kv`, and keep what it does there.
    pub fn keep_in(&mut self, kept: &StageState) {
        if let Some(twin) = &mut self.twin {
            // It does the same a second time, which mustn't count.
            twin.keep_in(&kept.copy());
        }
        self.state.kept = kept.clone();
    }

    /// Ends the exchange.
    ///
    /// # Panics
    ///
    /// Where the host would find a fault.
    pub fn complete(mut self, outcome: Outcome) -> Record {
        let twin = self.twin.take();
        let denied = !self.denied.is_empty();
        let record = self.end_exchange(outcome.clone());
        if let Some(twin) = twin
            && let Some(interest) = twin.interest.clone()
            && !denied
        {
            interest.same_record(&record, &twin.end_exchange(outcome));
        }
        record
    }

    fn end_exchange(mut self, mut outcome: Outcome) -> Record {
        outcome.deltas += self.deltas;
        outcome.tags.extend(self.state.tags.iter().cloned());
        self.state.collect();
        self.state.outcome = Some(outcome);
        if self.hooks.contains(Hooks::ON_COMPLETE) {
            let policy = &mut self.policy;
            within(&mut self.state, Phase::Complete, || policy.on_complete());
        }
        let State {
            journal,
            findings,
            counts,
            log,
            tags,
            ..
        } = self.state;
        Record {
            journal,
            findings,
            counts,
            log,
            tags,
        }
    }
}
