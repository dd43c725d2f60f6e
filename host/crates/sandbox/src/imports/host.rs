//! The interface `host`: the log, and findings.

use super::super::bindings::wit;
use super::super::exchange_state::HookPhase;
use super::super::failure::{BadOutput, Misused};
use super::super::guest::Guest;
use super::super::limits::{COUNTS, FINDINGS, LOG_LINE, LOG_LINES};
use super::super::text::{cut, is_name, printable, quoted};
use super::super::types::{Finding, Level};

/// Bytes of a finding's detail; the rest is cut.
const DETAIL: usize = 1 << 10;

/// The target of the host's own lines: operators filter by this name, whatever the module is called.
const TARGET: &str = "witgate::policy::ctx";

impl wit::host::Host for Guest {
    fn log(&mut self, level: Level, mut message: String) -> wasmtime::Result<()> {
        let stage = &*self.stage;
        // None while it is configured: the fields are then left out, and where nobody is known those that say who.
        let about = self.exchange.request.as_deref();
        let request = about.map(|request| request.id());
        let principal = about.and_then(|request| request.principal());
        let team = about.and_then(|request| request.team());
        let lines = &mut self.exchange.lines;
        *lines += 1;
        if *lines > LOG_LINES {
            if *lines == LOG_LINES + 1 {
                tracing::warn!(target: TARGET, %stage, request, principal, team, "logs more than {LOG_LINES} lines in one exchange; the rest is dropped");
            }
            return Ok(());
        }
        if message.len() > LOG_LINE {
            message.truncate(message.floor_char_boundary(LOG_LINE));
        }
        let message = printable(&message);
        if level == Level::Error {
            self.exchange.last_error = Some(quoted(&message));
        }
        // The roles are put together where the line is wanted, and not before.
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "policy",
                    stage, request, principal, team,
                    roles = about.and_then(|request| request.roles_for_log()),
                    "{message}"
                )
            };
        }
        match level {
            Level::Trace => line!(trace),
            Level::Debug => line!(debug),
            Level::Info => line!(info),
            Level::Warn => line!(warn),
            Level::Error => line!(error),
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

    fn count(&mut self, name: String, n: u64) -> wasmtime::Result<()> {
        if self.exchange.phase == HookPhase::Configure {
            return Err(Misused("counted something while being configured".into()).into());
        }
        if !is_name(&name) {
            let what = "a counter's name must match [a-z0-9][a-z0-9._-]{0,63}";
            return Err(BadOutput(what.into()).into());
        }
        let counts = &mut self.exchange.counts;
        if let Some((_, known)) = counts.iter_mut().find(|(known, _)| *known == name) {
            *known = known.saturating_add(n);
        } else if counts.len() < COUNTS {
            counts.push((name, n));
        }
        Ok(())
    }

    fn held_text(&mut self) -> wasmtime::Result<u64> {
        Ok(self.held.text)
    }

    fn held_time(&mut self) -> wasmtime::Result<u64> {
        Ok(u64::try_from(self.held.time.as_millis()).unwrap_or(u64::MAX))
    }
}
