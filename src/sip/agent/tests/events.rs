//! What servers do to subscriptions: forget them, put them off, count from anew, send storms, tell unasked.

use super::registrations::account;
use super::*;
use crate::sip::message::{Message, Request};

const SERVER: u16 = 5060;

fn watch(port: u16, slot: &str) -> Subscribe {
    Subscribe {
        account: None,
        target: Uri::sip(slot, "127.0.0.1"),
        send_to: at(port),
        event: "dialog".to_owned(),
        accept: "application/dialog-info+xml".to_owned(),
        expires_s: 600,
        list: false,
    }
}

/// A NOTIFY of a server that is no agent; `more` are whole header lines.
fn notify(asked: &Message, cseq: u32, state: &str, more: &str) -> Vec<u8> {
    let Message::Request(Request { headers, .. }) = asked else { panic!() };
    let (from, call_id) = (headers.from().unwrap(), headers.call_id().unwrap());
    format!(
        "NOTIFY sip:alice@127.0.0.1:6001 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.1:{SERVER};branch=z9hG4bKn{cseq};rport\r\n\
         From: <sip:701@127.0.0.1>;tag=script\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} NOTIFY\r\n\
         Contact: <sip:127.0.0.1:{SERVER}>\r\nEvent: dialog\r\nSubscription-State: {state}\r\n{more}\
         Content-Type: application/dialog-info+xml\r\nContent-Length: 3\r\n\r\nabc"
    )
    .into_bytes()
}

/// One agent that watches a server that is no agent.
struct Watch {
    world: World,
    alice: Peer,
    key: SubscriptionKey,
}

impl Watch {
    fn begin() -> Self {
        let mut world = World::new(4, Weather::default());
        let alice = world.add(6001);
        let key = world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
        world.run(ms(10));
        Self { world, alice, key }
    }

    /// Subscribed, and told once with CSeq 10.
    fn active() -> (Self, Message) {
        let mut watch = Self::begin();
        let asked = watch.asked().unwrap();
        watch.answer(&asked, 200, &[("Expires", "600")]);
        watch.notify(&asked, 10, "active;expires=600");
        assert_eq!(watch.names(), ["SubscriptionActive", "Notified"]);
        watch.statuses();
        (watch, asked)
    }

    /// The last SUBSCRIBE that came, if any; the mail is read.
    fn asked(&mut self) -> Option<Message> {
        let mail = std::mem::take(&mut self.world.mail);
        mail.into_iter().rev().map(|(_, _, m)| m).find(|m| is_request(m, "SUBSCRIBE"))
    }

    /// Waits for the next SUBSCRIBE.
    fn refresh(&mut self) -> Message {
        (0..600)
            .find_map(|_| {
                self.world.run(s(1));
                self.asked()
            })
            .unwrap()
    }

    fn answer(&mut self, asked: &Message, status: u16, headers: &[(&str, &str)]) {
        self.world.inject(at(SERVER), self.alice, reply_to(asked, status, headers));
        self.world.run(ms(5));
    }

    fn notify(&mut self, asked: &Message, cseq: u32, state: &str) {
        self.world.inject(at(SERVER), self.alice, notify(asked, cseq, state, ""));
        self.world.run(ms(5));
    }

    fn names(&mut self) -> Vec<String> {
        self.world.names(self.alice)
    }

    fn statuses(&mut self) -> Vec<u16> {
        let mail = std::mem::take(&mut self.world.mail);
        let status = |message: &Message| match message {
            Message::Response(response) => Some(response.status),
            Message::Request(_) => None,
        };
        mail.iter().filter_map(|(_, _, message)| status(message)).collect()
    }

    fn agent(&self) -> &UserAgent {
        &self.world.agents[&self.alice]
    }
}

#[test]
fn a_repeated_notify_is_answered_again_and_heard_once_and_nothing_is_kept_of_any() {
    let (mut watch, asked) = Watch::active();
    for cseq in [11, 12, 11, 12, 12] {
        watch.notify(&asked, cseq, "active;expires=600");
    }
    assert_eq!(watch.statuses(), [200; 5]);
    assert_eq!(watch.names(), ["Notified", "Notified"]);
    for cseq in 13..2000 {
        watch.notify(&asked, cseq, "active;expires=600");
    }
    assert_eq!(watch.agent().census().server_transactions, 0);
}

#[test]
fn a_server_that_counts_from_anew_in_our_dialog_is_understood_after_one_refresh() {
    let (mut watch, asked) = Watch::active();
    watch.notify(&asked, 1, "active;expires=600");
    assert_eq!((watch.names(), watch.statuses()), (vec![], vec![500]), "an old number changes nothing");
    watch.world.run(s(4));
    let refresh = watch.asked().expect("refreshed, for some servers give up over a 500");
    assert_eq!(refresh.headers().call_id(), asked.headers().call_id());
    watch.answer(&refresh, 200, &[("Expires", "600")]);
    watch.names();
    // The repetition of the old one proves nothing; one that counts on does.
    watch.notify(&asked, 1, "active;expires=600");
    assert!(watch.names().is_empty());
    watch.notify(&asked, 2, "active;expires=600");
    assert_eq!(watch.names(), ["SubscriptionStale"]);
    watch.world.run(s(2));
    let anew = watch.asked().expect("another dialog within 2 s");
    assert_ne!(anew.headers().call_id(), asked.headers().call_id());
    watch.answer(&anew, 200, &[("Expires", "600")]);
    watch.notify(&anew, 1, "active;expires=600");
    assert_eq!(watch.names(), ["SubscriptionActive", "Notified"]);
}

#[test]
fn a_jump_to_two_to_the_31_is_stale_and_subscribed_anew_within_two_seconds() {
    let (mut watch, asked) = Watch::active();
    // One more is no CSeq (RFC 3261 8.1.1.5).
    watch.notify(&asked, (1 << 31) - 1, "active;expires=600");
    assert_eq!(watch.names(), ["SubscriptionStale"]);
    watch.world.run(s(2));
    assert_ne!(watch.asked().unwrap().headers().call_id(), asked.headers().call_id());
}

#[test]
fn retry_after_of_a_503_holds_against_everybody() {
    let mut watch = Watch::begin();
    let asked = watch.asked().unwrap();
    watch.answer(&asked, 503, &[("Retry-After", "120")]);
    let key = watch.key;
    watch.world.with(watch.alice, |ua, now| ua.renew(now, key));
    watch.world.run(s(119));
    assert!(watch.asked().is_none(), "not even when a key is pressed");
    watch.world.run(s(20));
    assert!(watch.asked().is_some());
}

#[test]
fn a_refresh_that_fails_leaves_the_lamp_fresh_until_its_time_is_over() {
    for (status, headers) in [(503, vec![("Retry-After", "30")]), (500, vec![]), (480, vec![]), (408, vec![])]
    {
        let (mut watch, asked) = Watch::active();
        let refresh = watch.refresh();
        watch.answer(&refresh, status, &headers);
        assert!(watch.names().is_empty(), "{status}: the grant still holds");
        watch.notify(&asked, 11, "active");
        assert_eq!(watch.names(), ["Notified"], "{status}");
        let again = watch.refresh();
        assert_eq!(again.headers().call_id(), asked.headers().call_id(), "{status}: in the same dialog");
        watch.world.run(s(160));
        assert_eq!(watch.names(), ["SubscriptionStale"], "{status}");
    }
}

#[test]
fn a_200_without_a_notify_is_no_subscription() {
    let mut watch = Watch::begin();
    let asked = watch.asked().unwrap();
    watch.answer(&asked, 200, &[("Expires", "600")]);
    watch.world.run(s(31));
    assert_eq!(watch.names(), ["SubscriptionActive"]);
    assert!(watch.asked().is_none());
    watch.world.run(s(3));
    assert_eq!(watch.names(), ["SubscriptionStale"], "timer N");
    assert_ne!(watch.asked().unwrap().headers().call_id(), asked.headers().call_id());
}

#[test]
fn a_server_that_shortens_the_time_is_asked_sooner() {
    let mut watch = Watch::begin();
    let asked = watch.asked().unwrap();
    watch.answer(&asked, 200, &[("Expires", "600")]);
    watch.notify(&asked, 10, "active;expires=60");
    let until = watch.agent().fresh_until(watch.key).unwrap();
    assert!(until <= watch.world.now + s(60));
    watch.world.run(s(59));
    assert_eq!(watch.asked().unwrap().headers().call_id(), asked.headers().call_id(), "refreshed in time");
    assert_eq!(watch.names(), ["SubscriptionActive", "Notified"]);
}

#[test]
fn what_never_changes_is_never_asked_for_again() {
    let (mut watch, asked) = Watch::active();
    watch.notify(&asked, 11, "terminated;reason=invariant;retry-after=1");
    watch.world.run(s(100_000));
    assert!(watch.asked().is_none());
    assert_eq!(watch.names(), ["Notified"], "and what was told holds");
    let key = watch.key;
    watch.world.with(watch.alice, |ua, now| ua.unsubscribe(now, key));
    assert_eq!(watch.agent().census(), Census::default());
}

#[test]
fn probation_is_waited_out_and_retry_after_means_nothing_where_the_rfc_says_so() {
    for (state, least, most) in [
        ("terminated;reason=probation", 29, 61),
        ("terminated;reason=probation;retry-after=100", 99, 115),
        ("terminated;reason=deactivated;retry-after=100", 0, 2),
        ("terminated;reason=timeout;retry-after=100", 0, 2),
        ("terminated;retry-after=100", 99, 115),
    ] {
        let (mut watch, asked) = Watch::active();
        watch.notify(&asked, 11, state);
        watch.world.run(s(least));
        if least > 0 {
            assert!(watch.asked().is_none(), "{state}");
        }
        watch.world.run(s(most - least));
        let anew = watch.world.sent.iter().filter(|(_, _, _, m)| is_request(m, "SUBSCRIBE")).count();
        assert!(anew > 1, "{state}");
    }
}

/// Grants everything and takes it back at once.
#[test]
fn a_server_that_ends_every_subscription_at_once_is_asked_ever_more_rarely() {
    let mut world = World::new(1, Weather::default());
    let (alice, server) = (world.add(6001), world.add(SERVER));
    world.script(server, |ua, now, event| {
        if let Event::RequestReceived { key, .. } = event {
            let watcher = ua.admit_watcher(now, *key, 600).unwrap();
            ua.dismiss(now, watcher, "deactivated");
        }
    });
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(s(600));
    let asked = world.sent.iter().filter(|(_, _, _, m)| is_request(m, "SUBSCRIBE")).count();
    assert!((10..30).contains(&asked), "{asked}");
}

/// A server with digest, whose nonces are forgotten with everything else when it restarts.
fn guarded_server(world: &mut World, life: u32) -> Peer {
    let server = world.add(SERVER);
    world.agents.insert(server, UserAgent::new(UaConfig::server(server.address, "guarded", u64::from(life))));
    world.script(server, move |ua, now, event| match event {
        Event::RequestReceived { key, request, .. } => {
            let nonce = format!("life{life}");
            let known = request.headers.get("Authorization").is_some_and(|a| a.contains(&nonce));
            if !known {
                let challenge = format!("Digest realm=\"pbx\",nonce=\"{nonce}\",qop=\"auth\",stale=true");
                return ua.answer(now, *key, 401, vec![("WWW-Authenticate".into(), challenge)], Vec::new());
            }
            if let Some(watcher) = ua.admit_watcher(now, *key, 300) {
                ua.notify(now, watcher, "text/plain", b"state".to_vec());
            }
        }
        Event::WatcherRefreshed { watcher } => ua.notify(now, *watcher, "text/plain", b"state".to_vec()),
        _ => {}
    });
    server
}

#[test]
fn after_a_restart_500_lamps_are_fresh_within_15_s_and_none_pretends_meanwhile() {
    for seed in 0..2 {
        let mut world = World::new(seed, Weather::default());
        let alice = world.add(6001);
        guarded_server(&mut world, 1);
        world.with(alice, |ua, now| {
            let me = ua.add_account(account(SERVER, "secret", None));
            for n in 0..500 {
                ua.subscribe(
                    now,
                    Subscribe { account: Some(me), expires_s: 300, ..watch(SERVER, &n.to_string()) },
                );
            }
        });
        world.run(s(60));
        assert_eq!(world.names(alice).iter().filter(|n| *n == "SubscriptionActive").count(), 500);
        world.run(s(140));
        world.take_events(alice);
        world.sent.clear();
        // Nobody tells of it: the next refresh does, and there are two of them a second.
        guarded_server(&mut world, 2);
        let restarted = world.now;
        world.run(s(30));
        let events = std::mem::take(&mut world.events);
        let mut stale = BTreeMap::new();
        let mut heard = BTreeMap::new();
        for (at, _, event) in events.iter().filter(|(_, who, _)| *who == alice) {
            match event {
                Event::SubscriptionStale { subscription, .. } => {
                    stale.insert(*subscription, *at);
                }
                Event::Notified { subscription, .. } if stale.contains_key(subscription) => {
                    heard.entry(*subscription).or_insert(*at);
                }
                _ => {}
            }
        }
        assert_eq!((stale.len(), heard.len()), (500, 500), "seed {seed}: every lamp was in doubt");
        let last = heard.values().max().copied().unwrap();
        assert!(last <= restarted + s(15), "seed {seed}: {:?}", last - restarted);
        let doubted = stale.values().max().copied().unwrap();
        assert!(
            doubted <= restarted + s(5),
            "seed {seed}: none stays “free” for long: {:?}",
            doubted - restarted
        );
        let times: Vec<Moment> =
            world.sent.iter().filter(|(_, _, _, m)| is_request(m, "SUBSCRIBE")).map(|(at, ..)| *at).collect();
        let within = |from: &Moment| times.iter().filter(|t| *t >= from && **t < *from + s(1)).count();
        let most = times.iter().map(within).max().unwrap();
        assert!(most <= MAX_SUBSCRIBES_PER_SECOND, "seed {seed}: {most} in one second");
    }
}

#[test]
fn one_subscription_forgotten_casts_no_doubt_on_the_others() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let server = guarded_server(&mut world, 1);
    world.with(alice, |ua, now| {
        let me = ua.add_account(account(SERVER, "secret", None));
        for n in 0..20 {
            ua.subscribe(
                now,
                Subscribe { account: Some(me), expires_s: 300, ..watch(SERVER, &n.to_string()) },
            );
        }
    });
    world.run(s(60));
    world.take_events(alice);
    let gone = *world.agents[&server].watchers.keys().next().unwrap();
    let ua = world.agents.get_mut(&server).unwrap();
    let lost = ua.watchers.remove(&gone).unwrap();
    ua.dialogs.remove(&(lost.dialog.call_id, lost.dialog.local_tag));
    world.run(s(300));
    let names = world.names(alice);
    assert_eq!(names.iter().filter(|n| *n == "SubscriptionStale").count(), 1, "{names:?}");
}

#[test]
fn a_new_address_makes_all_stale_at_once_and_fresh_again_soon() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    guarded_server(&mut world, 1);
    world.with(alice, |ua, now| {
        let me = ua.add_account(account(SERVER, "secret", None));
        for n in 0..100 {
            ua.subscribe(
                now,
                Subscribe { account: Some(me), expires_s: 300, ..watch(SERVER, &n.to_string()) },
            );
        }
    });
    world.run(s(30));
    world.take_events(alice);
    world.with(alice, |ua, now| ua.network_changed(now, alice.address));
    world.run(ms(1));
    assert_eq!(world.names(alice).iter().filter(|n| *n == "SubscriptionStale").count(), 100);
    world.run(s(5));
    assert_eq!(world.names(alice).iter().filter(|n| *n == "Notified").count(), 100);
}

/// A NOTIFY outside any dialog, as Asterisk sends message summaries to a registered contact.
fn unasked(user: &str, event: &str) -> Vec<u8> {
    format!(
        "NOTIFY sip:{user}@127.0.0.1:6001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{SERVER};branch=z9hG4bKu{event};rport\r\n\
         From: <sip:asterisk@127.0.0.1>;tag=x\r\nTo: <sip:{user}@127.0.0.1>\r\nCall-ID: u{event}\r\nCSeq: 1 NOTIFY\r\n\
         Contact: <sip:127.0.0.1>\r\nEvent: {event}\r\nSubscription-State: terminated\r\nMax-Forwards: 70\r\n\
         Content-Type: application/simple-message-summary\r\nContent-Length: 21\r\n\r\nMessages-Waiting: yes"
    )
    .into_bytes()
}

#[test]
fn an_unasked_message_summary_is_believed_from_the_accounts_server_only() {
    let mut world = World::new(1, Weather::default());
    let alice = world.add(6001);
    let me = account(SERVER, "secret", None);
    let user = me.aor.uri.user.clone().unwrap();
    let key = world.with(alice, |ua, _| ua.add_account(me));
    for (from, user, event, status) in [
        (SERVER, user.as_str(), "message-summary", 200),
        (6666, user.as_str(), "Message-Summary", 481),
        (SERVER, "somebody", "message-summary ", 481),
        (SERVER, user.as_str(), "dialog", 489),
    ] {
        world.inject(at(from), alice, unasked(user, event));
        world.run(ms(5));
        let (_, _, answer) = world.mail.pop().unwrap();
        assert!(matches!(answer, Message::Response(r) if r.status == status), "{from} {user} {event}");
    }
    let events = world.take_events(alice);
    let [Event::NotifiedUnasked { account, event, body, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        (*account, event.as_str(), body.as_slice()),
        (key, "message-summary", &b"Messages-Waiting: yes"[..])
    );
    assert_eq!(world.agents[&alice].census(), Census::default());
}

#[test]
fn a_list_is_asked_for_and_its_notifies_may_require_it() {
    let mut world = World::new(4, Weather::default());
    let alice = world.add(6001);
    world.with(alice, |ua, now| ua.subscribe(now, Subscribe { list: true, ..watch(SERVER, "parks") }));
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(10));
    let [list, single] = &world.mail[..] else { panic!() };
    let supports = |m: &Message| m.headers().list("Supported").iter().any(|tag| tag == "eventlist");
    assert!(supports(&list.2) && !supports(&single.2));
    let asked = list.2.clone();
    world.mail.clear();
    world.inject(at(SERVER), alice, reply_to(&asked, 200, &[("Expires", "600"), ("Require", "eventlist")]));
    world.inject(at(SERVER), alice, notify(&asked, 1, "active;expires=600", "Require: eventlist\r\n"));
    world.inject(at(SERVER), alice, notify(&asked, 2, "active;expires=600", "Require: eventlist, magic\r\n"));
    world.run(ms(5));
    assert_eq!(world.names(alice), ["SubscriptionActive", "Notified"]);
    let statuses: Vec<u16> = world
        .mail
        .iter()
        .filter_map(|(_, _, m)| if let Message::Response(r) = m { Some(r.status) } else { None })
        .collect();
    assert_eq!(statuses, [200, 420]);
}

#[test]
fn a_dismissed_watcher_who_is_silent_holds_no_place() {
    let mut world = World::new(1, Weather::default());
    let (alice, server) = (world.add(6001), world.add(SERVER));
    world.script(server, |ua, now, event| {
        if let Event::RequestReceived { key, .. } = event {
            let watcher = ua.admit_watcher(now, *key, 600).unwrap();
            ua.notify(now, watcher, "text/plain", b"x".to_vec());
        }
    });
    world.with(alice, |ua, now| ua.subscribe(now, watch(SERVER, "701")));
    world.run(ms(20));
    world.agents.remove(&alice);
    let watcher = *world.agents[&server].watchers.keys().next().unwrap();
    world.with(server, |ua, now| {
        // One NOTIFY is under way and will never be answered.
        ua.notify(now, watcher, "text/plain", b"y".to_vec());
        ua.dismiss(now, watcher, "rejected");
    });
    let census = world.agents[&server].census();
    assert_eq!((census.watchers, census.dialogs), (0, 0));
    assert_eq!(world.names(server).last().map(String::as_str), Some("WatcherLeft"));
    let farewell = world.sent.iter().rev().find(|(_, _, _, m)| is_request(m, "NOTIFY")).unwrap();
    assert_eq!(farewell.3.headers().get("Subscription-State"), Some("terminated;reason=rejected"));
    world.assert_empty();
}
