//! What came of an exchange, as `on-complete` reads it.

use super::types::{Account, Ending, Usage};

/// What came of an exchange.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ending,
    /// The model that answered.
    pub model: Option<String>,
    /// The target that answered; `policy` where a stage did.
    pub target: Option<String>,
    /// The upstream's HTTP status.
    pub status: Option<u16>,
    /// Why the choices finished, in their order; none of one that has none.
    pub finish_reasons: Vec<String>,
    /// What the upstream counted.
    pub tokens: Option<Usage>,
    /// What these tokens cost, in millionths of the currency.
    pub cost_micros: Option<u64>,
    /// Every stage in chain order, also those that were not reached.
    pub stages: Vec<Account>,
    /// What stages tagged, in order.
    pub tags: Vec<(String, String)>,
    /// Pieces of the answer's text that came; where no stage sees the answer, events of a stream.
    pub deltas: u64,
    /// Bytes of the answer that were sent to the client.
    pub sent_bytes: u64,
    /// Microseconds from the request's arrival to the first delta.
    pub first_delta_us: Option<u64>,
    /// Microseconds from the request's arrival to the answer's end.
    pub total_us: u64,
}
