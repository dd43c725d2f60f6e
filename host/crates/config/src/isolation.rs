//! How far apart the exchanges of one stage are kept.

use std::fmt;
use std::time::Duration;

use super::fields::Field;
use super::tree::Node;

/// How far apart the exchanges of one stage are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Each exchange has a fresh instance.
    #[default]
    Exchange,
    /// An instance serves one exchange after another, one at a time, until it is retired.
    Reused(Reuse),
}

/// When an instance that serves one exchange after another is retired; after any fault it is, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Exchanges that it serves.
    pub exchanges: u32,
    /// How long it serves.
    pub age: Duration,
    /// Bytes by which its memory may have grown since it was made.
    pub memory_growth: u64,
}

impl Default for Reuse {
    fn default() -> Self {
        Reuse {
            exchanges: 1000,
            age: Duration::from_secs(60),
            memory_growth: 4 << 20,
        }
    }
}

impl Isolation {
    /// What it means for callers, in a sentence.
    pub fn meaning(&self) -> String {
        match self {
            Isolation::Exchange => {
                "every exchange has a fresh instance, so the policy can keep nothing of one for another".into()
            }
            Isolation::Reused(Reuse {
                exchanges,
                age,
                memory_growth,
            }) => format!(
                "an instance serves one exchange after another, so what the policy keeps in its memory of one caller's exchange it can \
                 use or show in another's; it is retired after {exchanges} exchanges, {} s, a growth of {} KiB, or any fault",
                age.as_secs(),
                memory_growth >> 10
            ),
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isolation::Exchange => "exchange",
            Isolation::Reused(_) => "reused",
        })
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads `isolation`: a word, or `reused` with when an instance is retired. What isn't named keeps its default.
pub(super) fn read(field: &Field<'_>) -> Option<Isolation> {
    let standard = Reuse::default();
    if !matches!(field.node, Node::Map(_)) {
        let words = [
            ("exchange", Isolation::Exchange),
            ("reused", Isolation::Reused(standard)),
        ];
        return field.one_of(&words, &[]);
    }
    let reused = field.fields(&["reused"])?;
    let fields = reused.required("reused")?;
    let fields = fields.fields(&["exchanges", "age", "memory_growth"])?;
    let exchanges = match fields.get("exchanges") {
        Some(field) => field.integer(1..=1_000_000),
        None => Some(standard.exchanges.into()),
    };
    let age = match fields.get("age") {
        Some(field) => field.duration(SECOND..=HOUR),
        None => Some(standard.age),
    };
    let memory_growth = match fields.get("memory_growth") {
        Some(field) => field.size(64 << 10..=1 << 30),
        None => Some(standard.memory_growth),
    };
    Some(Isolation::Reused(Reuse {
        exchanges: u32::try_from(exchanges?).ok()?,
        age: age?,
        memory_growth: memory_growth?,
    }))
}
