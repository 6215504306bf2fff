//! Responses as this agent words them.

use super::UserAgent;
use crate::sip::Peer;
use crate::sip::digest::seal;
use crate::sip::message::{Method, Request, Response};

impl UserAgent {
    /// A response to `request`; the To tag, where the request has none, is `tag`.
    pub(super) fn reply(&self, request: &Request, status: u16, tag: &str) -> Response {
        let mut response = Response::to(request, status);
        let untagged = response.headers.to().filter(|to| to.tag().is_none());
        if let Some(to) = untagged.filter(|_| status != 100 && !tag.is_empty()) {
            response.headers.set("To", to.with_tag(tag).to_string());
        }
        response.headers.push("Server", self.config.product.clone());
        response
    }

    /// The same outside a dialog. The tag follows from the request, so that a repetition gets the same answer although
    /// nothing is kept of it (RFC 3261 8.2.7).
    pub(super) fn reply_outside(&self, request: &Request, status: u16) -> Response {
        let tag = self.tag_of(request.headers.get("Via"), request.headers.call_id());
        self.reply(request, status, &tag)
    }

    fn tag_of(&self, via: Option<&str>, call_id: Option<&str>) -> String {
        // Keyed, and of a key that serves nothing else: whoever collects tags learns nothing of what comes next.
        let mut tag = seal(&self.tag_key, &format!("{via:?} {call_id:?}"));
        tag.truncate(24);
        tag
    }

    /// Answers without a transaction: for what anybody may send in any number.
    pub(super) fn answer_at_once(&mut self, from: Peer, request: &Request, status: u16) {
        let response = self.reply_outside(request, status);
        self.transactions.transmit(from, response.to_bytes());
    }

    /// Answers what could not be read, with what could.
    pub(super) fn answer_unreadable(&mut self, from: Peer, mut answer: Response) {
        let tag = self.tag_of(answer.headers.get("Via"), answer.headers.call_id());
        if let Some(to) = answer.headers.to().filter(|to| to.tag().is_none()) {
            answer.headers.set("To", to.with_tag(&tag).to_string());
        }
        answer.headers.push("Server", self.config.product.clone());
        self.transactions.transmit(from, answer.to_bytes());
    }

    /// What we understand, for INVITE, OPTIONS and their 2xx.
    pub(super) fn add_abilities(&self, headers: &mut crate::sip::message::Headers) {
        headers.push("Allow", self.allow_line());
        headers.push("Supported", self.config.supported.join(", "));
    }

    pub(super) fn allow_line(&self) -> String {
        self.config.allow.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// Adds the owner's headers; those that the engine answers for are not to be had.
pub(super) fn add_headers(headers: &mut crate::sip::message::Headers, extra: &[(String, String)]) {
    const OURS: [&str; 11] = [
        "Via",
        "From",
        "To",
        "Call-ID",
        "CSeq",
        "Content-Length",
        "Max-Forwards",
        "Route",
        "Record-Route",
        "Allow",
        "Supported",
    ];
    for (name, value) in extra {
        let kept_back = OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name));
        if kept_back {
            continue;
        }
        // These stand in a message once: the owner's word replaces ours.
        if ["Contact", "Expires", "Content-Type", "Server", "User-Agent"]
            .iter()
            .any(|once| once.eq_ignore_ascii_case(name))
        {
            headers.set(name, value.clone());
        } else {
            headers.push(name, value.clone());
        }
    }
}
