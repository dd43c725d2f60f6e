//! The sandbox against hostile guests: one test per misdeed, and each limit met by a guest that wants past it.
//!
//! The guest of `tests/guests/hostile` does what its configuration names; what Rust can't do wrong is written as core WebAssembly
//! in `tests/guests/forged.rs`. Both have a list of their misdeeds, with what becomes of each; the tests say more. No test asserts how long anything takes: a loop is ended by its limit, or the test never ends.
#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../guests/build.rs"]
mod build;
mod forged;
#[path = "../guests/mod.rs"]
mod guests;
mod isolation;
mod limits;
mod loading;
mod misdeeds;
mod neighbours;
mod ordinary;
mod reuse;
mod samples;
mod snapshot;
mod support;
