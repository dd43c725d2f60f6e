//! Going back to the chain that ran before: when an operator asks, or without being asked while a new chain is on probation.
//!
//! There is one step back and no other: the chain that was left is not kept, so a second rollback can't bring it back.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select};

use super::Controller;
use super::fingerprint::Fingerprint;
use super::reload::ReloadError;
use super::swap::ReloadState;
use crate::config::{Mode, OnError, StageConfig};
use crate::generation::{BuildInputs, Generation, Probation};

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::gateway::rollback";

/// A chain that can come back: everything it is built from, kept in memory.
#[derive(Clone)]
pub(super) struct PreviousChain {
    inputs: Arc<BuildInputs>,
    fingerprint: Fingerprint,
    /// The name under which the chain ran.
    pub(super) chain: String,
}

impl PreviousChain {
    pub(super) fn new(generation: &Generation, fingerprint: Fingerprint) -> Self {
        PreviousChain {
            inputs: generation.inputs().clone(),
            fingerprint,
            chain: generation.name().to_owned(),
        }
    }
}

/// The last rollback, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastRollback {
    pub(super) at: SystemTime,
    /// The chain that was left.
    pub(super) from: String,
    /// The chain that runs instead, under its new name.
    pub(super) to: String,
    pub(super) why: String,
}

/// The last chain that failed on probation, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastProbation {
    pub(super) at: SystemTime,
    pub(super) chain: String,
    pub(super) stage: String,
    pub(super) why: String,
    /// Why it goes on all the same, if it does.
    pub(super) kept: Option<String>,
}

impl Controller {
    /// Goes back to the chain that ran before, under a new generation. The files stay as they are: they are loaded again when one of them
    /// changes, or when an operator asks.
    ///
    /// # Errors
    /// There is no chain to go back to, or it can no longer be built (because a key is gone, say). The running chain stays.
    pub async fn roll_back(self: &Arc<Self>) -> Result<u64, ReloadError> {
        let mut state = self.state.lock().await;
        let generation = self.go_back(&mut state, "an operator asked for it").await?;
        self.services.metrics.rollbacks_asked.inc();
        Ok(generation.number())
    }

    async fn go_back(
        self: &Arc<Self>,
        state: &mut ReloadState,
        why: &str,
    ) -> Result<Arc<Generation>, ReloadError> {
        let previous = self.previous.lock().clone();
        let Some(PreviousChain {
            inputs,
            fingerprint,
            ..
        }) = previous
        else {
            return Err(ReloadError::NothingBefore);
        };
        // Who was let in then and isn't now stays outside: a key is taken back for good.
        let inputs = Arc::new(inputs.with_clients_of(self.current().config()));
        let (left, now) = self.swap(state, inputs, fingerprint).await?;
        *self.previous.lock() = None;
        tracing::warn!(target: LOG, from = left.name(), to = now.name(), "rolled back: {why}");
        *self.last_rollback.lock() = Some(LastRollback {
            at: SystemTime::now(),
            from: left.name().to_owned(),
            to: now.name().to_owned(),
            why: why.to_owned(),
        });
        Ok(now)
    }

    /// Watches the stages that are new in a chain for as long as the configuration says. If one of them fails too often, it goes back,
    /// once.
    pub(super) fn put_on_probation(self: &Arc<Self>, before: &Generation, after: &Generation) {
        let Some(time) = after.config().reload.probation else {
            return;
        };
        let probation = Probation::new(watched(before, after));
        if !probation.watches() {
            return;
        }
        let failed = after.put_on(probation).failed();
        let stages = after.chain().stages().iter();
        let stages: Vec<_> = stages.map(|stage| stage.id().clone()).collect();
        let (controller, number) = (Arc::downgrade(self), after.number());
        tokio::spawn(async move {
            let over = pin!(tokio::time::sleep(time));
            match select(over, pin!(failed)).await {
                Either::Left(_) => {
                    tracing::info!(target: LOG, generation = number, "the chain's probation is over")
                }
                Either::Right((stage, _)) => {
                    if let Some(controller) = controller.upgrade() {
                        controller.end_probation(number, &stages[stage], time).await;
                    }
                }
            }
        });
    }

    async fn end_probation(self: &Arc<Self>, number: u64, stage: &str, time: Duration) {
        let mut state = self.state.lock().await;
        let failing = self.current();
        if failing.number() != number {
            // Another generation has taken its place already.
            return;
        }
        let why = format!(
            "stage `{stage}` failed in at least half of its exchanges within {} s of the change; mend what it runs on, or the policy",
            time.as_secs()
        );
        let kept = self.guards_lost(&failing).map(|lost| {
            format!("{why}. The chain before doesn't have the guard `{lost}`, so only an operator goes back to it: witgate rollback")
        });
        *self.last_probation.lock() = Some(LastProbation {
            at: SystemTime::now(),
            chain: failing.name().to_owned(),
            stage: stage.to_owned(),
            why: why.clone(),
            kept: kept.clone(),
        });
        if let Some(kept) = kept {
            tracing::error!(target: LOG, generation = number, "the chain was on probation, and goes on: {kept}");
            return;
        }
        match self.go_back(&mut state, &why).await {
            Ok(_) => {
                tracing::error!(
                    target: LOG,
                    generation = number,
                    "the chain was on probation, and the one before it runs again: {why}"
                );
                self.services.metrics.rollbacks_on_probation.inc();
                // From now on a reload of the same files is refused, even if an operator asks for it.
                if let Some(attempt) = &mut state.last_attempt {
                    attempt.failed = Some(format!("it was rolled back: {why}"));
                }
            }
            Err(error) => tracing::error!(
                target: LOG,
                generation = number,
                "the chain should be rolled back and can't be: {why}; {error}"
            ),
        }
    }

    /// A stage that guards exchanges now, and didn't in the chain before. A client that makes a policy fail must not be able to take it
    /// out of the chain.
    fn guards_lost(&self, now: &Generation) -> Option<String> {
        let previous = self.previous.lock();
        let before = &previous.as_ref()?.inputs.config.stages;
        let guarded = |stage: &&StageConfig| {
            before.iter().any(|known| {
                known.id == stage.id
                    && known.mode == Mode::Enforce
                    && (known.on_error == OnError::Deny || stage.on_error == OnError::Skip)
            })
        };
        let guards = now.config().stages.iter();
        let mut guards = guards.filter(|stage| stage.mode == Mode::Enforce);
        let lost = guards.find(|stage| !guarded(stage))?;
        Some(lost.id.clone())
    }
}

/// For each stage of the chain, whether it is new or changed. Stages in shadow don't count: such a stage is on trial itself, and nothing
/// of what it does reaches a client.
fn watched(before: &Generation, after: &Generation) -> Vec<bool> {
    let before = before.chain().stages();
    // What didn't change is the very same stage.
    let same = |stage| before.iter().any(|known| Arc::ptr_eq(known, stage));
    let after = after.chain().stages().iter();
    after
        .map(|stage| !stage.is_shadow() && !same(stage))
        .collect()
}
