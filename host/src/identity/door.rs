//! Finds who sent a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::admins::Admins;
use super::jwks::JwksError;
use super::tokens::{Tokens, looks_like_one};
use crate::api::{Caller, Client, Keys, Unauthorized, presented};
use crate::config::{AdminRole, AdminToken, ClientConfig, ClientKey, Config, SecretError};

/// Why it can't be told who asks.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A client's key, or a token of the admin listener, can't be read.
    #[error("{of}: {cause}")]
    Key {
        /// Whose: the section and the id.
        of: String,
        /// Why.
        #[source]
        cause: SecretError,
    },
    /// Two clients show the same.
    #[error(
        "clients.keys: `{one}` and `{other}` have the same key; with one key the two can't be told apart"
    )]
    SameKey {
        /// A client's id.
        one: String,
        /// Another's.
        other: String,
    },
    /// A token of the admin listener is another's, or a client's key.
    #[error(
        "admin.tokens: `{token}` is the same as {other}; the admin listener's tokens are each their own, and no client's key"
    )]
    SameToken {
        /// The token's id.
        token: String,
        /// Whose it is as well.
        other: String,
    },
    /// The keys of the provider of tokens can't be used.
    #[error("clients.jwt: {0}")]
    Jwks(#[from] JwksError),
}

/// Who may send requests, and who may use the admin listener, of one configuration.
#[derive(Debug, Default)]
pub struct Door {
    keys: Keys,
    tokens: Option<Tokens>,
    admins: Admins,
}

impl Door {
    /// Reads the clients' keys, and asks for the keys that tokens are checked with, unless `previous` has them. Blocks while files are read.
    ///
    /// # Errors
    /// A key or a file can't be read, or two clients have one key. A provider that doesn't answer is none: tokens are refused until it does.
    pub async fn build(config: &Config, previous: Option<&Door>) -> Result<Self, IdentityError> {
        let mut clients: Vec<Client> = Vec::with_capacity(config.clients.len());
        for client in &config.clients {
            let read = read(client)?;
            let same = |known: &&Client| known.digest == read.digest;
            if let Some(known) = clients.iter().find(same) {
                return Err(IdentityError::SameKey {
                    one: known
                        .caller
                        .principal
                        .as_deref()
                        .unwrap_or_default()
                        .to_owned(),
                    other: client.id.clone(),
                });
            }
            clients.push(read);
        }
        let admins = admins(&config.admin, &clients)?;
        let previous = previous.and_then(|previous| previous.tokens.as_ref());
        let tokens = match &config.jwt {
            Some(jwt) => Some(Tokens::build(jwt, previous).await?),
            None => None,
        };
        Ok(Door {
            keys: match tokens {
                Some(_) => Keys::new(clients).beside_others(),
                None => Keys::new(clients),
            },
            tokens,
            admins,
        })
    }

    /// Who may use the admin listener.
    pub fn admins(&self) -> &Admins {
        &self.admins
    }

    /// How it stands with the keys that tokens are checked with, where there are tokens.
    pub fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Finds who sent a request, by what it shows in `Authorization: Bearer` or in `x-api-key`. Without clients it is anyone. Of two headers
    /// one that is good is enough, because SDKs send a placeholder in the one that wasn't set.
    ///
    /// # Errors
    /// There are clients, and it is none of them.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Unauthorized> {
        let Some(tokens) = &self.tokens else {
            return self.keys.authenticate(headers);
        };
        let mut why = Unauthorized::Missing;
        for shown in presented(headers) {
            match self.keys.client(shown, SystemTime::now()) {
                Some(Ok(caller)) => return Ok(caller),
                Some(Err(other)) => why = other,
                None if looks_like_one(shown) => match tokens.caller(shown, &self.keys).await {
                    Ok(caller) => return Ok(caller),
                    Err(bad) => why = bad.into(),
                },
                None if why == Unauthorized::Missing => why = Unauthorized::Wrong,
                None => {}
            }
        }
        Err(why)
    }
}

fn read(client: &ClientConfig) -> Result<Client, IdentityError> {
    let ClientConfig {
        id,
        key,
        team,
        roles,
        models,
        expires,
        enabled,
    } = client;
    let caller = Caller {
        team: team.as_deref().map(Arc::from),
        roles: roles.clone().into(),
        models: models.clone().map(Arc::from),
        ..Caller::named(id)
    };
    let known = known(caller, key).map_err(|cause| IdentityError::Key {
        of: format!("clients.keys: `{id}`"),
        cause,
    })?;
    Ok(Client {
        expires: expires.map(moment),
        enabled: *enabled,
        ..known
    })
}

/// Whoever has that key.
fn known(caller: Caller, key: &ClientKey) -> Result<Client, SecretError> {
    Ok(match key {
        ClientKey::Hash(digest) => Client {
            digest: *digest,
            ..Client::with_key(caller, "")
        },
        ClientKey::Secret(secret) => Client::with_key(caller, secret.read()?.expose()),
    })
}

fn moment(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn admins(tokens: &[AdminToken], clients: &[Client]) -> Result<Admins, IdentityError> {
    let mut known_ones: Vec<Client> = Vec::with_capacity(tokens.len());
    let mut operators = Vec::new();
    for token in tokens {
        let AdminToken {
            id,
            key,
            role,
            expires,
        } = token;
        let read = known(Caller::named(id), key).map_err(|cause| IdentityError::Key {
            of: format!("admin.tokens: `{id}`"),
            cause,
        })?;
        let same = |known: &&Client| known.digest == read.digest;
        let of = |what: &str, known: &Client| {
            let id = known.caller.principal.as_deref().unwrap_or_default();
            format!("{what} `{id}`")
        };
        let other = known_ones.iter().find(same).map(|it| of("the token", it));
        let other = other.or_else(|| {
            let client = clients.iter().find(same);
            client.map(|it| of("the key of the client", it))
        });
        if let Some(other) = other {
            let token = id.clone();
            return Err(IdentityError::SameToken { token, other });
        }
        if *role == AdminRole::Operator {
            operators.push(id.clone());
        }
        known_ones.push(Client {
            expires: expires.map(moment),
            ..read
        });
    }
    Ok(Admins::new(Keys::new(known_ones), operators))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use std::path::Path;

    use http::header;

    use super::*;
    use crate::api::NotAdmitted;

    fn hash(key: &str) -> String {
        use sha2::{Digest as _, Sha256};
        let digest = Sha256::digest(key);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    async fn door(sections: &str) -> Result<Door, IdentityError> {
        let text = format!(
            "pack: {{name: t, version: 1.0.0, enabled: true}}\npolicies: {{chain: []}}\n{sections}"
        );
        let config = Config::parse(&text, "test", Path::new(".")).unwrap();
        Door::build(&config, None).await
    }

    #[tokio::test]
    async fn a_token_of_the_admin_side_is_good_for_its_role_and_its_time() {
        let sections = format!(
            "clients: {{keys: [{{id: ann, hash: \"sha256:{}\", roles: [operator]}}]}}\nadmin:\n  tokens:\n    \
             - {{id: eyes, hash: \"sha256:{}\", role: viewer}}\n    \
             - {{id: op, hash: \"sha256:{}\", role: operator}}\n    \
             - {{id: past, hash: \"sha256:{}\", role: operator, expires: 2001-01-01}}\n",
            hash("a-client"),
            hash("views"),
            hash("operates"),
            hash("operated"),
        );
        let door = door(&sections).await.unwrap();
        let admit = |shown: &str, role| {
            let bearer = format!("Bearer {shown}").parse().unwrap();
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
            door.admins().admit(&headers, role)
        };
        let (viewer, operator) = (AdminRole::Viewer, AdminRole::Operator);
        assert_eq!(admit("views", viewer), Ok(Some("eyes".into())));
        assert_eq!(admit("views", operator), Err(NotAdmitted::Viewer));
        assert_eq!(admit("operates", viewer), Ok(Some("op".into())));
        assert_eq!(admit("operates", operator), Ok(Some("op".into())));
        assert_eq!(admit("operated", viewer), Err(NotAdmitted::Expired));
        // A client is no admin, whatever its roles are called, and an admin no client.
        assert_eq!(admit("a-client", viewer), Err(NotAdmitted::Wrong));
        let bearer = "Bearer operates".parse().unwrap();
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
        assert_eq!(door.authenticate(&headers).await, Err(Unauthorized::Wrong));
        let nothing = HeaderMap::new();
        assert_eq!(
            door.admins().admit(&nothing, viewer),
            Err(NotAdmitted::Missing)
        );
        let open = Door::default();
        assert_eq!(open.admins().admit(&nothing, operator), Ok(None));
    }

    #[tokio::test]
    async fn a_token_of_the_admin_side_is_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "the-same").unwrap();
        let (file, hash) = (file.display(), hash("the-same"));
        for (sections, told) in [
            (
                format!(
                    "clients: {{keys: [{{id: ann, secret_ref: {{file: {file}}}}}]}}\nadmin: {{tokens: [{{id: op, hash: \"sha256:{hash}\", role: operator}}]}}\n"
                ),
                "the key of the client `ann`",
            ),
            (
                format!(
                    "admin: {{tokens: [{{id: eyes, secret_ref: {{file: {file}}}, role: viewer}}, {{id: op, hash: \"sha256:{hash}\", role: operator}}]}}\n"
                ),
                "the token `eyes`",
            ),
            (
                format!(
                    "admin: {{tokens: [{{id: op, secret_ref: {{file: {file}-gone}}, role: operator}}]}}\n"
                ),
                "admin.tokens: `op`",
            ),
        ] {
            let error = door(&sections).await.unwrap_err().to_string();
            assert!(
                error.contains(told) && !error.contains("the-same"),
                "{error}"
            );
        }
    }
}
