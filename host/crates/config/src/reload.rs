//! `reload`: how one chain gives way to the next.

use super::fields::Fields;
use std::time::Duration;

/// How a new chain takes the place of one that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// How long exchanges of the chain before may go on with their stages; then these take their `on_error`.
    pub drain: Duration,
    /// How long a new chain is on probation: if a stage fails too often in that time, the chain before comes back. `None`:
    /// it isn't.
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

/// Reads `reload` out of the document; what isn't named keeps its default.
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
