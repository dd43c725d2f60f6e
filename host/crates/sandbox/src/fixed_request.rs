//! A request of one message that is always the same, for where there is no client: the self-test, benchmarks, tests.

use std::sync::Arc;

use serde_json::json;

use super::request::{Draft, NotReplaced, RequestView};
use super::types::{Channel, Role, Segment, Target, Text, Tool};

/// One message of a user's. As a draft of itself it takes every change, and keeps the text alone.
#[derive(Clone)]
pub struct FixedRequest {
    id: &'static str,
    model: &'static str,
    principal: Option<&'static str>,
    received_at: u64,
    text: String,
    /// Called whenever the segments are read.
    on_read: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl FixedRequest {
    /// What a component is tried with when it was just configured: a message that says nothing, from nobody.
    pub fn self_test() -> Self {
        FixedRequest {
            id: "00000000-0000-4000-8000-000000000000",
            model: "self-test",
            principal: None,
            received_at: 0,
            text: String::new(),
            on_read: None,
        }
    }

    /// One as a client could send it, with that text.
    pub fn saying(text: impl Into<String>) -> Self {
        FixedRequest {
            id: "3f0e8b0a-0000-4000-8000-000000000001",
            model: "llama",
            principal: Some("team-a"),
            received_at: 1_700_000_000_000,
            text: text.into(),
            on_read: None,
        }
    }

    /// The same, and whenever its segments are read that is called first.
    #[must_use]
    pub fn on_read(self, call: impl Fn() + Send + Sync + 'static) -> Self {
        FixedRequest {
            on_read: Some(Arc::new(call)),
            ..self
        }
    }
}

impl RequestView for FixedRequest {
    fn id(&self) -> &str {
        self.id
    }

    fn endpoint(&self) -> &str {
        "chat"
    }

    fn model(&self) -> &str {
        self.model
    }

    fn principal(&self) -> Option<&str> {
        self.principal
    }

    fn team(&self) -> Option<&str> {
        None
    }

    fn roles(&self) -> &[String] {
        &[]
    }

    fn received_at(&self) -> u64 {
        self.received_at
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn messages(&self) -> Vec<Role> {
        vec![Role::User]
    }

    fn size(&self) -> u64 {
        self.text.len() as u64
    }

    fn texts_size(&self) -> u64 {
        self.size()
    }

    fn segments(&self, first_message: u32) -> Vec<Segment> {
        if let Some(on_read) = &self.on_read {
            on_read();
        }
        if first_message > 0 {
            return Vec::new();
        }
        vec![Segment {
            message: 0,
            role: Role::User,
            channel: Channel::Content,
            text: self.text.clone(),
        }]
    }

    fn texts(&self, first: u32) -> Vec<Text> {
        if first > 0 {
            return Vec::new();
        }
        if let Some(on_read) = &self.on_read {
            on_read();
        }
        vec![Text {
            pointer: "/messages/0/content".into(),
            is_key: false,
            message: Some(0),
            role: Some(Role::User),
            segment: Some(0),
            text: self.text.clone(),
        }]
    }

    fn tools(&self) -> Vec<Tool> {
        Vec::new()
    }

    fn get(&self, pointer: &str) -> Option<String> {
        let whole = || {
            let messages = json!([{"role": "user", "content": self.text}]);
            json!({"model": self.model, "messages": messages}).to_string()
        };
        pointer.is_empty().then(whole)
    }

    fn targets(&self) -> Vec<Target> {
        Vec::new()
    }

    fn cost_of(&self, _: &str, _: u32, _: u32) -> Option<u64> {
        None
    }

    fn draft(&self) -> Box<dyn Draft> {
        Box::new(self.clone())
    }
}

impl Draft for FixedRequest {
    fn replace_segment(&mut self, index: u32, text: String) -> Result<(), String> {
        if index > 0 {
            return Err(format!("there is no segment {index}"));
        }
        self.text = text;
        Ok(())
    }

    fn replace_text(&mut self, index: u32, text: String) -> Result<(), NotReplaced> {
        self.replace_segment(index, text)
            .map_err(NotReplaced::OutOfRange)
    }

    fn insert_message(&mut self, _: u32, _: Role, _: String) -> Result<(), String> {
        Ok(())
    }

    fn set(&mut self, _: &str, _: Option<&str>) -> Result<(), String> {
        Ok(())
    }

    fn restrict_targets(&mut self, _: &[String]) -> Result<(), String> {
        Err("there are no targets".into())
    }

    fn commit(self: Box<Self>) -> Result<Arc<dyn RequestView>, String> {
        Ok(Arc::new(*self))
    }
}
