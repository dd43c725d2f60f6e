//! The most that a stage may use.

use super::fields::Field;
use std::time::Duration;

/// The limits of one stage, for one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The linear memory of its instance, in bytes.
    pub memory: u64,
    /// The CPU time of `on-request`. The gateway adds 20 ms for every MiB of the request.
    pub request_cpu: Duration,
    /// The CPU time of one hook of an answer.
    pub delta_cpu: Duration,
    /// The CPU time of the whole exchange.
    pub exchange_cpu: Duration,
    /// The wall-clock time of one call, waiting for imports included.
    pub call_time: Duration,
    /// How much text it may hold back at a time, in bytes.
    pub held_text: u64,
    /// How long it may hold text back.
    pub held_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 64 << 20,
            request_cpu: Duration::from_millis(50),
            delta_cpu: Duration::from_millis(5),
            exchange_cpu: Duration::from_secs(1),
            call_time: Duration::from_secs(5),
            held_text: 16 << 10,
            held_time: Duration::from_secs(2),
        }
    }
}

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Reads `limits`. A limit that isn't named keeps its default.
pub(super) fn read(field: &Field<'_>) -> Option<Limits> {
    let fields = field.fields(&[
        "memory",
        "request_cpu",
        "delta_cpu",
        "exchange_cpu",
        "call_time",
        "held_text",
        "held_time",
    ])?;
    let standard = Limits::default();
    let size = |key, default, range| match fields.get(key) {
        Some(field) => field.size(range),
        None => Some(default),
    };
    let time = |key, default, most: Duration| match fields.get(key) {
        Some(field) => field.duration(MS..=most),
        None => Some(default),
    };
    // Every limit is read before the first failure counts, so that all problems are reported.
    let memory = size("memory", standard.memory, 1 << 20..=1 << 30);
    let request_cpu = time("request_cpu", standard.request_cpu, MINUTE);
    let delta_cpu = time("delta_cpu", standard.delta_cpu, MINUTE);
    let exchange_cpu = time("exchange_cpu", standard.exchange_cpu, 10 * MINUTE);
    let call_time = time("call_time", standard.call_time, 10 * MINUTE);
    let held_text = size("held_text", standard.held_text, 1..=16 << 20);
    let held_time = time("held_time", standard.held_time, 10 * MINUTE);
    Some(Limits {
        memory: memory?,
        request_cpu: request_cpu?,
        delta_cpu: delta_cpu?,
        exchange_cpu: exchange_cpu?,
        call_time: call_time?,
        held_text: held_text?,
        held_time: held_time?,
    })
}
