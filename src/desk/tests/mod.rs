//! The desk's promises, as sentences: nobody lost, nobody joined, the call that was seen. Here is the bench that they
//! share: who there is, and how a call gets to the desk.

mod comebacks;
mod escalation;
mod keys;
mod line;
mod lots;
mod manager_told;
mod memory;
mod parks;
mod random;
mod retrieves;
mod team;
mod tell;

use super::*;
use crate::parking::{Lamp, Strength, Text};
use std::time::Duration;

fn at(ms: u64) -> Moment {
    Duration::from_millis(ms)
}

fn slot(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

/// The slot on the first line.
fn key(id: &str) -> SlotKey {
    SlotKey { line: LineId(0), id: slot(id) }
}

fn jane() -> Identity {
    Identity::new("Jane Doe", "01614960100")
}

fn bob() -> Identity {
    Identity::new("Bob Roe", "07700900123")
}

/// Who arrives, when nothing else is told of him.
fn arrival(call: CallId, party: Identity) -> CallArrival {
    let (called, note) = (Text::default(), Text::default());
    CallArrival { call, party, called, comeback: None, referred_by_us: false, note }
}

/// A registered desk on that line, all its lamps free.
fn desk_on(line: NewLine) -> Desk {
    let slots: Vec<SlotId> = line.lots.iter().flat_map(|lot| lot.slots.clone()).collect();
    let mut desk = Desk::with_lines([line]);
    desk.learn(at(0), Event::Registered);
    for id in slots {
        lamp(&mut desk, 1, id.as_str(), Lamp::Free);
    }
    desk
}

/// The line of an ordinary desk: slots 701–703 on a server that verifies and names nobody.
fn ordinary() -> NewLine {
    NewLine { label: "reception@pbx".into(), lots: vec![front()], ..NewLine::default() }
}

/// Its lot.
fn front() -> NewLot {
    NewLot {
        name: "front".into(),
        slots: ["701", "702", "703"].map(slot).to_vec(),
        abilities: Abilities { strength: Strength::Verified, ..Abilities::default() },
        ..NewLot::default()
    }
}

/// A registered desk with that line, all lamps free.
fn desk() -> Desk {
    desk_on(ordinary())
}

fn lamp(desk: &mut Desk, ms: u64, id: &str, lamp: Lamp) -> Vec<Effect> {
    desk.learn(
        at(ms),
        Event::LampChanged { slot: slot(id), report: LampReport { lamp, ..LampReport::default() } },
    )
}

fn ring(desk: &mut Desk, ms: u64, party: Identity) -> CallId {
    let call = desk.new_call_id();
    desk.learn(at(ms), Event::CallArrived(arrival(call, party)));
    call
}

/// Jane has rung, was answered and talks.
fn talking(desk: &mut Desk, ms: u64, party: Identity) -> CallId {
    let call = ring(desk, ms, party);
    assert!(desk.obey(at(ms), Command::Take(call)).contains(&Effect::Answer(call)));
    desk.learn(at(ms), Event::CallAnswered { call });
    call
}

fn park_jane(desk: &mut Desk) -> CallId {
    let call = talking(desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    lamp(desk, 1002, "701", Lamp::Parked);
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("701")) });
    call
}

fn last_words(desk: &Desk) -> String {
    desk.notices.back().map(|n| n.text.to_string()).unwrap_or_default()
}
