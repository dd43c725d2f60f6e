//! The small words that may stand between a verb and its object.

/// True if `word` is small change between a verb and its object, in any of the languages known.
pub(crate) fn is_filler(word: &str) -> bool {
    FILLERS.binary_search(&word).is_ok()
}

/// Sorted.
#[rustfmt::skip]
const FILLERS: &[&str] = &[
    "a", "absolutely", "also", "an", "and", "any", "as", "at", "au", "aux", "completely", "current", "da", "das",
    "de", "dei", "del", "delle", "dem", "den", "der", "des", "di", "die", "do", "dos", "du", "e",
    "el", "entirely", "et", "every", "following", "fully", "further", "given", "gli", "i", "ihr", "immediately", "it", "its",
    "just", "la", "las", "le", "les", "lo", "los", "me", "mentioned", "now", "o", "of", "or", "os",
    "other", "ou", "per", "please", "que", "same", "sie", "simply", "stated", "such", "that", "the", "them", "these",
    "this", "those", "to", "totally", "u", "und", "utterly", "which", "y", "you", "и",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fillers_are_sorted() {
        assert!(FILLERS.is_sorted());
    }
}
