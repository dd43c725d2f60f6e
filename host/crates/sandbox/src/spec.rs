//! What the configuration says of a stage.

use std::sync::Arc;

use witgate_config::{Grant, HttpConfig, Isolation, Limits, Mode, OnError, StageConfig};

/// What the configuration says of a stage, as the sandbox needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct StageSpec {
    /// Its name in the chain, in headers, metrics and logs.
    pub id: Arc<str>,
    /// What its failure means for the exchange.
    pub on_error: OnError,
    /// Whether it isn't called while it fails too often.
    pub breaker: bool,
    /// Whether what it says is done.
    pub mode: Mode,
    /// How far apart its exchanges are kept.
    pub isolation: Isolation,
    /// What it may use.
    pub limits: Limits,
    /// What it may import beside the contract's own.
    pub grants: Vec<Grant>,
    /// Whom it may ask by the grant `http`.
    pub http: Option<HttpConfig>,
    /// Its own configuration, as JSON.
    pub settings: String,
    /// The digest that the component must have.
    pub pinned: Option<String>,
}

impl From<&StageConfig> for StageSpec {
    fn from(stage: &StageConfig) -> Self {
        StageSpec {
            id: stage.id.as_str().into(),
            on_error: stage.on_error,
            breaker: stage.breaker,
            mode: stage.mode,
            isolation: stage.isolation,
            limits: stage.limits.clone(),
            grants: stage.grants.clone(),
            http: stage.http.clone(),
            settings: stage.settings.to_string(),
            pinned: stage.digest.clone(),
        }
    }
}
