//! Requests of one user's message, as policies see them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use witgate::policy::{FixedRequest, RequestView};

pub(crate) fn small() -> Arc<dyn RequestView> {
    saying("hello")
}

pub(crate) fn saying(text: impl Into<String>) -> Arc<dyn RequestView> {
    Arc::new(FixedRequest::saying(text))
}

/// One whose segments the host has to work for that long for, in the thread's own time, and the count of how often they are read.
pub(crate) fn costing(cost: Duration) -> (Arc<dyn RequestView>, Arc<AtomicUsize>) {
    let reads = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&reads);
    let request = FixedRequest::saying("hello").on_read(move || {
        counted.fetch_add(1, Relaxed);
        work_for(cost);
    });
    (Arc::new(request), reads)
}

#[cfg(unix)]
fn work_for(cost: Duration) {
    let began = thread_time();
    while thread_time() - began < cost {}
}

/// How long this thread has run.
#[cfg(unix)]
pub(crate) fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

#[cfg(not(unix))]
fn work_for(_: Duration) {}

#[cfg(not(unix))]
pub(crate) fn thread_time() -> Duration {
    Duration::ZERO
}
