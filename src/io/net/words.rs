//! Why a connection did not come about or ended, in words.

use crate::io::tls::{NOT_TLS, tls_words};
use crate::sip::{Peer, Transport};
use std::io::{self, ErrorKind};

/// Nothing answered the attempt to connect.
pub(super) fn no_answer(peer: Peer) -> String {
    format!(
        "{} does not answer on port {} (TCP): is it switched on, and does a firewall stand between?",
        peer.ip(),
        peer.port()
    )
}

/// The connection came about and nothing was said.
pub(super) fn stalled_handshake(peer: Peer) -> String {
    format!(
        "{} accepted the connection and said nothing (no TLS handshake): is port {} the right one?",
        peer.ip(),
        peer.port()
    )
}

/// Where somebody usually listens for SIP over this transport, for the end of a sentence.
pub(super) fn usual_sip_port(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => " (TLS is usually on 5061, without it 5060)",
        _ => "",
    }
}

/// Why a connection could not be made; `usual` says where what is looked for usually listens.
pub(super) fn not_connected(peer: Peer, error: &io::Error, usual: &str) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            let port = peer.port();
            format!("{} refuses connections to port {port}: nothing listens there{usual}", peer.ip())
        }
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
            format!("no way to {}: check this computer's network", peer.ip())
        }
        ErrorKind::TimedOut => no_answer(peer),
        _ if is_end(error) => format!("{} broke the connection off at once", peer.ip()),
        ErrorKind::AddrNotAvailable => format!("no local port is free for a connection to {}", peer.address),
        _ => format!("no connection to {}: {error}", peer.address),
    }
}

/// Why a handshake failed; `usual` as in [`not_connected`].
pub(super) fn not_secured(peer: Peer, error: &io::Error, usual: &str) -> String {
    match tls_words(error) {
        Some(words) if words == NOT_TLS => words + usual,
        Some(words) => words,
        None if is_end(error) => format!(
            "{} broke the connection off during the TLS handshake: it may want another TLS version, or a certificate from us",
            peer.ip()
        ),
        None => format!("the TLS handshake with {} failed: {error}", peer.ip()),
    }
}

/// Why a connection that was up has ended.
pub(super) fn ended(error: &io::Error) -> String {
    match tls_words(error) {
        Some(words) => words,
        None if is_end(error) => "the connection was broken off".to_owned(),
        None if error.kind() == ErrorKind::TimedOut => {
            "nothing comes back on the connection any more".to_owned()
        }
        None => format!("the connection failed: {error}"),
    }
}

fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
    )
}
