//! What a policy sees of a request, and how it changes it: the seam to whoever owns the wire.

use std::any::Any;
use std::sync::Arc;

use super::types::{Role, Segment, Target, Text, Tool};

/// A request as the stages before made it. Indices and pointers are those of the JSON body in chat shape.
pub trait RequestView: Any + Send + Sync {
    /// The id in `x-request-id`.
    fn id(&self) -> &str;
    /// Which route it came by: `chat`.
    fn endpoint(&self) -> &str;
    /// The model that the client named, or that a stage set.
    fn model(&self) -> &str;
    /// Who asks, where clients are known.
    fn principal(&self) -> Option<&str>;
    /// The team that it belongs to, if it is known.
    fn team(&self) -> Option<&str>;
    /// Its roles.
    fn roles(&self) -> &[String];
    /// Milliseconds since 1970.
    fn received_at(&self) -> u64;
    /// One of the client's headers, by lower-case name; credentials are not there.
    fn header(&self, name: &str) -> Option<String>;
    /// The role of each message.
    fn messages(&self) -> Vec<Role>;
    /// Bytes of text in all segments.
    fn size(&self) -> u64;
    /// Bytes of everything that a policy may be shown of it, and a fixed number for each string: what a call about it may cost goes by that.
    fn texts_size(&self) -> u64;
    /// The segments of the messages from that one on.
    fn segments(&self, first_message: u32) -> Vec<Segment>;
    /// The strings that an upstream may show the model, in the order of the body: those from this index on, as many as are handed over at a
    /// time. None: there are no more.
    fn texts(&self, first: u32) -> Vec<Text>;
    /// The tools that the model may call.
    fn tools(&self) -> Vec<Tool>;
    /// JSON at a pointer.
    fn get(&self, pointer: &str) -> Option<String>;
    /// The targets still allowed, in the order of trial.
    fn targets(&self) -> Vec<Target>;
    /// What so many tokens of request and answer cost at that model, in millionths of the currency.
    fn cost_of(&self, model: &str, prompt: u32, completion: u32) -> Option<u64>;
    /// Begins to collect changes.
    fn draft(&self) -> Box<dyn Draft>;
}

impl dyn RequestView {
    /// Its roles as the log has them: with commas between, and nothing where there are none.
    pub fn roles_for_log(&self) -> Option<String> {
        let roles = self.roles();
        (!roles.is_empty()).then(|| roles.join(","))
    }
}

/// Why a text wasn't replaced, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReplaced {
    /// There is no such text: the policy counted wrong.
    OutOfRange(String),
    /// The string can't stand in that place.
    Refused(String),
}

/// Changes of one `on-request`, which take effect together or not at all.
pub trait Draft: Send {
    /// Puts a text in that segment's place. `Err`: there is no such segment.
    fn replace_segment(&mut self, index: u32, text: String) -> Result<(), String>;
    /// Puts a string in that text's place. `Err` says why not.
    fn replace_text(&mut self, index: u32, text: String) -> Result<(), NotReplaced>;
    /// Puts a message before that one. `Err` says why not.
    fn insert_message(&mut self, before: u32, role: Role, text: String) -> Result<(), String>;
    /// Puts JSON at a pointer, or removes it. `Err` says why not.
    fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String>;
    /// Allows these targets alone, in this order. `Err`: none of them is left.
    fn restrict_targets(&mut self, ids: &[String]) -> Result<(), String>;
    /// The request with the changes. `Err`: they can't be made together.
    fn commit(self: Box<Self>) -> Result<Arc<dyn RequestView>, String>;
}
