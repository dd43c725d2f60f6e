//! The outcome of the exchange. It can be read in [`on_complete`](crate::Policy::on_complete) alone; in any other hook,
//! reading it is a fault of the stage.

use crate::imports::outcome as host_side;
use crate::{Account, Ending, Usage};

/// How the exchange ended.
pub fn ended() -> Ending {
    host_side::ended()
}

/// The model that answered.
pub fn model() -> Option<String> {
    host_side::model()
}

/// The target that answered.
pub fn target() -> Option<String> {
    host_side::target()
}

/// The upstream's HTTP status.
pub fn status() -> Option<u16> {
    host_side::status()
}

/// Why the answer's choices finished, in the order of choices: as the upstream said; `stop` where a stage finished the choice; where a stage answered, as the
/// client was told. A choice that was denied, or of which no end came, may have none here.
pub fn finish_reasons() -> Vec<String> {
    host_side::finish_reasons()
}

/// The tokens that the upstream counted.
pub fn tokens() -> Option<Usage> {
    host_side::tokens()
}

/// What these tokens cost, in millionths of the currency that the gateway's configuration prices tokens in. `None` where they have no price.
pub fn cost_micros() -> Option<u64> {
    host_side::cost_micros()
}

/// What each stage did, in chain order. Stages that were not reached are included.
pub fn stages() -> Vec<Account> {
    host_side::stages()
}

/// The tags that stages put on the exchange.
pub fn tags() -> Vec<(String, String)> {
    host_side::tags()
}

/// Pieces of the answer's text that came, however the exchange ended. Where no stage sees the answer: events of a stream.
pub fn deltas() -> u64 {
    host_side::deltas()
}

/// Bytes of the answer that were sent to the client, however the exchange ended.
pub fn sent_bytes() -> u64 {
    host_side::sent_bytes()
}

/// Microseconds from the request's arrival to the first delta.
pub fn first_delta_us() -> Option<u64> {
    host_side::first_delta_us()
}

/// Microseconds from the request's arrival to its end.
pub fn total_us() -> u64 {
    host_side::total_us()
}
