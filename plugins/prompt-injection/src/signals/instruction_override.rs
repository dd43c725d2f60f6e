//! Setting the model's instructions aside: "ignore all previous instructions".

use super::distance::{distance, unknown_words};
use super::{Hit, Kind};
use crate::context::Context;
use crate::lexicon::{Event, class::*};

/// How far the object may be from its verb, in bytes.
pub(super) const REACH: u32 = 80;

/// A verb, then the instructions that it sets aside.
pub(super) fn set_aside(cx: &Context<'_>, i: usize) -> Option<Hit> {
    if cx.is_negated(i) {
        return None;
    }
    let verb = &cx.events[i];
    let mut seen = 0;
    let mut last = i;
    for (j, word) in cx.after(i, REACH) {
        if word.is(DROP) && !word.is(RULES) || cx.ends_sentence(cx.events[last].end, word.start) {
            break;
        }
        if word.is(RULES) {
            let Some(distance) = distance(cx, i, j) else {
                break;
            };
            // "Ignore the rules above": what follows may say which.
            for (_, after) in cx.after(j, 40) {
                if cx.ends_sentence(word.end, after.start) {
                    break;
                }
                seen |= after.classes & (GIVEN | PRIOR);
            }
            let weight = weigh(seen | word.classes, verb.is(MILD), orders(cx, i))
                * distance
                * subject(cx, i)
                * of_what(cx, j, seen);
            let weight = if cx.follows(j, 140, INSTEAD) {
                boosted(weight, 0.25)
            } else {
                weight
            };
            return hit(weight, i, j);
        }
        seen |= word.classes;
        last = j;
    }
    if verb.is(MILD) {
        return None;
    }
    everything(cx, i)
}

/// "Forget everything above", "ignore the above and say".
fn everything(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let mut seen = 0;
    let mut last = i;
    for (j, word) in cx.after(i, 45) {
        if word.is(DROP) || cx.ends_sentence(cx.events[last].end, word.start) {
            break;
        }
        if unknown_words(cx.between(last, j)).is_none_or(|n| n > 1) {
            break;
        }
        if !word.is(EVERYTHING | ALL | PRIOR | GIVEN | OWN | MINE) {
            break;
        }
        seen |= word.classes;
        last = j;
    }
    let end = cx.events[last].end;
    let everything = seen & EVERYTHING != 0;
    let which = seen & (PRIOR | GIVEN) != 0;
    if !which {
        let part = cx.after(last, 12).any(|(_, e)| e.is(ASSUME | NEWRULES));
        let fresh = seen & EVERYTHING != 0 && seen & MINE == 0 && part && orders(cx, i);
        return hit(if fresh { 0.62 } else { 0.0 }, i, last);
    }
    // In "ignore the above" with a noun behind it, only that noun is ignored.
    let closed = || {
        cx.text[end as usize..]
            .trim_start_matches(' ')
            .chars()
            .next()
            .is_none_or(|c| !c.is_alphanumeric())
            || cx.trail(end).next().is_some_and(|word| {
                matches!(
                    word,
                    "and" | "then" | "instead" | "just" | "but" | "now" | "you" | "i"
                )
            })
    };
    if !everything && !closed() {
        return None;
    }
    let weight = if seen & (EVERYTHING | ALL) != 0 {
        0.5
    } else {
        0.42
    };
    let weight = if seen & MINE != 0 {
        weight * 0.4
    } else {
        weight
    };
    let weight = weight * subject(cx, i);
    hit(
        if cx.follows(last, 100, INSTEAD | NEWRULES | ASSUME) {
            boosted(weight, 0.45)
        } else {
            weight
        },
        i,
        last,
    )
}

/// The object first: "all previous instructions are void", "以前の指示をすべて無視して".
pub(super) fn object_first(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let word = &cx.events[i];
    if word.is(VOID) {
        let (rules, _) = cx.before(i, 30).find(|(_, e)| e.is(RULES))?;
        let which = cx
            .before(rules, 30)
            .take_while(|(j, e)| !cx.ends_sentence(e.end, cx.events[*j + 1].start))
            .fold(cx.events[rules].classes, |seen, (_, e)| seen | e.classes);
        let said = unknown_words(cx.between(rules, i)).is_some_and(|n| n <= 2);
        let weight = if said && which & (OWN | ALL) != 0 {
            0.66
        } else if said && which & PRIOR != 0 {
            0.5
        } else {
            0.0
        };
        return hit(
            if which & SOFT != 0 {
                weight * 0.7
            } else {
                weight
            },
            rules,
            i,
        );
    }
    let cjk = |e: &Event| !cx.text[e.start as usize..].starts_with(|c: char| (c as u32) < 0x590);
    let infinitive = |e: &Event| cx.text[e.start as usize..e.end as usize].ends_with("ieren");
    let (verb, _) = cx
        .after(i, 45)
        .find(|(_, e)| e.is(DROP) && (cjk(e) || infinitive(e)))?;
    if cx.ends_sentence(word.end, cx.events[verb].start) || cx.is_negated(verb) {
        return None;
    }
    unknown_words(cx.between(i, verb))?;
    let own = |e: &Event| e.is(PRIOR | OWN | ALL | YOURS);
    let which = cx.before(i, 40).any(|(_, e)| own(e))
        || cx
            .after(i, 45)
            .take_while(|(j, _)| *j < verb)
            .any(|(_, e)| own(e));
    let tail = &cx.text[cx.events[verb].end as usize..];
    // A request, not a report: 無視されます, 無視した.
    let reported = ["され", "した", "する", "되", "하는", "했"]
        .iter()
        .any(|form| tail.starts_with(&crate::fold::plain(form)));
    let weight = if which { 0.78 } else { 0.4 };
    hit(if reported { weight * 0.4 } else { weight }, i, verb)
}

/// "Your new instructions are".
pub(super) fn announced(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let weight = f32::from(cx.events[i].weight) / 100.0;
    if cx.trail(cx.events[i].end).next() == Some("you")
        || cx.text[cx.events[i].end as usize..].starts_with(" you")
    {
        return hit(boosted(weight, 0.4), i, i);
    }
    hit(
        if cx.follows(i, 120, ASSUME | REVEAL | DROP | SEND) {
            boosted(weight, 0.15)
        } else {
            weight
        },
        i,
        i,
    )
}

fn hit(weight: f32, first: usize, last: usize) -> Option<Hit> {
    (weight > 0.0).then_some(Hit {
        kind: Kind::Override,
        weight,
        first,
        last,
    })
}

/// The weight, raised by a share of what is missing to 1.
fn boosted(weight: f32, share: f32) -> f32 {
    weight + (1.0 - weight) * share
}

/// The weight of a verb and its object, by the instructions that they name.
fn weigh(seen: u64, mild: bool, ordered: bool) -> f32 {
    let soft = seen & SOFT != 0;
    let strong = |hard: f32, weak: f32| if soft { weak } else { hard };
    let named = [
        (YOURS, strong(0.82, 0.72)),
        (GIVEN, strong(0.8, 0.68)),
        (PRIOR, strong(0.82, 0.66)),
        (SYSPROMPT, 0.76),
        (OWN, strong(0.72, 0.62)),
        (ALL, strong(0.68, 0.5)),
        (SAFETY, if ordered { 0.64 } else { 0.4 }),
        (ADJECTIVE, strong(0.45, 0.35)),
    ];
    let best = named.iter().find(|(class, _)| seen & class != 0).map_or(
        strong(if ordered && !mild { 0.5 } else { 0.3 }, 0.2),
        |(_, weight)| *weight,
    );
    let several = (seen & (YOURS | GIVEN | PRIOR | OWN | ALL)).count_ones() > 1;
    let best = if several { boosted(best, 0.3) } else { best };
    let best = match (mild, soft) {
        (true, _) if seen & (SYSPROMPT | YOURS) == SYSPROMPT => best * 0.6,
        (true, _) if seen & SAFETY != 0 && ordered => best * 0.96,
        (true, true) if seen & YOURS != 0 => best * 0.85,
        (true, true) => best * 0.7,
        (true, false) => best * 0.8,
        _ => best,
    };
    if seen & MINE != 0 { best * 0.4 } else { best }
}

/// True if the verb begins its sentence, or is asked for politely.
fn orders(cx: &Context<'_>, i: usize) -> bool {
    let first = cx.lead(cx.events[i].start).next();
    first.is_none_or(|word| matches!(word, "and" | "please" | "now" | "must" | "just" | "then"))
}

/// Less than 1 if the verb has a subject of its own: "many workers ignore".
fn subject(cx: &Context<'_>, i: usize) -> f32 {
    let mut lead = cx.lead(cx.events[i].start);
    let Some(word) = lead.next() else { return 1.0 };
    let seeming = word == "to"
        && lead.next().is_some_and(|w| {
            matches!(
                w,
                "seems"
                    | "seem"
                    | "seemed"
                    | "appears"
                    | "appear"
                    | "tend"
                    | "tends"
                    | "start"
                    | "starts"
                    | "started"
                    | "begins"
                    | "began"
                    | "used"
                    | "likely"
                    | "easy"
                    | "how"
                    | "wants"
                    | "able"
                    | "decided"
                    | "chose"
                    | "choose"
                    | "chooses"
                    | "refuse"
                    | "continue"
                    | "continues"
                    | "allowed"
            )
        });
    let plural = word.len() > 4
        && word.ends_with('s')
        && !word.ends_with("ss")
        && word != "always"
        && word != "perhaps"
        && word != "instructions";
    let tells = matches!(
        word,
        "they"
            | "we"
            | "he"
            | "she"
            | "who"
            | "often"
            | "usually"
            | "sometimes"
            | "may"
            | "might"
            | "would"
            | "did"
            | "people"
            | "which"
    );
    if tells || plural || seeming {
        0.45
    } else {
        1.0
    }
}

/// Less than 1 if the object belongs to something else: "forget all the rules of grammar".
fn of_what(cx: &Context<'_>, j: usize, seen: u64) -> f32 {
    if seen & GIVEN != 0 {
        return 1.0;
    }
    let mut trail = cx.trail(cx.events[j].end);
    let (first, second) = (trail.next().unwrap_or(""), trail.next().unwrap_or(""));
    let thing = matches!(
        first,
        "manual"
            | "set"
            | "file"
            | "files"
            | "emails"
            | "email"
            | "tab"
            | "line"
            | "engine"
            | "page"
            | "sheet"
            | "booklet"
            | "card"
            | "leaflet"
    );
    let elsewhere = matches!(first, "of" | "for" | "about" | "in" | "on" | "regarding");
    let other = matches!(
        second,
        "this" | "the" | "my" | "our" | "a" | "how" | "readme"
    );
    if thing {
        0.45
    } else if !elsewhere || matches!(second, "openai" | "your" | "you") {
        1.0
    } else if seen & (YOURS | PRIOR) == 0 {
        0.45
    } else if other {
        0.65
    } else {
        1.0
    }
}
