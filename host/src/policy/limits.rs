//! What a guest may use, counted where it is used.

use std::time::Duration;

use wasmtime::{ResourceLimiter, StoreContextMut, UpdateDeadline};

use super::ctx::Ctx;
use super::engine::TICK;
use super::failure::{OverBudget, OverMemory, OverTable};

/// Bytes that a guest may hand to the host in one call, beside what its input allows.
pub(super) const OUTPUT: usize = 4 << 20;
/// The same while a delta is answered.
pub(super) const DELTA_OUTPUT: usize = 256 << 10;
/// Bytes of a log line; the rest is cut.
pub(super) const LOG_LINE: usize = 8 << 10;
/// Log lines of one stage in one exchange.
pub(super) const LOG_LINES: u32 = 100;
/// Findings of one stage in one exchange.
pub(super) const FINDINGS: usize = 64;
/// Changes of the request in one call: each is checked by the host, whose time isn't the guest's.
pub(super) const EDITS: usize = 4096;
/// Tags of one stage in one exchange.
pub(super) const TAGS: usize = 16;
/// Entries of one stage in the journal in one exchange.
pub(super) const JOURNAL_ENTRIES: u32 = 64;
/// Handles to what the host keeps for a guest: streams, pollables.
pub(super) const HOST_HANDLES: usize = 1_000;
/// Handles of a component to what is its own or another's: passages, say.
pub(super) const GUEST_HANDLES: usize = 10_000;
/// Elements of one table.
const TABLE_ELEMENTS: usize = 20_000;
/// What the host copies for a guest in this many bytes counts as a tick of the guest's own running time.
const COPIED_PER_TICK: usize = 1 << 20;

/// Sums every memory of a store: wasmtime's own limits count each by itself.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    used: usize,
    limit: usize,
}

impl MemoryLimit {
    pub(super) fn new(limit: u64) -> Self {
        MemoryLimit {
            used: 0,
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.used.saturating_sub(current).saturating_add(desired);
        if wanted > self.limit {
            // An error and no `false`: a guest that is told «no» panics, and would look like any other panic.
            return Err(OverMemory {
                wanted,
                limit: self.limit,
            }
            .into());
        }
        self.used = wanted;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > TABLE_ELEMENTS {
            return Err(OverTable {
                wanted: desired,
                limit: TABLE_ELEMENTS,
            }
            .into());
        }
        Ok(true)
    }
}

/// The guest's own running time, in ticks: of the call under way, and of the whole exchange.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    call: u64,
    call_limit: u64,
    exchange: u64,
    exchange_limit: u64,
    /// Bytes that the host copied for the guest in this call and that no tick has counted yet.
    copied: usize,
    /// Whether the guest waited since the last tick: that tick found it waiting.
    waited: bool,
}

impl Cpu {
    pub(super) fn new(exchange: Duration) -> Self {
        Cpu {
            exchange_limit: ticks(exchange),
            ..Cpu::default()
        }
    }

    /// Begins a call that may run that long.
    pub(super) fn begin(&mut self, limit: Duration) {
        self.call = 0;
        self.call_limit = ticks(limit);
        self.copied = 0;
        self.waited = false;
    }

    /// The guest waited for the host, which isn't its own running time.
    pub(super) fn waited(&mut self) {
        self.waited = true;
    }

    /// The guest asked for that much: a host call may take many ticks, and only one of them would be seen.
    pub(super) fn copied(&mut self, bytes: usize) {
        self.copied = self.copied.saturating_add(bytes);
    }
}

/// A limit of one tick must let a whole tick pass, and a call begins in the middle of one.
fn ticks(limit: Duration) -> u64 {
    let ticks = limit.as_micros().div_ceil(TICK.as_micros());
    u64::try_from(ticks).unwrap_or(u64::MAX).saturating_add(1)
}

/// At each tick that finds the guest running: count it, then let other tasks run, or end it. Time in which the guest waits for
/// its turn isn't counted: the deadline is set anew when it goes on.
pub(super) fn on_tick(mut store: StoreContextMut<'_, Ctx>) -> wasmtime::Result<UpdateDeadline> {
    let cpu = &mut store.data_mut().cpu;
    let ticks = u64::from(!std::mem::take(&mut cpu.waited)) + (cpu.copied / COPIED_PER_TICK) as u64;
    cpu.copied %= COPIED_PER_TICK;
    cpu.call = cpu.call.saturating_add(ticks);
    cpu.exchange = cpu.exchange.saturating_add(ticks);
    let over = |limit: u64| OverBudget {
        limit_ms: limit.saturating_sub(1),
    };
    if cpu.call >= cpu.call_limit {
        return Err(over(cpu.call_limit).into());
    }
    if cpu.exchange >= cpu.exchange_limit {
        return Err(over(cpu.exchange_limit).into());
    }
    // tokio's own yield goes to the back of the queue; wasmtime's would be polled again at once.
    Ok(UpdateDeadline::YieldCustom(
        1,
        Box::pin(tokio::task::yield_now()),
    ))
}
