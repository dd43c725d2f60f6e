//! The data of a store: what stands behind one instance's imports, and the state of the exchange that it serves.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::exchange_state::{ExchangeState, HookPhase};
use super::grants::{GrantCaller, GrantHost, GrantStates};
use super::limits::{Cpu, HOST_HANDLES, MemoryLimit};
use super::wasi::{Frozen, Printed};
use witgate_config::Limits;

/// The data of a store.
pub(super) struct Guest {
    /// Made when the guest first asks for anything of it, which few do.
    wasi: Option<WasiCtx>,
    /// What the host keeps for the guest under a handle: streams, pollables.
    pub(super) table: ResourceTable,
    pub(super) memory: MemoryLimit,
    /// What it may hold of an answer.
    pub(super) held: HeldLimits,
    /// The id of the stage.
    pub(super) stage: Arc<str>,
    pub(super) exchange: ExchangeState,
}

/// How many bytes a stage may hold of a passage, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeldLimits {
    pub(super) text: u64,
    pub(super) time: Duration,
}

impl From<&Limits> for HeldLimits {
    fn from(limits: &Limits) -> Self {
        HeldLimits {
            text: limits.held_text,
            time: limits.held_time,
        }
    }
}

impl Guest {
    /// For an exchange: nothing of the outside but the clock, randomness, and a log for what it prints.
    pub(super) fn live(
        stage: &Arc<str>,
        memory: u64,
        held: HeldLimits,
        exchange: ExchangeState,
    ) -> Self {
        Guest::new(None, stage, memory, held, exchange)
    }

    /// For configuring: clocks stand still and randomness comes from the seed, so that the same bytes and the same
    /// configuration make the same snapshot.
    pub(super) fn frozen(
        stage: &Arc<str>,
        memory: u64,
        held: HeldLimits,
        exchange: ExchangeState,
        seed: [u8; 32],
    ) -> Self {
        let wasi = closed(stage, None)
            .secure_random(Frozen::random(seed))
            .insecure_random(Frozen::random(seed))
            .insecure_random_seed(u128::from_le_bytes(
                *seed.first_chunk().expect("32 bytes hold 16"),
            ))
            .wall_clock(Frozen)
            .monotonic_clock(Frozen)
            .build();
        Guest::new(Some(wasi), stage, memory, held, exchange)
    }

    /// Between two exchanges: nothing that the host kept for the one before is left, and what was printed in it is logged. `false`: the
    /// guest still holds something of it.
    pub(super) fn renew(&mut self) -> bool {
        if !self.table.is_empty() {
            return false;
        }
        self.serve(ExchangeState::configuring(Cpu::default()));
        true
    }

    /// An exchange begins in an instance that served others: what it prints from here on is of this one.
    pub(super) fn serve(&mut self, exchange: ExchangeState) {
        let memory = std::mem::replace(&mut self.memory, MemoryLimit::new(0));
        *self = Guest {
            memory,
            ..Guest::live(&self.stage, 0, self.held, exchange)
        };
    }

    fn new(
        wasi: Option<WasiCtx>,
        stage: &Arc<str>,
        memory: u64,
        held: HeldLimits,
        exchange: ExchangeState,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HOST_HANDLES);
        Guest {
            wasi,
            table,
            memory: MemoryLimit::new(memory),
            held,
            stage: stage.clone(),
            exchange,
        }
    }
}

/// A WASI that leads nowhere; what the guest prints is logged.
fn closed(stage: &Arc<str>, request: Option<&str>) -> WasiCtxBuilder {
    let printed = Printed::new(stage, request);
    let mut wasi = WasiCtxBuilder::new();
    wasi.stdout(printed.clone())
        .stderr(printed)
        .allow_tcp(false)
        .allow_udp(false)
        .max_random_size(64 << 10);
    wasi
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let request = self.exchange.request.as_ref();
        let make = || closed(&self.stage, request.map(|request| request.id())).build();
        WasiCtxView {
            ctx: self.wasi.get_or_insert_with(make),
            table: &mut self.table,
        }
    }
}

impl GrantHost for Guest {
    fn grants(&mut self) -> (GrantCaller<'_>, &mut GrantStates) {
        let exchange = &mut self.exchange;
        let configured = exchange.phase != HookPhase::Configure;
        let request = exchange.request.as_deref().filter(|_| configured);
        let caller = GrantCaller::new(&self.stage, request, exchange.outcome.as_deref());
        (caller, &mut exchange.grants)
    }
}
