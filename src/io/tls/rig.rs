//! Authorities and certificates of our own for tests, right and wrong in every way, as files.

use super::{TlsClientFiles, TlsServerFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use tempfile::TempDir;

/// Somebody who issues certificates.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
    issued: AtomicU32,
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// What most servers' certificates say.
pub(crate) fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// An alternative name of the kind that SIP knows and the web doesn't.
pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, folder: TempDir::new().unwrap(), issued: AtomicU32::new(0) }
    }

    /// A certificate with its key, as files.
    pub(crate) fn issue(&self, params: &CertificateParams) -> TlsServerFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.keep(&certificate.pem(), &key)
    }

    /// A certificate that signed itself, as files.
    pub(crate) fn issue_self_signed(&self, params: &CertificateParams) -> TlsServerFiles {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        self.keep(&certificate.pem(), &key)
    }

    fn keep(&self, certificate: &str, key: &KeyPair) -> TlsServerFiles {
        let number = self.issued.fetch_add(1, Ordering::Relaxed);
        TlsServerFiles {
            certificate: write(self.folder.path(), &format!("{number}.pem"), certificate),
            key: write(self.folder.path(), &format!("{number}.key"), &key.serialize_pem()),
        }
    }

    /// Its own certificate, as a file.
    pub(crate) fn file(&self) -> PathBuf {
        write(self.folder.path(), "ca.pem", &self.issuer.pem())
    }

    /// A client that trusts this authority.
    pub(crate) fn client(&self) -> TlsClientFiles {
        TlsClientFiles { ca: Some(self.file()), ..TlsClientFiles::default() }
    }
}
