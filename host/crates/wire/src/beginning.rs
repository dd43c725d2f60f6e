//! How a stream begins. Comments that keep a connection alive and chunks with a role alone say nothing yet: an answer has begun with its
//! first piece of content, whatever kind it is of, and until then its target may be asked again, or another one.

use bytes::Bytes;

use crate::dialect::Dialect;
use crate::sse::{DEFAULT_CAP, Framer};

/// What the bytes so far say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing yet.
    NotYet,
    /// Something: content, an end, or what can't be read.
    Content,
    /// That the upstream broke off before it said anything: the event's data.
    Error(Bytes),
}

/// Reads a stream up to its first content. What follows isn't for it.
#[derive(Debug)]
pub struct Beginning {
    dialect: Dialect,
    framer: Framer,
}

impl Beginning {
    /// For a stream in this dialect.
    pub fn of(dialect: Dialect) -> Beginning {
        Beginning {
            dialect,
            framer: Framer::new(DEFAULT_CAP),
        }
    }

    /// Takes the next bytes, however they were cut.
    pub fn read(&mut self, bytes: &Bytes) -> Begun {
        self.framer.push(bytes.clone());
        loop {
            let event = match self.framer.next() {
                Ok(Some(event)) => event,
                Ok(None) => return Begun::NotYet,
                Err(_) => return Begun::Content,
            };
            if self.dialect.is_end(&event) {
                return Begun::Content;
            }
            let Some(data) = event.data.filter(|data| !data.is_empty()) else {
                continue;
            };
            match self.dialect.chunk(&data) {
                Ok(chunk) if chunk.error.is_some() => {}
                Ok(chunk) if chunk.says_nothing() => continue,
                _ => return Begun::Content,
            }
            return Begun::Error(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a stream of these events says, in one piece and byte by byte: the same, after the same bytes.
    fn begun(events: &str) -> Begun {
        let whole = Beginning::of(Dialect::Chat).read(&Bytes::copy_from_slice(events.as_bytes()));
        let mut beginning = Beginning::of(Dialect::Chat);
        let mut bytes = events.bytes();
        let cut = loop {
            let Some(byte) = bytes.next() else {
                break Begun::NotYet;
            };
            match beginning.read(&Bytes::copy_from_slice(&[byte])) {
                Begun::NotYet => {}
                begun => break begun,
            }
        };
        assert_eq!(whole, cut, "{events}");
        whole
    }

    fn delta(delta: &str) -> String {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta}}}]}}\n\n")
    }

    #[test]
    fn what_says_nothing_is_no_beginning() {
        for nothing in [
            "",
            ": alive\n\n",
            "\n\n",
            "data:\n\n",
            &delta(r#"{"role":"assistant"}"#),
            &delta(r#"{"role":"assistant","content":""}"#),
            &delta(r#"{"role":"assistant","content":null,"reasoning":""}"#),
            &delta("{}"),
            "data: {\"choices\":[]}\n\n",
            "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5}}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"cut",
        ] {
            assert_eq!(begun(nothing), Begun::NotYet, "{nothing}");
        }
    }

    #[test]
    fn content_of_any_kind_is_one_and_so_is_an_end() {
        for content in [
            &delta(r#"{"content":"a"}"#),
            &delta(r#"{"reasoning":"a"}"#),
            &delta(r#"{"refusal":"a"}"#),
            &delta(
                r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            ),
            // Nobody here knows what that is.
            &delta(r#"{"thinking":"a"}"#),
            "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}]}\n\n",
            "data: [DONE]\n\n",
            "data: no json\n\n",
        ] {
            assert_eq!(begun(content), Begun::Content, "{content}");
            let later = format!(": alive\n\n{}{content}", delta(r#"{"role":"assistant"}"#));
            assert_eq!(begun(&later), Begun::Content, "{later}");
        }
    }

    #[test]
    fn an_error_before_any_content_is_told() {
        let error = "{\"error\":{\"message\":\"no\"}}";
        let role = delta(r#"{"role":"assistant"}"#);
        for before in ["", ": alive\n\n", &role] {
            let events = format!("{before}data: {error}\n\n");
            assert_eq!(begun(&events), Begun::Error(error.into()), "{events}");
        }
        let after = format!("{}data: {error}\n\n", delta(r#"{"content":"a"}"#));
        assert_eq!(begun(&after), Begun::Content);
    }

    #[test]
    fn text_completions_begin_alike() {
        let mut beginning = Beginning::of(Dialect::Completions);
        let said = |text: &str| Bytes::from(format!("data: {{\"choices\":[{text}]}}\n\n"));
        assert_eq!(
            beginning.read(&said(r#"{"index":0,"text":""}"#)),
            Begun::NotYet
        );
        assert_eq!(
            beginning.read(&said(r#"{"index":0,"text":"a"}"#)),
            Begun::Content
        );
    }
}
