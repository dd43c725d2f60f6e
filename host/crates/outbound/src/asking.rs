//! A call, sent: to a host that is named, with its credentials, within a time and a size.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, SET_COOKIE,
};
use reqwest::{Client, Method, redirect};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::{Host, Url};
use witgate_config::{HttpConfig, HttpHost, Secret, SecretError};
use witgate_metrics::{HttpOutcome, StageMetrics};
use witgate_own_secret::OwnSecret;

use super::addresses::{NotPublic, Resolver, is_public};
use super::checks::{Checked, check, is_at};
use super::{Call, NoReply, Reply};

/// How long an idle connection is kept, as to targets.
const IDLE: Duration = Duration::from_secs(4);
/// Headers of a reply that a policy is shown, and bytes of all of them.
const HEADERS: usize = 64;
const HEADER_BYTES: usize = 16 << 10;

/// What a stage may ask, and whom. Clones share connections and the count of what is asked at once.
#[derive(Clone)]
pub struct Outbound(Arc<Inner>);

struct Inner {
    config: HttpConfig,
    hosts: Vec<Asked>,
    /// For hosts that may be at any address, and for the others: a name may be one of each.
    to_private: Client,
    to_public: Client,
    slots: Semaphore,
    metrics: Arc<StageMetrics>,
    /// What it was made on. None: it was made to be looked at.
    runtime: Option<Handle>,
}

/// A host that may be asked, and what is shown to it.
struct Asked {
    host: HttpHost,
    secret: Option<Secret>,
    shown: Option<(HeaderName, HeaderValue)>,
    own: OwnSecret,
}

/// Why a stage can't have the grant as it is configured.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// A secret can't be read.
    #[error("the grant `http`, {url}: {cause}")]
    Secret {
        /// Of which host.
        url: String,
        /// Why.
        #[source]
        cause: SecretError,
    },
    /// A secret that no header can have.
    #[error("the grant `http`, {url}: its secret can't stand in a header")]
    NotAHeader {
        /// Of which host.
        url: String,
    },
    /// There are no connections to be made.
    #[error("the grant `http`: no connections can be made: {0}")]
    Client(#[source] reqwest::Error),
}

/// Makes the connections, to any addresses or to public ones alone.
fn client(private: bool) -> reqwest::Result<Client> {
    Client::builder()
        .user_agent(concat!("witgate/", env!("CARGO_PKG_VERSION")))
        .pool_idle_timeout(IDLE)
        // A redirect would carry the credentials, and the text, to where nobody allowed them to go.
        .redirect(redirect::Policy::none())
        .referer(false)
        // A proxy would look the name up itself.
        .no_proxy()
        .dns_resolver(Arc::new(Resolver { private }))
        .build()
}

impl Outbound {
    /// Reads the secrets: not for a runtime worker.
    ///
    /// # Errors
    /// Where a secret can't be had or can't be shown.
    pub fn new(config: &HttpConfig, metrics: Arc<StageMetrics>) -> Result<Self, OutboundError> {
        let hosts = config.hosts.iter().map(Asked::new);
        let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
        let client = |private| client(private).map_err(OutboundError::Client);
        Ok(Outbound(Arc::new(Inner {
            slots: Semaphore::new(config.at_once as usize),
            config: config.clone(),
            hosts,
            to_private: client(true)?,
            to_public: client(false)?,
            metrics,
            runtime: Handle::try_current().ok(),
        })))
    }

    /// What it was made of.
    pub fn config(&self) -> &HttpConfig {
        &self.0.config
    }

    /// Asks, and counts what came of it.
    ///
    /// # Errors
    /// Where it may not be asked, or there is no reply that a policy may see.
    pub async fn send(&self, call: Call) -> Result<Reply, NoReply> {
        let came = self.ask_at_home(call).await;
        self.0.metrics.asked(match &came {
            Ok(_) => HttpOutcome::Replied,
            Err(NoReply::Refused(_)) => HttpOutcome::Refused,
            Err(NoReply::Late(_)) => HttpOutcome::Late,
            Err(NoReply::TooLarge(_)) => HttpOutcome::TooLarge,
            Err(NoReply::Failed(_)) => HttpOutcome::Failed,
        });
        came
    }

    /// Asks on the runtime that it was made on, wherever the policy runs. A connection lives where it was made, and is kept for others: on the threads that
    /// large requests have, small ones would wait for these.
    async fn ask_at_home(&self, call: Call) -> Result<Reply, NoReply> {
        let Some(runtime) = &self.0.runtime else {
            return self.ask(call).await;
        };
        let this = self.clone();
        // Dropped, it asks no more.
        let mut asking = JoinSet::new();
        asking.spawn_on(async move { this.ask(call).await }, runtime);
        match asking.join_next().await {
            Some(Ok(came)) => came,
            Some(Err(broken)) if broken.is_panic() => {
                std::panic::resume_unwind(broken.into_panic())
            }
            _ => Err(NoReply::Failed("the gateway stops".into())),
        }
    }

    async fn ask(&self, call: Call) -> Result<Reply, NoReply> {
        let Inner { config, hosts, .. } = &*self.0;
        let checked = check(&call)?;
        let Some(asked) = hosts.iter().find(|it| is_at(&checked.url, &it.host)) else {
            return Err(NoReply::refused(format!(
                "the grant `http` of this stage doesn't name {}",
                shown(&checked)
            )));
        };
        if call.body.len() as u64 > config.max_request {
            return Err(NoReply::refused(format!(
                "the body has more than {} bytes, which is the grant's `max_request`",
                config.max_request
            )));
        }
        if !asked.host.private && !names_public(&asked.host.url) {
            return Err(NoReply::refused(NotPublic.to_string()));
        }
        let wanted = Duration::from_millis(call.timeout_ms.into());
        let time = match wanted {
            Duration::ZERO => config.timeout,
            wanted => wanted.min(config.timeout),
        };
        // Waiting for a slot is waiting for the reply.
        match timeout(time, self.exchange(asked, checked, call.body)).await {
            Ok(came) => came,
            Err(_) => Err(NoReply::Late(time.as_millis())),
        }
    }

    async fn exchange(
        &self,
        asked: &Asked,
        checked: Checked,
        body: Vec<u8>,
    ) -> Result<Reply, NoReply> {
        let Inner {
            to_private,
            to_public,
            slots,
            config,
            ..
        } = &*self.0;
        let _slot = slots.acquire().await.expect("it is never closed");
        let Checked {
            method,
            url,
            mut headers,
        } = checked;
        if let Some((name, value)) = asked.shown.clone() {
            headers.insert(name, value);
        }
        let is_head = method == Method::HEAD;
        let client = if asked.host.private {
            to_private
        } else {
            to_public
        };
        let mut request = client.request(method, url).headers(headers);
        if !body.is_empty() {
            request = request.body(body);
        }
        let mut answer = request.send().await.map_err(|error| unreachable(&error))?;
        let status = answer.status().as_u16();
        let coding = answer.headers().get(CONTENT_ENCODING);
        if coding.is_some_and(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(NoReply::Failed(
                "the reply is compressed, which it wasn't asked to be".into(),
            ));
        }
        let too_large = || NoReply::TooLarge(config.max_reply);
        if answer
            .content_length()
            .is_some_and(|length| !is_head && length > config.max_reply)
        {
            return Err(too_large());
        }
        let headers = asked.readable(answer.headers());
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if (body.len() + piece.len()) as u64 > config.max_reply {
                return Err(too_large());
            }
            body.extend_from_slice(&piece);
        }
        if asked.own.is_in(&body) {
            return Err(NoReply::Failed(
                "the reply repeats the credentials that it was shown, so it isn't handed over"
                    .into(),
            ));
        }
        Ok(Reply {
            status,
            headers,
            body,
        })
    }
}

impl Asked {
    fn new(host: &HttpHost) -> Result<Self, OutboundError> {
        let url = || host.url.to_string();
        let secret = host.secret.as_ref().map(|secret| secret.read());
        let secret = secret
            .transpose()
            .map_err(|cause| OutboundError::Secret { url: url(), cause })?;
        let shown = secret.as_ref().map(|secret| {
            let (name, text) = match &host.secret_header {
                None => (Ok(AUTHORIZATION), format!("Bearer {}", secret.expose())),
                Some(name) => (HeaderName::try_from(&**name), secret.expose().to_owned()),
            };
            let mut value = HeaderValue::try_from(text).ok()?;
            value.set_sensitive(true);
            Some((name.ok()?, value))
        });
        if matches!(shown, Some(None)) {
            return Err(OutboundError::NotAHeader { url: url() });
        }
        Ok(Asked {
            host: host.clone(),
            own: OwnSecret::of(secret.iter().map(Secret::expose)),
            shown: shown.flatten(),
            secret,
        })
    }

    /// The headers of a reply that a policy is shown: none that has the credentials in it, and no cookie.
    fn readable(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let mut left = HEADER_BYTES;
        let mut shown = Vec::new();
        for (name, value) in headers {
            let bytes = name.as_str().len() + value.len();
            let Ok(text) = value.to_str() else { continue };
            let hidden =
                [SET_COOKIE, CONTENT_LENGTH].contains(name) || self.own.is_in(value.as_bytes());
            if hidden || bytes > left || shown.len() >= HEADERS {
                continue;
            }
            left -= bytes;
            shown.push((name.as_str().to_owned(), text.to_owned()));
        }
        shown
    }
}

/// A host, as a sentence may name it.
fn shown(checked: &Checked) -> String {
    let url = &checked.url;
    let host = url.host_str().unwrap_or_default();
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// The innermost cause says what was wrong, and no more than that: not to where a name led.
fn unreachable(error: &reqwest::Error) -> NoReply {
    let mut cause = error.source();
    while let Some(it) = cause {
        if it.is::<NotPublic>() {
            return NoReply::Refused(NotPublic.to_string());
        }
        cause = it.source();
    }
    let what = if error.is_connect() {
        "it can't be reached"
    } else {
        "the connection broke off, or what came is no HTTP"
    };
    NoReply::Failed(what.into())
}

/// An address in a name's place isn't looked up, so it is looked at here.
fn names_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        _ => true,
    }
}

/// The same hosts with the same secrets: what is asked with one is what is asked with the other.
impl PartialEq for Outbound {
    fn eq(&self, other: &Outbound) -> bool {
        let secrets = |it: &Outbound| -> Vec<Option<String>> {
            let hosts = it.0.hosts.iter();
            hosts
                .map(|host| host.secret.as_ref().map(|it| it.expose().to_owned()))
                .collect()
        };
        self.0.config == other.0.config && secrets(self) == secrets(other)
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outbound").field(&self.0.config).finish()
    }
}

#[cfg(test)]
mod tests;
