//! The sandbox: from the bytes of a component to a chain of stages that exchanges run through.
//!
//! From the ground up (no two files import each other in a circle):
//!
//! - [`types`], [`CONTRACT`]: the contract; `earlier` is the one before, and `spoken` a component in the one that it speaks. [`Failure`]: what went wrong in a guest, by class. [`LoadError`]: why there is no stage.
//! - [`RequestView`] and [`Draft`]: what a policy sees of a request; the wire's owner implements them.
//! - `exchange_state` is what an instance knows of one exchange, `guest` the data of its store, with the functions that it may call
//!   in `imports` and `grants`.
//! - [`engine`]: the one WebAssembly engine and its pool; `clock` cuts what runs in it. [`Sandbox`]: that engine with what is linked; `store` arms the
//!   limits, `compiled` keeps what was compiled and checks it before it runs. `compiler` has it compiled in a process of its own: a [`Job`].
//! - [`Loaded`] and [`Stage`]: what loading makes, and what serving attaches to it. [`Instance`]: the fresh copy of it that serves
//!   one exchange. [`Breaker`]: keeps exchanges from a stage that fails too often.
//! - `snapshot` keeps a component as it is when it was configured; `slim` leaves out of that what each exchange would set up for nothing.
//! - `reuse` keeps instances between exchanges, where the configuration says so.
//! - [`Interest`]: what a stage looks out for, so that the host needn't call it for anything else.
//! - [`load()`] and [`ask()`]: a component's bytes and a [`StageSpec`] become a [`Loaded`], or a sentence says why not.
//! - [`Chain`]: the stages of one configuration, in order.
//!
//! Nothing here knows HTTP or JSON dialects. What must stay true: no two exchanges ever share an instance, unless the configuration
//! says `isolation: reused`, and then one after the other; and no guest code runs without a budget.

mod answer_header;
mod bindings;
mod breaker;
mod chain;
mod clock;
mod compiled;
mod compiler;
mod component;
mod earlier;
pub mod engine;
mod error;
mod exchange_state;
mod failure;
mod fixed_request;
mod grants;
mod guest;
mod hooks;
mod imports;
mod instance;
mod interest;
mod labels;
mod least_entry;
mod limits;
mod load;
mod manifest;
mod memory_reader;
mod meter;
mod newer;
mod outcome;
mod request;
mod reuse;
mod sandbox;
mod selftest;
mod slim;
mod snapshot;
mod spec;
mod spoken;
mod stage;
mod store;
mod text;
mod tool_names;
mod wasi;

pub use bindings::{CONTRACT, types};
pub use breaker::{Breaker, BreakerState, Refused, Trial};
pub use chain::Chain;
pub use compiler::{BadJob, Job, NotDone};
pub use component::{Inspection, inspect};
pub use error::LoadError;
pub use failure::{Class, Failure};
#[doc(hidden)]
pub use fixed_request::FixedRequest;
pub use grants::{GrantBackends, HttpBackend, ScriptedReply};
pub use hooks::hook_names;
pub use instance::{Answered, Instance, Passage, Requested};
pub use interest::{BadInterest, Interest, Word};
pub use limits::MAX_SIZE;
pub use load::{ask, load};
pub use manifest::{Producer, SECTION as MANIFEST_SECTION, with_manifest, with_producers};
pub use outcome::Outcome;
pub use request::{Draft, NotReplaced, RequestView};
pub use sandbox::Sandbox;
pub use spec::StageSpec;
pub use stage::{Instantiation, Loaded, Making, Stage};
pub use witgate_journal::Accepted;
pub use witgate_outbound::{Outbound, OutboundError, Reply};
