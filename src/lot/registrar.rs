//! The registrar (RFC 3261 10.3): which phones a user has, and from which address they were heard, so that a call
//! finds its way back through a NAT (RFC 3581). Bounded contacts for each user; the oldest makes room.

mod saved;

use super::config::UserConfig;
use crate::parking::Moment;
use crate::sip::Peer;
use crate::sip::message::{NameAddr, Request, Uri};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The shortest registration that is granted, in seconds; a shorter wish gets 423.
pub const MIN_EXPIRES_S: u32 = 30;
/// The most Contact values that one REGISTER may carry.
pub const MAX_CONTACTS_PER_REQUEST: usize = 16;
/// How often a phone on a connection shall ping us, in seconds (RFC 5626 5.4).
const FLOW_TIMER_S: u32 = 120;
/// The most proxies on the way to one phone, and the most bytes of their names.
const MAX_PATHS: usize = 8;
const MAX_PATH_BYTES: usize = 1_024;
/// What is granted to a phone that names no time.
const DEFAULT_EXPIRES_S: u32 = 3_600;

/// One phone of a user.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Its Contact, the Request-URI of calls to it.
    pub contact: Uri,
    /// The address it was heard from: where requests to it go.
    pub source: Peer,
    /// Until when.
    pub expires_at: Moment,
    /// `+sip.instance`, which stays when the address changes (RFC 5626).
    instance: Option<String>,
    /// Which of the connections of this instance it is (RFC 5626 4.2.1).
    reg_id: Option<u32>,
    /// The proxies that requests to it pass, in their order (RFC 3327).
    pub path: Vec<String>,
    call_id: String,
    cseq: u32,
    refreshed: Moment,
}

/// What a REGISTER is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
}

/// A phone that came, stayed or went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    Registered {
        source: Peer,
        expires_s: u32,
    },
    Unregistered,
    /// It is heard from another address than before.
    Moved {
        from: Peer,
        to: Peer,
    },
}

/// The bindings of all users.
#[derive(Debug, Default)]
pub(super) struct Registrar {
    bindings: BTreeMap<String, Vec<Binding>>,
    /// Whether changes are written down; whose phones have changed since they were.
    keeps: bool,
    changed: BTreeSet<String>,
}

/// One wish of a REGISTER: this contact for so many seconds.
struct Wish {
    contact: NameAddr,
    expires_s: u32,
}

impl Registrar {
    /// Carries out the REGISTER of a proven user. All of it or nothing (RFC 3261 10.3 step 7).
    pub(super) fn register(
        &mut self,
        now: Moment,
        user: &UserConfig,
        max_expires_s: u32,
        from: Peer,
        request: &Request,
    ) -> (Answer, Vec<Change>) {
        self.expire(now);
        let wishes = match self.read(user, max_expires_s, request) {
            Ok(wishes) => wishes,
            Err(answer) => return (answer, Vec::new()),
        };
        let call_id = request.headers.call_id().unwrap_or_default();
        let cseq = request.headers.cseq().map_or(0, |(number, _)| number);
        let bindings = self.bindings.entry(user.name.clone()).or_default();
        let older = |b: &Binding| b.call_id == call_id && b.cseq >= cseq;
        let touched = |b: &Binding| wishes.iter().any(|wish| b.is_of(&wish.contact));
        if bindings.iter().any(|b| older(b) && touched(b)) {
            return (Answer { status: 500, headers: Vec::new() }, Vec::new());
        }
        // The same phone, by the Call-ID that all its registrations have (RFC 3261 10.2), or by its instance.
        let same_phone = |b: &&Binding| b.source != from && (b.call_id == call_id || touched(b));
        let before: Vec<Peer> = bindings.iter().filter(same_phone).map(|b| b.source).collect();
        if !wishes.is_empty() && self.keeps {
            self.changed.insert(user.name.clone());
        }
        let path = paths_of(request);
        let outbound = keeps_connection(from, request);
        let mut changes = Vec::new();
        for wish in wishes {
            let known = bindings.len();
            bindings.retain(|b| !b.is_of(&wish.contact));
            if wish.expires_s == 0 {
                changes.extend((bindings.len() < known).then_some(Change::Unregistered));
                continue;
            }
            if bindings.len() >= usize::from(user.max_contacts) {
                let oldest = bindings.iter().enumerate().min_by_key(|(_, b)| b.refreshed).map(|(at, _)| at);
                oldest.map(|at| bindings.remove(at));
            }
            bindings.push(Binding {
                instance: wish.contact.params.get("+sip.instance").map(str::to_owned),
                reg_id: reg_id_of(&wish.contact).filter(|_| outbound),
                path: path.clone(),
                contact: wish.contact.uri,
                source: from,
                expires_at: now + Duration::from_secs(wish.expires_s.into()),
                call_id: call_id.to_owned(),
                cseq,
                refreshed: now,
            });
            changes.push(Change::Registered { source: from, expires_s: wish.expires_s });
        }
        let left = |old: &&Peer| {
            !bindings.iter().any(|b| b.source == **old) && bindings.iter().any(|b| b.source == from)
        };
        changes.extend(before.iter().filter(left).map(|old| Change::Moved { from: *old, to: from }));
        let mut answer = self.list(now, &user.name);
        answer.headers.extend(path.into_iter().map(|path| ("Path".to_owned(), path)));
        if outbound {
            // RFC 5626 6: we keep to it. Our side answers pings, and this is how often we want them.
            answer.headers.push(("Require".to_owned(), "outbound".to_owned()));
            answer.headers.push(("Flow-Timer".to_owned(), FLOW_TIMER_S.to_string()));
        }
        (answer, changes)
    }

    /// The wishes of a REGISTER; an error is its answer.
    fn read(&self, user: &UserConfig, max_expires_s: u32, request: &Request) -> Result<Vec<Wish>, Answer> {
        let refuse = |status: u16| Answer { status, headers: Vec::new() };
        let of_record = request.headers.to().and_then(|to| to.uri.user).unwrap_or_default();
        if of_record != user.name && of_record != user.number() {
            return Err(refuse(403));
        }
        let default_s = request.headers.expires().unwrap_or(DEFAULT_EXPIRES_S);
        if request.headers.get("Contact").is_some_and(|value| value.trim() == "*") {
            // RFC 3261 10.2.2: only with Expires: 0, and nothing beside it.
            if request.headers.get_all("Contact").count() > 1 || request.headers.expires() != Some(0) {
                return Err(refuse(400));
            }
            let all = self.bindings.get(&user.name).into_iter().flatten();
            return Ok(all.map(|b| Wish { contact: b.named(), expires_s: 0 }).collect());
        }
        let contacts = request.headers.contacts();
        if contacts.len() > MAX_CONTACTS_PER_REQUEST {
            return Err(refuse(403));
        }
        // RFC 3327 5.3, and a bound on what is kept for each phone.
        let paths = paths_of(request);
        if paths.len() > MAX_PATHS || paths.iter().map(String::len).sum::<usize>() > MAX_PATH_BYTES {
            return Err(refuse(400));
        }
        let mut wishes = Vec::new();
        for contact in contacts {
            if !contact.uri.is_sip() {
                return Err(refuse(400));
            }
            let asked_s = contact.params.get("expires").and_then(|e| e.parse().ok()).unwrap_or(default_s);
            if asked_s > 0 && asked_s < MIN_EXPIRES_S {
                let least = ("Min-Expires".to_owned(), MIN_EXPIRES_S.to_string());
                return Err(Answer { status: 423, headers: vec![least] });
            }
            wishes.push(Wish { contact, expires_s: asked_s.min(max_expires_s) });
        }
        Ok(wishes)
    }

    /// 200 with everything that is registered (RFC 3261 10.3 step 8).
    fn list(&self, now: Moment, user: &str) -> Answer {
        let line = |b: &Binding| {
            let mut contact = b.named();
            contact.params.set("expires", b.expires_at.saturating_sub(now).as_secs().to_string());
            ("Contact".to_owned(), contact.to_string())
        };
        Answer { status: 200, headers: self.phones(user).iter().map(line).collect() }
    }

    /// The phones of a user.
    pub(super) fn phones(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Vec::as_slice)
    }

    /// Whether a phone of `user` is registered from that address.
    pub(super) fn knows(&self, user: &str, source: Peer) -> bool {
        self.phones(user).iter().any(|b| b.source == source)
    }

    /// Forgets what has expired; says whose phones went.
    pub(super) fn expire(&mut self, now: Moment) -> Vec<String> {
        let mut gone = Vec::new();
        for (user, bindings) in &mut self.bindings {
            let before = bindings.len();
            bindings.retain(|b| b.expires_at > now);
            gone.extend(std::iter::repeat_n(user.clone(), before - bindings.len()));
        }
        self.bindings.retain(|_, bindings| !bindings.is_empty());
        gone.iter().for_each(|user| self.mark(user));
        gone
    }

    /// When something expires next.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.bindings.values().flatten().map(|b| b.expires_at).min()
    }

    /// Forgets the phones of users who are no more.
    pub(super) fn retain_users(&mut self, stays: impl Fn(&str) -> bool) {
        let left: Vec<String> = self.bindings.keys().filter(|user| !stays(user)).cloned().collect();
        for user in left {
            self.bindings.remove(&user);
            self.mark(&user);
        }
    }

    /// How many phones are registered.
    pub(super) fn count(&self) -> usize {
        self.bindings.values().map(Vec::len).sum()
    }
}

impl Binding {
    /// The same phone: the same instance, or the same address in its Contact.
    fn is_of(&self, contact: &NameAddr) -> bool {
        let instance = contact.params.get("+sip.instance");
        let same_instance = instance.is_some() && instance == self.instance.as_deref();
        // A phone with several connections has one binding for each (RFC 5626 6).
        let same_instance = same_instance && (self.reg_id.is_none() || self.reg_id == reg_id_of(contact));
        let (a, b) = (&self.contact, &contact.uri);
        let same_uri = a.user == b.user && a.host.eq_ignore_ascii_case(&b.host) && a.port == b.port;
        same_instance || same_uri
    }

    fn named(&self) -> NameAddr {
        let mut contact = NameAddr::new(self.contact.clone());
        if let Some(instance) = &self.instance {
            contact.params.set("+sip.instance", instance.clone());
        }
        contact
    }
}

/// The way that requests to a phone take, as its proxies have noted it.
fn paths_of(request: &Request) -> Vec<String> {
    request.headers.routes("Path").iter().map(ToString::to_string).collect()
}

fn reg_id_of(contact: &NameAddr) -> Option<u32> {
    contact.params.get("reg-id").and_then(|id| id.parse().ok())
}

/// Whether the phone keeps a connection to us as RFC 5626 wants. Not over UDP: its keep-alive there is STUN, which we
/// don't speak; and not through a proxy, for the connection is with the proxy then.
fn keeps_connection(from: Peer, request: &Request) -> bool {
    let knows = request.headers.list("Supported").iter().any(|tag| tag.eq_ignore_ascii_case("outbound"));
    let named = request
        .headers
        .contacts()
        .iter()
        .any(|c| reg_id_of(c).is_some() && c.params.get("+sip.instance").is_some());
    knows && named && from.transport.is_reliable() && request.headers.get("Path").is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Method;

    const NOW: Moment = Moment::from_secs(50);

    fn ann() -> UserConfig {
        toml::from_str("name='ann'\nsecret='x'\nextension='100'\nmax_contacts=2").unwrap()
    }

    fn source(port: u16) -> Peer {
        Peer::udp(([192, 0, 2, 7], port).into())
    }

    struct Phone {
        registrar: Registrar,
        cseq: u32,
    }

    impl Phone {
        fn new() -> Self {
            Self { registrar: Registrar::default(), cseq: 0 }
        }

        fn send(&mut self, now: Moment, port: u16, lines: &[(&str, &str)]) -> (u16, Vec<String>) {
            self.cseq += 1;
            let mut request = Request::new(Method::Register, Uri::sip("", "parkdeck"));
            request.headers.push("To", "<sip:ann@parkdeck>");
            request.headers.push("Call-ID", "one");
            request.headers.push("CSeq", format!("{} REGISTER", self.cseq));
            for (name, value) in lines {
                request.headers.set(name, *value);
            }
            let (answer, _) = self.registrar.register(now, &ann(), 3_600, source(port), &request);
            (answer.status, answer.headers.into_iter().map(|(_, value)| value).collect())
        }
    }

    #[test]
    fn a_phone_registers_is_found_at_its_source_address_and_expires() {
        let mut phone = Phone::new();
        let contact = ("Contact", "<sip:ann@10.0.0.5:5062>;expires=60");
        assert_eq!(
            phone.send(NOW, 40_001, &[contact]),
            (200, vec!["<sip:ann@10.0.0.5:5062>;expires=60".into()])
        );
        assert_eq!(phone.registrar.phones("ann")[0].source, source(40_001));
        assert_eq!(phone.registrar.next_expiry(), Some(NOW + Duration::from_secs(60)));
        assert!(phone.registrar.expire(NOW + Duration::from_secs(59)).is_empty());
        assert_eq!(phone.registrar.expire(NOW + Duration::from_secs(60)), ["ann"]);
        assert_eq!(phone.registrar.count(), 0);
    }

    #[test]
    fn a_refresh_replaces_and_a_query_lists() {
        let mut phone = Phone::new();
        phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.5:5062>"), ("Expires", "100")]);
        phone.send(
            NOW + Duration::from_secs(50),
            2,
            &[("Contact", "<sip:ann@10.0.0.5:5062>"), ("Expires", "100")],
        );
        let (status, contacts) = phone.send(NOW + Duration::from_secs(60), 2, &[]);
        assert_eq!(
            (status, contacts.as_slice()),
            (200, &["<sip:ann@10.0.0.5:5062>;expires=90".to_owned()][..])
        );
        assert_eq!(phone.registrar.phones("ann")[0].source, source(2));
    }

    #[test]
    fn contacts_are_bounded_and_the_oldest_makes_room() {
        let mut phone = Phone::new();
        for n in 1..=3u16 {
            phone.send(
                NOW + Duration::from_secs(n.into()),
                n,
                &[("Contact", &format!("<sip:ann@10.0.0.{n}>"))],
            );
        }
        let hosts: Vec<&str> =
            phone.registrar.phones("ann").iter().map(|b| b.contact.host.as_str()).collect();
        assert_eq!(hosts, ["10.0.0.2", "10.0.0.3"]);
    }

    #[test]
    fn one_contact_or_all_can_be_unregistered() {
        let mut phone = Phone::new();
        phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>, <sip:ann@10.0.0.2>")]);
        assert_eq!(phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>;expires=0")]).1.len(), 1);
        assert_eq!(phone.send(NOW, 1, &[("Contact", "*"), ("Expires", "0")]), (200, vec![]));
        assert_eq!(phone.registrar.count(), 0);
    }

    #[test]
    fn nonsense_is_refused_whole() {
        let mut phone = Phone::new();
        assert_eq!(phone.send(NOW, 1, &[("Contact", "*"), ("Expires", "60")]).0, 400);
        assert_eq!(
            phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>;expires=5")]),
            (423, vec!["30".into()])
        );
        assert_eq!(phone.send(NOW, 1, &[("Contact", "<mailto:ann@example.com>")]).0, 400);
        assert_eq!(
            phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>"), ("To", "<sip:bob@parkdeck>")]).0,
            403
        );
        let many: Vec<String> = (0..17).map(|n| format!("<sip:ann@10.0.1.{n}>")).collect();
        assert_eq!(phone.send(NOW, 1, &[("Contact", &many.join(", "))]).0, 403);
        assert_eq!(phone.registrar.count(), 0);
    }

    #[test]
    fn an_older_request_changes_nothing() {
        let mut phone = Phone::new();
        phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>")]);
        phone.cseq -= 1;
        assert_eq!(phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>;expires=0")]).0, 500);
        assert_eq!(phone.registrar.count(), 1);
    }

    #[test]
    fn a_phone_that_keeps_two_connections_has_two_bindings_and_is_told_how_often_to_ping() {
        let mut registrar = Registrar::default();
        let mut send = |cseq: u32, port: u16, reg_id: u32, transport| {
            let mut request = Request::new(Method::Register, Uri::sip("", "parkdeck"));
            let contact = format!("<sip:ann@10.0.0.5:{port}>;+sip.instance=\"<urn:uuid:1>\";reg-id={reg_id}");
            let cseq = format!("{cseq} REGISTER");
            for (name, value) in [
                ("To", "<sip:ann@parkdeck>"),
                ("Call-ID", "one"),
                ("CSeq", &cseq),
                ("Supported", "path, outbound"),
                ("Contact", &contact),
            ] {
                request.headers.push(name, value);
            }
            let from = Peer::new(transport, ([192, 0, 2, 7], port).into());
            let (answer, _) = registrar.register(NOW, &ann(), 3_600, from, &request);
            let told = |wanted: &str| answer.headers.iter().any(|(name, _)| name == wanted);
            (told("Require"), told("Flow-Timer"), registrar.count())
        };
        use crate::sip::Transport;
        assert_eq!(send(1, 1, 1, Transport::Tcp), (true, true, 1));
        assert_eq!(send(2, 2, 2, Transport::Tcp), (true, true, 2));
        assert_eq!(
            send(3, 3, 1, Transport::Tcp),
            (true, true, 2),
            "a new connection in the place of the first"
        );
        assert!(!send(4, 4, 9, Transport::Udp).0, "over UDP that would promise STUN");
    }

    #[test]
    fn the_way_to_a_phone_behind_proxies_is_kept_and_told() {
        let mut phone = Phone::new();
        let path = ("Path", "<sip:p1.example;lr>, <sip:192.0.2.9;lr>");
        let (status, headers) = phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>"), path]);
        assert_eq!(status, 200);
        assert!(headers.contains(&"<sip:p1.example;lr>".to_owned()), "{headers:?}");
        assert_eq!(phone.registrar.phones("ann")[0].path, ["<sip:p1.example;lr>", "<sip:192.0.2.9;lr>"]);
        let many = ["<sip:p.example;lr>"; MAX_PATHS + 1].join(", ");
        assert_eq!(phone.send(NOW, 1, &[("Contact", "<sip:ann@10.0.0.1>"), ("Path", &many)]).0, 400);
    }

    #[test]
    fn a_phone_that_moved_is_known_by_its_instance() {
        let mut phone = Phone::new();
        let instance = "+sip.instance=\"<urn:uuid:1>\"";
        phone.send(NOW, 1, &[("Contact", &format!("<sip:ann@10.0.0.1>;{instance}"))]);
        phone.send(NOW, 2, &[("Contact", &format!("<sip:ann@10.9.9.9>;{instance}"))]);
        assert_eq!(phone.registrar.count(), 1);
    }
}
