//! The request of an exchange, as policies see and change it.

use std::any::Any;
use std::sync::Arc;

use http::HeaderMap;

use crate::policy::types::{self, Segment, Target, Tool};
use crate::policy::{Draft, RequestView};
use crate::upstream::Targets;
use crate::wire::chat;
use crate::wire::{Channel, Role, ToolCall};

/// What never changes in an exchange.
pub(super) struct Facts {
    pub(super) id: String,
    pub(super) principal: Option<String>,
    pub(super) received_at: u64,
    /// The client's headers, credentials included; [`Asked::header`] keeps those back.
    pub(super) headers: HeaderMap,
    /// Where it may go. `None` in a sample, which goes nowhere.
    pub(super) targets: Option<Arc<Targets>>,
}

/// The request as the stages so far have made it.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) facts: Arc<Facts>,
    pub(super) chat: chat::Request,
    /// The targets that a stage allowed, in its order. `None`: all candidates.
    pub(super) allowed: Option<Vec<String>>,
}

/// Headers that may carry a credential. They stay with the host.
fn is_credential(name: &str) -> bool {
    const PARTS: [&str; 8] = [
        "auth",
        "cookie",
        "key",
        "token",
        "secret",
        "password",
        "session",
        "credential",
    ];
    PARTS.iter().any(|part| name.contains(part))
}

impl RequestView for Asked {
    fn id(&self) -> &str {
        &self.facts.id
    }

    fn endpoint(&self) -> &str {
        "chat"
    }

    fn model(&self) -> &str {
        self.chat.model()
    }

    fn principal(&self) -> Option<&str> {
        self.facts.principal.as_deref()
    }

    fn received_at(&self) -> u64 {
        self.facts.received_at
    }

    fn header(&self, name: &str) -> Option<String> {
        if is_credential(name) {
            return None;
        }
        let value = self.facts.headers.get(name)?;
        Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    fn messages(&self) -> Vec<types::Role> {
        self.chat.roles().into_iter().map(role).collect()
    }

    fn size(&self) -> u64 {
        self.chat.size()
    }

    fn segments(&self, first_message: u32) -> Vec<Segment> {
        let segments = self.chat.segments(first_message).into_iter();
        segments
            .map(|segment| Segment {
                message: segment.message,
                role: role(segment.role),
                channel: channel(&segment.channel),
                text: segment.text.into(),
            })
            .collect()
    }

    fn tools(&self) -> Vec<Tool> {
        let tools = self.chat.tools().into_iter();
        tools
            .map(|tool| Tool {
                name: tool.name,
                description: tool.description,
                parameters: tool.parameters,
            })
            .collect()
    }

    fn get(&self, pointer: &str) -> Option<String> {
        self.chat.get(pointer)
    }

    fn targets(&self) -> Vec<Target> {
        let targets = self.facts.targets.as_ref();
        let candidates = targets.map(|targets| targets.candidates(self.chat.model()));
        let Some(Ok(mut candidates)) = candidates else {
            return Vec::new();
        };
        if let Some(allowed) = &self.allowed
            && candidates.restrict(allowed).is_err()
        {
            return Vec::new();
        }
        candidates
            .iter()
            .map(|candidate| Target {
                id: candidate.target().id().into(),
                provider: candidate.target().provider().into(),
                model: Some(candidate.model().into()),
            })
            .collect()
    }

    fn draft(&self) -> Box<dyn Draft> {
        Box::new(Changes {
            draft: self.chat.draft(),
            rest: self.rest(),
        })
    }
}

impl Asked {
    /// The request that a draft made: every view of an exchange is one of these.
    pub(super) fn from_view(view: Arc<dyn RequestView>) -> Arc<Asked> {
        let view: Arc<dyn Any + Send + Sync> = view;
        view.downcast()
            .expect("drafts of this module commit to its own requests")
    }

    fn rest(&self) -> Rest {
        Rest {
            facts: self.facts.clone(),
            allowed: self.allowed.clone(),
            known: self.targets(),
        }
    }
}

/// What a draft needs beside the body.
struct Rest {
    facts: Arc<Facts>,
    allowed: Option<Vec<String>>,
    known: Vec<Target>,
}

struct Changes {
    draft: chat::Draft,
    rest: Rest,
}

impl Draft for Changes {
    fn replace_segment(&mut self, index: u32, text: String) -> Result<(), String> {
        self.draft
            .replace_segment(index, &text)
            .map_err(|error| error.to_string())
    }

    fn insert_message(
        &mut self,
        before: u32,
        role: types::Role,
        text: String,
    ) -> Result<(), String> {
        let role = match role {
            types::Role::System => Role::System,
            types::Role::Developer => Role::Developer,
            types::Role::User => Role::User,
            types::Role::Assistant => Role::Assistant,
            types::Role::Tool => Role::Tool,
        };
        self.draft.insert_message(before, role, &text)
    }

    fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String> {
        self.draft.set(pointer, json)
    }

    fn restrict_targets(&mut self, ids: &[String]) -> Result<(), String> {
        let known = |id: &&String| self.rest.known.iter().any(|target| target.id == **id);
        let left: Vec<String> = ids.iter().filter(known).cloned().collect();
        if left.is_empty() {
            return Err("none of these targets is left".into());
        }
        self.rest.allowed = Some(left);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Arc<dyn RequestView> {
        Arc::new(Asked {
            facts: self.rest.facts,
            chat: self.draft.commit(),
            allowed: self.rest.allowed,
        })
    }
}

pub(super) fn role(role: Role) -> types::Role {
    match role {
        Role::System => types::Role::System,
        Role::Developer => types::Role::Developer,
        Role::User => types::Role::User,
        Role::Assistant => types::Role::Assistant,
        Role::Tool => types::Role::Tool,
    }
}

pub(super) fn channel(channel: &Channel<'_>) -> types::Channel {
    match channel {
        Channel::Content => types::Channel::Content,
        Channel::Reasoning => types::Channel::Reasoning,
        Channel::Refusal => types::Channel::Refusal,
        Channel::ToolArguments(call) => types::Channel::ToolArguments(types::ToolCall {
            index: call.index,
            id: call.id().into(),
            name: call.name().into(),
        }),
    }
}

pub(super) fn neutral(channel: &types::Channel) -> Channel<'static> {
    match channel {
        types::Channel::Content => Channel::Content,
        types::Channel::Reasoning => Channel::Reasoning,
        types::Channel::Refusal => Channel::Refusal,
        types::Channel::ToolArguments(call) => Channel::ToolArguments(ToolCall::new(
            call.index,
            call.id.clone(),
            call.name.clone(),
        )),
    }
}
