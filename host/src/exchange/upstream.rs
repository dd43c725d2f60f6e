//! Who answers an exchange.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;

use super::request::RequestState;
use crate::upstream::{Answer, AskFailed, Question, Targets};

/// Answers an exchange: the targets of its generation, or a script.
pub(super) trait Upstream: Send {
    /// Asks for the answer. It has begun when it is returned.
    fn ask(&self, request: &RequestState) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// Why no answer has begun.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// No target takes the request: a sentence.
    NoTarget(String),
    /// Every target that takes it has failed.
    Failed(AskFailed),
}

/// The targets of one configuration.
pub(super) struct TargetsInTurn(pub(super) Arc<Targets>);

impl Upstream for TargetsInTurn {
    async fn ask(&self, request: &RequestState) -> Result<Answer, NoAnswer> {
        let candidates = self.0.candidates(request.body.model());
        let mut candidates = candidates.map_err(|error| NoAnswer::NoTarget(error.to_string()))?;
        if let Some(allowed) = &request.allowed {
            let restricted = candidates.restrict(allowed);
            restricted.map_err(|error| NoAnswer::NoTarget(error.to_string()))?;
        }
        let answer = self.0.ask(&candidates, request).await;
        answer.map_err(NoAnswer::Failed)
    }
}

impl Question for RequestState {
    fn id(&self) -> &str {
        &self.meta.id
    }

    fn path(&self) -> &str {
        self.body.dialect().path()
    }

    fn body(&self, model: &str) -> Bytes {
        self.body.to_bytes(Some(model))
    }

    fn headers(&self) -> &HeaderMap {
        &self.meta.headers
    }

    fn first_error(&self, bytes: &Bytes) -> Option<Bytes> {
        self.body.dialect().first_error(bytes)
    }
}
