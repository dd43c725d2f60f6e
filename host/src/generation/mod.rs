//! What runs: everything that one configuration made, immutable, and swapped as one whole.
//!
//! - [`Generation`]: the chain, the targets and the clients of one configuration. An exchange keeps the one that it began with.
//! - [`ExchangeCounter`] and [`ExchangeGuard`]: who runs on it, and until when.
//! - [`Probation`]: how often the stages fail that are new in it.
//! - [`BuildInputs`]: what it was built from, read once.
//! - [`bundled`]: the policies that come with the gateway.
//!
//! Nothing here knows how a generation is replaced: [`crate::control`] does that.

pub mod bundled;
mod guard;
mod inputs;
mod probation;

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use http::HeaderValue;

use crate::config::{Config, Grant, Mode, OnError, OpaqueParts, StageConfig};
use crate::identity::Door;
use crate::policy::Chain;
use crate::policy::types::Hooks;
use crate::upstream::Targets;

pub use guard::{ExchangeCounter, ExchangeGuard};
pub use inputs::{BuildInputs, MAX_SAMPLES_SIZE, ReadError};
pub use probation::Probation;

/// One configuration, running.
pub struct Generation {
    number: u64,
    since: SystemTime,
    inputs: Arc<BuildInputs>,
    chain: Chain,
    targets: Arc<Targets>,
    door: Arc<Door>,
    exchanges: Arc<ExchangeCounter>,
    probation: OnceLock<Probation>,
    label: HeaderValue,
    name: String,
}

impl Generation {
    /// Puts together what was built from `inputs`. `number` counts the generations of this process, from 1.
    pub fn new(
        number: u64,
        inputs: Arc<BuildInputs>,
        chain: Chain,
        targets: Targets,
        door: Door,
    ) -> Self {
        let name = format!("{number}-{}", &chain.digest()[..12]);
        Generation {
            number,
            since: SystemTime::now(),
            inputs,
            chain,
            targets: targets.into(),
            door: door.into(),
            exchanges: ExchangeCounter::new(),
            probation: OnceLock::new(),
            label: HeaderValue::from_str(&name).expect("digits and hex make a header"),
            name,
        }
    }

    /// Counts the generations of this process, from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// When it was built.
    pub fn since(&self) -> SystemTime {
        self.since
    }

    /// What it was built from.
    pub fn inputs(&self) -> &Arc<BuildInputs> {
        &self.inputs
    }

    /// The configuration in it.
    pub fn config(&self) -> &Config {
        &self.inputs.config
    }

    /// The stages.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Whether a request with a content part that no policy can read is refused: a stage judges requests, and no setting lets such parts through.
    pub fn refuses_opaque_parts(&self) -> bool {
        let stages = self.chain.stages().iter();
        let mut judges =
            stages.filter(|stage| !stage.is_shadow() && stage.hooks().contains(Hooks::ON_REQUEST));
        self.config().requests.opaque_parts == OpaqueParts::Refuse && judges.next().is_some()
    }

    /// The upstreams.
    pub fn targets(&self) -> &Arc<Targets> {
        &self.targets
    }

    /// Whether requests must be refused while the journal fails: a stage writes to it, and its `on_error` is deny.
    pub fn needs_journal(&self) -> bool {
        self.writers().any(|stage| stage.on_error == OnError::Deny)
    }

    /// Whether any enforcing stage writes to the journal.
    pub fn writes_journal(&self) -> bool {
        self.writers().next().is_some()
    }

    /// The stages that write to the journal. A stage in shadow is none of them: for its sake no request is refused, and the gateway
    /// stays ready.
    fn writers(&self) -> impl Iterator<Item = &StageConfig> {
        let stages = self.config().stages.iter();
        stages.filter(|stage| stage.mode == Mode::Enforce && stage.has(Grant::Journal))
    }

    /// Who may send requests.
    pub fn door(&self) -> &Arc<Door> {
        &self.door
    }

    /// The exchanges that run on it.
    pub fn exchanges(&self) -> &Arc<ExchangeCounter> {
        &self.exchanges
    }

    /// Puts it on probation, once; what its exchanges meet is counted from then on.
    pub fn put_on(&self, probation: Probation) -> &Probation {
        self.probation.get_or_init(|| probation)
    }

    /// What counts its stages' failures, where it is or was on probation.
    pub fn probation(&self) -> Option<&Probation> {
        self.probation.get()
    }

    /// Number and short digest: what logs, `/status` and `x-witgate-chain` call the chain.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The same as the value of `x-witgate-chain`.
    pub fn label(&self) -> &HeaderValue {
        &self.label
    }
}
