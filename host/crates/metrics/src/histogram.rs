//! A histogram that is observed with two atomic additions.
//!
//! The library's own histogram takes a lock for each observation. Hooks are measured for each delta, so that lock would be
//! the busiest one in the process. The price of doing without it: a scrape that runs beside an observation may see the
//! observation's bucket and not yet its share of the sum. `count` is the sum of the buckets, so these two never differ.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::exemplar::Exemplar;
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds for a call into a policy: 1 us to 100 ms, in nanoseconds.
pub(super) const HOOK_BOUNDS: &[u64] = &[
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
];

/// Upper bounds for the gateway's own share of an exchange: 25 us to 1 s, in nanoseconds.
pub(super) const OVERHEAD_BOUNDS: &[u64] = &[
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
];

/// Upper bounds for waiting on an upstream: 5 ms to 120 s, in nanoseconds.
pub(super) const UPSTREAM_BOUNDS: &[u64] = &[
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
    60_000_000_000,
    120_000_000_000,
];

/// A distribution of durations over fixed buckets. Clones share their counts.
#[derive(Clone)]
pub struct Histogram {
    inner: Arc<Inner>,
}

struct Inner {
    /// Ascending, in nanoseconds; the last bucket has none.
    bounds: &'static [u64],
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Histogram {
    /// An empty histogram over `bounds`: ascending upper bounds in nanoseconds.
    pub fn new(bounds: &'static [u64]) -> Self {
        debug_assert!(bounds.is_sorted(), "bounds must ascend");
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        let sum = AtomicU64::new(0);
        Self {
            inner: Arc::new(Inner {
                bounds,
                buckets,
                sum,
            }),
        }
    }

    /// Counts one duration. Two atomic additions, no lock.
    #[inline]
    pub fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let inner = &*self.inner;
        let at = inner.bounds.partition_point(|bound| *bound < nanos);
        inner.buckets[at].fetch_add(1, Relaxed);
        inner.sum.fetch_add(nanos, Relaxed);
    }

    /// How many durations were counted.
    pub fn count(&self) -> u64 {
        self.inner.buckets.iter().map(|b| b.load(Relaxed)).sum()
    }

    /// Their sum in seconds.
    pub fn sum(&self) -> f64 {
        seconds(self.inner.sum.load(Relaxed))
    }

    fn is_untouched(&self) -> bool {
        self.count() == 0
    }
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count())
            .field("sum", &self.sum())
            .finish()
    }
}

impl TypedMetric for Histogram {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Histogram {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let inner = &*self.inner;
        // The library writes `f64::MAX` as `+Inf`.
        let bounds = inner.bounds.iter().map(|b| seconds(*b)).chain([f64::MAX]);
        let counts = inner.buckets.iter().map(|b| b.load(Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, n)| n).sum();
        let exemplars: Option<&HashMap<usize, Exemplar<NoLabelSet, f64>>> = None;
        encoder.encode_histogram(self.sum(), count, &buckets, exemplars)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }

    fn is_empty(&self) -> bool {
        self.is_untouched()
    }
}

/// Dividing gives the shortest decimal for a bound (`0.0025`), where multiplying by `1e-9` would not.
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(histogram: &Histogram) -> Vec<u64> {
        let buckets = histogram.inner.buckets.iter();
        buckets.map(|b| b.load(Relaxed)).collect()
    }

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let histogram = Histogram::new(&[10, 20]);
        for nanos in [0, 10, 11, 20, 21] {
            histogram.observe(Duration::from_nanos(nanos));
        }
        assert_eq!(counts(&histogram), [2, 2, 1]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.sum(), 62e-9);
    }

    #[test]
    fn a_duration_beyond_64_bits_of_nanoseconds_is_counted() {
        let histogram = Histogram::new(&[10]);
        histogram.observe(Duration::MAX);
        assert_eq!(counts(&histogram), [0, 1]);
    }

    #[test]
    fn clones_and_threads_share_one_count() {
        let histogram = Histogram::new(HOOK_BOUNDS);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let histogram = histogram.clone();
                scope.spawn(move || {
                    for _ in 0..1000 {
                        histogram.observe(Duration::from_micros(3));
                    }
                });
            }
        });
        assert_eq!(histogram.count(), 4000);
        assert_eq!(counts(&histogram)[2], 4000);
    }
}
