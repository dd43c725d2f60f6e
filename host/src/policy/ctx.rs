//! What stands behind a guest's imports: one exchange, as one stage may see and change it.

use std::borrow::Cow;
use std::sync::Arc;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::bindings::witgate::policy as wit;
use super::failure::{BadOutput, Misused};
use super::limits::{
    Cpu, EDITS, FINDINGS, HOST_HANDLES, JOURNAL_ENTRIES, LOG_LINE, LOG_LINES, MemoryLimit, TAGS,
};
use super::outcome::Outcome;
use super::request::{Draft, RequestView};
use super::types::{Account, Ending, Finding, Level, Role, Segment, Target, Tool, Usage};
use super::wasi::{Frozen, Printed};
use crate::journal::{Entry, Journal};

/// Bytes of a guest's words that a message of the host's repeats.
const SAID: usize = 4 << 10;
/// Bytes of a finding's detail; the rest is cut.
const DETAIL: usize = 1 << 10;

/// What the guest is in the middle of: it decides which imports it may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Configure,
    Request,
    Answer,
    Complete,
}

/// The data of a store.
pub(super) struct Ctx {
    wasi: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) memory: MemoryLimit,
    pub(super) cpu: Cpu,
    pub(super) phase: Phase,
    stage: Arc<str>,
    /// The request as the stages before made it.
    pub(super) request: Option<Arc<dyn RequestView>>,
    /// What `on-request` changed so far.
    pub(super) draft: Option<Box<dyn Draft>>,
    pub(super) outcome: Option<Arc<Outcome>>,
    pub(super) findings: Vec<Finding>,
    pub(super) tags: Vec<(String, String)>,
    /// Tags that there were when the call under way began.
    tagged: usize,
    /// `None` where nothing is kept: in the self-test and in samples.
    pub(super) journal: Option<Journal>,
    /// Entries that it wrote or tried to.
    journal_entries: u32,
    /// Bytes of text that the edits of this call bring.
    edited: usize,
    /// Changes of the request in this call.
    edits: usize,
    lines: u32,
}

impl Ctx {
    /// For an exchange: nothing of the outside but the clock, randomness, and a log for what it prints.
    pub(super) fn live(stage: &Arc<str>, memory: u64, cpu: Cpu, journal: Option<Journal>) -> Self {
        let printed = Printed::new(stage);
        let wasi = WasiCtxBuilder::new()
            .stdout(printed.clone())
            .stderr(printed)
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(64 << 10)
            .build();
        Ctx::new(wasi, stage, memory, cpu, journal)
    }

    /// For configuring: clocks stand still and randomness comes from the seed, so that the same bytes and the same
    /// configuration make the same snapshot.
    pub(super) fn frozen(stage: &Arc<str>, memory: u64, cpu: Cpu, seed: [u8; 32]) -> Self {
        let printed = Printed::new(stage);
        let wasi = WasiCtxBuilder::new()
            .stdout(printed.clone())
            .stderr(printed)
            .allow_tcp(false)
            .allow_udp(false)
            .max_random_size(64 << 10)
            .secure_random(Frozen::random(seed))
            .insecure_random(Frozen::random(seed))
            .insecure_random_seed(u128::from_le_bytes(
                *seed.first_chunk().expect("32 bytes hold 16"),
            ))
            .wall_clock(Frozen)
            .monotonic_clock(Frozen)
            .build();
        Ctx::new(wasi, stage, memory, cpu, None)
    }

    fn new(
        wasi: WasiCtx,
        stage: &Arc<str>,
        memory: u64,
        cpu: Cpu,
        journal: Option<Journal>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HOST_HANDLES);
        Ctx {
            wasi,
            table,
            memory: MemoryLimit::new(memory),
            cpu,
            phase: Phase::Configure,
            stage: stage.clone(),
            request: None,
            draft: None,
            outcome: None,
            findings: Vec::new(),
            tags: Vec::new(),
            tagged: 0,
            journal,
            journal_entries: 0,
            edited: 0,
            edits: 0,
            lines: 0,
        }
    }

    /// Begins a call in that phase: what an earlier one left undone is gone.
    pub(super) fn begin(&mut self, phase: Phase) {
        self.phase = phase;
        self.draft = None;
        self.edited = 0;
        self.edits = 0;
        self.tagged = self.tags.len();
    }

    /// The call failed: what it changed and tagged doesn't count. What it found does.
    pub(super) fn undo(&mut self) {
        self.draft = None;
        self.tags.truncate(self.tagged);
    }

    fn request(&self) -> wasmtime::Result<&dyn RequestView> {
        match &self.request {
            Some(request) if self.phase != Phase::Configure => Ok(&**request),
            _ => Err(Misused("asked for the request while being configured".into()).into()),
        }
    }

    /// The changes under way, and a bound on what they bring in.
    fn draft(&mut self, bytes: usize) -> wasmtime::Result<&mut dyn Draft> {
        if self.phase != Phase::Request {
            return Err(Misused("changed the request outside of on-request".into()).into());
        }
        let request = self.request()?;
        let allowed =
            2 * usize::try_from(request.size()).unwrap_or(usize::MAX / 4) + super::limits::OUTPUT;
        if self.edited.saturating_add(bytes) > allowed {
            let what = format!("its changes of the request bring more than {allowed} bytes");
            return Err(BadOutput(what).into());
        }
        if self.edits >= EDITS {
            return Err(
                BadOutput(format!("it changes the request more than {EDITS} times")).into(),
            );
        }
        let draft = match self.draft.is_some() {
            true => None,
            false => Some(request.draft()),
        };
        self.edited += bytes;
        self.edits += 1;
        Ok(&mut **self
            .draft
            .get_or_insert_with(|| draft.expect("made where there was none")))
    }

    fn outcome(&self) -> wasmtime::Result<&Outcome> {
        match &self.outcome {
            Some(outcome) if self.phase == Phase::Complete => Ok(outcome),
            _ => Err(Misused("asked for the outcome outside of on-complete".into()).into()),
        }
    }
}

/// Ids, codes and tags go into headers and metrics: `[a-z0-9][a-z0-9._-]{0,63}`.
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=64).contains(&bytes.len())
        && !matches!(bytes[0], b'.' | b'_' | b'-')
        && bytes
            .iter()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-'))
}

/// Text of a guest's, fit for a line of the log: a line break would begin a line that looks like the host's own.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut line = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        match char.is_control() && char != '\t' {
            true => line.extend(char.escape_default()),
            false => line.push(char),
        }
    }
    Cow::Owned(line)
}

/// Cuts a text of a guest's that is kept, and keeps no room for what was cut.
pub(super) fn cut(text: &mut String, bytes: usize) {
    text.truncate(text.floor_char_boundary(bytes));
    text.shrink_to_fit();
}

/// A guest's own words in a message of the host's: cut, and without control characters.
pub(super) fn said_by_guest(text: &str) -> String {
    printable(&text[..text.floor_char_boundary(SAID)]).into_owned()
}

impl WasiView for Ctx {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.wasi,
            table: &mut self.table,
        }
    }
}

impl wit::types::Host for Ctx {}

impl wit::request::Host for Ctx {
    fn id(&mut self) -> wasmtime::Result<String> {
        Ok(self.request()?.id().into())
    }

    fn endpoint(&mut self) -> wasmtime::Result<String> {
        Ok(self.request()?.endpoint().into())
    }

    fn model(&mut self) -> wasmtime::Result<String> {
        Ok(self.request()?.model().into())
    }

    fn principal(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.request()?.principal().map(Into::into))
    }

    fn received_at(&mut self) -> wasmtime::Result<u64> {
        Ok(self.request()?.received_at())
    }

    fn header(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.request()?.header(&name.to_ascii_lowercase()))
    }

    fn messages(&mut self) -> wasmtime::Result<Vec<Role>> {
        Ok(self.request()?.messages())
    }

    fn size(&mut self) -> wasmtime::Result<u64> {
        Ok(self.request()?.size())
    }

    fn segments(&mut self, first_message: u32) -> wasmtime::Result<Vec<Segment>> {
        Ok(self.request()?.segments(first_message))
    }

    fn replace_segment(&mut self, index: u32, text: String) -> wasmtime::Result<()> {
        let draft = self.draft(text.len())?;
        draft
            .replace_segment(index, text)
            .map_err(|why| Misused(why).into())
    }

    fn insert_message(
        &mut self,
        before: u32,
        role: Role,
        text: String,
    ) -> wasmtime::Result<Result<(), String>> {
        let draft = self.draft(text.len())?;
        Ok(draft.insert_message(before, role, text))
    }

    fn tools(&mut self) -> wasmtime::Result<Vec<Tool>> {
        Ok(self.request()?.tools())
    }

    fn get(&mut self, pointer: String) -> wasmtime::Result<Option<String>> {
        Ok(self.request()?.get(&pointer))
    }

    fn set(
        &mut self,
        pointer: String,
        json: Option<String>,
    ) -> wasmtime::Result<Result<(), String>> {
        let draft = self.draft(pointer.len() + json.as_ref().map_or(0, String::len))?;
        Ok(draft.set(&pointer, json.as_deref()))
    }

    fn targets(&mut self) -> wasmtime::Result<Vec<Target>> {
        Ok(self.request()?.targets())
    }

    fn restrict_targets(&mut self, ids: Vec<String>) -> wasmtime::Result<Result<(), String>> {
        let draft = self.draft(ids.iter().map(|id| size_of::<String>() + id.len()).sum())?;
        Ok(draft.restrict_targets(&ids))
    }

    fn tag(&mut self, key: String, value: String) -> wasmtime::Result<Result<(), String>> {
        self.request()?;
        if !is_name(&key) || !is_name(&value) {
            let what = "a tag's key and value must match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(BadOutput(what.into()).into());
        }
        if self.tags.len() >= TAGS {
            return Ok(Err(format!(
                "an exchange takes no more than {TAGS} tags of one stage"
            )));
        }
        self.tags.push((key, value));
        Ok(Ok(()))
    }
}

impl wit::outcome::Host for Ctx {
    fn ended(&mut self) -> wasmtime::Result<Ending> {
        Ok(self.outcome()?.ended)
    }

    fn model(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.outcome()?.model.clone())
    }

    fn target(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(self.outcome()?.target.clone())
    }

    fn status(&mut self) -> wasmtime::Result<Option<u16>> {
        Ok(self.outcome()?.status)
    }

    fn finish_reasons(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.outcome()?.finish_reasons.clone())
    }

    fn tokens(&mut self) -> wasmtime::Result<Option<Usage>> {
        Ok(self.outcome()?.tokens)
    }

    fn stages(&mut self) -> wasmtime::Result<Vec<Account>> {
        Ok(self.outcome()?.stages.clone())
    }

    fn tags(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        Ok(self.outcome()?.tags.clone())
    }

    fn first_delta_us(&mut self) -> wasmtime::Result<Option<u64>> {
        Ok(self.outcome()?.first_delta_us)
    }

    fn total_us(&mut self) -> wasmtime::Result<u64> {
        Ok(self.outcome()?.total_us)
    }
}

impl wit::host::Host for Ctx {
    fn log(&mut self, level: Level, mut message: String) -> wasmtime::Result<()> {
        self.lines += 1;
        if self.lines > LOG_LINES {
            if self.lines == LOG_LINES + 1 {
                tracing::warn!(stage = %self.stage, "logs more than {LOG_LINES} lines in one exchange; the rest is dropped");
            }
            return Ok(());
        }
        if message.len() > LOG_LINE {
            message.truncate(message.floor_char_boundary(LOG_LINE));
        }
        let message = printable(&message);
        let stage = &*self.stage;
        match level {
            Level::Trace => tracing::trace!(target: "policy", stage, "{message}"),
            Level::Debug => tracing::debug!(target: "policy", stage, "{message}"),
            Level::Info => tracing::info!(target: "policy", stage, "{message}"),
            Level::Warn => tracing::warn!(target: "policy", stage, "{message}"),
            Level::Error => tracing::error!(target: "policy", stage, "{message}"),
        }
        Ok(())
    }

    fn report(&mut self, mut finding: Finding) -> wasmtime::Result<()> {
        if self.phase == Phase::Configure {
            return Err(Misused("reported a finding while being configured".into()).into());
        }
        if !is_name(&finding.code) {
            let what = "a finding's code must match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(BadOutput(what.into()).into());
        }
        if let Some(detail) = &mut finding.detail {
            cut(detail, DETAIL);
        }
        let same =
            |known: &&mut Finding| known.code == finding.code && known.detail == finding.detail;
        if let Some(known) = self.findings.iter_mut().find(same) {
            known.count = known.count.saturating_add(finding.count);
        } else if self.findings.len() < FINDINGS {
            self.findings.push(finding);
        }
        Ok(())
    }
}

impl wit::journal::Host for Ctx {
    async fn append(&mut self, entry: String) -> wasmtime::Result<Result<(), String>> {
        if self.phase == Phase::Configure {
            return Err(Misused("wrote to the journal while being configured".into()).into());
        }
        self.journal_entries += 1;
        if self.journal_entries > JOURNAL_ENTRIES {
            return Ok(Err(format!(
                "an exchange takes no more than {JOURNAL_ENTRIES} journal entries of one stage"
            )));
        }
        let Some(journal) = self.journal.clone() else {
            return Ok(Ok(()));
        };
        let entry = Entry {
            stage: self.stage.to_string(),
            request_id: self.request()?.id().into(),
            body: entry,
        };
        let written = journal.append(entry).await;
        Ok(written.map_err(|error| {
            tracing::error!(stage = %self.stage, "a journal entry was not kept: {error}");
            // The error names the host's paths; the guest needs to know no more than this.
            "the journal could not take the entry".to_owned()
        }))
    }
}
