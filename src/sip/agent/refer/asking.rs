//! A REFER of ours inside a call, and what the far end says became of it (sipfrag in NOTIFY).

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
            self.tell(Event::ReferRefused { call, refer: key, status, reason });
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
        let asking = Refer::Asking { call, number: 0, accepted: false, finished: false, alarm: None };
        self.refers.insert(key, asking);
        self.wish(now, call, Wish::Refer(key, Box::new(words)));
        key
    }

    /// It has gone out with this number.
    pub(in super::super) fn numbered_refer(&mut self, key: ReferKey, sent: u32) {
        if let Some(Refer::Asking { number, .. }) = self.refers.get_mut(&key) {
            *number = sent;
        }
    }

    pub(in super::super) fn refuse_refer(
        &mut self,
        call: CallKey,
        key: ReferKey,
        status: u16,
        reason: String,
    ) {
        if self.refers.contains_key(&key) {
            self.tell(Event::ReferRefused { call, refer: key, status, reason });
            self.forget_refer(key);
        }
    }

    pub(in super::super) fn conclude_refer(
        &mut self,
        now: Moment,
        call: CallKey,
        key: ReferKey,
        answer: &Answer,
    ) {
        if !answer.is_ok() {
            return self.refuse_refer(call, key, answer.status(), answer.words());
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
        let (package, params) = event.split_once(';').unwrap_or((event, ""));
        if !package.trim().eq_ignore_ascii_case("refer") {
            return self.answer_within(now, from, request, 489);
        }
        let id = params.split(';').find_map(|p| p.trim().strip_prefix("id=")).and_then(|id| id.parse().ok());
        let Some(key) = self.refer_with_id(call, id) else {
            return self.answer_within(now, from, request, 481);
        };
        self.answer_within(now, from, request, 200);
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

    /// The REFER with that id; without one, the oldest that still has something to tell.
    fn refer_with_id(&self, call: CallKey, id: Option<u32>) -> Option<ReferKey> {
        let refers = &self.calls.get(&call)?.refers;
        let fits = |key: &&ReferKey| match self.refers.get(*key) {
            Some(Refer::Asking { number, finished: false, .. }) if *number > 0 => {
                id.is_none_or(|id| id == *number)
            }
            _ => false,
        };
        refers.iter().find(fits).copied()
    }

    /// The far end has fallen silent.
    pub(super) fn lapse_asking(&mut self, call: CallKey, key: ReferKey) {
        let reason = "no word about the transfer".to_owned();
        self.tell(Event::ReferProgress { call, refer: key, status: 408, reason, ended: true });
        self.forget_refer(key);
    }
}
