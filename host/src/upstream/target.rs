//! A target that is ready to be asked: its address, its key, its connections.

use super::answer::Answer;
use super::ask::renewed;
use super::client::{USER_AGENT, UpstreamError};
use super::connections::{Connection, Connections};
use super::failure::{Failure, failed_status, is_an_answers, refuses_key};
use super::headers;
use super::health::Health;
use super::keys::{Key, KeyPool, Need, name_apart};
use super::retry::RetryPolicy;
use crate::api::Catalog;
use crate::config::{
    DataPolicy, HealthCheckConfig, HedgingConfig, KeyConfig, Parameters, Secret, TargetConfig,
    Timeouts, UnknownMembers,
};
use crate::metrics::TargetMetrics;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use percent_encoding::percent_decode_str;
use std::fmt;
use std::sync::Arc;
use tokio::time::timeout_at;
use url::Url;
use witgate_own_secret::OwnSecret;

/// One upstream, ready to be sent to.
pub struct Target {
    id: Arc<str>,
    provider: Arc<str>,
    model: Option<Arc<str>>,
    base_url: Url,
    simulated: bool,
    /// The address of nearly every request, put together once.
    chat: Uri,
    timeouts: Timeouts,
    unknown_members: UnknownMembers,
    parameters: Parameters,
    keys: KeyPool,
    weight: u32,
    health: Health,
    health_check: Option<HealthCheckConfig>,
    data_policy: DataPolicy,
    /// All keys, to be struck out of what the target says.
    secret: OwnSecret,
    connections: Connections,
    metrics: Arc<TargetMetrics>,
}

const CHAT: &str = "chat/completions";

impl Target {
    pub(super) fn new(
        config: &TargetConfig,
        keys: &[(&KeyConfig, Secret)],
        connections: Connections,
        metrics: Arc<TargetMetrics>,
        earlier: Option<&Target>,
    ) -> Result<Target, UpstreamError> {
        let mut pool = Vec::with_capacity(keys.len());
        for (key, secret) in keys {
            let bearer = format!("Bearer {}", secret.expose());
            let mut value = HeaderValue::try_from(bearer).map_err(|_| UpstreamError::Key {
                target: config.id.clone(),
            })?;
            value.set_sensitive(true);
            pool.push((key.secret.to_string(), Some(value), key.weight));
        }
        name_apart(&mut pool);
        if pool.is_empty() {
            pool.push(("no key".to_owned(), None, 1));
        }
        // Of another address nothing is known.
        let earlier = earlier.filter(|earlier| earlier.base_url == config.base_url);
        Ok(Target {
            id: config.id.as_str().into(),
            provider: config.provider.as_str().into(),
            model: config.model.as_deref().map(Arc::from),
            chat: uri(&below(&config.base_url, CHAT.split('/')))
                .map_err(|failure| UpstreamError::Client(failure.to_string()))?,
            base_url: config.base_url.clone(),
            simulated: config.simulated,
            timeouts: config.timeouts,
            unknown_members: config.unknown_members,
            parameters: config.parameters,
            weight: config.weight,
            health_check: config.health_check.filter(|_| !keys.is_empty()),
            data_policy: config.data_policy.clone(),
            health: Health::new(
                config.breaker,
                earlier.map(|earlier| &earlier.health),
                metrics.clone(),
            ),
            keys: KeyPool::new(pool, earlier.map(|earlier| &earlier.keys)),
            secret: OwnSecret::of(keys.iter().map(|(_, secret)| secret.expose())),
            connections,
            metrics,
        })
    }

    /// Its id in the configuration.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The provider's name alone.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The model that the target is pinned to; `None` if it takes any model.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    pub(super) fn pinned(&self) -> Option<&Arc<str>> {
        self.model.as_ref()
    }

    /// The target's counters.
    pub fn metrics(&self) -> &Arc<TargetMetrics> {
        &self.metrics
    }

    /// What it is, for people and programs.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "id": self.id(), "provider": self.provider(), "model": self.model(), "base_url": self.base_url.as_str(),
        })
    }

    /// The target's address.
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }

    /// `GET models`, with its own key. `query` is what stood behind the question mark.
    ///
    /// # Errors
    /// As [`super::Candidate::send`].
    pub async fn models(&self, of: Catalog, query: Option<&str>) -> Result<Answer, Failure> {
        self.get(below(&self.catalog(of), ["models"]), query).await
    }

    /// Sends `GET models/{id}`. A slash in the id stays a part of the id.
    ///
    /// # Errors
    /// As [`super::Candidate::send`].
    pub async fn model_entry(
        &self,
        of: Catalog,
        id: &str,
        query: Option<&str>,
    ) -> Result<Answer, Failure> {
        if leads_elsewhere(id) {
            return Err(Failure::NoName);
        }
        self.get(below(&self.catalog(of), ["models", id]), query)
            .await
    }

    /// The address above its models. Cerebras has the public ones beside `v1`, not below it.
    fn catalog(&self, of: Catalog) -> Url {
        match of {
            Catalog::Plain | Catalog::Anthropic => self.base_url.clone(),
            Catalog::Public => beside_v1(&self.base_url),
        }
    }

    async fn get(&self, mut url: Url, query: Option<&str>) -> Result<Answer, Failure> {
        url.set_query(query);
        let (uri, model) = (&uri(&url)?, &no_model());
        let send = |key: Arc<Key>| async move {
            let send = |on| {
                let request = request(Method::GET, uri.clone(), Bytes::new());
                self.execute(on, request, &key, model.clone())
            };
            renewed(&RetryPolicy::EACH_ONCE, "", send).await
        };
        self.with_a_key(Need::default(), "", send).await
    }

    pub(super) async fn post(
        &self,
        on: Connection,
        key: &Key,
        path: &str,
        body: Bytes,
        headers: &HeaderMap,
        model: Arc<str>,
    ) -> Result<Answer, Failure> {
        let uri = match path {
            CHAT => self.chat.clone(),
            _ => uri(&below(&self.base_url, path.split('/')))?,
        };
        let mut request = request(Method::POST, uri, body);
        headers::copy_allowed(headers, request.headers_mut());
        if self.simulated {
            headers::copy_simulated(headers, request.headers_mut());
        }
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.execute(on, request, key, model).await
    }

    async fn execute(
        &self,
        on: Connection,
        mut request: Request<Full<Bytes>>,
        key: &Key,
        model: Arc<str>,
    ) -> Result<Answer, Failure> {
        if let Some(authorization) = key.authorization() {
            let headers = request.headers_mut();
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        let asked = on.since();
        let Timeouts {
            connect,
            first_byte,
            first_token,
            total,
            ..
        } = self.timeouts;
        let head = first_byte.min(first_token).min(total);
        let sent = self.connections.send(request, on);
        let response = match timeout_at(asked + head, sent).await {
            Err(_) if head == first_byte => return Err(Failure::FirstByteTimeout(head)),
            Err(_) if head == first_token => return Err(Failure::FirstTokenTimeout(head)),
            Err(_) => return Err(Failure::Deadline(head)),
            Ok(Err(no_answer)) if no_answer.took_too_long() => {
                return Err(Failure::ConnectTimeout(connect));
            }
            Ok(Err(no_answer)) => return Err(Failure::of_request(no_answer, &self.secret)),
            Ok(Ok(response)) => response,
        };
        let status = response.status();
        if status.is_redirection() {
            return Err(Failure::Redirect(status));
        }
        if !is_an_answers(status) {
            return Err(Failure::NoStatus(status.as_u16()));
        }
        key.heard(&self.id, &model, status, response.headers());
        let answer = Answer::new(response, self, model, asked);
        if refuses_key(status) {
            let refused = answer.into_status_failure().await;
            return Err(match key.authorization() {
                Some(_) => Failure::Refused(refused),
                None => Failure::Keyless(refused),
            });
        }
        if failed_status(status) {
            return Err(Failure::Status(answer.into_status_failure().await));
        }
        if status.is_success()
            && let Some(coding) = answer.coding()
        {
            return Err(Failure::Coded(self.secret.strike(coding)));
        }
        Ok(answer)
    }

    /// `GET models` with this key, whether it is ready or not.
    pub(super) async fn models_with(&self, key: &Key) -> Result<Answer, Failure> {
        let uri = uri(&below(&self.base_url, ["models"]))?;
        let model = no_model();
        renewed(&RetryPolicy::EACH_ONCE, "", |on| {
            let request = request(Method::GET, uri.clone(), Bytes::new());
            self.execute(on, request, key, model.clone())
        })
        .await
    }

    /// Whether it, and each of its keys, is weighed against others by what answers say, and whether there are other targets.
    pub(super) fn weighed(mut self, weighs: bool, others: bool) -> Target {
        self.health.weighs(weighs);
        self.keys = self.keys.chosen(weighs, others);
        self
    }

    /// When its answers are late, if that matters.
    pub(super) fn hedged(mut self, hedging: Option<HedgingConfig>) -> Target {
        self.health.hedges(hedging);
        self
    }

    /// How often it is asked first beside others.
    pub(super) fn weight(&self) -> u32 {
        self.weight
    }

    /// How often it is to be asked for its models, if that is wanted and it has a key for it.
    pub(super) fn health_check(&self) -> Option<HealthCheckConfig> {
        self.health_check
    }

    /// What is declared of its handling of data.
    pub fn data_policy(&self) -> &DataPolicy {
        &self.data_policy
    }

    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    pub(super) fn keys(&self) -> &KeyPool {
        &self.keys
    }

    /// What it is and how it is, for people and programs. Each key by what the configuration calls it: `ready`, `resting`, or `refused`.
    pub fn state(&self) -> serde_json::Value {
        let mut shown = self.to_json();
        shown["health"] = self.health.state();
        let (sent, won) = self.metrics.hedges();
        shown["hedges"] = serde_json::json!({"sent": sent, "won": won});
        shown["keys"] = self.keys.shown();
        shown
    }

    pub(super) fn secret(&self) -> &OwnSecret {
        &self.secret
    }

    /// What becomes of members of its answers that aren't known.
    pub(super) fn unknown_members(&self) -> UnknownMembers {
        self.unknown_members
    }

    /// What becomes of a request's parameters that Cerebras doesn't take.
    pub(super) fn parameters(&self) -> Parameters {
        self.parameters
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.timeouts
    }

    pub(super) fn shared_id(&self) -> Arc<str> {
        Arc::clone(&self.id)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("id", &self.id)
            .field("provider", &self.provider)
            .field("model", &self.model)
            .field("base_url", &self.base_url.as_str())
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// What a list of models is asked with: what its answer says of limits is about such lists, also at a target that is pinned to a model.
fn no_model() -> Arc<str> {
    Arc::from("")
}

/// Whether a model's name would be another path than its own, here or at a proxy that decodes once more: with our key, it would reach
/// what nobody asked for. Control characters are left out of addresses, so they hide the dots beside them.
fn leads_elsewhere(id: &str) -> bool {
    let again = percent_decode_str(id).decode_utf8_lossy();
    [id, &again].iter().any(|id| {
        let mut segments = id.split(['/', '\\']);
        segments.any(|it| ["", ".", ".."].contains(&it)) || id.contains(char::is_control)
    })
}

/// The address as the HTTP client takes it.
fn uri(url: &Url) -> Result<Uri, Failure> {
    Uri::try_from(url.as_str()).map_err(|error| Failure::Connect(format!("{url}: {error}")))
}

/// Room for the headers that nearly every request has.
const HEADERS: usize = 8;

/// A request with what is the same in each.
fn request(method: Method, uri: Uri, body: Bytes) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body));
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    let headers = request.headers_mut();
    headers.reserve(HEADERS);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    request
}

fn beside_v1(base: &Url) -> Url {
    let mut url = base.clone();
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v1").unwrap_or(path);
    url.set_path(&format!("{path}/public/v1"));
    url
}

fn below<'a>(base: &Url, segments: impl IntoIterator<Item = &'a str>) -> Url {
    let mut url = base.clone();
    // Only an address that can't be a base has no segments, and an HTTP one always can.
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(segments);
    }
    url
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    #[test]
    fn a_models_name_stays_a_name() {
        for id in [
            ".",
            "..",
            "../files",
            "a/../b",
            "a/./b",
            "..\\files",
            ".\t.",
            "a\nb",
            "%2e%2e",
            "a/%2E./b",
            "..%2Ffiles",
            "",
            "a//b",
            "/a",
            "\u{7f}",
        ] {
            assert!(leads_elsewhere(id), "{id:?}");
        }
        for id in [
            "gpt-oss-120b",
            "org/model",
            "a.b",
            "...",
            "v1..2",
            "a b",
            "é",
            "50%",
            "m:latest",
            "@cf/m",
        ] {
            assert!(!leads_elsewhere(id), "{id:?}");
        }
    }

    #[test]
    fn the_public_catalog_stands_beside_v1() {
        for (base, expected) in [
            ("http://x/v1", "http://x/public/v1"),
            ("http://x/v1/", "http://x/public/v1"),
            ("http://x", "http://x/public/v1"),
            ("http://x/a/v1", "http://x/a/public/v1"),
            ("http://x/a/xv1", "http://x/a/xv1/public/v1"),
        ] {
            assert_eq!(beside_v1(&Url::parse(base).unwrap()).as_str(), expected);
        }
    }

    #[test]
    fn paths_stand_below_the_base_address() {
        let made = |base: &str, segments: &[&str]| {
            below(&Url::parse(base).unwrap(), segments.iter().copied()).to_string()
        };
        assert_eq!(
            made("http://x/v1", &["chat", "completions"]),
            "http://x/v1/chat/completions"
        );
        assert_eq!(made("http://x", &["models"]), "http://x/models");
        assert_eq!(
            made("http://x/v1/", &["models", "org/m?x"]),
            "http://x/v1/models/org%2Fm%3Fx"
        );
    }
}
