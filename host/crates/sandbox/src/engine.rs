//! The engine that serves, and the one beside it in which components are configured: which WebAssembly they take, and how instances
//! are pooled.
//!
//! The sizes are fixed at start. What must stay true: every guest call is async (the epoch callback yields), and no more instances than
//! `slots` are alive at once.

use std::path::PathBuf;

use wasmparser::WasmFeatures;
use wasmtime::{
    Cache, Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    RegallocAlgorithm, WasmBacktraceDetails,
};

use super::clock;

/// The target of the lines here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::engine";

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
    /// This very program, which compiles where it is run with [`Job::args`](super::Job::args). `None`: what is compiled is compiled in this process.
    pub compiler: Option<PathBuf>,
    /// How far what compiles while exchanges run stands behind all others: 0 to 19, as `nice` has it.
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
            compiler: None,
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

/// What compiled code depends on, beside the release of wasmtime and the machine: equal kinds of code have equal keys in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    /// Address space that a memory reserves, in bytes.
    pub(super) reservation: u64,
    /// It runs once, so compiling it costs more than running it.
    pub(super) once: bool,
}

/// The engine that serves, and the kind of code that it takes.
pub(super) fn serving(
    settings: &EngineSettings,
    cache: Option<&Cache>,
) -> Result<(Engine, Kind), EngineError> {
    let engine = |reservation| {
        let kind = Kind {
            reservation,
            once: false,
        };
        let mut config = config(kind, cache);
        config.allocation_strategy(pool(settings, 256));
        Engine::new(&config).map(|engine| (engine, kind))
    };
    // Where address space is short, memories are packed at the price of bounds checks.
    let (engine, kind) = engine(RESERVATION)
        .or_else(|error| {
            tracing::warn!(target: TARGET, %error, "address space is short; policies will run with bounds checks, more slowly");
            engine(settings.memory)
        })
        .map_err(|cause| EngineError {
            slots: settings.slots(),
            memory: settings.memory,
            cause,
        })?;
    clock::tick(&engine);
    Ok((engine, kind))
}

/// The engine in which components are configured, beside the one that serves. Its pool is a small one of the same kind: what it can't take,
/// the other can't either.
pub(super) fn configuring(
    settings: &EngineSettings,
    serving: Kind,
    cache: Option<&Cache>,
) -> wasmtime::Result<(Engine, Kind)> {
    let kind = Kind {
        once: true,
        ..serving
    };
    let few = EngineSettings {
        exchanges: 0,
        ..settings.clone()
    };
    let mut config = config(kind, cache);
    config.allocation_strategy(pool(&few, 0));
    let engine = Engine::new(&config)?;
    clock::tick(&engine);
    Ok((engine, kind))
}

/// An engine that compiles and runs nothing.
pub(super) fn compiling(kind: Kind, cache: &Cache, threads: bool) -> wasmtime::Result<Engine> {
    let mut config = config(kind, Some(cache));
    config.parallel_compilation(threads);
    Engine::new(&config)
}

fn config(kind: Kind, cache: Option<&Cache>) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        // Named one by one: what other crates of the build ask of wasmtime turns some of them on. Shared memories would be out
        // of every limit, and a wait on one would block a thread of the host's for good. The first three by flag: as wasmtime is
        // built here, it has no methods for them. Several memories are on for what wasmtime itself writes between the parts of a component that
        // was made of two, as JavaScript's are; a module of anybody else's may have one (see `component`).
        .wasm_features(
            WasmFeatures::THREADS | WasmFeatures::EXCEPTIONS | WasmFeatures::FUNCTION_REFERENCES,
            false,
        )
        .wasm_gc(false)
        .gc_support(false)
        .wasm_stack_switching(false)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .wasm_relaxed_simd(false)
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_backtrace_max_frames(None)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .memory_reservation(kind.reservation)
        .memory_guard_size(GUARD)
        .cache(cache.cloned());
    if kind.once {
        config
            .cranelift_opt_level(OptLevel::None)
            .cranelift_regalloc_algorithm(RegallocAlgorithm::SinglePass);
    }
    config
}

/// `warm`: memories that stay as they are when nobody uses them.
fn pool(settings: &EngineSettings, warm: u32) -> InstanceAllocationStrategy {
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
        .max_unused_warm_slots(warm)
        .linear_memory_keep_resident(1 << 20)
        .table_keep_resident(64 << 10)
        .pagemap_scan(pagemap_scan);
    InstanceAllocationStrategy::Pooling(pool)
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
