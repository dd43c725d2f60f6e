//! The options for TLS, and the files that they name.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Wrong;
use crate::control::watch_files;
use crate::metrics::Metrics;
use crate::server::{Certificate, CertificateFiles};

#[derive(Debug, Args)]
pub(super) struct CertificateArgs {
    /// Speak TLS to clients, with the certificate in this file: PEM, the gateway's own first; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate: PEM, not encrypted; read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Speak TLS on the admin side, with the certificate in this file; it may be that of --tls-cert
    #[arg(long, value_name = "FILE", requires = "admin_tls_key")]
    admin_tls_cert: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "admin_tls_cert")]
    admin_tls_key: Option<PathBuf>,
    /// Let in on the admin side those alone who show a certificate that one in this file has signed: PEM; read again when it changes
    #[arg(long, value_name = "FILE", requires = "admin_tls_cert")]
    admin_client_ca: Option<PathBuf>,
}

/// What the two listeners show.
pub(super) struct Certificates {
    pub(super) traffic: Option<Arc<Certificate>>,
    pub(super) admin: Option<Arc<Certificate>>,
}

impl CertificateArgs {
    /// Whether the admin side lets in those alone who show a certificate.
    pub(super) fn asks_for_certificates(&self) -> bool {
        self.admin_client_ca.is_some()
    }

    /// The certificates, where there are to be any.
    pub(super) fn read(&self, metrics: &Metrics) -> Result<Certificates, Wrong> {
        let read = |cert: &Option<PathBuf>, key: &Option<PathBuf>, clients: &Option<PathBuf>| {
            let (Some(cert), Some(key)) = (cert.clone(), key.clone()) else {
                return Ok::<_, Wrong>(None);
            };
            let files = CertificateFiles {
                cert,
                key,
                clients: clients.clone(),
            };
            Ok(Some(Arc::new(Certificate::read(files, metrics)?)))
        };
        Ok(Certificates {
            traffic: read(&self.tls_cert, &self.tls_key, &None)?,
            admin: read(
                &self.admin_tls_cert,
                &self.admin_tls_key,
                &self.admin_client_ca,
            )?,
        })
    }
}

impl Certificates {
    /// All of them.
    pub(super) fn all(&self) -> Vec<Arc<Certificate>> {
        self.traffic.iter().chain(&self.admin).cloned().collect()
    }
}

/// Renews the certificate whenever its files change.
pub(super) async fn keep_new(certificate: Arc<Certificate>, stop: CancellationToken) {
    let files = certificate.files().map(|file| {
        let whole = std::path::absolute(file);
        whole.unwrap_or_else(|_| file.to_owned())
    });
    // The sender must live as long as the files are watched.
    let (_keep, files) = watch::channel(BTreeSet::from_iter(files));
    watch_files(files, || renew(certificate.clone()), stop).await;
}

/// Renews the certificate, and says in the log what came of it.
pub(super) async fn renew(certificate: Arc<Certificate>) {
    let renewed = tokio::task::spawn_blocking(move || certificate.renew()).await;
    match renewed {
        Ok(Ok(true)) => tracing::info!("new connections are shown the new certificate"),
        Ok(Ok(false)) => tracing::debug!("the certificate is the one that is shown"),
        Ok(Err(error)) => {
            tracing::error!("the certificate before goes on being shown: {error}");
        }
        Err(error) => tracing::error!(%error, "renewing the certificate broke down"),
    }
}
