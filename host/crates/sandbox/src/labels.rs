//! How what a policy does is counted: from the contract's words to the labels of metrics. Nowhere else are they matched up.

use super::failure::Class;
use super::types::{Edit, Verdict};
use witgate_metrics::{EditKind, FailureClass, VerdictKind};

impl From<&Verdict> for VerdictKind {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Proceed => VerdictKind::Proceed,
            Verdict::Deny(_) => VerdictKind::Deny,
            Verdict::Respond(_) => VerdictKind::Respond,
        }
    }
}

impl From<&Edit> for EditKind {
    #[inline]
    fn from(edit: &Edit) -> Self {
        match edit {
            Edit::Forward | Edit::HoldLast(0) => EditKind::Forward,
            Edit::Hold | Edit::HoldLast(_) => EditKind::Hold,
            Edit::Replace(_) | Edit::ReplaceAndHoldLast(_) => EditKind::Replace,
            Edit::Deny(_) => EditKind::Deny,
            Edit::Finish(_) => EditKind::Finish,
        }
    }
}

impl From<Class> for FailureClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Deadline => FailureClass::Deadline,
            Class::Memory => FailureClass::Memory,
            Class::Trap => FailureClass::Trap,
            Class::Stack => FailureClass::Stack,
            Class::Output => FailureClass::Output,
            Class::Misuse => FailureClass::Misuse,
            Class::Host => FailureClass::Host,
            Class::Breaker => FailureClass::Breaker,
            Class::Drained => FailureClass::Drained,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_the_same_word_in_metrics_and_in_headers() {
        for class in Class::ALL {
            assert_eq!(FailureClass::from(class).as_str(), class.as_str());
        }
    }
}
