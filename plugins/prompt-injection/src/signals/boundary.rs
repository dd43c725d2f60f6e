//! Faking the end of a turn: `<|im_start|>system`, `[INST]`, `### System:`.

use super::{Hit, Kind};
use crate::context::Context;
use crate::lexicon::class::*;

/// A mark that a chat template writes, or one that looks like it.
pub(super) fn mark(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let word = &cx.events[i];
    let mut weight = f32::from(word.weight) / 100.0;
    let commands = cx.after(i, 110).any(|(_, e)| {
        e.is(DROP | ASSUME | NEWRULES | COVERT | PERSONA | DEVMODE) && !e.is(WEAK | MARKER)
    });
    let text = &cx.text[word.start as usize..word.end as usize];
    let wordy = text.starts_with(|c: char| c.is_alphanumeric()) || text.ends_with("system:");
    if wordy && !starts_line(cx, i) {
        return None;
    }
    if word.is(MARKER) {
        if commands {
            weight += (1.0 - weight) * 0.4;
        } else if cx.around(i, 300, TOKENTALK | TOPIC) {
            weight *= 0.35;
        }
    } else if commands {
        weight += 0.3;
    }
    (weight > 0.0).then_some(Hit {
        kind: Kind::Boundary,
        weight,
        first: i,
        last: i,
    })
}

/// True if nothing but marks stands before the word on its line.
fn starts_line(cx: &Context<'_>, i: usize) -> bool {
    let start = cx.events[i].start;
    let line = cx.line_start(start);
    cx.text[line as usize..start as usize]
        .chars()
        .all(|c| !c.is_alphanumeric())
}
