//! The settings, and what of others' settings means something else here.

use std::collections::BTreeMap;

use witgate_policy::prelude::*;
use witgate_policy::serde_json::{Value, json};

/// What comes of a text of which the service doesn't say what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OnFailure {
    /// The request is denied, or the answer ends.
    #[default]
    Deny,
    /// It passes, unseen.
    Pass,
}

/// The settings, as they are written.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default = "openai")]
    provider: String,
    endpoint: Option<String>,
    #[serde(default = "model")]
    pub(crate) model: String,
    /// What is sent, where the provider is `webhook`.
    pub(crate) template: Option<Value>,
    /// Where its reply says whether the text is flagged, and how much of each category is in it.
    pub(crate) flagged: Option<String>,
    pub(crate) scores: Option<String>,
    /// Those that count; empty: all.
    #[serde(default)]
    pub(crate) categories: Vec<String>,
    pub(crate) threshold: Option<f64>,
    #[serde(default)]
    pub(crate) thresholds: BTreeMap<String, f64>,
    #[serde(default)]
    pub(crate) action: Sanction,
    #[serde(default)]
    pub(crate) on_failure: OnFailure,
    #[serde(default)]
    pub(crate) timeout_ms: u32,
    #[serde(default = "roles")]
    roles: Vec<String>,
    #[serde(default = "yes")]
    pub(crate) requests: bool,
    #[serde(default = "yes")]
    pub(crate) answers: bool,
    /// Elsewhere it stands here; here it is the grant's.
    secret_key_ref: Option<Value>,
}

fn openai() -> String {
    "openai-moderation".into()
}

fn model() -> String {
    "omni-moderation-latest".into()
}

fn roles() -> Vec<String> {
    ["user".into(), "tool".into()].into()
}

fn yes() -> bool {
    true
}

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// As OpenAI's: many texts in a request, each with its categories.
    OpenAi,
    /// As the template says: one text in a request.
    Webhook,
}

/// The settings, checked.
pub(crate) struct Checked {
    pub(crate) shape: Shape,
    pub(crate) endpoint: String,
    pub(crate) roles: Vec<Role>,
    pub(crate) template: Value,
    pub(crate) flagged: String,
    pub(crate) said: Settings,
}

/// The services that others' gateways know by these names.
const ELSEWHERE: [&str; 7] = [
    "azure-content-safety",
    "bedrock-apply-guardrail",
    "embedding-endpoint",
    "presidio",
    "guardrails-ai",
    "dynamo-ai",
    "lakera",
];

impl Settings {
    /// Checks what types can't.
    pub(crate) fn checked(self) -> Result<Checked, String> {
        if self.secret_key_ref.is_some() {
            return Err(
                "secret_key_ref: a policy never sees a key. Give it to the stage's grant: `grants: [{http: {hosts: [{url: https://HOST, \
                 secret_key_ref: {env: NAME}}]}}]`"
                    .into(),
            );
        }
        let shape = match &*self.provider {
            "openai-moderation" => Shape::OpenAi,
            "webhook" => Shape::Webhook,
            other if ELSEWHERE.contains(&other) => {
                return Err(format!(
                    "provider: `{other}` isn't offered; use `webhook` with its `endpoint`, a `template` of what is sent, and where the reply says \
                     `flagged` and `scores`"
                ));
            }
            other => {
                return Err(format!(
                    "provider: there is no `{other}` (valid: openai-moderation, webhook)"
                ));
            }
        };
        let webhooks = [
            ("template", self.template.is_some()),
            ("flagged", self.flagged.is_some()),
            ("scores", self.scores.is_some()),
        ];
        if shape == Shape::OpenAi
            && let Some((key, _)) = webhooks.iter().find(|(_, given)| *given)
        {
            return Err(format!("{key}: this is for `provider: webhook` alone"));
        }
        let endpoint = match (&self.endpoint, shape) {
            (Some(endpoint), _) if endpoint.starts_with("https://") || endpoint.starts_with("http://") => {
                endpoint.clone()
            }
            (None, Shape::OpenAi) => "https://api.openai.com/v1/moderations".into(),
            _ => return Err("endpoint: give the address of the service, such as https://moderation.example/check".into()),
        };
        let template = self
            .template
            .clone()
            .unwrap_or_else(|| json!({"text": "{text}"}));
        if !template.to_string().contains("{text}") {
            return Err("template: `{text}` must stand in it, where the text is to be".into());
        }
        let thresholds = self.thresholds.values().copied().chain(self.threshold);
        if let Some(wrong) = thresholds.into_iter().find(|it| !(0.0..=1.0).contains(it)) {
            return Err(format!("a threshold is from 0 to 1, and {wrong} isn't"));
        }
        if let Some(name) = self.thresholds.keys().find(|name| !self.counts(name)) {
            return Err(format!("thresholds: `{name}` isn't among the `categories`"));
        }
        let by_category =
            !self.categories.is_empty() || !self.thresholds.is_empty() || self.threshold.is_some();
        if shape == Shape::Webhook && by_category && self.scores.is_none() {
            return Err("scores: categories and thresholds need it: a JSON pointer to where the reply has a score for each category".into());
        }
        // Its scores alone don't say from when on; a service's one word is of all its categories.
        let undecided = self
            .categories
            .iter()
            .find(|name| self.threshold(name).is_none());
        if shape == Shape::Webhook
            && let Some(name) = undecided
        {
            return Err(format!(
                "categories: `{name}` has no threshold, and would never be flagged; write `threshold`, or `thresholds: {{{name}: 0.5}}`"
            ));
        }
        for pointer in [&self.flagged, &self.scores].into_iter().flatten() {
            if !pointer.is_empty() && !pointer.starts_with('/') {
                return Err(format!(
                    "`{pointer}` is no JSON pointer; it begins with `/`"
                ));
            }
        }
        let roles = self.roles.iter().map(|name| match &**name {
            "system" => Ok(Role::System),
            "developer" => Ok(Role::Developer),
            "user" => Ok(Role::User),
            "assistant" => Ok(Role::Assistant),
            "tool" => Ok(Role::Tool),
            other => Err(format!(
                "roles: there is no `{other}` (valid: system, developer, user, assistant, tool)"
            )),
        });
        let roles = roles.collect::<Result<Vec<Role>, String>>()?;
        if (roles.is_empty() || !self.requests) && !self.answers {
            return Err("requests and answers are both off: nothing would be asked. Leave one of them on, or take the stage out of the chain".into());
        }
        Ok(Checked {
            shape,
            endpoint,
            roles,
            template,
            flagged: self.flagged.clone().unwrap_or_else(|| "/flagged".into()),
            said: self,
        })
    }

    /// Whether that category counts.
    pub(crate) fn counts(&self, category: &str) -> bool {
        self.categories.is_empty() || self.categories.iter().any(|it| it == category)
    }

    /// The score from which on a category is flagged; `None`: where the service says so.
    pub(crate) fn threshold(&self, category: &str) -> Option<f64> {
        self.thresholds.get(category).copied().or(self.threshold)
    }
}
