//! Requests by who asked: by principal, by team, by role. Such names come with the configuration and with tokens, so their number isn't this
//! process's to say: so many are told apart, and the others are counted together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use parking_lot::Mutex;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::encode_count;

/// Names that are told apart, where nobody said how many.
const USUAL: usize = 64;

/// What all others are counted under.
const OTHERS: &str = "other";

/// The classes of statuses: a caller's requests are looked at by these.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counters of each name, by class of status. Clones share them.
#[derive(Clone, Debug)]
pub struct Callers {
    /// What a name is of, which is the label: `team`.
    of: &'static str,
    metric: &'static str,
    help: &'static str,
    most: Arc<AtomicUsize>,
    counts: Arc<Mutex<BTreeMap<Box<str>, [u64; CLASSES.len()]>>>,
}

impl Callers {
    pub(super) fn new(of: &'static str, metric: &'static str, help: &'static str) -> Callers {
        Callers {
            of,
            metric,
            help,
            most: Arc::new(AtomicUsize::new(USUAL)),
            counts: Arc::default(),
        }
    }

    /// So many names are told apart from now on; 0: none is counted or shown. Names that were told apart before keep their counts.
    pub fn tell_apart(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// Counts a request. Once for each, and no more than a look-up under the lock.
    pub fn add(&self, name: &str, status: StatusCode) {
        let most = self.most.load(Ordering::Relaxed);
        if most == 0 {
            return;
        }
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let mut known = self.counts.lock();
        if let Some(counts) = known.get_mut(name) {
            counts[class] += 1;
            return;
        }
        // The place of the others isn't among those that are bounded.
        let others = usize::from(known.contains_key(OTHERS));
        let name = if known.len() - others < most {
            name
        } else {
            OTHERS
        };
        known.entry(name.into()).or_default()[class] += 1;
    }
}

/// The text as it stands between quotes. The encoder writes values as they are: all other labels are names of a few letters, and a principal or a
/// team is what a provider's user may be able to choose.
fn escaped(name: &str) -> String {
    let name = name.replace('\\', r"\\").replace('"', r#"\""#);
    name.replace('\n', r"\n")
}

impl Collector for Callers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if self.most.load(Ordering::Relaxed) == 0 {
            return Ok(());
        }
        let counter = MetricType::Counter;
        let mut family = encoder.encode_descriptor(self.metric, self.help, None, counter)?;
        let known = self.counts.lock().clone();
        for (name, counts) in &known {
            let name = escaped(name);
            for (class, count) in CLASSES.iter().zip(counts) {
                if *count > 0 {
                    let labels = [(self.of, &*name), ("status", class)];
                    encode_count(&mut family, &labels, *count)?;
                }
            }
        }
        Ok(())
    }
}
