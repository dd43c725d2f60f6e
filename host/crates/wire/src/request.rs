//! What the client asks, read where it lies.
//!
//! What must stay true: a request that nobody edited goes on as the bytes that came, and of one that was edited all goes on as it came that
//! the edit didn't touch.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::bridge::Bridge;
use crate::dialect::Dialect;
use crate::draft::{Draft, pointer};
use crate::index::Index;
use crate::json::{BadRequest, Kind, items, members, string_at, write_str};
use crate::{Role, Segment, Text, Tool};

/// A request. A clone shares everything.
#[derive(Clone, Debug)]
pub struct Request {
    dialect: Dialect,
    body: Bytes,
    index: Arc<Index>,
    edited: bool,
    bridge: Option<Arc<Bridge>>,
}

impl Request {
    /// Reads a request body and makes sure that every text in it is where it is looked for.
    ///
    /// Beside the body it takes at most three times as much memory, whatever the body is.
    ///
    /// # Errors
    /// [`BadRequest`] where it is no JSON, or no request of that dialect.
    pub fn parse(dialect: Dialect, body: Bytes) -> Result<Request, BadRequest> {
        let most = Index::most(body.len());
        Request::within(dialect, body, most)
    }

    /// The same with a bound of its own for the strings in it: one that stands for a shorter one costs no more than that may.
    pub(crate) fn within(
        dialect: Dialect,
        body: Bytes,
        most: usize,
    ) -> Result<Request, BadRequest> {
        let index = Arc::new(dialect.read_within(&body, most)?);
        Ok(Request {
            dialect,
            body,
            index,
            edited: false,
            bridge: None,
        })
    }

    /// The same, which stands for a request of a dialect that no upstream speaks.
    pub(crate) fn across(self, bridge: Bridge) -> Request {
        Request {
            bridge: Some(Arc::new(bridge)),
            ..self
        }
    }

    /// The request that edits made of this one.
    pub(super) fn edited(&self, body: Vec<u8>) -> Result<Request, BadRequest> {
        let request = Request::parse(self.dialect, body.into())?;
        Ok(Request {
            edited: true,
            bridge: self.bridge.clone(),
            ..request
        })
    }

    pub(super) fn body(&self) -> &Bytes {
        &self.body
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// The shape that it has, and that its answer has upstream.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What its client speaks, where no upstream does.
    pub fn bridge(&self) -> Option<&Arc<Bridge>> {
        self.bridge.as_ref()
    }

    /// What policies call the endpoint that it came to.
    pub fn endpoint(&self) -> &'static str {
        match &self.bridge {
            Some(bridge) => bridge.word(),
            None => self.dialect.word(),
        }
    }

    /// Whether it differs from what the client sent.
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    /// Bytes of the body.
    pub fn length(&self) -> u64 {
        self.body.len() as u64
    }

    /// The model that is asked for.
    pub fn model(&self) -> &str {
        &self.index.model
    }

    /// Whether the answer is to be a stream.
    pub fn stream(&self) -> bool {
        self.index.stream
    }

    /// Whether the client asked for usage on the stream.
    pub fn include_usage(&self) -> bool {
        self.index.include_usage
    }

    /// How many choices are asked for, for all prompts together.
    pub fn n(&self) -> u32 {
        self.index.n
    }

    /// The most tokens that its answer may have, all choices together, where it says so.
    pub fn most_tokens(&self) -> Option<u64> {
        let most = self.index.most_tokens?;
        Some(most.saturating_mul(self.index.n.into()))
    }

    /// The role of each message.
    pub fn roles(&self) -> Vec<Role> {
        self.index.roles.clone()
    }

    /// Every text that people, models and tools wrote, from this message on, in document order: contents, reasoning, refusals and the
    /// arguments of tool calls; last the predicted output, as a message of the assistant's after the others. Of a text completion the
    /// prompts, each as a message of the user's; last the suffix, as one more.
    ///
    /// What else a model may be shown is in [`texts`](Request::texts).
    pub fn segments(&self, from_message: u32) -> Vec<Segment<'_>> {
        self.index.shown_segments(&self.body, from_message)
    }

    /// Bytes of text in all segments.
    pub fn size(&self) -> u64 {
        self.index.size
    }

    /// Every string that an upstream may show the model, each once, in the order of the body.
    pub fn texts(&self) -> Vec<Text<'_>> {
        let mut texts = Vec::new();
        loop {
            let first = u32::try_from(texts.len()).unwrap_or(u32::MAX);
            let page = self.texts_from(first);
            if page.is_empty() {
                return texts;
            }
            texts.extend(page);
        }
    }

    /// Those of the [`texts`](Request::texts) from this index on that are worth one reading: a bounded number of them, and of bytes but
    /// for the last one's. None: there are no more.
    pub fn texts_from(&self, first: u32) -> Vec<Text<'_>> {
        self.index.shown_texts(&self.body, first)
    }

    /// Bytes of all texts.
    pub fn texts_size(&self) -> u64 {
        self.index.shown
    }

    /// The pointer of the first content part that is no text and can't be shown as one: a picture, a sound, a file, or what nobody knows.
    pub fn opaque_part(&self) -> Option<&str> {
        self.index.opaque.as_deref()
    }

    /// The tools that the model may call.
    pub fn tools(&self) -> Vec<Tool> {
        let Some(tools) = self.member(0, "tools") else {
            return Vec::new();
        };
        let tools = items(&self.body, tools.start);
        tools.filter_map(|tool| self.tool(tool.start)).collect()
    }

    fn tool(&self, at: usize) -> Option<Tool> {
        let called = ["function", "custom"].into_iter();
        let called = called
            .filter_map(|name| self.member(at, name))
            .next()?
            .start;
        let text = |name| {
            let place = self.member(called, name)?;
            let is_string = self.body.get(place.start) == Some(&b'"');
            is_string.then(|| string_at(&self.body, place).into_owned())
        };
        let schema = self.member(called, "parameters");
        let schema = schema.filter(|place| self.body.get(place.start) != Some(&b'n'));
        Some(Tool {
            name: text("name").unwrap_or_default(),
            description: text("description"),
            parameters: schema.map(|place| self.json(place)),
        })
    }

    /// The value under that key of the object that lies there.
    fn member(&self, object: usize, key: &str) -> Option<Range<usize>> {
        let mut members = members(&self.body, object);
        let found = members.find(|(name, _)| string_at(&self.body, name.clone()) == key);
        found.map(|(_, value)| value)
    }

    fn json(&self, place: Range<usize>) -> String {
        String::from_utf8_lossy(&self.body[place]).trim().to_owned()
    }

    /// JSON at a JSON pointer (RFC 6901), as it came; "" is all of it.
    pub fn get(&self, pointer: &str) -> Option<String> {
        let tokens = pointer::tokens(pointer).ok()?;
        let mut place = 0..self.body.len();
        let mut tokens = tokens.iter().map(String::as_str).peekable();
        let mut known = None;
        let has_messages = !self.index.messages.is_empty();
        if tokens
            .next_if(|token| has_messages && *token == "messages")
            .is_some()
        {
            // Where messages begin is known: a policy may ask for something of each.
            let index = tokens.peek().and_then(|token| pointer::index(token));
            known = index
                .and_then(|index| self.index.messages.get(index))
                .copied();
            if tokens.peek().is_some() && known.is_none() {
                return None;
            }
            place = match known {
                Some(start) => start as usize..self.body.len(),
                None => self.member(0, "messages")?,
            };
            tokens.next();
        }
        if let (Some(_), None) = (known, tokens.peek()) {
            let mut scanner = crate::json::Scanner::new(&self.body, place.start);
            scanner.skip();
            place.end = scanner.at;
        }
        for token in tokens {
            let mut scanner = crate::json::Scanner::new(&self.body, place.start);
            scanner.space();
            place = match Kind::of(scanner.peek())? {
                Kind::Object => self.member(place.start, token)?,
                Kind::Array => items(&self.body, place.start).nth(pointer::index(token)?)?,
                _ => return None,
            };
        }
        Some(self.json(place))
    }

    /// Begins edits. The request itself never changes.
    pub fn draft(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// The body to send, for that model where one is named: the bytes of this request, with nothing but the model's name changed in them
    /// where that is another.
    pub fn to_bytes(&self, model: Option<&str>) -> Bytes {
        let Some(model) = model.filter(|model| *model != self.model()) else {
            return self.body.clone();
        };
        let span = self.index.model_span.range();
        let mut out = Vec::with_capacity(self.body.len() + model.len());
        out.extend_from_slice(&self.body[..span.start]);
        write_str(&mut out, model);
        out.extend_from_slice(&self.body[span.end..]);
        Bytes::from(out)
    }
}

#[cfg(test)]
mod tests;
