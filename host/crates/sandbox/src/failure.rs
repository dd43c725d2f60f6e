//! What can go wrong inside a policy, found by type and never by matching text.

use std::fmt;

use wasmtime::Trap;
use wasmtime::component::ResourceTableError;

/// The class of a failure: what metrics count and operators filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It ran or waited longer than its limit.
    Deadline,
    /// It wanted more memory than its limit.
    Memory,
    /// It stopped itself: a panic, `unreachable`, a division by zero.
    Trap,
    /// It recursed past its stack.
    Stack,
    /// What it handed back can't be used: too large, not UTF-8, out of bounds, held too long, a bad code.
    Output,
    /// It called the host in a way or at a time that the contract forbids.
    Misuse,
    /// The gateway could not run it: no fault of the policy's.
    Host,
    /// It wasn't called: its breaker is open.
    Breaker,
    /// It wasn't called: another chain has taken its chain's place, and the time to drain is over.
    Drained,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 9] = [
        Class::Deadline,
        Class::Memory,
        Class::Trap,
        Class::Stack,
        Class::Output,
        Class::Misuse,
        Class::Host,
        Class::Breaker,
        Class::Drained,
    ];

    /// Whether it is the policy's own doing.
    pub fn is_the_policys(self) -> bool {
        !matches!(self, Class::Host | Class::Breaker | Class::Drained)
    }

    /// The word in headers, metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Deadline => "deadline",
            Class::Memory => "memory",
            Class::Trap => "trap",
            Class::Stack => "stack",
            Class::Output => "output",
            Class::Misuse => "misuse",
            Class::Host => "host",
            Class::Breaker => "breaker",
            Class::Drained => "drained",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One failure of a stage.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{class}: {message}")]
pub struct Failure {
    /// What kind it is.
    pub class: Class,
    /// What happened, for the operator. Never text of the exchange.
    pub message: String,
}

impl Failure {
    /// A failure of that class.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Failure {
            class,
            message: message.into(),
        }
    }
}

/// Raised by the epoch callback: the guest used up its running time.
#[derive(Debug, thiserror::Error)]
#[error("ran for longer than its limit of {limit_ms} ms")]
pub(super) struct OverBudget {
    pub(super) limit_ms: u64,
}

/// Raised by the limiter: the guest's memories together would pass the limit.
#[derive(Debug, thiserror::Error)]
#[error("wanted {wanted} bytes of memory, over its limit of {limit}")]
pub(super) struct OverMemory {
    pub(super) wanted: usize,
    pub(super) limit: usize,
}

/// Raised by the limiter: a table would get too long.
#[derive(Debug, thiserror::Error)]
#[error("wanted a table of {wanted} elements, and no table may have more than {limit}")]
pub(super) struct OverTable {
    pub(super) wanted: usize,
    pub(super) limit: usize,
}

/// Raised by a host function that was called in a way the contract forbids.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misused(pub(super) String);

/// Raised by a host function for a value that no policy may hand over.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BadOutput(pub(super) String);

impl From<wasmtime::Error> for Failure {
    /// Classifies by downcasting along the error's chain. What is neither ours nor a trap came from lifting a value that the
    /// guest handed over.
    fn from(error: wasmtime::Error) -> Self {
        let class = if error.is::<OverBudget>() {
            Class::Deadline
        } else if error.is::<OverMemory>()
            || error.is::<OverTable>()
            || error.is::<ResourceTableError>()
        {
            Class::Memory
        } else if error.is::<Misused>() {
            Class::Misuse
        } else if error.is::<BadOutput>() {
            Class::Output
        } else if error.is::<wasmtime_wasi::I32Exit>() {
            Class::Trap
        } else if error.is::<wasmtime::PoolConcurrencyLimitError>() {
            Class::Host
        } else {
            match error.downcast_ref::<Trap>() {
                Some(Trap::StackOverflow) => Class::Stack,
                Some(Trap::Interrupt) => Class::Deadline,
                Some(Trap::CannotEnterComponent | Trap::CannotLeaveComponent) => Class::Misuse,
                Some(_) => Class::Trap,
                None => Class::Output,
            }
        };
        // The root cause is the sentence; what stands above it is a backtrace.
        Failure::new(class, error.root_cause().to_string())
    }
}
