//! The stages of an exchange, the one owner of the request, and what each stage said counts for.

use std::sync::Arc;

use super::entries::Entries;
use super::interest;
use super::passages::{Aborted, AnswerStages, HoldLimits, StageFailure, StageId};
use super::request::RequestState;
use super::stage_run::{Passage, RequestStep, Response, StageRun, Tags};
use crate::api::Turns;
use crate::generation::ExchangeGuard;
use crate::metrics::Hook;
use crate::policy::types::{Account, Denial, Edit, Hooks};
use crate::policy::{Class, Failure, Interest, Outcome, Stage};
use crate::wire::Channel;

/// Every stage of the chain, in this exchange.
pub(super) struct Stages {
    runs: Vec<StageRun>,
    /// The chain's order of answers.
    answers: Vec<StageId>,
    /// The stages that see the answer, in that order.
    order: Vec<StageId>,
    /// Whether any of these stages enforces what it says.
    enforcing: bool,
    /// The request as the stages so far have made it.
    request: Arc<RequestState>,
    tags: Tags,
    guard: ExchangeGuard,
}

/// What the stages decided of the request.
pub(super) enum RequestDecision {
    /// It goes upstream.
    Proceed,
    /// That stage denied it.
    Deny(StageId, Denial),
    /// A stage answers in the model's place.
    Respond(Response),
    /// A stage failed, and its `on_error` is deny.
    Failed(Aborted),
}

impl Stages {
    /// `answers`: indices into `stages`, in the order in which answers pass them.
    pub(super) fn new(
        stages: &[Arc<Stage>],
        answers: &[usize],
        guard: ExchangeGuard,
        request: Arc<RequestState>,
    ) -> Self {
        let ids = (0..).map(StageId);
        Stages {
            runs: ids
                .zip(stages)
                .map(|(id, stage)| StageRun::new(id, stage, &request.meta))
                .collect(),
            answers: answers.iter().copied().map(StageId).collect(),
            order: Vec::new(),
            enforcing: false,
            request,
            tags: Vec::new(),
            guard,
        }
    }

    /// The request as the stages so far have made it.
    pub(super) fn request(&self) -> &RequestState {
        &self.request
    }

    /// Takes the request through the stages in configured order, in turns where it is large. `gone`: whether the client has left.
    pub(super) async fn run_request(
        &mut self,
        turns: &Turns,
        gone: impl Fn() -> bool,
    ) -> RequestDecision {
        // Looked through for all of them at once, and again where one changed it.
        let mut found = None;
        for at in 0..self.runs.len() {
            if gone() {
                break;
            }
            let clear = self.runs[at].interest_in_request().is_some()
                && !found.get_or_insert_with(|| self.interesting(at))[at];
            let id = StageId(at);
            let step = self.runs[at]
                .request(&self.guard, &self.request, turns, &mut self.tags, clear)
                .await;
            match step {
                RequestStep::Proceed(None) => {}
                RequestStep::Proceed(Some(request)) => {
                    self.request = request;
                    found = None;
                }
                RequestStep::Deny(denial) => return RequestDecision::Deny(id, denial),
                RequestStep::Respond(response) => return RequestDecision::Respond(response),
                RequestStep::Aborted => return RequestDecision::Failed(Aborted(id)),
            }
        }
        RequestDecision::Proceed
    }

    /// For each stage, from that one on, whether there is something of its interest in the request.
    fn interesting(&self, from: usize) -> Vec<bool> {
        let runs = self.runs.iter().enumerate();
        let interests = runs.map(|(at, run)| run.interest_in_request().filter(|_| at >= from));
        interest::found(&self.request.body, interests)
    }

    /// The answer begins.
    pub(super) fn begin_answer(&mut self) {
        let order = self.answers.iter().copied();
        self.order = order.filter(|id| self.runs[id.0].sees_answer()).collect();
        let mut order = self.order.iter();
        self.enforcing = order.any(|id| !self.runs[id.0].stage().is_shadow());
        for (run, id) in self.runs.iter_mut().zip((0..).map(StageId)) {
            run.begin_answer(self.order.contains(&id), &self.request);
        }
    }

    /// Whether any stage wants to hear how it ended.
    pub(super) fn wants_completion(&self) -> bool {
        self.runs.iter().any(|run| run.wants(Hooks::ON_COMPLETE))
    }

    /// Counts what stages have found in the answer, where no stage is told of the end.
    pub(super) fn collect(&mut self) {
        for run in &mut self.runs {
            run.collect(&mut self.tags);
        }
    }

    /// The class of a stage's failure.
    pub(super) fn failed_as(&self, stage: StageId) -> Class {
        self.runs[stage.0].failed_as()
    }

    /// The first call of that stage that failed, and how.
    pub(super) fn first_failure(&self, stage: StageId) -> Option<&(Hook, Failure)> {
        self.runs[stage.0].first_failure()
    }

    /// The stages that were asked of something, by their place in the chain, and how each failed first, if it did.
    pub(super) fn called(&self) -> impl Iterator<Item = (usize, Option<Class>)> {
        let runs = self.runs.iter().enumerate();
        runs.filter_map(|(at, run)| {
            let failed = run.first_failure().map(|(_, failure)| failure.class);
            (run.was_asked() || failed.is_some()).then_some((at, failed))
        })
    }

    /// The value of `x-witgate-policies`: stage and verdict, in order. Empty without stages.
    pub(super) fn verdicts(&self) -> String {
        let mut text = String::new();
        for run in &self.runs {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(run.stage().id());
            text.push('=');
            text.push_str(&run.verdict());
        }
        text
    }

    /// What stages tagged so far.
    pub(super) fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// What stages put on what the client gets, in the chain's order.
    pub(super) fn answer_headers(&self) -> impl Iterator<Item = &(String, String)> {
        self.runs.iter().flat_map(StageRun::answer_headers)
    }

    /// What each stage did, for the outcome.
    pub(super) fn accounts(&mut self) -> Vec<Account> {
        let tags = &mut self.tags;
        let runs = self.runs.iter_mut();
        runs.map(|run| run.account(tags)).collect()
    }

    /// Tells every stage that wants it how the exchange ended, once.
    pub(super) async fn complete(&mut self, outcome: Outcome, turns: &Turns) {
        let outcome = Arc::new(outcome);
        for run in &mut self.runs {
            run.complete(&self.request, &outcome, turns).await;
        }
    }

    /// The exchange is over, but for what is on its way to the disk.
    pub(super) fn into_entries(self) -> Entries {
        let runs = self.runs.into_iter();
        Entries {
            request: self.request.meta.clone(),
            entries: runs.flat_map(StageRun::into_entries).collect(),
            _guard: self.guard,
        }
    }

    /// The stage that stands there in the order of answers, with what its calls need.
    fn at(&mut self, at: usize) -> (&mut StageRun, &ExchangeGuard, &Arc<RequestState>, &mut Tags) {
        let run = &mut self.runs[self.order[at].0];
        (run, &self.guard, &self.request, &mut self.tags)
    }
}

impl AnswerStages for Stages {
    type Passage = Passage;

    fn count(&self) -> usize {
        self.order.len()
    }

    fn may_change_answer(&self) -> bool {
        self.enforcing
    }

    fn stage(&self, at: usize) -> StageId {
        self.order[at]
    }

    fn name(&self, stage: StageId) -> &str {
        self.runs[stage.0].stage().id()
    }

    fn hold_limits(&self, at: usize) -> HoldLimits {
        let limits = self.runs[self.order[at].0].stage().limits();
        HoldLimits {
            bytes: limits.held_text,
            time: limits.held_time,
        }
    }

    fn interest(&self, at: usize, choice: u32) -> Option<Arc<Interest>> {
        let run = &self.runs[self.order[at].0];
        run.interest_in_answer(choice).cloned()
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<Passage>, StageFailure> {
        let (run, guard, request, tags) = self.at(at);
        run.open(guard, request, (choice, channel), tags).await
    }

    async fn on_delta(
        &mut self,
        at: usize,
        passage: &Passage,
        text: &str,
    ) -> Result<Edit, StageFailure> {
        let (run, guard, _, tags) = self.at(at);
        run.delta(guard, passage, text, tags).await
    }

    async fn on_end(
        &mut self,
        at: usize,
        passage: Passage,
        finish: &str,
    ) -> Result<Edit, StageFailure> {
        let (run, guard, _, tags) = self.at(at);
        run.end(guard, passage, finish, tags).await
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        let (run, _, _, tags) = self.at(at);
        let failure = Failure::new(Class::Output, why);
        run.failed(Hook::OnDelta, &failure, tags)
    }

    fn misused(&mut self, at: usize, why: String) -> StageFailure {
        let (run, _, _, tags) = self.at(at);
        let failure = Failure::new(Class::Misuse, why);
        run.failed(Hook::OnDelta, &failure, tags)
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        let (run, _, _, tags) = self.at(at);
        let what = "its edits made a tool call's arguments something that is no JSON";
        let failure = Failure::new(Class::Output, what);
        run.failed(Hook::OnEnd, &failure, tags)
    }

    fn denied(&mut self, stage: StageId, choice: u32, denial: &Denial) {
        self.runs[stage.0].denied(Some(choice), denial.clone());
    }
}
