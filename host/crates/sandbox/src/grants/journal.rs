//! The grant `journal`: appending to the tamper-evident record.

use super::super::bindings::wit::journal as wit;
use super::super::failure::Misused;
use super::super::least_entry::least_entry;
use super::{Call, GrantCaller};
use witgate_journal::{Accepted, Entry, Journal};

/// Entries of one stage in one exchange.
const ENTRIES: u32 = 64;

/// The target of the lines here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::ctx";

/// Where entries go.
pub(super) type Backend = Journal;

/// What is kept for one exchange.
#[derive(Default)]
pub(crate) struct State {
    /// `None` where nothing is kept: in the self-test and in samples.
    journal: Option<Journal>,
    /// Entries that the guest wrote or tried to.
    entries: u32,
    /// One of them wasn't kept, and a least entry says so.
    owed: bool,
    /// Those that were accepted, and are on their way to the disk.
    accepted: Vec<Accepted>,
}

impl State {
    pub(super) fn new(backend: Option<&Backend>) -> Self {
        State {
            journal: backend.cloned(),
            entries: 0,
            owed: false,
            accepted: Vec::new(),
        }
    }
}

impl State {
    /// The entries that were accepted since this was last asked.
    pub(crate) fn take_accepted(&mut self) -> Vec<Accepted> {
        std::mem::take(&mut self.accepted)
    }
}

impl wit::Host for Call<'_, State> {
    async fn append(&mut self, entry: String) -> wasmtime::Result<Result<(), String>> {
        let GrantCaller {
            stage,
            request,
            outcome,
        } = self.caller;
        let Some(request) = request else {
            return Err(Misused("wrote to the journal while being configured".into()).into());
        };
        let journal = self.state.journal.as_ref();
        let mut owe = |class| {
            if let Some(journal) = journal
                && !std::mem::replace(&mut self.state.owed, true)
            {
                journal.owe(least_entry(stage, request, outcome, ("append", class)));
            }
        };
        self.state.entries += 1;
        if self.state.entries > ENTRIES {
            owe("too_many");
            return Ok(Err(format!(
                "an exchange takes no more than {ENTRIES} journal entries of one stage"
            )));
        }
        let Some(journal) = journal else {
            return Ok(Ok(()));
        };
        let entry = Entry {
            stage: stage.to_string(),
            request_id: request.id().into(),
            body: entry,
        };
        let failed = ("append", "not_written");
        let instead = least_entry(stage, request, outcome, failed);
        Ok(match journal.accept(entry, Some(instead)).await {
            Ok(accepted) => {
                self.state.accepted.push(accepted);
                Ok(())
            }
            Err(error) => {
                tracing::error!(
                    target: TARGET,
                    %stage, request = request.id(),
                    principal = request.principal(), team = request.team(), roles = request.roles_for_log(),
                    "a journal entry was not kept: {error}"
                );
                owe(error.class());
                // The error names the host's paths; the guest needs to know no more than this.
                Err("the journal could not take the entry".to_owned())
            }
        })
    }
}
