//! One limit.

use std::fmt;

use metering::{Asked, Taken, Who};
use serde::Deserialize;
use witgate_policy::counters;
use witgate_policy::prelude::*;

use crate::RateLimit;

/// The longest window that there is, in seconds: 366 days.
pub(crate) const LONGEST: u32 = 366 * 24 * 60 * 60;

/// A billion: nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Requests,
    Tokens,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Requests => "requests",
            What::Tokens => "tokens",
        })
    }
}

/// How it is counted.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// From one full minute to the next: then all of it is there again.
    #[default]
    Window,
    /// A bucket that fills steadily, so much in the time that is named, up to the burst.
    Bucket,
}

/// A limit.
#[derive(Debug)]
pub(crate) struct Limit {
    /// Begins the keys of its sums.
    pub(crate) name: String,
    pub(crate) what: What,
    most: i64,
    seconds: u32,
    pub(crate) who: Who,
    pub(crate) kind: Kind,
    /// What a bucket holds.
    burst: i64,
}

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Room {
    /// So much more may be taken now.
    pub(crate) left: i64,
    /// Seconds until all of it is there again.
    pub(crate) full_in: u32,
}

/// Why a request may not go on.
enum Refused {
    /// Not before so many seconds have passed.
    For(u32),
    /// Never: it takes more than there ever is.
    Ever,
}

impl Limit {
    pub(crate) fn new(
        name: Option<String>,
        what: What,
        most: i64,
        seconds: u32,
        who: Who,
        kind: Kind,
        burst: i64,
    ) -> Result<Self, String> {
        let mut limit = Limit {
            name: String::new(),
            what,
            most,
            seconds,
            who,
            kind,
            burst,
        };
        limit.name = name.unwrap_or_else(|| limit.label());
        if kind == Kind::Bucket
            && i128::from(burst) * limit.period() / i128::from(most) > i128::from(i64::MAX / 4)
        {
            return Err(
                "`burst` is so large that the bucket would take centuries to fill; say less".into(),
            );
        }
        Ok(limit)
    }

    /// `requests-minute`.
    pub(crate) fn label(&self) -> String {
        format!("{}-{}", self.what, self.unit())
    }

    /// What it allows, as clients are told.
    pub(crate) fn shown(&self) -> i64 {
        self.most
    }

    fn unit(&self) -> String {
        match self.seconds {
            1 => "second".into(),
            60 => "minute".into(),
            3_600 => "hour".into(),
            86_400 => "day".into(),
            seconds => format!("{seconds}s"),
        }
    }

    /// The time in which a bucket gets so much as the limit says, in nanoseconds.
    fn period(&self) -> i128 {
        i128::from(self.seconds) * i128::from(NANOS)
    }

    /// What that many of it are in the sum. A bucket's sum is a time: that up to which it is used up, since its window's beginning.
    pub(crate) fn amount(&self, count: u64) -> i64 {
        match self.kind {
            Kind::Window => i64::try_from(count).unwrap_or(i64::MAX / 4),
            Kind::Bucket => {
                let most = i128::from(self.most);
                let nanos = (i128::from(count) * self.period() + most - 1) / most;
                i64::try_from(nanos).unwrap_or(i64::MAX).min(i64::MAX / 4)
            }
        }
    }

    /// The window's length, and what the sum may come to at this moment, in milliseconds since 1970.
    fn bounds(&self, at: u64) -> (u32, i64) {
        match self.kind {
            Kind::Window => (self.seconds, self.most),
            Kind::Bucket => (LONGEST, now(at).saturating_add(self.held())),
        }
    }

    /// What a full bucket holds, as a time.
    fn held(&self) -> i64 {
        self.amount(self.burst.unsigned_abs())
    }

    /// Takes so many. `None`: there is no room.
    fn take(
        &self,
        taken: &mut Taken,
        key: &str,
        count: u64,
        at: u64,
    ) -> Result<Option<Room>, String> {
        let (window, most) = self.bounds(at);
        if self.kind == Kind::Bucket {
            // A bucket that has been full for a while is full as of now. Between the two calls another one may do the same: then there
            // is nothing left to do, since `take` adds no more than up to now.
            let now = now(at);
            let sum = counters::add(key, 0, window)?;
            if sum < now {
                counters::take(key, now - sum, window, now)?;
            }
        }
        let sum = taken.take(key, window, self.amount(count), most)?;
        Ok(sum.map(|sum| self.room(sum, at)))
    }

    /// What a sum leaves.
    fn room(&self, sum: i64, at: u64) -> Room {
        match self.kind {
            Kind::Window => Room {
                left: (self.most - sum).max(0),
                full_in: self.left_of_window(at),
            },
            Kind::Bucket => {
                let (_, most) = self.bounds(at);
                // One that has been full for a while is told of as full.
                let room = (most - sum).clamp(0, self.held());
                let left = i128::from(room) * i128::from(self.most) / self.period();
                Room {
                    left: i64::try_from(left).unwrap_or(i64::MAX),
                    full_in: seconds(sum - now(at)),
                }
            }
        }
    }

    fn left_of_window(&self, at: u64) -> u32 {
        let length = u64::from(self.seconds) * 1000;
        let left = (length - at % length).div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// What is left of it now.
    pub(crate) fn look(&self, asked: &Asked, at: u64) -> Result<Room, String> {
        let (window, _) = self.bounds(at);
        let sum = counters::add(&self.who.key(&self.name, asked), 0, window)?;
        Ok(self.room(sum, at))
    }

    /// Why so many can't be taken, if they can't.
    fn refuses(&self, key: &str, count: u64, at: u64) -> Result<Option<Refused>, String> {
        let ever = match self.kind {
            Kind::Window => self.most,
            Kind::Bucket => self.burst,
        };
        if count > ever.unsigned_abs() {
            return Ok(Some(Refused::Ever));
        }
        let (window, most) = self.bounds(at);
        let sum = counters::add(key, 0, window)?;
        let over = sum.saturating_add(self.amount(count)).saturating_sub(most);
        Ok((over > 0).then(|| {
            Refused::For(match self.kind {
                Kind::Window => self.left_of_window(at),
                Kind::Bucket => seconds(over),
            })
        }))
    }

    /// What a client reads.
    fn sentence(&self, asked: &Asked) -> String {
        let length = match self.seconds {
            1 | 60 | 86_400 => format!("a {}", self.unit()),
            3_600 => "an hour".into(),
            seconds => format!("in {seconds} seconds"),
        };
        format!(
            "there are {} {} {length} for {}",
            self.most,
            self.what,
            self.who.named(asked)
        )
    }
}

/// Nanoseconds since the beginning of the longest window, in which buckets are kept.
fn now(at: u64) -> i64 {
    let since = at % (u64::from(LONGEST) * 1000);
    i64::try_from(since).unwrap_or(0) * (NANOS / 1000)
}

/// Begun seconds.
fn seconds(nanos: i64) -> u32 {
    let seconds = nanos.max(0).unsigned_abs().div_ceil(NANOS.unsigned_abs());
    u32::try_from(seconds).unwrap_or(u32::MAX)
}

impl RateLimit {
    fn count_of(&self, limit: &Limit) -> u64 {
        match limit.what {
            What::Requests => 1,
            What::Tokens => self.reserved.all(),
        }
    }

    /// Takes from each of these limits, and says what is left of them.
    pub(crate) fn take(
        &mut self,
        limits: &[&Limit],
        asked: &Asked,
        at: u64,
    ) -> Result<Vec<Room>, Denial> {
        let mut rooms = Vec::with_capacity(limits.len());
        for (turn, limit) in limits.iter().enumerate() {
            let key = limit.who.key(&limit.name, asked);
            let count = self.count_of(limit);
            match limit.take(&mut self.taken, &key, count, at) {
                Ok(Some(room)) => {
                    let place = self
                        .settings
                        .limits
                        .iter()
                        .position(|one| std::ptr::eq(one, *limit));
                    self.counted.push((limit.what, place.unwrap_or(0)));
                    rooms.push(room);
                }
                // This one has no room, and those behind it may have none for longer.
                Ok(None) => return Err(self.refusal(&limits[turn..], asked, at)),
                Err(why) => return Err(uncounted(&why)),
            }
        }
        Ok(rooms)
    }

    /// The denial by the limit that refuses for the longest of these.
    fn refusal(&self, limits: &[&Limit], asked: &Asked, at: u64) -> Denial {
        let mut longest: Option<(u32, &Limit)> = None;
        for limit in limits {
            let (key, count) = (limit.who.key(&limit.name, asked), self.count_of(limit));
            match limit.refuses(&key, count, at) {
                Ok(None) => {}
                Ok(Some(Refused::Ever)) => {
                    let why = format!(
                        "{}, and this request may take {count}; ask for less, by `max_completion_tokens`",
                        limit.sentence(asked)
                    );
                    return Denial::new("rate-limit.too-large", why).with_status(413);
                }
                Ok(Some(Refused::For(wait))) => {
                    if longest.is_none_or(|(most, _)| wait > most) {
                        longest = Some((wait, limit));
                    }
                }
                Err(why) => return uncounted(&why),
            }
        }
        // None refuses any more: something was given back in between.
        let (wait, limit) = longest.unwrap_or((1, limits[0]));
        let wait = wait.max(1);
        let why = format!("{}; try again in {wait} s", limit.sentence(asked));
        Denial::new("rate-limit.exceeded", why)
            .with_status(429)
            .retry_after(wait)
    }
}

/// Who guards something and can't count lets nothing through.
fn uncounted(why: &str) -> Denial {
    Denial::new(
        "rate-limit.unknown",
        format!("requests can't be counted now: {why}"),
    )
    .with_status(503)
    .retry_after(1)
}
