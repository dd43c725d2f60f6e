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

    /// With what the guest logged last as an error, where it stopped itself: it says why there, and its author reads that where the failure is told.
    /// These are the guest's words.
    #[must_use]
    pub fn with_last_words(mut self, words: Option<String>) -> Self {
        if let (Class::Trap, Some(words)) = (self.class, words) {
            self.message = format!("{words} ({})", self.message);
        }
        self
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::path::{Path, PathBuf};

    use super::*;

    const PAGE: &str = "../../../docs/authors/why-did-it-fail.md";

    fn page() -> String {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap()
    }

    #[test]
    fn the_authors_page_has_every_class() {
        let page = page();
        let headings = page.lines().filter_map(|line| line.strip_prefix("## "));
        let told: Vec<&str> = headings.take_while(|it| *it != "Before it runs").collect();
        assert_eq!(told, Class::ALL.map(Class::as_str));
    }

    /// Each sentence that the page quotes is one of the sources', but for what differs in it.
    #[test]
    fn the_authors_page_quotes_the_sentences_that_are_logged() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut sources = String::new();
        for folder in [
            "host/crates/sandbox/src",
            "host/crates/wire/src",
            "host/src/exchange",
        ] {
            read(root.join(folder), &mut sources);
        }
        let page = page();
        let quoted: Vec<&str> = page
            .lines()
            .filter_map(|it| it.strip_prefix("> "))
            .collect();
        assert!(quoted.len() > 20, "{quoted:?}");
        for sentence in quoted {
            for part in sentence.split('…') {
                // A string that is formatted has braces twice.
                let doubled = part.replace('{', "{{").replace('}', "}}");
                let is_there = sources.contains(part) || sources.contains(&doubled);
                assert!(is_there, "no source says {part:?} of {sentence:?}");
            }
        }
    }

    fn read(folder: PathBuf, sources: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(path, sources);
            } else if path.extension().is_some_and(|it| it == "rs") {
                sources.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
}
