//! From the bytes of a component to a stage, step by step; each step has its own sentence for when it fails.
//!
//! Loading compiles and runs guest code for up to seconds: call it off the runtime's workers.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rayon::ThreadPool;
use wasmtime::component::{Component, HasSelf, Linker};
use wasmtime::{Engine, Store};

use super::bindings::witgate::policy as wit;
use super::bindings::{PolicyComponentWithAllGrants, PolicyComponentWithAllGrantsPre};
use super::component::{self, MAX_SIZE};
use super::ctx::Ctx;
use super::engine::{self, EngineError, EngineSettings};
use super::failure::Failure;
use super::limits::{GUEST_HANDLES, OUTPUT, on_tick};
use super::stage::{Plan, Ready, Stage};
use super::types::{Description, Hooks};
use super::{selftest, snapshot};
use crate::config::Grant;
use crate::metrics::Metrics;

/// Running time that `describe` and `configure` have, each.
pub const CONFIGURE_CPU: Duration = Duration::from_secs(2);
/// Wall-clock time that they have.
pub const CONFIGURE_TIME: Duration = Duration::from_secs(10);

/// Why a component did not become a stage.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Nothing in the file.
    #[error("the file is empty; was it still being written?")]
    Empty,
    /// Past the cap.
    #[error("it has {size} bytes; a component may have {MAX_SIZE}")]
    TooLarge {
        /// Bytes.
        size: usize,
    },
    /// Some other kind of file.
    #[error(
        "it isn't WebAssembly; build the policy with --target wasm32-wasip2 and name the .wasm file"
    )]
    NotWasm,
    /// A core module.
    #[error(
        "it is a core module and not a component; build it with --target wasm32-wasip2, or wrap it with wasm-tools component new"
    )]
    CoreModule,
    /// WebAssembly that doesn't parse or validate.
    #[error("it isn't a valid component: {0}; was it cut short, or still being written?")]
    Broken(String),
    /// A good component that the engine can't take.
    #[error("it can't be compiled here: {0}")]
    Uncompiled(String),
    /// A component that exports something else.
    #[error(
        "it doesn't export witgate:policy/policy, so it is a component but not a policy; the SDK's export! macro does that"
    )]
    NotAPolicy,
    /// For another contract.
    #[error(
        "it was built for version {found} of the contract, and this gateway speaks {}; build it against that SDK",
        component::CONTRACT
    )]
    WrongVersion {
        /// The version it exports.
        found: String,
    },
    /// It needs a grant that the configuration doesn't give.
    #[error(
        "it needs the grant `{0}`, which the configuration doesn't give; if it may have it, add `grants: [{0}]` to its chain entry"
    )]
    NotGranted(String),
    /// It needs something that this release doesn't have.
    #[error("it needs the grant `{0}`, which this release doesn't offer")]
    NotOffered(String),
    /// It imports something that no policy gets.
    #[error("it imports `{0}`, which no policy is given")]
    UnknownImport(String),
    /// An import or export has another shape than the contract's.
    #[error("it doesn't fit the contract: {0}")]
    Misfit(String),
    /// Not the component that was pinned.
    #[error(
        "its digest is {found}, and the configuration pins {pinned}; if the change is meant, change the pin"
    )]
    WrongDigest {
        /// What the file has.
        found: String,
        /// What the configuration says.
        pinned: String,
    },
    /// It failed before it could be asked anything.
    #[error("it failed in {step}: {failure}")]
    Failed {
        /// `start`, `describe` or `configure`.
        step: &'static str,
        /// How.
        failure: Failure,
    },
    /// The policy says no to its configuration.
    #[error("it refuses its configuration (policy.{id}): {why}")]
    Refused {
        /// The stage.
        id: String,
        /// The policy's own words.
        why: String,
    },
    /// An empty exchange fails on the configured component.
    #[error("it was configured, and then failed an empty exchange in {hook}: {failure}")]
    SelfTest {
        /// Which hook.
        hook: &'static str,
        /// How.
        failure: Failure,
    },
}

/// Everything that loading needs: the engine, and what is linked for each grant.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Ctx>,
    settings: EngineSettings,
    /// Where components are compiled, once there are exchanges to disturb.
    aside: OnceLock<ThreadPool>,
}

impl Sandbox {
    /// Sets up the engine.
    pub fn new(settings: EngineSettings) -> Result<Self, EngineError> {
        let engine = engine::build(&settings)?;
        let linker = linker(&engine).expect("the contract's own interfaces have different names");
        Ok(Sandbox {
            engine,
            linker,
            settings,
            aside: OnceLock::new(),
        })
    }

    /// From now on components are compiled one at a time on a thread of low priority, so that exchanges that run aren't slowed
    /// down. Before, a compilation takes all cores there are.
    pub fn compile_aside(&self) {
        match engine::low_priority() {
            Ok(thread) => drop(self.aside.set(thread)),
            Err(error) => {
                tracing::warn!(%error, "there is no thread to compile on; a reload will take all cores");
            }
        }
    }

    /// What was fixed at start.
    pub fn settings(&self) -> &EngineSettings {
        &self.settings
    }

    /// What a component answers when it is asked for its description, and for its hooks under this plan. The hooks are `Err`
    /// where it refuses the plan's settings.
    pub async fn ask(
        &self,
        plan: &Plan,
        bytes: &[u8],
    ) -> Result<(Description, Result<Hooks, LoadError>), LoadError> {
        component::admit(&component::inspect(bytes)?, &plan.grants)?;
        let pre = self.pre(&self.compile(bytes)?, &plan.grants)?;
        let mut store = self.store(snapshot::frozen(plan));
        let mut configuring = snapshot::Configuring::start(&pre, &mut store).await?;
        let description = configuring.describe(&mut store).await?;
        let hooks = configuring.configure(&mut store, plan).await;
        Ok((description, hooks))
    }

    /// Makes a stage, and runs an empty exchange on it. What it counts is its own and what it writes to the journal is kept
    /// nowhere, until it is [attached](Stage::attached).
    pub async fn load(&self, plan: Plan, bytes: &[u8]) -> Result<Arc<Stage>, LoadError> {
        let inspection = component::inspect(bytes)?;
        let digest = inspection.digest.clone();
        if let Some(pinned) = &plan.pinned
            && !pinned.eq_ignore_ascii_case(&digest)
        {
            return Err(LoadError::WrongDigest {
                found: digest,
                pinned: pinned.clone(),
            });
        }
        component::admit(&inspection, &plan.grants)?;

        let configured = snapshot::configure(self, &plan, bytes).await?;
        if let Ready::PerInstance(why) = &configured.ready {
            tracing::warn!(
                stage = %plan.id,
                cost_us = u64::try_from(configured.took.as_micros()).unwrap_or(u64::MAX),
                "can't be snapshotted, so it is configured anew for every exchange: {why}"
            );
        }
        let metrics = Arc::new(Metrics::new());
        let stage = Arc::new(Stage {
            metrics: metrics.stage(&plan.id),
            all: metrics,
            plan,
            pre: configured.pre,
            ready: configured.ready,
            hooks: configured.hooks,
            journal: None,
            breaker: None,
            name: configured.description.name,
            version: configured.description.version,
            digest,
            snapshot_digest: configured.snapshot_digest,
            samples: None,
        });
        selftest::run(&stage).await?;
        Ok(stage)
    }

    pub(super) fn compile(&self, bytes: &[u8]) -> Result<Component, LoadError> {
        let compile = || Component::from_binary(&self.engine, bytes);
        let compiled = match self.aside.get() {
            // What the compiler would share among threads stays on this one, too.
            Some(thread) => thread.install(compile),
            None => compile(),
        };
        compiled.map_err(|error| LoadError::Uncompiled(error.root_cause().to_string()))
    }

    /// Links what the grants allow and nothing else.
    pub(super) fn pre(
        &self,
        component: &Component,
        grants: &[Grant],
    ) -> Result<PolicyComponentWithAllGrantsPre<Ctx>, LoadError> {
        let misfit = |error: wasmtime::Error| LoadError::Misfit(format!("{error:#}"));
        let mut linker = self.linker.clone();
        for grant in grants {
            match grant {
                Grant::Journal => {
                    wit::journal::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)
                }
            }
            .map_err(misfit)?;
        }
        let pre = linker.instantiate_pre(component).map_err(misfit)?;
        PolicyComponentWithAllGrantsPre::new(pre).map_err(misfit)
    }

    pub(super) fn store(&self, ctx: Ctx) -> Store<Ctx> {
        store(&self.engine, ctx)
    }
}

/// A store with every limit armed.
pub(super) fn store(engine: &Engine, ctx: Ctx) -> Store<Ctx> {
    let mut store = Store::new(engine, ctx);
    store.limiter(|ctx| &mut ctx.memory);
    store.epoch_deadline_callback(on_tick);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(OUTPUT);
    store.set_max_component_handles(GUEST_HANDLES);
    store
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Ctx>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wit::types::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)?;
    wit::request::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)?;
    wit::outcome::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)?;
    wit::host::add_to_linker::<_, HasSelf<_>>(&mut linker, |ctx| ctx)?;
    Ok(linker)
}

/// The typed view of an instance.
pub(super) type Bindings = PolicyComponentWithAllGrants;
