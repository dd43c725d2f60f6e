//! The keys of an identity provider: had from a file or an address, kept, and asked for anew in the background.
//!
//! What must stay true: keys that were had once stay until others are had, whatever the provider does in between; and no token makes the
//! gateway ask more often than it may.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use reqwest::{Certificate, Client, redirect};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use crate::config::{JwksSource, JwtAlgorithm, JwtConfig, PemFile, read_file};

/// The target of the lines here.
const LOG: &str = "witgate::identity";
/// The largest set of keys, in bytes.
const LARGEST: usize = 1 << 20;
/// The most keys of a provider.
const MOST: usize = 256;
/// How long a provider may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest time until a provider that failed is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// Why a provider's keys can't be had, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JwksError(String);

impl JwksError {
    fn of(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        JwksError(format!("{what}: {why}"))
    }
}

/// The keys of a provider.
#[derive(Debug)]
pub(super) struct Jwks {
    source: JwksSource,
    issuer: String,
    refresh: Duration,
    refetch: Duration,
    /// What was in `ca_file`.
    ca: Option<Vec<u8>>,
    /// `None` where they come from a file, which a reload reads.
    client: Option<Client>,
    held: ArcSwap<Held>,
    /// When it was asked the last time.
    asked: Mutex<Option<Instant>>,
}

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) keys: Vec<Key>,
    /// When they were had.
    pub(super) since: Option<SystemTime>,
    /// Why they couldn't be had again.
    pub(super) trouble: Option<JwksError>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    /// What it is for, where that is said.
    only: Option<JwtAlgorithm>,
    kind: Kind,
    pub(super) key: DecodingKey,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Key {
    /// Whether tokens may be signed with it in that way.
    pub(super) fn fits(&self, algorithm: JwtAlgorithm) -> bool {
        use JwtAlgorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
        let kind = match algorithm {
            RS256 | RS384 | RS512 | PS256 | PS384 | PS512 => Kind::Rsa,
            ES256 => Kind::P256,
            ES384 => Kind::P384,
            EdDSA => Kind::Ed25519,
        };
        self.kind == kind && self.only.is_none_or(|only| only == algorithm)
    }
}

impl Jwks {
    /// The keys of that provider; those that `previous` has, if they come from the same place. A provider that doesn't answer is asked
    /// again in the background.
    pub(super) async fn of(
        config: &JwtConfig,
        previous: Option<&Arc<Jwks>>,
    ) -> Result<Arc<Jwks>, JwksError> {
        let unusable = |error: &dyn std::error::Error| JwksError::of("ca_file", error);
        let ca = match &config.ca_file {
            Some(path) => Some(PemFile::read(path).map_err(|error| unusable(&error))?),
            None => None,
        };
        let bytes = ca.as_ref().map(|file| file.expose().to_vec());
        let mut held = Arc::default();
        if let Some(previous) = previous
            && previous.client.is_some()
            && previous.is_of(config, bytes.as_deref())
        {
            if (previous.refresh, previous.refetch) == (config.refresh, config.refetch) {
                return Ok(previous.clone());
            }
            held = previous.held();
        }
        let client = match &config.jwks {
            JwksSource::File(_) => None,
            JwksSource::Url(url) | JwksSource::Discovery(url) => {
                Some(client(url, ca.as_ref()).map_err(|error| JwksError::of(url, error))?)
            }
        };
        let jwks = Arc::new(Jwks {
            source: config.jwks.clone(),
            issuer: config.issuer.clone(),
            refresh: config.refresh,
            refetch: config.refetch,
            ca: bytes,
            client,
            held: ArcSwap::new(held),
            asked: Mutex::default(),
        });
        if let JwksSource::File(path) = &config.jwks {
            let read = read_file(path, LARGEST);
            let keys = read.map_err(|error| JwksError::of(path.display(), error));
            let keys = keys.and_then(|bytes| {
                keys_of(&bytes).map_err(|why| JwksError::of(path.display(), why))
            })?;
            jwks.keep(Ok(keys));
        } else {
            jwks.ask(Duration::ZERO).await;
            jwks.keep_fresh();
        }
        Ok(jwks)
    }

    fn is_of(&self, config: &JwtConfig, ca: Option<&[u8]>) -> bool {
        self.source == config.jwks && self.issuer == config.issuer && self.ca.as_deref() == ca
    }

    /// What is known now.
    pub(super) fn held(&self) -> Arc<Held> {
        self.held.load_full()
    }

    /// Asks because of a key that isn't known, unless that was done a moment ago. It goes on when whoever waits goes away.
    pub(super) async fn ask_for_unknown(self: &Arc<Self>) {
        if self.client.is_none() {
            return;
        }
        let jwks = self.clone();
        let asking = tokio::spawn(async move { jwks.ask(jwks.refetch).await });
        let _ = asking.await;
    }

    /// Asks, if the last time is as long ago as that. Who comes while it is asked waits for the same answer.
    async fn ask(&self, least: Duration) {
        let Some(client) = &self.client else {
            return;
        };
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < least) {
            return;
        }
        *asked = Some(Instant::now());
        let keys = fetch(client, &self.source, &self.issuer).await;
        // From now on it counts: whoever waited meanwhile doesn't ask once more, however long it took.
        *asked = Some(Instant::now());
        self.keep(keys);
    }

    fn keep(&self, keys: Result<Vec<Key>, JwksError>) {
        let before = self.held();
        let held = match keys {
            Ok(keys) => {
                if before.trouble.is_some() {
                    tracing::info!(target: LOG, issuer = %self.issuer, "the keys that tokens are checked with can be had again");
                }
                Held {
                    keys,
                    since: Some(SystemTime::now()),
                    trouble: None,
                }
            }
            Err(trouble) => {
                if before.trouble.as_ref() != Some(&trouble) {
                    let stands = match before.keys.is_empty() {
                        true => "until they can, no token lets anyone in",
                        false => "so the old ones stay",
                    };
                    tracing::error!(target: LOG, issuer = %self.issuer, "the keys that tokens are checked with can't be had, {stands}: {trouble}");
                }
                let mut held = Held {
                    trouble: Some(trouble),
                    since: before.since,
                    keys: Vec::new(),
                };
                held.keys.extend(before.keys.iter().map(Key::again));
                held
            }
        };
        self.held.store(Arc::new(held));
    }

    /// Asks in the background, for as long as somebody holds it.
    fn keep_fresh(self: &Arc<Self>) {
        let held = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                let Some(wait) = held.upgrade().map(|it| it.next()) else {
                    return;
                };
                tokio::time::sleep(wait).await;
                let Some(jwks) = held.upgrade() else {
                    return;
                };
                jwks.ask(Duration::ZERO).await;
            }
        });
    }

    fn next(&self) -> Duration {
        match self.held.load().trouble {
            Some(_) => self.refresh.min(AGAIN),
            None => self.refresh,
        }
    }
}

impl Key {
    fn again(&self) -> Key {
        Key {
            id: self.id.clone(),
            only: self.only,
            kind: self.kind,
            key: self.key.clone(),
        }
    }
}

fn client(url: &Url, ca: Option<&PemFile>) -> Result<Client, Box<dyn std::error::Error>> {
    let mut builder = Client::builder()
        .user_agent(concat!("witgate/", env!("CARGO_PKG_VERSION")))
        .timeout(TIMEOUT)
        // It would lead to where nobody allowed keys to come from.
        .redirect(redirect::Policy::none())
        .referer(false);
    if url.scheme() == "http" {
        builder = builder.no_proxy();
    }
    if let Some(ca) = ca {
        builder = builder.tls_built_in_root_certs(false);
        for root in ca.certificates()? {
            builder = builder.add_root_certificate(Certificate::from_der(&root)?);
        }
    }
    Ok(builder.build()?)
}

async fn fetch(client: &Client, source: &JwksSource, issuer: &str) -> Result<Vec<Key>, JwksError> {
    let address = match source {
        JwksSource::Url(url) => url.clone(),
        JwksSource::Discovery(url) => discover(client, url, issuer).await?,
        JwksSource::File(_) => return Err(JwksError("a file isn't asked for".to_owned())),
    };
    let body = get(client, &address).await?;
    keys_of(&body).map_err(|why| JwksError::of(&address, why))
}

/// The address of the keys, by the provider's discovery document. It must be the issuer's own.
async fn discover(client: &Client, url: &Url, issuer: &str) -> Result<Url, JwksError> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }
    let body = get(client, url).await?;
    let document: Document = serde_json::from_slice(&body).map_err(|_| {
        JwksError::of(
            url,
            "this is no discovery document with `issuer` and `jwks_uri`",
        )
    })?;
    if document.issuer != issuer {
        let why = "its `issuer` isn't the configured one, to the letter";
        return Err(JwksError::of(url, why));
    }
    JwksSource::address(&document.jwks_uri)
        .map_err(|why| JwksError::of(url, format!("its `jwks_uri` can't be used: {why}")))
}

async fn get(client: &Client, url: &Url) -> Result<Vec<u8>, JwksError> {
    let unreachable = |error: reqwest::Error| {
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        JwksError::of(url, cause)
    };
    let mut answer = client.get(url.clone()).send().await.map_err(unreachable)?;
    if !answer.status().is_success() {
        let why = format!("it answers {}", answer.status().as_u16());
        return Err(JwksError::of(url, why));
    }
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
        if bytes.len() + piece.len() > LARGEST {
            return Err(JwksError::of(url, "it says more than any set of keys has"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

/// The keys of a set that signatures can be checked with. What else is in it is left out: symmetric keys, those for encryption, and what
/// can't be read.
fn keys_of(bytes: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(bytes)
        .map_err(|_| "this is no set of keys: a JSON object with `keys`".to_owned())?;
    if set.keys.len() > MOST {
        return Err(format!("it has more than {MOST} keys"));
    }
    let keys: Vec<Key> = set.keys.into_iter().filter_map(key).collect();
    if keys.is_empty() {
        return Err("it has no key that a signature can be checked with".to_owned());
    }
    Ok(keys)
}

fn key(value: Value) -> Option<Key> {
    let only = match value.get("alg") {
        None | Some(Value::Null) => None,
        Some(named) => {
            let mut all = JwtAlgorithm::ALL.iter();
            Some(all.find(|(name, _)| named == name)?.1)
        }
    };
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let for_signatures = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    let kind = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Kind::Rsa,
        AlgorithmParameters::EllipticCurve(curve) => match curve.curve {
            EllipticCurve::P256 => Kind::P256,
            EllipticCurve::P384 => Kind::P384,
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            Kind::Ed25519
        }
        _ => return None,
    };
    Some(Key {
        key: DecodingKey::from_jwk(&jwk)
            .ok()
            .filter(|_| for_signatures)?,
        id: jwk.common.key_id,
        only,
        kind,
    })
}
