//! Incoming requests: what RFC 3261 8.2 asks of each before anybody looks at it, and whose it is.

use super::{Usage, UserAgent};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, Request};
use crate::sip::multipart;
use crate::sip::transaction::{Arrival, ServerId};

impl UserAgent {
    pub(super) fn receive_request(&mut self, now: Moment, from: Peer, mut request: Request) {
        stamp_via(&mut request, from);
        match self.transactions.receive_request(now, from, &request) {
            Arrival::Absorbed => return,
            Arrival::Cancels(invite) => return self.receive_cancel(now, from, &request, invite),
            Arrival::Merged => return self.answer_at_once(from, &request, 482),
            Arrival::New => {}
        }
        unwrap_description(&mut request);
        let tag = request.headers.to().and_then(|to| to.tag().map(str::to_owned));
        match (&request.method, tag) {
            (Method::Ack, Some(tag)) => self.receive_ack(now, from, &tag, &request),
            (Method::Ack, None) => {}
            (Method::Cancel, _) => self.answer_at_once(from, &request, 481),
            (_, tag) if self.passes(from, &request, tag.is_some()) => match tag {
                Some(tag) => self.receive_inside(now, from, &tag, request),
                None => self.receive_outside(now, from, request),
            },
            _ => {}
        }
    }

    /// Answers what must be refused whoever it is for (RFC 3261 8.2.1 to 8.2.3); true if nothing is wrong.
    fn passes(&mut self, from: Peer, request: &Request, inside: bool) -> bool {
        let known = self.config.allow.contains(&request.method);
        // A NOTIFY or SUBSCRIBE inside a dialog belongs to what we began or admitted ourselves.
        let ours = inside && matches!(request.method, Method::Notify | Method::Subscribe);
        if !known && !ours {
            let status = if matches!(request.method, Method::Other(_)) { 501 } else { 405 };
            let mut response = self.reply_outside(request, status);
            response.headers.push("Allow", self.allow_line());
            self.transactions.transmit(from, response.to_bytes());
            return false;
        }
        let supported = &self.config.supported;
        let mut required = request.headers.list("Require");
        // Whoever subscribed to a list understands one (RFC 4662 4.6).
        required.retain(|tag| !(ours && tag.eq_ignore_ascii_case(crate::sip::rlmi::OPTION_TAG)));
        required.retain(|tag| !supported.iter().any(|s| s.eq_ignore_ascii_case(tag)));
        if !required.is_empty() {
            let mut response = self.reply_outside(request, 420);
            response.headers.push("Unsupported", required.join(", "));
            self.transactions.transmit(from, response.to_bytes());
            return false;
        }
        // Max-Forwards is for those who forward: at its end a request is where it should be (RFC 4475 3.3.11).
        self.can_describe(from, request)
    }

    /// Answers what brings or asks for a description of the session that isn't SDP (RFC 3261 8.2.3, RFC 4475 3.3.6 and
    /// 3.3.15); true if nothing is wrong.
    fn can_describe(&mut self, from: Peer, request: &Request) -> bool {
        if !matches!(request.method, Method::Invite | Method::Update) {
            return true;
        }
        let optional = request
            .headers
            .get("Content-Disposition")
            .is_some_and(|value| value.to_ascii_lowercase().replace(' ', "").contains(";handling=optional"));
        let kind = request.headers.get("Content-Type").unwrap_or(SDP);
        let status = match request.body.is_empty() || optional || is_media_type(kind, SDP) {
            false => 415,
            true => match request.headers.get("Accept") {
                Some(accepted) if !accepted.split(',').any(accepts_sdp) => 406,
                _ => return true,
            },
        };
        let mut response = self.reply_outside(request, status);
        response.headers.push("Accept", SDP);
        self.transactions.transmit(from, response.to_bytes());
        false
    }

    fn receive_outside(&mut self, now: Moment, from: Peer, request: Request) {
        match request.method {
            Method::Invite => self.receive_invite(from, request),
            Method::Refer => self.receive_refer(now, from, None, request),
            Method::Options if self.config.answers_options => self.answer_options(from, &request),
            // These make no sense outside of what they belong to.
            Method::Notify => self.receive_unasked_notify(from, request),
            Method::Bye | Method::Update | Method::Info | Method::Prack => {
                self.answer_at_once(from, &request, 481);
            }
            _ => self.receive_visit(now, from, request),
        }
    }

    fn receive_inside(&mut self, now: Moment, from: Peer, local_tag: &str, request: Request) {
        let call_id = request.headers.call_id().unwrap_or_default().to_owned();
        match self.dialogs.get(&(call_id, local_tag.to_owned())).copied() {
            Some(Usage::Call(call)) => self.receive_in_call(now, from, call, request),
            Some(Usage::Subscription(key)) => self.receive_notify(now, from, key, request),
            Some(Usage::Watcher(key)) => self.receive_in_watcher(now, from, key, request),
            Some(Usage::Refer(key)) => self.receive_in_refer(now, from, key, &request),
            _ => self.answer_at_once(from, &request, 481),
        }
    }

    pub(super) fn answer_options(&mut self, from: Peer, request: &Request) {
        let mut response = self.reply_outside(request, 200);
        self.add_abilities(&mut response.headers);
        response.headers.push("Accept", "application/sdp");
        self.transactions.transmit(from, response.to_bytes());
    }

    /// Opens a server transaction, or answers 503 when there are too many.
    pub(super) fn open(&mut self, from: Peer, request: &Request) -> Option<ServerId> {
        let server = self.transactions.open(from, request);
        if server.is_none() && request.method != Method::Ack {
            self.answer_at_once(from, request, 503);
        }
        server
    }

    /// Opens a transaction for a request that is answered on the spot.
    pub(super) fn answer_within(&mut self, now: Moment, from: Peer, request: &Request, status: u16) {
        if let Some(server) = self.open(from, request) {
            let mut response = self.reply_outside(request, status);
            if matches!(status, 200..300) && request.method == Method::Update {
                response.headers.push("Contact", self.contact(&user_of(request), from));
            }
            self.transactions.respond(now, server, &response);
        }
    }
}

/// The user part by which the far end addresses us.
pub(super) fn user_of(request: &Request) -> String {
    request.uri.user.clone().unwrap_or_default()
}

/// Notes in the topmost Via where the request really came from (RFC 3261 18.2.1, RFC 3581 4).
fn stamp_via(request: &mut Request, from: Peer) {
    let Some(mut top) = request.headers.via() else { return };
    let source = from.ip().to_string();
    let named = top.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if top.params.has("rport") {
        top.params.set("rport", from.port().to_string());
        top.params.set("received", source);
    } else if named != source {
        top.params.set("received", source);
    } else {
        return;
    }
    // One line may hold several, so all of them are written again.
    let below: Vec<String> = request.headers.vias().iter().skip(1).map(ToString::to_string).collect();
    request.headers.remove("Via");
    for via in below.iter().rev() {
        request.headers.push_front("Via", via.clone());
    }
    request.headers.push_front("Via", top.to_string());
}

/// Of a body with several parts that one which describes the session is taken, if it is the only one (RFC 5621).
fn unwrap_description(request: &mut Request) {
    if !matches!(request.method, Method::Invite | Method::Update | Method::Prack | Method::Ack) {
        return;
    }
    let kind = request.headers.get("Content-Type").unwrap_or_default();
    let found =
        if multipart::is_multipart(kind) { multipart::description(kind, &request.body) } else { None };
    if let Some(sdp) = found.map(<[u8]>::to_vec) {
        request.body = sdp;
        request.headers.set("Content-Type", SDP);
    }
}

/// The only description of a session that we speak.
const SDP: &str = "application/sdp";

/// Whether a Content-Type, its parameters aside, is that type.
fn is_media_type(value: &str, kind: &str) -> bool {
    value.split(';').next().is_some_and(|value| value.trim().eq_ignore_ascii_case(kind))
}

/// Whether a value of Accept takes SDP. An empty one takes nothing at all (RFC 3261 20.1).
fn accepts_sdp(value: &str) -> bool {
    [SDP, "application/*", "*/*"].iter().any(|kind| is_media_type(value, kind))
}
