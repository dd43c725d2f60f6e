//! Finds who sent a request.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use super::jwks::JwksError;
use super::tokens::{Tokens, looks_like_one};
use crate::api::{Caller, Client, Keys, Unauthorized, presented};
use crate::config::{ClientConfig, ClientKey, Config, SecretError};

/// Why it can't be told who asks.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A client's key can't be read.
    #[error("clients.keys: `{client}`: {cause}")]
    Client {
        /// The client's id.
        client: String,
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
    /// The keys of the provider of tokens can't be used.
    #[error("clients.jwt: {0}")]
    Jwks(#[from] JwksError),
}

/// Who may send requests, of one configuration.
#[derive(Debug, Default)]
pub struct Door {
    keys: Keys,
    tokens: Option<Tokens>,
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
        })
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
    let known = match key {
        ClientKey::Hash(digest) => Client {
            digest: *digest,
            ..Client::with_key(caller, "")
        },
        ClientKey::Secret(secret) => {
            let secret = secret.read().map_err(|cause| IdentityError::Client {
                client: id.clone(),
                cause,
            })?;
            Client::with_key(caller, secret.expose())
        }
    };
    Ok(Client {
        expires: expires.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at)),
        enabled: *enabled,
        ..known
    })
}
