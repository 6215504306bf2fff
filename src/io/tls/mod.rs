//! TLS for SIP: 1.2 and newer, verified unless somebody says otherwise. Certificates and keys are read when a
//! connection is made and their files have changed, so a renewed certificate needs no restart.

mod fault;
mod identity;
#[cfg(test)]
pub(crate) mod rig;
#[cfg(test)]
mod tests;
mod verify;

pub use fault::{CertificateFault, Day};
pub use identity::TlsName;

pub(crate) use fault::{NOT_TLS, tls_words};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use verify::{SipVerifier, Trusted};

/// How long the system's authorities are believed to be the same.
const ROOTS_FRESH: Duration = Duration::from_secs(3600);
/// Certificates read from one file; more is no file of ours.
const CERTIFICATES_MAX: usize = 1_000;

/// The files of a client, and whether it looks at what servers show.
#[derive(Clone, Debug)]
pub struct TlsClientFiles {
    /// Authorities (PEM) that are trusted beside the system's.
    pub ca: Option<PathBuf>,
    /// Our certificate (PEM, with its chain) for servers that want one; together with `key`.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// `false`: any certificate will do.
    pub verify: bool,
}

impl Default for TlsClientFiles {
    fn default() -> Self {
        Self { ca: None, certificate: None, key: None, verify: true }
    }
}

/// The files of a server.
#[derive(Clone, Debug)]
pub struct TlsServerFiles {
    /// Its certificate (PEM), then those up to its authority.
    pub certificate: PathBuf,
    /// The key (PEM).
    pub key: PathBuf,
}

/// What is wrong with our own files.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    /// It can't be read, or is no PEM.
    #[error("{what} {}: {why}", file.display())]
    Unreadable {
        /// `ca_file`, `certificate_file` or `key_file`.
        what: &'static str,
        /// Which.
        file: PathBuf,
        /// In words.
        why: String,
    },
    /// It has no certificate in it.
    #[error("{what} {}: there is no certificate in it (PEM)", file.display())]
    Empty {
        /// `ca_file` or `certificate_file`.
        what: &'static str,
        /// Which.
        file: PathBuf,
    },
    /// Certificate without key, or the other way round.
    #[error("certificate_file and key_file belong together: name both or none")]
    Half,
    /// Key and certificate don't fit.
    #[error("certificate and key can't be used: {0}")]
    Unfit(#[from] rustls::Error),
}

/// When files were changed last: other values, other contents.
type Stamp = Vec<Option<(SystemTime, u64)>>;

fn stamp<'a>(files: impl IntoIterator<Item = &'a Path>) -> Stamp {
    let look = |file: &Path| std::fs::metadata(file).ok().and_then(|m| Some((m.modified().ok()?, m.len())));
    files.into_iter().map(look).collect()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Makes the client's side of handshakes.
#[derive(Debug)]
pub struct TlsClient {
    files: TlsClientFiles,
    ready: Mutex<Option<(Stamp, Instant, Arc<ClientConfig>)>>,
}

impl TlsClient {
    /// With these files; they are read when the first connection wants them.
    pub fn new(files: TlsClientFiles) -> Self {
        Self { files, ready: Mutex::new(None) }
    }

    /// Whether servers are verified.
    pub fn verifies(&self) -> bool {
        self.files.verify
    }

    /// What a handshake needs; the files are read again if they have changed. Blocks for some ms when it reads.
    ///
    /// # Errors
    /// What is wrong with the files.
    pub fn config(&self) -> Result<Arc<ClientConfig>, TlsFileError> {
        let files = [&self.files.ca, &self.files.certificate, &self.files.key];
        let stamp = stamp(files.into_iter().flatten().map(PathBuf::as_path));
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((read, at, config)) = &*ready
            && *read == stamp
            && at.elapsed() < ROOTS_FRESH
        {
            return Ok(config.clone());
        }
        let config = Arc::new(self.read()?);
        *ready = Some((stamp, Instant::now(), config.clone()));
        Ok(config)
    }

    fn read(&self) -> Result<ClientConfig, TlsFileError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        // The trait that checks certificates lives under this word in rustls, whatever it does. Ours checks more than
        // the usual one; only `verify = false` checks less.
        let builder =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?.dangerous();
        let trusted = if self.files.verify { Some(self.trusted()?) } else { None };
        let builder = builder.with_custom_certificate_verifier(Arc::new(SipVerifier { trusted, algorithms }));
        match (&self.files.certificate, &self.files.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates("certificate_file", certificate)?;
                Ok(builder.with_client_auth_cert(chain, private_key("key_file", key)?)?)
            }
            (None, None) => Ok(builder.with_no_client_auth()),
            _ => Err(TlsFileError::Half),
        }
    }

    /// The system's authorities and our own.
    fn trusted(&self) -> Result<Trusted, TlsFileError> {
        let mut roots = RootCertStore::empty();
        let system = rustls_native_certs::load_native_certs();
        let (taken, left_out) = roots.add_parsable_certificates(system.certs);
        for error in system.errors {
            tracing::warn!(target: "tls", %error, "an authority of the system can't be read");
        }
        tracing::debug!(target: "tls", taken, left_out, "the system's authorities");
        let own = match &self.files.ca {
            Some(file) => certificates("ca_file", file)?,
            None => Vec::new(),
        };
        for certificate in &own {
            roots.add(certificate.clone())?;
        }
        Ok(Trusted { roots, own })
    }
}

/// Makes the server's side of handshakes.
#[derive(Debug)]
pub struct TlsServer {
    files: TlsServerFiles,
    ready: Mutex<(Stamp, Arc<ServerConfig>)>,
}

impl TlsServer {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(files: TlsServerFiles) -> Result<Self, TlsFileError> {
        let read = (Self::stamp(&files), Arc::new(Self::read(&files)?));
        Ok(Self { files, ready: Mutex::new(read) })
    }

    /// What a handshake needs; the files are read again if they have changed. A bad new one is logged, and the old
    /// goes on.
    pub fn config(&self) -> Arc<ServerConfig> {
        let stamp = Self::stamp(&self.files);
        let mut ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if ready.0 != stamp {
            ready.0 = stamp;
            match Self::read(&self.files) {
                Ok(config) => {
                    ready.1 = Arc::new(config);
                    tracing::info!(target: "tls", "the certificate was read again");
                }
                Err(error) => tracing::error!(target: "tls", %error, "the old certificate is used on"),
            }
        }
        ready.1.clone()
    }

    fn stamp(files: &TlsServerFiles) -> Stamp {
        stamp([files.certificate.as_path(), files.key.as_path()])
    }

    fn read(files: &TlsServerFiles) -> Result<ServerConfig, TlsFileError> {
        let chain = certificates("tls_certificate", &files.certificate)?;
        let key = private_key("tls_key", &files.key)?;
        let builder =
            ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
        Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
    }
}

fn certificates(what: &'static str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileError> {
    let wrong = |error: rustls_pki_types::pem::Error| TlsFileError::Unreadable {
        what,
        file: file.to_owned(),
        why: error.to_string(),
    };
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(file).map_err(wrong)?.take(CERTIFICATES_MAX).collect();
    let found = found.map_err(wrong)?;
    if found.is_empty() {
        return Err(TlsFileError::Empty { what, file: file.to_owned() });
    }
    Ok(found)
}

fn private_key(what: &'static str, file: &Path) -> Result<PrivateKeyDer<'static>, TlsFileError> {
    PrivateKeyDer::from_pem_file(file).map_err(|error| TlsFileError::Unreadable {
        what,
        file: file.to_owned(),
        why: error.to_string(),
    })
}

/// The name for the handshake; an error in words when it can't be one.
pub(crate) fn server_name(name: &TlsName) -> Result<ServerName<'static>, String> {
    name.server_name().ok_or_else(|| format!("“{name}” is no name that a certificate can prove"))
}
