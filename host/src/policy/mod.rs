//! The sandbox: from the bytes of a component to a chain of stages that exchanges run through.
//!
//! - [`engine`]: the one WebAssembly engine, its pool and its clock.
//! - [`load`]: a component's bytes and a stage's configuration become a [`Stage`], or a sentence that says why not.
//! - [`Stage`] and [`Instance`]: the configured snapshot, and the fresh copy of it that serves one exchange.
//! - [`Breaker`]: keeps exchanges from a stage that fails too often.
//! - [`Chain`]: the stages of one configuration, in order.
//! - [`RequestView`] and [`Draft`]: what a policy sees of a request; the wire's owner implements them.
//! - [`Failure`]: what went wrong in a guest, by class.
//!
//! Nothing here knows HTTP or JSON dialects. What must stay true: no two exchanges ever share an instance, and no guest code
//! runs without a budget.

mod bindings;
mod breaker;
mod chain;
mod component;
mod ctx;
pub mod engine;
mod failure;
mod instance;
mod limits;
pub mod load;
mod memory_reader;
mod meter;
mod outcome;
mod request;
mod selftest;
mod snapshot;
mod stage;
mod wasi;

pub use bindings::witgate::policy::types;
pub use breaker::{Breaker, BreakerState};
pub(crate) use breaker::{Refused, Trial};
pub use chain::Chain;
pub use component::{CONTRACT, Inspection, MAX_SIZE, inspect};
pub use failure::{Class, Failure};
pub use instance::{Answered, Instance, Passage, Requested};
pub use load::{LoadError, Sandbox};
pub use outcome::Outcome;
pub use request::{Draft, RequestView};
pub use stage::{Plan, Ready, Stage};
