//! A request to hand to a policy under test.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::body::Body;
use crate::{DataPolicy, Role, Segment, Target, Text};

/// What the name of a header has in it that may carry a credential.
const CREDENTIALS: [&str; 8] = [
    "auth",
    "cookie",
    "key",
    "token",
    "secret",
    "password",
    "session",
    "credential",
];

/// A fake request: a body, and what the host knows beside it. Build it by chaining.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) id: String,
    pub(super) endpoint: String,
    pub(super) principal: Option<String>,
    pub(super) team: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) received_at: u64,
    pub(super) headers: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) body: Body,
    pub(super) targets: Vec<Target>,
    /// What a million tokens of request and of answer cost, by model.
    pub(super) prices: BTreeMap<String, (u64, u64)>,
}

impl Default for Request {
    fn default() -> Self {
        Self::new()
    }
}

impl Request {
    /// A chat request without messages: model `llama3.1-8b`, id `req-1`, of 2025-01-01T00:00:00Z, no client, and one
    /// target, `cerebras`.
    pub fn new() -> Self {
        Self::from_body(json!({"model": "llama3.1-8b", "messages": []}))
    }

    /// A chat request with one message of the user.
    pub fn user(text: &str) -> Self {
        Self::new().message(Role::User, text)
    }

    /// A request for a text completion, with one prompt.
    pub fn prompt(text: &str) -> Self {
        Self::from_body(json!({"model": "llama3.1-8b", "prompt": text}))
    }

    /// A request with this body: a chat's, or where it has a `prompt` a text completion's.
    pub fn from_body(body: Value) -> Self {
        let endpoint = match body.get("prompt") {
            Some(_) => "completions",
            None => "chat",
        };
        Self {
            id: "req-1".into(),
            endpoint: endpoint.into(),
            principal: None,
            team: None,
            roles: Vec::new(),
            received_at: 1_735_689_600_000,
            headers: Vec::new(),
            tags: Vec::new(),
            body: Body(body),
            targets: vec![Target {
                id: "cerebras".into(),
                provider: "cerebras".into(),
                model: None,
                data_policy: DataPolicy::default(),
            }],
            prices: BTreeMap::new(),
        }
    }

    /// One message more.
    #[must_use]
    pub fn message(mut self, role: Role, text: &str) -> Self {
        self.body.add_message(role, text);
        self
    }

    /// One text more in the last message, as a part of its content.
    #[must_use]
    pub fn part(mut self, text: &str) -> Self {
        self.body.add_part(text);
        self
    }

    /// A member of the body: `.with("temperature", json!(0))`.
    #[must_use]
    pub fn with(mut self, key: &str, value: Value) -> Self {
        self.body.0[key] = value;
        self
    }

    /// The model asked for.
    #[must_use]
    pub fn model(self, model: &str) -> Self {
        self.with("model", json!(model))
    }

    /// The id of the exchange.
    #[must_use]
    pub fn id(mut self, id: &str) -> Self {
        self.id = id.into();
        self
    }

    /// The endpoint's dialect.
    #[must_use]
    pub fn endpoint(mut self, endpoint: &str) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// The client's id.
    #[must_use]
    pub fn principal(mut self, principal: &str) -> Self {
        self.principal = Some(principal.into());
        self
    }

    /// The team that the client belongs to.
    #[must_use]
    pub fn team(mut self, team: &str) -> Self {
        self.team = Some(team.into());
        self
    }

    /// The client's roles.
    #[must_use]
    pub fn roles<I: AsRef<str>>(mut self, roles: impl IntoIterator<Item = I>) -> Self {
        self.roles = roles.into_iter().map(|role| role.as_ref().into()).collect();
        self
    }

    /// When it came, in milliseconds since 1970.
    #[must_use]
    pub fn received_at(mut self, at: u64) -> Self {
        self.received_at = at;
        self
    }

    /// A header, as if the configuration showed it to policies. One that may carry a credential (`authorization`, `cookie`, names with
    /// `key` or `token` in them, and more) stays with the host: the policy won't see it.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// A tag of a stage before this one.
    #[must_use]
    pub fn tagged(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.into(), value.into()));
        self
    }

    /// The targets allowed at first, in place of the usual one.
    #[must_use]
    pub fn targets(mut self, targets: Vec<Target>) -> Self {
        self.targets = targets;
        self
    }

    /// What a million tokens of request and of answer cost at that model, in millionths of the currency. Without it they have no price.
    #[must_use]
    pub fn price(mut self, model: &str, prompt: u64, completion: u64) -> Self {
        self.prices.insert(model.into(), (prompt, completion));
        self
    }

    /// Its segments, in document order.
    pub fn segments(&self) -> Vec<Segment> {
        self.body
            .segments()
            .into_iter()
            .map(|(_, segment)| segment)
            .collect()
    }

    /// Every string of it that an upstream may show the model. The members of an object come in the order in which the `Value` has them.
    pub fn texts(&self) -> Vec<Text> {
        let texts = super::texts::texts(&self.body).into_iter();
        texts.map(|(_, text)| text).collect()
    }

    /// Its body.
    pub fn body(&self) -> &Value {
        &self.body.0
    }

    /// A header, as the policy may see it.
    pub(super) fn shown_header(&self, name: &str) -> Option<String> {
        let lower = name.to_ascii_lowercase();
        if CREDENTIALS.iter().any(|part| lower.contains(part)) {
            return None;
        }
        let mut headers = self.headers.iter();
        let (_, value) = headers.find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.clone())
    }

    /// Allows these targets alone, in this order, each once.
    pub(super) fn restrict_targets(&mut self, ids: &[String]) {
        let mut left: Vec<Target> = Vec::new();
        for id in ids {
            let known = self.targets.iter().find(|target| target.id == *id);
            if let Some(target) = known
                && !left.iter().any(|there| there.id == *id)
            {
                left.push(target.clone());
            }
        }
        self.targets = left;
    }
}
