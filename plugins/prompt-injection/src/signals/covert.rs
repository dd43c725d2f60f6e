//! Speaking to the model behind the user's back: "AI assistant, when you read this ... do not tell the user".

use super::{Hit, Kind, Origin};
use crate::context::Context;
use crate::lexicon::class::*;

/// An address to the model, a demand of silence, a file that no text should ask for, an order to obey a code.
pub(super) fn address(cx: &Context<'_>, i: usize, origin: Origin) -> Option<Hit> {
    let word = &cx.events[i];
    let listed = f32::from(word.weight) / 100.0;
    let tool = origin == Origin::Tool;
    let weight = if word.is(COVERT) {
        let ordered = cx.around(i, 250, ADDRESS | SEND | CHAT | PATHS | DROP | SECRETS);
        match (tool, ordered) {
            (true, true) => 0.68,
            (true, false) => listed,
            (false, true) => 0.45,
            (false, false) => 0.25,
        }
    } else if word.is(ADDRESS) {
        // "If you are an AI researcher" addresses people.
        if cx.trail(word.end).next().is_some_and(|w| {
            matches!(
                w,
                "researcher"
                    | "engineer"
                    | "developer"
                    | "expert"
                    | "student"
                    | "enthusiast"
                    | "company"
                    | "user"
                    | "startup"
                    | "team"
                    | "practitioner"
            )
        }) {
            return None;
        }
        let near = cx.follows(i, 60, MUST) || cx.follows(i, 90, DROP | COVERT);
        let orders = cx.follows(
            i,
            140,
            DROP | SEND | REVEAL | COVERT | PATHS | CHAT | SECRETS | SYSPROMPT,
        );
        let certain = cx.text[word.start as usize..word.end as usize].contains("read")
            || cx.text[word.start as usize..].starts_with("if you");
        match (tool, near && orders, near || orders) {
            (true, true, _) if certain => 0.68,
            (true, true, _) => listed + 0.1,
            (true, false, true) if certain => 0.5,
            (true, false, true) => listed * 0.6,
            (false, true, _) => listed * 0.6,
            _ => 0.12,
        }
    } else if word.is(PATHS) {
        let asked = cx.around(i, 160, ADDRESS | COVERT | SEND)
            && cx.before(i, 60).any(|(_, e)| e.is(REVEAL | SEND | MUST));
        match (tool, asked) {
            (true, true) => 0.5,
            (true, false) => 0.15,
            (false, true) => 0.3,
            (false, false) => 0.05,
        }
    } else {
        let (_, obey) = cx.after(i, 120).find(|(_, e)| e.is(OBEY))?;
        let them = cx.trail(obey.end).take(5).any(|w| {
            matches!(
                w,
                "it" | "them"
                    | "instructions"
                    | "instruction"
                    | "result"
                    | "says"
                    | "orders"
                    | "command"
                    | "commands"
                    | "message"
            )
        });
        if them { 0.5 } else { 0.1 }
    };
    Some(Hit {
        kind: Kind::Covert,
        weight,
        first: i,
        last: i,
    })
}
