//! Who is where: the whole board in sentences, on request, and how one call or slot is told.

use super::spoken::{count, list, wait};
use crate::console::words::{self, seconds};
use crate::desk::{Call, Desk, Phase, Registration, Slot, StaffLamp};
use crate::parking::{Identity, Lamp, Strength};

/// The most slots that are named one by one where they have nothing to tell but a state.
const SLOTS_NAMED: usize = 12;

/// The whole board, the most pressing first.
pub(super) fn who(desk: &Desk) -> Vec<String> {
    let mut said = Vec::new();
    let ringing = desk.calls.iter().filter(|call| call.phase == Phase::Ringing);
    let others = desk.calls.iter().filter(|call| call.phase != Phase::Ringing);
    said.extend(ringing.chain(others).map(|call| of_call(desk, call)));
    if desk.calls.is_empty() {
        said.push("no calls".to_owned());
    }
    let occupied: Vec<&Slot> = desk.slots.iter().filter(|slot| slot.holds_somebody()).collect();
    said.extend(occupied.iter().map(|slot| of_slot(desk, slot)));
    if occupied.is_empty() && !desk.slots.is_empty() {
        said.push("nobody is parked".to_owned());
    }
    said.extend(empty_slots(desk));
    said.extend(staff(desk));
    said.extend(accounts(desk));
    said.extend(presence(desk));
    said
}

/// A name, and the number where it says more.
pub(super) fn named(desk: &Desk, party: &Identity) -> String {
    let label = desk.label(party);
    match party.number.as_str() {
        _ if party.is_withheld() => "somebody who withholds the number".to_owned(),
        "" => label.to_owned(),
        number if number == label => label.to_owned(),
        number => format!("{label}, {number}"),
    }
}

/// A name alone.
pub(super) fn called<'d>(desk: &'d Desk, party: &'d Identity) -> &'d str {
    if party.is_withheld() { "somebody" } else { desk.label(party) }
}

/// `Call 3: Jane Doe, 0161 …, on hold for two minutes; in hand`.
fn of_call(desk: &Desk, call: &Call) -> String {
    let mut parts = vec![format!("call {}: {}", call.id.0, named(desk, &call.party))];
    let since = if call.phase == Phase::Ringing { call.waiting_since } else { call.since };
    parts.push(format!("{} for {}", doing(call), wait(seconds(desk.now, since))));
    if let Some(back) = &call.comeback {
        let from = back.slot.as_ref().map_or_else(|| "a slot".to_owned(), ToString::to_string);
        parts.push(format!("back from {from} after {}", wait(back.waited_s.into())));
    }
    if desk.in_hand == Some(call.id) {
        parts.push("in hand".to_owned());
    }
    if call.strength == Some(Strength::Unverified) {
        parts.push("nobody has verified who this is".to_owned());
    }
    if let Some(line) = desk.line(call.line).filter(|_| desk.lines.len() > 1) {
        parts.push(format!("on {}", line.account.called()));
    }
    if call.recording.is_some() {
        parts.push("recorded".to_owned());
    }
    if !call.note.is_empty() {
        parts.push(format!("note: {}", call.note));
    }
    if !call.remark.is_empty() {
        parts.push(call.remark.to_string());
    }
    parts.join(", ")
}

/// What a call does, to be followed by for how long.
pub(super) fn doing(call: &Call) -> &'static str {
    match &call.phase {
        Phase::Ringing => "ringing",
        Phase::Answering => "being answered",
        Phase::Dialling => "being dialled",
        Phase::RingingThere => "ringing there",
        Phase::Retrieving { .. } => "being fetched",
        Phase::Verifying { .. } => "being checked, microphone closed,",
        Phase::PuttingBack { .. } => "going back into the slot, microphone closed,",
        Phase::Talking if call.waits_for_key() => "heard here with the microphone closed",
        Phase::Talking => "talking",
        Phase::Holding => "going on hold",
        Phase::Held => "on hold",
        Phase::Resuming => "coming off hold",
        Phase::Parking { .. } => "being parked",
        Phase::Transferring { .. } => "being handed over",
    }
}

/// `701: Jane Doe, parked for one minute by Ann, note: for Sam, comes back in forty seconds`.
pub(super) fn of_slot(desk: &Desk, slot: &Slot) -> String {
    let place = desk.place(&slot.key());
    let Some(parked) = &slot.parked else { return format!("{place}: somebody is parked") };
    let who = match parked.parkee.is_withheld() {
        true => "somebody".to_owned(),
        false => desk.label(&parked.parkee).to_owned(),
    };
    let least = if parked.since_inferred { "at least " } else { "" };
    let state = if slot.lamp == Lamp::RingingBack { "ringing back, parked" } else { "parked" };
    let waited = wait(seconds(desk.now, parked.since));
    let mut parts = vec![format!("{place}: {who}"), format!("{state} for {least}{waited}")];
    if !parked.parker.is_withheld() && !parked.ours {
        parts.push(format!("by {}", desk.label(&parked.parker)));
    }
    if slot.remembered {
        parts.push("as remembered, it may be somebody else by now".to_owned());
    }
    if !parked.note.is_empty() {
        parts.push(format!("note: {}", parked.note));
    }
    if let Some(claim) = slot.claimed(desk.now) {
        parts.push(format!("{} is fetching this call", claim.by));
    }
    if let Some((left_s, inferred)) = words::countdown(desk, slot) {
        let about = if inferred { "about " } else { "" };
        parts.push(format!("comes back in {about}{}", wait(left_s)));
    }
    parts.push(parked.strength.word().to_owned());
    parts.join(", ")
}

/// The slots where nobody is, by what is known of them.
fn empty_slots(desk: &Desk) -> Vec<String> {
    let of = |is: fn(&Lamp) -> bool| -> Vec<String> {
        desk.slots.iter().filter(|slot| is(&slot.lamp)).map(|slot| desk.place(&slot.key())).collect()
    };
    let states = [
        ("free", of(|lamp| matches!(lamp, Lamp::Free))),
        ("not told of yet", of(|lamp| matches!(lamp, Lamp::Unknown))),
        ("stale: the server has fallen silent", of(|lamp| matches!(lamp, Lamp::Stale { .. }))),
        ("refused by the server", of(|lamp| matches!(lamp, Lamp::Refused { .. }))),
    ];
    states.iter().filter(|(_, slots)| !slots.is_empty()).map(|(state, slots)| many(slots, state)).collect()
}

/// `Seven slots are free: 702, 703 …`.
pub(super) fn many(slots: &[String], state: &str) -> String {
    let verb = if slots.len() == 1 { "is" } else { "are" };
    let said = count(slots.len(), "slot", "slots");
    match slots.len() {
        1..=SLOTS_NAMED => format!("{said} {verb} {state}: {}", list(slots, "and")),
        _ => format!("{said} {verb} {state}"),
    }
}

fn staff(desk: &Desk) -> Option<String> {
    let one = |one: &crate::desk::Colleague| match &one.lamp {
        StaffLamp::Ringing if !one.caller.is_withheld() => {
            format!("{} is rung by {}", one.who.label(), desk.label(&one.caller))
        }
        lamp => format!("{} is {}", one.who.label(), lamp.word()),
    };
    let all: Vec<String> = desk.staff.iter().map(one).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

fn accounts(desk: &Desk) -> Vec<String> {
    let of = |line: &crate::desk::Line| {
        let account = &line.account;
        let state = match &account.registration {
            Registration::Trying => "registering".to_owned(),
            Registration::Registered if account.round_trip_ms.is_some() => {
                "registered and reachable".to_owned()
            }
            Registration::Registered => "registered, but the server does not answer now".to_owned(),
            Registration::Failed { reason, .. } => format!("not registered: {reason}"),
        };
        let messages = match account.messages.filter(|messages| messages.has_news()) {
            Some(messages) => match messages.new {
                Some(new) => {
                    format!(", {}", count(usize::try_from(new).unwrap_or(0), "new message", "new messages"))
                }
                None => ", messages wait".to_owned(),
            },
            None => String::new(),
        };
        format!("{}: {state}{messages}", account.called())
    };
    desk.lines.iter().map(of).collect()
}

fn presence(desk: &Desk) -> Vec<String> {
    let mut said = Vec::new();
    if desk.presence.do_not_disturb {
        said.push("do not disturb is on".to_owned());
    }
    if desk.presence.night {
        said.push(format!("it is night: new callers go to {}", desk.routes.night));
    }
    if desk.sound.muted {
        said.push("the microphone is muted".to_owned());
    }
    said
}
