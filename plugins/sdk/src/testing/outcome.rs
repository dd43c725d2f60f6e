//! The outcome of an exchange in a test.

use crate::{Account, Ending, Usage};

/// The values that [`outcome`](crate::outcome) returns in `on_complete`. Every field is open: `Outcome { status: Some(502),
/// ..Outcome::ended(Ending::UpstreamFailed) }`.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How the exchange ended.
    pub ended: Ending,
    /// The model that answered.
    pub model: Option<String>,
    /// The target that answered.
    pub target: Option<String>,
    /// The upstream's HTTP status.
    pub status: Option<u16>,
    /// Why the choices finished, in their order.
    pub finish_reasons: Vec<String>,
    /// The tokens that the upstream counted.
    pub tokens: Option<Usage>,
    /// What these tokens cost, in millionths of the currency.
    pub cost_micros: Option<u64>,
    /// What each stage did, in chain order.
    pub stages: Vec<Account>,
    /// Tags besides those that the policy under test has put.
    pub tags: Vec<(String, String)>,
    /// Deltas besides those that the test has sent.
    pub deltas: u64,
    /// Bytes that were sent to the client.
    pub sent_bytes: u64,
    /// Microseconds to the first delta.
    pub first_delta_us: Option<u64>,
    /// Microseconds in all.
    pub total_us: u64,
}

impl Outcome {
    /// The model answered: target `cerebras`, status 200, finish `stop`, 400 bytes, no stages, 2 ms.
    pub fn completed() -> Self {
        Self {
            model: Some("llama3.1-8b".into()),
            target: Some("cerebras".into()),
            status: Some(200),
            finish_reasons: vec!["stop".into()],
            sent_bytes: 400,
            first_delta_us: Some(1_000),
            ..Self::ended(Ending::Completed)
        }
    }

    /// An exchange that ended like this, without an answer of a target.
    pub fn ended(ended: Ending) -> Self {
        Self {
            ended,
            model: None,
            target: None,
            status: None,
            finish_reasons: Vec::new(),
            tokens: None,
            cost_micros: None,
            stages: Vec::new(),
            tags: Vec::new(),
            deltas: 0,
            sent_bytes: 0,
            first_delta_us: None,
            total_us: 2_000,
        }
    }

    /// Adds a stage: its id, and its verdict as in `x-witgate-policies`.
    #[must_use]
    pub fn stage(self, stage: &str, verdict: &str) -> Self {
        self.account(Account {
            stage: stage.into(),
            verdict: verdict.into(),
            denial: None,
            findings: Vec::new(),
        })
    }

    /// Adds a stage with everything that it did.
    #[must_use]
    pub fn account(mut self, account: Account) -> Self {
        self.stages.push(account);
        self
    }
}
