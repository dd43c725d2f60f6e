//! What a guest may use, counted where it is used.

use std::time::Duration;

use wasmtime::ResourceLimiter;

use super::clock::TICK;
use super::failure::{OverBudget, OverMemory, OverTable};

/// The largest component that is looked at, in bytes. The least that Python's tool chain makes takes 18 MB.
pub const MAX_SIZE: usize = 32 << 20;

/// Running time that `describe` and `configure` have, each.
pub(super) const CONFIGURE_CPU: Duration = Duration::from_secs(2);
/// Wall-clock time that they have.
pub(super) const CONFIGURE_TIME: Duration = Duration::from_secs(10);

/// Bytes that a guest may hand to the host in one call, beside what its input allows.
pub(super) const OUTPUT: usize = 4 << 20;
/// Bytes of a text that count as one delta for `delta_cpu`.
pub(super) const DELTA: usize = 16;
/// The same while a delta is answered.
pub(super) const DELTA_OUTPUT: usize = 256 << 10;
/// Bytes of a log line; the rest is cut.
pub(super) const LOG_LINE: usize = 8 << 10;
/// Log lines of one stage in one exchange.
pub(super) const LOG_LINES: u32 = 100;
/// Findings of one stage in one exchange.
pub(super) const FINDINGS: usize = 64;
/// Counters of its own that a stage may add to in one call.
pub(super) const COUNTS: usize = 64;
/// Changes of the request in one call, replaced texts not among them: each is checked by the host, whose time isn't the guest's.
pub(super) const EDITS: usize = 4096;
/// Bytes that a replaced text counts for, beside its own.
pub(super) const REPLACEMENT: usize = 16;
/// Tags of one stage in one exchange.
pub(super) const TAGS: usize = 16;
/// Headers of one stage on what the client gets.
pub(super) const ANSWER_HEADERS: usize = 16;
/// Handles to what the host keeps for a guest: streams, pollables.
pub(super) const HOST_HANDLES: usize = 1_000;
/// Handles of a component to what is its own or another's: passages, say.
pub(super) const GUEST_HANDLES: usize = 10_000;
/// Elements of one table.
const TABLE_ELEMENTS: usize = 20_000;

/// Choices that a response may have.
pub(super) const CHOICES: u32 = 128;

/// Sums every memory of a store: wasmtime's own limits count each by itself.
#[derive(Debug)]
pub(super) struct MemoryLimit {
    used: usize,
    limit: usize,
}

impl MemoryLimit {
    /// Bytes of all memories together.
    pub(super) fn used(&self) -> usize {
        self.used
    }

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

/// The guest's own running time, with what the host does for it: of the call under way, and of the whole exchange.
#[derive(Debug, Default)]
pub(super) struct Cpu {
    call: Duration,
    call_limit: Duration,
    exchange: Duration,
    exchange_limit: Duration,
    /// Whether a tick has found it running.
    seen: bool,
}

impl Cpu {
    pub(super) fn new(exchange: Duration) -> Self {
        Cpu {
            exchange_limit: exchange,
            ..Cpu::default()
        }
    }

    /// Begins a call that may run that long.
    pub(super) fn begin(&mut self, limit: Duration) {
        self.call = Duration::ZERO;
        self.call_limit = limit;
    }

    /// Whether a tick has found it running: its calls are measured from their first step then.
    pub(super) fn seen(&self) -> bool {
        self.seen
    }

    /// A tick found it running: for so long since it went on, or nobody knows for how long, which counts as one tick.
    pub(super) fn ticked(&mut self, ran: Option<Duration>) -> Result<(), OverBudget> {
        self.seen = true;
        let ran = ran.unwrap_or(TICK);
        self.call = self.call.saturating_add(ran);
        self.exchange = self.exchange.saturating_add(ran);
        // A call begins in the middle of a tick, and a limit of one tick must let a whole one pass.
        let over = |used: Duration, limit: Duration| used >= limit.saturating_add(TICK);
        for (used, limit) in [
            (self.call, self.call_limit),
            (self.exchange, self.exchange_limit),
        ] {
            if over(used, limit) {
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                return Err(OverBudget { limit_ms });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    fn limit(ticked: Result<(), OverBudget>) -> Option<u64> {
        ticked.err().map(|over| over.limit_ms)
    }

    #[test]
    fn a_step_counts_for_as_long_as_it_took() {
        let mut cpu = Cpu::new(millis(30));
        cpu.begin(millis(10));
        assert!(!cpu.seen());
        // Nobody knows how long the first one took.
        assert_eq!(limit(cpu.ticked(None)), None);
        assert!(cpu.seen());
        assert_eq!(limit(cpu.ticked(Some(millis(9)))), None);
        assert_eq!(limit(cpu.ticked(Some(millis(1)))), Some(10));
    }

    #[test]
    fn calls_within_their_limit_add_up_to_the_exchange_s() {
        let mut cpu = Cpu::new(millis(30));
        for _ in 0..3 {
            cpu.begin(millis(11));
            assert_eq!(limit(cpu.ticked(Some(millis(10)))), None);
        }
        cpu.begin(millis(11));
        assert_eq!(limit(cpu.ticked(Some(millis(1)))), Some(30));
    }
}
