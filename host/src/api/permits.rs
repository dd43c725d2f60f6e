//! The cap on exchanges that run at once.
//!
//! There is no queue behind it: a request beyond the cap is refused at once, so that the client or its balancer can
//! try elsewhere while the answer is still of use.

use std::sync::Arc;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::ApiError;

/// Hands out [`Permit`]s up to the cap. Clones share it.
#[derive(Clone, Debug)]
pub struct Permits {
    free: Arc<Semaphore>,
    cap: u32,
    running: Gauge,
    refused: Counter,
}

/// The right to run an exchange. Hold it until the exchange is over, which is after the answer's last byte: then its
/// drop makes room for the next, and shutdown waits for it.
#[derive(Debug)]
pub struct Permit {
    _slot: OwnedSemaphorePermit,
    running: Gauge,
}

impl Permits {
    /// Room for `cap` exchanges. `running` counts the permits that are out, `refused` the requests that got none.
    pub fn new(cap: u32, running: Gauge, refused: Counter) -> Self {
        // The semaphore's own maximum is far beyond what a machine runs; on 32 bits it is not beyond `u32`.
        let cap = cap.min(1 << 24);
        Self {
            free: Arc::new(Semaphore::new(cap as usize)),
            cap,
            running,
            refused,
        }
    }

    /// Takes a permit, or counts the refusal.
    ///
    /// # Errors
    ///
    /// All permits are out: a 503 of type `overloaded`.
    pub fn acquire(&self) -> Result<Permit, ApiError> {
        let Ok(slot) = Arc::clone(&self.free).try_acquire_owned() else {
            self.refused.inc();
            let message = "This gateway runs as many exchanges as it may. Try again in a second.";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let error = ApiError::new(status, "overloaded", "overloaded", message);
            return Err(error.retry_after(1));
        };
        let running = self.running.clone();
        running.inc();
        Ok(Permit {
            _slot: slot,
            running,
        })
    }

    /// How many permits are out.
    pub fn taken(&self) -> usize {
        (self.cap as usize).saturating_sub(self.free.available_permits())
    }

    /// Waits until all permits are back.
    pub async fn all_back(&self) {
        // Fails only on a closed semaphore, and this one is never closed.
        let _ = self.free.acquire_many(self.cap).await;
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.running.dec();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn past_the_cap_it_refuses_counts_and_recovers() {
        let (running, refused) = (Gauge::default(), Counter::default());
        let permits = Permits::new(1, running.clone(), refused.clone());
        let permit = permits.acquire().unwrap();
        assert_eq!(running.get(), 1);
        let refusal = permits.acquire().unwrap_err();
        assert_eq!(
            (refusal.status.as_u16(), refusal.retry_after),
            (503, Some(1))
        );
        assert_eq!(refused.get(), 1);
        drop(permit);
        assert_eq!((running.get(), permits.taken()), (0, 0));
        permits.acquire().unwrap();
    }
}
