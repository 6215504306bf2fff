//! Servers and proxies as people write them: `host`, `host:port`, `[v6]:port`, and for a proxy a `sip:` URI as well.

use super::{Proxy, Server, TransportChoice};
use crate::parking::Text;

/// Reads `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address.
pub(super) fn read_server(text: &str) -> Result<Server, &'static str> {
    const SHAPE: &str = "the server is a host, or host:port, for example \"pbx.example.com:5060\"";
    const PORT: &str = "the port is a number from 1 to 65535";
    let (host, port) = if text.parse::<std::net::Ipv6Addr>().is_ok() {
        (text, None)
    } else if let Some(rest) = text.strip_prefix('[') {
        let (host, tail) = rest.split_once(']').ok_or("the bracket of the IPv6 address isn't closed")?;
        host.parse::<std::net::Ipv6Addr>().map_err(|_| "what is in brackets is no IPv6 address")?;
        match tail {
            "" => (host, None),
            tail => (host, Some(tail.strip_prefix(':').ok_or(SHAPE)?)),
        }
    } else {
        text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
    };
    let port = match port {
        None => None,
        Some(port) => Some(port.parse().ok().filter(|p| *p != 0).ok_or(PORT)?),
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:".contains(&b);
    if host.is_empty() || host.len() > 253 || !host.bytes().all(plain) {
        return Err(SHAPE);
    }
    Ok(Server { host: host.to_owned(), port })
}

/// Reads an outbound proxy: a server, or a `sip:` or `sips:` URI without a user, of whose parameters only `transport`
/// and `lr` mean something here.
pub(super) fn read_proxy(text: &str) -> Result<Proxy, String> {
    let (secure, bare) = match (text.strip_prefix("sips:"), text.strip_prefix("sip:")) {
        (Some(bare), _) => (true, bare),
        (None, Some(bare)) => (false, bare),
        (None, None) => (false, text),
    };
    let mut parts = bare.split(';').map(str::trim);
    let host = parts.next().unwrap_or("");
    if host.contains('@') {
        return Err("a proxy has no user: write only what is behind the “@”".to_owned());
    }
    let server = read_server(host).map_err(|_| {
        "the proxy is a host, host:port or a sip: URI, for example \"proxy.example.com\" or \
         \"sip:proxy.example.com;transport=tls\""
            .to_owned()
    })?;
    let mut transport = if secure { TransportChoice::Tls } else { TransportChoice::Auto };
    for parameter in parts {
        let (name, value) = parameter.split_once('=').map_or((parameter, ""), |(n, v)| (n.trim(), v.trim()));
        match (name.to_ascii_lowercase().as_str(), value.to_ascii_lowercase().as_str()) {
            ("lr", _) => {}
            ("transport", "udp" | "tcp") if secure => {
                return Err("“sips:” is always TLS: write sip:, or leave transport out".to_owned());
            }
            ("transport", "udp") => transport = TransportChoice::Udp,
            ("transport", "tcp") => transport = TransportChoice::Tcp,
            ("transport", "tls") => transport = TransportChoice::Tls,
            ("transport", _) => return Err("a proxy's transport is udp, tcp or tls".to_owned()),
            _ => {
                let name = Text::new(name);
                return Err(format!(
                    "the parameter “{name}” means nothing here: a proxy may have transport and lr"
                ));
            }
        }
    }
    Ok(Proxy { server, transport })
}
