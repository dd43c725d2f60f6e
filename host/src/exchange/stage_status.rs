//! Where a stage stands in an exchange.

use crate::policy::{Class, Failure};

/// Where a stage stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StageStatus {
    /// The exchange ended before it.
    Unreached,
    Proceeded,
    /// It wasn't asked of the request: there was nothing of its interest.
    Clear,
    Responded,
    Denied,
    /// It failed, and the exchange went on without it.
    Skipped(Class),
    /// It failed, and the exchange ended; in shadow, its own part in it.
    Failed(Class),
}

impl StageStatus {
    /// Whether the stage still has a say: it has neither decided nor failed.
    pub(super) fn judges(self) -> bool {
        use StageStatus::{Clear, Proceeded, Unreached};
        matches!(self, Unreached | Proceeded | Clear)
    }

    /// Whether the stage failed, so that it isn't called any more.
    pub(super) fn is_off(self) -> bool {
        matches!(self, StageStatus::Skipped(_) | StageStatus::Failed(_))
    }

    /// The class of the stage's failure.
    pub(super) fn class(self) -> Class {
        match self {
            StageStatus::Failed(class) | StageStatus::Skipped(class) => class,
            _ => Class::Host,
        }
    }

    /// As in `x-witgate-policies`.
    pub(super) fn verdict(self, edited: bool, shadow: bool) -> String {
        let verdict = match self {
            StageStatus::Unreached => return "unreached".into(),
            StageStatus::Proceeded | StageStatus::Clear if edited => "edit".into(),
            StageStatus::Clear => "clear".into(),
            StageStatus::Proceeded => "proceed".into(),
            StageStatus::Responded => "respond".into(),
            StageStatus::Denied => "deny".into(),
            StageStatus::Skipped(class) => format!("skip:{class}"),
            StageStatus::Failed(class) => format!("error:{class}"),
        };
        if shadow {
            format!("shadow:{verdict}")
        } else {
            verdict
        }
    }
}

/// The stage belongs to a chain whose time is over.
pub(super) fn drained() -> Failure {
    let what = "another chain has taken its place, and its time to drain is over";
    Failure::new(Class::Drained, what)
}
