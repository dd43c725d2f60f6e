//! Configuring a component once, and keeping the configured memory.
//!
//! A snapshot keeps memory, not handles: if the guest holds any when `configure` returns (it printed, say), the snapshot would
//! trap later, so it isn't used and each instance is configured instead.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::time::Instant;

use futures_util::FutureExt;
use sha2::{Digest, Sha256};
use wasmtime::Store;
use wasmtime::component::Instance;
use wasmtime_wizer::Wizer;

use super::component::{self, Contract};
use super::error::LoadError;
use super::exchange_state::ExchangeState;
use super::failure::{Class, Failure};
use super::guest::Guest;
use super::limits::{CONFIGURE_CPU, CONFIGURE_TIME, Cpu, OUTPUT};
use super::manifest;
use super::memory_reader::MemoryReader;
use super::meter::metered;
use super::sandbox::Sandbox;
use super::slim::slim;
use super::spec::StageSpec;
use super::spoken::{Policy, PolicyPre};
use super::stage::{Instantiation, Making};
use super::text::quoted;
use super::types::{Description, Wants};

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::load";

/// The snapshot reads a whole memory as one list, which counts as handed over.
const SNAPSHOT_FUEL: usize = 1 << 30;

pub(super) struct Configured {
    pub(super) pre: PolicyPre,
    pub(super) instantiation: Instantiation,
    pub(super) wants: Wants,
    pub(super) description: Description,
    pub(super) snapshot_digest: Option<String>,
    pub(super) is_slim: bool,
    pub(super) making: Making,
}

/// Configures the component, as a snapshot where that is possible.
pub(super) async fn configure(
    sandbox: &Sandbox,
    spec: &StageSpec,
    contract: Contract,
    bytes: &[u8],
) -> Result<Configured, LoadError> {
    let why_not = match snapshot(sandbox, spec, contract, bytes).await? {
        Ok(configured) => return Ok(configured),
        Err(why_not) => why_not,
    };
    let serving = sandbox.serving();
    let pre = serving.pre(&sandbox.compile(serving, bytes)?, contract, &spec.grants)?;
    let mut store = serving.store(frozen(spec));
    let mut configuring = Configuring::start(&pre, &mut store).await?;
    let description = configuring.describe(&mut store).await?;
    let began = Instant::now();
    let wants = configuring
        .configure(&mut store, spec, &description)
        .await?;
    Ok(Configured {
        pre,
        instantiation: Instantiation::PerInstance(why_not),
        wants,
        description,
        snapshot_digest: None,
        is_slim: false,
        making: Making {
            configure: began.elapsed(),
            ..Making::default()
        },
    })
}

/// The inner error says why there is no snapshot; the component may still be a good one.
async fn snapshot(
    sandbox: &Sandbox,
    spec: &StageSpec,
    contract: Contract,
    bytes: &[u8],
) -> Result<Result<Configured, String>, LoadError> {
    let wizer = Wizer::new();
    // Wizer unwraps inside: a panic there is a component that can't be snapshotted, no more.
    let (context, instrumented) =
        match std::panic::catch_unwind(|| wizer.instrument_component(bytes)) {
            Ok(Ok(instrumented)) => instrumented,
            Ok(Err(error)) => return Ok(Err(error.to_string())),
            Err(_) => return Ok(Err("its structure can't be instrumented".into())),
        };
    // It runs once: what counts is the time until it has.
    let quick = sandbox.configuring();
    let component = match sandbox.compile(quick, &instrumented) {
        Ok(component) => component,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let pre = quick.pre(&component, contract, &spec.grants)?;
    let mut store = quick.store(frozen(spec));
    let mut configuring = Configuring::start(&pre, &mut store).await?;
    let description = configuring.describe(&mut store).await?;
    let began = Instant::now();
    let wants = configuring
        .configure(&mut store, spec, &description)
        .await?;
    let took = began.elapsed();
    if !store.data().table.is_empty() {
        return Ok(Err(
            "it holds handles after configure (did it print?)".into()
        ));
    }

    store.set_hostcall_fuel(SNAPSHOT_FUEL);
    let mut cpu = Cpu::new(CONFIGURE_TIME);
    cpu.begin(CONFIGURE_TIME);
    store.data_mut().exchange.cpu = cpu;
    store.set_epoch_deadline(1);
    let instance = configuring.instance;
    let mut reader = MemoryReader {
        store: &mut store,
        instance,
    };
    let began = Instant::now();
    let taken = AssertUnwindSafe(wizer.snapshot_component(&context, &mut reader))
        .catch_unwind()
        .await;
    let snapshot = match taken {
        Ok(Ok(snapshot)) => snapshot,
        Ok(Err(error)) => return Ok(Err(error.to_string())),
        Err(_) => return Ok(Err("its memory can't be read as a snapshot".into())),
    };
    let (snapshot, is_slim) = match slim(&snapshot) {
        Ok(slimmed) => (slimmed, true),
        Err(why) => {
            tracing::debug!(target: TARGET, stage = %spec.id, "each instance is as large as the component makes it: {why}");
            (snapshot, false)
        }
    };
    let snapshot_took = began.elapsed();
    let serving = sandbox.serving();
    let component = match sandbox.compile(serving, &snapshot) {
        Ok(component) => component,
        Err(error) => return Ok(Err(error.to_string())),
    };
    Ok(Ok(Configured {
        pre: serving.pre(&component, contract, &spec.grants)?,
        instantiation: Instantiation::Snapshot,
        wants,
        description,
        snapshot_digest: Some(component::digest(&snapshot)),
        is_slim,
        making: Making {
            configure: took,
            snapshot: snapshot_took,
            snapshot_size: Some(snapshot.len()),
        },
    }))
}

/// The same component and the same settings draw the same randomness, and so make the same snapshot.
pub(super) fn frozen(spec: &StageSpec) -> Guest {
    let mut seed = Sha256::new();
    seed.update(&*spec.id);
    seed.update([0]);
    seed.update(&spec.settings);
    let exchange = ExchangeState::configuring(Cpu::new(CONFIGURE_CPU * 3));
    Guest::frozen(
        &spec.id,
        spec.limits.memory,
        (&spec.limits).into(),
        exchange,
        seed.finalize().into(),
    )
}

/// An instance that is being configured.
pub(super) struct Configuring {
    instance: Instance,
    policy: Policy,
}

impl Configuring {
    pub(super) async fn start(
        pre: &PolicyPre,
        store: &mut Store<Guest>,
    ) -> Result<Self, LoadError> {
        let step = "start";
        begin(store);
        let instance = timed(step, pre.instance_pre().instantiate_async(&mut *store)).await;
        let instance = instance.map_err(|error| with_last_words(store, error))?;
        let policy = pre.policy(store, &instance).map_err(LoadError::Misfit)?;
        Ok(Configuring { instance, policy })
    }

    pub(super) async fn describe(
        &mut self,
        store: &mut Store<Guest>,
    ) -> Result<Description, LoadError> {
        begin(store);
        let description = timed("describe", self.policy.describe(&mut *store)).await;
        let description = description.map_err(|error| with_last_words(store, error))?;
        for (what, text) in [
            ("name", &description.name),
            ("version", &description.version),
        ] {
            if text.len() > 64 || text.contains(char::is_control) {
                let message =
                    format!("its {what} is longer than 64 bytes or has control characters");
                let failure = Failure::new(Class::Output, message);
                return Err(LoadError::Failed {
                    step: "describe",
                    failure,
                });
            }
        }
        Ok(description)
    }

    pub(super) async fn configure(
        &mut self,
        store: &mut Store<Guest>,
        spec: &StageSpec,
        description: &Description,
    ) -> Result<Wants, LoadError> {
        let schema = description.config_schema.as_deref();
        // One that can't be read says nothing: the policy has the last word.
        let schema = schema.and_then(|text| serde_json::from_str(text).ok());
        manifest::allows(schema.as_ref(), spec)?;
        begin(store);
        let configure = self.policy.configure(&mut *store, &spec.settings);
        let call = timed("configure", configure);
        let configured = call.await;
        let configured = configured.map_err(|error| with_last_words(store, error))?;
        configured.map_err(|why| LoadError::Refused {
            id: spec.id.to_string(),
            why: quoted(&why),
        })
    }
}

/// Tells what the guest said last, where it stopped itself.
fn with_last_words(store: &mut Store<Guest>, error: LoadError) -> LoadError {
    match error {
        LoadError::Failed { step, failure } => {
            let words = store.data_mut().exchange.last_error.take();
            let failure = failure.with_last_words(words);
            LoadError::Failed { step, failure }
        }
        error => error,
    }
}

fn begin(store: &mut Store<Guest>) {
    store.data_mut().exchange.cpu.begin(CONFIGURE_CPU);
    store.set_hostcall_fuel(OUTPUT);
    store.set_epoch_deadline(1);
}

async fn timed<T>(
    step: &'static str,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> Result<T, LoadError> {
    let failure = match tokio::time::timeout(CONFIGURE_TIME, metered(true, pin!(call))).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => Failure::from(error),
        Err(_) => Failure::new(
            Class::Deadline,
            format!("waited for longer than {} s", CONFIGURE_TIME.as_secs()),
        ),
    };
    Err(LoadError::Failed { step, failure })
}
