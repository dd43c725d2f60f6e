//! How letters are compared, and what stands between words.

use witgate_policy::scripts::is_unspaced;

/// The most characters that may stand between two words of a term.
pub(crate) const LONGEST_GAP: usize = 8;

/// The lower case, where that is one letter.
pub(crate) fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Whether words go on at it. Scripts that write no spaces have no borders of words: there a term is found wherever it stands. So it is in
/// Korean, which has spaces, and puts particles behind a word without one.
pub(crate) fn is_word(c: char) -> bool {
    let is_korean = matches!(c, '\u{ac00}'..='\u{d7af}');
    c.is_alphanumeric() && !is_korean && !is_unspaced(c)
}

/// Whether it may stand between two words of a term: white space, a hyphen or dash, an underscore.
pub(crate) fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '\u{ad}' | '\u{2010}'..='\u{2015}')
}

/// A term as it is compared: folded, with one space for each gap, and none at its ends.
pub(crate) fn normal(term: &str, folds: bool) -> Vec<char> {
    let mut out: Vec<char> = Vec::new();
    for c in term.chars() {
        if is_gap(c) {
            if out.last().is_some_and(|last| *last != ' ') {
                out.push(' ');
            }
        } else {
            out.push(if folds { fold(c) } else { c });
        }
    }
    if out.last() == Some(&' ') {
        out.pop();
    }
    out
}
