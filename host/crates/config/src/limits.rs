//! The most that a stage may use.

use super::fields::Field;
use super::units;
use std::time::Duration;

/// The limits of one stage, for one exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The linear memory of its instance, in bytes.
    pub memory: u64,
    /// The CPU time of `on-request`. The gateway adds 40 ms for every MiB of the request.
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

/// What a policy can't do without: the least that it needs of some of the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeastLimits {
    /// See [`Limits::memory`].
    pub memory: Option<u64>,
    /// See [`Limits::request_cpu`].
    pub request_cpu: Option<Duration>,
    /// See [`Limits::delta_cpu`].
    pub delta_cpu: Option<Duration>,
    /// See [`Limits::exchange_cpu`].
    pub exchange_cpu: Option<Duration>,
    /// See [`Limits::call_time`].
    pub call_time: Option<Duration>,
    /// See [`Limits::held_text`].
    pub held_text: Option<u64>,
    /// See [`Limits::held_time`].
    pub held_time: Option<Duration>,
}

impl LeastLimits {
    /// Those that are named, as the configuration writes them.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, String)> {
        let size = |value: Option<u64>| value.map(units::show_size);
        let time = |value: Option<Duration>| value.map(units::show_duration);
        let all = [
            ("memory", size(self.memory)),
            ("request_cpu", time(self.request_cpu)),
            ("delta_cpu", time(self.delta_cpu)),
            ("exchange_cpu", time(self.exchange_cpu)),
            ("call_time", time(self.call_time)),
            ("held_text", size(self.held_text)),
            ("held_time", time(self.held_time)),
        ];
        all.into_iter()
            .filter_map(|(name, least)| Some((name, least?)))
    }

    /// These limits, raised to what is needed.
    pub fn within(&self, given: Limits) -> Limits {
        Limits {
            memory: given.memory.max(self.memory.unwrap_or_default()),
            request_cpu: given.request_cpu.max(self.request_cpu.unwrap_or_default()),
            delta_cpu: given.delta_cpu.max(self.delta_cpu.unwrap_or_default()),
            exchange_cpu: given
                .exchange_cpu
                .max(self.exchange_cpu.unwrap_or_default()),
            call_time: given.call_time.max(self.call_time.unwrap_or_default()),
            held_text: given.held_text.max(self.held_text.unwrap_or_default()),
            held_time: given.held_time.max(self.held_time.unwrap_or_default()),
        }
    }

    /// Those that are more than what is given, each with what is needed and what is given.
    pub fn missing(&self, given: &Limits) -> Vec<(&'static str, String, String)> {
        let needed = LeastLimits::from(&self.within(given.clone()));
        let given = LeastLimits::from(given);
        needed
            .named()
            .zip(given.named())
            .filter(|((_, needed), (_, given))| needed != given)
            .map(|((name, needed), (_, given))| (name, needed, given))
            .collect()
    }
}

impl From<&Limits> for LeastLimits {
    fn from(limits: &Limits) -> LeastLimits {
        LeastLimits {
            memory: Some(limits.memory),
            request_cpu: Some(limits.request_cpu),
            delta_cpu: Some(limits.delta_cpu),
            exchange_cpu: Some(limits.exchange_cpu),
            call_time: Some(limits.call_time),
            held_text: Some(limits.held_text),
            held_time: Some(limits.held_time),
        }
    }
}

/// Reads `limits`. A limit that isn't named keeps its default.
pub(super) fn read(field: &Field<'_>) -> Option<Limits> {
    let named = read_least(field)?;
    let usual = Limits::default();
    Some(Limits {
        memory: named.memory.unwrap_or(usual.memory),
        request_cpu: named.request_cpu.unwrap_or(usual.request_cpu),
        delta_cpu: named.delta_cpu.unwrap_or(usual.delta_cpu),
        exchange_cpu: named.exchange_cpu.unwrap_or(usual.exchange_cpu),
        call_time: named.call_time.unwrap_or(usual.call_time),
        held_text: named.held_text.unwrap_or(usual.held_text),
        held_time: named.held_time.unwrap_or(usual.held_time),
    })
}

/// Reads those that are named.
pub(super) fn read_least(field: &Field<'_>) -> Option<LeastLimits> {
    let fields = field.fields(&[
        "memory",
        "request_cpu",
        "delta_cpu",
        "exchange_cpu",
        "call_time",
        "held_text",
        "held_time",
    ])?;
    // `Some(None)`: it isn't named.
    let size = |key, range| match fields.get(key) {
        Some(field) => field.size(range).map(Some),
        None => Some(None),
    };
    let time = |key, most: Duration| match fields.get(key) {
        Some(field) => field.duration(MS..=most).map(Some),
        None => Some(None),
    };
    // Every limit is read before the first failure counts, so that all problems are reported.
    let memory = size("memory", 1 << 20..=1 << 30);
    let request_cpu = time("request_cpu", MINUTE);
    let delta_cpu = time("delta_cpu", MINUTE);
    let exchange_cpu = time("exchange_cpu", 10 * MINUTE);
    let call_time = time("call_time", 10 * MINUTE);
    let held_text = size("held_text", 1..=16 << 20);
    let held_time = time("held_time", 10 * MINUTE);
    Some(LeastLimits {
        memory: memory?,
        request_cpu: request_cpu?,
        delta_cpu: delta_cpu?,
        exchange_cpu: exchange_cpu?,
        call_time: call_time?,
        held_text: held_text?,
        held_time: held_time?,
    })
}
