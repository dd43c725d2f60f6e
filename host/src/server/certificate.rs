//! The certificate of a listener that speaks TLS, and by whom its clients' must be signed, where they are to show one: read from files, and
//! again when they change.
//!
//! What must stay true: what is shown is always a certificate with its own key. Two files are never replaced in the same moment, so a pair
//! that doesn't belong together is an error that changes nothing, and the next look finds the second file too. A connection keeps
//! the certificate that it was greeted with; no session outlives a certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::metrics::counter::Counter;
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use crate::config::{PemError, PemFile};
use crate::metrics::Metrics;

/// What the listener speaks once the handshake is over.
const ALPN: &[u8] = b"http/1.1";

/// Why there is no certificate in two files.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// One of the files has not what it should have.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The key is another one's.
    #[error(
        "the key in {} isn't that of the first certificate in {}; replace both, or put the listener's own certificate first",
        key.display(), cert.display()
    )]
    NoPair {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// The two can't be used for TLS.
    #[error("the certificate in {} with the key in {} can't be used: {source}", cert.display(), key.display())]
    Unusable {
        /// The file of the certificate.
        cert: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// By what is in this file no client can be known.
    #[error("the certificates in {} can't be those that sign clients': {why}", clients.display())]
    Clients {
        /// The file.
        clients: PathBuf,
        /// Why.
        why: String,
    },
}

/// The files that a listener's TLS is made of.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The listener's own certificate, and those that signed it.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Certificates one of which must have signed a client's. Without it clients show none.
    pub clients: Option<PathBuf>,
}

/// The certificate that a listener shows, and where it comes from.
pub struct Certificate {
    files: CertificateFiles,
    current: ArcSwap<Pair>,
    renewals: [Counter; 2],
    failed_handshakes: Counter,
}

/// A certificate and its key, ready to be shown.
struct Pair {
    config: Arc<ServerConfig>,
    /// Of all files.
    digest: [u8; 32],
}

impl Certificate {
    /// Reads the files. Blocks while it reads.
    ///
    /// # Errors
    /// They can't be read, or aren't a pair.
    pub fn read(files: CertificateFiles, metrics: &Metrics) -> Result<Self, CertificateError> {
        Ok(Self {
            current: ArcSwap::from_pointee(read(&files, None)?.expect("there is none before")),
            files,
            renewals: [
                metrics.certificates_renewed.clone(),
                metrics.certificates_refused.clone(),
            ],
            failed_handshakes: metrics.failed_handshakes.clone(),
        })
    }

    /// Reads the files again. New connections are shown what is in them now; `false` if that is what they are shown already. Blocks
    /// while it reads.
    ///
    /// # Errors
    /// They can't be read, or aren't a pair. What was shown before goes on being shown.
    pub fn renew(&self) -> Result<bool, CertificateError> {
        let [renewed, refused] = &self.renewals;
        let before = self.current.load().digest;
        match read(&self.files, Some(before)) {
            Ok(Some(pair)) => {
                self.current.store(Arc::new(pair));
                renewed.inc();
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                refused.inc();
                Err(error)
            }
        }
    }

    /// The files.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let CertificateFiles { cert, key, clients } = &self.files;
        let pair = [cert, key].into_iter();
        pair.chain(clients).map(PathBuf::as_path)
    }

    /// Handshakes that failed because the two sides don't agree.
    pub(super) fn failed_handshakes(&self) -> &Counter {
        &self.failed_handshakes
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current.load().config))
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

/// What is in the files; nothing where they are those of `before`.
fn read(
    files: &CertificateFiles,
    before: Option<[u8; 32]>,
) -> Result<Option<Pair>, CertificateError> {
    let CertificateFiles { cert, key, clients } = files;
    let (certs, keys) = (PemFile::read(cert)?, PemFile::read(key)?);
    let signers = clients.as_deref().map(PemFile::read).transpose()?;
    let mut hasher = Sha256::new();
    hasher.update((certs.expose().len() as u64).to_le_bytes());
    hasher.update(certs.expose());
    hasher.update((keys.expose().len() as u64).to_le_bytes());
    hasher.update(keys.expose());
    if let Some(signers) = &signers {
        hasher.update(signers.expose());
    }
    let digest = hasher.finalize().into();
    if before == Some(digest) {
        return Ok(None);
    }
    let (chain, secret) = (certs.certificates()?, keys.private_key()?);
    let verifier = match (&signers, clients) {
        (Some(signers), Some(file)) => Some(verifier(signers, file)?),
        _ => None,
    };
    let (cert, key) = (cert.to_owned(), key.to_owned());
    match config(chain, secret, verifier) {
        Ok(config) => Ok(Some(Pair {
            config: Arc::new(config),
            digest,
        })),
        Err(rustls::Error::InconsistentKeys(_)) => Err(CertificateError::NoPair { cert, key }),
        Err(source) => Err(CertificateError::Unusable { cert, key, source }),
    }
}

/// Lets in those alone whose certificate one of these has signed.
fn verifier(
    signers: &PemFile,
    file: &Path,
) -> Result<Arc<dyn ClientCertVerifier>, CertificateError> {
    let unusable = |why: String| CertificateError::Clients {
        clients: file.to_owned(),
        why,
    };
    let mut roots = RootCertStore::empty();
    for signer in signers.certificates()? {
        roots
            .add(signer)
            .map_err(|error| unusable(error.to_string()))?;
    }
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    verifier
        .build()
        .map_err(|error| unusable(error.to_string()))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test")]

    use super::*;

    /// A certificate and its key, as PEM.
    fn made() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// Two files with these texts.
    fn files(cert: &str, key: &str) -> (tempfile::TempDir, [PathBuf; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let at = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&at[0], cert).unwrap();
        std::fs::write(&at[1], key).unwrap();
        (folder, at)
    }

    fn shown(cert: &Path, key: &Path, metrics: &Metrics) -> Result<Certificate, CertificateError> {
        let files = CertificateFiles {
            cert: cert.to_owned(),
            key: key.to_owned(),
            clients: None,
        };
        Certificate::read(files, metrics)
    }

    #[test]
    fn what_is_wrong_with_the_files_is_said_of_the_file() {
        let ((cert, key), (other, _)) = (made(), made());
        let torn = &cert[..cert.len() / 2];
        for (cert, key, file, said) in [
            ("", &*key, "cert.pem", "there is no certificate in it"),
            (&*key, &*key, "cert.pem", "there is no certificate in it"),
            (torn, &*key, "cert.pem", "it can't be read as PEM"),
            (&*cert, "", "key.pem", "there is no private key in it"),
            (&*cert, &*cert, "key.pem", "there is no private key in it"),
            (
                &*other,
                &*key,
                "cert.pem",
                "isn't that of the first certificate",
            ),
        ] {
            let (_folder, [cert, key]) = files(cert, key);
            let error = shown(&cert, &key, &Metrics::new()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains(file) && error.contains(said), "{error}");
        }
        let (folder, [cert, _]) = files(&cert, &key);
        let error = shown(&cert, folder.path(), &Metrics::new()).unwrap_err();
        assert!(error.to_string().contains("it is a folder"), "{error}");
    }

    #[test]
    fn half_of_a_new_pair_changes_nothing_and_the_other_half_makes_it_whole() {
        let ((cert, key), (new_cert, new_key)) = (made(), made());
        let (_folder, [cert, key]) = files(&cert, &key);
        let metrics = Metrics::new();
        let certificate = shown(&cert, &key, &metrics).unwrap();
        let first = certificate.current.load().digest;
        assert!(!certificate.renew().unwrap());
        std::fs::write(&cert, new_cert).unwrap();
        let error = certificate.renew().unwrap_err();
        assert!(
            matches!(error, CertificateError::NoPair { .. }),
            "{error:?}"
        );
        assert_eq!(certificate.current.load().digest, first);
        std::fs::write(&key, new_key).unwrap();
        assert!(certificate.renew().unwrap());
        assert_ne!(certificate.current.load().digest, first);
        let counted = [&metrics.certificates_renewed, &metrics.certificates_refused];
        assert_eq!(counted.map(Counter::get), [1, 1]);
    }

    #[test]
    fn who_signs_clients_must_be_in_the_file_that_is_named() {
        let (cert, key) = made();
        let (folder, [cert, key]) = files(&cert, &key);
        let clients = folder.path().join("clients.pem");
        for text in [
            "",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            std::fs::write(&clients, text).unwrap();
            let files = CertificateFiles {
                cert: cert.clone(),
                key: key.clone(),
                clients: Some(clients.clone()),
            };
            let error = Certificate::read(files, &Metrics::new()).unwrap_err();
            assert!(error.to_string().contains("clients.pem"), "{error}");
        }
    }
}
