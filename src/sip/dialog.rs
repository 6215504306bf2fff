//! Dialogs (RFC 3261 12): the words that name one, its sequence numbers, its route, and where its requests go.

mod saved;

pub use saved::SavedDialog;

use super::message::{Headers, Method, NameAddr, Request, Response, Scheme, Uri};
use crate::sip::{Peer, Transport};
use std::net::SocketAddr;

/// One dialog as we see it; before the far end has a tag, the makings of one.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    pub(crate) local_tag: String,
    pub(crate) remote_tag: Option<String>,
    /// From of our requests, tag included.
    pub(crate) local: NameAddr,
    /// To of our requests, without the tag.
    pub(crate) remote: NameAddr,
    /// The number of our last request.
    pub(crate) local_cseq: u32,
    /// The number of the far end's last request.
    pub(crate) remote_cseq: Option<u32>,
    /// Request-URI of our requests.
    pub(crate) remote_target: Uri,
    route_set: Vec<NameAddr>,
    /// Where the dialog came from; before it is established: where its first request goes.
    pub(crate) peer: Peer,
    /// Whether requests follow route set and remote target, or go to `peer`.
    follows_target: bool,
    /// Whether they go to `peer` for ever, whatever the far end says later.
    bound: bool,
}

impl Dialog {
    /// The makings of a dialog that our first request will begin; it goes to `send_to`.
    pub(crate) fn to_begin(
        call_id: String,
        local: NameAddr,
        remote: NameAddr,
        target: Uri,
        send_to: Peer,
    ) -> Self {
        Self {
            call_id,
            local_tag: local.tag().unwrap_or_default().to_owned(),
            remote_tag: None,
            local,
            remote,
            local_cseq: 0,
            remote_cseq: None,
            remote_target: target,
            route_set: Vec::new(),
            peer: send_to,
            follows_target: false,
            bound: false,
        }
    }

    /// The dialog that a request from outside begins (RFC 3261 12.1.1). `None` if From or To is missing.
    pub(crate) fn begun_by(request: &Request, from: Peer, local_tag: String) -> Option<Self> {
        let headers = &request.headers;
        let mut remote = headers.from()?;
        let remote_tag = remote.tag().unwrap_or_default().to_owned();
        remote.params.remove("tag");
        let target = headers.contacts().into_iter().next().map_or_else(|| remote.uri.clone(), |c| c.uri);
        Some(Self {
            call_id: headers.call_id()?.to_owned(),
            local: headers.to()?.with_tag(&local_tag),
            local_tag,
            remote_tag: Some(remote_tag),
            remote,
            local_cseq: 0,
            remote_cseq: headers.cseq().map(|(number, _)| number),
            remote_target: target,
            route_set: headers.routes("Record-Route"),
            peer: from,
            follows_target: true,
            bound: false,
        })
    }

    /// Sends every request to the address the dialog came from, or its first request went to, whatever Contact and
    /// Record-Route say: no reflection to a third party.
    pub(crate) fn bound_to_peer(mut self) -> Self {
        self.follows_target = false;
        self.bound = true;
        self
    }

    /// Whether `from` is not where the far end of a bound dialog is. Ports don't count: phones that send from another
    /// one than they listen on are common, and a connection that was opened anew comes from a new one. What was agreed
    /// over TLS is spoken of over TLS only.
    pub(crate) fn is_elsewhere(&self, from: Peer) -> bool {
        let lax = self.peer.transport == Transport::Tls && from.transport != Transport::Tls;
        self.bound && (lax || self.peer.ip().to_canonical() != from.ip().to_canonical())
    }

    /// Whether `from` is where the far end is; if it has come over another connection than before, the dialog goes on
    /// over that one.
    pub(crate) fn moves_to(&mut self, from: Peer) -> bool {
        let same_host = self.peer.ip().to_canonical() == from.ip().to_canonical();
        let another_connection =
            from.transport.is_reliable() && self.peer.transport == from.transport && same_host;
        if another_connection {
            self.peer = from;
        }
        self.peer == from
    }

    /// Learns the far end's tag, target and route from a response to our first request (RFC 3261 12.1.2).
    pub(crate) fn learn(&mut self, response: &Response, from: Peer) {
        let Some(to) = response.headers.to() else { return };
        let Some(tag) = to.tag() else { return };
        self.remote_tag = Some(tag.to_owned());
        self.route_set = response.headers.routes("Record-Route");
        self.route_set.reverse();
        self.refresh_target(&response.headers);
        if !self.bound {
            self.peer = from;
            self.follows_target = true;
        }
    }

    /// Learns the far end from a request of its own that overtook the response (RFC 6665 4.4.1).
    pub(crate) fn learn_from_request(&mut self, request: &Request) {
        let Some(from) = request.headers.from() else { return };
        self.remote_tag = Some(from.tag().unwrap_or_default().to_owned());
        self.route_set = request.headers.routes("Record-Route");
        self.refresh_target(&request.headers);
        self.follows_target = !self.bound;
    }

    /// Takes a new remote target (RFC 3261 12.2).
    pub(crate) fn refresh_target(&mut self, headers: &Headers) {
        if let Some(contact) = headers.contacts().into_iter().next().filter(|c| c.uri.is_sip()) {
            self.remote_target = contact.uri;
        }
    }

    /// Whether a request of the far end is the next one: numbers may skip but never go back (RFC 3261 12.2.2).
    pub(crate) fn advance(&mut self, cseq: u32) -> bool {
        let next = self.remote_cseq.is_none_or(|last| cseq > last);
        if next {
            self.remote_cseq = Some(cseq);
        }
        next
    }

    /// The next request in this dialog, but for Via, and where it goes (RFC 3261 12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> (Request, Peer) {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.request_numbered(method, self.local_cseq)
    }

    /// The same with a number that was used before: the ACK of an INVITE's 2xx.
    pub(crate) fn request_numbered(&self, method: Method, cseq: u32) -> (Request, Peer) {
        let mut request = Request::new(method.clone(), self.remote_target.clone());
        let mut routes = self.route_set.clone();
        let strict = routes.first().is_some_and(|first| !first.uri.params.has("lr"));
        if strict {
            // A router of RFC 2543 wants itself in the Request-URI and the target last.
            request.uri = routes.remove(0).uri;
            routes.push(NameAddr::new(self.remote_target.clone()));
        }
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", self.local.to_string());
        let to = match self.remote_tag.as_deref().filter(|tag| !tag.is_empty()) {
            Some(tag) => self.remote.clone().with_tag(tag),
            None => self.remote.clone(),
        };
        request.headers.push("To", to.to_string());
        request.headers.push("Call-ID", self.call_id.clone());
        request.headers.push("CSeq", format!("{cseq} {method}"));
        for route in &routes {
            request.headers.push("Route", route.to_string());
        }
        let hop = if strict { &request.uri } else { routes.first().map_or(&request.uri, |r| &r.uri) };
        let to = if self.follows_target { self.next_hop(hop) } else { self.peer };
        (request, to)
    }

    /// Where a URI leads (RFC 3263 4.1, as far as a literal address goes; a name leads where the dialog came from). What
    /// began over TLS stays on its connection unless the URI leads elsewhere by TLS: no word of it goes in the clear.
    fn next_hop(&self, hop: &Uri) -> Peer {
        let named = hop.params.get("transport").and_then(Transport::of_word);
        let wanted =
            if hop.scheme == Scheme::Sips { Transport::Tls } else { named.unwrap_or(self.peer.transport) };
        let Some(address) = hop.host_port_addr() else { return self.peer };
        if self.peer.transport == Transport::Tls {
            let same_host = address.ip().to_canonical() == self.peer.ip().to_canonical();
            if same_host || wanted != Transport::Tls {
                return self.peer;
            }
        }
        // The port of TLS is another one even where the scheme doesn't say so (RFC 3261 19.1.2).
        let port = if hop.port.is_none() { wanted.default_port() } else { address.port() };
        Peer::new(wanted, SocketAddr::new(address.ip(), port))
    }

    /// Whether the far end's tag is this one; an unknown one is nobody's.
    pub(crate) fn is_with(&self, remote_tag: &str) -> bool {
        self.remote_tag.as_deref() == Some(remote_tag)
    }
}
