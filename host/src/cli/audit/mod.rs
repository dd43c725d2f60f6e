//! `witgate audit`: verifying, searching and exporting the journal.
//!
//! The file is read as it stands, also while a gateway writes to it. Nothing here changes it.

mod entry;
mod export;
mod query;
mod scores;
#[cfg(test)]
mod tests;
mod verify;
mod when;

use std::fmt;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::{Config, ConfigError};
use crate::journal::{JournalError, Reader, Span, Store};

use self::when::{When, now_ms};

/// The arguments of `witgate audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Walk the chain, name the first broken link, print the head
    Verify(verify::VerifyArgs),
    /// Show the newest entries that match
    Query(query::QueryArgs),
    /// Write entries as JSON lines or CSV
    Export(export::ExportArgs),
}

/// Which journal.
#[derive(Debug, Args)]
struct From {
    /// The journal's store; by default the one that --policy-config names, else journal.db in the state folder
    #[arg(long, value_name = "sqlite:PATH", value_parser = Store::parse, conflicts_with = "policy_config")]
    store: Option<Store>,
    /// The configuration that names the store
    #[arg(long, value_name = "FILE")]
    policy_config: Option<PathBuf>,
}

impl From {
    fn open(&self) -> Result<Reader, AuditError> {
        Ok(Reader::open(&self.path()?)?)
    }

    fn path(&self) -> Result<PathBuf, AuditError> {
        if let Some(store) = &self.store {
            return Ok(store.path().to_owned());
        }
        if let Some(file) = &self.policy_config
            && let Some(path) = Config::load(file)?.journal.path()
        {
            return Ok(path.to_owned());
        }
        Ok(Store::default_path()?)
    }
}

/// Which entries.
#[derive(Debug, Args)]
struct Which {
    /// Entries from this time on: RFC 3339 (2026-01-31T12:00:00Z), a date, or an age (90s, 30m, 24h, 7d, 2w)
    #[arg(long, value_name = "TIME", value_parser = When::parse, allow_hyphen_values = true)]
    since: Option<When>,
    /// Entries before this time
    #[arg(long, value_name = "TIME", value_parser = When::parse, allow_hyphen_values = true)]
    until: Option<When>,
    /// Entries with this verdict: proceed, deny, respond, fault
    #[arg(long)]
    verdict: Option<String>,
    /// Entries of this model
    #[arg(long)]
    model: Option<String>,
    /// Entries in which this policy acted: any verdict but proceed, clear and unreached, a finding, or an entry of its own
    #[arg(long)]
    policy: Option<String>,
}

impl Which {
    fn span(&self) -> Result<Span, AuditError> {
        let now = now_ms();
        let span = Span {
            since: self.since.map(|when| when.before(now)),
            until: self.until.map(|when| when.before(now)),
        };
        match (span.since, span.until) {
            (Some(since), Some(until)) if since >= until => Err(AuditError::EmptySpan),
            _ => Ok(span),
        }
    }
}

/// How a single answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For machines
    Json,
}

/// The result of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Fine,
    Wrong,
}

/// Why a command couldn't do its work.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("--since is not before --until: no time lies between them")]
    EmptySpan,
    #[error("--output names {0}, which belongs to the journal itself: give another file")]
    OntoJournal(PathBuf),
    #[error("{what} can't be written: {error}")]
    Output { what: String, error: io::Error },
}

impl AuditError {
    fn stdout(error: io::Error) -> AuditError {
        AuditError::Output {
            what: "the standard output".to_owned(),
            error,
        }
    }

    /// The reader of the output has read enough and gone, as `head` does.
    fn is_closed_pipe(&self) -> bool {
        matches!(self, AuditError::Output { error, .. } if error.kind() == io::ErrorKind::BrokenPipe)
    }

    fn code(&self) -> u8 {
        match self {
            AuditError::EmptySpan
            | AuditError::Config(_)
            | AuditError::OntoJournal(_)
            | AuditError::Journal(
                JournalError::Missing { .. }
                | JournalError::Store { .. }
                | JournalError::NoStateFolder,
            ) => 2,
            _ => 1,
        }
    }
}

/// Runs it. 0: fine; 1: something found wrong; 2: misused.
pub fn run(args: AuditArgs) -> ExitCode {
    let mut out = BufWriter::new(io::stdout().lock());
    let (code, complaint) = execute(&args, &mut out);
    if let Some(complaint) = complaint {
        eprintln!("witgate audit: {complaint}");
    }
    ExitCode::from(code)
}

fn execute(args: &AuditArgs, out: &mut impl Write) -> (u8, Option<AuditError>) {
    let result = match &args.command {
        Command::Verify(args) => verify::run(args, out),
        Command::Query(args) => query::run(args, out),
        Command::Export(args) => export::run(args, out),
    };
    let result = result.and_then(|found| {
        out.flush().map_err(AuditError::stdout)?;
        Ok(found)
    });
    match result {
        Ok(Found::Fine) => (0, None),
        Ok(Found::Wrong) => (1, None),
        Err(error) if error.is_closed_pipe() => (0, None),
        Err(error) => (error.code(), Some(error)),
    }
}

/// Text from an entry on its way to a terminal: control characters would be commands to it.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if letter.is_control()
                || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", letter.escape_unicode())?;
            } else {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}
