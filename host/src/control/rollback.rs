//! Going back to the chain that ran before: when an operator asks, or without being asked while a new chain is on probation.
//!
//! There is one step back and no other: the chain that was left is not kept, so a second rollback can't bring it back.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select, select_all};

use super::Controller;
use super::fingerprint::Fingerprint;
use super::reload::ReloadError;
use super::swap::ReloadState;
use crate::generation::{BuildInputs, Generation};

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

    /// Watches a new chain for as long as the configuration says. If one of its stages fails too often, it goes back, once.
    pub(super) fn put_on_probation(self: &Arc<Self>, generation: &Generation) {
        let Some(time) = generation.config().reload.probation else {
            return;
        };
        let tripped = trip(generation);
        let (controller, number) = (Arc::downgrade(self), generation.number());
        tokio::spawn(async move {
            let over = pin!(tokio::time::sleep(time));
            match select(over, pin!(tripped)).await {
                Either::Left(_) => {
                    tracing::info!(target: LOG, generation = number, "the chain's probation is over")
                }
                Either::Right((stage, _)) => {
                    if let Some(controller) = controller.upgrade() {
                        controller.end_probation(number, &stage, time).await;
                    }
                }
            }
        });
    }

    async fn end_probation(self: &Arc<Self>, number: u64, stage: &str, time: Duration) {
        let mut state = self.state.lock().await;
        if self.current.load().number() != number {
            // Another generation has taken its place already.
            return;
        }
        let why = format!(
            "stage `{stage}` failed in at least half of its exchanges within {} s of the change; mend what it runs on, or the policy",
            time.as_secs()
        );
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
}

/// Resolves to the id of the first stage whose failure rate trips its breaker; never, if no stage is counted. Stages in shadow don't
/// count: such a stage is on trial itself, and nothing of what it does reaches a client.
fn trip(generation: &Generation) -> impl Future<Output = Arc<str>> + Send + 'static {
    let stages = generation.chain().stages().iter();
    let counted: Vec<_> = stages
        .filter(|stage| !stage.is_shadow())
        .filter_map(|stage| Some((stage.id().clone(), stage.breaker()?.trips())))
        .map(|(id, mut trips)| {
            Box::pin(async move {
                if trips.changed().await.is_err() {
                    // The stage was dropped, and its chain with it.
                    std::future::pending::<()>().await;
                }
                id
            })
        })
        .collect();
    async {
        if counted.is_empty() {
            std::future::pending().await
        } else {
            select_all(counted).await.0
        }
    }
}
