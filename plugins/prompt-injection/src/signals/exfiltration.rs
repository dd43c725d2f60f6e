//! Carrying data out: an image whose address holds the conversation, or plain sending.

use super::{Hit, Kind, Origin};
use crate::context::Context;
use crate::lexicon::class::*;

/// A markdown or HTML image whose address is to be filled with what was said.
pub(super) fn image(cx: &Context<'_>, i: usize) -> Option<Hit> {
    let data = cx.around(i, 260, CHAT);
    let start = cx.events[i].end as usize;
    let end = (start + 300).min(cx.text.len());
    let end = (start..=end).rev().find(|&i| cx.text.is_char_boundary(i))?;
    let address = cx.text[start..end].split_once("http")?.1;
    let address = address.split([' ', ')', '>']).next().unwrap_or("");
    let query = address.contains(['?', '=']);
    let place = query && address.contains(['{', '[', '<', '$', '%']);
    let told = cx.around(i, 200, REVEAL | SEND | MUST | COVERT);
    let weight = match (data, query, place) {
        (true, true, _) if told => 0.76,
        (true, _, _) if told => 0.6,
        (false, _, true) if told => 0.5,
        (_, _, true) => 0.3,
        _ => return None,
    };
    Some(Hit {
        kind: Kind::Exfiltration,
        weight,
        first: i,
        last: i,
    })
}

/// Sending the conversation, or credentials, somewhere.
pub(super) fn sending(cx: &Context<'_>, i: usize, origin: Origin) -> Option<Hit> {
    let data = &cx.events[i];
    let (verb, _) = cx.before(i, 80).find(|(_, e)| e.is(SEND))?;
    if cx.is_negated(verb) || cx.ends_sentence(cx.events[verb].end, data.start) {
        return None;
    }
    let (last, _) = cx
        .after(i, 140)
        .find(|(_, e)| e.is(DEST))
        .or_else(|| mail_address(cx, i))?;
    let covert = cx.around(i, 250, COVERT | ADDRESS);
    let weight = match (data.is(CHAT), origin) {
        (true, Origin::Person) if covert => 0.8,
        (true, Origin::Person) => 0.64,
        (true, Origin::Tool) => 0.74,
        (false, _) if covert => 0.66,
        (false, Origin::Person) => 0.15,
        (false, Origin::Tool) => 0.3,
    };
    // Sending to a place of one's own is no theft.
    let own = cx
        .between(i, last.max(i + 1).min(cx.events.len() - 1))
        .split(' ')
        .any(|word| matches!(word, "my" | "our" | "own"));
    Some(Hit {
        kind: Kind::Exfiltration,
        weight: if own { weight * 0.5 } else { weight },
        first: verb,
        last,
    })
}

/// "to eve@example.com", soon after.
fn mail_address<'a>(cx: &Context<'a>, i: usize) -> Option<(usize, &'a crate::lexicon::Event)> {
    let is_mail = |word: &str| {
        word.split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && host.len() > 2)
    };
    cx.trail(cx.events[i].end)
        .any(is_mail)
        .then(|| (i, &cx.events[i]))
}
