//! One key, and what is known of it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Need;
use crate::upstream::limits::{Limits, Room, used_up};
use crate::upstream::standing::Standing;

/// The longest rest, however far away a target says that its limit ends: it may be mistaken.
const LONGEST_REST: Duration = Duration::from_secs(3600);
/// How long a key rests that was refused for the first time; for each time after it, twice as long.
const REFUSED: Duration = Duration::from_secs(60);
/// The longest rest of one that may have been refused for another reason than a limit.
const UNCLEAR: Duration = Duration::from_secs(60);
/// The most models for which a key's rest, or its room, is remembered.
const MOST_MODELS: usize = 256;

/// One key, and what is known of it.
pub(in crate::upstream) struct Key {
    /// What the configuration calls it. Never the key.
    pub(super) name: Box<str>,
    pub(super) authorization: Option<HeaderValue>,
    /// Whether there is another one, here or at another target, to be sent in its place.
    pub(super) beside_others: bool,
    pub(super) state: Arc<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// Whether there is anything in `rests`. Read for every request.
    pub(super) rests: AtomicBool,
    rest: Mutex<Rest>,
    /// What may still be sent, for each model of which that is known.
    pub(super) rooms: Mutex<Vec<(Box<str>, Room)>>,
    /// Requests that it is sent with.
    pub(super) open: AtomicU32,
    pub(super) standing: Mutex<Standing>,
}

#[derive(Default)]
struct Rest {
    models: Vec<(Box<str>, Instant)>,
    /// Until when the key isn't tried, and how often it was refused without having served since.
    refused: Option<(Instant, u32)>,
}

impl Key {
    /// What the configuration calls it.
    pub(in crate::upstream) fn name(&self) -> &str {
        &self.name
    }

    /// The header's value; `None` where no key is sent.
    pub(in crate::upstream) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether a request fits into what is left, as far as that is known.
    pub(super) fn has_room(&self, need: Need<'_>, now: Instant) -> bool {
        let rooms = self.state.rooms.lock();
        let mut rooms = rooms.iter();
        let room = rooms.find(|(model, _)| **model == *need.model);
        room.is_none_or(|(_, room)| room.has(need.tokens, now))
    }

    pub(super) fn ready(&self, model: &str, now: Instant) -> Readiness {
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
    pub(super) fn word(&self) -> &'static str {
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
    pub(in crate::upstream) fn heard(
        &self,
        target: &str,
        model: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED => self.refused(target, status),
            StatusCode::TOO_MANY_REQUESTS => {
                if let Limits::UsedUp(rest) = used_up(headers) {
                    self.rest(target, model, rest);
                }
                self.knows_room(model, headers);
            }
            _ if status.is_success() => {
                if self.state.rests.load(Ordering::Acquire) {
                    self.state.rest.lock().refused = None;
                }
                if let Limits::UsedUp(rest) = used_up(headers) {
                    self.rest(target, model, rest);
                }
                self.knows_room(model, headers);
            }
            _ => {}
        }
    }

    /// Learns what may still be sent, where there is another that it could be sent with.
    fn knows_room(&self, model: &str, headers: &HeaderMap) {
        if !self.beside_others {
            return;
        }
        let room = Room::of(headers);
        if room.is_unknown() {
            return;
        }
        let mut rooms = self.state.rooms.lock();
        if let Some((_, known)) = rooms.iter_mut().find(|(known, _)| **known == *model) {
            *known = room;
        } else if rooms.len() < MOST_MODELS {
            rooms.push((model.into(), room));
        }
    }

    /// The target wants to be left alone for so long, and what it said is about this key as far as can be told.
    pub(in crate::upstream) fn unclear(&self, target: &str, model: &str, wish: Duration) {
        self.rest(target, model, wish.min(UNCLEAR));
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
        if self.authorization.is_none() {
            // It can't be exchanged for another, and what is wrong is told with the failure.
            return;
        }
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
pub(super) enum Readiness {
    Ready,
    Resting(Duration),
    Refused,
}

/// A key on its way with a request, and then with the answer as long as somebody reads it.
pub(in crate::upstream) struct KeyUse {
    key: Arc<Key>,
    asked: Instant,
}

impl KeyUse {
    pub(super) fn new(key: Arc<Key>) -> KeyUse {
        key.state.open.fetch_add(1, Ordering::Relaxed);
        KeyUse {
            key,
            asked: Instant::now(),
        }
    }

    /// An answer began.
    pub(in crate::upstream) fn answered(&self, headers: &HeaderMap) {
        let mut standing = self.key.state.standing.lock();
        standing.asked(false);
        standing.left(headers);
    }

    /// It was of no use.
    pub(in crate::upstream) fn failed(&self) {
        self.key.state.standing.lock().asked(true);
    }

    /// The first content is there.
    pub(in crate::upstream) fn first_token(&self) {
        let took = self.asked.elapsed();
        self.key.state.standing.lock().first_token_took(took);
    }
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        self.key.state.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("sent", &self.authorization.is_some())
            .finish_non_exhaustive()
    }
}
