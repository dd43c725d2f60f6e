//! What an answer's head says of the limits of the key that it was sent with.
//!
//! Headers as Cerebras and OpenAI have them: `x-ratelimit-remaining-tokens-minute` and its like, with `limit` and `reset` in place of
//! `remaining`. A reset is a number of seconds; of one in another form only the window's name, if it has one, tells how long it lasts.

use std::time::Duration;

use http::HeaderMap;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::retry::seconds;

const REMAINING: &str = "x-ratelimit-remaining-";

/// What an answer's head says of the limits.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Limits {
    /// Nothing that is understood.
    Unknown,
    /// Something is left of each that it names.
    Left,
    /// How long it takes until the last of those that are used up is one no more.
    UsedUp(Duration),
}

pub(super) fn used_up(headers: &HeaderMap) -> Limits {
    let mut limits = Limits::Unknown;
    for (limit, left) in remaining(headers) {
        if left >= 1.0 {
            if matches!(limits, Limits::Unknown) {
                limits = Limits::Left;
            }
            continue;
        }
        if let Some(reset) = reset(headers, limit) {
            limits = Limits::UsedUp(match limits {
                Limits::UsedUp(longest) => longest.max(reset),
                _ => reset,
            });
        }
    }
    limits
}

/// How many tokens may still be sent, for each limit of tokens.
#[derive(Debug, Default)]
pub(super) struct Room(SmallVec<[(u64, Instant); 3]>);

impl Room {
    /// As an answer's head tells it.
    pub(super) fn of(headers: &HeaderMap) -> Room {
        let now = Instant::now();
        let limits = remaining(headers).filter_map(|(limit, left)| {
            let window = limit.strip_prefix("tokens")?;
            let until = now + reset(headers, limit).or_else(|| length(window))?;
            Some((left.max(0.0) as u64, until))
        });
        Room(limits.collect())
    }

    /// Whether nothing is known.
    pub(super) fn is_unknown(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether so many tokens fit, by what is known of limits that haven't begun anew since.
    pub(super) fn has(&self, tokens: u64, now: Instant) -> bool {
        let mut limits = self.0.iter();
        limits.all(|(left, until)| *left >= tokens || *until <= now)
    }

    /// So many are on their way. The next answer tells what they took.
    pub(super) fn take(&mut self, tokens: u64) {
        for (left, _) in &mut self.0 {
            *left = left.saturating_sub(tokens);
        }
    }
}

/// Each limit's name, and what is left of it.
fn remaining(headers: &HeaderMap) -> impl Iterator<Item = (&str, f64)> {
    headers.iter().filter_map(|(name, value)| {
        let limit = name.as_str().strip_prefix(REMAINING)?;
        let left: f64 = value.to_str().ok()?.trim().parse().ok()?;
        Some((limit, left))
    })
}

fn reset(headers: &HeaderMap, limit: &str) -> Option<Duration> {
    let reset = headers.get(format!("x-ratelimit-reset-{limit}"))?;
    seconds(reset.to_str().ok()?)
}

/// How long a window lasts, by its name.
fn length(window: &str) -> Option<Duration> {
    let seconds = match window {
        "-minute" => 60,
        "-hour" => 3600,
        "-day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use tokio::time::advance;

    use super::*;

    fn room(pairs: &[(&'static str, &'static str)]) -> Room {
        let pairs = pairs.iter().map(|(name, value)| {
            let name: http::HeaderName = format!("x-ratelimit-{name}").parse().unwrap();
            (name, http::HeaderValue::from_static(value))
        });
        Room::of(&pairs.collect())
    }

    fn has(room: &Room, tokens: u64) -> bool {
        room.has(tokens, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_asked_must_fit_every_limit_of_tokens() {
        let room = room(&[
            ("remaining-tokens-minute", "30000"),
            ("reset-tokens-minute", "12.5"),
            ("remaining-tokens-hour", "900"),
            ("reset-tokens-hour", "60"),
            ("remaining-tokens-day", "5000"),
            // Of another kind.
            ("remaining-requests-minute", "1"),
        ]);
        assert!(has(&room, 900) && !has(&room, 901));
        advance(Duration::from_secs(60)).await;
        assert!(has(&room, 5000) && !has(&room, 5001));
        // Nothing was said of the day's end, so it is a day away.
        advance(Duration::from_secs(86_339)).await;
        assert!(!has(&room, 5001));
        advance(Duration::from_secs(1)).await;
        assert!(has(&room, u64::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_on_its_way_is_not_there_twice() {
        let mut room = room(&[("remaining-tokens-minute", "1000")]);
        room.take(600);
        assert!(has(&room, 400) && !has(&room, 401));
        room.take(600);
        assert!(has(&room, 0) && !has(&room, 1));
    }

    #[test]
    fn what_is_not_understood_says_nothing() {
        for pairs in [
            &[][..],
            &[("remaining-tokens", "5"), ("reset-tokens", "6m0s")],
            &[("remaining-tokens-minute", "many")],
            &[("remaining-requests-minute", "0")],
            &[("limit-tokens-minute", "0")],
        ] {
            assert!(room(pairs).is_unknown(), "{pairs:?}");
        }
        assert!(!room(&[("remaining-tokens", "5"), ("reset-tokens", "6")]).is_unknown());
    }
}
