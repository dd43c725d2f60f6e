//! What models there are: the targets are asked, and what they say is one list.
//!
//! What must stay true: each target is asked once, all of them at the same time, and none for longer than its share; and a client is
//! shown what it can ask for. So of a target that is pinned to a model that one is listed, and an alias beside the model that it stands
//! for, and nothing that its key isn't for. A target that fails is left out, and only where all fail the first one's reason is told. A single target without all that is
//! passed on byte for byte.

mod anthropic;
mod entries;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

use super::candidates::{NoSuchModel, Wanted};
use super::error_body::ErrorBody;
use super::failure::{Failure, in_one_line};
use super::{Answer, Target, Targets};
use crate::api::{ApiError, Caller, Catalog, Charge, ModelsAsked};
use anthropic::Page;
use entries::{Entry, List};

/// The most that is read of one target's list, in bytes.
const LARGEST: usize = 4 << 20;

/// How long an answer may take in all, and how long one of several targets.
const TIME: Duration = Duration::from_secs(60);
const TIME_AMONG_SEVERAL: Duration = Duration::from_secs(10);

/// The aliases of each model, and what is meant by them.
type Aliases<'t> = HashMap<&'t str, Vec<(&'t str, Wanted<'t>)>>;

impl Targets {
    /// Answers a question about models.
    ///
    /// # Errors
    /// What the client is told: there is no such model, no target tells, or the question makes no sense.
    pub async fn models(
        &self,
        asked: ModelsAsked<'_>,
        caller: &Caller,
        charge: &mut Charge,
    ) -> Result<Response<Bytes>, ApiError> {
        let ModelsAsked { catalog, id, query } = asked;
        if let Some(id) = id {
            caller.may_ask(id)?;
        }
        match (id, catalog) {
            (Some(id), Catalog::Anthropic) => {
                let answer = self.model(catalog, id, None, charge).await?;
                let entry = Entry::read(answer.body()).ok_or_else(unreadable)?;
                Ok(json(anthropic::one(&entry)))
            }
            (Some(id), _) => self.model(catalog, id, query, charge).await,
            (None, Catalog::Anthropic) => {
                let page = Page::read(query)?;
                let (list, _charged) = self.merged(catalog, None, caller, charge).await?;
                Ok(json(page.of(&list.entries)?))
            }
            (None, _) => match self.iter().as_slice() {
                [only]
                    if only.model().is_none()
                        && self.aliases.is_empty()
                        && caller.models.is_none() =>
                {
                    passed_on(only.models(catalog, query).await?, charge).await
                }
                _ => {
                    let (list, _charged) = self.merged(catalog, query, caller, charge).await?;
                    let list = list.to_json();
                    charge.grow(list.len())?;
                    Ok(json(charge.ride_with(list)))
                }
            },
        }
    }

    /// The list of all targets' models that the caller may ask for, and what it costs as long as it is there.
    async fn merged(
        &self,
        catalog: Catalog,
        query: Option<&str>,
        caller: &Caller,
        charge: &mut Charge,
    ) -> Result<(List, Vec<Charge>), ApiError> {
        let time = match self.targets.len() {
            1 => TIME,
            _ => TIME_AMONG_SEVERAL,
        };
        let mut aliases = Aliases::new();
        for alias in self.aliases.keys() {
            let meant = self.wanted(alias);
            aliases.entry(meant.name).or_default().push((alias, meant));
        }
        let aliases = &aliases;
        let asking = self.iter().map(|target| {
            let mut charge = charge.another();
            async move {
                let listing = self.listed(target, catalog, query, aliases, &mut charge);
                let listed = timeout(time, listing).await;
                let listed = listed.unwrap_or_else(|_| Err(Failure::FirstByteTimeout(time).into()));
                (target, listed, charge)
            }
        });
        let (mut merged, mut first_error) = (None, None);
        let mut charges = Vec::with_capacity(self.targets.len());
        for (target, listed, charge) in join_all(asking).await {
            charges.push(charge);
            match listed {
                Ok(list) => merged.get_or_insert_with(List::default).take_in(list),
                Err(error) => {
                    left_out(target, &error);
                    first_error.get_or_insert(error);
                }
            }
        }
        match (merged, first_error) {
            (Some(mut list), _) => {
                let mine = |entry: &Entry| caller.may_ask(&entry.id).is_ok();
                list.entries.retain(mine);
                Ok((list, charges))
            }
            (None, error) => Err(error.expect("there is no Targets without a target")),
        }
    }

    /// What a client may ask this target for.
    async fn listed(
        &self,
        target: &Target,
        catalog: Catalog,
        query: Option<&str>,
        aliases: &Aliases<'_>,
        charge: &mut Charge,
    ) -> Result<List, ApiError> {
        let answer = passed_on(target.models(catalog, query).await?, charge).await?;
        // What is kept of it is about as large once more.
        charge.grow(answer.body().len())?;
        let told = List::read(answer.body()).ok_or_else(unreadable)?;
        let mut list = List {
            entries: Vec::new(),
            ..told
        };
        for entry in told.entries {
            let wanted = self.wanted(&entry.id);
            // It would be asked of another target, or is no more than the name of an alias.
            if wanted.alias.is_some() || !wanted.is_taken_by(target) {
                continue;
            }
            let before = entry.id.len() - wanted.name.len();
            let called = aliases.get(wanted.name).into_iter().flatten();
            let named: Vec<Entry> = called
                .filter(|(_, meant)| meant.is_taken_by(target))
                .map(|(alias, _)| entry.called(&format!("{}{alias}", &entry.id[..before])))
                .collect();
            list.entries.push(entry);
            list.entries.extend(named);
        }
        if let Some(pinned) = target.model()
            && list.entries.is_empty()
            && catalog != Catalog::Public
            && query.is_none()
        {
            // Not every server lists what it serves.
            list.entries.push(Entry::bare(pinned, target.provider()));
        }
        Ok(list)
    }

    /// Shows one model, as the first of the targets that take it does. Where none takes it, none is asked.
    async fn model(
        &self,
        catalog: Catalog,
        id: &str,
        query: Option<&str>,
        charge: &mut Charge,
    ) -> Result<Response<Bytes>, ApiError> {
        let wanted = self.wanted(id);
        let deadline = Instant::now() + TIME;
        let mut told: Option<ApiError> = None;
        for target in self.iter().filter(|target| wanted.is_taken_by(target)) {
            let asking = async {
                let answer = target.model_entry(catalog, wanted.name, query).await?;
                passed_on(answer, charge).await
            };
            let asked = timeout_at(deadline, asking).await;
            let error = match asked {
                Ok(Ok(answer)) => return Ok(called(answer, wanted.alias)),
                Ok(Err(error)) => error,
                Err(_) => Failure::FirstByteTimeout(TIME).into(),
            };
            // Another may know what this one doesn't. What is wrong tells more than that.
            if error.status != StatusCode::NOT_FOUND {
                left_out(target, &error);
            }
            let says_more = |told: &ApiError| told.status == StatusCode::NOT_FOUND;
            if told.as_ref().is_none_or(says_more) {
                told = Some(error);
            }
        }
        Err(told.unwrap_or_else(|| no_such_model(id)))
    }
}

/// The models in a target's list; `None` where it is none.
pub(super) fn names(body: &[u8]) -> Option<Vec<String>> {
    let list = List::read(body)?;
    Some(list.entries.into_iter().map(|entry| entry.id).collect())
}

/// The answer about an alias names the alias.
fn called(answer: Response<Bytes>, alias: Option<&str>) -> Response<Bytes> {
    match (alias, alias.and_then(|_| Entry::read(answer.body()))) {
        (Some(alias), Some(entry)) => json(entry.called(alias).json.into()),
        _ => answer,
    }
}

fn left_out(target: &Target, error: &ApiError) {
    tracing::warn!(
        target = target.id(),
        "a target didn't tell its models, so they are left out: {}",
        in_one_line(&error.message)
    );
}

/// A target's whole answer, as it came.
async fn passed_on(answer: Answer, charge: &mut Charge) -> Result<Response<Bytes>, ApiError> {
    let (status, headers) = (answer.status, answer.passed_on());
    if !status.is_success() {
        return Err(answer.into_error(charge).await);
    }
    let secret = answer.secret().clone();
    let body = answer.whole(LARGEST, TIME, charge).await?;
    if let Some(said) = ErrorBody::in_place_of_an_answer(&body, &secret) {
        return Err(said.into());
    }
    Ok(response(status, headers, charge.ride_with(body)))
}

fn json(body: Bytes) -> Response<Bytes> {
    let kind = HeaderValue::from_static("application/json");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    response(StatusCode::OK, headers, body)
}

fn response(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn no_such_model(id: &str) -> ApiError {
    let (status, kind) = (StatusCode::NOT_FOUND, "not_found_error");
    let why = NoSuchModel {
        model: id.to_owned(),
    };
    ApiError::new(status, kind, "model_not_found", why.to_string()).param("model")
}

fn unreadable() -> ApiError {
    let message = "what it says of its models can't be read: expected a JSON object with a list `data`, or a model with an `id`";
    let (kind, code) = ("upstream_error", "upstream_unreadable");
    ApiError::new(StatusCode::BAD_GATEWAY, kind, code, message)
}
