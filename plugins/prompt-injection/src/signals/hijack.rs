//! Giving the model a part without restrictions: "you are now DAN".

use super::{Hit, Kind};
use crate::context::Context;
use crate::lexicon::{Event, class::*};

/// A part, and words that give it to the model.
pub(super) fn part(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let word = &cx.events[i];
    let assumed = cx
        .before(i, 100)
        .find(|(_, e)| e.is(ASSUME))
        .map(|(j, _)| j);
    let (weight, first) = if word.is(PERSONA) {
        if let Some(j) = assumed {
            (0.74, j)
        } else if word.is(ASSUME) {
            (0.5, i)
        } else if cx
            .before(i, 160)
            .any(|(_, e)| e.is(PERSONA) && !same(cx, e, word))
            || cx.around(i, 60, DEVMODE | REFUSE)
            || cx.around(i, 30, DAN)
            || enabled(cx, i)
        {
            (0.66, i)
        } else if cx.follows(i, 60, ASSUME) {
            (0.62, i)
        } else {
            (0.25, i)
        }
    } else if word.is(DEVMODE) {
        let enabled = enabled(cx, i) || cx.trail(word.end).take(3).any(|w| w == "on");
        let model = cx.around(i, 45, AINAME);
        match assumed.filter(|&j| word.start - cx.events[j].end <= 40) {
            Some(j) if model || cx.follows(i, 80, REVEAL | DROP | PERSONA | MUST) => (0.68, j),
            Some(j) => (0.35, j),
            None if enabled && model => (0.64, i),
            None if model && cx.around(i, 80, ASSUME | PERSONA | DROP) => (0.5, i),
            None => (0.12, i),
        }
    } else if word.is(DAN) {
        let (j, _) = cx.before(i, 12).find(|(_, e)| e.is(ASSUME))?;
        let model = cx.text[cx.events[j].start as usize..].starts_with("you")
            || cx.between(j, i).contains("you are")
            || i > 0 && cx.events[i - 1].is(AINAME);
        (if model { 0.66 } else { 0.5 }, j)
    } else {
        let part = cx.around(i, 200, PERSONA | ASSUME | DEVMODE);
        (
            if part {
                0.45
            } else {
                f32::from(word.weight) / 100.0
            },
            i,
        )
    };
    // "No restrictions on the budget" is about something else.
    let other = word.is(PERSONA)
        && cx.trail(word.end).next().is_some_and(|w| {
            matches!(
                w,
                "on" | "for" | "in" | "about" | "regarding" | "access" | "to"
            )
        });
    let negated = first < i && cx.is_negated(first);
    let share = if other || negated { 0.4 } else { 1.0 };
    Some(Hit {
        kind: Kind::Hijack,
        weight: weight * share,
        first,
        last: i,
    })
}

/// True if the part is said to be switched on.
fn enabled(cx: &Context<'_>, i: usize) -> bool {
    let mut trail = cx.trail(cx.events[i].end).take(3);
    trail.any(|w| matches!(w, "enabled" | "activated" | "active" | "output"))
}

/// True if both are the same word, because repeating a word adds nothing.
fn same(cx: &Context<'_>, one: &Event, other: &Event) -> bool {
    let text = |e: &Event| &cx.text[e.start as usize..e.end as usize];
    text(one) == text(other)
}
