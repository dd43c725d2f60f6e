//! Days and times of day, as the clocks of a time zone show them. A sandbox has no table of zones, so the component brings the IANA's along,
//! summer time and all.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use serde::Deserialize;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MINUTES_OF_DAY: i64 = 24 * 60;

/// As the operator writes them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HoursSettings {
    /// `mon`, or `mon-fri`; every day unless said.
    #[serde(default)]
    days: Vec<String>,
    /// Such as `08:00`.
    from: String,
    /// Such as `18:00`; before `from`, it is on the next day.
    to: String,
    /// `UTC`, `Z`, an offset such as `+02:00`, or a name of the IANA's such as `Europe/Berlin`.
    zone: Option<String>,
}

/// A span of the day, on some days.
#[derive(Clone, Debug)]
pub(crate) struct Hours {
    days: [bool; 7],
    from: i64,
    to: i64,
    zone: TimeZone,
}

impl HoursSettings {
    pub(crate) fn read(&self) -> Result<Hours, String> {
        let mut days = [self.days.is_empty(); 7];
        for written in &self.days {
            let (first, last) = written.split_once('-').unwrap_or((written, written));
            let day = |name: &str| {
                let at = DAYS.iter().position(|day| *day == name);
                at.ok_or_else(|| format!("`{written}` are no days; write `mon`, or `mon-fri`"))
            };
            let (first, last) = (day(first)?, day(last)?);
            let mut at = first;
            loop {
                days[at] = true;
                if at == last {
                    break;
                }
                at = (at + 1) % 7;
            }
        }
        let (from, to) = (time(&self.from)?, time(&self.to)?);
        if from == to {
            return Err(format!(
                "from `{}` to `{}` is no time at all; leave `hours` out for the whole day",
                self.from, self.to
            ));
        }
        let zone = zone(self.zone.as_deref().unwrap_or("UTC"))?;
        Ok(Hours {
            days,
            from,
            to,
            zone,
        })
    }
}

impl Hours {
    /// Whether that time, in milliseconds since 1970, is among them. What reaches into the next day belongs to the day that it began on.
    /// An hour that clocks show twice is among them twice, and one that they leave out never comes.
    pub(crate) fn have(&self, millis: u64) -> bool {
        let millis = i64::try_from(millis).unwrap_or(i64::MAX);
        let at = Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX);
        let local = (at.as_second() + i64::from(self.zone.to_offset(at).seconds())).div_euclid(60);
        let (day, time) = (
            local.div_euclid(MINUTES_OF_DAY),
            local.rem_euclid(MINUTES_OF_DAY),
        );
        // The first of January 1970 was a Thursday.
        let on = |day: i64| self.days[usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0)];
        if self.from < self.to {
            return on(day) && (self.from..self.to).contains(&time);
        }
        (on(day) && time >= self.from) || (on(day - 1) && time < self.to)
    }
}

/// `HH:MM` as minutes; `24:00` is the day's end.
fn time(text: &str) -> Result<i64, String> {
    minutes(text)
        .filter(|time| *time <= MINUTES_OF_DAY)
        .ok_or_else(|| format!("`{text}` is no time of day; write one such as `08:00`"))
}

fn zone(text: &str) -> Result<TimeZone, String> {
    let known = match text {
        "UTC" | "Z" => Some(TimeZone::UTC),
        _ if text.starts_with(['+', '-']) => offset(text).map(TimeZone::fixed),
        _ => TimeZoneDatabase::bundled().get(text).ok(),
    };
    known.ok_or_else(|| {
        format!(
            "`{text}` is no time zone; write `UTC`, an offset such as `+02:00`, or a name of the IANA's such as `Europe/Berlin`"
        )
    })
}

fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let ahead = minutes(rest).filter(|ahead| *ahead <= 14 * 60)? * 60;
    let ahead = if sign == "-" { -ahead } else { ahead };
    Offset::from_seconds(i32::try_from(ahead).ok()?).ok()
}

fn minutes(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes < 60).then_some(hours * 60 + minutes)
}
