//! Who sent a request, found by the key it carries.
//!
//! What must stay true: the time a check takes says nothing of how close a guess was, nor which key it was close to.
//! So keys are kept and compared as digests of one length, and the comparison goes on to the last key after one has matched.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::error::ApiError;
use super::glob;
use super::headers::API_KEY;

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// The id of the client whose key it carried. `None` where no clients are configured.
    pub principal: Option<Arc<str>>,
    /// The team that the client belongs to, where one is known.
    pub team: Option<Arc<str>>,
    /// The client's roles.
    pub roles: Arc<[String]>,
    /// The models that it may ask for, as patterns. `None`: any.
    pub models: Option<Arc<[String]>>,
    /// Whether no other client is configured.
    pub alone: bool,
}

impl Caller {
    /// A caller where no clients are configured.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// The client of that id, of whom no more is known.
    pub fn named(id: &str) -> Self {
        Self {
            principal: Some(id.into()),
            ..Self::default()
        }
    }

    /// Whether it may ask for that model.
    ///
    /// # Errors
    ///
    /// What it is told.
    pub fn may_ask(&self, model: &str) -> Result<(), ApiError> {
        let Some(models) = &self.models else {
            return Ok(());
        };
        if models.iter().any(|pattern| glob::matches(pattern, model)) {
            return Ok(());
        }
        let message = "Your key may not ask for this model. `GET /v1/models` says which models there are, and whoever runs this gateway \
                       which of them your key is for.";
        let (status, kind) = (StatusCode::FORBIDDEN, "permission_error");
        Err(ApiError::new(status, kind, "model_not_allowed", message).param("model"))
    }
}

/// Why a request was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unauthorized {
    /// There was no key.
    #[error(
        "This gateway wants a key: send it as `Authorization: Bearer <key>` or as `x-api-key: <key>`."
    )]
    Missing,
    /// There was a key, and it belongs to no client.
    #[error(
        "This key is none of this gateway's clients' keys. A key of the upstream's is not one of them."
    )]
    Wrong,
    /// The client's time is over.
    #[error("This key has expired. Ask whoever runs this gateway for a new one.")]
    Expired,
    /// The client is switched off.
    #[error("This key is switched off. Ask whoever runs this gateway.")]
    Disabled,
    /// There was a token, and a check failed.
    #[error("{0}")]
    Token(#[from] BadToken),
}

/// Which check a token failed. Nothing of the token is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// Larger than any token should be.
    #[error("This token is larger than the 16 KiB that this gateway reads.")]
    TooLarge,
    /// No token at all.
    #[error("This is no JSON Web Token that can be read.")]
    Malformed,
    /// `alg` is `none`, symmetric, or not among the configured.
    #[error("This token is signed by an algorithm (`alg`) that this gateway doesn't take.")]
    Algorithm,
    /// `alg` isn't what the key is for.
    #[error("This token's algorithm (`alg`) isn't the one that its key is for.")]
    KeyAlgorithm,
    /// `kid` is none of the provider's.
    #[error("This token names a key (`kid`) that its provider doesn't have.")]
    UnknownKey,
    /// There is no `kid`, and several keys could be meant.
    #[error("This token names no key (`kid`), and its provider has several.")]
    NoKey,
    /// The signature isn't that key's.
    #[error("This token's signature is wrong.")]
    Signature,
    /// Past `exp`.
    #[error("This token has expired (`exp`).")]
    Expired,
    /// Before `nbf`.
    #[error("This token isn't valid yet (`nbf`).")]
    NotYet,
    /// `iss` is another.
    #[error("This token's issuer (`iss`) isn't the one that this gateway takes tokens of.")]
    Issuer,
    /// `aud` is another.
    #[error("This token is for somebody else: its audience (`aud`) isn't this gateway's.")]
    Audience,
    /// A claim isn't there.
    #[error("This token has no claim for {0}.")]
    MissingClaim(&'static str),
    /// A claim can't be read.
    #[error("This token's claim for {0} isn't of the form that this gateway reads.")]
    WrongClaim(&'static str),
    /// The principal is the id of a client with a key.
    #[error("This token's principal is the id of a client that has a key, and whose it isn't.")]
    Taken,
    /// There are no keys to check it with.
    #[error("This gateway can't have the keys of this token's provider now. Try again later.")]
    NoKeys,
}

impl BadToken {
    fn code(self) -> &'static str {
        match self {
            BadToken::TooLarge => "token_too_large",
            BadToken::Malformed => "token_malformed",
            BadToken::Algorithm => "token_wrong_algorithm",
            BadToken::KeyAlgorithm => "token_wrong_algorithm_for_key",
            BadToken::UnknownKey => "token_unknown_key",
            BadToken::NoKey => "token_without_key",
            BadToken::Signature => "token_wrong_signature",
            BadToken::Expired => "token_expired",
            BadToken::NotYet => "token_not_yet_valid",
            BadToken::Issuer => "token_wrong_issuer",
            BadToken::Audience => "token_wrong_audience",
            BadToken::MissingClaim(_) => "token_claim_missing",
            BadToken::WrongClaim(_) => "token_wrong_claim",
            BadToken::Taken => "token_principal_taken",
            BadToken::NoKeys => "token_keys_unavailable",
        }
    }
}

impl From<Unauthorized> for ApiError {
    fn from(why: Unauthorized) -> Self {
        let code = match why {
            Unauthorized::Missing => "missing_api_key",
            Unauthorized::Wrong => "wrong_api_key",
            Unauthorized::Expired => "expired_api_key",
            Unauthorized::Disabled => "disabled_api_key",
            Unauthorized::Token(bad) => bad.code(),
        };
        let message = why.to_string();
        if why == Unauthorized::Token(BadToken::NoKeys) {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            return Self::new(status, "unavailable", code, message).retry_after(5);
        }
        let kind = "invalid_request_error";
        Self::new(StatusCode::UNAUTHORIZED, kind, code, message).param("api_key")
    }
}

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        let mut response = ApiError::from(self).into_response();
        if response.status() == StatusCode::UNAUTHORIZED {
            let bearer = match self {
                Unauthorized::Token(_) => "Bearer error=\"invalid_token\"",
                _ => "Bearer",
            };
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
        }
        response
    }
}

/// A client, and what is known of its key.
#[derive(Clone)]
pub struct Client {
    /// Who it is.
    pub caller: Caller,
    /// The key's SHA-256.
    pub digest: [u8; 32],
    /// From when on it isn't let in.
    pub expires: Option<SystemTime>,
    /// Whether it is let in at all.
    pub enabled: bool,
}

impl Client {
    /// The client with that key. Only a digest of the key is kept.
    pub fn with_key(caller: Caller, key: &str) -> Self {
        Self {
            caller,
            digest: Sha256::digest(key).into(),
            expires: None,
            enabled: true,
        }
    }
}

/// The keys of the configured clients, as digests. Built once for each configuration.
#[derive(Clone, Default)]
pub struct Keys {
    clients: Vec<Client>,
}

impl Keys {
    /// Without any client every request is let in, as anonymous.
    pub fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        let mut clients: Vec<Client> = clients.into_iter().collect();
        if let [only] = &mut clients[..] {
            only.caller.alone = true;
        }
        Self { clients }
    }

    /// The same, where others are let in by something else than a key.
    pub fn beside_others(mut self) -> Self {
        for client in &mut self.clients {
            client.caller.alone = false;
        }
        self
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty()
    }

    /// Whether one of the clients has that id.
    pub fn has(&self, id: &str) -> bool {
        let mut ids = self.clients.iter().map(|client| &client.caller.principal);
        ids.any(|known| known.as_deref() == Some(id))
    }

    /// Finds the client whose key the request carries, in `Authorization: Bearer` or in `x-api-key`.
    ///
    /// # Errors
    ///
    /// There are clients, and the request carries no key of theirs. Where it has both headers, one good key is enough, because
    /// SDKs send a placeholder in the header that wasn't set.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        if self.clients.is_empty() {
            return Ok(Caller::anonymous());
        }
        let mut why = Unauthorized::Missing;
        for key in presented(headers) {
            match self.client(key, SystemTime::now()) {
                Some(Ok(caller)) => return Ok(caller),
                Some(Err(other)) => why = other,
                None if why == Unauthorized::Missing => why = Unauthorized::Wrong,
                None => {}
            }
        }
        Err(why)
    }

    /// The client whose key this is. `Err`: it isn't let in now. `None`: it is nobody's.
    pub fn client(&self, key: &[u8], now: SystemTime) -> Option<Result<Caller, Unauthorized>> {
        let key: [u8; 32] = Sha256::digest(key).into();
        let mut found = u64::MAX;
        for (at, client) in (0_u64..).zip(&self.clients) {
            found.conditional_assign(&at, client.digest.ct_eq(&key));
        }
        let client = self.clients.get(usize::try_from(found).ok()?)?;
        Some(if !client.enabled {
            Err(Unauthorized::Disabled)
        } else if client.expires.is_some_and(|expires| expires <= now) {
            Err(Unauthorized::Expired)
        } else {
            Ok(client.caller.clone())
        })
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clients = self.clients.iter();
        let ids = clients.filter_map(|client| client.caller.principal.as_ref());
        f.debug_list().entries(ids).finish()
    }
}

/// What a request shows to be let in: in `Authorization: Bearer` and in `x-api-key`.
pub fn presented(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    [bearer(headers), x_api_key(headers)].into_iter().flatten()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked("bearer ".len())?;
    let key = key.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"bearer ") && !key.is_empty()).then_some(key)
}

fn x_api_key(headers: &HeaderMap) -> Option<&[u8]> {
    let key = headers.get(API_KEY)?.as_bytes().trim_ascii();
    (!key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::time::Duration;

    use http::HeaderName;

    use super::*;

    fn keys() -> Keys {
        Keys::new(["a", "b"].map(|name| {
            let caller = Caller::named(&format!("team-{name}"));
            Client::with_key(caller, &format!("key-{name}"))
        }))
    }

    fn ask(keys: &Keys, headers: &[(&str, &str)]) -> Result<Option<String>, Unauthorized> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let caller = keys.authenticate(&map)?;
        Ok(caller.principal.map(|id| id.to_string()))
    }

    #[test]
    fn a_key_is_its_clients_and_nothing_else_is() {
        let (a, b) = (Ok(Some("team-a".to_owned())), Ok(Some("team-b".to_owned())));
        let (missing, wrong) = (Err(Unauthorized::Missing), Err(Unauthorized::Wrong));
        type Case<'a> = (
            &'a [(&'a str, &'a str)],
            &'a Result<Option<String>, Unauthorized>,
        );
        let table: &[Case<'_>] = &[
            (&[("authorization", "Bearer key-a")], &a),
            (&[("authorization", "bearer   key-b ")], &b),
            (&[("x-api-key", "key-b")], &b),
            (
                &[("authorization", "Bearer unused"), ("x-api-key", "key-a")],
                &a,
            ),
            (
                &[("authorization", "Bearer key-a"), ("x-api-key", "none")],
                &a,
            ),
            (&[], &missing),
            (&[("authorization", "Bearer ")], &missing),
            (&[("authorization", "Bearer")], &missing),
            (&[("authorization", "Basic key-a")], &missing),
            (&[("x-api-key", "")], &missing),
            (&[("authorization", "Bearer key-")], &wrong),
            (&[("authorization", "Bearer key-aa")], &wrong),
            (&[("authorization", "Bearer KEY-A")], &wrong),
            (&[("x-api-key", "team-a")], &wrong),
        ];
        let keys = keys();
        for (headers, expected) in table {
            assert_eq!(&ask(&keys, headers), *expected, "{headers:?}");
        }
    }

    #[test]
    fn without_clients_everyone_is_anonymous() {
        let keys = Keys::default();
        assert_eq!(ask(&keys, &[]), Ok(None));
        assert_eq!(ask(&keys, &[("authorization", "Bearer any")]), Ok(None));
    }

    #[test]
    fn keys_do_not_show() {
        assert_eq!(format!("{:?}", keys()), r#"["team-a", "team-b"]"#);
    }

    #[test]
    fn a_key_that_is_off_or_over_lets_nobody_in_and_says_so() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut client = Client::with_key(Caller::named("team-a"), "key-a");
        let ask = |client: &Client| {
            let found = Keys::new([client.clone()]).client(b"key-a", now);
            found.unwrap().map(|caller| caller.principal.is_some())
        };
        client.expires = Some(now + Duration::from_secs(1));
        assert_eq!(ask(&client), Ok(true));
        client.expires = Some(now);
        assert_eq!(ask(&client), Err(Unauthorized::Expired));
        client.enabled = false;
        assert_eq!(ask(&client), Err(Unauthorized::Disabled));
    }

    #[test]
    fn a_client_with_models_may_ask_for_these_alone() {
        let mut caller = Caller::named("team-a");
        assert!(caller.may_ask("anything").is_ok());
        caller.models = Some(["llama*".to_owned(), "gpt-oss-120b".to_owned()].into());
        assert!(caller.may_ask("llama3.1-8b").is_ok() && caller.may_ask("gpt-oss-120b").is_ok());
        let error = caller.may_ask("gpt-oss-20b").unwrap_err();
        assert_eq!(
            (error.status.as_u16(), &*error.code),
            (403, "model_not_allowed")
        );
        caller.models = Some(Arc::default());
        assert!(caller.may_ask("llama3.1-8b").is_err());
    }

    #[test]
    fn a_refusal_is_a_401_that_names_the_headers() {
        let response = Unauthorized::Missing.into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let error = ApiError::from(Unauthorized::Wrong);
        assert_eq!((&*error.code, &*error.param), ("wrong_api_key", "api_key"));
    }
}
