//! `--update`: what came, written into the file of samples in the place of what was expected. The file is changed as text, so that
//! everything else in it stays as it is, comments too; those within a changed `expect` are lost.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use serde_json::{Map, Value};

use super::report::Report;
use crate::cli::Wrong;
use crate::control::samples::Samples;

/// Writes what came of each sample that failed and comes to the same at every cut. Where something is left, the exit code is 1.
pub(super) fn write(file: &Path, text: &[u8], report: &Report) -> Result<ExitCode, Wrong> {
    let name = file.display();
    let mut text = String::from_utf8(text.to_vec()).map_err(|error| format!("{name}: {error}"))?;
    let mut left = Vec::new();
    let mut updated = 0;
    for (case, place) in report.cases.iter().zip(0..) {
        if case.problems().is_empty() {
            continue;
        }
        let came = case
            .outcome
            .as_ref()
            .and_then(|outcome| outcome.came.as_ref());
        match came.and_then(|came| replaced(&text, place, came)) {
            Some(changed) => {
                text = changed;
                updated += 1;
            }
            None => left.push(case.name.as_str()),
        }
    }
    if updated > 0 {
        // Before anything is lost: it must still be what it was.
        let read = Samples::parse(text.as_bytes())
            .map_err(|error| format!("{name}: it can't be updated: {error}"))?;
        if !read
            .iter()
            .map(|sample| sample.name())
            .eq(report.cases.iter().map(|case| case.name.as_str()))
        {
            return Err(format!("{name}: it can't be updated, for its samples would be others; write `expect` by hand").into());
        }
        std::fs::write(file, text).map_err(|error| format!("{name}: {error}"))?;
    }
    eprintln!("{name}: {updated} samples updated");
    for name in &left {
        eprintln!(
            "not updated: {name:?}; what comes of it depends on the cut, the policy failed, or it isn't written as a block"
        );
    }
    Ok(if left.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// The text with another `expect` in the sample at that place of the list. `None`: it isn't written as a block with a key a line.
fn replaced(text: &str, place: usize, came: &Map<String, Value>) -> Option<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let dash = lines
        .iter()
        .find_map(|line| line.trim_start().starts_with("- ").then(|| indent(line)))?;
    let begins = |line: &&str| indent(line) == dash && line[dash..].starts_with("- ");
    let starts: Vec<usize> = (0..lines.len()).filter(|&at| begins(&lines[at])).collect();
    let (start, end) = (
        *starts.get(place)?,
        starts.get(place + 1).copied().unwrap_or(lines.len()),
    );
    // Where the keys stand: behind the dash, and below it in the same column.
    let column = dash + 1 + indent(&lines[start][dash + 1..]);
    if !lines[start][column..].contains(':') || lines[start][column..].starts_with('{') {
        return None;
    }
    let is_empty = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    // Up to the last line that says something; what stands between it and the next sample belongs to that.
    let body_end = (start..end)
        .rev()
        .find(|&at| !is_empty(lines[at]))
        .map_or(end, |at| at + 1);
    let key = (start + 1..body_end)
        .find(|&at| indent(lines[at]) == column && lines[at][column..].starts_with("expect:"));
    let (from, to) = match key {
        Some(from) => {
            let below = |&at: &usize| !is_empty(lines[at]) && indent(lines[at]) <= column;
            let next = (from + 1..body_end).find(below).unwrap_or(body_end);
            // Comments above the next key are that key's.
            let last = (from..next)
                .rev()
                .find(|&at| !is_empty(lines[at]))
                .unwrap_or(from);
            (from, last + 1)
        }
        None => (body_end, body_end),
    };
    let mut changed = lines[..from].concat();
    if !changed.ends_with('\n') {
        changed.push('\n');
    }
    let space = " ".repeat(column);
    let _ = writeln!(changed, "{space}expect:");
    for (key, value) in came {
        // JSON is YAML; a word needs no quotes.
        let word = value
            .as_str()
            .filter(|word| matches!(key.as_str(), "verdict") && !word.is_empty());
        let value = word.map_or_else(|| value.to_string(), str::to_owned);
        let _ = writeln!(changed, "{space}  {key}: {value}");
    }
    changed.push_str(&lines[to..].concat());
    Some(changed)
}

/// The spaces that a line begins with.
fn indent(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use serde_json::json;

    const FILE: &str = "# All of them.\n- name: One  # the first\n  request: {messages: []}\n  expect:\n    verdict: deny\n    # lost\n    text: a\n\n  \
                        # the answer\n  answer: hi\n\n# The second.\n- name: Two\n  request:\n    messages: []\n";

    fn came() -> Map<String, Value> {
        match json!({"verdict": "proceed", "text": "say \"hi\"\n"}) {
            Value::Object(came) => came,
            _ => unreachable!("it is one"),
        }
    }

    #[test]
    fn only_what_was_expected_is_replaced() {
        let wanted = FILE.replace(
            "    verdict: deny\n    # lost\n    text: a\n",
            "    verdict: proceed\n    text: \"say \\\"hi\\\"\\n\"\n",
        );
        assert_eq!(replaced(FILE, 0, &came()).unwrap(), wanted);
    }

    #[test]
    fn a_sample_that_expected_nothing_expects_what_came() {
        let wanted =
            format!("{FILE}  expect:\n    verdict: proceed\n    text: \"say \\\"hi\\\"\\n\"\n");
        assert_eq!(replaced(FILE, 1, &came()).unwrap(), wanted);
        assert_eq!(replaced(FILE.trim_end(), 1, &came()).unwrap(), wanted);
    }

    #[test]
    fn a_sample_on_one_line_is_left_alone() {
        assert_eq!(
            replaced("- {name: One, request: {messages: []}}\n", 0, &came()),
            None
        );
        assert_eq!(replaced(FILE, 2, &came()), None);
    }
}
