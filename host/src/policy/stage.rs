//! A policy placed in the chain: configured once, ready to be copied for every exchange.

use std::sync::Arc;

use super::bindings::PolicyComponentWithAllGrantsPre;
use super::breaker::Breaker;
use super::component::digest;
use super::ctx::Ctx;
use super::types::Hooks;
use crate::config::{Grant, Limits, Mode, OnError, StageConfig};
use crate::journal::Journal;
use crate::metrics::{Metrics, Said, StageMetrics};

/// What the configuration says of a stage, as the sandbox needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Its name in the chain, in headers, metrics and logs.
    pub id: Arc<str>,
    /// What its failure means for the exchange.
    pub on_error: OnError,
    /// Whether it isn't called while it fails too often.
    pub breaker: bool,
    /// Whether its failures are counted as a breaker does: the chain may be on probation.
    pub counted: bool,
    /// Whether what it says is done.
    pub mode: Mode,
    /// What it may use.
    pub limits: Limits,
    /// What it may import beside the contract's own.
    pub grants: Vec<Grant>,
    /// Its own configuration, as JSON.
    pub settings: String,
    /// The digest that the component must have.
    pub pinned: Option<String>,
}

impl From<&StageConfig> for Plan {
    fn from(stage: &StageConfig) -> Self {
        Plan {
            id: stage.id.as_str().into(),
            on_error: stage.on_error,
            breaker: stage.breaker,
            counted: false,
            mode: stage.mode,
            limits: stage.limits.clone(),
            grants: stage.grants.clone(),
            settings: stage.settings.to_string(),
            pinned: stage.digest.clone(),
        }
    }
}

/// How an instance comes to be.
#[derive(Clone)]
pub enum Ready {
    /// A copy of the configured snapshot.
    Snapshot,
    /// Configured anew each time: the component can't be snapshotted, for this reason.
    PerInstance(String),
}

/// A loaded stage. It never changes; an exchange keeps the stages of the chain it began with.
#[derive(Clone)]
pub struct Stage {
    pub(super) plan: Plan,
    pub(super) pre: PolicyComponentWithAllGrantsPre<Ctx>,
    pub(super) ready: Ready,
    pub(super) hooks: Hooks,
    pub(super) journal: Option<Journal>,
    pub(super) breaker: Option<Arc<Breaker>>,
    pub(super) metrics: Arc<StageMetrics>,
    pub(super) all: Arc<Metrics>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: String,
    pub(super) snapshot_digest: Option<String>,
    /// The digest of the samples that it was tested with.
    pub(super) samples: Option<String>,
}

impl Stage {
    /// Its name in the chain.
    pub fn id(&self) -> &Arc<str> {
        &self.plan.id
    }

    /// What its failure means for the exchange.
    pub fn on_error(&self) -> OnError {
        self.plan.on_error
    }

    /// Whether what it says is recorded alone.
    pub fn is_shadow(&self) -> bool {
        self.plan.mode == Mode::Shadow
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.plan.limits
    }

    /// The hooks that its configuration needs.
    pub fn hooks(&self) -> Hooks {
        self.hooks
    }

    /// The policy's own name and version.
    pub fn policy(&self) -> (&str, &str) {
        (&self.name, &self.version)
    }

    /// The digest of the component.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The digest of the configured snapshot, where there is one: equal for equal bytes and configuration.
    pub fn snapshot_digest(&self) -> Option<&str> {
        self.snapshot_digest.as_deref()
    }

    /// How its instances come to be.
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Its breaker, where it has one or is counted as if it had.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.breaker.as_ref()
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<StageMetrics> {
        &self.metrics
    }

    /// Where what it says is counted: apart in shadow, so that what was really denied stays plain.
    pub fn said(&self) -> &Said {
        match self.plan.mode {
            Mode::Enforce => &self.metrics.said,
            Mode::Shadow => &self.metrics.said_in_shadow,
        }
    }

    /// The same stage as it serves: it counts there, and writes to the journal if it has the grant. `samples` is what it was
    /// tested with.
    pub fn attached(
        &self,
        journal: Option<Journal>,
        metrics: &Arc<Metrics>,
        samples: Option<&[u8]>,
    ) -> Arc<Stage> {
        let plan = &self.plan;
        let counted = metrics.stage(&plan.id);
        let breaker = || Arc::new(Breaker::new(plan.breaker, counted.clone()));
        Arc::new(Stage {
            journal: journal.filter(|_| plan.grants.contains(&Grant::Journal)),
            breaker: (plan.breaker || plan.counted).then(breaker),
            metrics: counted,
            all: metrics.clone(),
            samples: samples.map(digest),
            ..self.clone()
        })
    }

    /// The same stage as it would be out of shadow: what its samples say of it is what it does then.
    pub fn in_earnest(&self) -> Arc<Stage> {
        let mut stage = self.clone();
        stage.plan.mode = Mode::Enforce;
        Arc::new(stage)
    }

    /// Whether this is what that plan and that component would make, tested with those samples.
    pub fn is_built_from(&self, plan: &Plan, component: &[u8], samples: Option<&[u8]>) -> bool {
        self.plan == *plan
            && self.digest == digest(component)
            && self.samples == samples.map(digest)
    }

    /// The plan it was built from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage")
            .field("plan", &self.plan)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}
