//! The stages of an exchange, and what each said counts for.
//!
//! An instance is made when the first hook that a stage wants is reached, and dropped as soon as it wants nothing more.

use std::sync::Arc;

use super::part::{Part, Standing, drained};
use super::passages::{Aborted, AnswerStages, HoldLimits, StageFailure, StageId};
use super::request::{Asked, channel as translated};
use crate::generation::ExchangeGuard;
use crate::metrics::Hook;
use crate::policy::types::{Account, Denial, Edit, Hooks};
use crate::policy::{self, Class, Failure, Outcome, Requested, Stage};
use crate::wire::Channel;

/// Every stage of the chain, in this exchange.
pub(super) struct Stages {
    pub(super) parts: Vec<Part>,
    /// Stages that see the answer, by index in the chain, in the order of answers.
    order: Vec<usize>,
    /// Whether one of them is not in shadow.
    enforcing: bool,
    request: Arc<Asked>,
    tags: Vec<(String, String)>,
    /// The generation that the stages are of.
    pin: ExchangeGuard,
}

/// A passage that a stage sees, and the choice that it is of.
pub(super) struct Passage {
    choice: u32,
    guest: policy::Passage,
}

/// What the request phase came to.
pub(super) enum Judged {
    /// Send this upstream.
    Proceed(Arc<Asked>),
    /// That stage, by index, denied.
    Deny(StageId, Denial),
    /// A stage answers in the model's place.
    Respond(Vec<crate::policy::types::Delta>),
    /// That stage failed, and its `on_error` is deny.
    Failed(StageId),
}

impl Stages {
    pub(super) fn new(stages: &[Arc<Stage>], pin: ExchangeGuard, request: Arc<Asked>) -> Self {
        Stages {
            parts: stages
                .iter()
                .enumerate()
                .map(|(index, stage)| Part::new(index, stage))
                .collect(),
            order: Vec::new(),
            enforcing: false,
            request,
            tags: Vec::new(),
            pin,
        }
    }

    /// Takes the request through the stages in configured order. Of what a stage in shadow says, nothing is done. `gone` tells when
    /// nobody waits any more.
    pub(super) async fn judge(&mut self, gone: impl Fn() -> bool) -> Judged {
        for index in 0..self.parts.len() {
            if gone() {
                break;
            }
            let part = &mut self.parts[index];
            part.standing = Standing::Proceeded;
            if !part.wants(Hooks::ON_REQUEST) {
                continue;
            }
            let requested = match part.called(&self.pin, &self.request).await {
                Ok(instance) => {
                    instance.set_request(self.request.clone());
                    instance
                        .on_request()
                        .await
                        .map_err(|failure| (Hook::OnRequest, failure))
                }
                Err(failure) => Err((Hook::New, failure)),
            };
            let Requested { verdict, request } = match requested {
                Ok(requested) => requested,
                Err((hook, failure)) => match part.failed(hook, &failure, &mut self.tags) {
                    StageFailure::Skip => continue,
                    StageFailure::Abort(Aborted(stage)) => return Judged::Failed(stage),
                },
            };
            part.collect(&mut self.tags);
            use crate::policy::types::Verdict;
            let shadow = part.stage.is_shadow();
            part.stage.decisions().verdict(&verdict);
            match verdict {
                Verdict::Proceed => {
                    if let Some(view) = request {
                        part.edited = true;
                        if !shadow {
                            self.request = Asked::from_view(view);
                        }
                    }
                }
                Verdict::Deny(denial) => {
                    part.denied(denial.clone());
                    if !shadow {
                        return Judged::Deny(part.id, denial);
                    }
                }
                Verdict::Respond(deltas) => {
                    part.standing = Standing::Responded;
                    if !shadow {
                        return Judged::Respond(deltas);
                    }
                }
            }
            if !part.sees_answer() && !part.wants(Hooks::ON_COMPLETE) {
                part.instance = None;
            }
        }
        Judged::Proceed(self.request.clone())
    }

    /// The answer begins: who sees it, in the order of answers, which the chain gives by index.
    pub(super) fn begin_answer(&mut self, answers: &[usize]) {
        let order = answers.iter().copied();
        self.order = order
            .filter(|index| self.parts[*index].sees_answer())
            .collect();
        let mut order = self.order.iter();
        self.enforcing = order.any(|index| !self.parts[*index].stage.is_shadow());
        for index in &self.order {
            let part = &mut self.parts[*index];
            if part.standing == Standing::Unreached {
                part.standing = Standing::Proceeded;
            }
        }
        for part in &mut self.parts {
            if let Some(instance) = &mut part.instance {
                // From here on every stage reads the request as the whole chain made it.
                instance.set_request(self.request.clone());
            }
        }
    }

    /// Whether any stage sees the answer.
    pub(super) fn sees_answer(&self) -> bool {
        !self.order.is_empty()
    }

    /// Whether any stage wants to hear how it ended.
    pub(super) fn wants_completion(&self) -> bool {
        self.parts.iter().any(|part| part.wants(Hooks::ON_COMPLETE))
    }

    /// Who denied, and why, when a denial is why the exchange ends: the last stage in the order of answers that did. Never one in
    /// shadow.
    pub(super) fn last_denial(&self) -> Option<(StageId, &Denial)> {
        let mut order = self.order.iter().rev();
        order.find_map(|index| {
            let part = &self.parts[*index];
            let denial = part.denial.as_ref().filter(|_| !part.stage.is_shadow())?;
            Some((part.id, denial))
        })
    }

    /// The stage's id and, where it failed, the class.
    pub(super) fn failure(&self, stage: StageId) -> (&str, Class) {
        let part = &self.parts[stage.0];
        let class = match part.standing {
            Standing::Failed(class) | Standing::Skipped(class) => class,
            _ => Class::Host,
        };
        (part.stage.id(), class)
    }

    /// The first call of that stage that failed, and how.
    pub(super) fn first_failure(&self, stage: StageId) -> Option<&(Hook, Failure)> {
        self.parts[stage.0].failure.as_ref()
    }

    /// A stage's id.
    pub(super) fn id(&self, stage: StageId) -> &Arc<str> {
        self.parts[stage.0].stage.id()
    }

    /// The value of `x-witgate-policies`: stage and verdict, in order. Empty without stages.
    pub(super) fn verdicts(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(part.stage.id());
            text.push('=');
            text.push_str(&part.verdict());
        }
        text
    }

    /// What stages tagged so far.
    pub(super) fn tags(&self) -> &[(String, String)] {
        &self.tags
    }

    /// What each stage did, for the outcome.
    pub(super) fn accounts(&mut self) -> Vec<Account> {
        let tags = &mut self.tags;
        let account = |part: &mut Part| {
            part.collect(tags);
            Account {
                stage: part.stage.id().to_string(),
                verdict: part.verdict(),
                denial: part.denial.clone(),
                findings: part.findings.clone(),
            }
        };
        self.parts.iter_mut().map(account).collect()
    }

    /// Tells every stage that wants it how the exchange ended, once. A stage whose instance was lost, or that was never reached,
    /// gets a fresh one.
    pub(super) async fn complete(&mut self, outcome: Outcome) {
        let outcome = Arc::new(outcome);
        for part in &mut self.parts {
            if !part.wants(Hooks::ON_COMPLETE) {
                part.instance = None;
                continue;
            }
            part.instance.take_if(|instance| instance.is_lost());
            if part.trial.is_none() && part.standing == Standing::Proceeded {
                // It wants no other hook, so it was not counted before. It hears of the end whatever its breaker says.
                part.trial = part
                    .stage
                    .breaker()
                    .and_then(|breaker| breaker.admit().ok());
            }
            let told = match part.instance(&self.request).await {
                Ok(instance) => {
                    instance.set_request(self.request.clone());
                    let told = instance.on_complete(outcome.clone()).await;
                    told.map_err(|failure| (Hook::OnComplete, failure))
                }
                Err(failure) => Err((Hook::New, failure)),
            };
            if let Err((hook, failure)) = told {
                part.count_failure(hook, &failure);
                tracing::error!(
                    stage = %part.stage.id(), request = %self.request.facts.id, class = %failure.class,
                    "on-complete failed and is not tried again: {}", failure.message
                );
                part.failure.get_or_insert((hook, failure));
            }
            part.instance = None;
        }
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
        StageId(self.order[at])
    }

    fn name(&self, stage: StageId) -> &str {
        self.id(stage)
    }

    fn denied(&mut self, stage: StageId, _choice: u32, denial: &Denial) {
        self.parts[stage.0].denied(denial.clone());
    }

    fn hold_limits(&self, at: usize) -> HoldLimits {
        let limits = self.parts[self.order[at]].stage.limits();
        HoldLimits {
            bytes: limits.held_text,
            time: limits.held_time,
        }
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel<'_>,
    ) -> Result<Option<Passage>, StageFailure> {
        let index = self.order[at];
        let part = &mut self.parts[index];
        if part.is_off() || part.ended.contains(&choice) {
            return Ok(None);
        }
        let opened = match part.called(&self.pin, &self.request).await {
            Ok(instance) => {
                let opened = instance.on_answer(choice, &translated(channel)).await;
                opened.map_err(|failure| (Hook::OnAnswer, failure))
            }
            Err(failure) => Err((Hook::New, failure)),
        };
        match opened {
            Ok(guest) => Ok(guest.map(|guest| Passage { choice, guest })),
            Err((hook, failure)) => Err(self.parts[index].failed(hook, &failure, &mut self.tags)),
        }
    }

    async fn on_delta(
        &mut self,
        at: usize,
        passage: &Passage,
        text: &str,
    ) -> Result<Edit, StageFailure> {
        let index = self.order[at];
        if self.pin.is_expired() {
            return Err(self.parts[index].failed(Hook::OnDelta, &drained(), &mut self.tags));
        }
        let part = &mut self.parts[index];
        let Some(instance) = part.instance_of(passage.choice) else {
            return Ok(Edit::Forward);
        };
        match instance.on_delta(&passage.guest, text).await {
            Ok(edit) => Ok(part.edit(passage.choice, edit)),
            Err(failure) => Err(self.parts[index].failed(Hook::OnDelta, &failure, &mut self.tags)),
        }
    }

    async fn on_end(
        &mut self,
        at: usize,
        passage: Passage,
        finish: &str,
    ) -> Result<Edit, StageFailure> {
        let index = self.order[at];
        if self.pin.is_expired() {
            return Err(self.parts[index].failed(Hook::OnEnd, &drained(), &mut self.tags));
        }
        let part = &mut self.parts[index];
        let Some(instance) = part.instance_of(passage.choice) else {
            return Ok(Edit::Forward);
        };
        match instance.on_end(passage.guest, finish).await {
            Ok(edit) => Ok(part.edit(passage.choice, edit)),
            Err(failure) => Err(self.parts[index].failed(Hook::OnEnd, &failure, &mut self.tags)),
        }
    }

    fn held_too_much(&mut self, at: usize, why: String) -> StageFailure {
        let failure = Failure::new(Class::Output, why);
        self.parts[self.order[at]].failed(Hook::OnDelta, &failure, &mut self.tags)
    }

    fn broke_arguments(&mut self, at: usize) -> StageFailure {
        let what = "its edits made a tool call's arguments something that is no JSON";
        let failure = Failure::new(Class::Output, what);
        self.parts[self.order[at]].failed(Hook::OnEnd, &failure, &mut self.tags)
    }
}
