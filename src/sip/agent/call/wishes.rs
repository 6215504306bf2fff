//! What the owner wants inside a call, one thing at a time: re-INVITE, UPDATE, REFER, INFO, and the NOTIFYs of a REFER.
//! Nothing overtakes a re-INVITE of either side that has not finished, and no request another of ours, since a lost one
//! would come with too low a number (RFC 3261 12.2.2).

use super::super::errand::{Answer, Purpose};
use super::super::reply::add_headers;
use super::super::{CallKey, Event, MAX_WISHES, ReferKey, UserAgent, Why};
use super::Phase;
use super::caller::sdp_of;
use crate::sip::Moment;
use crate::sip::message::{Headers, Method, Request, Response};
use std::time::Duration;

/// How often a re-INVITE that met another (491) is tried.
pub(super) const MAX_GLARES: u32 = 8;

/// One thing to do inside a call.
#[derive(Clone, Debug)]
pub(in super::super) enum Wish {
    Reoffer(Vec<u8>),
    Update(Vec<(String, String)>),
    /// A refresh of the session timer.
    Refresh,
    /// INFO or MESSAGE.
    Say(Method, String, Vec<u8>),
    Refer(ReferKey, Box<Request>),
    /// The next NOTIFY of a REFER that we were sent.
    ReferNotify(ReferKey),
}

impl UserAgent {
    /// Re-INVITE with a new offer (hold, resume …), never an empty one; before the call is answered UPDATE, where that may
    /// be. Waits for what is under way; an offer that still waits is replaced.
    pub fn reoffer(&mut self, now: Moment, call: CallKey, sdp: Vec<u8>) {
        let last = self.calls.get_mut(&call).and_then(|call| call.wishes.back_mut());
        if let Some(Wish::Reoffer(waiting)) = last {
            *waiting = sdp;
            return;
        }
        self.wish(now, call, Wish::Reoffer(sdp));
    }

    /// Tells the far end something by headers (identity): UPDATE if it understands that, else a re-INVITE that offers
    /// the same again.
    pub fn update(&mut self, now: Moment, call: CallKey, headers: Vec<(String, String)>) {
        self.wish(now, call, Wish::Update(headers));
    }

    /// INFO.
    pub fn info(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {
        self.wish(now, call, Wish::Say(Method::Info, content_type.to_owned(), body));
    }

    /// MESSAGE inside the call (RFC 3428).
    pub fn message(&mut self, now: Moment, call: CallKey, content_type: &str, body: Vec<u8>) {
        self.wish(now, call, Wish::Say(Method::Message, content_type.to_owned(), body));
    }

    pub(in super::super) fn wish(&mut self, now: Moment, key: CallKey, wish: Wish) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let reporting = matches!(wish, Wish::ReferNotify(_));
        if (call.ended && !reporting) || call.wishes.len() >= MAX_WISHES {
            let (status, reason) =
                if call.ended { (487, "the call has ended") } else { (503, "too much to do in this call") };
            return self.fail_wish(key, wish, status, reason);
        }
        call.wishes.push_back(wish);
        self.pump(now, key);
        self.take_news(now);
    }

    /// Does the next thing, if nothing stands in the way.
    pub(in super::super) fn pump(&mut self, now: Moment, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if matches!(call.phase, Phase::Calling { .. } | Phase::Ringing) {
            return self.pump_early(now, key);
        }
        let waits = call.in_hand.is_some()
            || call.invite.is_some()
            || call.inbound.is_some()
            || call.glare.is_some()
            || !matches!(call.phase, Phase::Confirmed | Phase::Over);
        if waits {
            return;
        }
        let Some(wish) = call.wishes.pop_front() else { return };
        match wish {
            Wish::Reoffer(sdp) => self.send_reinvite(now, key, sdp.clone(), Vec::new(), Wish::Reoffer(sdp)),
            Wish::Update(headers) if call.peer_takes("UPDATE") => {
                let contact = self.contact_in(key);
                let held = Wish::Update(headers.clone());
                self.send_wish(now, key, held, Method::Update, |request| {
                    request.headers.push("Contact", contact);
                    add_headers(&mut request.headers, &headers);
                });
            }
            Wish::Refresh if call.peer_takes("UPDATE") => self.send_refresh(now, key),
            // Without anything to offer again there is no re-INVITE that changes nothing.
            Wish::Update(_) | Wish::Refresh if call.local_sdp.is_empty() => self.pump(now, key),
            Wish::Update(headers) => {
                let sdp = call.local_sdp.clone();
                self.send_reinvite(now, key, sdp, headers.clone(), Wish::Update(headers));
            }
            Wish::Refresh => {
                let sdp = call.local_sdp.clone();
                self.send_reinvite(now, key, sdp, Vec::new(), Wish::Refresh);
            }
            Wish::Say(method, content_type, body) => {
                let held = Wish::Say(method.clone(), String::new(), Vec::new());
                self.send_wish(now, key, held, method, |request| {
                    request.headers.push("Content-Type", content_type);
                    request.body = body;
                });
            }
            Wish::Refer(refer, words) => {
                let contact = self.contact_in(key);
                let held = Wish::Refer(refer, Box::new(Request::new(Method::Refer, words.uri.clone())));
                let number = self.send_wish(now, key, held, Method::Refer, |request| {
                    request.headers.push("Contact", contact);
                    for (name, value) in words.headers.iter() {
                        request.headers.push(name, value);
                    }
                });
                self.numbered_refer(refer, number);
            }
            Wish::ReferNotify(refer) => self.send_refer_report(now, key, refer),
        }
    }

    /// UPDATE that says nothing but that the session lives (RFC 4028 7.4).
    fn send_refresh(&mut self, now: Moment, key: CallKey) {
        let contact = self.contact_in(key);
        let mut words = Headers::new();
        self.add_abilities(&mut words);
        self.add_session(key, &mut words);
        self.send_wish(now, key, Wish::Refresh, Method::Update, |request| {
            request.headers.push("Contact", contact);
            for (name, value) in words.iter() {
                request.headers.push(name, value);
            }
        });
    }

    pub(super) fn contact_in(&self, key: CallKey) -> String {
        let call = self.calls.get(&key);
        call.map(|call| self.contact(&call.contact_user, call.dialog.peer)).unwrap_or_default()
    }

    /// Sends the request of a wish; says its number.
    pub(in super::super) fn send_wish(
        &mut self,
        now: Moment,
        key: CallKey,
        wish: Wish,
        method: Method,
        fill: impl FnOnce(&mut Request),
    ) -> u32 {
        let Some(call) = self.calls.get_mut(&key) else { return 0 };
        let account = call.account;
        let (mut request, to) = call.dialog.request(method);
        let number = call.dialog.local_cseq;
        call.in_hand = Some(wish);
        fill(&mut request);
        self.send_errand(now, Purpose::Wish(key), account, to, request);
        number
    }

    /// The wish in hand was challenged and has a new number.
    pub(in super::super) fn moved_wish(&mut self, key: CallKey, number: u32) {
        let in_hand = self.calls.get(&key).and_then(|call| call.in_hand.as_ref());
        if let Some(Wish::Refer(refer, _)) = in_hand {
            self.numbered_refer(*refer, number);
        }
    }

    fn send_reinvite(
        &mut self,
        now: Moment,
        key: CallKey,
        sdp: Vec<u8>,
        headers: Vec<(String, String)>,
        wish: Wish,
    ) {
        let contact = self.contact_in(key);
        let mut abilities = Headers::new();
        self.add_abilities(&mut abilities);
        self.add_session(key, &mut abilities);
        let sdp = self.stamp(key, sdp);
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.in_hand = Some(wish);
        let account = call.account;
        let (mut request, to) = call.dialog.request(Method::Invite);
        request.headers.push("Contact", contact);
        for (name, value) in abilities.iter() {
            request.headers.push(name, value);
        }
        if !sdp.is_empty() {
            request.headers.push("Content-Type", "application/sdp");
        }
        add_headers(&mut request.headers, &headers);
        request.body = sdp;
        let client = self.send_errand(now, Purpose::Reinvite(key), account, to, request);
        self.moved_invite(key, client);
    }

    /// Our re-INVITE has its 2xx, and that its ACK.
    pub(super) fn conclude_reoffer(&mut self, now: Moment, key: CallKey, response: Response) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.invite = None;
        call.glares = 0;
        call.inherited_answer = None;
        call.learn_abilities(&response.headers);
        let offered = call.sent_sdp.clone();
        let wish = call.in_hand.take();
        self.take_session(now, key, &response.headers);
        if let Some(Wish::Reoffer(sdp)) = wish {
            self.keep_sdp(key, if offered.is_empty() { &sdp } else { &offered });
            let answer = sdp_of(&response.headers, response.body);
            self.tell(match answer {
                Some(sdp) => Event::OfferAnswered { call: key, sdp },
                None => Event::OfferFailed {
                    call: key,
                    status: response.status,
                    reason: "accepted without a description".to_owned(),
                },
            });
        }
        self.pump(now, key);
    }

    /// Our re-INVITE was refused: try again later, give it up, or the call is gone.
    pub(in super::super) fn conclude_reinvite(&mut self, now: Moment, key: CallKey, answer: Answer) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        call.invite = None;
        if call.ended {
            call.in_hand = None;
            return self.settle(key);
        }
        let Some(wish) = call.in_hand.take() else { return };
        let status = answer.status();
        let later = matches!(status, 500 | 503).then(|| answer.retry_after_s()).flatten();
        let busy = status == 491 || later.is_some_and(|after_s| after_s <= 10);
        if busy && call.glares < MAX_GLARES {
            return self.try_after_glare(now, key, wish, later);
        }
        call.glares = 0;
        if status == 422 && self.take_min_session(key, &answer.response) {
            self.put_back(key, wish);
            return self.pump(now, key);
        }
        if matches!(wish, Wish::Refresh) {
            self.refresh_later(now, key);
        }
        self.fail_wish(key, wish, status, &answer.words());
        self.end_if_lost(now, key, &answer);
        self.pump(now, key);
    }

    fn put_back(&mut self, key: CallKey, wish: Wish) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.wishes.push_front(wish);
        }
    }

    /// Both sides began something at once: what waits behind this one waits on.
    pub(super) fn try_after_glare(&mut self, now: Moment, key: CallKey, wish: Wish, later_s: Option<u64>) {
        self.put_back(key, wish);
        let wait = self.glare_wait(key, later_s);
        if let Some(call) = self.calls.get_mut(&key) {
            call.glares += 1;
            self.alarms.reset(&mut call.glare, now + wait, Why::GlareEnds(key));
        }
    }

    /// RFC 3261 14.1: whoever owns the Call-ID waits 2.1 to 4 s, the other at most 2 s.
    fn glare_wait(&mut self, key: CallKey, later_s: Option<u64>) -> Duration {
        if let Some(after_s) = later_s {
            return Duration::from_secs(after_s) + self.jitter(Duration::ZERO, Duration::from_millis(500));
        }
        let owner = self.calls.get(&key).is_some_and(|call| call.is_caller);
        let (low, high) = if owner { (2100, 4000) } else { (0, 2000) };
        self.jitter(Duration::from_millis(low), Duration::from_millis(high))
    }

    pub(in super::super) fn end_glare(&mut self, now: Moment, key: CallKey) {
        if let Some(call) = self.calls.get_mut(&key) {
            call.glare = None;
        }
        self.pump(now, key);
    }

    /// UPDATE, INFO, REFER or a NOTIFY inside the call has its answer.
    pub(in super::super) fn conclude_wish(&mut self, now: Moment, key: CallKey, answer: Answer) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        match call.in_hand.take() {
            Some(Wish::Refer(refer, _)) => self.conclude_refer(now, refer, &answer),
            Some(Wish::ReferNotify(refer)) => {
                // A phone that no longer cares for its REFER may still want the call.
                self.conclude_refer_notify(now, refer, answer);
                self.pump(now, key);
                return self.settle(key);
            }
            Some(Wish::Update(_)) if answer.is_ok() => {
                call.glares = 0;
                call.dialog.refresh_target(&answer.response.headers);
            }
            Some(Wish::Refresh) if answer.is_ok() => {
                call.glares = 0;
                call.dialog.refresh_target(&answer.response.headers);
                self.take_session(now, key, &answer.response.headers);
            }
            Some(wish @ (Wish::Update(_) | Wish::Refresh)) => self.conclude_update(now, key, wish, &answer),
            _ => {}
        }
        self.end_if_lost(now, key, &answer);
        self.pump(now, key);
        self.settle(key);
    }

    /// Our UPDATE was refused.
    fn conclude_update(&mut self, now: Moment, key: CallKey, wish: Wish, answer: &Answer) {
        let Some(call) = self.calls.get(&key).filter(|call| !call.ended) else { return };
        let later = matches!(answer.status(), 500 | 503).then(|| answer.retry_after_s()).flatten();
        let busy = answer.status() == 491 || later.is_some_and(|after_s| after_s <= 10);
        if busy && call.glares < MAX_GLARES {
            self.try_after_glare(now, key, wish, later);
        } else if matches!(wish, Wish::Refresh) {
            if answer.status() == 422 && self.take_min_session(key, &answer.response) {
                self.put_back(key, wish);
            } else if matches!(answer.status(), 405 | 501) {
                // It said that it takes UPDATE and does not: a re-INVITE does as well.
                if let Some(call) = self.calls.get_mut(&key) {
                    call.peer_allows = None;
                }
                self.put_back(key, wish);
            } else {
                self.refresh_later(now, key);
            }
        }
    }

    /// 481 and 408 end the dialog (RFC 3261 12.2.1.2), as far as the session is concerned.
    fn end_if_lost(&mut self, now: Moment, key: CallKey, answer: &Answer) {
        // Silence alone may be the path's; an owner can choose to end such a call himself.
        let silent = answer.silent && self.config.keeps_silent_calls;
        let lost = answer.status() == 481 || (answer.status() == 408 && !silent);
        if lost && self.calls.get(&key).is_some_and(|call| !call.ended) {
            self.end_lost(now, key, answer.status(), &answer.words());
        }
    }

    /// The call ends: what was still to be done in it is not.
    pub(in super::super) fn drop_wishes(&mut self, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        self.alarms.cancel(&mut call.glare);
        let (kept, dropped) = call.wishes.drain(..).partition(|wish| matches!(wish, Wish::ReferNotify(_)));
        call.wishes = kept;
        let dropped: std::collections::VecDeque<Wish> = dropped;
        for wish in dropped {
            self.fail_wish(key, wish, 487, "the call has ended");
        }
    }

    pub(super) fn fail_wish(&mut self, key: CallKey, wish: Wish, status: u16, reason: &str) {
        let reason = reason.to_owned();
        let ended = self.calls.get(&key).is_none_or(|call| call.ended);
        match wish {
            Wish::Reoffer(_) if !ended => self.tell(Event::OfferFailed { call: key, status, reason }),
            Wish::Refer(refer, _) => self.refuse_refer(refer, status, reason),
            Wish::ReferNotify(refer) => self.forget_refer(refer),
            Wish::Reoffer(_) | Wish::Update(_) | Wish::Refresh | Wish::Say(..) => {}
        }
    }
}
