//! A REFER that we were sent: the owner answers it, and reports what became of it; the engine only carries that.

use super::super::call::Wish;
use super::super::errand::{Answer, Purpose};
use super::super::inbound::user_of;
use super::super::reply::add_headers;
use super::super::{CallKey, Event, MAX_REFERS, OWNER_PATIENCE, ReferKey, Usage, UserAgent, Why};
use super::Refer;
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request};
use crate::sip::sipfrag;
use crate::sip::transaction::ServerId;
use std::collections::VecDeque;
use std::time::Duration;

/// How long the owner may report; then 408 is reported for it.
const LIFE: Duration = Duration::from_secs(300);

/// A REFER that we were sent.
pub(in super::super) struct Asked {
    pub(super) call: Option<CallKey>,
    /// Until it is answered.
    server: Option<ServerId>,
    from: Peer,
    request: Request,
    /// Of its own, outside of a call.
    pub(super) dialog: Option<Dialog>,
    /// Value of Event in its NOTIFYs.
    event: String,
    /// What is still to be told; at most one provisional and one final status.
    reports: VecDeque<u16>,
    /// Whether a NOTIFY is under way or waits its turn in the call.
    telling: bool,
    /// Whether the final status was given.
    closing: bool,
    pub(super) alarm: Option<Alarm>,
}

impl UserAgent {
    pub(in super::super) fn receive_refer(
        &mut self,
        now: Moment,
        from: Peer,
        call: Option<CallKey>,
        request: Request,
    ) {
        if request.headers.routes("Refer-To").len() != 1 {
            return self.answer_within(now, from, &request, 400);
        }
        if self.refers.len() >= MAX_REFERS {
            return self.answer_at_once(from, &request, 503);
        }
        let Some(server) = self.open(from, &request) else { return };
        let key = ReferKey(self.next_key());
        let mut event = "refer".to_owned();
        if let Some(call) = call.and_then(|call| self.calls.get_mut(&call)) {
            call.refers.push(key);
            call.refers_received += 1;
            if call.refers_received > 1 {
                event = format!("refer;id={}", request.headers.cseq().map_or(0, |(number, _)| number));
            }
        }
        let alarm = Some(self.alarms.set(now + OWNER_PATIENCE, Why::ReferLapses(key)));
        let asked = Asked {
            call,
            server: Some(server),
            from,
            request: request.clone(),
            dialog: None,
            event,
            reports: VecDeque::new(),
            telling: false,
            closing: false,
            alarm,
        };
        self.refers.insert(key, Refer::Asked(Box::new(asked)));
        self.tell(Event::ReferReceived { call, refer: key, request: Box::new(request), from });
    }

    /// Answers a REFER. A 2xx promises reports (`report_refer`), unless `headers` say `Refer-Sub: false`.
    pub fn answer_refer(
        &mut self,
        now: Moment,
        refer: ReferKey,
        status: u16,
        headers: Vec<(String, String)>,
    ) {
        let tag = self.token();
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&refer) else { return };
        let Some(server) = asked.server.take() else { return };
        let (request, from, call) = (asked.request.clone(), asked.from, asked.call);
        let status = status.clamp(200, 699);
        let mut response = self.reply(&request, status, &tag);
        if status < 300 {
            response.headers.push("Contact", self.contact(&user_of(&request), from));
            self.add_abilities(&mut response.headers);
        }
        add_headers(&mut response.headers, &headers);
        let silent =
            response.headers.get("Refer-Sub").is_some_and(|v| v.trim().eq_ignore_ascii_case("false"));
        self.transactions.respond(now, server, &response);
        if status >= 300 || silent {
            return self.forget_refer(refer);
        }
        let dialog = if call.is_none() { Dialog::begun_by(&request, from, tag) } else { None };
        if let Some(dialog) = &dialog {
            let words = (dialog.call_id.clone(), dialog.local_tag.clone());
            self.dialogs.insert(words, Usage::Refer(refer));
        }
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&refer) else { return };
        asked.dialog = dialog.map(Dialog::bound_to_peer);
        self.alarms.reset(&mut asked.alarm, now + LIFE, Why::ReferLapses(refer));
        self.report_refer(now, refer, 100);
    }

    /// Tells what became of a REFER; a final status ends it. A status that was not yet sent gives way to a newer one.
    pub fn report_refer(&mut self, now: Moment, refer: ReferKey, status: u16) {
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&refer) else { return };
        if asked.closing || asked.server.is_some() {
            return;
        }
        asked.closing = status >= 200;
        asked.reports.clear();
        asked.reports.push_back(status.clamp(100, 699));
        self.tell_refer(now, refer);
        self.take_news(now);
    }

    /// Sends the next report, or lets it queue in its call.
    fn tell_refer(&mut self, now: Moment, key: ReferKey) {
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&key) else { return };
        if asked.telling || asked.reports.is_empty() {
            return;
        }
        asked.telling = true;
        if let Some(call) = asked.call {
            return self.wish(now, call, Wish::ReferNotify(key));
        }
        let Some(dialog) = asked.dialog.as_mut() else { return };
        let (mut request, to) = dialog.request(Method::Notify);
        let user = user_of(&asked.request);
        self.fill_report(key, &mut request, &user, to);
        self.send_errand(now, Purpose::ReferNotify(key), None, to, request);
    }

    /// The wish for a report has come to its turn in the call.
    pub(in super::super) fn send_refer_report(&mut self, now: Moment, call: CallKey, key: ReferKey) {
        let mut words = Request::new(Method::Notify, crate::sip::message::Uri::sip("", ""));
        let Some(held) = self.calls.get(&call) else { return };
        let (user, peer) = (held.contact_user.clone(), held.dialog.peer);
        self.fill_report(key, &mut words, &user, peer);
        self.send_wish(now, call, Wish::ReferNotify(key), Method::Notify, |request| {
            for (name, value) in words.headers.iter() {
                request.headers.push(name, value);
            }
            request.body = words.body;
        });
    }

    fn fill_report(&mut self, key: ReferKey, request: &mut Request, user: &str, to: Peer) {
        let contact = self.contact(user, to);
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&key) else { return };
        let status = asked.reports.pop_front().unwrap_or(100);
        let state = if status >= 200 {
            "terminated;reason=noresource".to_owned()
        } else {
            format!("active;expires={}", LIFE.as_secs())
        };
        request.headers.push("Contact", contact);
        request.headers.push("Event", asked.event.clone());
        request.headers.push("Subscription-State", state);
        request.headers.push("Content-Type", "message/sipfrag;version=2.0");
        request.body = sipfrag::write(status);
    }

    /// A report has its answer; a far end that won't hear them gets no more.
    pub(in super::super) fn conclude_refer_notify(&mut self, now: Moment, key: ReferKey, answer: Answer) {
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&key) else { return };
        asked.telling = false;
        let done = asked.closing && asked.reports.is_empty();
        if done || !answer.is_ok() {
            return self.forget_refer(key);
        }
        self.tell_refer(now, key);
    }

    /// The owner has not answered or reported in time.
    pub(super) fn lapse_asked(&mut self, now: Moment, key: ReferKey) {
        let Some(Refer::Asked(asked)) = self.refers.get_mut(&key) else { return };
        asked.alarm = None;
        if asked.server.is_some() {
            self.answer_refer(now, key, 500, Vec::new());
        } else if asked.closing {
            self.forget_refer(key);
        } else {
            self.alarms.reset(&mut asked.alarm, now + OWNER_PATIENCE * 4, Why::ReferLapses(key));
            self.report_refer(now, key, 408);
        }
    }
}
