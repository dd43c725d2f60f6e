//! `reload`: how a new chain replaces a running one.

use super::fields::Fields;
use std::time::Duration;

/// How a new chain replaces a running one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// How long exchanges of the previous chain may go on with their stages. Afterwards each of these stages counts as
    /// failed, and its `on_error` applies.
    pub drain: Duration,
    /// How long a new chain is on probation. If a stage fails too often in that time, the previous chain comes back. `None`
    /// if there is no probation.
    pub probation: Option<Duration>,
}

impl Default for ReloadConfig {
    fn default() -> Self {
        ReloadConfig {
            drain: Duration::from_secs(600),
            probation: None,
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Reads `reload` out of the document. A key that isn't there keeps its default.
pub(super) fn read(document: &Fields<'_>) -> Option<ReloadConfig> {
    let Some(field) = document.get("reload") else {
        return Some(ReloadConfig::default());
    };
    let fields = field.fields(&["drain", "probation"])?;
    let time = |key| match fields.get(key) {
        Some(field) => field.duration(SECOND..=24 * HOUR).map(Some),
        None => Some(None),
    };
    let (drain, probation) = (time("drain"), time("probation"));
    Some(ReloadConfig {
        drain: drain?.unwrap_or(ReloadConfig::default().drain),
        probation: probation?,
    })
}
