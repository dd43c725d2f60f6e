//! The keys of a target: which one a request goes out with, and which ones rest.
//!
//! Limits are a key's, for each model. A key that has used one up rests for that model until the target said it would be served again; a key
//! that the target refuses rests for all, as long as there is another. So a request isn't sent to be refused, and another key of the target's serves meanwhile. What is
//! known of a key outlives the configuration: a reload forgets nothing of a key that is still there.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::retry::seconds;

/// The longest rest, however far away a target says that its limit ends: it may be mistaken.
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// How long a key rests that was refused for the first time; for each time after it, twice as long.
const REFUSED: Duration = Duration::from_secs(60);
/// The most models for which a key's rest is remembered.
const MOST_MODELS: usize = 256;

/// One key, and what is known of it.
pub(super) struct Key {
    /// What the configuration calls it. Never the key.
    name: Box<str>,
    authorization: Option<HeaderValue>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    /// Whether there is anything in `rests`. Read for every request.
    rests: AtomicBool,
    rest: Mutex<Rest>,
}

#[derive(Default)]
struct Rest {
    models: Vec<(Box<str>, Instant)>,
    /// Until when the key isn't tried, and how often it was refused without having served since.
    refused: Option<(Instant, u32)>,
}

/// The keys of one target. Never empty: a target that is sent no key has one that is none.
#[derive(Debug)]
pub(super) struct KeyPool {
    keys: SmallVec<[Arc<Key>; 1]>,
    weights: SmallVec<[u32; 1]>,
}

/// No key can be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    /// All have been tried for this request.
    Tried,
    /// All rest; the first one for so long.
    Resting(Duration),
}

impl KeyPool {
    /// Each key by what the configuration calls it, with its weight. What `earlier` knows of the same ones stays known.
    pub(super) fn new(
        keys: impl IntoIterator<Item = (String, Option<HeaderValue>, u32)>,
        earlier: Option<&KeyPool>,
    ) -> KeyPool {
        let mut pool = KeyPool {
            keys: SmallVec::new(),
            weights: SmallVec::new(),
        };
        for (name, authorization, weight) in keys {
            let mut known = earlier.into_iter().flat_map(|pool| &pool.keys);
            let known = known.find(|key| key.authorization == authorization);
            pool.keys.push(Arc::new(Key {
                name: name.into(),
                authorization,
                state: known.map(|key| key.state.clone()).unwrap_or_default(),
            }));
            pool.weights.push(weight.max(1));
        }
        pool
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Each key's name, and in a word how it is.
    pub(super) fn states(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.keys.iter().map(|key| (&*key.name, key.word()))
    }

    /// A key that may be sent for this model, and its place; of several, each as often as its weight says.
    ///
    /// # Errors
    /// Where there is none but those that were `tried`.
    pub(super) fn pick(&self, model: &str, tried: &[usize]) -> Result<(usize, &Arc<Key>), NoKey> {
        if let [only] = &*self.keys
            && !only.state.rests.load(Ordering::Acquire)
        {
            return if tried.is_empty() {
                Ok((0, only))
            } else {
                Err(NoKey::Tried)
            };
        }
        let now = Instant::now();
        let mut ready: SmallVec<[(usize, u32); 8]> = SmallVec::new();
        let (mut soonest, mut refused) = (None::<Duration>, None);
        for (place, key) in self.keys.iter().enumerate() {
            match key.ready(model, now) {
                _ if tried.contains(&place) => {}
                Readiness::Ready => ready.push((place, self.weights[place])),
                Readiness::Resting(rest) => {
                    soonest = Some(soonest.map_or(rest, |soonest| soonest.min(rest)));
                }
                Readiness::Refused => refused = refused.or(Some((place, key))),
            }
        }
        let total: u32 = ready.iter().map(|(_, weight)| weight).sum();
        if total == 0 {
            // A key that was refused may be good again; where nothing else is left, asking costs less than an outage.
            return refused.ok_or_else(|| soonest.map_or(NoKey::Tried, NoKey::Resting));
        }
        let mut at = fastrand::u32(..total);
        let mut turns = ready.iter();
        let place = turns.find(|(_, weight)| match at.checked_sub(*weight) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        });
        let (place, _) = place.expect("a number below the sum falls to one of them");
        Ok((*place, &self.keys[*place]))
    }
}

impl Key {
    /// What the configuration calls it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The header's value; `None` where no key is sent.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    fn ready(&self, model: &str, now: Instant) -> Readiness {
        if !self.state.rests.load(Ordering::Acquire) {
            return Readiness::Ready;
        }
        let mut rest = self.state.rest.lock();
        rest.models.retain(|(_, until)| *until > now);
        if rest.refused.is_some_and(|(until, _)| until > now) {
            return Readiness::Refused;
        }
        if rest.models.is_empty() && rest.refused.is_none() {
            self.state.rests.store(false, Ordering::Release);
        }
        let mut resting = rest.models.iter();
        match resting.find(|(known, _)| **known == *model) {
            Some((_, until)) => Readiness::Resting(*until - now),
            None => Readiness::Ready,
        }
    }

    /// How it is.
    fn word(&self) -> &'static str {
        let now = Instant::now();
        let rest = self.state.rest.lock();
        if rest.refused.is_some_and(|(until, _)| until > now) {
            "refused"
        } else if rest.models.iter().any(|(_, until)| *until > now) {
            "resting"
        } else {
            "ready"
        }
    }

    /// Learns from the head of an answer to this key.
    pub(super) fn heard(&self, target: &str, model: &str, status: StatusCode, headers: &HeaderMap) {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => self.refused(target, status),
            StatusCode::TOO_MANY_REQUESTS => {
                let rest = match used_up(headers) {
                    Limits::UsedUp(rest) => Some(rest),
                    // One large request didn't fit; others may.
                    Limits::Left => None,
                    Limits::Unknown => {
                        let wish = headers.get(header::RETRY_AFTER);
                        wish.and_then(|value| seconds(value.to_str().ok()?))
                    }
                };
                if let Some(rest) = rest {
                    self.rest(target, model, rest);
                }
            }
            _ if status.is_success() => {
                if self.state.rests.load(Ordering::Acquire) {
                    self.state.rest.lock().refused = None;
                }
                if let Limits::UsedUp(rest) = used_up(headers) {
                    self.rest(target, model, rest);
                }
            }
            _ => {}
        }
    }

    fn rest(&self, target: &str, model: &str, rest: Duration) {
        let until = Instant::now() + rest.min(LONGEST_REST);
        let mut known = self.state.rest.lock();
        let place = known.models.iter().position(|(it, _)| **it == *model);
        match place {
            Some(place) => known.models[place].1 = until.max(known.models[place].1),
            None if known.models.len() < MOST_MODELS => known.models.push((model.into(), until)),
            None => return,
        }
        self.state.rests.store(true, Ordering::Release);
        tracing::info!(
            target: "witgate::upstream",
            target = target, key = self.name(), model, seconds = rest.as_secs_f64(),
            "a key has used up its limit and rests"
        );
    }

    fn refused(&self, target: &str, status: StatusCode) {
        let now = Instant::now();
        let mut rest = self.state.rest.lock();
        let times = rest.refused.map_or(0, |(_, times)| times);
        if rest.refused.is_some_and(|(until, _)| until > now) {
            // It was sent before that was known.
            return;
        }
        let pause = REFUSED.saturating_mul(1 << times.min(10)).min(LONGEST_REST);
        rest.refused = Some((now + pause, times + 1));
        self.state.rests.store(true, Ordering::Release);
        tracing::error!(
            target: "witgate::upstream",
            target = target, key = self.name(), status = status.as_u16(), seconds = pause.as_secs(),
            "the target refuses this key, which isn't sent for a while; give it another key"
        );
    }
}

/// How a key is.
enum Readiness {
    Ready,
    Resting(Duration),
    Refused,
}

/// What an answer's head says of the limits.
enum Limits {
    /// Nothing that is understood.
    Unknown,
    /// Something is left of each that it names.
    Left,
    /// How long it takes until the last of those that are used up is one no more.
    UsedUp(Duration),
}

fn used_up(headers: &HeaderMap) -> Limits {
    const REMAINING: &str = "x-ratelimit-remaining-";
    let mut limits = Limits::Unknown;
    for (name, value) in headers {
        let Some(limit) = name.as_str().strip_prefix(REMAINING) else {
            continue;
        };
        let left: Option<f64> = value.to_str().ok().and_then(|it| it.trim().parse().ok());
        let Some(left) = left else {
            continue;
        };
        if left >= 1.0 {
            if matches!(limits, Limits::Unknown) {
                limits = Limits::Left;
            }
            continue;
        }
        let reset = headers.get(format!("x-ratelimit-reset-{limit}"));
        if let Some(reset) = reset.and_then(|value| seconds(value.to_str().ok()?)) {
            limits = Limits::UsedUp(match limits {
                Limits::UsedUp(longest) => longest.max(reset),
                _ => reset,
            });
        }
    }
    limits
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("sent", &self.authorization.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
