//! A REFER of ours, and what the far end says became of it (sipfrag in NOTIFY).

use super::super::call::Wish;
use super::super::errand::Answer;
use super::super::reply::add_headers;
use super::super::{CallKey, Event, MAX_REFERS, ReferKey, UserAgent, Why};
use super::Refer;
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::message::{Method, NameAddr, Request};
use crate::sip::sipfrag;
use std::time::Duration;

/// How long a REFER's NOTIFYs are awaited when the far end names no time.
const DEFAULT_LIFE: Duration = Duration::from_secs(180);
/// The longest time that is heeded, in seconds.
const LIFE_MAX_S: u64 = 600;

impl UserAgent {
    /// Asks the far end to call `refer_to`. Waits until no re-INVITE and no other request is under way.
    pub fn refer(
        &mut self,
        now: Moment,
        call: CallKey,
        refer_to: NameAddr,
        headers: Vec<(String, String)>,
    ) -> ReferKey {
        let key = ReferKey(self.next_key());
        let room = self.refers.len() < MAX_REFERS;
        let Some(held) = self.calls.get_mut(&call).filter(|call| !call.ended && room) else {
            let (status, reason) =
                if room { (481, "there is no such call") } else { (503, "too many transfers") };
            let reason = reason.to_owned();
            self.tell(Event::ReferRefused { call: Some(call), refer: key, status, reason });
            return key;
        };
        held.refers.push(key);
        let mut words = Request::new(Method::Refer, held.dialog.remote_target.clone());
        words.headers.push("Refer-To", refer_to.to_string());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Referred-By")) {
            let by = NameAddr::new(held.dialog.local.uri.clone());
            words.headers.push("Referred-By", by.to_string());
        }
        words.headers.push("Supported", self.config.supported.join(", "));
        add_headers(&mut words.headers, &headers);
        let asking = Refer::Asking {
            call: Some(call),
            dialog: None,
            number: 0,
            accepted: false,
            finished: false,
            alarm: None,
        };
        self.refers.insert(key, asking);
        self.wish(now, call, Wish::Refer(key, Box::new(words)));
        key
    }

    /// Takes back a REFER that still waits for something else in its call. False if it has gone out.
    pub fn withdraw_refer(&mut self, refer: ReferKey) -> bool {
        let Some(Refer::Asking { call: Some(call), number: 0, .. }) = self.refers.get(&refer) else {
            return false;
        };
        if let Some(call) = self.calls.get_mut(call) {
            call.wishes.retain(|wish| !matches!(wish, Wish::Refer(waiting, _) if *waiting == refer));
        }
        self.forget_refer(refer);
        true
    }

    /// It has gone out with this number.
    pub(in super::super) fn numbered_refer(&mut self, key: ReferKey, sent: u32) {
        if let Some(Refer::Asking { number, .. }) = self.refers.get_mut(&key) {
            let first = *number == 0;
            *number = sent;
            if first {
                self.tell(Event::ReferSent { refer: key });
            }
        }
    }

    pub(in super::super) fn refuse_refer(&mut self, key: ReferKey, status: u16, reason: String) {
        if let Some(Refer::Asking { call, .. }) = self.refers.get(&key) {
            let call = *call;
            self.tell(Event::ReferRefused { call, refer: key, status, reason });
            self.forget_refer(key);
        }
    }

    pub(in super::super) fn conclude_refer(&mut self, now: Moment, key: ReferKey, answer: &Answer) {
        if !answer.is_ok() {
            return self.refuse_refer(key, answer.status(), answer.words());
        }
        let Some(Refer::Asking { call, dialog, .. }) = self.refers.get_mut(&key) else { return };
        let call = *call;
        if let Some(dialog) = dialog {
            dialog.learn(&answer.response, answer.from);
        }
        let headers = Box::new(answer.response.headers.clone());
        // RFC 4488 4: the far end tells nothing more.
        let silent = headers.get("Refer-Sub").is_some_and(|value| value.trim().eq_ignore_ascii_case("false"));
        let named = headers.expires();
        self.tell(Event::ReferAccepted { call, refer: key, status: answer.status(), headers });
        let Some(Refer::Asking { accepted, finished, .. }) = self.refers.get_mut(&key) else { return };
        *accepted = true;
        if *finished || silent {
            return self.forget_refer(key);
        }
        self.await_refer_news(now, key, named);
    }

    fn await_refer_news(&mut self, now: Moment, key: ReferKey, named_s: Option<u32>) {
        let life = named_s.map_or(DEFAULT_LIFE, |s| Duration::from_secs(u64::from(s).clamp(5, LIFE_MAX_S)));
        if let Some(Refer::Asking { alarm, .. }) = self.refers.get_mut(&key) {
            self.alarms.reset(alarm, now + life, Why::ReferLapses(key));
        }
    }

    /// A NOTIFY inside a call: about a REFER of ours, or about nothing that we asked for.
    pub(in super::super) fn receive_refer_notify(
        &mut self,
        now: Moment,
        from: Peer,
        call: CallKey,
        request: &Request,
    ) {
        let event = request.headers.get("Event").unwrap_or_default();
        let params = event.split_once(';').map_or("", |(_, params)| params);
        let id = params.split(';').find_map(|p| p.trim().strip_prefix("id=")).and_then(|id| id.parse().ok());
        match self.refer_with_id(call, id) {
            _ if !is_about_a_refer(request) => self.answer_within(now, from, request, 489),
            None => self.answer_within(now, from, request, 481),
            Some(key) => self.take_refer_notify(now, from, key, request),
        }
    }

    /// A NOTIFY about this REFER of ours.
    pub(super) fn take_refer_notify(&mut self, now: Moment, from: Peer, key: ReferKey, request: &Request) {
        self.answer_within(now, from, request, 200);
        let Some(Refer::Asking { call, .. }) = self.refers.get(&key) else { return };
        let call = *call;
        let state = request.headers.get("Subscription-State").unwrap_or("active").to_ascii_lowercase();
        let ended = state.trim_start().starts_with("terminated");
        let (status, reason) = match sipfrag::read(&request.body) {
            Some(fragment) => fragment,
            None if ended => (500, "ended without a word".to_owned()),
            None => (100, "Trying".to_owned()),
        };
        self.tell(Event::ReferProgress { call, refer: key, status, reason, ended });
        let Some(Refer::Asking { accepted, finished, .. }) = self.refers.get_mut(&key) else { return };
        if !ended {
            let named = state.split(';').find_map(|p| p.trim().strip_prefix("expires=")?.parse().ok());
            return self.await_refer_news(now, key, named);
        }
        if *accepted {
            self.forget_refer(key);
        } else {
            *finished = true;
        }
    }

    /// The REFER with that id; without one, the oldest that still has something to tell. An id that was never given (a
    /// server that counts its own way, or names the number from before a challenge) can only mean the one REFER there is.
    fn refer_with_id(&self, call: CallKey, id: Option<u32>) -> Option<ReferKey> {
        let open = |key: &&ReferKey| {
            matches!(self.refers.get(*key), Some(Refer::Asking { number: 1.., finished: false, .. }))
        };
        let numbered = |key: &&ReferKey| match self.refers.get(*key) {
            Some(Refer::Asking { number, .. }) => id.is_none_or(|id| id == *number),
            _ => false,
        };
        let open: Vec<&ReferKey> = self.calls.get(&call)?.refers.iter().filter(open).collect();
        let named = open.iter().copied().find(numbered);
        named.or(open.first().copied().filter(|_| open.len() == 1)).copied()
    }

    /// The far end has fallen silent.
    pub(super) fn lapse_asking(&mut self, key: ReferKey) {
        let Some(Refer::Asking { call, .. }) = self.refers.get(&key) else { return };
        let call = *call;
        let reason = "no word about the transfer".to_owned();
        self.tell(Event::ReferProgress { call, refer: key, status: 408, reason, ended: true });
        self.forget_refer(key);
    }
}

pub(super) fn is_about_a_refer(request: &Request) -> bool {
    let event = request.headers.get("Event").unwrap_or_default();
    event.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("refer")
}
