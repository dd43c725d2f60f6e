//! The grant `http`: whom a stage may ask, with which credentials, and how much of it.

use super::fields::{Field, Fields};
use super::secret::{self, SecretRef};
use super::targets;
use super::tree::Node;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// What a stage may ask of others over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConfig {
    /// Whom it may ask. One at least.
    pub hosts: Vec<HttpHost>,
    /// The longest wait for all of a reply.
    pub timeout: Duration,
    /// The most bytes of a request's body.
    pub max_request: u64,
    /// The most bytes of a reply's body.
    pub max_reply: u64,
    /// Requests in an exchange.
    pub calls: u32,
    /// Requests at once, of all exchanges. Further ones wait.
    pub at_once: u32,
}

impl HttpConfig {
    /// What is asked of these hosts where nothing more is said.
    pub fn of(hosts: Vec<HttpHost>) -> Self {
        HttpConfig {
            hosts,
            timeout: Duration::from_secs(2),
            max_request: 256 << 10,
            max_reply: 256 << 10,
            calls: 256,
            at_once: 32,
        }
    }
}

/// One that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpHost {
    /// Scheme, name, port, and the path at or below which it may be asked.
    pub url: Url,
    /// It may be at an address that isn't public: this machine's, or this network's.
    pub private: bool,
    /// What is shown to it.
    pub secret: Option<SecretRef>,
    /// The header in which that stands as it is. `None`: `authorization`, as a bearer's.
    pub secret_header: Option<String>,
}

/// The most hosts of a stage.
const MOST: usize = 16;

/// What to write, where something else stands.
const EXAMPLE: &str =
    "`{http: {hosts: [{url: https://api.example.com, secret_key_ref: {env: NAME}}]}}`";

/// `http` alone stands among the grants.
pub(super) fn needs_hosts(field: &Field<'_>) {
    field.problem(format!(
        "the grant `http` names the hosts that may be asked: {EXAMPLE}"
    ));
}

/// Reads `{http: {hosts: [...]}}`, an entry of the grants.
pub(super) fn entry(field: &Field<'_>, base: &Path) -> Option<HttpConfig> {
    let fields = field.fields(&["http"])?;
    let http = fields.required("http")?;
    if !matches!(http.node, Node::Map(_)) {
        needs_hosts(http);
        return None;
    }
    let fields = http.fields(&[
        "hosts",
        "timeout",
        "max_request",
        "max_reply",
        "calls",
        "at_once",
    ])?;
    let list = fields.required("hosts")?;
    let items = list.items_up_to(MOST)?;
    if items.is_empty() {
        needs_hosts(list);
        return None;
    }
    let mut hosts: Vec<HttpHost> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        match host(item, base) {
            Some(host) if hosts.iter().any(|known| known.url == host.url) => {
                item.problem(format!("{} is named already", host.url));
                complete = false;
            }
            Some(host) => hosts.push(host),
            None => complete = false,
        }
    }
    let usual = HttpConfig::of(hosts);
    let size = |key, default| match fields.get(key) {
        Some(field) => field.size(1..=4 << 20),
        None => Some(default),
    };
    let number = |key, default: u32, most| match fields.get(key) {
        Some(field) => field
            .integer(1..=most)
            .and_then(|it| u32::try_from(it).ok()),
        None => Some(default),
    };
    let timeout = match fields.get("timeout") {
        Some(field) => field.duration(Duration::from_millis(1)..=Duration::from_secs(60)),
        None => Some(usual.timeout),
    };
    let max_request = size("max_request", usual.max_request);
    let max_reply = size("max_reply", usual.max_reply);
    let calls = number("calls", usual.calls, 1024);
    let at_once = number("at_once", usual.at_once, 4096);
    let config = HttpConfig {
        timeout: timeout?,
        max_request: max_request?,
        max_reply: max_reply?,
        calls: calls?,
        at_once: at_once?,
        hosts: usual.hosts,
    };
    complete.then_some(config)
}

fn host(field: &Field<'_>, base: &Path) -> Option<HttpHost> {
    if let Node::Text(_) = field.node {
        return Some(HttpHost {
            url: targets::plain_address(field)?,
            private: false,
            secret: None,
            secret_header: None,
        });
    }
    let fields = field.fields(&["url", "private", "secret_key_ref", "secret_header"])?;
    let url = fields.required("url").and_then(targets::plain_address);
    let private = match fields.get("private") {
        Some(field) => field.boolean(),
        None => Some(false),
    };
    let secret = match fields.get("secret_key_ref") {
        Some(field) => secret::reference(field, "secret_key_ref", base).map(Some),
        None => Some(None),
    };
    let header = match fields.get("secret_header") {
        Some(field) => header(field, &fields).map(Some),
        None => Some(None),
    };
    Some(HttpHost {
        url: url?,
        private: private?,
        secret: secret?,
        secret_header: header?,
    })
}

/// The name of a header for a secret: none that says how the request is to be read.
fn header(field: &Field<'_>, host: &Fields<'_>) -> Option<String> {
    let name = field.text_within(1..=64)?.to_ascii_lowercase();
    let plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let taken = [
        "host",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    if !plain || taken.contains(&&*name) {
        field.problem(
            "expected the name of a header that a secret may stand in, such as `x-api-key`",
        );
        return None;
    }
    if host.get("secret_key_ref").is_none() {
        field.problem("there is no secret to stand in it; add `secret_key_ref: {env: NAME}`, or leave this out");
        return None;
    }
    Some(name)
}
