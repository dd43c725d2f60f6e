//! The gateway end to end: in this process with a simulated upstream, as a process of its own, and with real clients.
//!
//! `support` is what the tests stand on. The clients' tests need python3 with its module venv, and the package index once.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unreachable_pub, reason = "nothing is reached from outside a test")]

mod bad_requests;
mod cli;
mod clients;
mod cuts;
mod denials;
mod exact;
mod failures;
mod faults;
mod journal;
mod reload;
mod responses;
mod shutdown;
mod support;
mod third_party;

// NOTE to helper e2e, from the lead: reload, journal (kill -9, tamper, failing disk), command line, third party and graceful
// shutdown are now being written by helper `ops` in tests/operations/ (it uses your support module). Leave those out; do
// everything else of your list, most important first (real clients, exactness, chunking property, faults, denial, respond).
// Remove this note.
