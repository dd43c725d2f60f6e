//! The token by which a Vault is asked: had by logging in or given, and renewed before it ends.
//!
//! All secrets of one Vault share a session. A Vault that can't be reached is left alone for a moment, so that of many secrets one waits for
//! it and not each.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use reqwest::header::HeaderValue;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::super::secret::Secret;
use super::http::{self, Said, refused};
use super::{VaultRef, VaultServer};

/// How long a Vault that couldn't be reached is left alone.
const AWAY: Duration = Duration::from_secs(1);
/// How long it is until a token that could not be renewed is tried to be again.
const AGAIN: Duration = Duration::from_secs(10);

type Shared = Arc<tokio::sync::Mutex<Session>>;

static SESSIONS: LazyLock<Mutex<HashMap<VaultServer, Shared>>> = LazyLock::new(Mutex::default);

/// The session with this Vault.
pub(super) fn of(server: &VaultServer) -> Shared {
    SESSIONS.lock().entry(server.clone()).or_default().clone()
}

/// What we show to be let in.
pub(super) enum Credentials {
    Token(Secret),
    Kubernetes {
        role: String,
        mount: String,
        jwt: Secret,
    },
}

/// What was found: the secret's text, and what may soon be wrong.
pub(super) struct Found {
    pub(super) text: String,
    pub(super) warning: Option<String>,
}

#[derive(Default)]
pub(super) struct Session {
    /// The client, and what was in the file of authorities when it was made.
    client: Option<(Vec<u8>, Client)>,
    token: Option<Token>,
    /// It couldn't be reached just now: until when it is left alone, and why.
    away: Option<(Instant, String)>,
}

struct Token {
    value: HeaderValue,
    lease: Option<Lease>,
}

struct Lease {
    ends: Instant,
    /// When to renew it.
    due: Instant,
    renewable: bool,
}

impl Lease {
    /// Of so many seconds, from now; none for a token that doesn't end.
    fn of(seconds: &Value, renewable: &Value) -> Option<Lease> {
        let length = Duration::from_secs(seconds.as_u64()?);
        let now = Instant::now();
        (!length.is_zero()).then(|| Lease {
            ends: now + length,
            due: now + length / 3 * 2,
            renewable: renewable.as_bool().unwrap_or(false),
        })
    }
}

impl Session {
    /// When the token has to be renewed.
    pub(super) fn token_due(&self) -> Option<Instant> {
        let lease = self.token.as_ref()?.lease.as_ref()?;
        // One that has ended is had anew when the secret is asked for.
        (lease.ends > Instant::now()).then_some(lease.due)
    }

    /// Makes it time to renew the token.
    #[cfg(test)]
    pub(super) fn comes_due(&mut self) {
        let lease = self.token.as_mut().and_then(|token| token.lease.as_mut());
        lease.expect("its token ends").due = Instant::now();
    }

    /// Reads a secret, with a token that is good for it.
    pub(super) async fn read(
        &mut self,
        asked: &VaultRef,
        credentials: &Credentials,
    ) -> Result<Found, String> {
        if let Some((until, why)) = &self.away
            && *until > Instant::now()
        {
            return Err(why.clone());
        }
        // Where it takes all its time, this is left standing.
        let why = format!("didn't answer within {:?}", asked.timeout);
        self.away = Some((Instant::now() + asked.timeout + AWAY, why));
        let read = self.read_now(asked, credentials).await;
        self.look_again_later();
        self.away = match &read {
            Err(Fault::Unreachable(why)) => Some((Instant::now() + AWAY, why.clone())),
            _ => None,
        };
        read.map_err(|fault| match fault {
            Fault::Unreachable(why) | Fault::Refused(why) => why,
        })
    }

    /// A token that should have been renewed by now, and wasn't: it isn't time again at once, whatever went wrong.
    fn look_again_later(&mut self) {
        let now = Instant::now();
        if let Some(token) = &mut self.token
            && let Some(lease) = &mut token.lease
            && lease.due <= now
        {
            lease.due = now + AGAIN;
        }
    }

    async fn read_now(
        &mut self,
        asked: &VaultRef,
        credentials: &Credentials,
    ) -> Result<Found, Fault> {
        let server = &asked.server;
        let client = self.client(server).map_err(Fault::Refused)?;
        let vault = At { client, server };
        let (mut token, warning, fresh) = self.token(&vault, credentials).await?;
        let path = format!("{}/data/{}", asked.mount, asked.path);
        let mut said = vault.get(&path, &token).await?;
        if said.status == StatusCode::FORBIDDEN
            && !fresh
            && matches!(credentials, Credentials::Kubernetes { .. })
        {
            // What we logged in for may have been revoked.
            self.token = None;
            token = self.token(&vault, credentials).await?.0;
            said = vault.get(&path, &token).await?;
        }
        let what = format!("the secret {}/{}", asked.mount, asked.path);
        let deleted = said.body.pointer("/data/metadata/deletion_time").is_some();
        if said.status == StatusCode::NOT_FOUND && !deleted {
            return Err(Fault::Refused(format!(
                "has no secret {} in `{mount}`, or `{mount}` isn't a KV store of version 2",
                asked.path,
                mount = asked.mount
            )));
        }
        if said.status != StatusCode::OK {
            return Err(Fault::Refused(match deleted {
                true => format!("has {what} no more: its newest version was deleted"),
                false => refused(said.status, &what),
            }));
        }
        match said.body.pointer("/data/data") {
            Some(Value::Object(fields)) => match fields.get(&asked.field) {
                Some(Value::String(text)) => Ok(Found {
                    text: text.clone(),
                    warning,
                }),
                Some(_) => Err(Fault::Refused(format!(
                    "has {what}, and its field `{}` is no text",
                    asked.field
                ))),
                None => Err(Fault::Refused(format!(
                    "has {what}, and there is no field `{}` in it",
                    asked.field
                ))),
            },
            _ => Err(Fault::Refused(format!(
                "answers for {what} with something else than a KV store of version 2 does"
            ))),
        }
    }

    fn client(&mut self, server: &VaultServer) -> Result<Client, String> {
        let ca = server.ca_file.as_deref().map(http::ca).transpose()?;
        let bytes = ca.as_ref().map_or(&[][..], |ca| ca.expose());
        if let Some((made_of, client)) = &self.client
            && made_of == bytes
        {
            return Ok(client.clone());
        }
        let client = http::client(server, ca.as_ref())?;
        self.client = Some((bytes.to_vec(), client.clone()));
        Ok(client)
    }

    /// The token to ask with, what may soon be wrong with it, and whether it was had just now.
    async fn token(
        &mut self,
        vault: &At<'_>,
        credentials: &Credentials,
    ) -> Result<(HeaderValue, Option<String>, bool), Fault> {
        let now = Instant::now();
        let due = |token: &Token| token.lease.as_ref().is_some_and(|lease| lease.due <= now);
        match (&mut self.token, credentials) {
            (Some(token), Credentials::Kubernetes { .. }) if !due(token) => {
                Ok((token.value.clone(), None, false))
            }
            (_, Credentials::Kubernetes { role, mount, jwt }) => {
                let logged_in = vault.log_in(role, mount, jwt).await;
                match (logged_in, &mut self.token) {
                    (Ok(token), kept) => {
                        let value = token.value.clone();
                        *kept = Some(token);
                        Ok((value, None, true))
                    }
                    // The one that we have is good until it ends.
                    (Err(fault), Some(token)) => match &mut token.lease {
                        Some(lease) if lease.ends > now => {
                            let why = lease.warn(fault.why());
                            Ok((token.value.clone(), Some(why), false))
                        }
                        _ => Err(fault),
                    },
                    (Err(fault), None) => Err(fault),
                }
            }
            (Some(token), Credentials::Token(given)) if token.is(given) => {
                let warning = match &mut token.lease {
                    Some(lease) if lease.due <= now => vault.renew(&token.value, lease).await?,
                    _ => None,
                };
                Ok((token.value.clone(), warning, false))
            }
            (kept, Credentials::Token(given)) => {
                let value = header(given).map_err(Fault::Refused)?;
                let lease = vault.look_up(&value).await?;
                *kept = Some(Token {
                    value: value.clone(),
                    lease,
                });
                Ok((value, None, true))
            }
        }
    }
}

impl Token {
    fn is(&self, given: &Secret) -> bool {
        given.matches(self.value.as_bytes())
    }
}

impl Lease {
    /// It can't be renewed now: when to try again, and what to say meanwhile.
    fn warn(&mut self, why: &str) -> String {
        let now = Instant::now();
        let left = self.ends.saturating_duration_since(now);
        self.due = now + AGAIN.min(left / 4).max(Duration::from_secs(1));
        format!(
            "goes on with a token that ends in {} s and couldn't be renewed: {why}",
            left.as_secs()
        )
    }
}

enum Fault {
    Unreachable(String),
    Refused(String),
}

impl Fault {
    fn why(&self) -> &str {
        match self {
            Fault::Unreachable(why) | Fault::Refused(why) => why,
        }
    }
}

/// A Vault that can be asked.
struct At<'a> {
    client: Client,
    server: &'a VaultServer,
}

impl At<'_> {
    async fn get(&self, path: &str, token: &HeaderValue) -> Result<Said, Fault> {
        self.ask(Method::GET, path, Some(token), None).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        token: Option<&HeaderValue>,
        body: Option<Value>,
    ) -> Result<Said, Fault> {
        let said = http::ask(&self.client, self.server, method, path, token, body).await;
        said.map_err(Fault::Unreachable)
    }

    async fn log_in(&self, role: &str, mount: &str, jwt: &Secret) -> Result<Token, Fault> {
        let body = json!({"role": role, "jwt": jwt.expose()});
        let path = format!("auth/{mount}/login");
        let said = self.ask(Method::POST, &path, None, Some(body)).await?;
        let what = format!("to log in at auth/{mount} as `{role}`");
        if said.status != StatusCode::OK {
            return Err(Fault::Refused(match said.status.as_u16() {
                // Of a role or a token that is wrong it says so as well.
                400 | 403 | 404 => format!(
                    "refuses {what}: is there such a role, and may this service account have it? (status {})",
                    said.status.as_u16()
                ),
                _ => refused(said.status, &what),
            }));
        }
        let auth = &said.body["auth"];
        let token = auth["client_token"].as_str();
        let token =
            token.ok_or_else(|| Fault::Refused(format!("gave no token when asked {what}")))?;
        Ok(Token {
            value: sensitive(token).map_err(Fault::Refused)?,
            lease: Lease::of(&auth["lease_duration"], &auth["renewable"]),
        })
    }

    /// When a token ends. A policy may keep a token from asking that; then it is used as long as it is good.
    async fn look_up(&self, token: &HeaderValue) -> Result<Option<Lease>, Fault> {
        let said = self.get("auth/token/lookup-self", token).await?;
        let data = &said.body["data"];
        Ok(match said.status {
            StatusCode::OK => Lease::of(&data["ttl"], &data["renewable"]),
            _ => None,
        })
    }

    /// Renews a token. Says what is wrong where it can't be, which it isn't until it ends.
    async fn renew(&self, token: &HeaderValue, lease: &mut Lease) -> Result<Option<String>, Fault> {
        if !lease.renewable {
            return Ok(Some(lease.warn("it is one that can't be; give it another")));
        }
        let path = "auth/token/renew-self";
        let said = self
            .ask(Method::POST, path, Some(token), Some(json!({})))
            .await?;
        let auth = &said.body["auth"];
        let renewed = match said.status {
            StatusCode::OK => Lease::of(&auth["lease_duration"], &auth["renewable"]),
            status => return Ok(Some(lease.warn(&refused(status, "to renew it")))),
        };
        match renewed {
            // Past its longest time it is given no more.
            Some(new) if new.ends <= lease.ends + Duration::from_secs(1) => {
                lease.renewable = false;
                Ok(Some(
                    lease.warn("it is near its longest time; give it another"),
                ))
            }
            Some(new) => {
                *lease = new;
                Ok(None)
            }
            None => Ok(None),
        }
    }
}

fn header(token: &Secret) -> Result<HeaderValue, String> {
    sensitive(token.expose())
}

fn sensitive(token: &str) -> Result<HeaderValue, String> {
    let value = HeaderValue::try_from(token);
    let mut value = value.map_err(|_| {
        "can't be asked: the token has characters that no header can carry".to_owned()
    })?;
    value.set_sensitive(true);
    Ok(value)
}
