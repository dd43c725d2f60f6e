//! Metrics of things that come and go, each with an id: stages and targets.
//!
//! The chain and the targets own the handles, and the registry knows them weakly. So a stage that a reload kept goes on
//! counting, a removed stage leaves the metrics with its last exchange, and the number of series is bounded by the
//! configuration.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

/// Handles of `T` by id, as long as anyone holds them.
#[derive(Debug)]
pub(super) struct WeakHandles<T> {
    entries: Mutex<Vec<(Box<str>, Weak<T>)>>,
}

impl<T> Default for WeakHandles<T> {
    fn default() -> Self {
        Self {
            entries: Mutex::new(Vec::new()),
        }
    }
}

impl<T> WeakHandles<T> {
    /// The handle of this id, made if none is alive.
    pub(super) fn get(&self, id: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut entries = self.entries.lock();
        entries.retain(|(_, entry)| entry.strong_count() > 0);
        let found = entries.iter().find(|(name, _)| &**name == id);
        if let Some(alive) = found.and_then(|(_, entry)| entry.upgrade()) {
            return alive;
        }
        let new = Arc::new(make());
        // The last holder may have dropped its handle since `retain`. There must never be two entries of one id.
        entries.retain(|(name, _)| &**name != id);
        entries.push((id.into(), Arc::downgrade(&new)));
        new
    }

    /// Every living handle with its id, in the order they were made.
    pub(super) fn all(&self) -> Vec<(EscapedLabel, Arc<T>)> {
        let entries = self.entries.lock();
        let living = entries
            .iter()
            .filter_map(|(id, entry)| entry.upgrade().map(|alive| (EscapedLabel::new(id), alive)));
        living.collect()
    }
}

/// A label value, escaped, because the library writes the text as it is.
#[derive(Debug)]
pub(super) struct EscapedLabel(String);

impl EscapedLabel {
    fn new(value: &str) -> Self {
        let mut escaped = String::with_capacity(value.len());
        for char in value.chars() {
            match char {
                '\\' => escaped.push_str("\\\\"),
                '"' => escaped.push_str("\\\""),
                '\n' => escaped.push_str("\\n"),
                other => escaped.push(other),
            }
        }
        Self(escaped)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_handle_while_someone_holds_it() {
        let live = WeakHandles::default();
        let first = live.get("tone", || 1);
        let again = live.get("tone", || 2);
        assert!(Arc::ptr_eq(&first, &again));
    }

    #[test]
    fn a_handle_that_nobody_holds_is_gone() {
        let live = WeakHandles::default();
        let kept = live.get("pii", || 1);
        drop(live.get("tone", || 2));
        let ids: Vec<String> = live.all().into_iter().map(|(id, _)| id.0).collect();
        assert_eq!(ids, ["pii"]);
        assert_eq!(*live.get("tone", || 3), 3);
        assert_eq!(*kept, 1);
    }

    #[test]
    fn quotes_and_lines_in_an_id_are_escaped() {
        assert_eq!(EscapedLabel::new("a\"b\\c\nd").as_str(), "a\\\"b\\\\c\\nd");
    }
}
