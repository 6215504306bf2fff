//! REGISTER (RFC 3261 10.2): granted, refreshed in time, tried again with patience.

use super::errand::{Answer, Purpose};
use super::{AccountKey, Event, UserAgent, Why};
use crate::sip::Moment;
use crate::sip::alarms::{Alarm, Alarms};
use crate::sip::message::{Method, NameAddr, Request, Uri};
use std::time::Duration;

/// At most one REGISTER of an account in this time (the answer to a challenge belongs to the first).
const SPACING: Duration = Duration::from_secs(1);
/// The longest back-off, and the longest Retry-After that is heeded.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
/// How soon a registrar that knows us and says no is asked again, at least.
const REFUSED_WAIT: Duration = Duration::from_secs(120);
/// The longest Min-Expires that is heeded.
const EXPIRES_MAX_S: u32 = 86_400;

/// What an account wants of its registrar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Registered,
    Unregistered,
}

#[derive(Debug)]
pub(super) struct Registration {
    call_id: String,
    tag: String,
    cseq: u32,
    wish: Wish,
    under_way: bool,
    /// Whether the wish changed while a REGISTER was under way.
    again: bool,
    last_sent: Option<Moment>,
    /// What Min-Expires forced upon us.
    expires_s: Option<u32>,
    failures: u32,
    alarm: Option<Alarm>,
}

impl Registration {
    pub(super) fn new(call_id: String, tag: String) -> Self {
        Self {
            call_id,
            tag,
            cseq: 0,
            wish: Wish::Nothing,
            under_way: false,
            again: false,
            last_sent: None,
            expires_s: None,
            failures: 0,
            alarm: None,
        }
    }

    pub(super) fn next_cseq(&mut self) -> u32 {
        self.cseq = self.cseq.saturating_add(1);
        self.cseq
    }

    pub(super) fn has_alarm(&self) -> bool {
        self.alarm.is_some()
    }

    pub(super) fn cancel_alarm(&mut self, alarms: &mut Alarms<Why>) {
        alarms.cancel(&mut self.alarm);
    }
}

impl UserAgent {
    /// Registers, or registers again at once (but never more often than once a second). Refreshes by itself from then on.
    pub fn register(&mut self, now: Moment, account: AccountKey) {
        self.wish_registration(now, account, Wish::Registered);
    }

    /// Gives the registration back.
    pub fn unregister(&mut self, now: Moment, account: AccountKey) {
        self.wish_registration(now, account, Wish::Unregistered);
    }

    /// Registers again, if it is to be registered at all.
    pub(super) fn register_again(&mut self, now: Moment, account: AccountKey) {
        if self.accounts.get(&account).is_some_and(|s| s.registration.wish == Wish::Registered) {
            self.register(now, account);
        }
    }

    fn wish_registration(&mut self, now: Moment, key: AccountKey, wish: Wish) {
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        let changed = registration.wish != wish;
        registration.wish = wish;
        if registration.under_way {
            registration.again |= changed;
        } else {
            self.schedule_register(now, key, Duration::ZERO);
        }
    }

    fn schedule_register(&mut self, now: Moment, key: AccountKey, wait: Duration) {
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        let earliest = registration.last_sent.map_or(now, |sent| sent + SPACING);
        let at = (now + wait).max(earliest);
        self.alarms.reset(&mut registration.alarm, at, Why::RegisterDue(key));
        if at <= now {
            self.send_register(now, key);
        }
    }

    pub(super) fn send_register(&mut self, now: Moment, key: AccountKey) {
        let local = self.config.local;
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        self.alarms.cancel(&mut registration.alarm);
        if registration.under_way || registration.wish == Wish::Nothing {
            return;
        }
        registration.under_way = true;
        registration.again = false;
        registration.last_sent = Some(now);
        let leaving = registration.wish == Wish::Unregistered;
        let expires_s =
            if leaving { 0 } else { registration.expires_s.unwrap_or(standing.account.expires_s) };
        let aor = &standing.account.aor;
        let Some(server) = standing.account.servers.first().copied() else { return };
        let registrar = Uri { user: None, headers: Vec::new(), ..aor.uri.clone() };
        let mut request = Request::new(Method::Register, registrar);
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", aor.clone().with_tag(&registration.tag).to_string());
        request.headers.push("To", NameAddr::new(aor.uri.clone()).to_string());
        request.headers.push("Call-ID", registration.call_id.clone());
        request.headers.push("CSeq", format!("{} REGISTER", registration.next_cseq()));
        let contact = NameAddr::new(Uri::at(aor.uri.user.as_deref().unwrap_or_default(), local));
        request.headers.push("Contact", format!("{contact};expires={expires_s}"));
        request.headers.push("Expires", expires_s.to_string());
        self.add_abilities(&mut request.headers);
        self.send_errand(now, Purpose::Register(key), Some(key), server, request);
    }

    pub(super) fn conclude_register(&mut self, now: Moment, key: AccountKey, answer: Answer) {
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        standing.registration.under_way = false;
        let again = std::mem::take(&mut standing.registration.again);
        let leaving = standing.registration.wish == Wish::Unregistered;
        if again {
            return self.schedule_register(now, key, Duration::ZERO);
        }
        if leaving {
            standing.registration.wish = Wish::Nothing;
            return self.tell(Event::Unregistered { account: key });
        }
        match answer.status() {
            200..300 => self.take_grant(now, key, &answer),
            423 if self.take_min_expires(key, &answer) => self.schedule_register(now, key, Duration::ZERO),
            _ => self.take_refusal(now, key, &answer),
        }
    }

    fn take_grant(&mut self, now: Moment, key: AccountKey, answer: &Answer) {
        let local = self.config.local;
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let asked_s = standing.registration.expires_s.unwrap_or(standing.account.expires_s);
        let headers = &answer.response.headers;
        let contacts = headers.contacts();
        let ours = contacts.iter().find(|contact| contact.uri.host_port_addr() == Some(local));
        // A registrar that rewrites our address (NAT) and knows one contact means us.
        let ours = ours.or(contacts.first().filter(|_| contacts.len() == 1));
        let named = ours.and_then(|contact| contact.params.get("expires")).and_then(|s| s.parse().ok());
        let expires_s: u32 = named.or(headers.expires()).unwrap_or(asked_s).clamp(1, EXPIRES_MAX_S);
        standing.registration.failures = 0;
        let wait = self.refresh_wait(expires_s);
        self.schedule_register(now, key, wait);
        self.tell(Event::Registered { account: key, expires_s });
    }

    /// When to refresh something that holds for so long: at 75 to 90 %, and so that a time-out is known before the end.
    pub(super) fn refresh_wait(&mut self, expires_s: u32) -> Duration {
        let whole = Duration::from_secs(u64::from(expires_s));
        let wait = self.jitter(whole * 3 / 4, whole * 9 / 10);
        let margin = Duration::from_secs(40);
        if whole > margin * 3 { wait.min(whole - margin) } else { wait }
    }

    fn take_min_expires(&mut self, key: AccountKey, answer: &Answer) -> bool {
        let Some(standing) = self.accounts.get_mut(&key) else { return false };
        let asked_s = standing.registration.expires_s.unwrap_or(standing.account.expires_s);
        let least: Option<u32> =
            answer.response.headers.get("Min-Expires").and_then(|v| v.trim().parse().ok());
        let Some(least) = least.filter(|least| *least > asked_s && *least <= EXPIRES_MAX_S) else {
            return false;
        };
        standing.registration.expires_s = Some(least);
        true
    }

    fn take_refusal(&mut self, now: Moment, key: AccountKey, answer: &Answer) {
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let user = standing.account.username.clone();
        let realm_known = standing.account.realm.is_some();
        standing.registration.failures = standing.registration.failures.saturating_add(1);
        let failures = standing.registration.failures;
        let status = answer.status();
        let refused = matches!(status, 401 | 403 | 404 | 407) || (600..700).contains(&status);
        let reason = match status {
            _ if answer.silent => "the server does not answer".to_owned(),
            _ if answer.reworded => answer.words(),
            401 | 407 if realm_known => {
                format!("the server refused the credentials of {user}: wrong password, user or realm?")
            }
            401 | 407 => format!("the server refused the credentials of {user}: wrong user or password?"),
            403 => format!("the server forbids {user} to register: {}", answer.words()),
            404 => format!("the server does not know {user}"),
            _ => answer.words(),
        };
        let wait = match answer.retry_after_s() {
            Some(after_s) => self.retry_after(after_s),
            None if refused => self.jitter(REFUSED_WAIT, PATIENCE_MAX / 2),
            None => self.back_off(failures, PATIENCE_MAX),
        };
        self.schedule_register(now, key, wait);
        let status = (!answer.silent).then_some(status);
        self.tell(Event::RegistrationFailed { account: key, status, reason, retry_in: Some(wait) });
    }

    /// Retry-After within reason, and not all at the same moment.
    pub(super) fn retry_after(&mut self, after_s: u64) -> Duration {
        let wait = Duration::from_secs(after_s.clamp(1, PATIENCE_MAX.as_secs()));
        self.jitter(wait, (wait + wait / 8).min(PATIENCE_MAX))
    }
}
