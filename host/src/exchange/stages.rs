//! The stages of an exchange: their instances, and where each stands.
//!
//! An instance is made when the first hook that a stage wants is reached, and dropped as soon as it wants nothing more.

use std::sync::Arc;

use super::answer::{self, Fault, HoldLimits};
use super::request::Asked;
use crate::config::OnError;
use crate::gateway::Pin;
use crate::metrics::Hook;
use crate::policy::types::{Account, Channel, Denial, Edit, Finding, Hooks};
use crate::policy::{self, Class, Failure, Instance, Outcome, Refused, Requested, Stage, Trial};

/// Every stage of the chain, in this exchange.
pub(super) struct Stages {
    pub(super) runs: Vec<Run>,
    /// Stages that see the answer, by index in the chain, in the order of answers.
    order: Vec<usize>,
    /// Whether one of them is not in shadow.
    enforcing: bool,
    request: Arc<Asked>,
    tags: Vec<(String, String)>,
    /// The generation that the stages are of.
    pin: Pin,
}

/// One stage, in this exchange.
pub(super) struct Run {
    stage: Arc<Stage>,
    instance: Option<Instance>,
    /// What its breaker let in, and is told of a failure.
    trial: Option<Trial>,
    standing: Standing,
    edited: bool,
    denial: Option<Denial>,
    findings: Vec<Finding>,
    /// In shadow: the choices that it denied. In earnest they would be over, so it is told no more of them.
    ended: Vec<u32>,
    /// The first call that failed.
    failure: Option<(Hook, Failure)>,
}

/// A passage that a stage sees, and the choice that it is of.
pub(super) struct Passage {
    choice: u32,
    guest: policy::Passage,
}

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The exchange ended before it.
    Unreached,
    Proceeded,
    Responded,
    Denied,
    /// It failed, and the exchange went on without it.
    Skipped(Class),
    /// It failed, and the exchange ended; in shadow its own part in it.
    Failed(Class),
}

impl Run {
    /// As in `x-witgate-policies`.
    fn verdict(&self) -> String {
        let verdict = match self.standing {
            Standing::Unreached => return "unreached".into(),
            Standing::Proceeded if self.edited => "edit".into(),
            Standing::Proceeded => "proceed".into(),
            Standing::Responded => "respond".into(),
            Standing::Denied => "deny".into(),
            Standing::Skipped(class) => format!("skip:{class}"),
            Standing::Failed(class) => format!("error:{class}"),
        };
        match self.stage.is_shadow() {
            true => format!("shadow:{verdict}"),
            false => verdict,
        }
    }

    fn is_off(&self) -> bool {
        matches!(self.standing, Standing::Skipped(_) | Standing::Failed(_))
    }

    fn wants(&self, hooks: Hooks) -> bool {
        self.stage.hooks().intersects(hooks)
    }

    /// The instance to call, made if there is none yet and if it may be called at all.
    async fn called(&mut self, pin: &Pin, request: &Arc<Asked>) -> Result<&mut Instance, Failure> {
        if pin.is_expired() {
            return Err(drained());
        }
        if let (None, Some(breaker)) = (&self.trial, self.stage.breaker()) {
            let open =
                |Refused| Failure::new(Class::Breaker, "its breaker is open: it failed too often");
            self.trial = Some(breaker.admit().map_err(open)?);
        }
        self.instance(request).await
    }

    /// Whether it sees the answer. Not one that responded: it would be its own. Nor one that denied the request: it is in shadow,
    /// and in earnest there would be no answer.
    fn sees_answer(&self) -> bool {
        let judges = matches!(self.standing, Standing::Unreached | Standing::Proceeded);
        judges && self.wants(Hooks::ON_ANSWER)
    }

    /// The instance, made if there is none yet.
    async fn instance(&mut self, request: &Arc<Asked>) -> Result<&mut Instance, Failure> {
        if self.instance.is_none() {
            self.instance = Some(Instance::start(&self.stage, request.clone()).await?);
        }
        Ok(self.instance.as_mut().expect("it was just made"))
    }

    /// The instance, if there is something to tell it of that choice.
    fn instance_of(&mut self, choice: u32) -> Option<&mut Instance> {
        if self.ended.contains(&choice) {
            return None;
        }
        self.instance.as_mut()
    }

    fn denied(&mut self, denial: Denial) {
        self.standing = Standing::Denied;
        self.denial = Some(denial);
    }

    /// It said this of a text of that choice: what is to be done. In shadow it is noted, and everything goes as it came.
    fn edit(&mut self, choice: u32, edit: Edit) -> Edit {
        use crate::metrics::Edit as Counted;
        let counted = match &edit {
            Edit::Forward => Counted::Forward,
            Edit::Hold | Edit::HoldLast(_) => Counted::Hold,
            Edit::Replace(_) => {
                self.edited = true;
                Counted::Replace
            }
            Edit::Deny(_) => Counted::Deny,
        };
        self.stage.said().edit(counted);
        if !self.stage.is_shadow() {
            return edit;
        }
        if let Edit::Deny(denial) = edit {
            self.denied(denial);
            self.ended.push(choice);
        }
        Edit::Forward
    }

    /// Takes what the instance has found and tagged so far.
    fn collect(&mut self, tags: &mut Vec<(String, String)>) {
        let Some(instance) = &mut self.instance else {
            return;
        };
        let tagged = instance.take_tags();
        if !self.stage.is_shadow() {
            tags.extend(tagged);
        }
        for finding in instance.take_findings() {
            let same =
                |known: &&mut Finding| known.code == finding.code && known.detail == finding.detail;
            match self.findings.iter_mut().find(same) {
                Some(known) => known.count = known.count.saturating_add(finding.count),
                None => self.findings.push(finding),
            }
        }
    }

    /// Counts a failed call; its breaker hears of it, if it is the policy's doing.
    fn count_failure(&mut self, hook: Hook, failure: &Failure) {
        self.stage.metrics().failure(hook, failure.class.into());
        if failure.class.is_the_policys()
            && let Some(trial) = &mut self.trial
        {
            trial.fail();
        }
    }

    /// A call failed: what it means for the exchange. What it found still counts, and what it tagged in calls before.
    fn failed(&mut self, hook: Hook, failure: &Failure, tags: &mut Vec<(String, String)>) -> Fault {
        self.collect(tags);
        self.count_failure(hook, failure);
        let (stage, class) = (&self.stage, failure.class);
        let (then, standing, fault) = match (stage.is_shadow(), stage.on_error()) {
            (true, _) => ("shadow", Standing::Failed(class), Fault::Skip),
            (false, OnError::Skip) => ("skip", Standing::Skipped(class), Fault::Skip),
            (false, OnError::Deny) => ("deny", Standing::Failed(class), Fault::End(usize::MAX)),
        };
        tracing::warn!(
            stage = %stage.id(), hook = hook.as_str(), %class, then,
            "a policy failed: {}", failure.message
        );
        self.instance = None;
        self.failure.get_or_insert_with(|| (hook, failure.clone()));
        self.standing = standing;
        fault
    }
}

/// The stage belongs to a chain whose time is over.
fn drained() -> Failure {
    let what = "another chain has taken its place, and its time to drain is over";
    Failure::new(Class::Drained, what)
}

/// What the request phase came to.
pub(super) enum Judged {
    /// Send this upstream.
    Proceed(Arc<Asked>),
    /// That stage, by index, denied.
    Deny(usize, Denial),
    /// A stage answers in the model's place.
    Respond(Vec<crate::policy::types::Delta>),
    /// That stage failed, and its `on_error` is deny.
    Failed(usize),
}

impl Stages {
    pub(super) fn new(stages: &[Arc<Stage>], pin: Pin, request: Arc<Asked>) -> Self {
        let run = |stage: &Arc<Stage>| Run {
            stage: stage.clone(),
            instance: None,
            trial: None,
            standing: Standing::Unreached,
            edited: false,
            denial: None,
            findings: Vec::new(),
            ended: Vec::new(),
            failure: None,
        };
        Stages {
            runs: stages.iter().map(run).collect(),
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
        for index in 0..self.runs.len() {
            if gone() {
                break;
            }
            let run = &mut self.runs[index];
            run.standing = Standing::Proceeded;
            if !run.wants(Hooks::ON_REQUEST) {
                continue;
            }
            let requested = match run.called(&self.pin, &self.request).await {
                Ok(instance) => {
                    instance.show(self.request.clone());
                    instance
                        .on_request()
                        .await
                        .map_err(|failure| (Hook::OnRequest, failure))
                }
                Err(failure) => Err((Hook::New, failure)),
            };
            let Requested { verdict, request } = match requested {
                Ok(requested) => requested,
                Err((hook, failure)) => match run.failed(hook, &failure, &mut self.tags) {
                    Fault::Skip => continue,
                    Fault::End(_) => return Judged::Failed(index),
                },
            };
            run.collect(&mut self.tags);
            use crate::metrics::Verdict as Counted;
            use crate::policy::types::Verdict;
            let shadow = run.stage.is_shadow();
            let said = run.stage.said();
            match verdict {
                Verdict::Proceed => {
                    said.verdict(Counted::Proceed);
                    if let Some(view) = request {
                        run.edited = true;
                        if !shadow {
                            self.request = Asked::from_view(view);
                        }
                    }
                }
                Verdict::Deny(denial) => {
                    said.verdict(Counted::Deny);
                    run.denied(denial.clone());
                    if !shadow {
                        return Judged::Deny(index, denial);
                    }
                }
                Verdict::Respond(deltas) => {
                    said.verdict(Counted::Respond);
                    run.standing = Standing::Responded;
                    if !shadow {
                        return Judged::Respond(deltas);
                    }
                }
            }
            if !run.sees_answer() && !run.wants(Hooks::ON_COMPLETE) {
                run.instance = None;
            }
        }
        Judged::Proceed(self.request.clone())
    }

    /// The answer begins: who sees it, in the order of answers, which the chain gives by index.
    pub(super) fn begin_answer(&mut self, answers: &[usize]) {
        let order = answers.iter().copied();
        self.order = order
            .filter(|index| self.runs[*index].sees_answer())
            .collect();
        let mut order = self.order.iter();
        self.enforcing = order.any(|index| !self.runs[*index].stage.is_shadow());
        for index in &self.order {
            let run = &mut self.runs[*index];
            if run.standing == Standing::Unreached {
                run.standing = Standing::Proceeded;
            }
        }
        for run in &mut self.runs {
            if let Some(instance) = &mut run.instance {
                // From here on every stage reads the request as the whole chain made it.
                instance.show(self.request.clone());
            }
        }
    }

    /// Whether any stage sees the answer.
    pub(super) fn sees_answer(&self) -> bool {
        !self.order.is_empty()
    }

    /// Whether any stage that sees the answer may change it: one that is not in shadow.
    pub(super) fn may_change_answer(&self) -> bool {
        self.enforcing
    }

    /// Whether any stage wants to hear how it ended.
    pub(super) fn wants_completion(&self) -> bool {
        self.runs.iter().any(|run| run.wants(Hooks::ON_COMPLETE))
    }

    /// A stage denied a choice.
    pub(super) fn denied(&mut self, index: usize, denial: &Denial) {
        self.runs[index].denied(denial.clone());
    }

    /// Who denied, and why, when a denial is why the exchange ends: the last stage in the order of answers that did. Never one in
    /// shadow.
    pub(super) fn last_denial(&self) -> Option<(usize, &Denial)> {
        let mut order = self.order.iter().rev();
        order.find_map(|index| {
            let run = &self.runs[*index];
            let denial = run.denial.as_ref().filter(|_| !run.stage.is_shadow())?;
            Some((*index, denial))
        })
    }

    /// The stage's id and, where it failed, the class.
    pub(super) fn failure(&self, index: usize) -> (&str, Class) {
        let run = &self.runs[index];
        let class = match run.standing {
            Standing::Failed(class) | Standing::Skipped(class) => class,
            _ => Class::Host,
        };
        (run.stage.id(), class)
    }

    /// The first call of that stage that failed, and how.
    pub(super) fn first_failure(&self, index: usize) -> Option<&(Hook, Failure)> {
        self.runs[index].failure.as_ref()
    }

    /// A stage's id.
    pub(super) fn id(&self, index: usize) -> &Arc<str> {
        self.runs[index].stage.id()
    }

    /// The value of `x-witgate-policies`: stage and verdict, in order. Empty without stages.
    pub(super) fn verdicts(&self) -> String {
        let mut text = String::new();
        for run in &self.runs {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(run.stage.id());
            text.push('=');
            text.push_str(&run.verdict());
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
        let account = |run: &mut Run| {
            run.collect(tags);
            Account {
                stage: run.stage.id().to_string(),
                verdict: run.verdict(),
                denial: run.denial.clone(),
                findings: run.findings.clone(),
            }
        };
        self.runs.iter_mut().map(account).collect()
    }

    /// Tells every stage that wants it how the exchange ended, once. A stage whose instance was lost, or that was never reached,
    /// gets a fresh one.
    pub(super) async fn complete(&mut self, outcome: Outcome) {
        let outcome = Arc::new(outcome);
        for run in &mut self.runs {
            if !run.wants(Hooks::ON_COMPLETE) {
                run.instance = None;
                continue;
            }
            run.instance.take_if(|instance| instance.is_lost());
            if run.trial.is_none() && run.standing == Standing::Proceeded {
                // It wants no other hook, so it was not counted before. It hears of the end whatever its breaker says.
                run.trial = run.stage.breaker().and_then(|breaker| breaker.admit().ok());
            }
            let told = match run.instance(&self.request).await {
                Ok(instance) => {
                    instance.show(self.request.clone());
                    let told = instance.on_complete(outcome.clone()).await;
                    told.map_err(|failure| (Hook::OnComplete, failure))
                }
                Err(failure) => Err((Hook::New, failure)),
            };
            if let Err((hook, failure)) = told {
                run.count_failure(hook, &failure);
                tracing::error!(
                    stage = %run.stage.id(), request = %self.request.facts.id, class = %failure.class,
                    "on-complete failed and is not tried again: {}", failure.message
                );
                run.failure.get_or_insert((hook, failure));
            }
            run.instance = None;
        }
    }

    fn fault(&mut self, index: usize, hook: Hook, failure: &Failure) -> Fault {
        match self.runs[index].failed(hook, failure, &mut self.tags) {
            Fault::Skip => Fault::Skip,
            Fault::End(_) => Fault::End(index),
        }
    }
}

impl answer::Stages for Stages {
    type Passage = Passage;

    fn count(&self) -> usize {
        self.order.len()
    }

    fn index(&self, at: usize) -> usize {
        self.order[at]
    }

    fn hold_limits(&self, at: usize) -> HoldLimits {
        let limits = self.runs[self.order[at]].stage.limits();
        HoldLimits {
            bytes: limits.held_text,
            time: limits.held_time,
        }
    }

    async fn on_answer(
        &mut self,
        at: usize,
        choice: u32,
        channel: &Channel,
    ) -> Result<Option<Passage>, Fault> {
        let index = self.order[at];
        let run = &mut self.runs[index];
        if run.is_off() || run.ended.contains(&choice) {
            return Ok(None);
        }
        let opened = match run.called(&self.pin, &self.request).await {
            Ok(instance) => {
                let opened = instance.on_answer(choice, channel).await;
                opened.map_err(|failure| (Hook::OnAnswer, failure))
            }
            Err(failure) => Err((Hook::New, failure)),
        };
        match opened {
            Ok(guest) => Ok(guest.map(|guest| Passage { choice, guest })),
            Err((hook, failure)) => Err(self.fault(index, hook, &failure)),
        }
    }

    async fn on_delta(&mut self, at: usize, passage: &Passage, text: &str) -> Result<Edit, Fault> {
        let index = self.order[at];
        if self.pin.is_expired() {
            return Err(self.fault(index, Hook::OnDelta, &drained()));
        }
        let run = &mut self.runs[index];
        let Some(instance) = run.instance_of(passage.choice) else {
            return Ok(Edit::Forward);
        };
        match instance.on_delta(&passage.guest, text).await {
            Ok(edit) => Ok(run.edit(passage.choice, edit)),
            Err(failure) => Err(self.fault(index, Hook::OnDelta, &failure)),
        }
    }

    async fn on_end(&mut self, at: usize, passage: Passage, finish: &str) -> Result<Edit, Fault> {
        let index = self.order[at];
        if self.pin.is_expired() {
            return Err(self.fault(index, Hook::OnEnd, &drained()));
        }
        let run = &mut self.runs[index];
        let Some(instance) = run.instance_of(passage.choice) else {
            return Ok(Edit::Forward);
        };
        match instance.on_end(passage.guest, finish).await {
            Ok(edit) => Ok(run.edit(passage.choice, edit)),
            Err(failure) => Err(self.fault(index, Hook::OnEnd, &failure)),
        }
    }

    fn held_too_much(&mut self, at: usize, why: String) -> Fault {
        let failure = Failure::new(Class::Output, why);
        self.fault(self.order[at], Hook::OnDelta, &failure)
    }

    fn broke_arguments(&mut self, at: usize) -> Fault {
        let what = "its edits made a tool call's arguments something that is no JSON";
        let failure = Failure::new(Class::Output, what);
        self.fault(self.order[at], Hook::OnEnd, &failure)
    }
}
