//! RFC 6665's subscriber (4.1, figure 1) and notifier (4.2) as one table: what happens in each state at each event. No
//! pair of state and event may be missing.

use super::super::*;
use crate::sip::Moment;
use crate::sip::message::{Message, Request, Response, Uri, read_datagram};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// `machine | states | events | next state | sends | tells | the next SUBSCRIBE is due within s`. Lists stand for all
/// their pairs. `same` is the state it was, `gone` is RFC's Terminated. A timer that a state doesn't have: `no timer`.
///
/// Subscriber: `asking` is notify_wait with its SUBSCRIBE unanswered, `promised` notify_wait after the 200, `active`
/// active or pending, `refreshing` the same with a SUBSCRIBE under way, `stale` and `refused` are terminated and wait to
/// try again, `leaving` awaits the answer to the SUBSCRIBE that ends it.
const TABLE: &str = "
subscriber | asking                | 200                 | promised   | -         | Active    | 66-540
subscriber | asking                | 423                 | asking     | SUBSCRIBE | -         | -
subscriber | asking                | 481, 408            | stale      | -         | -         | 0-1
subscriber | asking                | 503-after-100       | stale      | -         | -         | 100-113
subscriber | asking                | silence             | stale      | -         | -         | 0-1
subscriber | asking, refreshing    | 403, 489            | refused    | -         | Refused   | 300-600
subscriber | asking, refreshing    | 404-after-100       | refused    | -         | Refused   | 100-113
subscriber | refreshing            | 200                 | promised   | -         | Refreshed | 449-541
subscriber | refreshing            | 423                 | refreshing | SUBSCRIBE | -         | -
subscriber | refreshing            | 481, silence        | stale      | -         | Stale     | 0-1
subscriber | refreshing            | 408                 | active     | -         | -         | 0-2
subscriber | refreshing            | 503-after-100       | active     | -         | -         | 100-113
subscriber | leaving               | 200                 | leaving    | -         | -         | -
subscriber | leaving               | 423, 481, 408, 403, 489, 503-after-100, 404-after-100, silence | gone | - | - | -
subscriber | promised, active, stale, refused | 200, 423, 481, 408, 403, 489, 503-after-100, 404-after-100 | same | - | - | same
subscriber | promised, active, stale, refused | silence  | no timer   |           |           |

subscriber | asking                | notify              | refreshing | 200       | Active Notified | -
subscriber | promised              | notify              | active     | 200       | Notified  | 66-540
subscriber | active                | notify              | active     | 200       | Notified  | same
subscriber | refreshing            | notify              | refreshing | 200       | Notified  | -
subscriber | stale, refused        | notify, deactivated, probation, probation-after-100, rejected, giveup, giveup-after-100, noresource, timeout, invariant | same | 481 | - | same
subscriber | asking                | deactivated, giveup, timeout, probation, probation-after-100, giveup-after-100 | asking-anew | 200 | Notified | -
subscriber | promised, active      | deactivated, giveup, timeout | stale | 200     | Notified Stale | 0-1
subscriber | promised, active      | probation           | stale      | 200       | Notified Stale | 30-68
subscriber | promised, active      | probation-after-100, giveup-after-100 | stale | 200 | Notified Stale | 100-113
subscriber | refreshing            | deactivated, giveup, timeout, probation, probation-after-100, giveup-after-100 | asking-anew | 200 | Notified Stale | -
subscriber | promised, active      | rejected, noresource | refused   | 200       | Notified Refused | 300-600
subscriber | asking, refreshing    | rejected, noresource | asking-anew | 200     | Notified Refused | 300-600
subscriber | promised, active      | invariant           | invariant  | 200       | Notified  | -
subscriber | asking, refreshing    | invariant           | asking-anew | 200      | Notified  | -
subscriber | leaving               | notify              | leaving    | 200       | -         | -
subscriber | leaving               | deactivated, probation, probation-after-100, rejected, giveup, giveup-after-100, noresource, timeout, invariant | gone | 200 | - | -

subscriber | asking, promised      | old-notify, jumped-notify | as notify |      |           |
subscriber | active                | old-notify          | active     | 500       | -         | 1-3
subscriber | refreshing            | old-notify          | refreshing | 500       | -         | -
subscriber | leaving               | old-notify          | leaving    | 500       | -         | -
subscriber | stale, refused        | old-notify, jumped-notify | same | 481       | -         | same
subscriber | active                | jumped-notify       | stale      | 200       | Stale     | 0-1
subscriber | refreshing            | jumped-notify       | asking-anew | 200      | Stale     | -
subscriber | leaving               | jumped-notify       | gone       | 200       | -         | -

subscriber | promised, stale, refused, active | due      | refreshing | SUBSCRIBE | -         | -
subscriber | asking, refreshing, leaving | due           | no timer   |           |           |
subscriber | promised              | lapse               | stale      | -         | Stale     | 0-1
subscriber | active                | lapse               | stale      | -         | Stale     | 0-1
subscriber | refreshing            | lapse               | asking-anew | -        | Stale     | -
subscriber | asking, stale, refused, leaving | lapse     | no timer   |           |           |
subscriber | promised, active, refused | renew           | same       | -         | -         | 0-0
# Retry-After holds against everybody.
subscriber | stale                 | renew               | same       | -         | -         | same
subscriber | asking, refreshing, leaving | renew         | same       | -         | -         | -
subscriber | promised, active      | unsubscribe         | leaving    | SUBSCRIBE | -         | -
subscriber | asking, refreshing    | unsubscribe         | leaving    | -         | -         | -
subscriber | stale, refused        | unsubscribe         | gone       | -         | -         | -
subscriber | leaving               | unsubscribe         | leaving    | -         | -         | -

notifier   | idle                  | tell                | telling    | NOTIFY    | -         | -
notifier   | telling, crowded      | tell                | crowded    | -         | -         | -
notifier   | put-off               | tell                | put-off    | -         | -         | -
notifier   | idle, telling, crowded, put-off | dismiss   | gone       | NOTIFY    | Left      | -
notifier   | idle, put-off         | 200, 481, 500       | same       | -         | -         | -
notifier   | telling               | 200                 | idle       | -         | -         | -
notifier   | crowded               | 200                 | telling    | NOTIFY    | -         | -
notifier   | telling, crowded      | 481                 | gone       | -         | Left      | -
notifier   | telling, crowded      | 500                 | put-off    | -         | -         | -
notifier   | telling, crowded      | silence             | gone       | -         | Left      | -
notifier   | idle, put-off         | silence             | no timer   |           |           |
notifier   | idle, telling, crowded, put-off | refresh   | same       | 200       | Refreshed | -
notifier   | idle, telling, crowded, put-off | leave     | gone       | 200 NOTIFY | Left     | -
notifier   | idle, telling, crowded, put-off | old-refresh | same     | 500       | -         | -
notifier   | idle, telling, crowded, put-off | other-event | same     | 489       | -         | -
notifier   | idle, telling, crowded, put-off | expire    | gone       | NOTIFY    | Left      | -
notifier   | put-off               | retry               | telling    | NOTIFY    | -         | -
notifier   | idle, telling, crowded | retry              | no timer   |           |           |
";

const SUBSCRIBER_STATES: [&str; 7] =
    ["asking", "promised", "active", "refreshing", "stale", "refused", "leaving"];
const SUBSCRIBER_EVENTS: [&str; 24] = [
    "200",
    "423",
    "481",
    "408",
    "403",
    "489",
    "503-after-100",
    "404-after-100",
    "silence",
    "notify",
    "deactivated",
    "probation",
    "probation-after-100",
    "rejected",
    "giveup",
    "giveup-after-100",
    "noresource",
    "timeout",
    "invariant",
    "old-notify",
    "jumped-notify",
    "due",
    "lapse",
    "renew",
];
const NOTIFIER_STATES: [&str; 4] = ["idle", "telling", "crowded", "put-off"];
const NOTIFIER_EVENTS: [&str; 11] = [
    "tell",
    "dismiss",
    "200",
    "481",
    "500",
    "silence",
    "refresh",
    "leave",
    "old-refresh",
    "other-event",
    "expire",
];

fn server() -> Peer {
    Peer::udp(([127, 0, 0, 1], 5060).into())
}

/// One agent, what it sent and told, and the last SUBSCRIBE or NOTIFY of its own.
struct Bench {
    ua: UserAgent,
    now: Moment,
    sent: Vec<Message>,
    told: Vec<String>,
    last: Option<Request>,
    subscription: Option<SubscriptionKey>,
    watcher: Option<WatcherKey>,
}

impl Bench {
    fn new(server_side: bool) -> Self {
        let local = ([127, 0, 0, 1], 6001).into();
        let config = if server_side { UaConfig::server(local, "t", 1) } else { UaConfig::new(local, "t", 1) };
        Self {
            ua: UserAgent::new(config),
            now: Duration::from_secs(1000),
            sent: vec![],
            told: vec![],
            last: None,
            subscription: None,
            watcher: None,
        }
    }

    fn look(&mut self) {
        while let Some(transmit) = self.ua.poll_transmit() {
            let message = read_datagram(&transmit.bytes).unwrap();
            if let Message::Request(request) = &message {
                self.last = Some(request.clone());
            }
            self.sent.push(message);
        }
        while let Some(event) = self.ua.poll_event() {
            let name = format!("{event:?}");
            let name = name.split([' ', '{']).next().unwrap();
            let name = name.trim_start_matches("Subscription").trim_start_matches("Watcher");
            if let Event::RequestReceived { key, .. } = event {
                self.watcher = self.ua.admit_watcher(self.now, key, 600);
                self.look();
            } else {
                self.told.push(name.to_owned());
            }
        }
    }

    fn forget_words(&mut self) {
        self.look();
        self.sent.clear();
        self.told.clear();
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.ua.receive(self.now, server(), bytes);
        self.look();
    }

    /// The answer to our last request.
    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) {
        let mut response = Response::to(self.last.as_ref().unwrap(), status);
        let to = response.headers.to().unwrap();
        if to.tag().is_none() {
            response.headers.set("To", to.with_tag("srv").to_string());
        }
        headers.iter().for_each(|(name, value)| response.headers.push(name, *value));
        self.receive(&response.to_bytes());
    }

    /// A NOTIFY in the dialog of our last SUBSCRIBE.
    fn notify(&mut self, cseq: u32, state: &str) {
        let last = self.last.as_ref().unwrap();
        let (from, call_id) = (last.headers.from().unwrap(), last.headers.call_id().unwrap());
        let text = format!(
            "NOTIFY sip:a@127.0.0.1:6001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn{cseq}\r\n\
             From: <sip:701@127.0.0.1>;tag=srv\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} NOTIFY\r\n\
             Contact: <sip:127.0.0.1:5060>\r\nEvent: dialog\r\nSubscription-State: {state}\r\n\
             Content-Type: text/plain\r\nContent-Length: 1\r\n\r\nx"
        );
        self.receive(text.as_bytes());
    }

    /// A SUBSCRIBE to us: the first one, or one in the watcher's dialog.
    fn subscribe_to_us(&mut self, cseq: u32, expires_s: u32, event: &str) {
        let tag = self.watcher.and_then(|key| self.ua.watchers.get(&key)).map(|w| w.dialog.local_tag.clone());
        let tag = tag.map_or(String::new(), |tag| format!(";tag={tag}"));
        let text = format!(
            "SUBSCRIBE sip:701@127.0.0.1:6001 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKs{cseq}{event}\r\n\
             From: <sip:a@127.0.0.1>;tag=srv\r\nTo: <sip:701@127.0.0.1>{tag}\r\nCall-ID: w\r\nCSeq: {cseq} SUBSCRIBE\r\n\
             Contact: <sip:a@127.0.0.1:5060>\r\nEvent: {event}\r\nExpires: {expires_s}\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        );
        self.receive(text.as_bytes());
    }

    /// Lets time pass up to that moment, and no word of it counts but what is said then. `None`: it never comes.
    fn until(&mut self, at: Option<Moment>) -> Option<()> {
        let at = at?;
        while let Some(next) = self.ua.next_wake().filter(|next| *next < at) {
            self.now = next;
            self.ua.wake(next);
        }
        self.forget_words();
        self.now = at;
        self.ua.wake(at);
        self.look();
        Some(())
    }

    fn subscription(&self) -> Option<&super::Subscription> {
        self.ua.subscriptions.get(&self.subscription?)
    }

    /// When the SUBSCRIBE or NOTIFY under way is given up.
    fn silence_at(&self) -> Option<Moment> {
        (!self.ua.errands.is_empty()).then_some(self.now + Duration::from_secs(32))
    }

    fn subscriber_state(&self) -> &'static str {
        let Some(held) = self.subscription() else { return "gone" };
        match (held.leaving, held.under_way, held.health) {
            (true, ..) => "leaving",
            (_, true, _) if held.afresh => "asking-anew",
            (_, true, super::Health::New) => "asking",
            (_, true, _) => "refreshing",
            (_, _, super::Health::Active) if held.afresh => "invariant",
            (_, _, super::Health::Active) if held.notify_by.is_some() => "promised",
            (_, _, super::Health::Active) => "active",
            (_, _, super::Health::Refused) => "refused",
            (_, _, super::Health::New | super::Health::Stale) => "stale",
        }
    }

    fn notifier_state(&self) -> &'static str {
        let Some(held) = self.watcher.and_then(|key| self.ua.watchers.get(&key)) else { return "gone" };
        held.stands()
    }
}

fn subscriber_in(state: &str) -> Bench {
    let mut bench = Bench::new(false);
    let order = Subscribe {
        account: None,
        target: Uri::sip("701", "127.0.0.1"),
        send_to: server(),
        event: "dialog".into(),
        accept: "text/plain".into(),
        expires_s: 600,
        list: false,
    };
    bench.subscription = Some(bench.ua.subscribe(bench.now, order));
    bench.look();
    if state != "asking" {
        bench.answer(200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1:5060>")]);
    }
    if !matches!(state, "asking" | "promised") {
        bench.notify(1000, "active;expires=600");
    }
    let key = bench.subscription.unwrap();
    match state {
        "refreshing" => {
            let due = bench.subscription().unwrap().next.map(|alarm| alarm.at());
            bench.until(due).unwrap();
        }
        // Steady, so that the first attempt comes at once; the answer is to something else.
        "stale" => {
            bench.now += Duration::from_secs(20);
            bench.notify(1001, "terminated;reason=giveup;retry-after=500");
        }
        "refused" => bench.notify(1001, "terminated;reason=rejected"),
        "leaving" => bench.ua.unsubscribe(bench.now, key),
        _ => {}
    }
    bench.forget_words();
    assert_eq!(bench.subscriber_state(), state);
    bench
}

/// Lets the event happen; `None` where that timer isn't set.
fn subscriber_event(bench: &mut Bench, event: &str) -> Option<()> {
    let key = bench.subscription.unwrap();
    let (word, after) =
        event.split_once("-after-").map_or((event, None), |(word, after)| (word, Some(after)));
    let reason = |word: &str| {
        let after = after.map_or(String::new(), |after| format!(";retry-after={after}"));
        format!("terminated;reason={word}{after}")
    };
    match word {
        "200" => bench.answer(200, &[("Expires", "600"), ("Contact", "<sip:127.0.0.1:5060>")]),
        "423" => bench.answer(423, &[("Min-Expires", "900")]),
        "silence" => return bench.until(bench.silence_at()),
        "notify" => bench.notify(2000, "active"),
        "old-notify" => bench.notify(3, "active"),
        "jumped-notify" => bench.notify(2_000_000_000, "active"),
        "due" => {
            bench.now = bench.subscription()?.next?.at();
            bench.ua.queue_subscribe(bench.now, key);
        }
        // While leaving it is the last NOTIFY that is waited for no longer, and set by the answer only.
        "lapse" => {
            bench.now = bench.subscription().filter(|held| !held.leaving)?.lapse?.at();
            bench.ua.lapse_subscription(bench.now, key);
        }
        "renew" => bench.ua.renew(bench.now, key),
        "unsubscribe" => bench.ua.unsubscribe(bench.now, key),
        status if status.parse::<u16>().is_ok() => {
            let headers: Vec<_> = after.iter().map(|after| ("Retry-After", *after)).collect();
            bench.answer(status.parse().unwrap(), &headers);
        }
        word => bench.notify(2000, &reason(word)),
    }
    bench.look();
    Some(())
}

fn notifier_in(state: &str) -> Bench {
    let mut bench = Bench::new(true);
    bench.subscribe_to_us(10, 600, "dialog");
    let key = bench.watcher.unwrap();
    let tell = |bench: &mut Bench| {
        bench.ua.notify(bench.now, key, "text/plain", b"x".to_vec());
        bench.look();
    };
    tell(&mut bench);
    match state {
        "idle" => bench.answer(200, &[]),
        "crowded" => tell(&mut bench),
        "put-off" => bench.answer(500, &[]),
        _ => {}
    }
    bench.forget_words();
    assert_eq!(bench.notifier_state(), state);
    bench
}

fn notifier_event(bench: &mut Bench, event: &str) -> Option<()> {
    let key = bench.watcher.unwrap();
    match event {
        "tell" => bench.ua.notify(bench.now, key, "text/plain", b"y".to_vec()),
        "dismiss" => bench.ua.dismiss(bench.now, key, "noresource"),
        "silence" => return bench.until(bench.silence_at()),
        "refresh" => bench.subscribe_to_us(11, 600, "dialog"),
        "leave" => bench.subscribe_to_us(11, 0, "dialog"),
        "old-refresh" => bench.subscribe_to_us(9, 600, "dialog"),
        "other-event" => bench.subscribe_to_us(11, 600, "presence"),
        "expire" => {
            bench.ua.lapse_watcher(bench.now, key);
        }
        "retry" => return bench.until(bench.ua.watchers.get(&key)?.retries_at()),
        status => bench.answer(status.parse().unwrap(), &[]),
    }
    bench.look();
    Some(())
}

type Row = [String; 4];

fn rows() -> BTreeMap<(String, String, String), Row> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.contains('|')) {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let [machine, states, events, outcome @ ..] = &cells[..] else { panic!("{line}") };
        let outcome: Row = outcome.to_vec().try_into().unwrap();
        for state in states.split(", ") {
            for event in events.split(", ") {
                let key = (machine.clone(), state.to_owned(), event.to_owned());
                assert!(rows.insert(key, outcome.clone()).is_none(), "twice: {line}");
            }
        }
    }
    rows
}

#[test]
fn no_transition_is_missing_from_the_table() {
    let pairs = |machine: &str, states: &[&str], events: &[&str]| -> Vec<(String, String, String)> {
        let of = |state: &&str| {
            let state = (*state).to_owned();
            events.iter().map(move |event| (machine.to_owned(), state.clone(), (*event).to_owned()))
        };
        states.iter().flat_map(of).collect()
    };
    let mut subscriber_events = SUBSCRIBER_EVENTS.to_vec();
    subscriber_events.push("unsubscribe");
    let mut notifier_events = NOTIFIER_EVENTS.to_vec();
    notifier_events.push("retry");
    let wanted: BTreeSet<_> = pairs("subscriber", &SUBSCRIBER_STATES, &subscriber_events)
        .into_iter()
        .chain(pairs("notifier", &NOTIFIER_STATES, &notifier_events))
        .collect();
    let held: BTreeSet<_> = rows().into_keys().collect();
    let missing: Vec<_> = wanted.difference(&held).collect();
    let unknown: Vec<_> = held.difference(&wanted).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "missing {missing:?}, unknown {unknown:?}");
}

#[test]
fn every_transition_is_as_the_table_says() {
    let rows = rows();
    let mut wrong = Vec::new();
    for ((machine, state, event), row) in &rows {
        let row = match row[0].strip_prefix("as ") {
            Some(other) => &rows[&(machine.clone(), state.clone(), other.to_owned())],
            None => row,
        };
        let subscriber = machine == "subscriber";
        let mut bench = if subscriber { subscriber_in(state) } else { notifier_in(state) };
        let due_before = bench.subscription().and_then(|held| held.next).map(|alarm| alarm.at());
        let happened =
            if subscriber { subscriber_event(&mut bench, event) } else { notifier_event(&mut bench, event) };
        let found = outcome(&bench, happened, subscriber);
        let [next, sends, tells, due] = row;
        let next = if next == "same" { state } else { next };
        let due_now = bench.subscription().and_then(|held| held.next).map(|alarm| alarm.at());
        let in_time = match due.as_str() {
            "" => true,
            "same" => due_now == due_before,
            "-" => due_now.is_none(),
            window => {
                let (least, most) = window.split_once('-').unwrap();
                let (least, most): (u64, u64) = (least.parse().unwrap(), most.parse().unwrap());
                due_now.is_some_and(|at| {
                    let wait = at.saturating_sub(bench.now);
                    wait >= Duration::from_secs(least) && wait < Duration::from_secs(most + 1)
                })
            }
        };
        if found != [next.clone(), sends.clone(), tells.clone()] || !in_time {
            let due = due_now.map(|at| at.saturating_sub(bench.now));
            wrong.push(format!("{machine} in {state} at {event}: {found:?}, due {due:?}; wanted {row:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn outcome(bench: &Bench, happened: Option<()>, subscriber: bool) -> [String; 3] {
    if happened.is_none() {
        return ["no timer".to_owned(), String::new(), String::new()];
    }
    let dash = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(" ") };
    let sent = bench.sent.iter().map(|message| match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => response.status.to_string(),
    });
    let state = if subscriber { bench.subscriber_state() } else { bench.notifier_state() };
    [state.to_owned(), dash(sent.collect()), dash(bench.told.clone())]
}
