//! One stage in one exchange: its instance, where it stands, and what is kept of what it said.
//!
//! The file is long because each call of a stage has its method here, beside what a failure of it means.

use std::pin::pin;
use std::sync::Arc;

use super::passages::{Aborted, FINISHED_A_CALL, StageFailure, StageId};
use super::request::{RequestMeta, RequestState};
use super::stage_status::{StageStatus, drained};
use super::translate::channel_for_policy;
use crate::api::Turns;
use crate::config::OnError;
use crate::generation::ExchangeGuard;
use crate::metrics::{Hook, VerdictKind};
use crate::policy::types::{Account, Delta, Denial, Edit, Finding, Hooks, Verdict};
use crate::policy::{
    self, Class, Failure, Instance, Interest, Outcome, Refused, Requested, Stage, Trial,
};
use crate::wire::{Channel, ChannelKey};

/// Operators filter by these names: they stay, wherever the code lies.
const LOG: &str = "witgate::exchange::part";
const LOG_COMPLETE: &str = "witgate::exchange::stages";

/// What the stages tagged so far, in order.
pub(super) type Tags = Vec<(String, String)>;

/// One stage, in this exchange.
pub(super) struct StageRun {
    id: StageId,
    stage: Arc<Stage>,
    /// Of the exchange: its id stands in every line of the log.
    request: Arc<RequestMeta>,
    instance: Option<Instance>,
    /// The breaker's admission of this exchange. It reports a failure to the breaker.
    trial: Option<Trial>,
    status: StageStatus,
    edited: bool,
    /// Its denial, and of which choice of the answer. Of several, that of the first choice.
    denial: Option<(Option<u32>, Denial)>,
    findings: Vec<Finding>,
    /// What it put on what the client gets, in `on-request`; nothing in shadow.
    answer_headers: Vec<(String, String)>,
    /// In shadow: the choices that it denied. Enforced, these choices would have ended, so no further deltas are delivered for them.
    ended: Vec<u32>,
    /// In shadow: the channels in which it finished their choice. Enforced, nothing more of them would have come to it.
    finished: Vec<(u32, ChannelKey)>,
    /// The first call that failed.
    failure: Option<(Hook, Failure)>,
    /// Journal entries that it wrote, on their way to the disk.
    entries: Vec<policy::Accepted>,
}

/// What a stage's verdict on the request means for the exchange. A stage in shadow always proceeds.
pub(super) enum RequestStep {
    /// The next stage's turn; with the request as this one made it, where it changed anything.
    Proceed(Option<Arc<RequestState>>),
    Deny(Denial),
    Respond(Response),
    Aborted,
}

/// An answer in the model's place.
pub(super) struct Response {
    pub(super) deltas: Vec<Delta>,
    /// Why choices end, by choice, where the stage said so.
    pub(super) finishes: Vec<(u32, String)>,
}

/// A passage that a stage sees, and the choice that it is of.
pub(super) struct Passage {
    choice: u32,
    channel: ChannelKey,
    guest: policy::Passage,
}

/// Asks for the verdict on a request of that weight, and puts what was changed into effect: in turns, where it is large.
async fn judge(
    instance: &mut Instance,
    weight: u64,
    turns: &Turns,
) -> Result<(Verdict, Option<Arc<RequestState>>), Failure> {
    let Requested { verdict, draft } = turns.run(weight, pin!(instance.on_request())).await?;
    let Some(draft) = draft else {
        return Ok((verdict, None));
    };
    match turns.aside(weight, || draft.commit()).await {
        Ok(changed) => Ok((verdict, Some(RequestState::from_view(changed)))),
        Err(why) => Err(instance.cannot_be_committed(&why)),
    }
}

impl StageRun {
    /// Of an exchange that has not reached it.
    pub(super) fn new(id: StageId, stage: &Arc<Stage>, request: &Arc<RequestMeta>) -> Self {
        StageRun {
            id,
            stage: stage.clone(),
            request: request.clone(),
            instance: None,
            trial: None,
            status: StageStatus::Unreached,
            edited: false,
            denial: None,
            findings: Vec::new(),
            answer_headers: Vec::new(),
            ended: Vec::new(),
            finished: Vec::new(),
            failure: None,
            entries: Vec::new(),
        }
    }

    pub(super) fn stage(&self) -> &Stage {
        &self.stage
    }

    /// The first call that failed, and how, in the guest's own words where it stopped itself: for samples, whose texts are nobody's.
    pub(super) fn first_failure(&self) -> Option<&(Hook, Failure)> {
        self.failure.as_ref()
    }

    /// Whether the exchange came to it, and had something for it.
    pub(super) fn was_asked(&self) -> bool {
        !matches!(self.status, StageStatus::Unreached | StageStatus::Clear)
    }

    /// The class of the failure for which the exchange goes on without the stage, or ended.
    pub(super) fn failed_as(&self) -> Class {
        self.status.class()
    }

    /// As in `x-witgate-policies`.
    pub(super) fn verdict(&self) -> String {
        self.status.verdict(self.edited, self.stage.is_shadow())
    }

    /// What it did, for the outcome.
    pub(super) fn account(&mut self, tags: &mut Tags) -> Account {
        self.collect(tags);
        Account {
            stage: self.stage.id().to_string(),
            verdict: self.verdict(),
            denial: self.denial.as_ref().map(|(_, denial)| denial.clone()),
            findings: self.findings.clone(),
        }
    }

    /// What it put on what the client gets, by name and value.
    pub(super) fn answer_headers(&self) -> &[(String, String)] {
        &self.answer_headers
    }

    pub(super) fn wants(&self, hooks: Hooks) -> bool {
        self.stage.hooks().intersects(hooks)
    }

    /// Whether the stage sees the answer. A stage that responded doesn't: the answer is its own. A stage in shadow that denied the
    /// request doesn't either: enforced, there would be no answer.
    pub(super) fn sees_answer(&self) -> bool {
        self.status.judges() && self.wants(Hooks::ON_ANSWER)
    }

    /// What it looks out for in requests, if it does; in shadow too.
    pub(super) fn interest_in_request(&self) -> Option<&Interest> {
        let interest = self.stage.loaded().interest();
        let interest = interest.filter(|_| self.wants(Hooks::ON_REQUEST));
        interest.map(|interest| &**interest)
    }

    /// What it looks out for in that choice of the answer, if it does and may be asked.
    pub(super) fn interest_in_answer(&self, choice: u32) -> Option<&Arc<Interest>> {
        let asked = !self.status.is_off() && !self.ended.contains(&choice);
        self.stage.interest().filter(|_| asked)
    }

    /// Asks for the verdict on the request. `clear`: there is nothing of its interest in it.
    pub(super) async fn request(
        &mut self,
        guard: &ExchangeGuard,
        request: &Arc<RequestState>,
        turns: &Turns,
        tags: &mut Tags,
        clear: bool,
    ) -> RequestStep {
        self.status = StageStatus::Proceeded;
        if !self.wants(Hooks::ON_REQUEST) {
            return RequestStep::Proceed(None);
        }
        if clear && self.stage.interest().is_some() {
            self.status = StageStatus::Clear;
            self.stage.decisions().verdict(VerdictKind::Clear);
            return RequestStep::Proceed(None);
        }
        let judged = match self.called(guard, request).await {
            Ok(instance) => {
                instance.set_request(request.clone());
                if !tags.is_empty() {
                    instance.set_earlier_tags(tags.clone());
                }
                let judged = judge(instance, request.weight(), turns).await;
                judged.map_err(|failure| (Hook::OnRequest, failure))
            }
            Err(failure) => Err((Hook::New, failure)),
        };
        let (verdict, request) = match judged {
            Ok(judged) => judged,
            Err((hook, failure)) => {
                return match self.failed(hook, &failure, tags) {
                    StageFailure::Skip => RequestStep::Proceed(None),
                    StageFailure::Abort(_) => RequestStep::Aborted,
                };
            }
        };
        self.collect(tags);
        let shadow = self.stage.is_shadow();
        let instance = self.instance.as_mut();
        let said = |instance: &mut Instance| {
            (
                instance.take_answer_headers(),
                instance.take_response_finishes(),
            )
        };
        let (headers, finishes) = instance.map(said).unwrap_or_default();
        let plain = matches!(verdict, Verdict::Proceed) && request.is_none() && headers.is_empty();
        if !shadow {
            self.answer_headers = headers;
        }
        if clear && !(plain && self.findings.is_empty()) {
            self.broke_promise("request");
        }
        let step = self.decided(verdict, request, finishes);
        let goes_on = shadow || matches!(step, RequestStep::Proceed(_));
        if goes_on
            && !self.sees_answer()
            && !self.wants(Hooks::ON_COMPLETE)
            && let Some(mut instance) = self.instance.take()
        {
            self.entries = instance.take_entries();
            instance.finish().await;
        }
        if shadow {
            RequestStep::Proceed(None)
        } else {
            step
        }
    }

    /// Notes the verdict and counts it.
    fn decided(
        &mut self,
        verdict: Verdict,
        changed: Option<Arc<RequestState>>,
        finishes: Vec<(u32, String)>,
    ) -> RequestStep {
        self.stage.decisions().verdict(&verdict);
        match verdict {
            Verdict::Proceed => {
                self.edited |= changed.is_some();
                RequestStep::Proceed(changed)
            }
            Verdict::Deny(denial) => {
                self.denied(None, denial.clone());
                RequestStep::Deny(denial)
            }
            Verdict::Respond(deltas) => {
                self.status = StageStatus::Responded;
                RequestStep::Respond(Response { deltas, finishes })
            }
        }
    }

    /// An answer begins. `sees`: whether the stage sees it. From here on it reads the request as the whole chain made it.
    pub(super) fn begin_answer(&mut self, sees: bool, request: &Arc<RequestState>) {
        if sees && self.status == StageStatus::Unreached {
            self.status = StageStatus::Proceeded;
        }
        if let Some(instance) = &mut self.instance {
            instance.set_request(request.clone());
        }
    }

    /// A channel of the answer begins. `None`: the stage doesn't see it.
    pub(super) async fn open(
        &mut self,
        guard: &ExchangeGuard,
        request: &Arc<RequestState>,
        (choice, channel): (u32, &Channel<'_>),
        tags: &mut Tags,
    ) -> Result<Option<Passage>, StageFailure> {
        if self.status.is_off() || self.ended.contains(&choice) {
            return Ok(None);
        }
        if self.status == StageStatus::Clear {
            // There is something for it after all.
            self.status = StageStatus::Proceeded;
        }
        let opened = match self.called(guard, request).await {
            Ok(instance) => {
                let channel = channel_for_policy(channel);
                let opened = instance.on_answer(choice, &channel).await;
                opened.map_err(|failure| (Hook::OnAnswer, failure))
            }
            Err(failure) => Err((Hook::New, failure)),
        };
        match opened {
            Ok(guest) => Ok(guest.map(|guest| Passage {
                choice,
                channel: channel.key(),
                guest,
            })),
            Err((hook, failure)) => Err(self.failed(hook, &failure, tags)),
        }
    }

    /// What it says of a delta.
    pub(super) async fn delta(
        &mut self,
        guard: &ExchangeGuard,
        passage: &Passage,
        text: &str,
        tags: &mut Tags,
    ) -> Result<Edit, StageFailure> {
        if guard.is_expired() {
            return Err(self.failed(Hook::OnDelta, &drained(), tags));
        }
        let Some(instance) = self.instance_of(passage) else {
            return Ok(Edit::Forward);
        };
        match instance.on_delta(&passage.guest, text).await {
            Ok(edit) => {
                let would_finish = self.stage.is_shadow() && matches!(edit, Edit::Finish(_));
                let edit = self.edit(passage.choice, edit);
                if would_finish && passage.channel.is_call() {
                    // Of a stage that enforces, that is found where its edits are carried out.
                    let failure = Failure::new(Class::Misuse, FINISHED_A_CALL);
                    return Err(self.failed(Hook::OnDelta, &failure, tags));
                }
                if would_finish {
                    self.finished.push((passage.choice, passage.channel));
                }
                Ok(edit)
            }
            Err(failure) => Err(self.failed(Hook::OnDelta, &failure, tags)),
        }
    }

    /// What it says at a passage's end.
    pub(super) async fn end(
        &mut self,
        guard: &ExchangeGuard,
        passage: Passage,
        finish: &str,
        tags: &mut Tags,
    ) -> Result<Edit, StageFailure> {
        if guard.is_expired() {
            return Err(self.failed(Hook::OnEnd, &drained(), tags));
        }
        let Some(instance) = self.instance_of(&passage) else {
            return Ok(Edit::Forward);
        };
        match instance.on_end(passage.guest, finish).await {
            Ok(edit) => Ok(self.edit(passage.choice, edit)),
            Err(failure) => Err(self.failed(Hook::OnEnd, &failure, tags)),
        }
    }

    /// Tells it how the exchange ended, if it wants to hear of it, and drops its instance. If it fails, the journal says so in the
    /// place of the entry that it may have owed. A stage whose instance was lost, or that
    /// was never reached, gets a fresh one.
    pub(super) async fn complete(
        &mut self,
        request: &Arc<RequestState>,
        outcome: &Arc<Outcome>,
        turns: &Turns,
    ) {
        if self.wants(Hooks::ON_COMPLETE)
            && let Err((hook, failure)) = self.tell_outcome(request, outcome, turns).await
        {
            self.count_failure(hook, &failure);
            tracing::error!(
                target: LOG_COMPLETE,
                stage = %self.stage.id(), request = %request.meta.id,
                principal = request.meta.principal(), team = request.meta.team(), roles = request.meta.roles(),
                class = %failure.class,
                "on-complete failed and is not tried again: {}", failure.message
            );
            self.stage
                .owe_entry(&**request, outcome, (hook, failure.class));
            let words = self.last_words();
            self.failure
                .get_or_insert_with(|| (hook, failure.with_last_words(words)));
        }
        // What it found now is in no account, and counts all the same.
        self.collect(&mut Tags::new());
        if let Some(mut instance) = self.instance.take() {
            self.entries = instance.take_entries();
            instance.finish().await;
        }
    }

    /// The journal entries that it wrote, each with itself.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (Arc<Stage>, policy::Accepted)> {
        let StageRun { stage, entries, .. } = self;
        entries.into_iter().map(move |entry| (stage.clone(), entry))
    }

    async fn tell_outcome(
        &mut self,
        request: &Arc<RequestState>,
        outcome: &Arc<Outcome>,
        turns: &Turns,
    ) -> Result<(), (Hook, Failure)> {
        self.instance.take_if(|instance| instance.is_lost());
        if self.trial.is_none()
            && matches!(self.status, StageStatus::Proceeded | StageStatus::Clear)
        {
            // No other hook was called, so it was not counted before. It hears of the end whatever its breaker says.
            let breaker = self.stage.breaker();
            self.trial = breaker.and_then(|breaker| breaker.admit().ok());
        }
        let instance = self.instance(request).await;
        let instance = instance.map_err(|failure| (Hook::New, failure))?;
        instance.set_request(request.clone());
        // What it reads now is the request, and what it kept of the answer.
        let weight = request.weight().max(outcome.sent_bytes);
        let told = instance.on_complete(outcome.clone());
        let told = turns.run(weight, pin!(told)).await;
        told.map_err(|failure| (Hook::OnComplete, failure))
    }

    /// A denial of its counts: of the request, or of that choice of the answer. Of several choices the first one's is kept: the
    /// order in which they are denied depends on how the answer was cut.
    pub(super) fn denied(&mut self, choice: Option<u32>, denial: Denial) {
        self.status = StageStatus::Denied;
        let earlier = self.denial.as_ref().is_some_and(|(of, _)| *of <= choice);
        if !earlier {
            self.denial = Some((choice, denial));
        }
    }

    /// It said this of a text of that choice: what is to be done. In shadow it is noted, and everything goes as it came.
    fn edit(&mut self, choice: u32, edit: Edit) -> Edit {
        let edits = matches!(
            edit,
            Edit::Replace(_) | Edit::ReplaceAndHoldLast(_) | Edit::Finish(_)
        );
        self.edited |= edits;
        self.stage.decisions().edit(&edit);
        if !self.stage.is_shadow() {
            return edit;
        }
        if let Edit::Deny(denial) = edit {
            self.denied(Some(choice), denial);
            self.ended.push(choice);
        }
        Edit::Forward
    }

    /// The instance to call, made if there is none yet and if it may be called at all.
    async fn called(
        &mut self,
        guard: &ExchangeGuard,
        request: &Arc<RequestState>,
    ) -> Result<&mut Instance, Failure> {
        if guard.is_expired() {
            return Err(drained());
        }
        if let (None, Some(breaker)) = (&self.trial, self.stage.breaker()) {
            let open =
                |Refused| Failure::new(Class::Breaker, "its breaker is open: it failed too often");
            self.trial = Some(breaker.admit().map_err(open)?);
        }
        self.instance(request).await
    }

    /// The instance, made if there is none yet.
    async fn instance(&mut self, request: &Arc<RequestState>) -> Result<&mut Instance, Failure> {
        if self.instance.is_none() {
            self.instance = Some(Instance::start(&self.stage, request.clone()).await?);
        }
        Ok(self.instance.as_mut().expect("it was just made"))
    }

    /// The instance, if there is something to tell it of that passage.
    fn instance_of(&mut self, passage: &Passage) -> Option<&mut Instance> {
        let channel = (passage.choice, passage.channel);
        if self.ended.contains(&passage.choice) || self.finished.contains(&channel) {
            return None;
        }
        self.instance.as_mut()
    }

    /// Takes what the instance has found and tagged so far.
    pub(super) fn collect(&mut self, tags: &mut Tags) {
        let Some(instance) = &mut self.instance else {
            return;
        };
        let tagged = instance.take_tags();
        if !self.stage.is_shadow() {
            tags.extend(tagged);
        }
        for finding in instance.take_findings() {
            self.stage.metrics().found(&finding.code, finding.count);
            let same =
                |known: &&mut Finding| known.code == finding.code && known.detail == finding.detail;
            match self.findings.iter_mut().find(same) {
                Some(known) => known.count = known.count.saturating_add(finding.count),
                None => self.findings.push(finding),
            }
        }
    }

    /// In shadow it was shown what its interest would have kept from it, and had something to say of it.
    fn broke_promise(&self, what: &str) {
        self.stage.metrics().broke_promise();
        tracing::warn!(
            target: LOG,
            stage = %self.stage.id(), request = %self.request.id,
            principal = self.request.principal(), team = self.request.team(), roles = self.request.roles(),
            "a policy acted on a {what} in which its interest matches no word; enforced, it would not have seen it: tell its author"
        );
    }

    /// What the instance logged last as an error.
    fn last_words(&mut self) -> Option<String> {
        self.instance.as_mut().and_then(Instance::take_last_words)
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

    /// A call failed: what it means for the exchange. What the stage found still counts, and what it tagged in calls before.
    pub(super) fn failed(
        &mut self,
        hook: Hook,
        failure: &Failure,
        tags: &mut Tags,
    ) -> StageFailure {
        self.collect(tags);
        self.count_failure(hook, failure);
        let (stage, class) = (&self.stage, failure.class);
        let (then, status, effect) = match (stage.is_shadow(), stage.on_error()) {
            (true, _) => ("shadow", StageStatus::Failed(class), StageFailure::Skip),
            (false, OnError::Skip) => ("skip", StageStatus::Skipped(class), StageFailure::Skip),
            (false, OnError::Deny) => {
                let aborted = StageFailure::Abort(Aborted(self.id));
                ("deny", StageStatus::Failed(class), aborted)
            }
        };
        tracing::warn!(
            target: LOG,
            stage = %stage.id(), request = %self.request.id,
            principal = self.request.principal(), team = self.request.team(), roles = self.request.roles(),
            hook = hook.as_str(), %class, then,
            "a policy failed: {}", failure.message
        );
        let words = self.last_words();
        self.instance = None;
        self.failure
            .get_or_insert_with(|| (hook, failure.clone().with_last_words(words)));
        self.status = status;
        effect
    }
}
