//! The gateway end to end: in this process with a simulated upstream, as a process of its own, and with real clients.
//!
//! `support` is what the tests stand on. The clients' tests need python3 with its module venv, and the package index once.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unreachable_pub, reason = "nothing is reached from outside a test")]

mod actions;
mod bad_requests;
mod breaker;
mod clients;
mod compiled;
mod completions;
mod content;
mod contract;
mod cuts;
mod denials;
mod exact;
mod failing_journal;
mod failures;
mod faults;
mod finishes;
mod generations;
mod governance;
#[path = "../guests/mod.rs"]
mod guests;
mod hostile;
mod http;
mod identity;
mod idle;
mod interest;
mod journal;
mod messages;
mod messy;
mod moderation;
mod packed;
mod recorded;
mod reload;
mod responses;
mod responses_api;
mod reused;
mod samples;
mod shadow;
mod shutdown;
mod snippets;
mod state;
mod support;
mod together;
mod turns;
mod unseen;
mod usage;
