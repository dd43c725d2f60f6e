//! `clients`: who may send requests.

mod jwt;
mod metrics;

pub use jwt::{Claims, JwksSource, JwtAlgorithm, JwtConfig};
pub use metrics::ClientMetrics;

use super::fields::{Field, Fields};
use super::secret::{self, SecretRef};
use std::fmt;
use std::path::Path;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, macros::format_description};

/// One client: its id is the principal of its exchanges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// Unique among the clients.
    pub id: String,
    /// How its key is known.
    pub key: ClientKey,
    /// The team that it belongs to.
    pub team: Option<String>,
    /// Its roles, each once.
    pub roles: Vec<String>,
    /// The models that it may ask for, with `*` and `?`. `None`: any.
    pub models: Option<Vec<String>>,
    /// From when on it isn't let in, in seconds since 1970.
    pub expires: Option<u64>,
    /// Whether it is let in at all.
    pub enabled: bool,
}

/// The key that a client shows, or what is known of it.
#[derive(Clone, PartialEq, Eq)]
pub enum ClientKey {
    /// Where the key itself is.
    Secret(SecretRef),
    /// Its SHA-256. Whoever reads it can't show the key, because a key is random and too long to be guessed.
    Hash([u8; 32]),
}

impl fmt::Debug for ClientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClientKey::Secret(reference) => reference.fmt(f),
            ClientKey::Hash(_) => f.write_str("sha256:…"),
        }
    }
}

/// All of `clients`.
#[derive(Debug, Default)]
pub(super) struct Clients {
    pub(super) keys: Vec<ClientConfig>,
    pub(super) jwt: Option<JwtConfig>,
    pub(super) metrics: ClientMetrics,
}

/// The most clients that there may be.
const MOST: usize = 4096;
/// The most roles of one client.
const MOST_ROLES: usize = 64;
/// The most patterns of models of one client.
const MOST_MODELS: usize = 64;
/// The longest name of a team or a role, in characters.
pub(super) const LONGEST_NAME: usize = 128;
/// What stands before a key's hash.
const SHA256: &str = "sha256:";

/// Reads `clients` out of the document. Without it there are no clients.
pub(super) fn read(document: &Fields<'_>, base: &Path) -> Option<Clients> {
    let Some(field) = document.get("clients") else {
        return Some(Clients::default());
    };
    let fields = field.fields(&["keys", "jwt", "metrics"])?;
    let jwt = fields.get("jwt").map(|field| jwt::read(field, base));
    let usual = ClientMetrics::usual(jwt.is_some());
    let metrics = optional(&fields, "metrics", |field| metrics::read(field, usual));
    let keys = match (fields.get("keys"), &jwt) {
        (None, Some(_)) => Some(Vec::new()),
        _ => keys(fields.required("keys")?, base, jwt.is_some()),
    };
    Some(Clients {
        keys: keys?,
        jwt: match jwt {
            Some(jwt) => Some(jwt?),
            None => None,
        },
        metrics: metrics?.unwrap_or(usual),
    })
}

fn keys(field: &Field<'_>, base: &Path, or_tokens: bool) -> Option<Vec<ClientConfig>> {
    let items = field.items_up_to(MOST)?;
    if items.is_empty() && !or_tokens {
        field.problem(
            "with no client in it nobody could send a request; name one, or leave `clients` out",
        );
        return None;
    }
    let mut clients: Vec<ClientConfig> = Vec::new();
    let mut complete = true;
    for item in &items {
        match client(item, &clients, base) {
            Some(client) => clients.push(client),
            None => complete = false,
        }
    }
    complete.then_some(clients)
}

fn client(item: &Field<'_>, before: &[ClientConfig], base: &Path) -> Option<ClientConfig> {
    let fields = item.fields(&[
        "id",
        "secret_ref",
        "hash",
        "team",
        "roles",
        "models",
        "expires",
        "enabled",
    ])?;
    let id = fields.required("id").and_then(|id| {
        let text = id.id()?;
        if before.iter().any(|client| client.id == text) {
            id.problem(format!(
                "there is a client `{text}` already; ids are unique"
            ));
            return None;
        }
        Some(text.to_owned())
    });
    let known = before.iter().map(|client| (&*client.id, &client.key));
    let key = key(&fields, "client", known, base);
    // Each is read before the first that is wrong counts, so that all problems are told at once.
    let team = optional(&fields, "team", name);
    let roles = optional(&fields, "roles", |field| names(field, MOST_ROLES, "role"));
    let models = optional(&fields, "models", |field| {
        names(field, MOST_MODELS, "model")
    });
    let expires = optional(&fields, "expires", moment);
    let enabled = optional(&fields, "enabled", |field| field.boolean());
    Some(ClientConfig {
        id: id?,
        key: key?,
        team: team?,
        roles: roles?.unwrap_or_default(),
        models: models?,
        expires: expires?,
        enabled: enabled?.unwrap_or(true),
    })
}

/// The value of a key that may be missing. `None`: it is wrong, which was reported.
pub(super) fn optional<T>(
    fields: &Fields<'_>,
    key: &str,
    read: impl FnOnce(&Field<'_>) -> Option<T>,
) -> Option<Option<T>> {
    match fields.get(key) {
        Some(field) => read(field).map(Some),
        None => Some(None),
    }
}

/// `secret_ref` or `hash`. `what`: a client or a token, which has the key; `known`: those before it.
pub(super) fn key<'a>(
    fields: &Fields<'_>,
    what: &str,
    mut known: impl Iterator<Item = (&'a str, &'a ClientKey)>,
    base: &Path,
) -> Option<ClientKey> {
    let field = match (fields.get("secret_ref"), fields.get("hash")) {
        (Some(_), Some(hash)) => {
            hash.problem_at_key(format!(
                "give `secret_ref` or `hash`, not both: a {what} has one key"
            ));
            return None;
        }
        (None, Some(hash)) => hash,
        _ => fields.required("secret_ref")?,
    };
    let key = match fields.get("hash") {
        Some(hash) => ClientKey::Hash(digest(hash)?),
        None => ClientKey::Secret(secret::reference(field, "secret_ref", base)?),
    };
    if let Some((other, _)) = known.find(|(_, known)| **known == key) {
        field.problem(format!(
            "{what} `{other}` has the same key; with one key the two can't be told apart"
        ));
        return None;
    }
    Some(key)
}

/// `sha256:` and 64 hexadecimal digits. The value isn't repeated, in case it is the key itself.
fn digest(field: &Field<'_>) -> Option<[u8; 32]> {
    let text = field.text()?;
    let digest = text.strip_prefix(SHA256).and_then(from_hex);
    if digest.is_none() {
        field.problem(
            "this is no hash of a key: `sha256:` and 64 hexadecimal digits, as `witgate clients new` prints. It isn't shown, in case it \
             is the key itself",
        );
    }
    digest
}

fn from_hex(hex: &str) -> Option<[u8; 32]> {
    if hex.len() != 64 || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut digest = [0; 32];
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// A day, which begins at midnight UTC, or a time of RFC 3339; in seconds since 1970.
pub fn parse_moment(text: &str) -> Option<u64> {
    let day = format_description!("[year]-[month]-[day]");
    let moment = match time::Date::parse(text, &day) {
        Ok(day) => day.midnight().assume_utc(),
        Err(_) => OffsetDateTime::parse(text, &Rfc3339).ok()?,
    };
    u64::try_from(moment.unix_timestamp()).ok()
}

pub(super) fn moment(field: &Field<'_>) -> Option<u64> {
    let moment = parse_moment(field.text()?);
    if moment.is_none() {
        field.problem(
            "this is no time; write a day such as 2027-01-31, which begins at midnight UTC, or a time such as 2027-01-31T12:00:00Z",
        );
    }
    moment
}

/// The name of a team or a role, or a pattern of one of a model.
fn name(field: &Field<'_>) -> Option<String> {
    let text = field.text_within(1..=LONGEST_NAME)?;
    if text.chars().any(char::is_control) || text.trim() != text {
        field.problem("a name has no control characters, and no space around it");
        return None;
    }
    Some(text.to_owned())
}

fn names(field: &Field<'_>, most: usize, what: &str) -> Option<Vec<String>> {
    let items = field.items_up_to(most)?;
    let mut names: Vec<String> = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in &items {
        match name(item) {
            Some(name) if names.contains(&name) => {
                item.problem(format!("the {what} `{name}` stands here already"));
                complete = false;
            }
            Some(name) => names.push(name),
            None => complete = false,
        }
    }
    complete.then_some(names)
}
