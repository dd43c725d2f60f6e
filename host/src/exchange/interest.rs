//! Looks through a request for what stages look out for, so that those which find nothing needn't be asked.
//!
//! The words are those of every string that the model may read, each by itself. A model reads the parts of a message as one text, and
//! policies do too: a word that a cut between two parts goes through is looked at whole as well.

use crate::policy::{Interest, Word};
use crate::wire::{Request, Text};

/// For each of these interests, whether some word of the request matches it. `None` stands for one that nobody asks about.
pub(super) fn found<'a>(
    request: &Request,
    interests: impl Iterator<Item = Option<&'a Interest>>,
) -> Vec<bool> {
    let mut found = Vec::new();
    let mut looking = Vec::new();
    for (at, interest) in interests.enumerate() {
        found.push(false);
        looking.extend(interest.map(|interest| Look {
            at,
            interest,
            message: None,
            tail: interest.word(),
        }));
    }
    let mut next = 0;
    while !looking.is_empty() {
        let texts = request.texts_from(next);
        if texts.is_empty() {
            break;
        }
        next += u32::try_from(texts.len()).unwrap_or(u32::MAX);
        for text in &texts {
            looking.retain_mut(|look| {
                let here = look.finds(text);
                found[look.at] |= here;
                !here
            });
        }
    }
    found
}

/// One interest on its way through a request.
struct Look<'a> {
    at: usize,
    interest: &'a Interest,
    /// The message of the last text, if that is part of one.
    message: Option<u32>,
    /// The word at the end of that text, with what of it stands in the parts before.
    tail: Word,
}

impl Look<'_> {
    fn finds(&mut self, text: &Text<'_>) -> bool {
        let arguments = ["/arguments", "/input"];
        let arguments =
            text.segment.is_some() && arguments.iter().any(|end| text.pointer.ends_with(end));
        let bytes = text.text.as_bytes();
        let message = text.message.filter(|_| text.segment.is_some());
        let goes_on = message.is_some() && message == self.message && self.tail.is_open();
        let before = std::mem::replace(&mut self.tail, self.interest.word());
        self.message = message;
        let found = self.interest.goes_on(&mut self.tail, bytes, arguments);
        if found || self.interest.ends(&self.tail) {
            return true;
        }
        if !goes_on {
            return false;
        }
        let mut whole = before;
        let space = bytes.iter().position(u8::is_ascii_whitespace);
        let head = &bytes[..space.unwrap_or(bytes.len())];
        let found = self.interest.goes_on(&mut whole, head, arguments);
        if space.is_none() {
            self.tail = whole;
        }
        found || self.interest.ends(&whole)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use serde_json::{Value, json};

    use super::*;
    use crate::wire::Dialect;

    fn finds(interest: &str, body: Value) -> bool {
        let body = body.to_string().into_bytes();
        let request = Request::parse(Dialect::Chat, body.into()).unwrap();
        let interest = Interest::new(interest).unwrap();
        found(&request, [None, Some(&interest)].into_iter()) == [false, true]
    }

    fn said(content: Value) -> Value {
        json!({"model": "m", "messages": [{"role": "user", "content": content}]})
    }

    #[test]
    fn a_word_is_found_wherever_a_model_may_read_it() {
        let hi = said(json!("hi"));
        assert!(!finds("@", hi.clone()));
        assert!(finds("@", said(json!("a@b"))));
        for (member, value) in [
            ("user", json!("a@b")),
            ("stop", json!(["x", "a@b"])),
            (
                "tools",
                json!([{"type": "function", "function": {"name": "f", "parameters": {"a@b": 1}}}]),
            ),
            ("unknown", json!({"deep": [{"er": "a@b"}]})),
        ] {
            let mut body = hi.clone();
            body[member] = value;
            assert!(finds("@", body), "{member}");
        }
    }

    #[test]
    fn a_word_that_is_cut_over_parts_of_a_message_is_one() {
        let parts = |texts: &[&str]| {
            let part = |text: &&str| json!({"type": "text", "text": text});
            said(texts.iter().map(part).collect())
        };
        assert!(finds("^ignore$", parts(&["please ig", "no", "re it"])));
        assert!(finds("^ignore$", parts(&["ig", "no", "re"])));
        assert!(finds("^nor$", parts(&["ig", "nor", "e"])));
        assert!(!finds("^ignore$", parts(&["ig ", "nore"])));
        assert!(!finds("^ignore$", parts(&["ig", " nore"])));
        let two = json!({"model": "m", "messages": [
            {"role": "user", "content": "ig"}, {"role": "user", "content": "nore"},
        ]});
        assert!(!finds("^ignore$", two));
    }

    #[test]
    fn a_backslash_counts_in_arguments_alone() {
        let called = |arguments: &str| {
            let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
            json!({"model": "m", "messages": [
                {"role": "user", "content": "a\\b"},
                {"role": "assistant", "content": null, "tool_calls": [call]},
            ]})
        };
        assert!(!finds("@", called("{}")));
        assert!(finds("@", called(r#"{"to": "a\u0040b"}"#)));
    }

    #[test]
    fn a_request_is_looked_through_page_by_page() {
        let content: Vec<Value> = (0..5000)
            .map(|_| json!({"type": "text", "text": "plain words"}))
            .chain([json!({"type": "text", "text": "a@b"})])
            .collect();
        assert!(finds("@", said(Value::Array(content))));
    }
}
