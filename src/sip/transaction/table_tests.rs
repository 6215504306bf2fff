//! Every timer and every transition of RFC 3261 17 with the corrections of RFC 6026, as one table: what happens in each
//! state at each event, over UDP and over a stream. No pair of state and event may be missing.

use super::*;
use crate::sip::Transport;
use crate::sip::message::{Message, Uri, read_datagram};
use std::collections::BTreeMap;
use std::time::Duration;

/// `machine | wire | states | events | next state | sends | tells | resend timer | end timer`; the timers in ms from the
/// event, `-` for none. Lists stand for all their pairs. `gone` is RFC's Terminated. The timers of a state that has none
/// never fire: `no timer`.
const TABLE: &str = "
# INVITE client, figure 5 with RFC 6026's Accepted (7.2)
invite-client | udp | Trying     | 1xx            | Proceeding | -      | Answered | -    | -
invite-client | udp | Trying     | 2xx            | Accepted   | -      | Answered | -    | 32000
invite-client | udp | Trying     | refusal        | Completed  | ACK    | Answered | -    | 32000
invite-client | udp | Trying     | resend         | Trying     | INVITE | -        | 1000 | 31500
invite-client | udp | Trying     | end            | gone       | -      | TimedOut | -    | -
invite-client | tcp | Trying     | 1xx            | Proceeding | -      | Answered | -    | -
invite-client | tcp | Trying     | 2xx            | Accepted   | -      | Answered | -    | 32000
invite-client | tcp | Trying     | refusal        | Completed  | ACK    | Answered | -    | 0
invite-client | tcp | Trying     | resend         | no timer   |        |          |      |
invite-client | tcp | Trying     | end            | gone       | -      | TimedOut | -    | -
invite-client | udp | Proceeding | refusal        | Completed  | ACK    | Answered | -    | 32000
invite-client | tcp | Proceeding | refusal        | Completed  | ACK    | Answered | -    | 0
invite-client | any | Proceeding | 1xx            | Proceeding | -      | Answered | -    | -
invite-client | any | Proceeding | 2xx            | Accepted   | -      | Answered | -    | 32000
invite-client | any | Proceeding | resend, end    | no timer   |        |          |      |
invite-client | udp | Completed  | 1xx, 2xx       | Completed  | -      | -        | -    | 32000
invite-client | udp | Completed  | refusal        | Completed  | ACK    | -        | -    | 32000
invite-client | tcp | Completed  | 1xx, 2xx       | Completed  | -      | -        | -    | 0
invite-client | tcp | Completed  | refusal        | Completed  | ACK    | -        | -    | 0
invite-client | any | Completed  | resend         | no timer   |        |          |      |
invite-client | any | Completed  | end            | gone       | -      | -        | -    | -
invite-client | any | Accepted   | 1xx, refusal   | Accepted   | -      | -        | -    | 32000
invite-client | any | Accepted   | 2xx            | Accepted   | -      | Answered | -    | 32000
invite-client | any | Accepted   | resend         | no timer   |        |          |      |
invite-client | any | Accepted   | end            | gone       | -      | Settled  | -    | -
invite-client | tcp | Trying, Proceeding | lost   | gone       | -      | Failed   | -    | -
invite-client | tcp | Completed  | lost           | Completed  | -      | -        | -    | 0
invite-client | tcp | Accepted   | lost           | Accepted   | -      | -        | -    | 32000

# Any other client, figure 6
other-client  | udp | Trying     | 1xx            | Proceeding | -      | Answered | 500  | 32000
other-client  | udp | Trying, Proceeding | 2xx, refusal | Completed | - | Answered | -    | 5000
other-client  | udp | Trying     | resend         | Trying     | OPTIONS | -       | 1000 | 31500
other-client  | udp | Proceeding | 1xx            | Proceeding | -      | Answered | 500  | 32000
other-client  | udp | Proceeding | resend         | Proceeding | OPTIONS | -       | 4000 | 31500
other-client  | tcp | Trying, Proceeding | 1xx    | Proceeding | -      | Answered | -    | 32000
other-client  | tcp | Trying, Proceeding | 2xx, refusal | Completed | - | Answered | -    | 0
other-client  | tcp | Trying, Proceeding | resend | no timer   |        |          |      |
other-client  | any | Trying, Proceeding | end    | gone       | -      | TimedOut | -    | -
other-client  | udp | Completed  | 1xx, 2xx, refusal | Completed | -    | -        | -    | 5000
other-client  | tcp | Completed  | 1xx, 2xx, refusal | Completed | -    | -        | -    | 0
other-client  | any | Completed  | resend         | no timer   |        |          |      |
other-client  | any | Completed  | end            | gone       | -      | -        | -    | -
other-client  | tcp | Trying, Proceeding | lost   | gone       | -      | Failed   | -    | -
other-client  | tcp | Completed  | lost           | Completed  | -      | -        | -    | 0

# INVITE server, figure 7 with RFC 6026's Accepted (7.1): the 2xx is its user's to repeat
invite-server | any | Trying, Proceeding | say-1xx | Proceeding | 180   | -        | -    | -
invite-server | any | Trying, Proceeding | say-2xx | Accepted   | 200   | -        | -    | 32000
invite-server | udp | Trying, Proceeding | say-refusal | Completed | 486 | -       | 500  | 32000
invite-server | tcp | Trying, Proceeding | say-refusal | Completed | 486 | -       | -    | 32000
invite-server | any | Trying     | request        | Trying     | -      | absorbed | -    | -
invite-server | any | Proceeding | request        | Proceeding | 180    | absorbed | -    | -
invite-server | any | Trying     | ack            | Trying     | -      | new      | -    | -
invite-server | any | Proceeding | ack            | Proceeding | -      | new      | -    | -
invite-server | any | Trying, Proceeding | resend, end | no timer |     |          |      |
invite-server | udp | Completed  | say-1xx, say-2xx, say-refusal | Completed | - | - | 500 | 32000
invite-server | tcp | Completed  | say-1xx, say-2xx, say-refusal | Completed | - | - | -  | 32000
invite-server | udp | Completed  | request        | Completed  | 486    | absorbed | 500  | 32000
invite-server | tcp | Completed  | request        | Completed  | 486    | absorbed | -    | 32000
invite-server | udp | Completed  | ack            | Confirmed  | -      | absorbed | -    | 5000
invite-server | tcp | Completed  | ack            | Confirmed  | -      | absorbed | -    | 0
invite-server | udp | Completed  | resend         | Completed  | 486    | -        | 1000 | 31500
invite-server | tcp | Completed  | resend         | no timer   |        |          |      |
invite-server | any | Completed  | end            | gone       | -      | -        | -    | -
invite-server | udp | Confirmed  | say-1xx, say-2xx, say-refusal | Confirmed | - | - | - | 5000
invite-server | tcp | Confirmed  | say-1xx, say-2xx, say-refusal | Confirmed | - | - | - | 0
invite-server | udp | Confirmed  | request, ack   | Confirmed  | -      | absorbed | -    | 5000
invite-server | tcp | Confirmed  | request, ack   | Confirmed  | -      | absorbed | -    | 0
invite-server | any | Confirmed  | resend         | no timer   |        |          |      |
invite-server | any | Confirmed  | end            | gone       | -      | -        | -    | -
invite-server | any | Accepted   | say-1xx, say-refusal | Accepted | - | -        | -    | 32000
invite-server | any | Accepted   | say-2xx        | Accepted   | 200    | -        | -    | 32000
invite-server | any | Accepted   | request        | Accepted   | -      | absorbed | -    | 32000
invite-server | any | Accepted   | ack            | Accepted   | -      | new      | -    | 32000
invite-server | any | Accepted   | resend         | no timer   |        |          |      |
invite-server | any | Accepted   | end            | gone       | -      | -        | -    | -

# Any other server, figure 8
other-server  | any | Trying     | request        | Trying     | -      | absorbed | -    | -
other-server  | any | Proceeding | request        | Proceeding | 180    | absorbed | -    | -
other-server  | any | Trying, Proceeding | say-1xx | Proceeding | 180   | -        | -    | -
other-server  | udp | Trying, Proceeding | say-2xx | Completed  | 200   | -        | -    | 32000
other-server  | udp | Trying, Proceeding | say-refusal | Completed | 486 | -       | -    | 32000
other-server  | tcp | Trying, Proceeding | say-2xx | Completed  | 200   | -        | -    | 0
other-server  | tcp | Trying, Proceeding | say-refusal | Completed | 486 | -       | -    | 0
other-server  | any | Trying, Proceeding | resend, end | no timer |     |          |      |
other-server  | udp | Completed  | request        | Completed  | 200    | absorbed | -    | 32000
other-server  | tcp | Completed  | request        | Completed  | 200    | absorbed | -    | 0
other-server  | udp | Completed  | say-1xx, say-2xx, say-refusal | Completed | - | - | - | 32000
other-server  | tcp | Completed  | say-1xx, say-2xx, say-refusal | Completed | - | - | - | 0
other-server  | any | Completed  | resend         | no timer   |        |          |      |
other-server  | any | Completed  | end            | gone       | -      | -        | -    | -
";

/// All states and events of a machine: every pair must be in the table once.
const MACHINES: [(&str, &[&str], &[&str]); 4] = [
    (
        "invite-client",
        &["Trying", "Proceeding", "Completed", "Accepted"],
        &["1xx", "2xx", "refusal", "resend", "end", "lost"],
    ),
    (
        "other-client",
        &["Trying", "Proceeding", "Completed"],
        &["1xx", "2xx", "refusal", "resend", "end", "lost"],
    ),
    (
        "invite-server",
        &["Trying", "Proceeding", "Completed", "Confirmed", "Accepted"],
        &["say-1xx", "say-2xx", "say-refusal", "request", "ack", "resend", "end"],
    ),
    (
        "other-server",
        &["Trying", "Proceeding", "Completed"],
        &["say-1xx", "say-2xx", "say-refusal", "request", "resend", "end"],
    ),
];

fn at(wire: &str) -> Peer {
    let transport = if wire == "tcp" { Transport::Tcp } else { Transport::Udp };
    Peer::new(transport, ([127, 0, 0, 1], 5060).into())
}

fn request(method: Method) -> Request {
    let mut request = Request::new(method.clone(), Uri::sip("you", "127.0.0.1"));
    request.headers.push("Via", "SIP/2.0/UDP 127.0.0.1:6001;branch=z9hG4bKtable;rport");
    request.headers.push("From", "<sip:me@127.0.0.1>;tag=a");
    request.headers.push("To", "<sip:you@127.0.0.1>");
    request.headers.push("Call-ID", "c");
    request.headers.push("CSeq", format!("1 {method}"));
    request
}

fn response(method: &Method, status: u16) -> Response {
    let mut response = Response::to(&request(method.clone()), status);
    response.headers.set("To", "<sip:you@127.0.0.1>;tag=b");
    response
}

fn status_of(event: &str) -> u16 {
    match event.trim_start_matches("say-") {
        "1xx" => 180,
        "2xx" => 200,
        _ => 486,
    }
}

#[derive(Clone, Copy)]
enum Id {
    Client(ClientId),
    Server(ServerId),
}

/// One transaction in one state.
struct Bench {
    layer: Transactions,
    peer: Peer,
    method: Method,
    id: Id,
    now: Moment,
}

/// State, and when the timers that resend and end go off.
type Stands = Option<(String, Option<Moment>, Option<Moment>)>;

impl Bench {
    /// A transaction that has been brought into that state at one moment.
    fn new(machine: &str, wire: &str, state: &str) -> Self {
        let method = if machine.starts_with("invite") { Method::Invite } else { Method::Options };
        let (mut layer, peer, now) = (Transactions::new(), at(wire), Duration::from_secs(100));
        let id = if machine.ends_with("client") {
            Id::Client(layer.send(now, peer, request(method.clone())))
        } else {
            Id::Server(layer.open(peer, &request(method.clone())).unwrap())
        };
        let mut bench = Self { layer, peer, method, id, now };
        let client = machine.ends_with("client");
        let way: &[&str] = match (client, state) {
            (_, "Trying") => &[],
            (true, "Proceeding") => &["1xx"],
            (true, "Completed") if machine == "invite-client" => &["refusal"],
            (true, _) => &["2xx"],
            (false, "Proceeding") => &["say-1xx"],
            (false, "Completed") if machine == "invite-server" => &["say-refusal"],
            (false, "Confirmed") => &["say-refusal", "ack"],
            (false, _) => &["say-2xx"],
        };
        way.iter().for_each(|event| {
            bench.happen(event);
        });
        bench.drain();
        assert_eq!(bench.stands().unwrap().0, state, "{machine} over {wire}");
        bench
    }

    fn stands(&self) -> Stands {
        match self.id {
            Id::Client(id) => self.layer.client_stands(id),
            Id::Server(id) => self.layer.server_stands(id),
        }
    }

    /// Lets an event happen; what the layer says at once. `None`: that timer isn't set.
    fn happen(&mut self, event: &str) -> Option<&'static str> {
        let (now, peer) = (self.now, self.peer);
        match (event, self.id) {
            ("resend" | "end", _) => return self.fire(event),
            ("request", _) => {
                return Some(said(self.layer.receive_request(now, peer, &request(self.method.clone()))));
            }
            ("ack", _) => return Some(said(self.layer.receive_request(now, peer, &request(Method::Ack)))),
            ("lost", _) => self.layer.lose_flow(peer, true, "reset by the far end", true),
            (event, Id::Client(_)) => {
                self.layer.receive_response(now, peer, response(&self.method, status_of(event)));
            }
            (event, Id::Server(id)) => {
                let accepted = self.stands().is_some_and(|(state, ..)| state == "Accepted");
                if event == "say-2xx" && accepted {
                    self.layer.repeat_last(id);
                } else {
                    self.layer.respond(now, id, &response(&self.method, status_of(event)));
                }
            }
        }
        Some("-")
    }

    /// Lets that timer go off, and before it all that are due sooner; only what it does itself is looked at.
    fn fire(&mut self, which: &str) -> Option<&'static str> {
        loop {
            let (_, resend, end) = self.stands()?;
            let wanted = if which == "resend" { resend } else { end }?;
            let next = self.layer.next_wake()?;
            self.now = next;
            if next == wanted && (which == "end" || Some(next) != end) {
                self.drain();
                self.layer.wake(next);
                return Some("-");
            }
            self.layer.wake(next);
        }
    }

    /// What was sent and told since the last look.
    fn drain(&mut self) -> (Vec<String>, Vec<String>) {
        let sent = std::iter::from_fn(|| self.layer.poll_transmit()).map(|transmit| {
            assert_eq!(transmit.to, self.peer);
            match read_datagram(&transmit.bytes).unwrap() {
                Message::Request(request) => request.method.to_string(),
                Message::Response(response) => response.status.to_string(),
            }
        });
        let sent: Vec<String> = sent.collect();
        let told = std::iter::from_fn(|| self.layer.poll_news());
        (sent, told.map(|news| format!("{news:?}").split(' ').next().unwrap().to_owned()).collect())
    }
}

fn said(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::New => "new",
        Arrival::Absorbed => "absorbed",
        Arrival::Cancels(_) => "cancels",
        Arrival::Merged => "merged",
    }
}

/// The table's rows, each for one wire, state and event.
fn rows() -> BTreeMap<[String; 4], [String; 5]> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.contains('|')) {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        let [machine, wire, states, events, outcome @ ..] = &cells[..] else { panic!("{line}") };
        let wires: &[&str] = if wire == "any" { &["udp", "tcp"] } else { &[wire] };
        let outcome: [String; 5] = outcome.to_vec().try_into().unwrap();
        for wire in wires {
            for state in states.split(", ") {
                for event in events.split(", ") {
                    let key = [machine, *wire, state, event].map(str::to_owned);
                    assert!(rows.insert(key, outcome.clone()).is_none(), "twice: {line}");
                }
            }
        }
    }
    rows
}

#[test]
fn no_transition_is_missing_from_the_table() {
    let rows = rows();
    let mut wanted = Vec::new();
    for (machine, states, events) in MACHINES {
        for wire in ["udp", "tcp"] {
            for state in states {
                // A datagram has no connection to lose.
                let events = events.iter().filter(|event| **event != "lost" || wire == "tcp");
                wanted.extend(events.map(|event| [machine, wire, state, event].map(str::to_owned)));
            }
        }
    }
    let missing: Vec<_> = wanted.iter().filter(|key| !rows.contains_key(*key)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unknown: Vec<_> = rows.keys().filter(|key| !wanted.contains(key)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}

#[test]
fn every_transition_is_as_the_table_says() {
    let dash = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { words.join(" ") };
    let mut wrong = Vec::new();
    for ([machine, wire, state, event], [next, sends, tells, resend, end]) in rows() {
        let mut bench = Bench::new(&machine, &wire, &state);
        let said = bench.happen(&event);
        let why = format!("{machine} over {wire} in {state} at {event}");
        if next == "no timer" {
            assert_eq!(said, None, "{why}");
            continue;
        }
        let said = said.unwrap_or_else(|| panic!("{why}: no such timer"));
        let (sent, told) = bench.drain();
        let told = if said == "-" { dash(told) } else { said.to_owned() };
        let left = |timer: Option<Moment>| {
            timer.map_or("-".to_owned(), |at| at.saturating_sub(bench.now).as_millis().to_string())
        };
        let found = match bench.stands() {
            Some((state, resend, end)) => [state, dash(sent), told, left(resend), left(end)],
            None => ["gone".to_owned(), dash(sent), told, "-".to_owned(), "-".to_owned()],
        };
        if found != [next, sends, tells, resend, end] {
            wrong.push(format!("{why}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
