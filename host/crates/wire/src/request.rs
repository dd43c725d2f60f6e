//! What the client asks, read where it lies.
//!
//! What must stay true: a request that nobody edited goes on as the bytes that came.

use std::sync::Arc;

use bytes::Bytes;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use crate::dialect::Dialect;
use crate::draft::Draft;
use crate::json::{BadRequest, parse_object, write_str};
use crate::raw::{RawObject, span_in};
use crate::{Role, Segment, Text, Tool};

/// A request. A clone shares everything.
#[derive(Clone, Debug)]
pub struct Request {
    dialect: Dialect,
    original: Bytes,
    body: Arc<Value>,
    edited: bool,
}

impl Request {
    /// Reads a request body and makes sure that every text in it is where it is looked for.
    ///
    /// # Errors
    /// [`BadRequest`] where it is no JSON, or no request of that dialect.
    pub fn parse(dialect: Dialect, original: Bytes) -> Result<Request, BadRequest> {
        let body = parse_object(&original)?;
        dialect.check(&body)?;
        Ok(Request {
            dialect,
            original,
            body: Arc::new(Value::Object(body)),
            edited: false,
        })
    }

    /// The same request with another body, which has been checked.
    pub(super) fn with_body(&self, body: Arc<Value>) -> Request {
        Request {
            dialect: self.dialect,
            original: self.original.clone(),
            body,
            edited: true,
        }
    }

    pub(super) fn body(&self) -> &Arc<Value> {
        &self.body
    }

    /// The shape that it came in, and that its answer has.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether it differs from what the client sent.
    pub fn is_edited(&self) -> bool {
        self.edited
    }

    /// The model that is asked for.
    pub fn model(&self) -> &str {
        self.body["model"].as_str().unwrap_or_default()
    }

    /// Whether the answer is to be a stream.
    pub fn stream(&self) -> bool {
        self.body["stream"] == Value::Bool(true)
    }

    /// Whether the client asked for usage on the stream.
    pub fn include_usage(&self) -> bool {
        self.body["stream_options"]["include_usage"] == Value::Bool(true)
    }

    /// How many choices are asked for.
    pub fn n(&self) -> u32 {
        self.body["n"]
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(1)
    }

    /// The role of each message.
    pub fn roles(&self) -> Vec<Role> {
        self.dialect.roles(&self.body)
    }

    /// Every text that the model will read, from this message on, in document order: contents, reasoning, refusals and the
    /// arguments of tool calls; last the predicted output, as a message of the assistant's after the others.
    ///
    /// Not among them: names and ids, which [`get`](Request::get) reaches (a message's `name` has at most 64 characters),
    /// images, and tools, for which see [`tools`](Request::tools).
    pub fn segments(&self, from_message: u32) -> Vec<Segment<'_>> {
        let mut segments = Vec::new();
        self.dialect
            .walk(&self.body, from_message as usize, |site| {
                segments.push(Segment {
                    message: u32::try_from(site.message).unwrap_or(u32::MAX),
                    role: site.role,
                    channel: site.channel(),
                    text: site.text,
                });
            });
        segments
    }

    /// Bytes of text in all segments.
    pub fn size(&self) -> u64 {
        let mut size = 0;
        self.dialect
            .walk(&self.body, 0, |site| size += site.text.len() as u64);
        size
    }

    /// Every string that an upstream may show the model, each once, in the order of the body.
    pub fn texts(&self) -> Vec<Text<'_>> {
        let texts = crate::chat::texts::texts(&self.body);
        texts.into_iter().map(|(_, text)| text).collect()
    }

    /// The tools that the model may call.
    pub fn tools(&self) -> Vec<Tool> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let tool = |tool: &Value| {
            let called = tool.get("function").or_else(|| tool.get("custom"))?;
            Some(Tool {
                name: text(&called["name"]).unwrap_or_default(),
                description: text(&called["description"]),
                parameters: called
                    .get("parameters")
                    .filter(|schema| !schema.is_null())
                    .map(Value::to_string),
            })
        };
        self.body["tools"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(tool)
            .collect()
    }

    /// JSON at a JSON pointer (RFC 6901); "" is all of it.
    pub fn get(&self, pointer: &str) -> Option<String> {
        self.body.pointer(pointer).map(Value::to_string)
    }

    /// Begins edits. The request itself never changes.
    pub fn draft(&self) -> Draft {
        Draft::new(self.clone())
    }

    /// The body to send, for that model where one is named: the client's own bytes where nothing was edited, with nothing but
    /// the model's name changed in them where that is another.
    pub fn to_bytes(&self, model: Option<&str>) -> Bytes {
        let model = model.filter(|model| *model != self.model());
        if !self.edited {
            return match model {
                None => self.original.clone(),
                Some(model) => self.spliced(model),
            };
        }
        let body = WithModel {
            body: &self.body,
            model,
        };
        Bytes::from(serde_json::to_vec(&body).expect("a JSON value always makes JSON"))
    }

    fn spliced(&self, model: &str) -> Bytes {
        let body = std::str::from_utf8(&self.original).expect("it was read as JSON");
        let object = RawObject::parse(body).expect("it was read as an object");
        let span = span_in(
            body,
            object.get("model").expect("a request has a model").get(),
        );
        let mut out = Vec::with_capacity(body.len() + model.len());
        out.extend_from_slice(&self.original[..span.start]);
        write_str(&mut out, model);
        out.extend_from_slice(&self.original[span.end..]);
        Bytes::from(out)
    }
}

/// The body with another model's name, without a copy of the rest.
struct WithModel<'a> {
    body: &'a Value,
    model: Option<&'a str>,
}

impl Serialize for WithModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (Some(model), Some(body)) = (self.model, self.body.as_object()) else {
            return self.body.serialize(serializer);
        };
        let body: &Map<String, Value> = body;
        let mut map = serializer.serialize_map(Some(body.len()))?;
        for (name, value) in body {
            if name == "model" {
                map.serialize_entry(name, model)?;
            } else {
                map.serialize_entry(name, value)?;
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests;
