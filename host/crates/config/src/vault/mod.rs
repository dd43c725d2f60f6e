//! Secrets in the KV store, version 2, of a HashiCorp Vault, or of an OpenBao, which speaks the same protocol.
//!
//! - here: what the configuration says of one, and asking for it;
//! - `session`: the token by which a Vault is asked, which is renewed before it ends;
//! - `http`: one request, bounded in time and size.
//!
//! What must stay true: no error has any part of what a Vault said or was told, but its status.

mod http;
mod session;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use url::Url;

use super::fields::{Field, Fields};
use super::kept::Asked;
use super::secret::{self, Secret, SecretError, SecretRef};
use session::Credentials;

/// One field of one secret in a Vault.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultRef {
    /// Where it is, and how we are let in.
    pub server: VaultServer,
    /// Under which the store is mounted there.
    pub mount: String,
    /// The secret's path in the store.
    pub path: String,
    /// Which of its fields.
    pub field: String,
    /// How long the Vault may take for all that it is asked at once.
    pub timeout: Duration,
    /// How long the secret is good for.
    pub refresh: Duration,
}

/// A Vault, as one who may ask it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VaultServer {
    /// Its address, without `/v1`.
    pub address: Url,
    /// The namespace in which everything is.
    pub namespace: Option<String>,
    /// Certificates of those that its own must be signed by, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// How we are let in.
    pub auth: VaultAuth,
}

/// How a Vault lets us in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VaultAuth {
    /// By a token, read anew with each request; never in a Vault itself.
    Token(SecretRef),
    /// As a pod of a Kubernetes cluster that the Vault knows.
    Kubernetes {
        /// The role to log in with.
        role: String,
        /// The file of the pod's own token.
        jwt_file: PathBuf,
        /// Under which that way to log in is mounted.
        mount: String,
    },
}

/// Where Kubernetes puts a pod's token.
const JWT_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

impl VaultRef {
    /// Asks for the secret. Blocks for as long as the Vault may take.
    pub(super) fn ask(&self) -> Asked {
        let credentials = self.server.credentials()?;
        let failed = |why| SecretError::Vault {
            address: self
                .server
                .address
                .as_str()
                .trim_end_matches('/')
                .to_owned(),
            why,
        };
        let (asked, session) = (self.clone(), session::of(&self.server));
        let read = async move {
            let mut session = session.lock().await;
            session.read(&asked, &credentials).await
        };
        let found = http::in_time(self.timeout, read).map_err(failed)?;
        let reference = SecretRef::Vault(Box::new(self.clone()));
        let secret = Secret::checked(&found.text, &reference)?;
        Ok((secret, found.warning.map(failed)))
    }

    /// When the token has to be renewed.
    pub(super) fn token_due(&self) -> Option<Instant> {
        session::of(&self.server).try_lock().ok()?.token_due()
    }
}

impl VaultServer {
    /// What we show to be let in.
    fn credentials(&self) -> Result<Credentials, SecretError> {
        Ok(match &self.auth {
            VaultAuth::Token(token) => Credentials::Token(token.read()?),
            VaultAuth::Kubernetes {
                role,
                jwt_file,
                mount,
            } => Credentials::Kubernetes {
                jwt: SecretRef::File(jwt_file.clone()).read()?,
                role: role.clone(),
                mount: mount.clone(),
            },
        })
    }
}

impl fmt::Display for VaultRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let VaultRef {
            server,
            mount,
            path,
            field,
            ..
        } = self;
        let address = server.address.as_str().trim_end_matches('/');
        write!(f, "`{field}` of {mount}/{path} in Vault at {address}")
    }
}

/// Reads `{address: URL, path: PATH, field: NAME, auth: {token_ref: ...}}` and what may stand beside these.
pub(super) fn read(field: &Field<'_>, base: &Path) -> Option<VaultRef> {
    let fields = field.fields(&[
        "address",
        "path",
        "field",
        "mount",
        "auth",
        "namespace",
        "ca_file",
        "timeout",
        "refresh",
    ])?;
    let address = fields.required("address").and_then(super::targets::address);
    let path = fields.required("path").and_then(segments);
    let name = fields.required("field");
    let name = name.and_then(|field| field.text_within(1..=256));
    let auth = fields.required("auth").and_then(|field| auth(field, base));
    let mount = segments_or(&fields, "mount", "secret");
    let namespace = match fields.get("namespace") {
        Some(field) => segments(field).map(Some),
        None => Some(None),
    };
    let ca_file = match fields.get("ca_file") {
        Some(field) => file(field, base).map(Some),
        None => Some(None),
    };
    let time = |key, default, least, most| match fields.get(key) {
        Some(field) => field.duration(Duration::from_millis(least)..=Duration::from_secs(most)),
        None => Some(Duration::from_secs(default)),
    };
    let timeout = time("timeout", 5, 100, 60);
    let refresh = time("refresh", 300, 1000, 86_400);
    let (address, ca_file) = (address?, ca_file?);
    if ca_file.is_some() && address.scheme() != "https" {
        fields.get("ca_file")?.problem("there is no TLS to an address that begins with http://; make it https://, or leave `ca_file` out");
        return None;
    }
    Some(VaultRef {
        server: VaultServer {
            address,
            namespace: namespace?,
            ca_file,
            auth: auth?,
        },
        mount: mount?,
        path: path?,
        field: name?.to_owned(),
        timeout: timeout?,
        refresh: refresh?,
    })
}

fn auth(field: &Field<'_>, base: &Path) -> Option<VaultAuth> {
    let fields = field.fields(&["token_ref", "kubernetes"])?;
    match (fields.get("token_ref"), fields.get("kubernetes")) {
        (Some(token), None) => match secret::reference(token, "token_ref", base)? {
            SecretRef::Vault(_) => {
                token.problem("a Vault's token can't be in a Vault itself; give it by `env`, `file` or `exec`");
                None
            }
            token => Some(VaultAuth::Token(token)),
        },
        (None, Some(kubernetes)) => {
            let fields = kubernetes.fields(&["role", "jwt_file", "mount"])?;
            let role = fields.required("role");
            let role = role.and_then(|field| field.text_within(1..=256));
            let jwt_file = match fields.get("jwt_file") {
                Some(field) => file(field, base),
                None => Some(JWT_FILE.into()),
            };
            let mount = segments_or(&fields, "mount", "kubernetes");
            Some(VaultAuth::Kubernetes {
                role: role?.to_owned(),
                jwt_file: jwt_file?,
                mount: mount?,
            })
        }
        _ => {
            field.problem("expected one of `token_ref: {file: PATH}` (or `env`, `exec`) and `kubernetes: {role: NAME}`");
            None
        }
    }
}

fn file(field: &Field<'_>, base: &Path) -> Option<PathBuf> {
    field.text_within(1..=4096).map(|path| base.join(path))
}

fn segments_or(fields: &Fields<'_>, key: &str, default: &str) -> Option<String> {
    match fields.get(key) {
        Some(field) => segments(field),
        None => Some(default.to_owned()),
    }
}

/// A path below an address, of one segment or more, each of which stays what it is in a URL's path and in a header.
fn segments(field: &Field<'_>) -> Option<String> {
    let text = field.text_within(1..=1024)?.trim_matches('/');
    let stays = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|byte| byte.is_ascii_graphic())
            && !segment.contains(['?', '#', '%', '\\'])
    };
    if text.split('/').all(stays) {
        return Some(text.to_owned());
    }
    field.problem("expected a path such as `team/cerebras`: ASCII without spaces, `?`, `#`, `%` and `\\`, and without empty steps, `.` and `..`");
    None
}
