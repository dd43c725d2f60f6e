//! What a word must have in it for a match to be in a text: an expression for single words, which the host looks for.

use crate::finder::DlpFinder;
use crate::letters::{is_word, normal};
use crate::markers;
use crate::settings::Settings;

/// The longest expression: a larger one takes longer than what it spares.
const LONGEST: usize = 32 * 1024;

/// The expression. `None` where no single word tells: of terms that may be misspelt, and patterns with space in them.
pub(crate) fn expression(settings: &Settings, finder: &DlpFinder) -> Option<String> {
    if settings.fuzzy_matching {
        return None;
    }
    // JSON begins at a bracket, and an escape may stand for any letter.
    let mut parts = vec![r"[{\[\\]".to_owned()];
    if let Some(patterns) = finder.patterns() {
        parts.push(patterns.interest.clone()?);
    }
    let (phrases, capitals) = markers::of(settings.sensitivity_level);
    let terms = settings.blocked_terms.iter().map(String::as_str);
    let phrases = phrases.iter().copied().flatten().copied();
    let (words, unspaced): (Vec<_>, Vec<_>) = terms
        .chain(phrases)
        .map(|term| {
            let letters = normal(term, true);
            letters.into_iter().take_while(|c| *c != ' ').collect()
        })
        .partition(|first: &String| first.chars().all(is_word));
    if !words.is_empty() {
        parts.push(whole(r"(?i)", &words));
    }
    if !unspaced.is_empty() {
        let all: Vec<String> = unspaced
            .iter()
            .map(|word| regex_syntax::escape(word))
            .collect();
        parts.push(format!("(?i:{})", all.join("|")));
    }
    let capitals: Vec<String> = capitals.concat().into_iter().map(str::to_owned).collect();
    if !capitals.is_empty() {
        parts.push(whole("", &capitals));
    }
    let expression = parts.join("|");
    (expression.len() <= LONGEST).then_some(expression)
}

/// These words, where no letter of ASCII stands beside them. A letter beyond ASCII may stand there: they are found beside some.
fn whole(flags: &str, words: &[String]) -> String {
    let mut words: Vec<String> = words
        .iter()
        .map(|word| regex_syntax::escape(word))
        .collect();
    words.sort_unstable();
    words.dedup();
    format!(
        "(?:{flags}(?:^|[^a-zA-Z0-9])(?:{})(?:$|[^a-zA-Z0-9]))",
        words.join("|")
    )
}
