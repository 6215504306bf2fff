//! What is said over the socket, and what a hostile or careless program gets.

use super::protocol::{Reply, Request, Verb, dialable};
use super::{Server, View};
use crate::desk::{
    Abilities, CallArrival, Command, Desk, Event, LampReport, LineId, LotId, LotKey, NewLine, NewLot, Phase,
    Wish,
};
use crate::parking::{Identity, Lamp, SlotId, Text};
use serde_json::json;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

fn desk() -> Desk {
    let slots = ["701", "702"].map(|id| SlotId::new(id).unwrap()).to_vec();
    let mut desk = Desk::new("reception@pbx", "front", slots, Abilities::default());
    let now = Duration::from_secs(5);
    desk.learn(now, Event::Registered);
    for slot in ["701", "702"] {
        let report = LampReport { lamp: Lamp::Free, ..LampReport::default() };
        desk.learn(now, Event::LampChanged { slot: SlotId::new(slot).unwrap(), report });
    }
    for name in ["Jane Doe", "Bob Roe"] {
        let call = desk.new_call_id();
        desk.learn(
            now,
            Event::CallArrived(CallArrival {
                call,
                party: Identity::new(name, &format!("0161496010{}", call.0)),
                called: "100".into(),
                comeback: None,
                referred_by_us: false,
                note: Text::default(),
            }),
        );
    }
    desk
}

fn verb(text: &str) -> Verb {
    serde_json::from_str::<Request>(text).unwrap().verb
}

#[test]
fn every_example_of_the_description_is_understood() {
    let description = include_str!("../../../assets/control.md");
    let requests: Vec<&str> = description.lines().filter(|line| line.starts_with("{\"do\"")).collect();
    assert!(requests.len() >= 18, "{}", requests.len());
    for request in requests {
        let read: Request =
            serde_json::from_str(request).unwrap_or_else(|error| panic!("{request}: {error}"));
        assert_eq!(serde_json::from_str::<Request>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }
}

#[test]
fn what_can_be_asked_for_is_what_the_table_of_commands_says_and_is_described() {
    let description = include_str!("../../../assets/control.md");
    let described: std::collections::BTreeSet<&str> = description
        .lines()
        .filter_map(|line| line.strip_prefix("{\"do\":\"")?.split('"').next())
        // These ask, or show a number: nothing is done to a call.
        .filter(|name| !["status", "watch", "offer"].contains(name))
        .collect();
    let table = crate::console::command_table().iter().flat_map(|row| row.outside.iter().copied());
    assert_eq!(table.collect::<std::collections::BTreeSet<_>>(), described);
    let unknown = serde_json::from_str::<Request>("{\"do\":\"x\"}").unwrap_err().to_string();
    for name in described.iter().chain(&["status", "watch", "offer"]) {
        assert!(unknown.contains(&format!("`{name}`")), "{name} is not understood: {unknown}");
    }
    assert_eq!(unknown.matches("`, `").count() + 1, described.len() + 3, "{unknown}");
}

#[test]
fn a_command_is_about_the_call_it_names_and_the_hand_stays_where_it_is() {
    let mut desk = desk();
    let now = Duration::from_secs(6);
    let (jane, bob) = (desk.calls[0].id, desk.calls[1].id);
    desk.obey(now, Command::Take(jane));
    desk.learn(now, Event::CallAnswered { call: jane });
    for command in verb(&format!(r#"{{"do":"hang_up","call":{}}}"#, bob.0)).commands(&desk).unwrap() {
        desk.obey(now, command);
    }
    assert_eq!((desk.calls.len(), desk.in_hand), (1, Some(jane)));
    let gone = verb(r#"{"do":"hang_up","call":99}"#).commands(&desk).unwrap_err();
    assert_eq!(gone, "there is no call 99");
    let park = verb(&format!(r#"{{"do":"park","call":{},"slot":"702"}}"#, jane.0)).commands(&desk).unwrap();
    assert!(
        matches!(&park[..], [Command::For { call, wish: Wish::Park(Some(slot)) }] if *call == jane && slot.id.as_str() == "702")
    );
    desk.obey(now, Command::For { call: jane, wish: Wish::Park(None) });
    assert!(matches!(desk.call(jane).unwrap().phase, Phase::Parking { .. }));
    let empty = verb(r#"{"do":"retrieve","slot":"701"}"#).commands(&desk).unwrap_err();
    assert_eq!(empty, "nobody is parked on 701", "its key would park whoever is in hand");
}

#[test]
fn a_park_may_name_a_lot_of_the_calls_own_server() {
    let lot = |name: &str, slot: &str| NewLot {
        name: name.into(),
        slots: SlotId::new(slot).into_iter().collect(),
        ..NewLot::default()
    };
    let mut desk = Desk::with_lines([
        NewLine { lots: vec![lot("front", "701"), lot("Sales", "751")], ..NewLine::default() },
        NewLine { lots: vec![lot("yard", "701")], ..NewLine::default() },
    ]);
    let call = desk.new_call_id();
    let arrival = CallArrival {
        call,
        party: Identity::new("Jane Doe", "0161"),
        called: Text::default(),
        comeback: None,
        referred_by_us: false,
        note: Text::default(),
    };
    desk.learn(Duration::from_secs(5), Event::CallArrived(arrival));
    let park = |more: &str| verb(&format!(r#"{{"do":"park","call":{},{more}}}"#, call.0)).commands(&desk);
    let wished = Command::For { call, wish: Wish::ParkIn(LotKey { line: LineId(0), lot: LotId(1) }) };
    assert_eq!(park(r#""lot":"sales""#), Ok(vec![wished]));
    assert_eq!(park(r#""lot":"yard""#), Err("this call's server has no lot “yard”".to_owned()));
    assert!(park(r#""lot":"sales","slot":"751""#).unwrap_err().contains("the slot or the lot"));
    let view = View::of(&desk);
    assert_eq!(
        view.slots.iter().map(|slot| slot.lot.as_str()).collect::<Vec<_>>(),
        ["front", "Sales", "yard"]
    );
}

#[test]
fn a_link_dials_nobody_and_carries_nothing_but_a_number() {
    for (link, number) in [
        ("tel:+44-161-496-0100;ext=5", "+441614960100"),
        ("TEL:%2B44%20161", "+44161"),
        ("callto://0161 496", "0161496"),
        ("sip:101@pbx?Replaces=x", "sip:101@pbx"),
        ("0161 (496) 0100", "01614960100"),
        ("*97", "*97"),
    ] {
        assert_eq!(dialable(link).unwrap(), number, "{link}");
    }
    for bad in ["javascript:alert(1)", "tel:", "tel:a;b c/../x\n", "sip:a b", "http://x", "\u{1b}[2J"] {
        assert!(dialable(bad).is_err() || !dialable(bad).unwrap().contains(['\n', '\u{1b}', '/']), "{bad}");
    }
    let mut desk = desk();
    let calls = desk.calls.len();
    desk.obey(Duration::from_secs(6), Command::Offer { to: "101".into() });
    assert_eq!((desk.calls.len(), desk.offer.nth), (calls, 1));
}

#[tokio::test(flavor = "current_thread")]
async fn the_socket_answers_watches_and_bounds_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run").join("control.sock");
    let mut server = Server::open(&path).await.unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = Server::open(&path).await;
    assert!(
        again.is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse),
        "one console, one socket"
    );
    let mut desk = desk();
    let mut client = BufReader::new(UnixStream::connect(&path).await.unwrap());
    client
        .get_mut()
        .write_all(b"{\"id\":\"a\",\"do\":\"status\"}\n\nnonsense\n{\"do\":\"watch\"}\n")
        .await
        .unwrap();
    let asked = server.next().await;
    let id = asked.request.as_ref().unwrap().id.clone();
    server.answer(&asked, &Reply { id, ok: true, status: Some(View::of(&desk)), ..Reply::default() });
    let mut line = String::new();
    client.read_line(&mut line).await.unwrap();
    let reply: Reply = serde_json::from_str(&line).unwrap();
    assert_eq!(reply.id, Some(json!("a")));
    assert_eq!(reply.status.unwrap().calls[0].label, "Jane Doe");
    assert!(server.next().await.request.is_err(), "nonsense is answered, not obeyed");
    let asked = server.next().await;
    server.watch(&asked, View::of(&desk));
    desk.obey(Duration::from_secs(9), Command::For { call: desk.calls[0].id, wish: Wish::HangUp });
    server.show(View::of(&desk));
    line.clear();
    client.read_line(&mut line).await.unwrap();
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((&event["event"], &event["call"]["label"]), (&json!("gone"), &json!("Jane Doe")));
    // A line without an end is refused and its sender dropped.
    client.get_mut().write_all(&vec![b'x'; 64 * 1024]).await.unwrap();
    assert!(server.next().await.request.unwrap_err().contains("at most"));
    drop(server);
    assert!(!path.exists(), "the socket goes with its console");
}
