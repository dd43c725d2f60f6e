//! From the bytes of a component to what a stage is made of, step by step; each step has its own sentence for when it fails.
//!
//! Loading compiles and runs guest code for up to seconds: call it off the runtime's workers.

use std::sync::Arc;

use super::error::LoadError;
use super::interest::Interest;
use super::sandbox::Sandbox;
use super::spec::StageSpec;
use super::stage::{Instantiation, Loaded};
use super::text::quoted;
use super::types::{Description, Hooks, Wants};
use super::{component, manifest, selftest, snapshot};

/// The target of the line here: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::load";

/// What a component answers when it is asked for its description, and for its hooks under this configuration. The hooks are `Err`
/// where it refuses the settings.
///
/// # Errors
/// The first step at which it can't be asked.
pub async fn ask(
    sandbox: &Sandbox,
    spec: &StageSpec,
    bytes: &[u8],
) -> Result<(Description, Result<Hooks, LoadError>), LoadError> {
    let contract = component::admit(&component::inspect(bytes)?, &spec.grants)?;
    let quick = sandbox.configuring();
    let pre = quick.pre(&sandbox.compile(quick, bytes)?, contract, &spec.grants)?;
    let mut store = quick.store(snapshot::frozen(spec));
    let mut configuring = snapshot::Configuring::start(&pre, &mut store).await?;
    let description = configuring.describe(&mut store).await?;
    let wants = configuring.configure(&mut store, spec, &description).await;
    Ok((description, wants.map(|wants| wants.hooks)))
}

/// Configures a component and runs an empty exchange on it. What that exchange counts is read by nobody, and what it writes to
/// the journal is kept nowhere.
///
/// # Errors
/// The first step that fails.
pub async fn load(
    sandbox: &Sandbox,
    spec: StageSpec,
    bytes: &[u8],
) -> Result<Arc<Loaded>, LoadError> {
    let inspection = component::inspect(bytes)?;
    let digest = inspection.digest.clone();
    if let Some(pinned) = &spec.pinned
        && !pinned.eq_ignore_ascii_case(&digest)
    {
        return Err(LoadError::WrongDigest {
            found: digest,
            pinned: pinned.clone(),
        });
    }
    let contract = component::admit(&inspection, &spec.grants)?;
    if let Some(manifest) = &inspection.manifest {
        manifest::fits(&manifest.limits, &spec.limits)?;
        manifest::allows(manifest.schema.as_ref(), &spec)?;
    }

    let configured = snapshot::configure(sandbox, &spec, contract, bytes).await?;
    if let Instantiation::PerInstance(why) = &configured.instantiation {
        tracing::warn!(
            target: TARGET,
            stage = %spec.id,
            cost_us = u64::try_from(configured.making.configure.as_micros()).unwrap_or(u64::MAX),
            "can't be snapshotted, so it is configured anew for every exchange: {why}"
        );
    }
    let Wants { hooks, interest } = configured.wants;
    let interest = interest.map(|source| Interest::new(&source).map(Arc::new));
    let interest = interest.transpose().map_err(|why| LoadError::Interest {
        policy: quoted(&configured.description.name),
        why,
    })?;
    let loaded = Arc::new(Loaded {
        spec,
        pre: configured.pre,
        instantiation: configured.instantiation,
        hooks,
        interest,
        name: configured.description.name,
        version: configured.description.version,
        digest,
        manifest: inspection.manifest,
        making: configured.making,
        snapshot_digest: configured.snapshot_digest,
        is_slim: configured.is_slim,
        idle: sandbox.idle.clone(),
    });
    selftest::run(&loaded).await?;
    Ok(loaded)
}
