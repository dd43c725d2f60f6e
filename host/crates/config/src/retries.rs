//! `providers.retries`: when a request that got no answer is sent again.

use std::time::Duration;

use super::fields::Fields;

/// When a request that got no answer is sent again. Never once a byte of an answer has reached the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RetriesConfig {
    /// How often each target is asked for one request, at most.
    pub attempts: u32,
    /// The longest time from the first question to the last.
    pub within: Duration,
    /// Retries for every hundred requests of the last ten seconds; beside a few that are always there.
    pub budget: u32,
}

impl Default for RetriesConfig {
    fn default() -> Self {
        RetriesConfig {
            attempts: 2,
            within: Duration::from_secs(10),
            budget: 20,
        }
    }
}

/// Reads `retries` out of `providers`.
pub(super) fn read(providers: &Fields<'_>) -> Option<RetriesConfig> {
    let standard = RetriesConfig::default();
    let Some(field) = providers.get("retries") else {
        return Some(standard);
    };
    let fields = field.fields(&["attempts", "within", "budget"])?;
    let attempts = match fields.get("attempts") {
        Some(field) => field.integer(1..=10),
        None => Some(standard.attempts.into()),
    };
    let within = match fields.get("within") {
        Some(field) => field.duration(Duration::from_millis(1)..=Duration::from_secs(600)),
        None => Some(standard.within),
    };
    let budget = match fields.get("budget") {
        Some(field) => field.integer(0..=100),
        None => Some(standard.budget.into()),
    };
    Some(RetriesConfig {
        attempts: u32::try_from(attempts?).ok()?,
        within: within?,
        budget: u32::try_from(budget?).ok()?,
    })
}
