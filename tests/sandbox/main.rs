//! The sandbox against hostile guests: one test per misdeed, and each limit met by a guest that wants past it.
//!
//! The guest of `tests/guests/hostile` does what its configuration names; what Rust can't do wrong is written as core WebAssembly
//! in `forged`. No test asserts how long anything takes: a loop is ended by its limit, or the test never ends.
#![expect(clippy::unwrap_used, reason = "a test")]

mod forged;
mod isolation;
mod limits;
mod loading;
mod misdeeds;
mod neighbours;
mod samples;
mod snapshot;
mod support;
