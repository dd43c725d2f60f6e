//! `health_check` of a target: whether it is asked for its models now and then.

use std::time::Duration;

use super::fields::Field;

/// How a target is looked after while nobody asks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HealthCheckConfig {
    /// How often it is asked for its models.
    pub every: Duration,
    /// How long it may take for them.
    pub timeout: Duration,
}

impl Default for HealthCheckConfig {
    fn default() -> Self {
        HealthCheckConfig {
            every: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
        }
    }
}

/// Reads a target's `health_check`.
pub(super) fn read(field: &Field<'_>) -> Option<HealthCheckConfig> {
    let standard = HealthCheckConfig::default();
    let fields = field.fields(&["every", "timeout"])?;
    let time = |key, default, least, most| match fields.get(key) {
        Some(field) => field.duration(least..=Duration::from_secs(most)),
        None => Some(default),
    };
    let every = time("every", standard.every, Duration::from_secs(1), 86_400);
    let timeout = time("timeout", standard.timeout, Duration::from_millis(1), 300);
    Some(HealthCheckConfig {
        every: every?,
        timeout: timeout?,
    })
}
