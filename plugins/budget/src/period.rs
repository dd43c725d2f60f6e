//! From when to when a budget lasts: days, weeks from Monday, months of the calendar, all in UTC.

use serde::Deserialize;

const DAY: u64 = 86_400;
/// The longest window of a sum, in days.
const LONGEST: u64 = 366;

/// How long.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Per {
    Day,
    Week,
    Month,
}

/// One such time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Period {
    /// The day that it begins on: `2026-11-01`.
    pub(crate) begins: String,
    /// When it is over, in seconds since 1970.
    pub(crate) ends: u64,
    /// A window in seconds, as sums have them, that all of it lies in. Its sum is told from others by `begins`, in the key.
    pub(crate) window: u32,
}

impl Per {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Per::Day => "day",
            Per::Week => "week",
            Per::Month => "month",
        }
    }

    /// The one that a moment lies in, in milliseconds since 1970.
    pub(crate) fn at(self, millis: u64) -> Period {
        let today = millis / 1000 / DAY;
        let (first, days) = match self {
            Per::Day => (today, 1),
            // 1970-01-01 was a Thursday, three days after a Monday.
            Per::Week => (today.saturating_sub((today + 3) % 7), 7),
            Per::Month => {
                let (year, month, day) = civil(today);
                (today + 1 - day, length(year, month))
            }
        };
        Period {
            begins: date(first),
            ends: (first + days) * DAY,
            window: window(first, days),
        }
    }
}

/// The shortest window, in seconds, in which all of these days lie: windows are aligned to 1970, and calendars aren't.
fn window(first: u64, days: u64) -> u32 {
    let holds = |length: &u64| first / length == (first + days - 1) / length;
    let length = (days..=LONGEST).find(holds).unwrap_or(LONGEST);
    u32::try_from(length * DAY).unwrap_or(u32::MAX)
}

/// The day of that second, as people write it.
pub(crate) fn day(seconds: u64) -> String {
    date(seconds / DAY)
}

fn date(day: u64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days of a month.
fn length(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// Year, month and day of a day counted from 1970-01-01.
///
/// Years are taken to begin in March, so that a leap day is a year's last, and 400 of them are an era of always the same
/// length. 719,468 days lie between 0000-03-01 and 1970-01-01.
fn civil(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let (era, day) = (days / ERA, days % ERA);
    let year = (day - day / 1_460 + day / 36_524 - day / (ERA - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_is_told_from_every_other_and_lies_in_one_window() {
        for per in [Per::Day, Per::Week, Per::Month] {
            let mut last: Option<Period> = None;
            // From 2020 on, for forty years.
            for day in 18_262..18_262 + 40 * 365 {
                let period = per.at(day * DAY * 1000 + 1);
                let begins = day_of(&period);
                let window = u64::from(period.window);
                assert!(begins <= day && day * DAY < period.ends, "{period:?}");
                assert_eq!(
                    begins * DAY / window,
                    (period.ends - 1) / window,
                    "{period:?}"
                );
                if let Some(last) = last {
                    assert!(last == period || last.ends == begins * DAY, "{period:?}");
                }
                last = Some(period);
            }
        }
    }

    fn day_of(period: &Period) -> u64 {
        let days = (0..period.ends / DAY).rev();
        let mut same = days.skip_while(|day| date(*day) != period.begins);
        same.next().unwrap_or_default()
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_their_first() {
        // 2026-11-28 is a Saturday.
        let at = 1_795_824_000_000;
        let named = |per: Per| {
            let period = per.at(at);
            (period.begins.clone(), day(period.ends))
        };
        assert_eq!(named(Per::Day), ("2026-11-28".into(), "2026-11-29".into()));
        assert_eq!(named(Per::Week), ("2026-11-23".into(), "2026-11-30".into()));
        assert_eq!(
            named(Per::Month),
            ("2026-11-01".into(), "2026-12-01".into())
        );
        assert_eq!(Per::Month.at(0).begins, "1970-01-01");
        assert_eq!(Per::Week.at(0).begins, "1970-01-01");
    }
}
