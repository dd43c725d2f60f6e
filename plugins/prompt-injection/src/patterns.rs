//! The operator's own patterns, compiled into one automaton.
//!
//! The automaton is dense: it is built once, before the snapshot, and then only read, at a few nanoseconds a byte whatever
//! the pattern. Patterns that can't be built within the bounds are refused with a sentence.

use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchKind, PatternSet};
use serde::Deserialize;

/// Most memory that the automaton of all patterns may take, in bytes.
const MOST_MEMORY: usize = 2 << 20;
/// The weight of a pattern without one of its own: enough to deny by itself.
const DEFAULT_WEIGHT: f32 = 0.8;

/// One pattern as configured: a string, or a string and its weight.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Setting {
    /// The pattern alone.
    Plain(String),
    /// With a weight.
    Weighted(Weighted),
}

/// A pattern and its weight.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Weighted {
    pattern: String,
    weight: f32,
}

impl Setting {
    fn parts(&self) -> (&str, f32) {
        match self {
            Setting::Plain(pattern) => (pattern, DEFAULT_WEIGHT),
            Setting::Weighted(Weighted { pattern, weight }) => (pattern, *weight),
        }
    }
}

/// The compiled patterns.
pub(crate) struct Patterns {
    automaton: dense::DFA<Vec<u32>>,
    weights: Vec<f32>,
}

impl Patterns {
    /// Compiles the patterns. `None` if there are none.
    ///
    /// # Errors
    ///
    /// The sentence for the operator: which pattern, and what to do.
    pub(crate) fn new(settings: &[Setting]) -> Result<Option<Self>, String> {
        if settings.is_empty() {
            return Ok(None);
        }
        let mut sources = Vec::new();
        for (pattern, weight) in settings.iter().map(Setting::parts) {
            if !(weight > 0.0 && weight <= 1.0) {
                return Err(format!(
                    "patterns: the weight of {pattern:?} is {weight}; give one above 0 and at most 1"
                ));
            }
            let source = ascii_classes(pattern);
            let automaton = build(&[source.as_str()])
                .map_err(|reason| format!("patterns: {pattern:?}: {reason}"))?;
            if matches(&automaton, "").is_some_and(|set| !set.is_empty()) {
                return Err(format!(
                    "patterns: {pattern:?} matches the empty text, so it would match everything"
                ));
            }
            sources.push(source);
        }
        let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
        let automaton = build(&sources)
            .map_err(|reason| format!("patterns: all of them together: {reason}"))?;
        Ok(Some(Patterns {
            automaton,
            weights: settings.iter().map(|s| s.parts().1).collect(),
        }))
    }

    /// The weights of the patterns that match somewhere in `folded`.
    pub(crate) fn find(&self, folded: &str) -> impl Iterator<Item = f32> {
        let found = matches(&self.automaton, folded);
        self.weights
            .iter()
            .enumerate()
            .filter_map(move |(i, weight)| {
                let id = regex_automata::PatternID::new(i).ok()?;
                found
                    .as_ref()
                    .is_some_and(|set| set.contains(id))
                    .then_some(*weight)
            })
    }
}

fn matches(automaton: &dense::DFA<Vec<u32>>, text: &str) -> Option<PatternSet> {
    let mut set = PatternSet::new(automaton.pattern_len());
    automaton
        .try_which_overlapping_matches(&Input::new(text), &mut set)
        .ok()?;
    Some(set)
}

fn build(sources: &[&str]) -> Result<dense::DFA<Vec<u32>>, String> {
    dense::Builder::new()
        .syntax(syntax::Config::new().case_insensitive(true).utf8(false))
        .thompson(
            regex_automata::nfa::thompson::Config::new()
                .utf8(false)
                .nfa_size_limit(Some(MOST_MEMORY)),
        )
        .configure(
            dense::Config::new()
                .match_kind(MatchKind::All)
                .start_kind(regex_automata::dfa::StartKind::Unanchored)
                .dfa_size_limit(Some(MOST_MEMORY))
                .determinize_size_limit(Some(4 * MOST_MEMORY)),
        )
        .build_many(sources)
        .map_err(|e| {
            let mut cause: &dyn std::error::Error = &e;
            while let Some(deeper) = cause.source() {
                cause = deeper;
            }
            let reason = cause.to_string();
            let hint = if e.is_size_limit_exceeded() || reason.contains("limit") {
                "; bound its repetitions, as in .{0,40}"
            } else {
                ""
            };
            format!("{}{hint}", reason.lines().last().unwrap_or_default().trim())
        })
}

/// Writes `\w`, `\d`, `\s` and `\b` as ASCII ones: folded text has few other letters, and the automaton gets far smaller.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars();
    let mut depth = 0usize;
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(class @ ('w' | 'W' | 'd' | 'D' | 's' | 'S' | 'b' | 'B')) if depth == 0 => {
                    out.push_str("(?-u:\\");
                    out.push(class);
                    out.push(')');
                }
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('d') => out.push_str("0-9"),
                Some('s') => out.push_str(" \\t\\n\\r"),
                Some(other) => out.extend(['\\', other]),
                None => out.push('\\'),
            },
            _ => {
                match c {
                    '[' => depth += 1,
                    ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]
    use super::*;

    fn patterns(all: &[&str]) -> Result<Option<Patterns>, String> {
        let settings: Vec<_> = all
            .iter()
            .map(|p| Setting::Plain((*p).to_owned()))
            .collect();
        Patterns::new(&settings)
    }

    #[test]
    fn each_pattern_that_matches_counts_once() {
        let patterns = patterns(&[r"\bacme-[0-9]{4}\b", "Swordfish", r"x\s+y"])
            .unwrap()
            .unwrap();
        assert_eq!(patterns.find("acme-1234 swordfish acme-9999").count(), 2);
        assert_eq!(patterns.find("acme-12345").count(), 0);
        assert_eq!(patterns.find("naïve x  y é").count(), 1);
    }

    #[test]
    fn bad_patterns_are_refused_with_the_reason() {
        for (pattern, reason) in [
            ("(", "unclosed group"),
            ("a*", "empty text"),
            (r"(\w{0,200}x){0,200}", "bound its repetitions"),
        ] {
            let error = patterns(&[pattern]).err().unwrap();
            assert!(error.contains(reason), "{error}");
        }
    }
}
