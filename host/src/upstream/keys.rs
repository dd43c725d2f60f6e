//! The keys of a target: which one a request goes out with, and which ones rest.
//!
//! Limits are a key's, for each model. A key that has used one up rests for that model until the target said it would be served again; a key
//! that the target refuses rests for all, as long as there is another. So a request isn't sent to be refused, and another key of the target's serves meanwhile. One that has too few
//! tokens left for a request is passed over where another has room; a guess at what a request takes keeps none from being sent where
//! there is no other. What is known of a key outlives the configuration: a reload forgets nothing of a key that is still there.
//!
//! A refusal isn't always about the key. What names a limit that is used up is, and so are 401 and 402. A 403, or a 429 that names none,
//! may be about the one request: another key is then asked with it, once, and only if that one is answered has the first been at
//! fault. So no request makes more than one key rest that had anything left.

mod key;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::HeaderValue;
use serde_json::{Value, json};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::standing::BETTER;
use key::Readiness;
pub(super) use key::{Key, KeyUse};

/// What a request needs of a key.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Need<'a> {
    pub(super) model: &'a str,
    /// About how many tokens it takes of a limit.
    pub(super) tokens: u64,
}

/// The keys of one target. Never empty: a target that is sent no key has one that is none.
#[derive(Debug)]
pub(super) struct KeyPool {
    keys: SmallVec<[Arc<Key>; 1]>,
    weights: SmallVec<[u32; 1]>,
    /// Whether the better of two is taken, and whose turn it is.
    adaptive: bool,
    turn: AtomicUsize,
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
            adaptive: false,
            turn: AtomicUsize::new(0),
        };
        for (name, authorization, weight) in keys {
            let mut known = earlier.into_iter().flat_map(|pool| &pool.keys);
            let known = known.find(|key| key.authorization == authorization);
            pool.keys.push(Arc::new(Key {
                name: name.into(),
                authorization,
                beside_others: false,
                state: known.map(|key| key.state.clone()).unwrap_or_default(),
            }));
            pool.weights.push(weight.max(1));
        }
        pool
    }

    /// `adaptive`: the better of two is taken. `others`: there are other targets, too.
    pub(super) fn chosen(mut self, adaptive: bool, others: bool) -> KeyPool {
        self.adaptive = adaptive;
        let beside_others = others || self.keys.len() > 1;
        for key in &mut self.keys {
            // Nobody else has it yet.
            if let Some(key) = Arc::get_mut(key) {
                key.beside_others = beside_others;
            }
        }
        self
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// All of them, ready or not.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Arc<Key>> {
        self.keys.iter()
    }

    /// Each key's name, and in a word how it is.
    #[cfg(test)]
    pub(super) fn states(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.keys.iter().map(|key| (&*key.name, key.word()))
    }

    /// For people: each by what the configuration calls it, how it is, and how it stands where that matters.
    pub(super) fn shown(&self) -> Value {
        let keys = self.keys.iter().map(|key| {
            let mut shown = json!({"key": &*key.name, "state": key.word()});
            if self.adaptive {
                shown["open"] = json!(key.state.open.load(Ordering::Relaxed));
                key.state.standing.lock().show(&mut shown);
            }
            shown
        });
        keys.collect()
    }

    /// Whether a request would be sent to be refused, by all that is known: each key that is ready has too few tokens left.
    pub(super) fn lacks_room(&self, need: Need<'_>) -> bool {
        let now = Instant::now();
        let mut ready = self.keys.iter();
        let mut any = false;
        let all = ready.all(|key| {
            let ready = matches!(key.ready(need.model, now), Readiness::Ready);
            any |= ready;
            !ready || !key.has_room(need, now)
        });
        any && all
    }

    /// A key that may be sent for this model, and its place; of several, each as often as its weight says.
    ///
    /// # Errors
    /// Where there is none but those that were `tried`.
    pub(super) fn pick(
        &self,
        need: Need<'_>,
        tried: &[usize],
    ) -> Result<(usize, &Arc<Key>), NoKey> {
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
            match key.ready(need.model, now) {
                _ if tried.contains(&place) => {}
                Readiness::Ready => ready.push((place, self.weights[place])),
                Readiness::Resting(rest) => {
                    soonest = Some(soonest.map_or(rest, |soonest| soonest.min(rest)));
                }
                Readiness::Refused => refused = refused.or(Some((place, key))),
            }
        }
        if ready.is_empty() {
            // A key that was refused may be good again; where nothing else is left, asking costs less than an outage.
            return refused.ok_or_else(|| soonest.map_or(NoKey::Tried, NoKey::Resting));
        }
        // How much a request takes is a guess, so it keeps out none that is the last.
        let has_room = |(place, _): &(usize, u32)| self.keys[*place].has_room(need, now);
        if ready.len() > 1 && ready.iter().any(has_room) {
            ready.retain(|it| has_room(it));
        }
        let place = if self.adaptive {
            self.better(&ready)
        } else {
            by_weight(&ready, fastrand::usize(..total(&ready)))
        };
        Ok((place, &self.keys[place]))
    }

    /// Power of two choices, of which one is whose turn it is: among equals each has its weight's share, in turn.
    fn better(&self, ready: &[(usize, u32)]) -> usize {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let first = by_weight(ready, turn % total(ready));
        if ready.len() == 1 {
            return first;
        }
        let mut others = ready.iter().filter(|(place, _)| *place != first);
        let other = others.nth(fastrand::usize(..ready.len() - 1));
        let other = other.map_or(first, |(place, _)| *place);
        let score = |place: usize| {
            let state = &self.keys[place].state;
            let open = state.open.load(Ordering::Relaxed);
            state.standing.lock().score(open)
        };
        if score(other) < BETTER * score(first) {
            other
        } else {
            first
        }
    }

    /// A request goes out with this key. What comes of it is told to the result, which lasts as long as the answer; `None` where nobody
    /// wants to know.
    pub(super) fn sent(&self, key: &Arc<Key>, need: Need<'_>) -> Option<KeyUse> {
        if key.beside_others && need.tokens > 0 {
            let mut rooms = key.state.rooms.lock();
            let room = rooms.iter_mut().find(|(model, _)| **model == *need.model);
            if let Some((_, room)) = room {
                room.take(need.tokens);
            }
        }
        self.adaptive.then(|| KeyUse::new(Arc::clone(key)))
    }
}

/// Several keys of one executable have one name, and what tells them apart may be a secret: so they are numbered.
pub(super) fn name_apart(keys: &mut [(String, Option<HeaderValue>, u32)]) {
    let names: Vec<String> = keys.iter().map(|(name, ..)| name.clone()).collect();
    for (place, (name, ..)) in keys.iter_mut().enumerate() {
        let same = |names: &[String]| names.iter().filter(|it| *it == name).count();
        let all = same(&names);
        if all > 1 {
            let number = same(&names[..=place]);
            name.push_str(&format!(" ({number} of {all})"));
        }
    }
}

fn total(ready: &[(usize, u32)]) -> usize {
    ready.iter().map(|(_, weight)| *weight as usize).sum()
}

/// Whom a number below the sum of the weights falls to.
fn by_weight(ready: &[(usize, u32)], mut at: usize) -> usize {
    for (place, weight) in ready {
        match at.checked_sub(*weight as usize) {
            Some(rest) => at = rest,
            None => return *place,
        }
    }
    unreachable!("a number below the sum falls to one of them")
}

#[cfg(test)]
mod tests;
