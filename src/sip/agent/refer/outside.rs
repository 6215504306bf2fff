//! A REFER of ours outside of calls, perhaps about one of them (Target-Dialog, RFC 4538): it has a dialog of its own, in
//! which its NOTIFYs come.

use super::super::errand::{Purpose, bare};
use super::super::reply::add_headers;
use super::super::{Event, MAX_REFERS, ReferKey, ReferOut, Usage, UserAgent, Why};
use super::Refer;
use super::asking::is_about_a_refer;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, NameAddr, Request};
use crate::sip::target_dialog::TargetDialog;
use crate::sip::{Moment, Peer};
use std::time::Duration;

/// How long such a REFER may stay without an answer and NOTIFYs, all in all.
const PATIENCE: Duration = Duration::from_secs(180);

impl UserAgent {
    /// Asks somebody to call `refer_to`, outside of any call.
    pub fn refer_outside(&mut self, now: Moment, refer: ReferOut) -> ReferKey {
        let key = ReferKey(self.next_key());
        if self.refers.len() >= MAX_REFERS || !self.has_room_for_errand() {
            let reason = "too many transfers".to_owned();
            self.tell(Event::ReferRefused { call: refer.about, refer: key, status: 503, reason });
            return key;
        }
        let from = self.sender(refer.account, None).with_tag(&self.token());
        let user = from.uri.user.clone().unwrap_or_default();
        let remote = NameAddr::new(bare(refer.target.clone()));
        let by = NameAddr::new(from.uri.clone());
        let call_id = self.long_token();
        let mut dialog = Dialog::to_begin(call_id, from, remote, bare(refer.target), refer.send_to);
        let (mut request, to) = dialog.request(Method::Refer);
        request.headers.push("Contact", self.contact(&user, to));
        request.headers.push("Refer-To", refer.refer_to.to_string());
        if !refer.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Referred-By")) {
            request.headers.push("Referred-By", by.to_string());
        }
        if let Some(about) = refer.about.and_then(|call| self.dialog_id(call)) {
            let target = TargetDialog {
                call_id: about.call_id,
                local_tag: about.local_tag,
                remote_tag: about.remote_tag,
            };
            request.headers.push("Target-Dialog", target.to_string());
        }
        self.add_abilities(&mut request.headers);
        add_headers(&mut request.headers, &refer.headers);
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Refer(key));
        let asking = Refer::Asking {
            call: None,
            dialog: Some(Box::new(dialog)),
            number: 1,
            accepted: false,
            finished: false,
            alarm: Some(self.alarms.set(now + PATIENCE, Why::ReferLapses(key))),
        };
        self.refers.insert(key, asking);
        self.send_errand(now, Purpose::Refer(key), refer.account, to, request);
        self.tell(Event::ReferSent { refer: key });
        self.take_news(now);
        key
    }

    /// A request in the dialog of a REFER that is no call's.
    pub(in super::super) fn receive_in_refer(
        &mut self,
        now: Moment,
        from: Peer,
        key: ReferKey,
        request: &Request,
    ) {
        let ours = match self.refers.get_mut(&key) {
            Some(Refer::Asking { dialog: Some(dialog), .. }) => {
                let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned));
                // A NOTIFY may overtake the 2xx (RFC 6665 4.4.1).
                if dialog.remote_tag.is_none() {
                    dialog.learn_from_request(request);
                }
                let number = request.headers.cseq().map_or(0, |(number, _)| number);
                // Only where the REFER went may tell what became of it.
                dialog.peer.ip() == from.ip()
                    && tag.is_some_and(|tag| dialog.is_with(&tag))
                    && dialog.advance(number)
            }
            _ => false,
        };
        match request.method {
            Method::Options => self.answer_options(from, request),
            Method::Notify if ours && is_about_a_refer(request) => {
                self.take_refer_notify(now, from, key, request);
            }
            _ => self.answer_at_once(from, request, 481),
        }
    }
}
