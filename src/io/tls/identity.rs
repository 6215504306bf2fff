//! Whose certificate it is (RFC 5922): the SIP domain or address that a server must prove, and the names that a
//! certificate carries. Nothing here says whether the certificate can be trusted.

use rustls_pki_types::ServerName;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Alternative names of one certificate that are looked at.
const NAMES_MAX: usize = 1_000;
/// Names of a certificate that are listed for people, and how long one may be.
const LISTED_MAX: usize = 6;
const LISTED_LENGTH_MAX: usize = 64;

/// Whom a TLS server must prove to be: the domain that was configured, never what DNS made of it (RFC 5922 4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TlsName {
    /// A domain or host name.
    Domain(String),
    /// A literal address.
    Address(IpAddr),
}

impl TlsName {
    /// The name that stands for a configured host; an IPv6 address with or without brackets.
    pub fn of_host(host: &str) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        match host.parse() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Domain(host.to_ascii_lowercase()),
        }
    }

    /// The same for the handshake; `None`: it can't be a name.
    pub(super) fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Domain(domain) => ServerName::try_from(domain.clone()).ok(),
            Self::Address(address) => Some(ServerName::IpAddress((*address).into())),
        }
    }
}

impl fmt::Display for TlsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => f.write_str(domain),
            Self::Address(address) => write!(f, "{address}"),
        }
    }
}

/// The names that a certificate carries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identities {
    /// Domains of `sip:` URIs.
    sip: Vec<String>,
    dns: Vec<String>,
    addresses: Vec<IpAddr>,
    /// Not an identity any more, and what older certificates have instead of one.
    common_name: Option<String>,
}

impl Identities {
    /// Reads them; `None`: it is no certificate.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let mut found = Self {
            common_name: certificate
                .subject()
                .iter_common_name()
                .next()
                .and_then(|n| n.as_str().ok())
                .map(listed),
            ..Self::default()
        };
        // An extension that can't be read is an identity that isn't there.
        let alternative = certificate.subject_alternative_name().ok().flatten();
        for name in alternative.iter().flat_map(|names| &names.value.general_names).take(NAMES_MAX) {
            match name {
                GeneralName::URI(uri) => found.sip.extend(sip_domain(uri)),
                GeneralName::DNSName(name) => found.dns.push((*name).to_owned()),
                GeneralName::IPAddress(octets) => found.addresses.extend(address(octets)),
                _ => {}
            }
        }
        Some(found)
    }

    /// Whether they prove that name (RFC 5922 7.1, 7.2): a `sip:` URI of the domain; where there is no such URI at
    /// all, a DNS name; never a wildcard, never the common name.
    pub(super) fn prove(&self, name: &TlsName) -> bool {
        match name {
            TlsName::Domain(domain) => {
                let names = if self.sip.is_empty() { &self.dns } else { &self.sip };
                names.iter().any(|name| name.trim_end_matches('.').eq_ignore_ascii_case(domain))
            }
            TlsName::Address(address) => self.addresses.contains(address),
        }
    }

    /// In words, for somebody who has to mend it: `it is for a.example, b.example`.
    pub(super) fn in_words(&self) -> String {
        let mut names: Vec<String> = self.sip.iter().map(|domain| listed(&format!("sip:{domain}"))).collect();
        names.extend(self.dns.iter().map(|name| listed(name)));
        names.extend(self.addresses.iter().map(ToString::to_string));
        let more = names.len().saturating_sub(LISTED_MAX);
        names.truncate(LISTED_MAX);
        match (names.is_empty(), more, &self.common_name) {
            (true, _, Some(name)) => format!("only its common name says “{name}”, which no longer counts"),
            (true, _, None) => "it names nobody".to_owned(),
            (false, 0, _) => format!("it is for {}", names.join(", ")),
            (false, more, _) => format!("it is for {} and {more} more", names.join(", ")),
        }
    }
}

/// The domain of a `sip:` URI that stands for a domain: one without a user (RFC 5922 7.1).
fn sip_domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    if !scheme.eq_ignore_ascii_case("sip") || rest.contains('@') {
        return None;
    }
    let host = rest.split([';', '?']).next()?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into()),
        _ => None,
    }
}

/// A name that a stranger wrote, fit to be shown.
pub(super) fn listed(name: &str) -> String {
    let plain =
        name.chars().map(|c| if c.is_ascii_graphic() || c.is_alphanumeric() || c == ' ' { c } else { '·' });
    plain.take(LISTED_LENGTH_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(name: &str) -> TlsName {
        TlsName::of_host(name)
    }

    fn with(sip: &[&str], dns: &[&str]) -> Identities {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        Identities { sip: owned(sip), dns: owned(dns), ..Identities::default() }
    }

    #[test]
    fn a_wildcard_proves_nothing_in_sip() {
        assert!(!with(&[], &["*.example.com"]).prove(&domain("sip.example.com")));
        assert!(with(&[], &["*.example.com", "sip.example.com"]).prove(&domain("SIP.Example.COM.")));
    }

    #[test]
    fn a_sip_uri_silences_the_dns_names() {
        let both = with(&["example.com"], &["sip.example.com"]);
        assert!(both.prove(&domain("example.com")));
        assert!(!both.prove(&domain("sip.example.com")));
    }

    #[test]
    fn only_a_sip_uri_without_a_user_stands_for_a_domain() {
        assert_eq!(sip_domain("sip:Example.com;transport=tls").as_deref(), Some("example.com"));
        assert_eq!(sip_domain("SIP:example.com:5061").as_deref(), Some("example.com"));
        for uri in ["sip:bob@example.com", "sips:example.com", "https://example.com", "example.com", "sip:"] {
            assert_eq!(sip_domain(uri), None, "{uri}");
        }
    }

    #[test]
    fn an_address_is_proven_by_an_address_alone() {
        let name = TlsName::of_host("[::1]");
        assert!(!with(&[], &["::1"]).prove(&name));
        assert!(Identities { addresses: vec!["::1".parse().unwrap()], ..Identities::default() }.prove(&name));
    }

    #[test]
    fn what_a_stranger_wrote_is_shown_without_escapes_and_not_at_any_length() {
        let wild = "\u{1b}[2J".to_owned() + &"a".repeat(500);
        let words = with(&[], &vec![wild.as_str(); 100]).in_words();
        assert!(!words.contains('\u{1b}') && words.len() < 600, "{words}");
        assert!(words.ends_with("and 94 more"));
    }
}
