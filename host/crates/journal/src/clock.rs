//! The clock by which retention removes entries. A wrong clock can do what no program may: have everything removed at once.
//!
//! What must stay true: retention reckons with a time that the journal knew before, or that has passed while it was open. A clock
//! that is further ahead than [`AHEAD`] of that is believed once it has been so for [`CONFIRMED`], by a clock that nobody sets.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// How far the system's clock may be ahead of what is known.
const AHEAD: i64 = 24 * 60 * 60 * 1000;

/// How long it must be so, while the journal is open, to be believed.
const CONFIRMED: Duration = Duration::from_secs(24 * 60 * 60);

/// What is known of the time.
#[derive(Debug)]
pub(super) struct Clock {
    /// A time that is trusted, in milliseconds since 1970, and when that was, by the clock that only goes forward.
    known: (i64, Instant),
    /// Since when the system's clock has been too far ahead, and by how much it was ahead of `known` at first.
    suspect: Option<(Instant, i64)>,
}

/// What retention is to reckon with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Time {
    /// What the clock says.
    Trusted(i64),
    /// The clock is so many milliseconds ahead of what is known: nothing is removed by it.
    Ahead {
        /// How far.
        by: i64,
        /// Whether that is new.
        new: bool,
    },
}

impl Clock {
    /// `known`: a time that has been, where one is known.
    pub(super) fn new(known: Option<i64>, wall: i64, now: Instant) -> Clock {
        Clock {
            known: (known.unwrap_or(wall), now),
            suspect: None,
        }
    }

    /// What the system's clock is worth, if it says `wall`.
    pub(super) fn judge(&mut self, wall: i64, now: Instant) -> Time {
        let (known, since) = self.known;
        let by = wall.saturating_sub(known.saturating_add(millis(now - since)));
        if by <= AHEAD {
            self.suspect = None;
            return Time::Trusted(wall);
        }
        match self.suspect {
            Some((began, at_first)) if by.abs_diff(at_first) <= AHEAD.unsigned_abs() => {
                if now - began >= CONFIRMED {
                    *self = Clock::new(Some(wall), wall, now);
                    return Time::Trusted(wall);
                }
                Time::Ahead { by, new: false }
            }
            _ => {
                self.suspect = Some((now, by));
                Time::Ahead { by, new: true }
            }
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970, by the system's clock.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    millis(since)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);
    const HOUR_MS: i64 = 60 * 60 * 1000;
    const DAY: i64 = 24 * HOUR_MS;

    #[test]
    fn time_that_passes_is_trusted() {
        let start = Instant::now();
        let mut clock = Clock::new(Some(0), 0, start);
        for hours in 0..100 {
            let now = start + HOUR * hours;
            let wall = i64::from(hours) * HOUR_MS;
            assert_eq!(clock.judge(wall, now), Time::Trusted(wall));
        }
    }

    #[test]
    fn a_clock_that_jumps_is_believed_after_a_day_and_not_before() {
        let start = Instant::now();
        let mut clock = Clock::new(Some(0), 0, start);
        let jump = 365 * DAY;
        let ahead = |new| Time::Ahead { by: jump, new };
        assert_eq!(clock.judge(jump, start), ahead(true));
        for hours in 1..24 {
            let wall = jump + i64::from(hours) * HOUR_MS;
            assert_eq!(clock.judge(wall, start + HOUR * hours), ahead(false));
        }
        let wall = jump + DAY;
        assert_eq!(clock.judge(wall, start + HOUR * 24), Time::Trusted(wall));
    }

    #[test]
    fn a_clock_that_jumps_again_is_waited_for_anew() {
        let start = Instant::now();
        let mut clock = Clock::new(Some(0), 0, start);
        clock.judge(10 * DAY, start);
        let again = clock.judge(20 * DAY, start + HOUR * 24);
        assert_eq!(
            again,
            Time::Ahead {
                by: 19 * DAY,
                new: true
            }
        );
        // Set right again, it is trusted at once.
        assert_eq!(clock.judge(DAY, start + HOUR * 25), Time::Trusted(DAY));
    }

    #[test]
    fn many_small_jumps_are_one_large_one() {
        let start = Instant::now();
        let mut clock = Clock::new(Some(0), 0, start);
        assert_eq!(clock.judge(DAY, start), Time::Trusted(DAY));
        let later = clock.judge(2 * DAY, start);
        assert_eq!(
            later,
            Time::Ahead {
                by: 2 * DAY,
                new: true
            }
        );
    }
}
