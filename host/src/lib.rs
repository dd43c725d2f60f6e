//! witgate: a gateway in front of the Cerebras Inference API that runs a chain of *policies*, WebAssembly components in sandboxes of
//! their own, around every request and every streamed piece of every answer.
//!
//! A tour, from the outside in:
//!
//! - [`cli`]: a file a command.
//! - [`server`]: listeners, routes, limits, keys, errors, the admin side.
//! - [`gateway`]: the configuration that runs, and how it is swapped while exchanges go on.
//! - [`exchange`]: one request and its answer; the only place where wire and policy meet.
//! - [`policy`]: the sandbox; knows nothing of HTTP.
//! - [`wire`]: framing and dialects, text in and text out; knows nothing of WebAssembly.
//! - [`upstream`]: targets and how they are asked.
//! - [`journal`]: the tamper-evident record.
//! - [`config`]: `policy-config.yaml`, from text to a checked value.
//! - [`metrics`]: what is counted.
//! - [`simulator`]: Cerebras, as clients see it.

pub mod cli;
pub mod config;
pub mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod gateway;
pub mod metrics;
pub mod policy;
pub mod server;
pub mod upstream;

pub use witgate_journal as journal;
pub use witgate_simulator as simulator;
pub use witgate_wire as wire;
