//! Counts requests by endpoint and status. There is a counter for every possible status, so that counting needs no look-up.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::StatusCode;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::encode_count;
use super::labels::{Endpoint, Label};

/// `http` knows the statuses 100 to 999.
const STATUSES: usize = 900;

/// One counter for each endpoint and status.
#[derive(Clone)]
pub(super) struct Requests {
    counts: Arc<[AtomicU64]>,
}

impl Requests {
    pub(super) fn new() -> Self {
        let places = Endpoint::ALL.len() * STATUSES;
        Self {
            counts: (0..places).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    pub(super) fn add(&self, endpoint: Endpoint, status: StatusCode) {
        let at = endpoint.index() * STATUSES + usize::from(status.as_u16()) - 100;
        self.counts[at].fetch_add(1, Relaxed);
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").finish_non_exhaustive()
    }
}

impl Collector for Requests {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Requests answered, by endpoint and status.";
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor("requests", help, None, counter)?;
        for (endpoint, statuses) in Endpoint::ALL.iter().zip(self.counts.chunks(STATUSES)) {
            for (at, count) in statuses.iter().enumerate() {
                let count = count.load(Relaxed);
                if count > 0 {
                    let status = (at + 100).to_string();
                    let labels = [("endpoint", endpoint.as_str()), ("status", &status)];
                    encode_count(&mut family, &labels, count)?;
                }
            }
        }
        Ok(())
    }
}
