//! What one instance knows of the exchange that it serves: the request, what it changed and reported, what it used up.
//!
//! What must stay true: everything that ends with the exchange is here and nothing else is, so that the instance is made ready
//! for another exchange by one assignment.

use std::sync::Arc;

use super::failure::{BadOutput, Misused};
use super::grants::GrantStates;
use super::limits::{Cpu, EDITS, OUTPUT, REPLACEMENT};
use super::outcome::Outcome;
use super::request::{Draft, RequestView};
use super::tool_names::ToolNames;
use super::types::Finding;

/// What the guest is in the middle of: it decides which imports it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HookPhase {
    /// Being instantiated or configured.
    Configure,
    /// `on-request`.
    Request,
    /// The constructor of `exchange`, and every hook of an answer.
    Answer,
    /// `on-complete`.
    Complete,
}

/// One exchange, as one stage may see and change it.
pub(super) struct ExchangeState {
    pub(super) phase: HookPhase,
    pub(super) cpu: Cpu,
    /// The request as the stages before made it. `None` while the component is configured for the snapshot.
    pub(super) request: Option<Arc<dyn RequestView>>,
    /// Of which tools the request has results, once that was asked for.
    tool_names: Option<ToolNames>,
    /// What `on-request` changed so far.
    pub(super) draft: Option<Box<dyn Draft>>,
    pub(super) outcome: Option<Arc<Outcome>>,
    pub(super) findings: Vec<Finding>,
    /// What it counted in the call under way.
    pub(super) counts: Vec<(String, u64)>,
    pub(super) tags: Vec<(String, String)>,
    /// Those of the stages before.
    pub(super) earlier_tags: Vec<(String, String)>,
    /// Tags that there were when the call under way began.
    tagged: usize,
    /// Headers for the client, each name once; of `on-request`, which is one call.
    pub(super) answer_headers: Vec<(String, String)>,
    /// Why choices of its response end, each choice once; of `on-request`.
    pub(super) response_finishes: Vec<(u32, String)>,
    /// What each grant keeps for the exchange.
    pub(super) grants: GrantStates,
    /// Bytes of text that the edits of this call bring.
    edited: usize,
    /// Changes of the request in this call.
    edits: usize,
    /// Lines that the guest logged or tried to.
    pub(super) lines: u32,
    /// The last line that it logged as an error, such as its panic's message and place.
    pub(super) last_error: Option<String>,
}

impl ExchangeState {
    /// Of an exchange about that request, before any call. Until the first one the guest may ask for nothing.
    pub(super) fn new(request: Arc<dyn RequestView>, cpu: Cpu, grants: GrantStates) -> Self {
        ExchangeState {
            request: Some(request),
            grants,
            ..ExchangeState::configuring(cpu)
        }
    }

    /// Of no exchange yet: the component is being configured.
    pub(super) fn configuring(cpu: Cpu) -> Self {
        ExchangeState {
            phase: HookPhase::Configure,
            cpu,
            request: None,
            tool_names: None,
            draft: None,
            outcome: None,
            findings: Vec::new(),
            counts: Vec::new(),
            tags: Vec::new(),
            earlier_tags: Vec::new(),
            tagged: 0,
            answer_headers: Vec::new(),
            response_finishes: Vec::new(),
            grants: GrantStates::default(),
            edited: 0,
            edits: 0,
            lines: 0,
            last_error: None,
        }
    }

    /// Begins a call in that phase: what an earlier one left undone is gone.
    pub(super) fn begin(&mut self, phase: HookPhase) {
        self.phase = phase;
        self.draft = None;
        self.edited = 0;
        self.edits = 0;
        self.tagged = self.tags.len();
        self.last_error = None;
    }

    /// The call failed: what it changed, tagged and put on the answer doesn't count. What it found does.
    pub(super) fn undo(&mut self) {
        self.draft = None;
        self.tags.truncate(self.tagged);
        self.answer_headers.clear();
        self.response_finishes.clear();
    }

    /// The request, for a guest that may read it.
    pub(super) fn request(&self) -> wasmtime::Result<&dyn RequestView> {
        match &self.request {
            Some(request) if self.phase != HookPhase::Configure => Ok(&**request),
            _ => Err(Misused("asked for the request while being configured".into()).into()),
        }
    }

    /// What later hooks read as the request.
    pub(super) fn set_request(&mut self, request: Arc<dyn RequestView>) {
        self.request = Some(request);
        self.tool_names = None;
    }

    /// The tool whose result that message of the request is, for a guest that may read it.
    pub(super) fn tool_of(&mut self, message: u32) -> wasmtime::Result<Option<String>> {
        if self.tool_names.is_none() {
            let request = self.request()?;
            let names = ToolNames::of(&request.messages(), |pointer| request.get(pointer));
            self.tool_names = Some(names);
        }
        let names = self.tool_names.as_ref();
        Ok(names.and_then(|names| names.get(message)).map(Into::into))
    }

    /// The changes under way, for a guest that may make another one which brings that many bytes.
    pub(super) fn draft(&mut self, bytes: usize) -> wasmtime::Result<&mut dyn Draft> {
        if self.edits >= EDITS {
            return Err(
                BadOutput(format!("it changes the request more than {EDITS} times")).into(),
            );
        }
        self.bring(bytes)?;
        self.edits += 1;
        Ok(self.begun())
    }

    /// The same, for a text in another's place: that costs the host what it brings, however large the request is, so nobody counts how
    /// often. A guard may have something to replace in every text that there is.
    pub(super) fn replacing(&mut self, bytes: usize) -> wasmtime::Result<&mut dyn Draft> {
        self.bring(bytes.saturating_add(REPLACEMENT))?;
        Ok(self.begun())
    }

    /// Makes sure that it may change the request now, and that so many bytes more aren't too many.
    fn bring(&mut self, bytes: usize) -> wasmtime::Result<()> {
        if self.phase != HookPhase::Request {
            return Err(Misused("changed the request outside of on-request".into()).into());
        }
        let request = self.request()?;
        let allowed = 2 * usize::try_from(request.texts_size()).unwrap_or(usize::MAX / 4) + OUTPUT;
        if self.edited.saturating_add(bytes) > allowed {
            let what = format!("its changes of the request bring more than {allowed} bytes");
            return Err(BadOutput(what).into());
        }
        if self.draft.is_none() {
            self.draft = Some(request.draft());
        }
        self.edited += bytes;
        Ok(())
    }

    fn begun(&mut self) -> &mut dyn Draft {
        &mut **self.draft.as_mut().expect("`bring` has begun one")
    }

    /// The outcome, for a guest that may read it.
    pub(super) fn outcome(&self) -> wasmtime::Result<&Outcome> {
        match &self.outcome {
            Some(outcome) if self.phase == HookPhase::Complete => Ok(outcome),
            _ => Err(Misused("asked for the outcome outside of on-complete".into()).into()),
        }
    }
}
