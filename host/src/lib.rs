//! witgate: a gateway in front of the Cerebras Inference API that runs a chain of *policies*, WebAssembly components in sandboxes of
//! their own, around every request and every streamed piece of every answer.
//!
//! A tour, from the top down. A folder knows those below it and none above; a test (`arrows`) keeps it so.
//!
//! - [`cli`]: a file a command.
//! - [`app`]: what the listeners serve: it gives each request to what answers it.
//! - [`server`]: listeners, routes, limits, the admin side. It knows of the gateway what its trait says, and nothing of exchanges.
//! - [`control`]: what changes what runs: building, reloading, swapping, rolling back, draining.
//! - [`exchange`]: one request and its answer; the only place where wire and policy meet.
//! - [`generation`]: what runs: the chain, targets and clients of one configuration, immutable.
//! - [`identity`]: who asks, by a client's key or a provider's token.
//! - [`upstream`]: targets and how they are asked.
//! - [`api`]: what every client reads: errors, headers, request ids, keys; and what an exchange takes: permits, memory.
//!
//! And crates of their own, which know nothing of this one:
//!
//! - [`policy`]: the sandbox, crate `witgate-sandbox`; it knows of journal, configuration and metrics, and nothing of HTTP.
//! - [`wire`]: framing and dialects, text in and text out; knows nothing of WebAssembly.
//! - [`journal`]: the tamper-evident record.
//! - [`simulator`]: Cerebras, as clients see it.
//! - [`config`]: `policy-config.yaml`, from text to a checked value.
//! - [`metrics`]: what is counted.

// A command waits for loading, which waits for a guest's call, and each step between is a future in the one before.
#![recursion_limit = "256"]

pub mod api;
pub mod app;
#[cfg(test)]
mod arrows;
pub mod cli;
pub mod control;
pub mod exchange;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
pub mod generation;
pub mod identity;
#[cfg(test)]
mod promises;
pub mod server;
pub mod upstream;

pub use witgate_config as config;
pub use witgate_journal as journal;
pub use witgate_metrics as metrics;
pub use witgate_sandbox as policy;
pub use witgate_simulator as simulator;
pub use witgate_state as state;
pub use witgate_wire as wire;
