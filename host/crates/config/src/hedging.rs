//! `providers.hedging`: when a second target is asked although the first hasn't failed.

use std::time::Duration;

use super::fields::Fields;

/// When a request whose answer is late is sent once more, to be answered by whoever is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HedgingConfig {
    /// An answer is late that comes later than so many of a hundred did of late, at that target for that model.
    pub percentile: u32,
    /// No answer is late before this.
    pub floor: Duration,
}

impl Default for HedgingConfig {
    fn default() -> Self {
        HedgingConfig {
            percentile: 95,
            floor: Duration::from_millis(100),
        }
    }
}

/// Reads `hedging` out of `providers`. Without it nothing is sent twice.
pub(super) fn read(providers: &Fields<'_>) -> Option<Option<HedgingConfig>> {
    let Some(field) = providers.get("hedging") else {
        return Some(None);
    };
    let standard = HedgingConfig::default();
    let fields = field.fields(&["percentile", "floor"])?;
    let percentile = match fields.get("percentile") {
        Some(field) => field.integer(50..=99),
        None => Some(standard.percentile.into()),
    };
    let floor = match fields.get("floor") {
        Some(field) => field.duration(Duration::from_millis(1)..=Duration::from_secs(60)),
        None => Some(standard.floor),
    };
    Some(Some(HedgingConfig {
        percentile: u32::try_from(percentile?).ok()?,
        floor: floor?,
    }))
}
