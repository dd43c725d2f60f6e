//! The targets: Cerebras, and what stands in for it when it fails.
//!
//! One idea: everything of a target is settled when the configuration is loaded (its address, its key as a header, its
//! connections), so that a request picks among them ([`Targets::candidates`]) and asks them in turn ([`Targets::ask`]), each with a
//! key that is ready, as a [`RetryPolicy`] says. What must stay true: a key reaches its own target and
//! nothing else ([`OwnSecret`]), no redirect is followed, and an answer that is dropped is cancelled.

mod answer;
mod ask;
mod beginning;
mod candidates;
mod check;
mod client;
mod client_error;
mod connections;
mod connector;
mod error_body;
mod failure;
mod first_tokens;
mod headers;
mod health;
mod health_check;
mod hedge;
mod keys;
mod limits;
mod models;
mod retry;
mod routing;
mod standing;
mod target;
mod tries;
mod trust;

#[cfg(test)]
mod tests;

pub use answer::{Answer, AnswerBody, WHOLE_BODY_CAP};
pub use ask::{AskFailed, Outgoing, Question};
pub use beginning::{Begins, ReadsBeginning};
pub use candidates::{Candidate, Candidates, NoSuchModel, NoneLeft};
pub use check::{KeyCheck, TargetCheck};
pub use client::UpstreamError;
pub use error_body::ErrorBody;
pub use failure::{BodyError, Failure, StatusFailure, sentence};
pub use retry::RetryPolicy;
pub use target::Target;
pub use witgate_own_secret::OwnSecret;

use crate::config::{Config, Secret, SecretError, SecretRef, Strategy};
use crate::metrics::Metrics;
use ask::ask;
use client::Clients;
use health_check::HealthChecks;
use retry::RetryBudget;
use routing::Routing;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The usable targets of one configuration, in order. Never empty.
#[derive(Debug)]
pub struct Targets {
    targets: Vec<Arc<Target>>,
    clients: Clients,
    warnings: Vec<String>,
    routing: Routing,
    retry: RetryPolicy,
    budget: Arc<RetryBudget>,
    /// Other names of models, and what they stand for.
    aliases: BTreeMap<String, String>,
    checks: HealthChecks,
}

impl Targets {
    /// Reads the keys and makes the targets ready. Connections of `previous` are used on where its settings allow.
    ///
    /// # Errors
    /// When no target has its key, or a key can't be a header.
    pub fn build(
        config: &Config,
        previous: Option<&Targets>,
        metrics: &Metrics,
    ) -> Result<Targets, UpstreamError> {
        Targets::build_with(config, previous, metrics, SecretRef::read)
    }

    /// As [`Targets::build`], with `read` in place of [`SecretRef::read`].
    ///
    /// # Errors
    /// As [`Targets::build`].
    pub fn build_with(
        config: &Config,
        previous: Option<&Targets>,
        metrics: &Metrics,
        read: impl Fn(&SecretRef) -> Result<Secret, SecretError>,
    ) -> Result<Targets, UpstreamError> {
        let usable = config.usable_targets(read)?;
        let weighs = config.strategy == Strategy::Adaptive;
        let others = usable.targets.len() > 1;
        let mut clients = Clients::default();
        let earlier = previous.map(|previous| &previous.clients);
        let targets = usable
            .targets
            .iter()
            .map(|usable| {
                let client = clients.client_for(usable.config, earlier)?;
                let metrics = metrics.target(&usable.config.id);
                let known = previous.and_then(|previous| previous.target(&usable.config.id));
                let target = Target::new(usable.config, &usable.keys, client, metrics, known)?;
                Ok(Arc::new(
                    target.weighed(weighs, others).hedged(config.hedging),
                ))
            })
            .collect::<Result<Vec<_>, UpstreamError>>()?;
        Ok(Targets {
            targets,
            clients,
            warnings: usable.warnings,
            routing: Routing::new(config.strategy),
            retry: RetryPolicy::of(&config.retries),
            budget: match previous.filter(|it| it.budget.is_of(&config.retries)) {
                Some(previous) => previous.budget.clone(),
                None => Arc::new(RetryBudget::new(config.retries)),
            },
            aliases: config.models.aliases.clone(),
            checks: HealthChecks::default(),
        })
    }

    /// Asks these candidates, as the configuration says.
    ///
    /// # Errors
    /// When none answers: the first candidate's first failure.
    pub async fn ask(
        &self,
        candidates: &Candidates,
        question: &impl Question,
    ) -> Result<Answer, AskFailed> {
        ask(candidates, question, &self.retry, &self.budget).await
    }

    fn target(&self, id: &str) -> Option<&Target> {
        self.iter().find(|target| target.id() == id).map(|it| &**it)
    }

    /// The targets, in configured order.
    pub fn iter(&self) -> std::slice::Iter<'_, Arc<Target>> {
        self.targets.iter()
    }

    /// A sentence for each configured target that was left out.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}
