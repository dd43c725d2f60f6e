//! `witgate audit verify`.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use crate::journal::{GivenHead, Hash, Verification};

use super::when::rfc3339;
use super::{AuditError, Format, Found, From};

/// The arguments of `witgate audit verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    from: From,
    /// A head that an earlier run printed: is all up to it still as it was then?
    #[arg(long, value_name = "HASH")]
    head: Option<Hash>,
    /// How to write the answer
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

pub(super) fn run(args: &VerifyArgs, out: &mut impl Write) -> Result<Found, AuditError> {
    let path = args.from.path()?;
    let found = args.from.open()?.verify(args.head)?;
    match args.format {
        Format::Table => sentences(&path.display().to_string(), &found, out),
        Format::Json => document(&found, out),
    }
    .map_err(AuditError::stdout)?;
    Ok(if found.is_sound() {
        Found::Fine
    } else {
        Found::Wrong
    })
}

fn sentences(path: &str, found: &Verification, out: &mut impl Write) -> io::Result<()> {
    match &found.broken {
        None => writeln!(out, "The chain of {path} is unbroken.")?,
        Some(broken) => {
            writeln!(out, "The chain of {path} is BROKEN: {broken}.")?;
            writeln!(out, "What follows is of the part before that.")?;
        }
    }
    writeln!(out, "entries  {}", found.entries)?;
    if let (Some((first, from)), Some((last, to))) = (found.first, found.last) {
        writeln!(out, "seq      {first} to {last}")?;
        writeln!(out, "time     {} to {}", rfc3339(from), rfc3339(to))?;
    }
    if let Some(checkpoint) = found.checkpoint {
        let (seq, at) = (checkpoint.seq, rfc3339(checkpoint.at));
        match checkpoint.entry {
            Some(entry) => writeln!(
                out,
                "removed  1 to {seq} by retention, the last at {at}; entry {entry} says so"
            )?,
            None => writeln!(
                out,
                "removed  1 to {seq}, the last at {at}; no entry says by what"
            )?,
        }
    }
    writeln!(out, "head     {}", found.head)?;
    match found.given {
        None if found.old => writeln!(
            out,
            "An older release wrote this journal. It can't know whether the end was cut off, and whether retention removed what\n\
             is gone from the beginning: give a head with --head for that. The next gateway that opens it brings it up to date."
        ),
        None if found.broken.is_none() => writeln!(
            out,
            "It can't know whether somebody who can write to this file cut off the end together with the journal's note of it,\n\
             or wrote the whole anew. Keep the head where such a person can't reach it, and give it with --head later. The\n\
             gateway's log has heads, too."
        ),
        None => Ok(()),
        Some(given) => writeln!(out, "{}", about_given(given, found)),
    }
}

fn about_given(given: GivenHead, found: &Verification) -> String {
    match given {
        GivenHead::Entry(seq) => {
            let last = found.last.map_or(0, |(seq, _)| seq);
            format!(
                "The head given is that of entry {seq}: all up to it is as it was then. {} came since.",
                last.saturating_sub(seq)
            )
        }
        GivenHead::Removed(seq) => format!(
            "The head given is that of entry {seq}: retention has removed that one and all before it."
        ),
        GivenHead::NotFound => {
            let also = match found.checkpoint {
                Some(checkpoint) => {
                    format!(
                        ", or it is that of an entry before {}, which retention removed",
                        checkpoint.seq
                    )
                }
                None => String::new(),
            };
            format!(
                "The head given is NOT FOUND: entries were cut off at the end, or the chain was written anew{also}."
            )
        }
    }
}

fn document(found: &Verification, out: &mut impl Write) -> io::Result<()> {
    let given = found.given.map(|given| match given {
        GivenHead::Entry(seq) => json!({"found": true, "seq": seq, "removed": false}),
        GivenHead::Removed(seq) => json!({"found": true, "seq": seq, "removed": true}),
        GivenHead::NotFound => json!({"found": false}),
    });
    let document = json!({
        "sound": found.is_sound(),
        "entries": found.entries,
        "first_seq": found.first.map(|(seq, _)| seq),
        "last_seq": found.last.map(|(seq, _)| seq),
        "first_at": found.first.map(|(_, at)| rfc3339(at)),
        "last_at": found.last.map(|(_, at)| rfc3339(at)),
        "head": found.head.to_string(),
        "checkpoint": found.checkpoint.map(|checkpoint| json!({
            "seq": checkpoint.seq,
            "hash": checkpoint.hash.to_string(),
            "at": rfc3339(checkpoint.at),
            "removed": checkpoint.removed,
            "entry": checkpoint.entry,
        })),
        "old": found.old,
        "broken": found.broken.as_ref().map(|broken| json!({
            "seq": broken.seq,
            "what": broken.fault.name(),
            "message": broken.to_string(),
        })),
        "given_head": given,
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}
