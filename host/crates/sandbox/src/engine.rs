//! The one engine of the process: which WebAssembly it takes, how instances are pooled, what ticks.
//!
//! Its sizes are fixed at start. What must stay true: every guest call is async (the epoch callback yields), the ticker lives on a
//! thread of its own and holds the engine weakly, and no more instances than `slots` are alive at once.

use std::path::PathBuf;
use std::time::Duration;

use wasmparser::WasmFeatures;
use wasmtime::{
    Cache, Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

/// The target of the lines here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::engine";

/// How long one epoch is: the grain of every CPU limit.
pub const TICK: Duration = Duration::from_millis(1);

/// Address space that a memory reserves where there is plenty: with it the compiled code needs no bounds checks.
const RESERVATION: u64 = 4 << 30;
const GUARD: u64 = 32 << 20;

/// Core instances that one component may be made of; most languages need three or four.
const CORE_INSTANCES: u32 = 64;
/// Linear memories that one component may have. A second is for components that were composed of two.
const MEMORIES: u32 = 2;
/// Tables that one component may have.
const TABLES: u32 = 8;

/// Instances that may wait for their next exchange, where stages reuse them.
pub(super) const IDLE: u32 = 256;

/// What is fixed when the process starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Exchanges that may run at once.
    pub exchanges: u32,
    /// Stages that a chain may have.
    pub stages: u32,
    /// The most memory that a stage's limit may name, in bytes.
    pub memory: u64,
    /// Where compiled components are kept. `None`: not kept.
    pub cache: Option<PathBuf>,
    /// How far the thread that compiles while exchanges run stands behind all others: 0 to 19, as `nice` has it.
    pub compile_nice: i32,
    /// Whether the pool may ask the kernel which pages are dirty. `None`: where memory can't be swapped out.
    pub pagemap_scan: Option<bool>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            exchanges: 512,
            stages: 8,
            memory: 64 << 20,
            cache: None,
            compile_nice: NICE,
            pagemap_scan: None,
        }
    }
}

impl EngineSettings {
    /// Instances that may live at once: every exchange at its fullest, those that wait for their next one, and some room for loading.
    fn slots(&self) -> u32 {
        self.exchanges
            .saturating_mul(self.stages)
            .saturating_add(IDLE + 64)
    }
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error(
    "the WebAssembly engine can't be set up for {slots} instances of {memory} bytes: {cause}; lower --max-exchanges, \
     or raise the limit on address space (ulimit -v)"
)]
pub struct EngineError {
    slots: u32,
    memory: u64,
    #[source]
    cause: wasmtime::Error,
}

/// Makes the engine and starts its ticker.
pub(super) fn build(
    settings: &EngineSettings,
    cache: Option<&Cache>,
) -> Result<Engine, EngineError> {
    // Where address space is short, memories are packed at the price of bounds checks.
    let engine = Engine::new(&config(settings, RESERVATION, cache))
        .or_else(|error| {
            tracing::warn!(target: TARGET, %error, "address space is short; policies will run with bounds checks, more slowly");
            Engine::new(&config(settings, settings.memory, cache))
        })
        .map_err(|cause| EngineError {
            slots: settings.slots(),
            memory: settings.memory,
            cause,
        })?;
    tick(&engine);
    Ok(engine)
}

fn config(settings: &EngineSettings, reservation: u64, cache: Option<&Cache>) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        // Named one by one: what other crates of the build ask of wasmtime turns some of them on. Shared memories would be out
        // of every limit, and a wait on one would block a thread of the host's for good. The first three by flag: as wasmtime is
        // built here, it has no methods for them.
        .wasm_features(
            WasmFeatures::THREADS | WasmFeatures::EXCEPTIONS | WasmFeatures::FUNCTION_REFERENCES,
            false,
        )
        .wasm_gc(false)
        .gc_support(false)
        .wasm_stack_switching(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .memory_reservation(reservation)
        .memory_guard_size(GUARD)
        .cache(cache.cloned());
    let slots = settings.slots();
    let pagemap_scan = if settings.pagemap_scan.unwrap_or_else(memory_stays) {
        Enabled::Auto
    } else {
        Enabled::No
    };
    let mut pool = PoolingAllocationConfig::new();
    // As many of each as all instances at their fullest have together: one component can't use up what is another's.
    pool.total_component_instances(slots)
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_core_instances(slots.saturating_mul(CORE_INSTANCES))
        .max_memories_per_component(MEMORIES)
        .total_memories(slots.saturating_mul(MEMORIES))
        .max_tables_per_component(TABLES)
        .total_tables(slots.saturating_mul(TABLES))
        .total_stacks(slots)
        .max_memory_size(usize::try_from(settings.memory).unwrap_or(usize::MAX))
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_unused_warm_slots(256)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(pagemap_scan);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Whether memory can't be swapped out. A page that was written, then swapped out, may look clean to the kernel's scan and
/// survive into the next instance (wasmtime issue 14357): so the scan is used only where there is no swap.
fn memory_stays() -> bool {
    std::fs::read_to_string("/proc/swaps").is_ok_and(|swaps| swaps.lines().count() <= 1)
}

/// How much a compilation gives way, 19 being most. At 19 a busy machine would not compile at all.
const NICE: i32 = 15;

/// One thread that gives way to all others.
pub(super) fn low_priority(nice: i32) -> Result<rayon::ThreadPool, rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .thread_name(|_| "compile".into())
        .start_handler(move |_| {
            // On Linux a priority is a thread's own. Elsewhere it may be the process's: so it is left alone there.
            #[cfg(target_os = "linux")]
            if let Err(error) = rustix::process::setpriority_process(None, nice) {
                tracing::debug!(target: TARGET, %error, "components are compiled at normal priority");
            }
        })
        .build()
}

/// A thread of its own, so that no guest that keeps the runtime busy can stop the clock it is measured by.
#[expect(
    clippy::disallowed_methods,
    reason = "a clock is what waits for a time"
)]
fn tick(engine: &Engine) {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    if let Err(error) = std::thread::Builder::new()
        .name("epoch".into())
        .spawn(ticker)
    {
        // Without a clock no limit holds, so nothing may run.
        panic!("the epoch thread can't be started: {error}");
    }
}
