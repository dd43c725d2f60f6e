//! witgate: a gateway in front of the Cerebras Inference API that runs a chain of *policies*, WebAssembly components in sandboxes of
//! their own, around every request and every streamed piece of every answer.
//!
//! A tour, from the outside in:
//!
//! - [`cli`]: a file a command.
//! - [`server`]: listeners, routes, limits, keys, errors, the admin side.
//! - [`app`]: what the listeners serve.
//! - [`control`]: how a generation is built, swapped while exchanges go on, and rolled back.
//! - [`exchange`]: one request and its answer; the only place where wire and policy meet.
//! - [`generation`]: everything that one configuration made, and that exchanges run on.
//! - [`policy`]: the sandbox; knows nothing of HTTP.
//! - [`wire`]: framing and dialects, text in and text out; knows nothing of WebAssembly.
//! - [`upstream`]: targets and how they are asked.
//! - [`journal`]: the tamper-evident record.
//! - [`config`]: `policy-config.yaml`, from text to a checked value.
//! - [`metrics`]: what is counted.
//! - [`api`]: what every client reads: errors, headers, ids, keys.
//! - [`simulator`]: Cerebras, as clients see it.

pub mod api;
pub mod app;
#[cfg(test)]
mod arrows;
pub mod cli;
pub mod config;
pub mod control;
pub mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod generation;
pub mod metrics;
pub mod policy;
pub mod server;
pub mod upstream;

pub use witgate_journal as journal;
pub use witgate_simulator as simulator;
pub use witgate_wire as wire;
