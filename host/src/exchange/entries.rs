//! What is left of an exchange that is over: journal entries on their way to the disk. A journal writes in batches, so they take longer
//! than most exchanges, and there are many of them at once. Of each no more is kept than this, so that what an exchange
//! needs is soon another one's, and still in the processor's cache.

use std::sync::Arc;

use super::request::RequestMeta;
use crate::generation::ExchangeGuard;
use crate::metrics::Hook;
use crate::policy::{Accepted, Class, Stage};

/// Operators filter by this name: it stays, wherever the code lies.
const LOG: &str = "witgate::exchange::stages";

/// The entries of one exchange.
pub(super) struct Entries {
    pub(super) request: Arc<RequestMeta>,
    /// Each with the stage that wrote it.
    pub(super) entries: Vec<(Arc<Stage>, Accepted)>,
    /// The exchange isn't over before they are there.
    pub(super) _guard: ExchangeGuard,
}

impl Entries {
    /// Whether there is nothing to wait for.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Waits until they are on the disk. If the disk doesn't take one, the journal itself owes an entry in its place; here it is
    /// counted as the stage's failure.
    pub(super) async fn written(self) {
        let request = &self.request;
        for (stage, entry) in self.entries {
            if let Err(error) = entry.written().await {
                stage
                    .metrics()
                    .failure(Hook::OnComplete, Class::Host.into());
                tracing::error!(
                    target: LOG,
                    stage = %stage.id(), request = %request.id,
                    principal = request.principal(), team = request.team(), roles = request.roles(),
                    "a journal entry was not kept: {error}"
                );
            }
        }
    }
}
