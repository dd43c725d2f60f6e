//! By what a target is recognised, and by what we are, where its configuration says so.

use std::path::Path;
use std::sync::Arc;

use reqwest::{ClientBuilder, Identity};
use sha2::{Digest, Sha256};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::sign::CertifiedKey;

use super::client::UpstreamError;
use crate::config::{PemError, PemFile, TargetConfig};

/// What the files of one target's `tls` say.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// In place of the system's; none: the system's.
    roots: Vec<reqwest::Certificate>,
    identity: Option<Identity>,
    /// Of what was in the files: connections are shared between equals alone.
    digest: [u8; 32],
}

impl PartialEq for Trust {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Trust {
    /// Reads the files.
    ///
    /// # Errors
    /// One can't be read, or can't be used.
    pub(super) fn read(target: &TargetConfig) -> Result<Self, UpstreamError> {
        let mut trust = Trust::default();
        let mut hasher = Sha256::new();
        let bad = |key: &'static str| {
            move |source: PemError| UpstreamError::Pem {
                target: target.id.clone(),
                key,
                source,
            }
        };
        let unusable = |key: &'static str, file: &Path, why: String| UpstreamError::Tls {
            target: target.id.clone(),
            key,
            file: file.display().to_string(),
            why,
        };
        if let Some(file) = &target.tls.ca {
            let roots = PemFile::read(file).map_err(bad("ca"))?;
            let mut checked = RootCertStore::empty();
            for root in roots.certificates().map_err(bad("ca"))? {
                hash(&mut hasher, b"ca", &root);
                let usable = reqwest::Certificate::from_der(&root);
                let usable = usable.map_err(|error| unusable("ca", file, error.to_string()))?;
                checked
                    .add(root)
                    .map_err(|error| unusable("ca", file, error.to_string()))?;
                trust.roots.push(usable);
            }
        }
        if let Some(files) = &target.tls.identity {
            let (cert, key) = (PemFile::read(&files.cert), PemFile::read(&files.key));
            let (cert, key) = (cert.map_err(bad("cert"))?, key.map_err(bad("key"))?);
            let chain: Vec<CertificateDer<'static>> = cert.certificates().map_err(bad("cert"))?;
            let secret = key.private_key().map_err(bad("key"))?;
            for certificate in &chain {
                hash(&mut hasher, b"cert", certificate);
            }
            hash(&mut hasher, b"key", secret.secret_der());
            let provider = Arc::new(ring::default_provider());
            CertifiedKey::from_der(chain, secret, &provider).map_err(|error| {
                let why = format!("with the key in {}: {error}", files.key.display());
                unusable("cert", &files.cert, why)
            })?;
            let pem = [cert.expose(), b"\n", key.expose()].concat();
            let identity = Identity::from_pem(&pem)
                .map_err(|error| unusable("cert", &files.cert, error.to_string()))?;
            trust.identity = Some(identity);
        }
        trust.digest = hasher.finalize().into();
        Ok(trust)
    }

    pub(super) fn apply(&self, mut builder: ClientBuilder) -> ClientBuilder {
        if !self.roots.is_empty() {
            builder = builder.tls_built_in_root_certs(false);
        }
        for root in &self.roots {
            builder = builder.add_root_certificate(root.clone());
        }
        match &self.identity {
            Some(identity) => builder.identity(identity.clone()),
            None => builder,
        }
    }
}

fn hash(hasher: &mut Sha256, what: &[u8], bytes: &[u8]) {
    hasher.update(what);
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
