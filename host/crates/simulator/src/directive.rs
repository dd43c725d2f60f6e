//! The instructions to the simulator in the last user message.
//!
//! `fault: NAME | chunk: SIZES | think: REASONING | say: CONTENT`: each part may be left out, the order stands. In place of
//! `say:` there may be `words: N` or `call: NAME JSON`, calls again with ` | ` between. One white-space character after a
//! colon is no part of what follows; after `say:`, everything else is, to the last byte.

/// A message, read as a directive. A message that isn't one reads as the empty directive.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Directive<'a> {
    pub(super) fault: Option<&'a str>,
    pub(super) chunk: Option<&'a str>,
    pub(super) think: Option<&'a str>,
    pub(super) act: Act<'a>,
}

/// What the answer is made of.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Act<'a> {
    /// The simulator writes a text of its own.
    #[default]
    Anything,
    Say(&'a str),
    /// This many words of filler.
    Words(u32),
    /// Tools by name, and their arguments as written.
    Call(Vec<(&'a str, &'a str)>),
}

const BETWEEN: &str = " | ";
const ACTS: [&str; 3] = ["say:", "words:", "call:"];

impl<'a> Directive<'a> {
    pub(super) fn read(mut text: &'a str) -> Self {
        let mut directive = Self::default();
        if let Some((value, rest)) = part(text, "fault:") {
            directive.fault = Some(value);
            text = rest;
        }
        if let Some((value, rest)) = part(text, "chunk:") {
            directive.chunk = Some(value);
            text = rest;
        }
        if let Some(value) = text.strip_prefix("think:") {
            let end = end_of_thought(value);
            directive.think = Some(trim_once(&value[..end]));
            text = value[end..].strip_prefix(BETWEEN).unwrap_or("");
        }
        directive.act = act(text);
        directive
    }
}

/// What follows a keyword, less one white-space character.
fn after<'a>(text: &'a str, keyword: &str) -> Option<&'a str> {
    text.strip_prefix(keyword).map(trim_once)
}

fn trim_once(text: &str) -> &str {
    text.strip_prefix(char::is_whitespace).unwrap_or(text)
}

fn part<'a>(text: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let value = after(text, keyword)?;
    Some(value.split_once(BETWEEN).unwrap_or((value, "")))
}

/// Where a thought ends: it may hold separators, but not one with an act behind it.
fn end_of_thought(text: &str) -> usize {
    text.match_indices(BETWEEN)
        .find(|(at, _)| {
            let next = &text[at + BETWEEN.len()..];
            ACTS.iter().any(|act| next.starts_with(act))
        })
        .map_or(text.len(), |(at, _)| at)
}

fn act(text: &str) -> Act<'_> {
    if let Some(said) = after(text, "say:") {
        return Act::Say(said);
    }
    if let Some(words) = after(text, "words:") {
        return words.trim().parse().map_or(Act::Anything, Act::Words);
    }
    let mut calls = Vec::new();
    let mut rest = text;
    while let Some(call) = after(rest, "call:") {
        let (name, arguments) = call.split_once(char::is_whitespace).unwrap_or((call, ""));
        let end = end_of_arguments(arguments);
        calls.push((name, &arguments[..end]));
        rest = arguments[end..].strip_prefix(BETWEEN).unwrap_or("");
    }
    if calls.is_empty() {
        Act::Anything
    } else {
        Act::Call(calls)
    }
}

/// Where the JSON ends; broken JSON is taken to the end, so that a model's broken arguments can be shown too.
fn end_of_arguments(text: &str) -> usize {
    let mut values =
        serde_json::Deserializer::from_str(text).into_iter::<&serde_json::value::RawValue>();
    match values.next() {
        Some(Ok(_)) => {
            let end = values.byte_offset();
            let rest = &text[end..];
            if rest.trim().is_empty() || rest.starts_with(BETWEEN) {
                end
            } else {
                text.len()
            }
        }
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> Act<'_> {
        Directive::read(text).act
    }

    #[test]
    fn what_is_said_is_kept_to_the_byte() {
        assert_eq!(say("say: hello "), Act::Say("hello "));
        assert_eq!(say("say:hello | say: x"), Act::Say("hello | say: x"));
        assert_eq!(say("say:  two\n"), Act::Say(" two\n"));
        assert_eq!(say("say:"), Act::Say(""));
        assert_eq!(say("Please say: no"), Act::Anything);
    }

    #[test]
    fn a_thought_ends_where_an_act_begins() {
        let read = Directive::read("think: a | b | say: c");
        assert_eq!(read.think, Some("a | b"));
        assert_eq!(read.act, Act::Say("c"));
        assert_eq!(Directive::read("think: alone").think, Some("alone"));
        let none = Directive::read("think: | say: c");
        assert_eq!((none.think, none.act), (Some(""), Act::Say("c")));
    }

    #[test]
    fn a_fault_may_stand_alone_or_before_the_rest() {
        assert_eq!(Directive::read("fault: cut").fault, Some("cut"));
        let read = Directive::read("fault: cut*1 | chunk: 3 | think: t | words: 7");
        assert_eq!(
            read,
            Directive {
                fault: Some("cut*1"),
                chunk: Some("3"),
                think: Some("t"),
                act: Act::Words(7),
            }
        );
    }

    #[test]
    fn calls_are_cut_where_their_json_ends() {
        assert_eq!(
            say(r#"call: a {"x": " | "} | call: b {}"#),
            Act::Call(vec![("a", r#"{"x": " | "}"#), ("b", "{}")])
        );
        assert_eq!(say("call: a {broken"), Act::Call(vec![("a", "{broken")]));
        assert_eq!(say("call: a"), Act::Call(vec![("a", "")]));
    }
}
