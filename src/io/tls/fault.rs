//! Everything that can be wrong with TLS, in words for whoever has to mend it: what it is, and what to do.

use super::identity::listed;
use rustls::{AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible};
use rustls_pki_types::UnixTime;
use std::fmt;
use std::io;
use std::sync::Arc;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How a certificate is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Its time is over.
    #[error("the server's certificate expired on {0}: have it renewed, or set this computer's clock")]
    Expired(Day),
    /// Its time has not come.
    #[error("the server's certificate counts only from {0} on: set this computer's clock, or the server's")]
    NotYetValid(Day),
    /// Nobody whom we trust has signed it.
    #[error(
        "the server's certificate was issued by “{0}”, which is not trusted here: put that authority's certificate into [tls] ca_file, or have the server send its whole chain"
    )]
    UnknownIssuer(String),
    /// It has signed itself.
    #[error("the server's certificate is self-signed: if it is yours, put it into [tls] ca_file")]
    SelfSigned,
    /// It is somebody else's.
    #[error("the server's certificate is not for “{wanted}”: {has}")]
    WrongName {
        /// Who the server should be.
        wanted: String,
        /// The names that the certificate has, in words.
        has: String,
    },
    /// Its authority has taken it back.
    #[error("the server's certificate was revoked: don't trust it, ask whoever runs the server")]
    Revoked,
    /// It is for something else than a server.
    #[error(
        "the server's certificate is not meant for servers (extended key usage): have one issued that is"
    )]
    WrongPurpose,
    /// It is an authority's own, or its chain uses one that is none.
    #[error(
        "the server shows an authority's certificate as its own, or its chain is put together wrongly ({0})"
    )]
    BadChain(String),
    /// It is signed in a way that is no longer safe.
    #[error(
        "the server's certificate is signed in a way that is no longer safe (SHA-1, or a short key): have it renewed"
    )]
    WeakSignature,
    /// Its signature is wrong.
    #[error(
        "the signature on the server's certificate is wrong: it was tampered with, or [tls] ca_file holds another authority of that name"
    )]
    BadSignature,
    /// It can't be read.
    #[error("the server's certificate can't be read: have it replaced")]
    Unreadable,
}

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day(i64);

impl Day {
    fn of(time: UnixTime) -> Self {
        Self(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
    }

    pub(super) fn of_seconds(seconds: i64) -> Self {
        Self(seconds)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(at) => write!(f, "{}", at.strftime("%Y-%m-%d")),
            Err(_) => f.write_str("a day that is out of reach"),
        }
    }
}

impl CertificateFault {
    /// What the chain's check found, about this certificate.
    pub(super) fn of(error: &Error, certificate: &[u8]) -> Self {
        let Error::InvalidCertificate(error) = error else { return Self::BadChain(error.to_string()) };
        match error {
            CertificateError::ExpiredContext { not_after, .. } => Self::Expired(Day::of(*not_after)),
            CertificateError::NotValidYetContext { not_before, .. } => {
                Self::NotYetValid(Day::of(*not_before))
            }
            CertificateError::UnknownIssuer => unknown_issuer(certificate),
            CertificateError::Revoked => Self::Revoked,
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::WrongPurpose
            }
            CertificateError::BadEncoding => Self::Unreadable,
            CertificateError::BadSignature => Self::BadSignature,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::WeakSignature
            }
            CertificateError::Other(_) if is_self_signed(certificate) => Self::SelfSigned,
            other => Self::BadChain(listed(&other.to_string())),
        }
    }

    /// As rustls carries it to the end of the handshake.
    pub(super) fn carried(self) -> Error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(self))))
    }
}

fn is_self_signed(certificate: &[u8]) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, c)| c.subject().as_raw() == c.issuer().as_raw())
}

fn unknown_issuer(certificate: &[u8]) -> CertificateFault {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return CertificateFault::Unreadable;
    };
    if certificate.subject().as_raw() == certificate.issuer().as_raw() {
        return CertificateFault::SelfSigned;
    }
    let issuer = certificate.issuer();
    let name = issuer.iter_common_name().chain(issuer.iter_organization()).next();
    CertificateFault::UnknownIssuer(listed(
        name.and_then(|n| n.as_str().ok()).unwrap_or("somebody without a name"),
    ))
}

/// What a connection died of, if it was TLS: in words.
pub(crate) fn tls_words(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(inner))) => inner.to_string(),
        Error::InvalidCertificate(other) => {
            CertificateFault::of(&Error::InvalidCertificate(other.clone()), &[]).to_string()
        }
        Error::NoCertificatesPresented => "no certificate was shown".to_owned(),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge,
        ) => NOT_TLS.to_owned(),
        Error::PeerIncompatible(why) => incompatible(why),
        Error::AlertReceived(alert) => alerted(*alert),
        // Whoever answers a TLS greeting with text has a body too long for a record, or of no known kind.
        Error::PeerSentOversizedRecord | Error::InvalidMessage(_) => NOT_TLS.to_owned(),
        other => format!("TLS failed: {}", listed(&other.to_string())),
    })
}

/// Something else is spoken there; who looks for it knows the usual ports.
pub(crate) const NOT_TLS: &str = "what answers there does not speak TLS: check the port";
const TOO_OLD: &str =
    "the server speaks no TLS newer than 1.1, which is no longer safe: have TLS 1.2 or 1.3 switched on there";
const NO_CIPHER: &str = "no way of encrypting that both sides find safe: have TLS 1.2 with ECDHE and AES-GCM, or TLS 1.3, switched on at the server";

fn incompatible(why: &PeerIncompatible) -> String {
    match why {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => TOO_OLD.to_owned(),
        _ => NO_CIPHER.to_owned(),
    }
}

fn alerted(alert: AlertDescription) -> String {
    use AlertDescription as A;
    match alert {
        A::ProtocolVersion => TOO_OLD.to_owned(),
        A::InsufficientSecurity => NO_CIPHER.to_owned(),
        A::HandshakeFailure => format!("the server broke the handshake off: either {NO_CIPHER}; or it wants a certificate from us ([tls] certificate_file and key_file)"),
        A::CertificateRequired | A::NoCertificate => {
            "the server wants a certificate from us: set [tls] certificate_file and key_file".to_owned()
        }
        A::UnknownCA => "the server doesn't know who issued our certificate ([tls] certificate_file): have its authority made known there".to_owned(),
        A::CertificateExpired => "the server says that our certificate ([tls] certificate_file) has expired: renew it".to_owned(),
        A::CertificateRevoked => "the server says that our certificate ([tls] certificate_file) was revoked".to_owned(),
        A::BadCertificate | A::UnsupportedCertificate | A::CertificateUnknown | A::AccessDenied | A::DecryptError => {
            format!("the server does not accept our certificate ([tls] certificate_file): {alert:?}")
        }
        A::UnrecognisedName => "the server says that it is not the one we look for (TLS server name): check how the server is written".to_owned(),
        other => format!("the server broke TLS off: {other:?}"),
    }
}
