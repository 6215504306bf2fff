//! Requests outside of dialogs: those that wait for the owner's answer, and those that we send ourselves.

use super::errand::{Answer, Purpose, bare};
use super::inbound::user_of;
use super::reply::add_headers;
use super::{
    AccountKey, Ask, Event, MAX_REQUESTS, OWNER_PATIENCE, ProbeKey, RequestKey, SentKey, UserAgent, Why,
};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::message::{Headers, Method, NameAddr, Request, Response, Uri};
use crate::sip::transaction::ServerId;

/// An incoming request that waits for the owner.
pub(super) struct Visit {
    pub(super) server: ServerId,
    pub(super) from: Peer,
    pub(super) request: Request,
    pub(super) alarm: Option<Alarm>,
}

impl UserAgent {
    pub(super) fn receive_visit(&mut self, now: Moment, from: Peer, request: Request) {
        if self.visits.len() >= MAX_REQUESTS {
            return self.answer_at_once(from, &request, 503);
        }
        let Some(server) = self.open(from, &request) else { return };
        let key = RequestKey(self.next_key());
        let alarm = Some(self.alarms.set(now + OWNER_PATIENCE, Why::VisitLapses(key)));
        self.tell(Event::RequestReceived { key, from, request: Box::new(request.clone()) });
        self.visits.insert(key, Visit { server, from, request, alarm });
    }

    /// Takes a visit from the waiting list.
    pub(super) fn take_visit(&mut self, key: RequestKey) -> Option<Visit> {
        let mut visit = self.visits.remove(&key)?;
        self.alarms.cancel(&mut visit.alarm);
        Some(visit)
    }

    /// Answers a request outside a dialog. Only final answers; `Content-Type` goes with the headers.
    pub fn answer(
        &mut self,
        now: Moment,
        request: RequestKey,
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) {
        let Some(visit) = self.take_visit(request) else { return };
        let mut response = self.reply_outside(&visit.request, status.clamp(200, 699));
        if visit.request.method == Method::Options {
            self.add_abilities(&mut response.headers);
        }
        add_headers(&mut response.headers, &headers);
        response.body = body;
        self.note_proof(now, visit.from, &visit.request, &response);
        self.transactions.respond(now, visit.server, &response);
    }

    /// The owner has granted what was asked over a connection: it is worth keeping, with a registration as long as that
    /// holds.
    fn note_proof(&mut self, now: Moment, from: Peer, request: &Request, response: &Response) {
        let proven = request.headers.get("Authorization").or(request.headers.get("Proxy-Authorization"));
        if !matches!(response.status, 200..300) {
            return;
        }
        if proven.is_some() {
            self.flows.note_use(now, from);
        }
        if request.method == Method::Register {
            let contacts = response.headers.contacts();
            let named =
                contacts.iter().filter_map(|contact| contact.params.get("expires")?.parse().ok()).max();
            self.flows.note_registration(now, from, named.or(response.headers.expires()).unwrap_or_default());
        }
    }

    pub(super) fn lapse_visit(&mut self, now: Moment, key: RequestKey) {
        self.answer(now, key, 500, Vec::new(), Vec::new());
    }

    /// Asks whether somebody is there (OPTIONS). Any answer means yes.
    pub fn probe(
        &mut self,
        now: Moment,
        account: Option<AccountKey>,
        target: Uri,
        send_to: Peer,
    ) -> ProbeKey {
        let probe = ProbeKey(self.next_key());
        if !self.has_room_for_errand() {
            self.tell(Event::ProbeLost { probe });
            return probe;
        }
        let from = self.sender(account, None);
        let user = from.uri.user.clone().unwrap_or_default();
        let mut request = self.outside_request(Method::Options, bare(target), from);
        request.headers.push("Contact", self.contact(&user, send_to));
        request.headers.push("Accept", "application/sdp");
        // A challenge is an answer too, so no credentials are spent on it.
        self.send_errand(now, Purpose::Probe(probe, now), None, send_to, request);
        self.take_news(now);
        probe
    }

    pub(super) fn conclude_probe(&mut self, now: Moment, probe: ProbeKey, sent: Moment, answer: Answer) {
        if answer.silent {
            return self.tell(Event::ProbeLost { probe });
        }
        let round_trip = now.saturating_sub(sent);
        self.tell(Event::ProbeAnswered { probe, status: answer.status(), round_trip });
    }

    /// Sends a request outside a dialog, with credentials if it is challenged by the account's server.
    pub fn request(&mut self, now: Moment, ask: Ask) -> SentKey {
        let sent = SentKey(self.next_key());
        // Without a Contact a REGISTER binds nothing: it asks who is registered (RFC 3261 10.2.3).
        let binds = |(name, _): &(String, String)| name.eq_ignore_ascii_case("Contact");
        let registers = ask.method == Method::Register && ask.headers.iter().any(binds);
        let begins = matches!(ask.method, Method::Invite | Method::Ack | Method::Cancel | Method::Subscribe);
        let fits = !registers && !begins;
        if !fits || !self.has_room_for_errand() {
            let (status, reason) =
                if fits { (503, "too many requests under way") } else { (405, "not a request for this") };
            let (headers, body) = (Box::new(Headers::new()), Vec::new());
            self.tell(Event::RequestAnswered { sent, status, reason: reason.to_owned(), headers, body });
            return sent;
        }
        let from = self.sender(ask.account, ask.from);
        let mut request = self.outside_request(ask.method, bare(ask.target), from);
        if let Some(to) = owners_to(&ask.headers) {
            request.headers.set("To", to.to_string());
        }
        add_headers(&mut request.headers, &ask.headers);
        request.body = ask.body;
        self.send_errand(now, Purpose::Ask(sent), ask.account, ask.send_to, request);
        self.take_news(now);
        sent
    }

    pub(super) fn conclude_ask(&mut self, sent: SentKey, answer: Answer) {
        let (status, reason) = (answer.status(), answer.words());
        let (headers, body) = (Box::new(answer.response.headers), answer.response.body);
        self.tell(Event::RequestAnswered { sent, status, reason, headers, body });
    }

    /// Our Contact in a dialog that this request begins: the user part by which it addresses us.
    pub(super) fn contact_for(&self, request: &Request, from: Peer) -> String {
        self.contact(&user_of(request), from)
    }
}

/// A NameAddr from an owner's `To` header, if it is one.
pub(super) fn owners_to(headers: &[(String, String)]) -> Option<NameAddr> {
    let (_, value) = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("To"))?;
    NameAddr::parse(value)
}
