//! `state`: where what policies keep from one exchange to the next is.

use super::fields::Fields;
use super::store;
use std::path::Path;

/// Where counters and values are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateConfig {
    /// `sqlite:` and an absolute path. `None` stands for `state.db` in the state directory.
    pub store: Option<String>,
}

impl StateConfig {
    /// The path in `store`.
    pub fn path(&self) -> Option<&Path> {
        self.store.as_deref().map(store::path)
    }
}

/// Reads `state` out of the document. Without it the default holds.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<StateConfig> {
    let Some(field) = document.get("state") else {
        return Some(StateConfig::default());
    };
    let fields = field.fields(&["store"])?;
    let store = match fields.get("store") {
        Some(field) => store::read(field, base, "state").map(Some),
        None => Some(None),
    };
    Some(StateConfig { store: store? })
}
