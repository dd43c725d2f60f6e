//! Whether the words between a verb and an object leave the object to that verb.

use super::instruction_override::REACH;
use crate::context::Context;
use crate::lexicon::{class::*, is_filler};

/// How close the words between verb and object are to none: 1, or less; `None` if the object isn't this verb's.
pub(super) fn distance(cx: &Context<'_>, i: usize, j: usize) -> Option<f32> {
    // Out of a quotation, or into one, leads elsewhere.
    if cx.between(i, j).bytes().filter(|b| *b == b'"').count() % 2 == 1 {
        return None;
    }
    let qualifies = PRIOR | OWN | ALL | ADJECTIVE | GIVEN | EVERYTHING | MINE | RULES | AINAME;
    let mut unknown = 0;
    let mut last = i;
    for (k, word) in cx.after(i, REACH).take_while(|(k, _)| *k <= j) {
        let between = cx.between(last, k);
        // Past something else, "and" begins something new.
        let begins = |word| matches!(word, "and" | "then" | "but" | "or");
        if unknown > 0 && (word.is(INSTEAD) || between.split([' ', ',']).any(begins)) {
            return None;
        }
        unknown += unknown_words(between)? + u32::from(!word.is(qualifies));
        last = k;
    }
    match unknown {
        0 => Some(1.0),
        1 => Some(0.8),
        2 => Some(0.6),
        _ => None,
    }
}

/// The words in `between` that aren't small change; `None` if they lead elsewhere.
pub(super) fn unknown_words(between: &str) -> Option<u32> {
    if between.contains(['(', ')', '{', '}', '=']) {
        return None;
    }
    let mut unknown = 0;
    for word in between
        .split([' ', ',', '-', '_', '.', '*', '"', '\'', '/'])
        .filter(|word| !word.is_empty())
    {
        if matches!(
            word,
            "in" | "on"
                | "for"
                | "from"
                | "about"
                | "with"
                | "by"
                | "into"
                | "if"
                | "when"
                | "because"
                | "while"
                | "was"
                | "is"
        ) {
            return None;
        }
        if !is_filler(word) {
            // Scripts without spaces: three characters are about a word.
            unknown += if word.is_ascii() {
                1
            } else {
                word.chars().count().div_ceil(5) as u32
            };
        }
    }
    Some(unknown)
}
