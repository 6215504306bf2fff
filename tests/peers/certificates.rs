//! Certificates for one test, made when it runs: an authority of its own, and servers that are right or wrong in one
//! way each. Nothing here is trusted outside the test's folder.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use std::path::{Path, PathBuf};

/// An authority that signs what a test needs.
pub struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

/// Two files in PEM.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("parkdeck-certificates-").tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = named(&[], name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate: what a client must be told to trust.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server (or client) that may call itself any of these names or addresses.
    pub fn sign(&self, file: &str, names: &[&str]) -> Pair {
        self.sign_with(file, named(names, names.first().copied().unwrap_or(file)))
    }

    /// The same, valid only in a year long gone.
    pub fn sign_expired(&self, file: &str, names: &[&str]) -> Pair {
        let mut params = named(names, names[0]);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign_with(file, params)
    }

    /// The same, valid only in a year to come.
    pub fn sign_early(&self, file: &str, names: &[&str]) -> Pair {
        let mut params = named(names, names[0]);
        params.not_before = date_time_ymd(2090, 1, 1);
        params.not_after = date_time_ymd(2091, 1, 1);
        self.sign_with(file, params)
    }

    /// A certificate that nobody but itself signed.
    pub fn self_signed(&self, file: &str, names: &[&str]) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = named(names, names[0]).self_signed(&key).unwrap();
        self.write(file, &certificate.pem(), &key)
    }

    fn sign_with(&self, file: &str, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(file, &certificate.pem(), &key)
    }

    fn write(&self, file: &str, certificate: &str, key: &KeyPair) -> Pair {
        let at = |kind: &str| self.folder.path().join(format!("{file}-{kind}.pem"));
        let pair = Pair { certificate: at("certificate"), key: at("key") };
        std::fs::write(&pair.certificate, certificate).unwrap();
        std::fs::write(&pair.key, key.serialize_pem()).unwrap();
        make_private(&pair.key);
        pair
    }
}

impl Pair {
    /// Certificate and key in one file, as some programs want it.
    pub fn joined(&self) -> PathBuf {
        let file = self.certificate.with_extension("joined");
        let both = [std::fs::read(&self.certificate).unwrap(), std::fs::read(&self.key).unwrap()].concat();
        std::fs::write(&file, both).unwrap();
        make_private(&file);
        file
    }
}

fn make_private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn named(names: &[&str], common: &str) -> CertificateParams {
    // What reads as an address becomes an address.
    let mut params =
        CertificateParams::new(names.iter().map(|name| (*name).to_string()).collect::<Vec<_>>()).unwrap();
    debug_assert!(params.subject_alt_names.iter().all(|n| !matches!(n, SanType::Rfc822Name(_))));
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common);
    params.distinguished_name = subject;
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}
