//! Times: as an operator writes them, and as they are shown.

use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

/// A time as written: an instant, or an age. Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    At(i64),
    Ago(i64),
}

impl When {
    pub(super) fn parse(text: &str) -> Result<When, String> {
        if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
            return Ok(When::At(ms(time)));
        }
        if let Ok(date) = Date::parse(text, format_description!("[year]-[month]-[day]")) {
            return Ok(When::At(ms(date.midnight().assume_utc())));
        }
        age(text).map(When::Ago).ok_or_else(|| {
            "a time is RFC 3339 (2026-01-31T12:00:00Z), a date (2026-01-31), \
             or an age: 90s, 30m, 24h, 7d, 2w"
                .to_owned()
        })
    }

    /// The instant, in milliseconds since 1970.
    pub(super) fn before(self, now: i64) -> i64 {
        match self {
            When::At(instant) => instant,
            When::Ago(age) => now.saturating_sub(age),
        }
    }
}

/// `24h` and `-24h` mean the same: so long ago.
fn age(text: &str) -> Option<i64> {
    let text = text.strip_prefix('-').unwrap_or(text);
    let unit = match text.as_bytes().last()? {
        b's' => 1_000,
        b'm' => 60_000,
        b'h' => 3_600_000,
        b'd' => 86_400_000,
        b'w' => 604_800_000,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    i64::from(number).checked_mul(unit)
}

fn ms(time: OffsetDateTime) -> i64 {
    // The years that RFC 3339 can write fit with room to spare.
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Milliseconds since 1970 as RFC 3339, in UTC; a number that is no such time as that number.
pub(super) fn rfc3339(at: i64) -> String {
    let form =
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .ok()
        .and_then(|time| time.format(form).ok())
        .unwrap_or_else(|| at.to_string())
}

pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_instants_dates_and_ages() {
        for (text, when) in [
            ("1970-01-01T00:00:01Z", When::At(1_000)),
            ("1970-01-01T01:00:00.5+01:00", When::At(500)),
            ("1970-01-02", When::At(86_400_000)),
            ("-1h", When::Ago(3_600_000)),
            ("24h", When::Ago(86_400_000)),
            ("7d", When::Ago(604_800_000)),
            ("90s", When::Ago(90_000)),
        ] {
            assert_eq!(When::parse(text), Ok(when), "{text}");
        }
        for text in [
            "",
            "h",
            "-",
            "1",
            "1y",
            "--1h",
            "é",
            "yesterday",
            "99999999999d",
        ] {
            assert!(When::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_shown_as_its_number() {
        assert_eq!(rfc3339(1_500), "1970-01-01T00:00:01.500Z");
        assert_eq!(rfc3339(i64::MAX), i64::MAX.to_string());
    }
}
