//! By what a target is recognised, and by what we are, where its configuration says so.

use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::client::UpstreamError;
use crate::config::{PemError, PemFile, TargetConfig};

/// What the files of one target's `tls` say.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// In place of the system's; `None`: the system's.
    roots: Option<RootCertStore>,
    identity: Option<Arc<Identity>>,
    /// Of what was in the files: connections are shared between equals alone.
    digest: [u8; 32],
}

/// A certificate, those that vouch for it, and its key.
type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

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
            let mut usable = RootCertStore::empty();
            for root in roots.certificates().map_err(bad("ca"))? {
                hash(&mut hasher, b"ca", &root);
                usable
                    .add(root)
                    .map_err(|error| unusable("ca", file, error.to_string()))?;
            }
            trust.roots = Some(usable);
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
            let identity = (chain.clone(), secret.clone_key());
            CertifiedKey::from_der(chain, secret, &provider).map_err(|error| {
                let why = format!("with the key in {}: {error}", files.key.display());
                unusable("cert", &files.cert, why)
            })?;
            trust.identity = Some(Arc::new(identity));
        }
        trust.digest = hasher.finalize().into();
        Ok(trust)
    }

    /// How TLS is spoken. `http2`: whether that is offered.
    ///
    /// # Errors
    /// The certificate can't be shown.
    pub(super) fn config(&self, http2: bool) -> Result<ClientConfig, rustls::Error> {
        let roots = self.roots.clone().unwrap_or_else(of_the_system);
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let mut config = match self.identity.as_deref() {
            Some((chain, key)) => builder.with_client_auth_cert(chain.clone(), key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = match http2 {
            true => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        Ok(config)
    }
}

/// The system's roots, as far as they can be read. Where there are none, no certificate is trusted, and that is what is said of a target.
fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn hash(hasher: &mut Sha256, what: &[u8], bytes: &[u8]) {
    hasher.update(what);
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}
