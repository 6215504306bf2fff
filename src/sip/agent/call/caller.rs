//! The caller's side: INVITE, its responses, CANCEL, and the ACK of every 2xx (RFC 3261 13.2, 9.1).

use super::super::errand::{Answer, Purpose, UNPROVEN, bare};
use super::super::reception::owners_to;
use super::super::reply::add_headers;
use super::super::{
    AccountKey, CallKey, EndCause, EndedBy, Event, Invite, MAX_CALLS, Transmit, Usage, UserAgent, Why,
};
use super::ending::add_reason;
use super::forks::MAX_FORKS;
use super::reliable::requires;
use super::{Call, Phase};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::Reason;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, NameAddr, Request, Response};
use crate::sip::multipart;
use crate::sip::transaction::{ClientId, cancel_of, timers};

impl UserAgent {
    /// Calls somebody. At [`MAX_CALLS`] the call ends at once.
    pub fn invite(&mut self, now: Moment, invite: Invite) -> CallKey {
        let key = CallKey(self.next_key());
        let from = self.sender(invite.account, invite.from).with_tag(&self.token());
        let remote = owners_to(&invite.headers).unwrap_or_else(|| NameAddr::new(bare(invite.target.clone())));
        let call_id = self.long_token();
        let dialog = Dialog::to_begin(call_id, from.clone(), remote, bare(invite.target), invite.send_to);
        let dialog = self.bind(dialog);
        let words = (dialog.call_id.clone(), dialog.local_tag.clone());
        let mut call =
            Call::new(invite.account, true, dialog, Phase::Calling { heard: false, cancelled: false });
        if self.calls.len() >= MAX_CALLS || !self.has_room_for_errand() {
            call.phase = Phase::Over;
            self.calls.insert(key, call);
            let reason = "too many calls".to_owned();
            self.tell_ended(key, EndCause { by: EndedBy::Local, status: Some(503), reason });
            self.settle(key);
            return key;
        }
        call.contact_user = from.uri.user.clone().unwrap_or_default();
        call.local_sdp.clone_from(&invite.sdp);
        call.sent_sdp.clone_from(&invite.sdp);
        let (mut request, to) = call.dialog.request(Method::Invite);
        request.headers.push("Contact", self.contact(&call.contact_user, to));
        self.add_abilities(&mut request.headers);
        if !invite.sdp.is_empty() {
            request.headers.push("Content-Type", "application/sdp");
        }
        add_headers(&mut request.headers, &invite.headers);
        request.body = invite.sdp;
        self.calls.insert(key, call);
        self.add_session(key, &mut request.headers);
        self.dialogs.insert(words, Usage::Call(key));
        let client = self.send_errand(now, Purpose::Invite(key), invite.account, to, request);
        self.moved_invite(key, client);
        self.take_news(now);
        key
    }

    /// The INVITE under way is now this transaction.
    pub(in super::super) fn moved_invite(&mut self, key: CallKey, client: ClientId) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.invite = Some(client);
            if let Phase::Calling { heard, .. } = &mut call.phase {
                *heard = false;
                call.forks.clear();
            }
        }
    }

    /// Whether a challenged request is still wanted.
    pub(in super::super) fn wants_retry(&self, purpose: Purpose) -> bool {
        match purpose {
            Purpose::Invite(call) | Purpose::Reinvite(call) => {
                self.calls.get(&call).is_some_and(|call| !call.ended)
            }
            _ => true,
        }
    }

    pub(in super::super) fn take_progress(
        &mut self,
        now: Moment,
        key: CallKey,
        from: Peer,
        response: Response,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let Phase::Calling { heard, cancelled } = &mut call.phase else { return };
        let first = !std::mem::replace(heard, true);
        if *cancelled {
            if first {
                self.send_cancel(now, key);
            }
            return;
        }
        if response.status == 100 {
            return;
        }
        call.learn_abilities(&response.headers);
        let fork = call.meet_sender(&response, from).map_or(0, |fork| fork.number);
        let reliable = fork > 0 && requires(&response.headers, "100rel");
        if reliable && !self.acknowledge(now, key, fork, &response.headers) {
            return;
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        let sdp = sdp_of(&response.headers, response.body);
        if let Some(fork) = call.forks.iter_mut().find(|held| held.number == fork) {
            fork.agreed |= reliable && sdp.is_some();
            fork.sdp = sdp.clone().or(fork.sdp.take());
        }
        // RFC 6228: that branch has ended, the others go on.
        if response.status == 199 {
            call.forks.retain(|held| held.number != fork);
        }
        let (status, headers) = (response.status, Box::new(response.headers));
        self.tell(Event::CallProgress { call: key, fork, status, headers, sdp });
        self.pump(now, key);
    }

    /// CANCEL, once the far end has shown that it has the INVITE (RFC 3261 9.1).
    pub(super) fn send_cancel(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let asked = call.invite.and_then(|client| self.transactions.request_of(client));
        let Some((mut cancel, to)) = asked.map(|(invite, to)| (cancel_of(invite), to)) else { return };
        add_reason(&mut cancel, call.farewell.as_ref());
        self.alarms.reset(&mut call.cancel_lapse, now + timers::LIMIT, Why::CancelLapses(key));
        self.send_cancelling(now, to, cancel);
    }

    /// Nobody answered the cancelled INVITE: it is over all the same.
    pub(in super::super) fn lapse_cancel(&mut self, _now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.cancel_lapse = None;
        if let Some(client) = call.invite.take() {
            self.errands.remove(&client);
            self.transactions.forget_client(client);
        }
        if let Some(call) = self.calls.get_mut(&key) {
            call.phase = Phase::Over;
        }
        self.settle(key);
    }

    /// A 2xx to an INVITE or re-INVITE: acknowledged always, wanted or not (RFC 3261 13.2.2.4).
    pub(in super::super) fn take_invite_ok(
        &mut self,
        now: Moment,
        client: ClientId,
        from: Peer,
        response: Response,
    ) {
        let Some(errand) = self.errands.get(&client) else { return };
        let tag = response.headers.to().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        if let Some((_, ack)) = errand.acks.iter().find(|(acked, _)| *acked == tag) {
            let ack = ack.clone();
            return self.transactions.transmit(ack.to, ack.bytes);
        }
        let (purpose, account, first) = (errand.purpose, errand.account, errand.acks.is_empty());
        if errand.acks.len() >= MAX_FORKS {
            return;
        }
        let Some((invite, sent_to)) = self.transactions.request_of(client).map(|(i, to)| (i.clone(), to))
        else {
            return;
        };
        let proven = self.take_acknowledgement((account, sent_to), from, &invite, &response);
        let wanted = first && proven && self.is_wanted(purpose, client);
        let Some(mut dialog) = self.dialog_for_ok(purpose, wanted, (&invite, sent_to), &response, from)
        else {
            return;
        };
        let ack = self.ack(&dialog, &invite, account);
        self.transactions.transmit(ack.to, ack.bytes.clone());
        if let Some(errand) = self.errands.get_mut(&client) {
            errand.acks.push((tag, ack));
        }
        if !wanted {
            let (mut bye, to) = dialog.request(Method::Bye);
            // One of several places that answer: the call goes on with another.
            let elsewhere = proven && self.goes_on_elsewhere(purpose);
            add_reason(&mut bye, elsewhere.then(Reason::answered_elsewhere).as_ref());
            self.send_errand(now, Purpose::Farewell, account, to, bye);
            if !proven {
                self.end_unproven(purpose);
            }
            return self.answered_in_vain(purpose, client);
        }
        match purpose {
            Purpose::Invite(key) => self.establish(now, key, response),
            Purpose::Reinvite(key) => self.conclude_reoffer(now, key, response),
            _ => {}
        }
    }

    /// Whether the call still wants this answer; if not, it gets an ACK and a BYE.
    fn is_wanted(&self, purpose: Purpose, client: ClientId) -> bool {
        let call = match purpose {
            Purpose::Invite(key) | Purpose::Reinvite(key) => self.calls.get(&key),
            _ => None,
        };
        call.is_some_and(|call| call.invite == Some(client) && !call.ended)
    }

    /// The dialog in which a 2xx is acknowledged: the call's own, or one just for the BYE.
    fn dialog_for_ok(
        &mut self,
        purpose: Purpose,
        wanted: bool,
        (invite, sent_to): (&Request, Peer),
        response: &Response,
        from: Peer,
    ) -> Option<Dialog> {
        if let (Purpose::Invite(key) | Purpose::Reinvite(key), true) = (purpose, wanted) {
            let call = self.calls.get_mut(&key)?;
            if let Purpose::Reinvite(_) = purpose {
                call.dialog.refresh_target(&response.headers);
                return Some(call.dialog.clone());
            }
            if let Some(dialog) = call.meet_sender(response, from).map(|fork| fork.dialog.clone()) {
                call.dialog = dialog;
            }
            call.dialog.learn(response, from);
            return Some(call.dialog.clone());
        }
        // A branch that was heard before goes on counting where it was.
        let tag = response.headers.to().and_then(|to| to.tag().map(str::to_owned)).unwrap_or_default();
        let fork = match purpose {
            Purpose::Invite(key) => self.calls.get_mut(&key).and_then(|call| call.fork_mut(&tag)),
            _ => None,
        };
        if let Some(fork) = fork {
            fork.dialog.learn(response, from);
            return Some(fork.dialog.clone());
        }
        let headers = &invite.headers;
        let mut remote = headers.to()?;
        remote.params.remove("tag");
        let call_id = headers.call_id()?.to_owned();
        let dialog = Dialog::to_begin(call_id, headers.from()?, remote, invite.uri.clone(), sent_to);
        let mut dialog = self.bind(dialog);
        dialog.local_cseq = headers.cseq().map_or(1, |(number, _)| number);
        dialog.learn(response, from);
        Some(dialog)
    }

    /// The ACK of a 2xx: a request of its own with the INVITE's number and credentials (RFC 3261 13.2.2.4, 22.1). The
    /// credentials only where they belong: Contact and Record-Route of the 2xx may lead it to anybody.
    fn ack(&mut self, dialog: &Dialog, invite: &Request, account: Option<AccountKey>) -> Transmit {
        let number = invite.headers.cseq().map_or(1, |(number, _)| number);
        let (mut ack, to) = dialog.request_numbered(Method::Ack, number);
        if self.is_server_of(account, to) {
            for name in ["Authorization", "Proxy-Authorization"] {
                for value in invite.headers.get_all(name) {
                    ack.headers.push(name, value);
                }
            }
        }
        self.add_via(&mut ack, to);
        Transmit { to, bytes: ack.to_bytes() }
    }

    fn establish(&mut self, now: Moment, key: CallKey, response: Response) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.invite = None;
        call.phase = Phase::Confirmed;
        call.learn_abilities(&response.headers);
        let tag = call.dialog.remote_tag.clone().unwrap_or_default();
        let branch = call.fork_mut(&tag).map(|fork| (fork.number, fork.sdp.take()));
        let (fork, early) = branch.unwrap_or_default();
        // What a branch said reliably it need not say again (RFC 3261 13.2.1).
        let sdp = sdp_of(&response.headers, response.body).or(early);
        self.take_session(now, key, &response.headers);
        self.tell(Event::CallAnswered { call: key, fork, headers: Box::new(response.headers), sdp });
        self.pump(now, key);
    }

    fn goes_on_elsewhere(&self, purpose: Purpose) -> bool {
        let Purpose::Invite(key) = purpose else { return false };
        self.calls.get(&key).is_some_and(|call| !call.ended && call.phase == Phase::Confirmed)
    }

    /// A server that claims to know our password and does not is no server of ours.
    fn end_unproven(&mut self, purpose: Purpose) {
        let (Purpose::Invite(key) | Purpose::Reinvite(key)) = purpose else { return };
        let reason = UNPROVEN.to_owned();
        self.tell_ended(key, EndCause { by: EndedBy::Local, status: None, reason });
    }

    /// A 2xx came that nobody wants any more, and has got its BYE: if it was the call's own, nothing is left of that.
    fn answered_in_vain(&mut self, purpose: Purpose, client: ClientId) {
        let (Purpose::Invite(key) | Purpose::Reinvite(key)) = purpose else { return };
        let own = |call: &&mut Call| call.ended && call.invite == Some(client);
        let Some(call) = self.calls.get_mut(&key).filter(own) else { return };
        call.invite = None;
        if matches!(call.phase, Phase::Calling { .. }) {
            call.phase = Phase::Over;
        }
        self.settle(key);
    }

    /// Our INVITE was refused, or nobody answered.
    pub(in super::super) fn conclude_invite(&mut self, now: Moment, key: CallKey, mut answer: Answer) {
        if self.goes_on(now, key, &mut answer) {
            return;
        }
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.invite = None;
        call.phase = Phase::Over;
        let by = if answer.silent { EndedBy::Timeout } else { EndedBy::Remote };
        let status = (!answer.silent).then_some(answer.status());
        self.tell_ended(key, EndCause { by, status, reason: answer.words() });
        self.settle(key);
    }
}

/// The body, if it is a session description, or that part of it which is.
pub(super) fn sdp_of(headers: &crate::sip::message::Headers, body: Vec<u8>) -> Option<Vec<u8>> {
    let kind = headers.get("Content-Type").unwrap_or("application/sdp").trim();
    if multipart::is_multipart(kind) {
        return multipart::description(kind, &body).map(<[u8]>::to_vec).filter(|sdp| !sdp.is_empty());
    }
    let is_sdp = kind.get(..15).is_some_and(|kind| kind.eq_ignore_ascii_case("application/sdp"));
    (!body.is_empty() && is_sdp).then_some(body)
}
