//! A generation that another has taken the place of: its exchanges finish on it, until its time to drain is over.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::generation::{ExchangeCounter, Generation};

/// The log target of what is said here. Filters name it, so it stays whatever this module is called.
const LOG: &str = "witgate::gateway::generation";

/// What is known of a generation that drains. It doesn't keep the generation alive: its exchanges do.
pub(super) struct Draining {
    pub(super) number: u64,
    pub(super) since: SystemTime,
    pub(super) chain: String,
    pub(super) exchanges: Arc<ExchangeCounter>,
    pub(super) deadline: Instant,
    generation: Weak<Generation>,
}

impl Draining {
    /// Begins the generation's time to drain. When it is over, the generation expires.
    pub(super) fn begin(generation: &Arc<Generation>, time: Duration) -> Self {
        let deadline = Instant::now() + time;
        let draining = Draining {
            number: generation.number(),
            since: generation.since(),
            chain: generation.name().to_owned(),
            exchanges: generation.exchanges().clone(),
            deadline,
            generation: Arc::downgrade(generation),
        };
        let (exchanges, chain) = (draining.exchanges.clone(), draining.chain.clone());
        tokio::spawn(async move {
            tokio::time::sleep_until(deadline).await;
            exchanges.expire();
            let exchanges = exchanges.running();
            if exchanges > 0 {
                tracing::warn!(
                    target: LOG,
                    chain,
                    exchanges,
                    "its time to drain is over: what is left of its exchanges goes on without its policies, or ends, as on_error says"
                );
            }
        });
        draining
    }

    /// Whether nobody holds anything of it any more.
    pub(super) fn is_gone(&self) -> bool {
        self.generation.strong_count() == 0
    }
}
