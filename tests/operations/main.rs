//! The gateway in operation: reload, the journal, the command line, a third party's component, the end.
//!
//! All of it through the program itself; what the tests stand on is the gateway tests' `support`.
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unreachable_pub, reason = "nothing is reached from outside a test")]

mod admin;
mod alerts;
mod ask;
mod benchmark;
mod certificates;
mod cli;
#[path = "../storm/files.rs"]
mod files;
mod keys;
mod languages;
mod load;
mod overload;
mod reload;
mod restart;
mod rollback;
mod scene;
#[expect(
    dead_code,
    unused_imports,
    reason = "shared with the gateway's tests, which use the rest"
)]
#[path = "../gateway/support/mod.rs"]
mod support;
mod third_party;
mod told;
