//! What a test found, for people, for programs and for build servers.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use serde_json::{Value, json};

use crate::control::samples::{Outcome, Problem};

/// What came of all samples.
pub(super) struct Report {
    pub(super) component: String,
    pub(super) samples: String,
    pub(super) seed: u64,
    pub(super) cases: Vec<Case>,
}

/// One sample, and what came of it. `None`: it is for other settings.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) outcome: Option<Outcome>,
}

impl Case {
    fn result(&self) -> &'static str {
        match &self.outcome {
            None => "skipped",
            Some(outcome) if outcome.problems.is_empty() => "passed",
            Some(_) => "failed",
        }
    }

    pub(super) fn problems(&self) -> &[Problem] {
        self.outcome
            .as_ref()
            .map_or(&[], |outcome| &outcome.problems)
    }

    fn runs(&self) -> usize {
        self.outcome.as_ref().map_or(0, |outcome| outcome.runs)
    }
}

impl Report {
    pub(super) fn new(component: String, samples: String, seed: u64) -> Self {
        Report {
            component,
            samples,
            seed,
            cases: Vec::new(),
        }
    }

    fn count(&self, result: &str) -> usize {
        let same = |case: &&Case| case.result() == result;
        self.cases.iter().filter(same).count()
    }

    /// Whether every sample holds that is for these settings.
    pub(super) fn well(&self) -> bool {
        self.count("failed") == 0
    }

    pub(super) fn to_json(&self) -> Value {
        let problem = |it: &Problem| json!({"cut": it.cut, "what": it.what, "expected": it.expected, "came": it.came, "other_cuts": it.others});
        let case = |case: &Case| {
            let problems: Vec<Value> = case.problems().iter().map(problem).collect();
            json!({"name": case.name, "result": case.result(), "runs": case.runs(), "problems": problems})
        };
        json!({
            "component": self.component, "samples": self.samples, "seed": self.seed, "ok": self.well(),
            "passed": self.count("passed"), "failed": self.count("failed"), "skipped": self.count("skipped"),
            "cases": self.cases.iter().map(case).collect::<Vec<_>>(),
        })
    }

    /// A test suite with a case for each sample.
    pub(super) fn to_junit(&self) -> String {
        let counts = format!(
            "tests=\"{}\" failures=\"{}\" skipped=\"{}\" errors=\"0\"",
            self.cases.len(),
            self.count("failed"),
            self.count("skipped")
        );
        let (suite, seed) = (xml(&self.component), self.seed);
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {counts}>\n<testsuite name=\"{suite}\" {counts}>\n\
             <properties><property name=\"seed\" value=\"{seed}\"/></properties>\n"
        );
        for case in &self.cases {
            let _ = writeln!(
                text,
                "<testcase classname=\"{suite}\" name=\"{}\">",
                xml(&case.name)
            );
            if case.outcome.is_none() {
                text.push_str("<skipped message=\"it is for other settings\"/>\n");
            }
            // A case has one failure, by JUnit's schema.
            if let [first, ..] = case.problems() {
                let all: String = case
                    .problems()
                    .iter()
                    .map(|it| sentence(it) + "\n" + &diff(it, false))
                    .collect();
                let _ = writeln!(
                    text,
                    "<failure message=\"{}\">{}</failure>",
                    xml(&sentence(first)),
                    xml(&all)
                );
            }
            text.push_str("</testcase>\n");
        }
        text + "</testsuite>\n</testsuites>"
    }

    /// With colours where a person looks at it, and hasn't said otherwise.
    pub(super) fn print(&self) {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        print!(
            "{}",
            self.to_text(std::io::stdout().is_terminal() && !plain)
        );
    }

    fn to_text(&self, colour: bool) -> String {
        let mut text = String::new();
        for case in &self.cases {
            let _ = match case.result() {
                "passed" => writeln!(
                    text,
                    "  {} {} ({} runs)",
                    paint("✓", GREEN, colour),
                    case.name,
                    case.runs()
                ),
                "skipped" => writeln!(text, "  - {}: it is for other settings", case.name),
                _ => writeln!(text, "  {} {}", paint("✗", RED, colour), case.name),
            };
            for problem in case.problems() {
                let _ = writeln!(text, "      {}", sentence(problem));
                for line in diff(problem, colour).lines() {
                    let _ = writeln!(text, "        {line}");
                }
            }
        }
        let runs: usize = self.cases.iter().map(Case::runs).sum();
        let _ = writeln!(
            text,
            "{} passed, {} failed, {} skipped: {runs} runs, seed {}",
            self.count("passed"),
            self.count("failed"),
            self.count("skipped"),
            self.seed
        );
        text
    }
}

fn sentence(problem: &Problem) -> String {
    let others = match problem.others {
        0 => String::new(),
        1 => ", and at one other cut".to_owned(),
        others => format!(", and at {others} other cuts"),
    };
    format!(
        "{} isn't as expected ({}{others})",
        problem.what, problem.cut
    )
}

const RED: &str = "31";
const GREEN: &str = "32";

fn paint(text: &str, colour: &str, wanted: bool) -> String {
    if wanted && !text.is_empty() {
        format!("\x1b[{colour}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// What was expected, line by line with `-`, and what came with `+`. Lines that both begin or end with stand once. Of two single lines
/// the part that differs is marked, where there are colours.
fn diff(problem: &Problem, colour: bool) -> String {
    let (one, other): (Vec<&str>, Vec<&str>) = (
        problem.expected.split('\n').collect(),
        problem.came.split('\n').collect(),
    );
    let (head, tail) = common(&one, &other);
    let mut text = String::new();
    let mut line = |mark: &str, line: &str, code: &str, inner: Option<(usize, usize)>| {
        let shown = match inner {
            Some((from, to)) if colour => {
                let characters: Vec<char> = line.chars().collect();
                let part =
                    |from: usize, to: usize| safe(&characters[from..to].iter().collect::<String>());
                let (before, after) = (part(0, from), part(to, characters.len()));
                let marked = paint(&part(from, to), &format!("{code};7"), true);
                format!(
                    "{}{marked}{}",
                    paint(&format!("{mark} {before}"), code, true),
                    paint(&after, code, true)
                )
            }
            _ => paint(
                &format!("{mark} {}", safe(line)),
                code,
                colour && !code.is_empty(),
            ),
        };
        text.push_str(&shown);
        text.push('\n');
    };
    one[..head].iter().for_each(|it| line(" ", it, "", None));
    let (mine, theirs) = (
        &one[head..one.len() - tail],
        &other[head..other.len() - tail],
    );
    let marks = match (mine, theirs) {
        ([mine], [theirs]) => {
            let (mine, theirs): (Vec<char>, Vec<char>) =
                (mine.chars().collect(), theirs.chars().collect());
            let (head, tail) = common(&mine, &theirs);
            Some(((head, mine.len() - tail), (head, theirs.len() - tail)))
        }
        _ => None,
    };
    mine.iter()
        .for_each(|it| line("-", it, RED, marks.map(|marks| marks.0)));
    theirs
        .iter()
        .for_each(|it| line("+", it, GREEN, marks.map(|marks| marks.1)));
    one[one.len() - tail..]
        .iter()
        .for_each(|it| line(" ", it, "", None));
    text
}

/// With how many equal elements both begin, and with how many of the rest both end.
fn common<T: PartialEq>(one: &[T], other: &[T]) -> (usize, usize) {
    let head = one
        .iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count();
    let rest = one[head..].iter().rev().zip(other[head..].iter().rev());
    (head, rest.take_while(|(one, other)| one == other).count())
}

/// A policy's text as a terminal may have it: control characters, which might move its cursor, are escaped.
fn safe(text: &str) -> String {
    let shown = |character: char| {
        if character.is_control() {
            character.escape_default().to_string()
        } else {
            character.into()
        }
    };
    text.chars().map(shown).collect()
}

/// Text for XML, which can't have control characters at all.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            other if other.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(expected: &str, came: &str) -> Report {
        let problem = Problem {
            cut: "whole".into(),
            what: "the text".into(),
            expected: expected.into(),
            came: came.into(),
            others: 2,
        };
        let outcome = |problems| {
            Some(Outcome {
                runs: 9,
                problems,
                came: None,
            })
        };
        let case = |name: &str, outcome| Case {
            name: name.into(),
            outcome,
        };
        Report {
            component: "a<b.wasm".into(),
            samples: "s".into(),
            seed: 7,
            cases: vec![
                case("good", outcome(Vec::new())),
                case("bad \"one\"", outcome(vec![problem])),
                case("other", None),
            ],
        }
    }

    #[test]
    fn people_read_a_diff_and_no_control_character_of_a_policy() {
        let text = report("one\ntwo\nend", "one\ntwø\x1b[2J\nend").to_text(false);
        let wanted = "  ✓ good (9 runs)\n  ✗ bad \"one\"\n      the text isn't as expected (whole, and at 2 other cuts)\n\
                      \x20         one\n        - two\n        + twø\\u{1b}[2J\n          end\n  - other: it is for other settings\n\
                      1 passed, 1 failed, 1 skipped: 18 runs, seed 7\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn the_part_that_differs_is_marked() {
        let problem = &report("abXcd", "abYZcd").cases;
        let text = diff(&problem[1].problems()[0], true);
        assert!(
            text.contains("\x1b[31m- ab\x1b[0m\x1b[31;7mX\x1b[0m\x1b[31mcd\x1b[0m"),
            "{text:?}"
        );
        assert!(text.contains("\x1b[32;7mYZ\x1b[0m"), "{text:?}");
    }

    #[test]
    fn build_servers_read_well_formed_xml() {
        let text = report("a & b", "a\x1b<b>").to_junit();
        assert!(
            text.contains(
                "<testsuite name=\"a&lt;b.wasm\" tests=\"3\" failures=\"1\" skipped=\"1\""
            ),
            "{text}"
        );
        assert!(text.contains("name=\"bad &quot;one&quot;\""), "{text}");
        assert!(
            text.contains("- a &amp; b\n") && !text.contains('\x1b'),
            "{text}"
        );
    }
}
