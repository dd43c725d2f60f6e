//! A stage's part in one exchange: its instance, where it stands, and what is kept of what it said.

use std::sync::Arc;

use super::passages::{Aborted, StageFailure, StageId};
use super::request::Asked;
use crate::config::OnError;
use crate::generation::ExchangeGuard;
use crate::metrics::Hook;
use crate::policy::types::{Denial, Edit, Finding, Hooks};
use crate::policy::{Class, Failure, Instance, Refused, Stage, Trial};

/// One stage, in this exchange.
pub(super) struct Part {
    pub(super) id: StageId,
    pub(super) stage: Arc<Stage>,
    pub(super) instance: Option<Instance>,
    /// What its breaker let in, and is told of a failure.
    pub(super) trial: Option<Trial>,
    pub(super) standing: Standing,
    pub(super) edited: bool,
    pub(super) denial: Option<Denial>,
    pub(super) findings: Vec<Finding>,
    /// In shadow: the choices that it denied. In earnest they would be over, so it is told no more of them.
    pub(super) ended: Vec<u32>,
    /// The first call that failed.
    pub(super) failure: Option<(Hook, Failure)>,
}

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
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

impl Part {
    /// Of an exchange that has not reached it.
    pub(super) fn new(index: usize, stage: &Arc<Stage>) -> Self {
        Part {
            id: StageId(index),
            stage: stage.clone(),
            instance: None,
            trial: None,
            standing: Standing::Unreached,
            edited: false,
            denial: None,
            findings: Vec::new(),
            ended: Vec::new(),
            failure: None,
        }
    }

    /// As in `x-witgate-policies`.
    pub(super) fn verdict(&self) -> String {
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

    pub(super) fn is_off(&self) -> bool {
        matches!(self.standing, Standing::Skipped(_) | Standing::Failed(_))
    }

    pub(super) fn wants(&self, hooks: Hooks) -> bool {
        self.stage.hooks().intersects(hooks)
    }

    /// The instance to call, made if there is none yet and if it may be called at all.
    pub(super) async fn called(
        &mut self,
        pin: &ExchangeGuard,
        request: &Arc<Asked>,
    ) -> Result<&mut Instance, Failure> {
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
    pub(super) fn sees_answer(&self) -> bool {
        let judges = matches!(self.standing, Standing::Unreached | Standing::Proceeded);
        judges && self.wants(Hooks::ON_ANSWER)
    }

    /// The instance, made if there is none yet.
    pub(super) async fn instance(
        &mut self,
        request: &Arc<Asked>,
    ) -> Result<&mut Instance, Failure> {
        if self.instance.is_none() {
            self.instance = Some(Instance::start(&self.stage, request.clone()).await?);
        }
        Ok(self.instance.as_mut().expect("it was just made"))
    }

    /// The instance, if there is something to tell it of that choice.
    pub(super) fn instance_of(&mut self, choice: u32) -> Option<&mut Instance> {
        if self.ended.contains(&choice) {
            return None;
        }
        self.instance.as_mut()
    }

    pub(super) fn denied(&mut self, denial: Denial) {
        self.standing = Standing::Denied;
        self.denial = Some(denial);
    }

    /// It said this of a text of that choice: what is to be done. In shadow it is noted, and everything goes as it came.
    pub(super) fn edit(&mut self, choice: u32, edit: Edit) -> Edit {
        self.edited |= matches!(edit, Edit::Replace(_));
        self.stage.decisions().edit(&edit);
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
    pub(super) fn collect(&mut self, tags: &mut Vec<(String, String)>) {
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
    pub(super) fn count_failure(&mut self, hook: Hook, failure: &Failure) {
        self.stage.metrics().failure(hook, failure.class.into());
        if failure.class.is_the_policys()
            && let Some(trial) = &mut self.trial
        {
            trial.fail();
        }
    }

    /// A call failed: what it means for the exchange. What it found still counts, and what it tagged in calls before.
    pub(super) fn failed(
        &mut self,
        hook: Hook,
        failure: &Failure,
        tags: &mut Vec<(String, String)>,
    ) -> StageFailure {
        self.collect(tags);
        self.count_failure(hook, failure);
        let (stage, class) = (&self.stage, failure.class);
        let (then, standing, effect) = match (stage.is_shadow(), stage.on_error()) {
            (true, _) => ("shadow", Standing::Failed(class), StageFailure::Skip),
            (false, OnError::Skip) => ("skip", Standing::Skipped(class), StageFailure::Skip),
            (false, OnError::Deny) => (
                "deny",
                Standing::Failed(class),
                StageFailure::Abort(Aborted(self.id)),
            ),
        };
        tracing::warn!(
            stage = %stage.id(), hook = hook.as_str(), %class, then,
            "a policy failed: {}", failure.message
        );
        self.instance = None;
        self.failure.get_or_insert_with(|| (hook, failure.clone()));
        self.standing = standing;
        effect
    }
}

/// The stage belongs to a chain whose time is over.
pub(super) fn drained() -> Failure {
    let what = "another chain has taken its place, and its time to drain is over";
    Failure::new(Class::Drained, what)
}
