//! Certificates and keys in files, as PEM.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::file::read_file;

/// The largest file of certificates or of a key, in bytes.
const LARGEST: usize = 1 << 20;

/// Why a file has no certificate, or no key.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file can't be read.
    #[error("{}: it can't be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is too large to be what it should be.
    #[error("{}: it has more than {} KiB, which no certificate has", file.display(), LARGEST >> 10)]
    TooLarge {
        /// The file.
        file: PathBuf,
    },
    /// The file isn't PEM.
    #[error("{}: it can't be read as PEM: {source}", file.display())]
    NotPem {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// There is no certificate in the file.
    #[error(
        "{}: there is no certificate in it; it must have `-----BEGIN CERTIFICATE-----`",
        file.display()
    )]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// There is no key in the file.
    #[error(
        "{}: there is no private key in it that can be used; it must have `-----BEGIN PRIVATE KEY-----`, and not be encrypted",
        file.display()
    )]
    NoKey {
        /// The file.
        file: PathBuf,
    },
}

/// What was in a file. It may be a key, so it is never shown.
#[derive(Clone)]
pub struct PemFile {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl PemFile {
    /// Reads the file. Blocks while it does, for some seconds at most.
    ///
    /// # Errors
    /// It can't be read, or is too large.
    pub fn read(file: &Path) -> Result<Self, PemError> {
        let bytes = read_file(file, LARGEST).map_err(|source| PemError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        let file = file.to_owned();
        match bytes.len() {
            0..=LARGEST => Ok(Self { file, bytes }),
            _ => Err(PemError::TooLarge { file }),
        }
    }

    /// The certificates, as they stand there; at least one.
    ///
    /// # Errors
    /// There is none, or it isn't PEM.
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        let file = self.file.clone();
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match found {
            Ok(found) if found.is_empty() => Err(PemError::NoCertificate { file }),
            Ok(found) => Ok(found),
            Err(source) => Err(PemError::NotPem { file, source }),
        }
    }

    /// The first private key.
    ///
    /// # Errors
    /// There is none, or it isn't PEM.
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        let file = self.file.clone();
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => PemError::NoKey { file },
            source => PemError::NotPem { file, source },
        })
    }

    /// The bytes. The caller is responsible for where they go.
    pub fn expose(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemFile")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
