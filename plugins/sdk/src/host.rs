//! The functions that every policy may use at any time: the log, and findings.

use crate::imports::host as host_side;
use crate::{Finding, Level};

/// Writes a line to the host's log, under the stage's id. The macros in [`log`](crate::log) format.
pub fn log(level: Level, message: &str) {
    host_side::log(level, message);
}

/// Reports a finding. [`report`](crate::report()) is the short form.
pub fn report(finding: &Finding) {
    host_side::report(finding);
}
