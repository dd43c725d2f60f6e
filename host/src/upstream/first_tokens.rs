//! How long first tokens take at a target, for each model, streamed and whole: what is late there.
//!
//! The last so many times are kept as they are, since a percentile of them is exact, forgets by itself, and costs a copy of half a KiB
//! where it is asked for. An attempt that was given up is among them with the time that it had taken, if it was late already: without
//! that, what is late would be left out, and every time looked back on would be a short one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// How many times are kept of a kind.
const KEPT: usize = 128;
/// Fewer than this make no percentile.
const LEAST: usize = 20;
/// The most kinds of requests of which times are kept.
const MOST: usize = 256;

/// What takes alike: requests for a model whose answers come in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) model: Arc<str>,
    pub(super) stream: bool,
}

/// The times of one target.
#[derive(Default)]
pub(super) struct FirstTokens(Mutex<Vec<(Kind, Recent)>>);

struct Recent {
    /// In microseconds.
    times: [u32; KEPT],
    next: usize,
    seen: usize,
}

impl FirstTokens {
    /// A first token came after so long.
    pub(super) fn took(&self, kind: &Kind, time: Duration) {
        let mut kinds = self.0.lock();
        if let Some((_, recent)) = kinds.iter_mut().find(|(known, _)| known == kind) {
            recent.add(time);
        } else if kinds.len() < MOST {
            let mut recent = Recent::new();
            recent.add(time);
            kinds.push((kind.clone(), recent));
        }
    }

    /// None came within so long, and it was waited for no longer. Says something only where that is late already.
    pub(super) fn took_longer(&self, kind: &Kind, time: Duration, percentile: u32) {
        if self
            .percentile(kind, percentile)
            .is_some_and(|late| time >= late)
        {
            self.took(kind, time);
        }
    }

    /// So many of a hundred took no longer. `None`: too few are known.
    pub(super) fn percentile(&self, kind: &Kind, percentile: u32) -> Option<Duration> {
        let (mut times, seen) = {
            let kinds = self.0.lock();
            let (_, recent) = kinds.iter().find(|(known, _)| known == kind)?;
            (recent.times, recent.seen)
        };
        if seen < LEAST {
            return None;
        }
        let times = &mut times[..seen];
        let place = (seen * percentile as usize).div_ceil(100).clamp(1, seen) - 1;
        let (_, time, _) = times.select_nth_unstable(place);
        Some(Duration::from_micros((*time).into()))
    }
}

impl Recent {
    fn new() -> Recent {
        Recent {
            times: [0; KEPT],
            next: 0,
            seen: 0,
        }
    }

    fn add(&mut self, time: Duration) {
        self.times[self.next] = u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.next = (self.next + 1) % KEPT;
        self.seen = (self.seen + 1).min(KEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(model: &str, stream: bool) -> Kind {
        Kind {
            model: model.into(),
            stream,
        }
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_percentile_is_of_the_last_times_of_that_kind() {
        let (times, streamed) = (FirstTokens::default(), kind("m", true));
        for time in 1..LEAST as u64 {
            times.took(&streamed, ms(time));
            assert_eq!(times.percentile(&streamed, 95), None, "too few are known");
        }
        for time in LEAST as u64..=100 {
            times.took(&streamed, ms(time));
        }
        for (percentile, time) in [(50, 50), (95, 95), (99, 99)] {
            assert_eq!(times.percentile(&streamed, percentile), Some(ms(time)));
        }
        assert_eq!(times.percentile(&kind("m", false), 95), None);
        assert_eq!(times.percentile(&kind("n", true), 95), None);
        // What was before is forgotten.
        for _ in 0..KEPT {
            times.took(&streamed, ms(7));
        }
        assert_eq!(times.percentile(&streamed, 99), Some(ms(7)));
    }

    #[test]
    fn what_was_given_up_counts_only_where_it_was_late() {
        let (times, kind) = (FirstTokens::default(), kind("m", true));
        for _ in 0..LEAST {
            times.took(&kind, ms(10));
        }
        for _ in 0..LEAST {
            times.took_longer(&kind, ms(1), 95);
        }
        assert_eq!(times.percentile(&kind, 50), Some(ms(10)));
        for _ in 0..KEPT {
            times.took_longer(&kind, ms(40), 95);
        }
        assert_eq!(times.percentile(&kind, 50), Some(ms(40)));
    }
}
