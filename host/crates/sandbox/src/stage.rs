//! A policy placed in the chain, in two halves: what loading makes, and what serving attaches to it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::component::digest;
use super::failure::Class;
use super::grants::{GrantBackends, HttpBackend, ScriptedReply};
use super::interest::Interest;
use super::least_entry::least_entry;
use super::outcome::Outcome;
use super::request::RequestView;
use super::reuse::IdleInstances;
use super::spec::StageSpec;
use super::spoken::PolicyPre;
use super::types::Hooks;
use witgate_config::{Isolation, Limits, Manifest, Mode, OnError};
use witgate_metrics::{Decisions, Hook, Metrics, StageMetrics};
use witgate_outbound::Outbound;

/// How an instance comes to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Instantiation {
    /// A copy of the configured snapshot.
    Snapshot,
    /// Configured anew each time: the component can't be snapshotted, for this reason.
    PerInstance(String),
}

/// What it took to make a stage of a component.
#[derive(Clone, Copy, Debug, Default)]
pub struct Making {
    /// How long `configure` ran.
    pub configure: Duration,
    /// How long the snapshot took, from the configured memory to bytes; nothing where there is none.
    pub snapshot: Duration,
    /// Bytes of the snapshot.
    pub snapshot_size: Option<usize>,
}

/// What loading makes of a component and a stage's configuration: configured once, ready to be copied. It never changes and is
/// shared by every [`Stage`] that is made of it.
pub struct Loaded {
    pub(super) spec: StageSpec,
    pub(super) pre: PolicyPre,
    pub(super) instantiation: Instantiation,
    pub(super) hooks: Hooks,
    pub(super) interest: Option<Arc<Interest>>,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) digest: String,
    pub(super) manifest: Option<Manifest>,
    pub(super) making: Making,
    pub(super) snapshot_digest: Option<String>,
    pub(super) is_slim: bool,
    /// Room for instances that wait for their next exchange, for all stages.
    pub(super) idle: Arc<Semaphore>,
}

impl Loaded {
    /// What it was loaded from.
    pub fn spec(&self) -> &StageSpec {
        &self.spec
    }

    /// The hooks that its configuration needs.
    pub fn hooks(&self) -> Hooks {
        self.hooks
    }

    /// What it looks out for; `None`: it is shown everything.
    pub fn interest(&self) -> Option<&Arc<Interest>> {
        self.interest.as_ref()
    }

    /// The policy's own name and version.
    pub fn policy(&self) -> (&str, &str) {
        (&self.name, &self.version)
    }

    /// The digest of the component.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What its author says of it.
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref()
    }

    /// What it took to make it.
    pub fn making(&self) -> &Making {
        &self.making
    }

    /// The digest of the configured snapshot, where there is one: equal for equal bytes and configuration.
    pub fn snapshot_digest(&self) -> Option<&str> {
        self.snapshot_digest.as_deref()
    }

    /// Whether that snapshot has no more to set up for each exchange than it needs.
    pub fn is_slim(&self) -> bool {
        self.is_slim
    }

    /// How its instances come to be.
    pub fn instantiation(&self) -> &Instantiation {
        &self.instantiation
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("spec", &self.spec)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// A stage as exchanges meet it. It never changes; an exchange keeps the stages of the chain it began with.
#[derive(Debug)]
pub struct Stage {
    loaded: Arc<Loaded>,
    mode: Mode,
    metrics: Arc<StageMetrics>,
    breaker: Option<Arc<Breaker>>,
    backends: GrantBackends,
    /// The digest of the samples that it was tested with.
    samples: Option<String>,
    /// Its instances that wait for their next exchange, where it reuses them.
    idle: Option<IdleInstances>,
    /// It is shown what doesn't interest it, too.
    sleepless: bool,
}

impl Stage {
    /// As it is tried before it serves: what it says is done, in shadow too; nobody reads what is counted of it, and nothing of
    /// what it does with its grants is kept.
    pub fn enforcing(loaded: Arc<Loaded>) -> Arc<Stage> {
        Arc::new(Stage::on_trial(loaded))
    }

    /// The same, with these replies to what it asks by the grant `http`. `sleepless`: it is shown everything, whatever it is interested in.
    pub fn scripted(
        loaded: Arc<Loaded>,
        replies: &Arc<[ScriptedReply]>,
        sleepless: bool,
    ) -> Arc<Stage> {
        let backends = GrantBackends {
            http: Some(HttpBackend::Script(replies.clone())),
            ..GrantBackends::default()
        };
        Arc::new(Stage {
            backends,
            sleepless,
            ..Stage::on_trial(loaded)
        })
    }

    fn on_trial(loaded: Arc<Loaded>) -> Stage {
        Stage {
            loaded,
            mode: Mode::Enforce,
            metrics: Arc::new(StageMetrics::unregistered()),
            breaker: None,
            backends: GrantBackends::default(),
            samples: None,
            idle: None,
            sleepless: false,
        }
    }

    /// As it serves: it counts there, and is given what it has grants for. `samples` is what it was tested with.
    pub fn attached(
        loaded: Arc<Loaded>,
        backends: &GrantBackends,
        metrics: &Metrics,
        samples: Option<&[u8]>,
    ) -> Arc<Stage> {
        let spec = &loaded.spec;
        let metrics = metrics.stage(&spec.id);
        let breaker = || Arc::new(Breaker::new(metrics.clone()));
        Arc::new(Stage {
            mode: spec.mode,
            breaker: spec.breaker.then(breaker),
            backends: backends.granted(&spec.grants),
            samples: samples.map(digest),
            idle: match spec.isolation {
                Isolation::Exchange => None,
                Isolation::Reused(rules) => Some(IdleInstances::new(rules, loaded.idle.clone())),
            },
            // In shadow what it says is only noted: so it is asked of everything, and its promise is put to the proof.
            sleepless: spec.mode == Mode::Shadow,
            metrics,
            loaded,
        })
    }

    /// What it was made of.
    pub fn loaded(&self) -> &Arc<Loaded> {
        &self.loaded
    }

    /// Its name in the chain.
    pub fn id(&self) -> &Arc<str> {
        &self.loaded.spec.id
    }

    /// What its failure means for the exchange.
    pub fn on_error(&self) -> OnError {
        self.loaded.spec.on_error
    }

    /// Whether what it says is recorded alone.
    pub fn is_shadow(&self) -> bool {
        self.mode == Mode::Shadow
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.loaded.spec.limits
    }

    /// The hooks that its configuration needs.
    pub fn hooks(&self) -> Hooks {
        self.loaded.hooks
    }

    /// What it looks out for, where it isn't called for anything else.
    pub fn interest(&self) -> Option<&Arc<Interest>> {
        self.loaded.interest().filter(|_| !self.sleepless)
    }

    /// Whether it asks the same hosts with the same secrets.
    pub fn asks_as(&self, http: Option<&Outbound>) -> bool {
        match &self.backends.http {
            Some(HttpBackend::Hosts(mine)) => http == Some(mine),
            _ => http.is_none(),
        }
    }

    /// Its breaker, where it has one.
    pub fn breaker(&self) -> Option<&Arc<Breaker>> {
        self.breaker.as_ref()
    }

    /// Its instances that wait for their next exchange, where it reuses them.
    pub(super) fn idle(&self) -> Option<&IdleInstances> {
        self.idle.as_ref()
    }

    /// What stands behind its grants.
    pub(super) fn backends(&self) -> &GrantBackends {
        &self.backends
    }

    /// It owed the journal an entry and failed: the host says so there in its place.
    pub fn owe_entry(
        &self,
        request: &dyn RequestView,
        outcome: &Outcome,
        (hook, class): (Hook, Class),
    ) {
        if let Some(journal) = &self.backends.journal {
            let failed = (hook.as_str(), class.as_str());
            journal.owe(least_entry(self.id(), request, Some(outcome), failed));
        }
    }

    /// Its counters.
    pub fn metrics(&self) -> &Arc<StageMetrics> {
        &self.metrics
    }

    /// Where its verdicts and edits are counted: apart in shadow, so that what was really denied stays plain.
    pub fn decisions(&self) -> &Decisions {
        match self.mode {
            Mode::Enforce => &self.metrics.decisions,
            Mode::Shadow => &self.metrics.shadow_decisions,
        }
    }

    /// Whether this is what that configuration and that component would make, tested with those samples.
    pub fn is_built_from(
        &self,
        spec: &StageSpec,
        component: &[u8],
        samples: Option<&[u8]>,
    ) -> bool {
        self.loaded.spec == *spec
            && self.loaded.digest == digest(component)
            && self.samples == samples.map(digest)
    }
}
