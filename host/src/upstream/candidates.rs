//! Which targets a request may go to, in the order of trial.
//!
//! Targets that are pinned to the requested model, or to none, come first. The others follow, each under its own model's
//! name, and are tried only after one of the first kind has failed. Among the first kind the strategy says who is first. Without a target of the first kind there is no
//! candidate, because a client that asks for an unknown model must not be given another model.

use super::Targets;
use super::answer::Answer;
use super::connections::Connection;
use super::failure::Failure;
use super::first_tokens::Kind;
use super::keys::{Key, Need};
use super::target::Target;
use bytes::Bytes;
use http::HeaderMap;
use smallvec::SmallVec;
use std::sync::Arc;

/// A target to try, and the model's name at that target.
#[derive(Clone, Debug)]
pub struct Candidate {
    target: Arc<Target>,
    model: Arc<str>,
}

impl Candidate {
    /// The target.
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// The model to name in the body that goes to this target.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The kind of requests that one for it is.
    pub(super) fn kind(&self, stream: bool) -> Kind {
        Kind {
            model: Arc::clone(&self.model),
            stream,
        }
    }

    /// Sends a JSON body with POST to `path`, such as `chat/completions`, below the target's address. Of the client's
    /// `headers`, only those that may go on are sent. Dropping the future or the answer cancels the request.
    ///
    /// # Errors
    /// When no answer began. Another candidate may be tried then.
    pub async fn send(
        &self,
        path: &str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Result<Answer, Failure> {
        let need = Need {
            model: &self.model,
            tokens: 0,
        };
        let picked = self.target.keys().pick(need, &[]);
        let (_, key) = picked.map_err(|none| none.after(None))?;
        self.send_on(Connection::Kept, key, path, body, headers)
            .await
    }

    /// As [`Candidate::send`], on such a connection.
    pub(super) async fn send_on(
        &self,
        on: Connection,
        key: &Key,
        path: &str,
        body: Bytes,
        headers: &HeaderMap,
    ) -> Result<Answer, Failure> {
        self.target
            .post(on, key, path, body, headers, Arc::clone(&self.model))
            .await
    }
}

/// The candidates of one request, in the order of trial. Never empty.
#[derive(Clone, Debug)]
pub struct Candidates {
    all: SmallVec<[Candidate; 4]>,
    /// How many at the beginning take the model itself.
    taking: usize,
}

/// No target takes this model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the model `{model}` does not exist here: no configured target takes it")]
pub struct NoSuchModel {
    /// The model as it was asked for.
    pub model: String,
}

/// None of the named targets is a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none of these targets is left for this request")]
pub struct NoneLeft;

impl Candidates {
    /// The candidates, in the order of trial.
    pub fn iter(&self) -> std::slice::Iter<'_, Candidate> {
        self.all.iter()
    }

    /// The candidate to try first.
    pub fn first(&self) -> &Candidate {
        self.all
            .first()
            .expect("there is no Candidates without a candidate")
    }

    /// Keeps only these targets, in this order. Ids that no candidate has are ignored. Where the order is the one they had, routing goes on
    /// among those that take the model itself; another order is that of whoever restricts.
    ///
    /// # Errors
    /// When no candidate would be left. Nothing is changed then.
    pub fn restrict(&mut self, ids: &[impl AsRef<str>]) -> Result<(), NoneLeft> {
        let mut left: SmallVec<[usize; 4]> = SmallVec::new();
        for id in ids {
            let known = |candidate: &Candidate| candidate.target.id() == id.as_ref();
            if let Some(at) = self.all.iter().position(known)
                && !left.contains(&at)
            {
                left.push(at);
            }
        }
        if left.is_empty() {
            return Err(NoneLeft);
        }
        self.taking = match left.is_sorted() {
            true => left.iter().filter(|at| **at < self.taking).count(),
            false => 0,
        };
        self.all = left.iter().map(|at| self.all[*at].clone()).collect();
        Ok(())
    }
}

impl<'a> IntoIterator for &'a Candidates {
    type Item = &'a Candidate;
    type IntoIter = std::slice::Iter<'a, Candidate>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Targets {
    /// The candidates for a model. `cerebras/NAME` (or any configured provider's name in front) asks for that provider and
    /// the model NAME, unless a target is pinned to the whole text. An alias asks for the model that it stands for.
    ///
    /// # Errors
    /// When no target takes the model.
    pub fn candidates(&self, model: &str) -> Result<Candidates, NoSuchModel> {
        let wanted = self.wanted(model);
        let requested: Arc<str> = Arc::from(wanted.name);
        let mut candidates: SmallVec<[Candidate; 4]> = self
            .iter()
            .filter(|target| wanted.is_taken_by(target))
            .map(|target| Candidate {
                target: Arc::clone(target),
                model: Arc::clone(&requested),
            })
            .collect();
        if candidates.is_empty() {
            return Err(NoSuchModel {
                model: model.to_owned(),
            });
        }
        let taking = candidates.len();
        // A target of another provider that is pinned to no model has no model name that could be sent.
        candidates.extend(
            self.iter()
                .filter(|target| !wanted.is_taken_by(target))
                .filter_map(|target| {
                    Some(Candidate {
                        target: Arc::clone(target),
                        model: Arc::clone(target.pinned()?),
                    })
                }),
        );
        Ok(Candidates {
            all: candidates,
            taking,
        })
    }

    /// Puts those that take the model into the order of trial for one request that is about to be sent; no more often, because it may be
    /// somebody's turn. An order that a policy gave them stays.
    pub fn arrange(&self, candidates: &mut Candidates) {
        let taking = candidates.taking;
        self.routing.arrange(&mut candidates.all[..taking]);
    }

    /// What a client means by a model. No alias stands for another, so it is looked up once.
    pub(super) fn wanted<'m>(&'m self, model: &'m str) -> Wanted<'m> {
        let (provider, name) = self.split(model);
        // An alias may have a slash in it, so the whole is looked up first.
        let (provider, found) = match self.aliases.get_key_value(model) {
            Some(found) => (None, Some(found)),
            None => (provider, self.aliases.get_key_value(name)),
        };
        let Some((alias, meant)) = found else {
            return Wanted {
                provider,
                name,
                alias: None,
            };
        };
        let (own, name) = self.split(meant);
        Wanted {
            provider: own.or(provider),
            name,
            alias: Some(alias),
        }
    }

    fn split<'m>(&self, model: &'m str) -> (Option<&'m str>, &'m str) {
        let Some((provider, name)) = model.split_once('/') else {
            return (None, model);
        };
        let whole = self.iter().any(|target| target.model() == Some(model));
        let known =
            provider == "cerebras" || self.iter().any(|target| target.provider() == provider);
        if known && !whole {
            (Some(provider), name)
        } else {
            (None, model)
        }
    }
}

/// A model, and the provider that is asked for it, if one is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'m> {
    provider: Option<&'m str>,
    pub(super) name: &'m str,
    /// The other name that it was asked for by, if it was.
    pub(super) alias: Option<&'m str>,
}

impl Wanted<'_> {
    /// Whether a target is asked for it first.
    pub(super) fn is_taken_by(&self, target: &Target) -> bool {
        !self.name.is_empty()
            && self.provider.is_none_or(|it| it == target.provider())
            && target.model().is_none_or(|pinned| pinned == self.name)
    }
}
