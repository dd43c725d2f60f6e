//! The interface `host`: the log, and findings.

use super::super::bindings::wit;
use super::super::exchange_state::HookPhase;
use super::super::failure::{BadOutput, Misused};
use super::super::guest::Guest;
use super::super::limits::{FINDINGS, LOG_LINE, LOG_LINES};
use super::super::text::{cut, is_name, printable};
use super::super::types::{Finding, Level};

/// Bytes of a finding's detail; the rest is cut.
const DETAIL: usize = 1 << 10;

/// The target of the host's own lines: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::ctx";

impl wit::host::Host for Guest {
    fn log(&mut self, level: Level, mut message: String) -> wasmtime::Result<()> {
        let stage = &*self.stage;
        let lines = &mut self.exchange.lines;
        *lines += 1;
        if *lines > LOG_LINES {
            if *lines == LOG_LINES + 1 {
                tracing::warn!(target: TARGET, %stage, "logs more than {LOG_LINES} lines in one exchange; the rest is dropped");
            }
            return Ok(());
        }
        if message.len() > LOG_LINE {
            message.truncate(message.floor_char_boundary(LOG_LINE));
        }
        let message = printable(&message);
        match level {
            Level::Trace => tracing::trace!(target: "policy", stage, "{message}"),
            Level::Debug => tracing::debug!(target: "policy", stage, "{message}"),
            Level::Info => tracing::info!(target: "policy", stage, "{message}"),
            Level::Warn => tracing::warn!(target: "policy", stage, "{message}"),
            Level::Error => tracing::error!(target: "policy", stage, "{message}"),
        }
        Ok(())
    }

    fn report(&mut self, mut finding: Finding) -> wasmtime::Result<()> {
        if self.exchange.phase == HookPhase::Configure {
            return Err(Misused("reported a finding while being configured".into()).into());
        }
        if !is_name(&finding.code) {
            let what = "a finding's code must match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(BadOutput(what.into()).into());
        }
        if let Some(detail) = &mut finding.detail {
            cut(detail, DETAIL);
        }
        let findings = &mut self.exchange.findings;
        let same =
            |known: &&mut Finding| known.code == finding.code && known.detail == finding.detail;
        if let Some(known) = findings.iter_mut().find(same) {
            known.count = known.count.saturating_add(finding.count);
        } else if findings.len() < FINDINGS {
            findings.push(finding);
        }
        Ok(())
    }
}
