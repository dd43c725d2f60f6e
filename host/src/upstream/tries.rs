//! Which keys of a target one request is tried with.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::answer::Answer;
use super::failure::{About, Failure};
use super::keys::{Key, Need};
use super::target::Target;

/// How long a key rests that was told 403 where another one was answered.
const FORBIDDEN: Duration = Duration::from_secs(60);

/// A key that was refused for an unclear reason.
struct Unclear {
    key: Arc<Key>,
    /// How long the target wants to be left alone.
    wish: Option<Duration>,
    /// It was told 403.
    forbidden: bool,
}

impl Target {
    /// Sends with a key that is ready, and with another one where the fault was the key's, until an answer comes or none is left. Where
    /// it may have been the request's, one other key is asked with it, to tell. `request` is an id, for the log.
    pub(super) async fn with_a_key<F>(
        &self,
        need: Need<'_>,
        request: &str,
        send: impl Fn(Arc<Key>) -> F,
    ) -> Result<Answer, Failure>
    where
        F: Future<Output = Result<Answer, Failure>>,
    {
        let mut tried = SmallVec::<[usize; 4]>::new();
        let mut failed = None;
        let mut unclear: Option<Unclear> = None;
        let rests = |key: &Key, wish: Option<Duration>| {
            if let Some(wish) = wish {
                key.unclear(self.id(), need.model, wish);
            }
        };
        loop {
            let (place, key) = match self.keys().pick(need, &tried) {
                Ok(picked) => picked,
                Err(none) => {
                    // There is none to compare it with.
                    if let Some(it) = unclear {
                        rests(&it.key, it.wish);
                    }
                    return Err(none.after(failed));
                }
            };
            let used = self.keys().sent(key, need);
            let failure = match send(Arc::clone(key)).await {
                Ok(answer) => {
                    if let Some(it) = unclear {
                        rests(&it.key, it.wish.or(it.forbidden.then_some(FORBIDDEN)));
                    }
                    return Ok(answer.sent_with(used));
                }
                Err(failure) => failure,
            };
            match failure.about() {
                About::Target => return Err(failure),
                // Two keys that are told the same: it is about what they were sent with.
                About::Unclear(_) if unclear.is_some() => {
                    return Err(failed.unwrap_or(failure));
                }
                About::Unclear(wish) => {
                    unclear = Some(Unclear {
                        key: Arc::clone(key),
                        wish,
                        forbidden: matches!(failure, Failure::Refused(_)),
                    });
                }
                About::Key => {}
            }
            if let Some(used) = &used {
                used.failed();
            }
            if self.keys().len() > 1 {
                tracing::warn!(
                    target: "witgate::exchange::run",
                    target = self.id(), key = key.name(), request,
                    "a key was of no use: {failure}"
                );
            }
            tried.push(place);
            failed.get_or_insert(failure);
        }
    }
}
