//! Going back to the chain that ran before: when an operator says so, or by itself while a new chain is on probation.
//!
//! There is one step back and no other: what was left is not offered again, so asking twice can't bring it back.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::{Either, select, select_all};

use super::Gateway;
use super::live::{Blueprint, Live};
use super::reload::{Content, ReloadError};
use super::swap::Desk;

/// A chain that can come back: everything it is built from, kept in memory.
#[derive(Clone)]
pub(super) struct Before {
    blueprint: Arc<Blueprint>,
    content: Content,
    /// The name under which it ran.
    pub(super) chain: String,
}

impl Before {
    pub(super) fn new(live: &Live, content: Content) -> Self {
        Before {
            blueprint: live.blueprint().clone(),
            content,
            chain: live.name().to_owned(),
        }
    }
}

/// The last time that a chain gave way to the one before it, for `/status`.
#[derive(Clone, Debug)]
pub(super) struct LastRollback {
    pub(super) at: SystemTime,
    /// The chain that was left.
    pub(super) from: String,
    /// The chain that runs instead, under its new name.
    pub(super) to: String,
    pub(super) why: String,
}

impl Gateway {
    /// Goes back to the chain that ran before, under a new generation. The files stay as they are: they are loaded again when one of them
    /// changes, or when an operator asks.
    ///
    /// # Errors
    /// There is none, or it can no longer be built (a key that is gone, say); the running chain stays.
    pub async fn roll_back(self: &Arc<Self>) -> Result<u64, ReloadError> {
        let mut desk = self.desk.lock().await;
        let live = self.go_back(&mut desk, "an operator asked for it").await?;
        self.workshop.metrics.rollbacks_asked.inc();
        Ok(live.generation().number())
    }

    async fn go_back(
        self: &Arc<Self>,
        desk: &mut Desk,
        why: &str,
    ) -> Result<Arc<Live>, ReloadError> {
        let before = self.before.lock().clone();
        let Some(Before {
            blueprint, content, ..
        }) = before
        else {
            return Err(ReloadError::NothingBefore);
        };
        let (left, live) = self.swap(desk, blueprint, content).await?;
        *self.before.lock() = None;
        tracing::warn!(from = left.name(), to = live.name(), "rolled back: {why}");
        *self.last_rollback.lock() = Some(LastRollback {
            at: SystemTime::now(),
            from: left.name().to_owned(),
            to: live.name().to_owned(),
            why: why.to_owned(),
        });
        Ok(live)
    }

    /// Watches a new chain for as long as the configuration says, and goes back once if one of its stages fails too often.
    pub(super) fn put_on_probation(self: &Arc<Self>, live: &Live) {
        let Some(time) = live.config().reload.probation else {
            return;
        };
        let tripped = trip(live);
        let (gateway, generation) = (Arc::downgrade(self), live.generation().number());
        tokio::spawn(async move {
            let over = pin!(tokio::time::sleep(time));
            match select(over, pin!(tripped)).await {
                Either::Left(_) => tracing::info!(generation, "the chain's probation is over"),
                Either::Right((stage, _)) => {
                    if let Some(gateway) = gateway.upgrade() {
                        gateway.end_probation(generation, &stage, time).await;
                    }
                }
            }
        });
    }

    async fn end_probation(self: &Arc<Self>, generation: u64, stage: &str, time: Duration) {
        let mut desk = self.desk.lock().await;
        if self.live.load().generation().number() != generation {
            // Another has taken its place already.
            return;
        }
        let why = format!(
            "stage `{stage}` failed in at least half of its exchanges within {} s of the change; mend what it runs on, or the policy",
            time.as_secs()
        );
        match self.go_back(&mut desk, &why).await {
            Ok(_) => {
                tracing::error!(
                    generation,
                    "the chain was on probation, and the one before it runs again: {why}"
                );
                self.workshop.metrics.rollbacks_on_probation.inc();
                // Whatever asks: these files are not tried again as they are.
                if let Some(tried) = &mut desk.tried {
                    tried.failed = Some(format!("it was rolled back: {why}"));
                }
            }
            Err(error) => tracing::error!(
                generation,
                "the chain should be rolled back and can't be: {why}; {error}"
            ),
        }
    }
}

/// Resolves when a stage's failure rate is passed, to its id; never, if none is counted. Not for one in shadow: it is on trial, and
/// the chain isn't.
fn trip(live: &Live) -> impl Future<Output = Arc<str>> + Send + 'static {
    let stages = live.chain().stages().iter();
    let counted: Vec<_> = stages
        .filter(|stage| !stage.is_shadow())
        .filter_map(|stage| Some((stage.id().clone(), stage.breaker()?.trips())))
        .map(|(id, mut trips)| {
            Box::pin(async move {
                if trips.changed().await.is_err() {
                    // The stage is gone, and its chain with it.
                    std::future::pending::<()>().await;
                }
                id
            })
        })
        .collect();
    async {
        match counted.is_empty() {
            true => std::future::pending().await,
            false => select_all(counted).await.0,
        }
    }
}
