//! REGISTER (RFC 3261 10.2): granted, refreshed in time, tried again with patience.

use super::credentials::Standing;
use super::errand::{Answer, Purpose};
use super::{AccountKey, Event, UserAgent, Why};
use crate::sip::alarms::{Alarm, Alarms};
use crate::sip::message::{Headers, Method, NameAddr, Request, Scheme, Uri};
use crate::sip::{Moment, Peer, Transport};
use std::time::Duration;

/// At most one REGISTER of an account in this time (the answer to a challenge belongs to the first).
const SPACING: Duration = Duration::from_secs(1);
/// The longest back-off, and the longest Retry-After that is heeded.
const PATIENCE_MAX: Duration = Duration::from_secs(600);
/// How soon a registrar that knows us and says no is asked again, at least.
const REFUSED_WAIT: Duration = Duration::from_secs(120);
/// A connection that lasted less does not make up for those that were lost before it (RFC 5626 4.5).
const LASTING: Duration = Duration::from_secs(60);
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
    /// Where the REGISTER under way goes.
    asked: Option<Peer>,
    /// Which server granted it last, and when, as long as its connection stands.
    granted: Option<(Peer, Moment)>,
    /// The Contact of the REGISTER under way.
    offered: Option<Uri>,
    /// The Contact that was granted: taken back when another takes its place.
    bound: Option<Uri>,
    /// Whether this REGISTER only corrects the address of the one before: it is not corrected again.
    corrected: bool,
    /// The Contact that calls and subscriptions were told.
    told: Option<Uri>,
    /// Whether what hangs on the account is to be renewed with the next grant, or only its calls.
    renews: bool,
    /// How often in a row the connection was lost soon after a grant.
    losses: u32,
    /// Whether the way to the registrar does without RFC 5626 (439 said so).
    plain: bool,
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
            asked: None,
            granted: None,
            offered: None,
            bound: None,
            corrected: false,
            told: None,
            renews: false,
            losses: 0,
            plain: false,
        }
    }

    pub(super) fn next_cseq(&mut self) -> u32 {
        self.cseq = self.cseq.saturating_add(1);
        self.cseq
    }

    /// Whether this server, or the connection to it, matters to the registration.
    pub(super) fn needs(&self, peer: Peer) -> bool {
        let granted = self.granted.is_some_and(|(server, _)| server == peer);
        self.wish != Wish::Nothing && (granted || (self.under_way && self.asked == Some(peer)))
    }

    /// The REGISTER under way now goes there.
    fn moved(&mut self, to: Peer, contact: Uri) {
        (self.asked, self.offered) = (Some(to), Some(contact));
    }

    pub(super) fn has_alarm(&self) -> bool {
        self.alarm.is_some()
    }

    pub(super) fn cancel_alarm(&mut self, alarms: &mut Alarms<Why>) {
        alarms.cancel(&mut self.alarm);
    }
}

impl Standing {
    /// Whether this server, or the connection to it, matters to the account.
    pub(super) fn is_held_by(&self, peer: Peer) -> bool {
        let registration = &self.registration;
        registration.needs(peer) || (registration.wish == Wish::Registered && self.server() == Some(peer))
    }

    /// For how long a REGISTER asks.
    fn asked_s(&self) -> u32 {
        match self.registration.wish {
            Wish::Unregistered => 0,
            _ => self.registration.expires_s.unwrap_or(self.account.expires_s),
        }
    }

    /// Whether it is registered as RFC 5626 wants: the device has a name, and the way has not refused that.
    fn offers_outbound(&self) -> bool {
        !self.registration.plain && self.account.instance.as_deref().is_some_and(is_instance)
    }
}

/// Whether that can stand in `+sip.instance`: a URN and nothing that ends it early.
fn is_instance(text: &str) -> bool {
    text.starts_with("urn:") && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":-._".contains(&b))
}

/// Whether two Contacts mean the same address.
fn same_place(one: &Uri, other: &Uri) -> bool {
    let port = |uri: &Uri| uri.port.unwrap_or(if uri.scheme == Scheme::Sips { 5061 } else { 5060 });
    one.user == other.user && one.host.eq_ignore_ascii_case(&other.host) && port(one) == port(other)
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
        if self.is_to_be_registered(account) {
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
        let Some(server) = self.registrar(now, key) else { return };
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        self.alarms.cancel(&mut registration.alarm);
        if registration.under_way || registration.wish == Wish::Nothing {
            return;
        }
        registration.under_way = true;
        registration.again = false;
        registration.last_sent = Some(now);
        registration.asked = Some(server);
        let aor = &standing.account.aor;
        let registrar = Uri { user: None, headers: Vec::new(), ..aor.uri.clone() };
        let mut request = Request::new(Method::Register, registrar);
        request.headers.push("Max-Forwards", "70");
        request.headers.push("From", aor.clone().with_tag(&registration.tag).to_string());
        request.headers.push("To", NameAddr::new(aor.uri.clone()).to_string());
        request.headers.push("Call-ID", registration.call_id.clone());
        request.headers.push("CSeq", format!("{} REGISTER", registration.next_cseq()));
        let expires_s = standing.asked_s();
        request.headers.push("Expires", expires_s.to_string());
        self.write_contacts(key, server, &mut request.headers);
        self.add_abilities(&mut request.headers);
        let supported = request.headers.get("Supported").unwrap_or_default().to_owned();
        let more = if self.accounts.get(&key).is_some_and(Standing::offers_outbound) {
            "path, outbound, gruu"
        } else {
            "path"
        };
        let joint = if supported.is_empty() { "" } else { ", " };
        request.headers.set("Supported", format!("{supported}{joint}{more}"));
        self.send_errand(now, Purpose::Register(key), Some(key), server, request);
    }

    /// The Contacts of a REGISTER that goes to this server: the one to be bound, and that which it replaces.
    pub(super) fn write_contacts(&mut self, key: AccountKey, server: Peer, headers: &mut Headers) {
        let Some(standing) = self.accounts.get(&key) else { return };
        let user = standing.account.aor.uri.user.clone().unwrap_or_default();
        let uri = self.contact_uri(&user, server);
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        standing.registration.moved(server, uri.clone());
        let old = standing.registration.bound.clone().filter(|old| *old != uri && !standing.place.outbound);
        let mut contact = NameAddr::new(uri);
        contact.params.set("expires", standing.asked_s().to_string());
        if let Some(instance) = standing.account.instance.as_deref().filter(|i| is_instance(i)) {
            contact.params.set("+sip.instance", format!("<{instance}>"));
            if standing.offers_outbound() {
                contact.params.set("reg-id", "1");
            }
        }
        headers.remove("Contact");
        headers.push("Contact", contact.to_string());
        if let Some(old) = old {
            headers.push("Contact", format!("{};expires=0", NameAddr::new(old)));
        }
    }

    pub(super) fn conclude_register(&mut self, now: Moment, key: AccountKey, answer: Answer) {
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        registration.under_way = false;
        let again = std::mem::take(&mut registration.again);
        let leaving = registration.wish == Wish::Unregistered;
        if again {
            return self.schedule_register(now, key, Duration::ZERO);
        }
        if leaving {
            registration.wish = Wish::Nothing;
            (registration.granted, registration.bound) = (None, None);
            self.watch_binding(now, key, false);
            return self.tell(Event::Unregistered { account: key });
        }
        let standing_offers = standing.offers_outbound();
        match answer.status() {
            200..300 => self.take_grant(now, key, &answer),
            423 if self.take_min_expires(key, &answer) => self.schedule_register(now, key, Duration::ZERO),
            // RFC 5626 11.6: the first hop does not keep to it.
            439 if standing_offers => {
                if let Some(standing) = self.accounts.get_mut(&key) {
                    standing.registration.plain = true;
                }
                self.schedule_register(now, key, Duration::ZERO);
            }
            _ => self.take_refusal(now, key, &answer),
        }
    }

    fn take_grant(&mut self, now: Moment, key: AccountKey, answer: &Answer) {
        let server = answer.from;
        let Some(standing) = self.accounts.get(&key) else { return };
        let asked_s = standing.asked_s();
        let user = standing.account.aor.uri.user.clone().unwrap_or_default();
        let (sent, fits) = (standing.registration.offered.clone(), self.contact_uri(&user, server));
        let contacts = answer.response.headers.contacts();
        let is_ours = |contact: &&NameAddr| sent.as_ref().is_some_and(|sent| same_place(sent, &contact.uri));
        // A registrar that rewrites our address (NAT) and knows one contact means us.
        let ours = contacts.iter().find(is_ours).or(contacts.first().filter(|_| contacts.len() == 1));
        let named = ours.and_then(|contact| contact.params.get("expires")).and_then(|s| s.parse().ok());
        let expires_s: u32 =
            named.or(answer.response.headers.expires()).unwrap_or(asked_s).clamp(1, EXPIRES_MAX_S);
        self.learn_way(key, server, &answer.response.headers, ours);
        self.settle_at(key, server);
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        registration.failures = 0;
        registration.granted = Some((server, now));
        registration.bound.clone_from(&sent);
        let wrong = sent.as_ref() != Some(&fits) && !registration.corrected;
        registration.corrected = wrong;
        let moved = registration.told.is_some() && registration.told != sent;
        let renews = !wrong && (std::mem::take(&mut registration.renews) || moved);
        if !wrong {
            registration.told.clone_from(&sent);
        }
        let natted = server.transport == Transport::Udp && standing.place.seen.is_some();
        self.watch_binding(now, key, natted);
        // Where we are seen to come from is not where we said that we are: say it again, once.
        let wait = if wrong { Duration::ZERO } else { self.refresh_wait(expires_s) };
        self.schedule_register(now, key, wait);
        self.tell(Event::Registered { account: key, expires_s });
        if renews {
            self.renew_account(now, Some(key));
        }
    }

    /// What a grant says about the way to us and from us.
    fn learn_way(&mut self, key: AccountKey, server: Peer, headers: &Headers, ours: Option<&NameAddr>) {
        let outbound = headers.list("Require").iter().any(|tag| tag.eq_ignore_ascii_case("outbound"));
        let timer_s = headers.get("Flow-Timer").and_then(|value| value.trim().parse().ok());
        if outbound || timer_s.is_some() {
            self.flows.note_promise(server, timer_s);
        }
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        standing.place.outbound = outbound && standing.offers_outbound();
        standing.place.service_route = headers.routes("Service-Route");
        let gruu = ours.and_then(|contact| contact.params.get("pub-gruu")).map(|text| text.trim_matches('"'));
        standing.place.gruu =
            gruu.and_then(Uri::parse).filter(|uri| uri.is_sip() && standing.offers_outbound());
    }

    /// A connection is gone: the registrations that hung on it come back over another.
    pub(super) fn lose_registrations(&mut self, now: Moment, flow: Peer, reason: &str) {
        let lost = self.accounts.iter_mut().filter_map(|(key, standing)| {
            let registration = &mut standing.registration;
            let (_, since) = registration.granted.filter(|(server, _)| *server == flow)?;
            registration.granted = None;
            registration.renews = true;
            registration.losses =
                if now >= since + LASTING { 0 } else { registration.losses.saturating_add(1) };
            (registration.wish == Wish::Registered).then_some((
                *key,
                registration.losses,
                registration.under_way,
            ))
        });
        for (key, losses, under_way) in lost.collect::<Vec<_>>() {
            self.tell_flow_lost(key, reason);
            if under_way {
                continue;
            }
            // All phones of a server that restarts come back, but not in the same moment.
            let wait = match losses {
                0 | 1 => self.jitter(Duration::ZERO, Duration::from_secs(1)),
                losses => self.back_off(losses, PATIENCE_MAX),
            };
            self.schedule_register(now, key, wait);
        }
    }

    /// What is registered, or under way, is worth nothing any more: it was sent from an address which is no longer ours.
    pub(super) fn forget_registration(&mut self, key: AccountKey) {
        let under_way = |errand: &super::errand::Errand| errand.purpose == Purpose::Register(key);
        let stale = self.errands.iter().filter(|(_, errand)| under_way(errand)).map(|(client, _)| *client);
        for client in stale.collect::<Vec<_>>() {
            self.errands.remove(&client);
            self.transactions.forget_client(client);
        }
        let Some(standing) = self.accounts.get(&key) else { return };
        let user = standing.account.aor.uri.user.clone().unwrap_or_default();
        // What is subscribed to now says this one, until the registrar's answer shows another.
        let told = standing.server().map(|server| self.contact_uri(&user, server));
        let Some(standing) = self.accounts.get_mut(&key) else { return };
        let registration = &mut standing.registration;
        registration.under_way = false;
        registration.told = told;
        registration.renews = true;
        registration.corrected = false;
        registration.granted = None;
    }

    pub(super) fn is_to_be_registered(&self, key: AccountKey) -> bool {
        self.accounts.get(&key).is_some_and(|standing| standing.registration.wish == Wish::Registered)
    }

    /// The server at which an account is registered.
    pub(super) fn registered_at(&self, key: AccountKey) -> Option<Peer> {
        self.accounts.get(&key)?.registration.granted.map(|(server, _)| server)
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
        let asked_s = standing.asked_s();
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
            408 if answer.silent => "the server does not answer".to_owned(),
            _ if answer.silent => format!("no connection to the server: {}", answer.words()),
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
        let (server, retry_in) = (answer.from, Some(wait));
        self.tell(Event::RegistrationFailed { server, account: key, status, reason, retry_in });
    }

    /// Retry-After within reason, and not all at the same moment.
    pub(super) fn retry_after(&mut self, after_s: u64) -> Duration {
        let wait = Duration::from_secs(after_s.clamp(1, PATIENCE_MAX.as_secs()));
        self.jitter(wait, (wait + wait / 8).min(PATIENCE_MAX))
    }
}
