//! What follows when our INVITE was not simply refused: another place to try (3xx, RFC 3261 8.1.3.4), or a session
//! interval that was too short (422). The call, its To and From stay what they were; a redirect never leads to another
//! server, for every INVITE goes where the first one went.

use super::super::errand::{Answer, Purpose, bare};
use super::super::{CallKey, Event, UserAgent};
use super::Phase;
use crate::sip::message::{Headers, NameAddr, Request, Scheme, Uri};
use crate::sip::{Moment, Transport};
use std::collections::VecDeque;

/// How often one call is redirected, all in all.
const MAX_REDIRECTS: usize = 5;

/// The places that a call was sent to.
#[derive(Debug, Default)]
pub(in super::super) struct Redirects {
    /// Still to be tried, the best first.
    waiting: VecDeque<NameAddr>,
    /// Where it has been, the first target too.
    tried: Vec<String>,
}

/// The places that a 3xx names, the most wished for first (RFC 3261 20.10).
fn places(headers: &Headers) -> Vec<NameAddr> {
    let mut places = headers.contacts();
    let quality = |place: &NameAddr| {
        let q = place.params.get("q").and_then(|q| q.trim().parse::<f32>().ok()).unwrap_or(1.0);
        if q.is_finite() { (q.clamp(0.0, 1.0) * 1_000.0) as u32 } else { 0 }
    };
    places.sort_by_key(|place| std::cmp::Reverse(quality(place)));
    places
}

/// Headers in such a URI would be theirs to choose (RFC 3261 19.1.5): none of them is taken.
fn harmless(place: &mut NameAddr) {
    place.uri = bare(place.uri.clone());
    place.uri.params.remove("method");
}

/// Two URIs of one key lead to the same place.
fn key_of(uri: &Uri) -> String {
    let user = uri.user.as_deref().unwrap_or_default();
    format!("{:?} {user} {} {:?}", uri.scheme, uri.host.to_ascii_lowercase(), uri.port)
}

impl UserAgent {
    /// Goes on after a refusal of our INVITE where there is a way; true if another one is out.
    pub(super) fn goes_on(&mut self, now: Moment, key: CallKey, answer: &mut Answer) -> bool {
        let Some(call) = self.calls.get(&key) else { return false };
        let Some(request) = answer.asked.take().filter(|_| !call.ended) else { return false };
        let Phase::Calling { cancelled: false, .. } = call.phase else { return false };
        match answer.status() {
            422 if self.take_min_session(key, &answer.response) => {
                let uri = request.uri.clone();
                self.invite_again(now, key, *request, uri);
                true
            }
            300..=302 if self.config.follows_redirects => self.redirect(now, key, answer, *request),
            status @ 300..=302 => {
                let mut places = places(&answer.response.headers);
                places.truncate(MAX_REDIRECTS);
                places.iter_mut().for_each(harmless);
                self.tell(Event::CallMoved { call: key, places, status });
                false
            }
            305 | 380 => {
                let place = places(&answer.response.headers).first().map(|place| place.uri.to_string());
                let place = place.unwrap_or_else(|| "nowhere".to_owned());
                answer.reword(match answer.status() {
                    305 => format!("the server wants another proxy to be used: {place}"),
                    _ => format!("another service is offered: {place}"),
                });
                false
            }
            303..=599 => self.try_next(now, key, answer, *request),
            _ => false,
        }
    }

    fn redirect(&mut self, now: Moment, key: CallKey, answer: &mut Answer, request: Request) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        if call.redirects.tried.is_empty() {
            call.redirects.tried.push(key_of(&request.uri));
        }
        let named = places(&answer.response.headers);
        let first = named.first().map(|place| place.uri.to_string());
        call.redirects.waiting.extend(named.into_iter().take(MAX_REDIRECTS));
        call.redirects.waiting.truncate(MAX_REDIRECTS);
        if self.try_next(now, key, answer, request) {
            return true;
        }
        let place = first.unwrap_or_else(|| "nowhere".to_owned());
        answer.reword(format!("redirected to {place}, where this call can't go"));
        false
    }

    /// Tries the next place that is left, if there is one that can be reached and was not tried yet.
    fn try_next(&mut self, now: Moment, key: CallKey, answer: &Answer, request: Request) -> bool {
        let Some(call) = self.calls.get_mut(&key) else { return false };
        let secure = call.dialog.peer.transport == Transport::Tls;
        while let Some(mut place) = call.redirects.waiting.pop_front() {
            let reachable = match place.uri.scheme {
                Scheme::Sip | Scheme::Tel => true,
                Scheme::Sips => secure,
                Scheme::Other(_) => false,
            };
            let place_key = key_of(&place.uri);
            let fresh = !call.redirects.tried.contains(&place_key);
            harmless(&mut place);
            if reachable && fresh && call.redirects.tried.len() <= MAX_REDIRECTS {
                call.redirects.tried.push(place_key);
                let uri = place.uri.clone();
                let status = answer.status();
                self.tell(Event::CallRedirected { call: key, to: Box::new(place), status });
                self.invite_again(now, key, request, uri);
                return true;
            }
        }
        false
    }

    /// The same INVITE with the next number, perhaps to another target.
    fn invite_again(&mut self, now: Moment, key: CallKey, mut request: Request, uri: Uri) {
        let old = request.headers.cseq().map_or(0, |(number, _)| number);
        let number = self.next_cseq(Purpose::Invite(key), old);
        request.headers.set("CSeq", format!("{number} INVITE"));
        request.headers.remove("User-Agent");
        request.uri = uri;
        self.add_session(key, &mut request.headers);
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.dialog.remote_target = request.uri.clone();
        let (account, to) = (call.account, call.dialog.peer);
        let client = self.send_errand(now, Purpose::Invite(key), account, to, request);
        self.moved_invite(key, client);
    }
}
