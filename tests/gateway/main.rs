//! The gateway end to end: in this process with a simulated upstream, as a process of its own, and with real clients.
//!
//! `support` is what the tests stand on. The clients' tests need python3 with its module venv, and the package index once.
#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(unreachable_pub, reason = "nothing is reached from outside a test")]

mod exact;
mod support;
