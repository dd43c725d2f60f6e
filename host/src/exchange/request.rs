//! The request of an exchange, as policies see and change it.

use std::any::Any;
use std::sync::Arc;

use http::HeaderMap;

use super::translate::{
    data_policy_for_policy, role_for_policy, role_from_policy, segment_for_policy, text_for_policy,
    tool_for_policy,
};
use crate::api::{Caller, Turns};
use crate::config::PricingConfig;
use crate::policy::types::{self, Segment, Target, Text, Tool};
use crate::policy::{Draft, NotReplaced, RequestView};
use crate::upstream::Targets;
use crate::wire;

/// What never changes in an exchange.
pub(super) struct RequestMeta {
    pub(super) id: String,
    /// Who asks.
    pub(super) caller: Caller,
    pub(super) received_at: u64,
    /// The client's headers, credentials included.
    pub(super) headers: HeaderMap,
    /// Those that policies may read, in small letters.
    pub(super) shown: Arc<[String]>,
    /// Where it may go. `None` where a script answers.
    pub(super) targets: Option<Arc<Targets>>,
    /// What tokens cost.
    pub(super) pricing: PricingConfig,
    /// For what is large.
    pub(super) turns: Turns,
}

impl RequestMeta {
    /// Who asks, for a line of the log.
    pub(super) fn principal(&self) -> Option<&str> {
        self.caller.principal.as_deref()
    }

    /// Its team.
    pub(super) fn team(&self) -> Option<&str> {
        self.caller.team.as_deref()
    }

    /// Its roles, with commas between.
    pub(super) fn roles(&self) -> Option<String> {
        let roles = &self.caller.roles;
        (!roles.is_empty()).then(|| roles.join(","))
    }
}

/// The request as the stages so far have made it.
#[derive(Clone)]
pub(super) struct RequestState {
    pub(super) meta: Arc<RequestMeta>,
    pub(super) body: wire::Request,
    /// The targets that a stage allowed, in its order. `None`: all candidates.
    pub(super) allowed: Option<Vec<String>>,
}

impl RequestView for RequestState {
    fn id(&self) -> &str {
        &self.meta.id
    }

    fn endpoint(&self) -> &str {
        self.body.endpoint()
    }

    fn model(&self) -> &str {
        self.body.model()
    }

    fn principal(&self) -> Option<&str> {
        self.meta.principal()
    }

    fn team(&self) -> Option<&str> {
        self.meta.team()
    }

    fn roles(&self) -> &[String] {
        &self.meta.caller.roles
    }

    fn received_at(&self) -> u64 {
        self.meta.received_at
    }

    fn header(&self, name: &str) -> Option<String> {
        let shown = &self.meta.shown;
        if !shown.iter().any(|it| it.eq_ignore_ascii_case(name)) {
            return None;
        }
        // Several lines of one name are one list, to whoever reads it.
        let lines = self.meta.headers.get_all(name).iter();
        let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()).into_owned());
        lines.reduce(|all, line| all + ", " + &line)
    }

    fn messages(&self) -> Vec<types::Role> {
        self.body.roles().into_iter().map(role_for_policy).collect()
    }

    fn size(&self) -> u64 {
        self.body.size()
    }

    fn texts_size(&self) -> u64 {
        self.body.texts_size()
    }

    fn segments(&self, first_message: u32) -> Vec<Segment> {
        let segments = self.body.segments(first_message);
        segments.into_iter().map(segment_for_policy).collect()
    }

    fn texts(&self, first: u32) -> Vec<Text> {
        let page = self.body.texts_from(first).into_iter();
        page.map(text_for_policy).collect()
    }

    fn tools(&self) -> Vec<Tool> {
        self.body.tools().into_iter().map(tool_for_policy).collect()
    }

    fn get(&self, pointer: &str) -> Option<String> {
        self.body.get(pointer)
    }

    fn targets(&self) -> Vec<Target> {
        let targets = self.meta.targets.as_ref();
        let candidates = targets.map(|targets| targets.candidates(self.body.model()));
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
                data_policy: data_policy_for_policy(candidate.target().data_policy()),
            })
            .collect()
    }

    fn cost_of(&self, model: &str, prompt: u32, completion: u32) -> Option<u64> {
        let price = self.meta.pricing.models.get(model)?;
        Some(price.of(prompt.into(), 0, completion.into()))
    }

    fn draft(&self) -> Box<dyn Draft> {
        Box::new(RequestDraft {
            body: self.body.draft(),
            meta: self.meta.clone(),
            allowed: self.allowed.clone(),
            known: self.targets(),
        })
    }
}

impl RequestState {
    /// The request as the client sent it.
    pub(super) fn new(meta: RequestMeta, body: wire::Request) -> Self {
        RequestState {
            meta: Arc::new(meta),
            body,
            allowed: None,
        }
    }

    /// How much it is to read, in bytes: whoever reads much takes turns.
    pub(super) fn weight(&self) -> u64 {
        self.body.length().max(self.body.texts_size())
    }

    /// The request that a draft made: every view of an exchange is one of these.
    pub(super) fn from_view(view: Arc<dyn RequestView>) -> Arc<RequestState> {
        let view: Arc<dyn Any + Send + Sync> = view;
        view.downcast()
            .expect("drafts of this module commit to its own requests")
    }
}

/// Changes of a request that take effect together, when the stage that makes them proceeds.
struct RequestDraft {
    body: wire::Draft,
    meta: Arc<RequestMeta>,
    allowed: Option<Vec<String>>,
    /// The targets that may be allowed.
    known: Vec<Target>,
}

impl Draft for RequestDraft {
    fn replace_segment(&mut self, index: u32, text: String) -> Result<(), String> {
        self.body
            .replace_segment(index, &text)
            .map_err(|error| error.to_string())
    }

    fn replace_text(&mut self, index: u32, text: String) -> Result<(), NotReplaced> {
        use wire::draft::TextError;
        let replaced = self.body.replace_text(index, &text);
        replaced.map_err(|why| match why {
            TextError::OutOfRange { .. } => NotReplaced::OutOfRange(why.to_string()),
            TextError::Refused(sentence) => NotReplaced::Refused(sentence),
        })
    }

    fn insert_message(
        &mut self,
        before: u32,
        role: types::Role,
        text: String,
    ) -> Result<(), String> {
        let role = role_from_policy(role)
            .ok_or("a message can't be put in for a speaker without a word: `other`")?;
        self.body.insert_message(before, role, &text)
    }

    fn set(&mut self, pointer: &str, json: Option<&str>) -> Result<(), String> {
        self.body.set(pointer, json)
    }

    fn restrict_targets(&mut self, ids: &[String]) -> Result<(), String> {
        let known = |id: &&String| self.known.iter().any(|target| target.id == **id);
        let left: Vec<String> = ids.iter().filter(known).cloned().collect();
        if left.is_empty() {
            return Err("none of these targets is left".into());
        }
        self.allowed = Some(left);
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<Arc<dyn RequestView>, String> {
        Ok(Arc::new(RequestState {
            meta: self.meta,
            body: self.body.commit()?,
            allowed: self.allowed,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;
    use crate::wire::Dialect;

    /// A request with these headers, of which policies may see those.
    fn with(headers: &[&'static str], shown: &[&str]) -> RequestState {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
        let value = http::HeaderValue::from_static("here");
        let named = |name: &&'static str| (http::HeaderName::from_static(name), value.clone());
        let meta = RequestMeta {
            id: "id".into(),
            caller: Caller::anonymous(),
            received_at: 0,
            headers: headers.iter().map(named).collect(),
            shown: shown.iter().map(|&name| name.to_owned()).collect(),
            targets: None,
            pricing: PricingConfig::default(),
            turns: Turns::default(),
        };
        let body = wire::Request::parse(Dialect::Chat, body.to_vec().into());
        RequestState::new(meta, body.unwrap())
    }

    #[test]
    fn policies_see_the_headers_that_are_listed_and_no_other() {
        let others = [
            "authorization",
            "cookie",
            "x-api-key",
            "cf-access-jwt-assertion",
            "x-goog-iap-jwt-assertion",
            "x-amzn-oidc-data",
            "x-ms-client-principal",
            "dpop",
            "x-forwarded-client-cert",
            "x-otp",
            "x-anything",
        ];
        let request = with(
            &[&others[..], &["x-team", "user-agent"]].concat(),
            &["x-team", "x-absent"],
        );
        for name in ["x-team", "X-Team"] {
            assert_eq!(request.header(name).as_deref(), Some("here"));
        }
        for name in others
            .iter()
            .chain(&["user-agent", "x-absent", "", "X-API-KEY", "no name"])
        {
            assert_eq!(request.header(name), None, "{name}");
        }
    }
}
