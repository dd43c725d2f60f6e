//! Who sent a request, found by the key it carries.
//!
//! What must stay true: the time a check takes says nothing of how close a guess was, nor which key it was close to.
//! So keys are kept and compared as digests of one length, and the comparison goes on to the last key after one has matched.

use std::fmt;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::{ConditionallySelectable, ConstantTimeEq};

use super::error::ApiError;
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
}

impl From<Unauthorized> for ApiError {
    fn from(why: Unauthorized) -> Self {
        let code = match why {
            Unauthorized::Missing => "missing_api_key",
            Unauthorized::Wrong => "wrong_api_key",
        };
        let kind = "invalid_request_error";
        let message = why.to_string();
        Self::new(StatusCode::UNAUTHORIZED, kind, code, message).param("api_key")
    }
}

impl IntoResponse for Unauthorized {
    fn into_response(self) -> Response {
        let mut response = ApiError::from(self).into_response();
        let bearer = HeaderValue::from_static("Bearer");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, bearer);
        response
    }
}

/// The keys of the configured clients, as digests. Built once for each configuration.
#[derive(Clone, Default)]
pub struct Keys {
    clients: Vec<(Caller, [u8; 32])>,
}

impl Keys {
    /// Each client with its key. Without any client every request is let in, as anonymous. Only digests of the keys are kept.
    pub fn new<'a>(clients: impl IntoIterator<Item = (Caller, &'a str)>) -> Self {
        let digested = clients
            .into_iter()
            .map(|(client, key)| (client, Sha256::digest(key).into()));
        let mut clients: Vec<(Caller, [u8; 32])> = digested.collect();
        if let [(only, _)] = &mut clients[..] {
            only.alone = true;
        }
        Self { clients }
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
        for presented in [bearer(headers), x_api_key(headers)].into_iter().flatten() {
            if let Some(client) = self.find(presented) {
                return Ok(client.clone());
            }
            why = Unauthorized::Wrong;
        }
        Err(why)
    }

    fn find(&self, presented: &[u8]) -> Option<&Caller> {
        let presented: [u8; 32] = Sha256::digest(presented).into();
        let mut found = u64::MAX;
        for (at, (_, digest)) in (0_u64..).zip(&self.clients) {
            found.conditional_assign(&at, digest.ct_eq(&presented));
        }
        let client = self.clients.get(usize::try_from(found).ok()?)?;
        Some(&client.0)
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = self
            .clients
            .iter()
            .filter_map(|(client, _)| client.principal.as_ref());
        f.debug_list().entries(ids).finish()
    }
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

    use http::HeaderName;

    use super::*;

    fn keys() -> Keys {
        Keys::new([
            (Caller::named("team-a"), "key-a"),
            (Caller::named("team-b"), "key-b"),
        ])
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
    fn a_refusal_is_a_401_that_names_the_headers() {
        let response = Unauthorized::Missing.into_response();
        assert_eq!(response.status(), 401);
        assert_eq!(response.headers()[header::WWW_AUTHENTICATE], "Bearer");
        let error = ApiError::from(Unauthorized::Wrong);
        assert_eq!((&*error.code, &*error.param), ("wrong_api_key", "api_key"));
    }
}
