//! Those who watch us (RFC 6665 4.2): admitted by the owner, told one NOTIFY at a time, the newest state only, and only
//! at the address from which they subscribed.

use super::errand::{Answer, Purpose};
use super::inbound::user_of;
use super::{Event, MAX_WATCHERS, RequestKey, Usage, UserAgent, WatcherKey, Why};
use crate::sip::Moment;
use crate::sip::Peer;
use crate::sip::alarms::Alarm;
use crate::sip::dialog::Dialog;
use crate::sip::message::{Method, Request};
use crate::sip::rlmi;
use std::time::Duration;

/// How often a NOTIFY that a watcher can't take right now (5xx) is tried.
const MAX_TRIES: u32 = 3;
/// How long until it is tried again.
const RETRY_WAIT: Duration = Duration::from_secs(2);

/// A state to tell.
#[derive(Clone, Debug)]
struct News {
    content_type: String,
    body: Vec<u8>,
}

/// Somebody who watches us.
pub(super) struct Watcher {
    pub(super) dialog: Dialog,
    pub(super) contact_user: String,
    /// Value of Event, with its id.
    pub(super) event: String,
    /// Whether it is a list that he watches.
    pub(super) list: bool,
    /// What the owner granted at first; a refresh gets no more.
    pub(super) granted_s: u32,
    pub(super) ends: Moment,
    lapse: Option<Alarm>,
    retry: Option<Alarm>,
    in_flight: Option<News>,
    pending: Option<News>,
    tries: u32,
    /// Why the subscription ends, once it does: the next NOTIFY is the last.
    pub(super) farewell: Option<String>,
}

impl Watcher {
    /// One who goes on, and to whom nothing is under way.
    pub(super) fn restored(
        dialog: Dialog,
        contact_user: String,
        event: String,
        list: bool,
        granted_s: u32,
        ends: Moment,
        lapse: Option<Alarm>,
    ) -> Self {
        Self {
            dialog,
            contact_user,
            event,
            list,
            granted_s,
            ends,
            lapse,
            retry: None,
            in_flight: None,
            pending: None,
            tries: 0,
            farewell: None,
        }
    }
}

impl UserAgent {
    /// 200 to a SUBSCRIBE; `notify` the full state at once. With `expires_s` 0 (a poll) the first NOTIFY is the last.
    /// `None` when the request is gone, is no SUBSCRIBE, or there are [`MAX_WATCHERS`] (it gets 503).
    pub fn admit_watcher(&mut self, now: Moment, request: RequestKey, expires_s: u32) -> Option<WatcherKey> {
        self.admit(now, request, expires_s, false)
    }

    /// The same for somebody who watches a list of resources (RFC 4662 4.2): the answer and every NOTIFY say so.
    pub fn admit_list_watcher(
        &mut self,
        now: Moment,
        request: RequestKey,
        expires_s: u32,
    ) -> Option<WatcherKey> {
        self.admit(now, request, expires_s, true)
    }

    /// Whether a watcher has not yet answered what he was told last: news that go now replace those that wait.
    pub fn is_telling(&self, watcher: WatcherKey) -> bool {
        self.watchers
            .get(&watcher)
            .is_some_and(|held| held.in_flight.is_some() || held.pending.is_some() || held.retry.is_some())
    }

    fn admit(&mut self, now: Moment, request: RequestKey, expires_s: u32, list: bool) -> Option<WatcherKey> {
        if self.visits.get(&request)?.request.method != Method::Subscribe {
            return None;
        }
        if self.watchers.len() >= MAX_WATCHERS {
            self.answer(now, request, 503, Vec::new(), Vec::new());
            return None;
        }
        let visit = self.take_visit(request)?;
        let key = WatcherKey(self.next_key());
        let tag = self.token();
        let dialog = Dialog::begun_by(&visit.request, visit.from, tag.clone())?.bound_to_peer();
        let mut response = self.reply(&visit.request, 200, &tag);
        response.headers.push("Expires", expires_s.to_string());
        response.headers.push("Contact", self.contact_for(&visit.request, visit.from));
        if list {
            response.headers.push("Require", rlmi::OPTION_TAG);
        }
        for route in visit.request.headers.get_all("Record-Route") {
            response.headers.push("Record-Route", route);
        }
        self.transactions.respond(now, visit.server, &response);
        self.dialogs.insert((dialog.call_id.clone(), dialog.local_tag.clone()), Usage::Watcher(key));
        let ends = now + Duration::from_secs(u64::from(expires_s));
        let poll = expires_s == 0;
        // A poll whose owner says nothing is not kept either.
        let until = if poll { now + super::OWNER_PATIENCE } else { ends };
        let watcher = Watcher {
            dialog,
            contact_user: user_of(&visit.request),
            event: visit.request.headers.get("Event").unwrap_or("presence").to_owned(),
            list,
            granted_s: expires_s,
            ends,
            lapse: Some(self.alarms.set(until, Why::WatcherLapses(key))),
            retry: None,
            in_flight: None,
            pending: None,
            tries: 0,
            farewell: poll.then(|| "timeout".to_owned()),
        };
        self.watchers.insert(key, watcher);
        Some(key)
    }

    /// Tells a watcher the state. While a NOTIFY is under way the newest waits and the others are dropped.
    pub fn notify(&mut self, now: Moment, watcher: WatcherKey, content_type: &str, body: Vec<u8>) {
        let Some(held) = self.watchers.get_mut(&watcher) else { return };
        held.pending = Some(News { content_type: content_type.to_owned(), body });
        self.send_news(now, watcher);
        self.take_news(now);
    }

    /// Ends a watcher's subscription, with a reason of RFC 6665 4.1.3 (`deactivated`, `rejected`, `noresource` …).
    pub fn dismiss(&mut self, now: Moment, watcher: WatcherKey, reason: &str) {
        self.say_farewell(now, watcher, reason);
        self.take_news(now);
    }

    /// The last NOTIFY goes at once, and nothing is kept for it but its transaction: somebody who answers no more must
    /// not hold a place for half a minute.
    fn say_farewell(&mut self, now: Moment, key: WatcherKey, reason: &str) {
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        watcher.farewell = Some(reason.to_owned());
        watcher.in_flight = None;
        self.alarms.cancel(&mut watcher.retry);
        let news = News { content_type: String::new(), body: Vec::new() };
        watcher.pending.get_or_insert(news);
        self.send_news(now, key);
    }

    /// Sends what is pending, unless a NOTIFY is under way.
    fn send_news(&mut self, now: Moment, key: WatcherKey) {
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        if watcher.in_flight.is_some() || watcher.retry.is_some() {
            return;
        }
        let Some(news) = watcher.pending.take() else { return };
        let (mut request, to) = watcher.dialog.request(Method::Notify);
        let state = match &watcher.farewell {
            Some(reason) => format!("terminated;reason={reason}"),
            None => format!("active;expires={}", watcher.ends.saturating_sub(now).as_secs().max(1)),
        };
        request.headers.push("Event", watcher.event.clone());
        request.headers.push("Subscription-State", state);
        if watcher.list {
            request.headers.push("Require", rlmi::OPTION_TAG);
        }
        if !news.body.is_empty() {
            request.headers.push("Content-Type", news.content_type.clone());
            request.body.clone_from(&news.body);
        }
        let last = watcher.farewell.is_some();
        watcher.in_flight = Some(news);
        let user = watcher.contact_user.clone();
        request.headers.push("Contact", self.contact(&user, to));
        let purpose = if last { Purpose::Farewell } else { Purpose::Notify(key) };
        self.send_errand(now, purpose, None, to, request);
        if last {
            self.forget_watcher(key);
        }
    }

    pub(super) fn conclude_notify(&mut self, now: Moment, key: WatcherKey, answer: Answer) {
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        let Some(news) = watcher.in_flight.take() else { return };
        if answer.is_ok() {
            watcher.tries = 0;
            return self.send_news(now, key);
        }
        watcher.tries += 1;
        // Trouble of the moment; everything else says that nobody listens (RFC 6665 4.2.2).
        let passing = matches!(answer.status(), 500 | 503 | 504) && watcher.tries < MAX_TRIES;
        if !passing {
            return self.forget_watcher(key);
        }
        watcher.pending.get_or_insert(news);
        self.alarms.reset(&mut watcher.retry, now + RETRY_WAIT, Why::NotifyDue(key));
    }

    pub(super) fn renotify(&mut self, now: Moment, key: WatcherKey) {
        if let Some(watcher) = self.watchers.get_mut(&key) {
            watcher.retry = None;
            self.send_news(now, key);
        }
    }

    pub(super) fn lapse_watcher(&mut self, now: Moment, key: WatcherKey) {
        if let Some(watcher) = self.watchers.get_mut(&key) {
            watcher.lapse = None;
            self.say_farewell(now, key, "timeout");
        }
    }

    fn forget_watcher(&mut self, key: WatcherKey) {
        let Some(mut watcher) = self.watchers.remove(&key) else { return };
        self.alarms.cancel(&mut watcher.lapse);
        self.alarms.cancel(&mut watcher.retry);
        self.dialogs.remove(&(watcher.dialog.call_id, watcher.dialog.local_tag));
        self.tell(Event::WatcherLeft { watcher: key });
    }

    /// A request inside a watcher's dialog: a refresh, or an end (RFC 6665 4.2.1).
    pub(super) fn receive_in_watcher(&mut self, now: Moment, from: Peer, key: WatcherKey, request: Request) {
        let tag = request.headers.from().and_then(|from| from.tag().map(str::to_owned)).unwrap_or_default();
        let Some(watcher) = self.watchers.get_mut(&key) else { return };
        let ours =
            watcher.dialog.is_with(&tag) && watcher.dialog.moves_to(from) && watcher.farewell.is_none();
        if !ours {
            return self.answer_at_once(from, &request, 481);
        }
        if request.method != Method::Subscribe {
            return self.answer_at_once(from, &request, 405);
        }
        if !same_event(&watcher.event, request.headers.get("Event").unwrap_or_default()) {
            return self.answer_at_once(from, &request, 489);
        }
        let number = request.headers.cseq().map_or(0, |(number, _)| number);
        if !watcher.dialog.advance(number) {
            return self.answer_at_once(from, &request, 500);
        }
        let granted_s = request.headers.expires().unwrap_or(watcher.granted_s).min(watcher.granted_s);
        watcher.ends = now + Duration::from_secs(u64::from(granted_s));
        let (ends, list) = (watcher.ends, watcher.list);
        self.alarms.cancel(&mut watcher.lapse);
        if granted_s > 0 {
            watcher.lapse = Some(self.alarms.set(ends, Why::WatcherLapses(key)));
        }
        let Some(server) = self.open(from, &request) else { return };
        let mut response = self.reply_outside(&request, 200);
        response.headers.push("Expires", granted_s.to_string());
        response.headers.push("Contact", self.contact_for(&request, from));
        if list {
            response.headers.push("Require", rlmi::OPTION_TAG);
        }
        self.transactions.respond(now, server, &response);
        if granted_s == 0 {
            self.say_farewell(now, key, "timeout");
        } else {
            self.tell(Event::WatcherRefreshed { watcher: key });
        }
    }
}

/// Whether two values of Event mean the same: package and id.
pub(super) fn same_event(one: &str, other: &str) -> bool {
    let parts = |value: &str| {
        let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
        let package = parts.next().unwrap_or_default();
        (package, parts.find(|part| part.starts_with("id=")))
    };
    parts(one) == parts(other)
}

#[cfg(test)]
impl Watcher {
    /// Its state, in a word (for the table of transitions).
    pub(super) fn stands(&self) -> &'static str {
        match (&self.in_flight, &self.pending, self.retry) {
            (_, _, Some(_)) => "put-off",
            (Some(_), Some(_), _) => "crowded",
            (Some(_), None, _) => "telling",
            (None, ..) => "idle",
        }
    }

    /// When the NOTIFY that was put off is tried again.
    pub(super) fn retries_at(&self) -> Option<Moment> {
        self.retry.map(Alarm::at)
    }
}
