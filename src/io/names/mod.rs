//! Where the servers of a domain are (RFC 3263): from a host, and what is known of port and transport, to addresses in
//! the order in which they are to be tried. The only place that asks DNS.

mod order;

use crate::io::net::address_towards;
use crate::sip::{Peer, Transport};
use futures_util::future::join_all;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use order::{Naptr, Srv, naptr_transport, order_addresses, order_naptr, order_srv};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// How long one name server may think about one question; it is asked twice.
const ANSWER_PATIENCE: Duration = Duration::from_millis(1_500);
/// How long the system's own resolver may think, which is asked where DNS knows no address.
const SYSTEM_PATIENCE: Duration = Duration::from_secs(2);
/// How long everything together may take.
const RESOLVE_PATIENCE: Duration = Duration::from_secs(12);
/// Records of one answer that are looked at; the others are left out.
const RECORDS_MAX: usize = 32;
/// Servers that are returned; the others are left out.
const SERVERS_MAX: usize = 32;
/// The longest name (RFC 1035 3.1).
const NAME_MAX: usize = 253;

/// What is wanted of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// A domain, a host, or an address (IPv6 with or without brackets).
    pub host: String,
    /// A port that somebody named: then there is nothing to look up but the address.
    pub port: Option<u16>,
    /// A transport that somebody named; `None`: what the domain prefers, else UDP.
    pub transport: Option<Transport>,
}

/// Why there is no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It can't be a name.
    #[error("“{0}” is no host name")]
    Malformed(String),
    /// DNS says that there is none.
    #[error("can't find the server “{0}”: DNS knows no such name; check how it is written")]
    NoSuchName(String),
    /// The name exists and has no address.
    #[error("can't find the server “{0}”: it has no address in DNS")]
    NoAddress(String),
    /// The domain says that it doesn't offer this.
    #[error("“{host}” says in DNS that it offers no SIP over {transport}")]
    NotOffered {
        /// The domain.
        host: String,
        /// In the words of a configuration.
        transport: &'static str,
    },
    /// No name server answered.
    #[error("can't find the server “{0}”: no name server answers; check this computer's network")]
    NoAnswer(String),
    /// The name server said that it can't or won't.
    #[error("can't find the server “{host}”: the name server says “{answer}”")]
    Refused {
        /// The name that was asked for.
        host: String,
        /// `Server Failure`, `Query Refused` …
        answer: String,
    },
}

/// The servers for `wanted`, in the order in which to try them; never empty. The system's configuration is read each
/// time: another network has other name servers. Of servers with equal rights `seed` decides.
///
/// # Errors
/// When there is none.
pub async fn resolve(wanted: &Wanted, seed: u64) -> Result<Vec<Peer>, NameError> {
    let resolver =
        read_system_conf().ok().and_then(|(config, options)| build(config, options, ANSWER_PATIENCE));
    Names { resolver, ask_system: true }.resolve(wanted, seed).await
}

fn build(config: ResolverConfig, mut options: ResolverOpts, patience: Duration) -> Option<TokioResolver> {
    options.timeout = patience;
    options.attempts = 2;
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    *builder.options_mut() = options;
    builder.build().ok()
}

/// Whom to ask.
struct Names {
    /// `None`: the system names no name server.
    resolver: Option<TokioResolver>,
    /// Whether the system's own resolver is asked where DNS knows no address (mDNS, a container's names).
    ask_system: bool,
}

/// A server that has a name and no address yet.
struct Target {
    transport: Transport,
    host: String,
    port: u16,
}

impl Names {
    async fn resolve(&self, wanted: &Wanted, seed: u64) -> Result<Vec<Peer>, NameError> {
        let host = wanted.host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let transport = wanted.transport.unwrap_or_default();
        if let Ok(ip) = host.parse::<IpAddr>() {
            let port = wanted.port.unwrap_or(transport.default_port());
            return Ok(vec![Peer::new(transport, SocketAddr::new(ip, port))]);
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b) || !b.is_ascii();
        if host.is_empty() || host.len() > NAME_MAX || !host.bytes().all(word) || host.contains("..") {
            return Err(NameError::Malformed(host.chars().take(64).collect()));
        }
        let found = tokio::time::timeout(RESOLVE_PATIENCE, async {
            // Whoever names a port, or wrote the host into the hosts file, means that address.
            if wanted.port.is_some() || self.in_hosts_file(host).await {
                let port = wanted.port.unwrap_or(transport.default_port());
                return self
                    .addresses(host, vec![Target { transport, host: host.to_owned(), port }], None)
                    .await;
            }
            self.services(host, wanted, seed).await
        });
        found.await.unwrap_or_else(|_| Err(NameError::NoAnswer(host.to_owned())))
    }

    /// The servers of a domain (RFC 3263 4.1 and 4.2). Everything that may be needed is asked for at once: where nobody
    /// answers, that is waited for only once.
    async fn services(&self, host: &str, wanted: &Wanted, seed: u64) -> Result<Vec<Peer>, NameError> {
        let transport = wanted.transport.unwrap_or_default();
        let usual: Vec<(Transport, String)> = match wanted.transport {
            Some(transport) => vec![(transport, service_of(transport, host))],
            None => [Transport::Udp, Transport::Tcp, Transport::Tls].map(|t| (t, service_of(t, host))).into(),
        };
        let naptr = async {
            match wanted.transport {
                Some(_) => Vec::new(),
                None => self.naptr(host).await,
            }
        };
        let answers = join_all(usual.iter().map(|(_, service)| self.srv(service)));
        let (preferred, answers, own) = tokio::join!(naptr, answers, self.host(host));
        let mut known: Vec<_> = usual.into_iter().zip(answers).collect();
        if !preferred.is_empty() {
            let mut chosen = Vec::new();
            for Naptr { transport, replacement, .. } in preferred {
                let asked = known.iter().find(|((_, service), _)| service.eq_ignore_ascii_case(&replacement));
                let answer = match asked {
                    Some((_, answer)) => answer.clone(),
                    None => self.srv(&replacement).await,
                };
                chosen.push(((transport, replacement), answer));
            }
            known = chosen;
        }
        let mut targets = Vec::new();
        let mut declined = false;
        for ((spoken, _), servers) in known {
            declined |= spoken == transport && matches!(&servers, Some(servers) if servers.is_empty());
            let servers = order_srv(servers.unwrap_or_default(), seed);
            targets.extend(servers.into_iter().map(|s| Target {
                transport: spoken,
                host: s.target,
                port: s.port,
            }));
        }
        if targets.is_empty() && declined {
            return Err(NameError::NotOffered { host: host.to_owned(), transport: transport.via_word() });
        }
        if targets.is_empty() {
            targets.push(Target { transport, host: host.to_owned(), port: transport.default_port() });
        }
        targets.truncate(SERVERS_MAX);
        self.addresses(host, targets, Some(own)).await
    }

    /// The addresses of the servers, in their order; `own` are those of `host`, if they are known already.
    async fn addresses(
        &self,
        host: &str,
        targets: Vec<Target>,
        own: Option<Result<Vec<IpAddr>, NameError>>,
    ) -> Result<Vec<Peer>, NameError> {
        let answers = join_all(targets.iter().map(|target| async {
            match &own {
                Some(own) if target.host == host => own.clone(),
                _ => self.host(&target.host).await,
            }
        }));
        let answers = answers.await;
        let mut peers = Vec::new();
        let mut wrong = None;
        for (target, answer) in targets.iter().zip(answers) {
            match answer {
                Ok(addresses) => {
                    let source = |ip| address_towards(SocketAddr::new(ip, target.port)).ok();
                    for ip in order_addresses(addresses, source) {
                        let peer = Peer::new(target.transport, SocketAddr::new(ip, target.port));
                        if !peers.contains(&peer) && peers.len() < SERVERS_MAX {
                            peers.push(peer);
                        }
                    }
                }
                Err(error) => {
                    tracing::debug!(target: "names", %error, "a server without an address");
                    wrong.get_or_insert(error);
                }
            }
        }
        match wrong {
            Some(error) if peers.is_empty() => Err(error),
            _ if peers.is_empty() => Err(NameError::NoAddress(host.to_owned())),
            _ => Ok(peers),
        }
    }

    async fn in_hosts_file(&self, host: &str) -> bool {
        if !self.ask_system {
            return false;
        }
        // A small file, but a file: not on the thread that carries the calls.
        let host = host.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let text = std::fs::read("/etc/hosts").unwrap_or_default();
            names_in_hosts(&String::from_utf8_lossy(&text)).any(|name| name.eq_ignore_ascii_case(&host))
        });
        read.await.unwrap_or(false)
    }

    /// Empty when there is none, or nobody says: some routers drop questions for types that they don't know.
    async fn naptr(&self, host: &str) -> Vec<Naptr> {
        let Ok(answer) = self.look_up(host, RecordType::NAPTR).await else { return Vec::new() };
        let records = answer.answers().iter().filter_map(|record| match &record.data {
            RData::NAPTR(n) => Some(Naptr {
                order: n.order,
                preference: n.preference,
                transport: naptr_transport(&n.flags, &n.services, &n.regexp)?,
                replacement: n.replacement.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        });
        order_naptr(records.take(RECORDS_MAX).collect())
    }

    /// The servers of a service; none left when the domain says that it doesn't offer it; `None`: it says nothing.
    async fn srv(&self, service: &str) -> Option<Vec<Srv>> {
        let answer = self.look_up(service, RecordType::SRV).await.ok()?;
        let records = answer.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(s) => Some(Srv {
                priority: s.priority,
                weight: s.weight,
                port: s.port,
                target: s.target.to_ascii().trim_end_matches('.').to_owned(),
            }),
            _ => None,
        });
        let records: Vec<Srv> = records.take(RECORDS_MAX).collect();
        if records.is_empty() {
            return None;
        }
        Some(records.into_iter().filter(|record| !record.target.is_empty()).collect())
    }

    /// The addresses of a host.
    async fn host(&self, host: &str) -> Result<Vec<IpAddr>, NameError> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![ip]);
        }
        let asked = match &self.resolver {
            Some(resolver) => resolver
                .lookup_ip(absolute(host))
                .await
                .map(|found| found.iter().take(RECORDS_MAX).collect::<Vec<_>>())
                .map_err(|error| in_words(host, &error)),
            None => Err(NameError::NoAnswer(host.to_owned())),
        };
        match asked {
            Ok(found) if !found.is_empty() => Ok(found),
            _ if self.ask_system => {
                let wrong = asked.err().unwrap_or_else(|| NameError::NoAddress(host.to_owned()));
                let system = tokio::time::timeout(SYSTEM_PATIENCE, tokio::net::lookup_host((host, 0))).await;
                let found = system.ok().and_then(Result::ok).into_iter().flatten();
                let found: Vec<IpAddr> = found.map(|at| at.ip()).take(RECORDS_MAX).collect();
                if found.is_empty() { Err(wrong) } else { Ok(found) }
            }
            other => other,
        }
    }

    async fn look_up(&self, name: &str, kind: RecordType) -> Result<Lookup, NameError> {
        let Some(resolver) = &self.resolver else { return Err(NameError::NoAnswer(name.to_owned())) };
        resolver.lookup(absolute(name), kind).await.map_err(|error| in_words(name, &error))
    }
}

/// The name under which a domain's servers for a transport stand (RFC 3263 4.1).
fn service_of(transport: Transport, host: &str) -> String {
    match transport {
        Transport::Udp => format!("_sip._udp.{host}"),
        Transport::Tcp => format!("_sip._tcp.{host}"),
        Transport::Tls => format!("_sips._tcp.{host}"),
    }
}

/// A name with dots is a whole one: no search list. One without is looked for in the search list.
fn absolute(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.to_owned() }
}

/// The names of a hosts file.
fn names_in_hosts(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter_map(|line| line.split('#').next())
        .flat_map(|line| line.split_ascii_whitespace().skip(1))
}

fn in_words(host: &str, error: &NetError) -> NameError {
    let host = host.to_owned();
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
            NameError::NoSuchName(host)
        }
        NetError::Dns(DnsError::NoRecordsFound(_)) => NameError::NoAddress(host),
        NetError::Dns(DnsError::ResponseCode(code)) => {
            NameError::Refused { host, answer: code.to_str().to_owned() }
        }
        _ => NameError::NoAnswer(host),
    }
}

#[cfg(test)]
mod tests;
