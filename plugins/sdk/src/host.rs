//! The functions that every policy may use at any time: the log, findings, counters, and what it may hold.

use std::time::Duration;

use crate::imports::host as host_side;
use crate::{Finding, Level};

/// Writes a line to the host's log, under the stage's id. The macros in [`log`](crate::log) format.
pub fn log(level: Level, message: &str) {
    host_side::log(level, message);
}

/// Adds to a counter of the policy's own, which the gateway's metrics show with the stage's id: `witgate_policy_count_total`. The name
/// matches `[a-z0-9][a-z0-9._-]{0,63}`, anything else is a fault; choose few, for 64 are told apart. Not while configuring.
pub fn count(name: &str, n: u64) {
    host_side::count(name, n);
}

/// How many bytes of a passage the policy may hold: its limit `held_text`. At any time, also while configuring.
pub fn held_text() -> u64 {
    host_side::held_text()
}

/// For how long it may hold a text: its limit `held_time`. Time in which nothing comes hardly counts.
pub fn held_time() -> Duration {
    Duration::from_millis(host_side::held_time())
}

/// Reports a finding. [`report`](crate::report()) is the short form.
pub fn report(finding: &Finding) {
    host_side::report(finding);
}
