//! Asks targets for their models now and then, where their configuration wants that: so that one that fails is known before a request
//! meets it, and one that is back isn't waited for longer than needed.
//!
//! A list of models is no answer: it costs no tokens, and says nothing of whether there is room for a request. So a check that fails counts as a failed
//! request does, and one that goes well lets the next request through as a probe, which is what closes a breaker. Without the setting
//! there is no task, and so no wake-up.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Targets;
use super::keys::Need;
use super::target::Target;
use crate::api::Charge;
use crate::config::HealthCheckConfig;

/// The most that is read of one list, in bytes.
const LARGEST: usize = 4 << 20;

/// The checks that go on, until it is dropped.
#[derive(Debug, Default)]
pub(super) struct HealthChecks(Mutex<JoinSet<()>>);

impl Targets {
    /// Begins to check those whose configuration wants it.
    pub fn begin_checks(&self) {
        let mut tasks = self.checks.0.lock();
        tasks.abort_all();
        for target in self.iter() {
            if let Some(config) = target.health_check() {
                tasks.spawn(keep_checking(Arc::clone(target), config));
            }
        }
    }

    /// Ends the checks: these targets aren't those that new requests go to.
    pub fn end_checks(&self) {
        self.checks.0.lock().abort_all();
    }
}

pub(super) async fn keep_checking(target: Arc<Target>, config: HealthCheckConfig) {
    // Gateways that start together don't ask together.
    sleep(config.every.mul_f64(fastrand::f64())).await;
    loop {
        check(&target, config.timeout).await;
        sleep(config.every).await;
    }
}

/// Asks once, with a key that is ready; where none is, nothing is asked.
pub(super) async fn check(target: &Target, within: Duration) {
    let Ok((_, key)) = target.keys().pick(Need::default(), &[]) else {
        return;
    };
    let asked = async {
        match target.models_with(key).await {
            // Whatever it says, it is there. The body is read so that the connection is kept.
            Ok(answer) => match answer.whole(LARGEST, within, &mut Charge::unbound()).await {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            Err(failure) if failure.blames_target() == Some(true) => Err(failure.to_string()),
            Err(_) => Ok(()),
        }
    };
    let result = timeout(within, asked).await;
    let result =
        result.unwrap_or_else(|_| Err(format!("it didn't list its models within {within:?}")));
    target.health().checked(result);
}
