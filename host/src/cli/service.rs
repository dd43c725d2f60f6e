//! What a service manager is told: systemd's `sd_notify`, where `NOTIFY_SOCKET` says that somebody listens.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// The gateway serves, or serves again after [`reloading`].
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// It isn't ready yet because another process has the journal; it may take so long until it says so again.
pub(super) fn waiting(within: Duration) {
    let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Status("waiting for the journal of another process"),
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// A reload was asked for by a signal. [`ready`] follows when it is over, whatever came of it.
pub(super) fn reloading() {
    // Without the time, a `Type=notify-reload` unit takes this for a failure.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the service manager wasn't told of the reload"),
    }
}

/// The gateway stops, which takes so long at most.
pub(super) fn stopping(within: Duration) {
    let micros = u32::try_from(within.as_micros()).unwrap_or(u32::MAX);
    tell(&[
        NotifyState::Stopping,
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Says twice in its time that the runtime still runs tasks, if the service manager wants to hear that.
pub(super) async fn watchdog(stop: CancellationToken) {
    let Some(time) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut tick = tokio::time::interval(time / 2);
    let tells = async {
        loop {
            tick.tick().await;
            tell(&[NotifyState::Watchdog]);
        }
    };
    stop.run_until_cancelled(tells).await;
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, ?states, "the service manager can't be told");
    }
}
