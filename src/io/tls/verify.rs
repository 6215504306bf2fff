//! Checks a server's certificate as SIP wants it (RFC 5922): the chain as everywhere, by rustls; the name by SIP's own
//! rules, which the web's can't replace, for they know no `sip:` URI and believe wildcards.

use super::fault::{CertificateFault, Day};
use super::identity::{Identities, TlsName};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whom to believe.
#[derive(Debug)]
pub(super) struct Trusted {
    pub roots: RootCertStore,
    /// The certificates of `ca_file`: one that is a server's very own is trusted as it stands.
    pub own: Vec<CertificateDer<'static>>,
}

/// Trusts what the roots have signed and what the operator has put into his own file, for the right name only.
#[derive(Debug)]
pub(super) struct SipVerifier {
    /// `None`, with `verify = false`: any certificate, from anybody. Only that its owner is at the other end is still
    /// checked.
    pub trusted: Option<Trusted>,
    pub algorithms: WebPkiSupportedAlgorithms,
}

impl SipVerifier {
    fn trust(
        &self,
        trusted: &Trusted,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        // A self-signed certificate, made as an authority's as many tools do, is no server's in any chain.
        if trusted.own.iter().any(|own| own.as_ref() == certificate.as_ref()) {
            return in_its_time(certificate, now);
        }
        let parsed = ParsedCertificate::try_from(certificate)?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &trusted.roots, chain, now, self.algorithms.all)
            .map_err(|error| CertificateFault::of(&error, certificate).carried())
    }
}

fn in_its_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Err(CertificateFault::Unreadable.carried());
    };
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let (from, until) = (parsed.validity().not_before.timestamp(), parsed.validity().not_after.timestamp());
    if now < from {
        return Err(CertificateFault::NotYetValid(Day::of_seconds(from)).carried());
    }
    if now > until {
        return Err(CertificateFault::Expired(Day::of_seconds(until)).carried());
    }
    Ok(())
}

impl ServerCertVerifier for SipVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        self.trust(trusted, certificate, chain, now)?;
        let wanted = match name {
            ServerName::DnsName(domain) => TlsName::of_host(domain.as_ref()),
            ServerName::IpAddress(address) => TlsName::Address((*address).into()),
            _ => return Err(Error::UnsupportedNameType),
        };
        let identities = Identities::of(certificate).ok_or_else(|| CertificateFault::Unreadable.carried())?;
        if identities.prove(&wanted) {
            return Ok(ServerCertVerified::assertion());
        }
        let fault = CertificateFault::WrongName { wanted: wanted.to_string(), has: identities.in_words() };
        Err(fault.carried())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
