#![doc = include_str!("../README.md")]
//!
//! # A tour
//!
//! - [`Policy`] and [`Passage`] are what an author writes, [`export!`] makes a component of it.
//! - [`request`], [`outcome`] and [`host`] are what the host offers, [`journal`], [`counters`], [`kv`] and [`http`] what it grants; [`log`] formats for it.
//! - [`redact`] takes things out of answers, however they are cut; [`patterns`] finds them.
//! - [`prelude`] has the most used in one `use`.
//! - `testing` drives a policy natively, under plain `cargo test`, as the host would.

pub mod counters;
pub mod export;
pub mod host;
pub mod http;
pub mod journal;
pub mod kv;
pub mod log;
pub mod outcome;
pub mod patterns;
pub mod prelude;
pub mod print;
pub mod redact;
pub mod request;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;

mod panics;
mod policy;
mod settings;
mod words;

/// The host's side of the imports: the real one in a sandbox, a fake in native tests.
#[cfg(target_family = "wasm")]
use bindings::witgate::policy as imports;
#[cfg(not(target_family = "wasm"))]
use testing::imports;

pub use bindings::witgate::policy::types::{
    Account, Channel, DataPolicy, Delta, Denial, Description, Edit, Ending, Finding, Hooks, Level,
    Replacement, Role, Segment, Target, Text, Tool, ToolCall, Usage, Verdict, Wants,
};
pub use policy::{Passage, Policy};
pub use words::report;

/// serde, for policies without a dependency on it: derive with `#[serde(crate = "witgate_policy::serde")]`.
pub use serde;
/// The JSON library that reads the settings.
pub use serde_json;

/// Keeps the examples of the authors' guide compiling.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/policies.md")]
struct Guide;
