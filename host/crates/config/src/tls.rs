//! `tls` of a target: by what it is recognised, and by what we are.

use std::path::{Path, PathBuf};

use super::fields::{Field, Fields};

/// The files that TLS to a target needs, where the system's roots don't do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificates of those whom the target's certificate must be signed by, in place of the system's.
    pub ca: Option<PathBuf>,
    /// What is shown to a target that wants to know who asks.
    pub identity: Option<IdentityFiles>,
}

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityFiles {
    /// Our own certificate first, then those that signed it.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TlsConfig {
    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let identity = self.identity.iter();
        let identity = identity.flat_map(|identity| [&identity.cert, &identity.key]);
        self.ca.iter().chain(identity).map(PathBuf::as_path)
    }
}

/// Reads `tls` of a target. `https`: the target's address begins so.
pub(super) fn read(target: &Fields<'_>, base: &Path, https: bool) -> Option<TlsConfig> {
    let Some(field) = target.get("tls") else {
        return Some(TlsConfig::default());
    };
    let fields = field.fields(&["ca", "cert", "key"])?;
    if !https {
        field.problem("there is no TLS to an address that begins with http://; make it https://, or leave `tls` out");
        return None;
    }
    let path = |field: &Field<'_>| field.text_within(1..=4096).map(|path| base.join(path));
    let read = |key| match fields.get(key) {
        Some(field) => path(field).map(Some),
        None => Some(None),
    };
    let (ca, cert, key) = (read("ca")?, read("cert")?, read("key")?);
    let identity = match (cert, key) {
        (Some(cert), Some(key)) => Some(IdentityFiles { cert, key }),
        (None, None) => None,
        _ => {
            field.problem("`cert` and `key` go together: the certificate that is shown to the target, and its key");
            return None;
        }
    };
    Some(TlsConfig { ca, identity })
}
