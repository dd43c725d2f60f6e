//! The signals: the things that an attack does, each in a module of its own.
//!
//! A signal starts from one word and looks at the words around it, never further than a fixed number of them, so that the
//! whole is linear in the text. It says how sure it is. Whether the words are an attack or only a mention, the
//! [context](crate::context) judges.

mod boundary;
mod covert;
mod distance;
mod exfiltration;
mod extraction;
mod hijack;
mod instruction_override;
mod near;

use crate::context::Context;
use crate::lexicon::class::*;

/// What an attack does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sets the model's instructions aside.
    Override,
    /// Asks for the system prompt.
    Extraction,
    /// Gives the model a part without restrictions.
    Hijack,
    /// Fakes the end of one turn and the start of another.
    Boundary,
    /// Carries data out.
    Exfiltration,
    /// Speaks to the model behind the user's back.
    Covert,
    /// Has text that is not drawn.
    Hidden,
    /// Has an attack in base64 or hex.
    Encoded,
    /// Has its words in disguise.
    Disguised,
    /// Matches one of the operator's patterns.
    Pattern,
    /// Reads like attacks that were seen, by the words that it has.
    Wording,
}

impl Kind {
    /// The number of kinds.
    pub const COUNT: usize = 11;

    /// All kinds.
    pub const ALL: [Kind; Kind::COUNT] = [
        Kind::Override,
        Kind::Extraction,
        Kind::Hijack,
        Kind::Boundary,
        Kind::Exfiltration,
        Kind::Covert,
        Kind::Hidden,
        Kind::Encoded,
        Kind::Disguised,
        Kind::Pattern,
        Kind::Wording,
    ];

    /// The kind's name in messages and findings.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Override => "instruction-override",
            Kind::Extraction => "prompt-extraction",
            Kind::Hijack => "role-hijack",
            Kind::Boundary => "fake-boundary",
            Kind::Exfiltration => "exfiltration",
            Kind::Covert => "covert-instruction",
            Kind::Hidden => "hidden-text",
            Kind::Encoded => "encoded-payload",
            Kind::Disguised => "disguised-words",
            Kind::Pattern => "custom-pattern",
            Kind::Wording => "attack-wording",
        }
    }
}

/// Who brought a text into the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A person, who may tell the model what to do.
    Person,
    /// A tool: a page, a file, a mail. Nothing in it should speak to the model.
    Tool,
}

/// One signal, made of the words `first` to `last`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    pub(crate) kind: Kind,
    /// 0 to 1, before the context's share.
    pub(crate) weight: f32,
    pub(crate) first: usize,
    pub(crate) last: usize,
}

/// Passes every hit that starts from word `i` to `each`.
pub(crate) fn at(cx: &Context<'_>, i: usize, origin: Origin, each: &mut impl FnMut(Hit)) {
    let word = &cx.events[i];
    if word.is(DROP) {
        each_of(instruction_override::set_aside(cx, i), each);
    }
    if word.is(RULES | VOID) {
        each_of(instruction_override::object_first(cx, i), each);
    }
    if word.is(NEWRULES) {
        each_of(instruction_override::announced(cx, i), each);
    }
    if word.is(SYSPROMPT | RULES) {
        each_of(extraction::prompt(cx, i), each);
    }
    if word.is(ABOVE) {
        each_of(extraction::text_above(cx, i), each);
    }
    if word.is(PERSONA | DEVMODE | DAN | REFUSE) {
        each_of(hijack::part(cx, i), each);
    }
    if word.is(MARKER | WEAK) {
        each_of(boundary::mark(cx, i), each);
    }
    if word.is(IMAGE) {
        each_of(exfiltration::image(cx, i), each);
    }
    if word.is(CHAT | SECRETS) {
        each_of(exfiltration::sending(cx, i, origin), each);
    }
    if word.is(COVERT | ADDRESS | PATHS | DECODE) {
        each_of(covert::address(cx, i, origin), each);
    }
}

fn each_of(hit: Option<Hit>, each: &mut impl FnMut(Hit)) {
    if let Some(hit) = hit {
        each(hit);
    }
}

#[cfg(test)]
mod tests;
