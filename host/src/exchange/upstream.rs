//! Who answers an exchange.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use super::errors;
use super::request::RequestState;
use crate::api::ApiError;
use crate::config::Parameters;
use crate::upstream::{Answer, AskFailed, Begins, Outgoing, Question, ReadsBeginning, Targets};
use crate::wire::{Beginning, Begun};

/// Answers an exchange: the targets of its generation, or a script.
pub(super) trait Upstream: Send + 'static {
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
        self.0.arrange(&mut candidates);
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

    async fn body(&self, model: &str, parameters: Parameters) -> Result<Outgoing, ApiError> {
        let as_it_came = || Outgoing {
            body: self.body.to_bytes(Some(model)),
            dropped: None,
        };
        let bytes = self.body.to_bytes(None).len() as u64;
        let turns = &self.meta.turns;
        let (request, name) = (self.body.clone(), model.to_owned());
        match parameters {
            Parameters::Pass => Ok(as_it_came()),
            Parameters::Strip => {
                let fitted = turns.aside(bytes, move || request.fitted(&name)).await;
                let dropped = fitted.dropped.map(HeaderValue::try_from);
                Ok(Outgoing {
                    body: fitted.body,
                    dropped: dropped.and_then(Result::ok),
                })
            }
            Parameters::Strict => {
                let fits = turns.aside(bytes, move || request.fits(&name)).await;
                fits.map(|()| as_it_came()).map_err(errors::unfit)
            }
        }
    }

    fn headers(&self) -> &HeaderMap {
        &self.meta.headers
    }

    fn streams(&self) -> bool {
        self.body.stream()
    }

    fn tokens(&self) -> (u64, Option<u64>) {
        // Of most texts a token is about four bytes.
        (self.body.length() / 4, self.body.most_tokens())
    }

    fn reads_beginning(&self) -> ReadsBeginning {
        let mut beginning = Beginning::of(self.body.dialect());
        ReadsBeginning::with(move |bytes| match beginning.read(bytes) {
            Begun::NotYet => Begins::NotYet,
            Begun::Content => Begins::Content,
            Begun::Error(error) => Begins::Error(error),
        })
    }
}
