//! `witgate audit export`: every entry that matches, in the chain's order.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::journal::{Order, Reader, Record};

use super::entry::{self, Body};
use super::when::rfc3339;
use super::{AuditError, Found, From, Which};

/// The arguments of `witgate audit export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    which: Which,
    /// What to write
    #[arg(long, value_enum, default_value = "jsonl")]
    format: ExportFormat,
    /// Where to; by default the standard output. A new file has mode 0600, one that is there is overwritten
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// A JSON object a line, with all that the chain's hash covers
    Jsonl,
    /// The main columns
    Csv,
}

pub(super) fn run(args: &ExportArgs, out: &mut impl Write) -> Result<Found, AuditError> {
    let reader = args.from.open()?;
    let Some(output) = &args.output else {
        return write(args, &reader, out, AuditError::stdout);
    };
    let failed = |error| AuditError::Output {
        what: output.display().to_string(),
        error,
    };
    if is_of_journal(output, &args.from.path()?) {
        return Err(AuditError::OntoJournal(output.clone()));
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = BufWriter::new(options.open(output).map_err(failed)?);
    let found = write(args, &reader, &mut file, failed)?;
    file.flush().map_err(failed)?;
    Ok(found)
}

/// Whether this is the journal's file or one of the files beside it, under whatever name.
fn is_of_journal(output: &Path, journal: &Path) -> bool {
    let Ok(ours) = fs::metadata(output) else {
        return false;
    };
    ["", "-wal", "-shm", ".lock"].iter().any(|end| {
        let mut name = journal.as_os_str().to_owned();
        name.push(end);
        fs::metadata(name)
            .is_ok_and(|theirs| (theirs.dev(), theirs.ino()) == (ours.dev(), ours.ino()))
    })
}

fn write(
    args: &ExportArgs,
    reader: &Reader,
    out: &mut impl Write,
    failed: impl Fn(io::Error) -> AuditError,
) -> Result<Found, AuditError> {
    let span = args.which.span()?;
    let flow = match args.format {
        ExportFormat::Jsonl => reader.records(span, Order::OldestFirst, |record| {
            flow(&args.which, record, |record| {
                writeln!(out, "{}", entry::line(record)?)
            })
        })?,
        ExportFormat::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(COLUMNS)
                .map_err(|error| failed(error.into()))?;
            let flow = reader.records(span, Order::OldestFirst, |record| {
                flow(&args.which, record, |record| {
                    Ok(csv.write_record(cells(record))?)
                })
            })?;
            csv.flush().map_err(&failed)?;
            flow
        }
    };
    match flow {
        ControlFlow::Continue(()) => Ok(Found::Fine),
        ControlFlow::Break(error) => Err(failed(error)),
    }
}

fn flow(
    which: &Which,
    record: &Record<'_>,
    write: impl FnOnce(&Record<'_>) -> io::Result<()>,
) -> ControlFlow<io::Error> {
    match which.wants(record).then(|| write(record)) {
        Some(Err(error)) => ControlFlow::Break(error),
        _ => ControlFlow::Continue(()),
    }
}

const COLUMNS: [&str; 18] = [
    "seq",
    "at",
    "stage",
    "request_id",
    "id",
    "model",
    "target",
    "verdict",
    "policy",
    "code",
    "ended",
    "prompt_tokens",
    "completion_tokens",
    "cost_micros",
    "ms",
    "findings",
    "acted",
    "hash",
];

fn cells(record: &Record<'_>) -> [String; 18] {
    let body = Body::of(record);
    let text = |name| harmless(body.text(name));
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        record.seq.to_string(),
        rfc3339(record.at),
        harmless(record.stage.to_string()),
        harmless(record.request_id.to_string()),
        text("id"),
        text("model"),
        text("target"),
        text("verdict"),
        text("policy"),
        text("code"),
        text("ended"),
        number(body.usage("prompt_tokens")),
        number(body.usage("completion_tokens")),
        text("cost_micros"),
        number(body.ms()),
        body.findings().to_string(),
        harmless(body.acted()),
        entry::hex(record.hash),
    ]
}

/// A spreadsheet runs a cell that begins like a formula: such a text gets an apostrophe before it.
fn harmless(mut text: String) -> String {
    let start = text.trim_start_matches(' ');
    if start.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) {
        text.insert(0, '\'');
    }
    text
}
