//! Counters whose names policies choose: bounded, so that a policy that makes names up costs a bounded number of series.

use std::collections::BTreeMap;

use parking_lot::Mutex;

/// Names that are told apart, of one stage.
const NAMES: usize = 64;

/// What is counted under further names.
const OTHERS: &str = "other";

/// Counters by name.
#[derive(Debug, Default)]
pub(super) struct Named(Mutex<BTreeMap<Box<str>, u64>>);

impl Named {
    /// Adds to the counter of that name.
    pub(super) fn add(&self, name: &str, count: u64) {
        let mut counts = self.0.lock();
        if let Some(known) = counts.get_mut(name) {
            *known = known.saturating_add(count);
            return;
        }
        // The place of the others isn't among those that are bounded.
        let others = usize::from(counts.contains_key(OTHERS));
        let name = if counts.len() - others < NAMES {
            name
        } else {
            OTHERS
        };
        let known = counts.entry(name.into()).or_default();
        *known = known.saturating_add(count);
    }

    /// Every counter, by name.
    pub(super) fn all(&self) -> Vec<(Box<str>, u64)> {
        let counts = self.0.lock();
        let counts = counts.iter();
        counts.map(|(name, count)| (name.clone(), *count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_past_the_sixty_fourth_are_counted_together() {
        let named = Named::default();
        for number in 0..100 {
            named.add(&format!("name-{number}"), 2);
        }
        named.add("name-3", u64::MAX);
        named.add("name-99", 1);
        let all = named.all();
        assert_eq!(all.len(), NAMES + 1);
        let of = |wanted: &str| all.iter().find(|(name, _)| **name == *wanted);
        assert_eq!(of("other").map(|(_, count)| *count), Some(2 * 36 + 1));
        assert_eq!(of("name-3").map(|(_, count)| *count), Some(u64::MAX));
    }
}
