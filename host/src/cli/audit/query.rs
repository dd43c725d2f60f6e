//! `witgate audit query`: the newest entries that match, the oldest of them first.

use std::io::{self, Write};
use std::ops::ControlFlow;

use clap::Args;

use crate::journal::{Order, Record};

use super::entry::{self, Body};
use super::scores::Scores;
use super::when::rfc3339;
use super::{AuditError, Format, Found, From, Plain, Which};

/// The arguments of `witgate audit query`.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    #[command(flatten)]
    from: From,
    #[command(flatten)]
    which: Which,
    /// At most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
    /// How to write them
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(super) fn run(args: &QueryArgs, out: &mut impl Write) -> Result<Found, AuditError> {
    let span = args.which.span()?;
    let reader = args.from.open()?;
    let mut found = Vec::new();
    let mut scores = Scores::default();
    let flow = reader.records(span, Order::NewestFirst, |record| {
        if args.which.wants(record) {
            match args.format {
                Format::Table => {
                    found.push(Shown::Row(row(record)));
                    let policy = args.which.policy.as_deref();
                    if let Some(score) = policy.and_then(|policy| Body::of(record).score(policy)) {
                        scores.add(score);
                    }
                }
                Format::Json => match entry::line(record) {
                    Ok(line) => found.push(Shown::Line(line)),
                    Err(error) => return ControlFlow::Break(Err(io::Error::from(error))),
                },
            }
        }
        if found.len() >= args.limit as usize {
            return ControlFlow::Break(Ok(()));
        }
        ControlFlow::Continue(())
    })?;
    if let ControlFlow::Break(result) = flow {
        result.map_err(AuditError::stdout)?;
    }
    found.reverse();
    match args.format {
        Format::Table => table(&found, out).and_then(|()| match &args.which.policy {
            Some(policy) => scores.show(policy, out),
            None => Ok(()),
        }),
        Format::Json => array(&found, out),
    }
    .map_err(AuditError::stdout)?;
    Ok(Found::Fine)
}

const COLUMNS: usize = 8;

const TITLES: [&str; COLUMNS] = [
    "time",
    "id",
    "model",
    "verdict",
    "policy/code",
    "ended",
    "tokens",
    "ms",
];

/// From here on columns are numbers, on the right.
const NUMBERS: usize = 6;

enum Shown {
    Row([String; COLUMNS]),
    Line(String),
}

fn row(record: &Record<'_>) -> [String; COLUMNS] {
    let body = Body::of(record);
    let (policy, code) = (body.text("policy"), body.text("code"));
    let by = match (policy.is_empty(), code.is_empty()) {
        (_, true) => policy,
        (true, false) => code,
        (false, false) => format!("{policy}/{code}"),
    };
    let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
    [
        rfc3339(record.at),
        match body.text("id") {
            id if id.is_empty() => record.request_id.to_string(),
            id => id,
        },
        body.text("model"),
        body.text("verdict"),
        by,
        body.text("ended"),
        number(body.tokens()),
        number(body.ms()),
    ]
    .map(|cell| match cell {
        cell if cell.is_empty() => "-".to_owned(),
        cell => Plain(&cell).to_string(),
    })
}

fn table(found: &[Shown], out: &mut impl Write) -> io::Result<()> {
    if found.is_empty() {
        return writeln!(out, "No entry matches.");
    }
    let titles = TITLES.map(str::to_owned);
    let rows = || {
        std::iter::once(&titles).chain(found.iter().filter_map(|shown| match shown {
            Shown::Row(row) => Some(row),
            Shown::Line(_) => None,
        }))
    };
    let mut widths = [0; COLUMNS];
    for row in rows() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in rows() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            match column {
                column if column >= NUMBERS => write!(out, "{gap}{cell:>width$}")?,
                _ => write!(out, "{gap}{cell:<width$}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn array(found: &[Shown], out: &mut impl Write) -> io::Result<()> {
    write!(out, "[")?;
    let lines = found.iter().filter_map(|shown| match shown {
        Shown::Line(line) => Some(line),
        Shown::Row(_) => None,
    });
    for (index, line) in lines.enumerate() {
        let before = if index == 0 { "\n" } else { ",\n" };
        write!(out, "{before}{line}")?;
    }
    writeln!(out, "\n]")
}
