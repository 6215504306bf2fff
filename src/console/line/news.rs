//! What is new on the board, one sentence for each event. Found by comparing the desk with the one that was last heard
//! of, so that nothing is said twice and nothing depends on which event brought it.

use super::remind::Reminders;
use super::spoken::wait;
use super::who::{self, called, many, named};
use crate::desk::{Call, CallId, Desk, Direction, Notice, Phase, Registration, Slot, SlotKey};
use crate::parking::{Lamp, Moment, Strength};
use std::collections::BTreeSet;
use std::time::Duration;

/// Lamps that are told one after another are told in one sentence once this long none came.
const LAMPS_SETTLE: Duration = Duration::from_millis(400);
/// But no later than this after the first.
const LAMPS_LATEST: Duration = Duration::from_millis(1_500);

/// What was heard of the board, and what of it is still to be said.
#[derive(Clone, Debug, Default)]
pub(super) struct News {
    /// The board as it was when it was last spoken of.
    seen: Option<Desk>,
    /// Slots whose lamp has changed to something that nobody need hear at once.
    lamps: BTreeSet<SlotKey>,
    lamps_since: Moment,
    lamps_newest: Moment,
    reminders: Reminders,
}

impl News {
    /// What is new. Say it in this order.
    pub(super) fn hear(&mut self, desk: &Desk) -> Vec<String> {
        let mut said = Vec::new();
        match self.seen.take() {
            None => said.extend(beginning(desk)),
            Some(seen) => {
                let notices = new_notices(&seen, desk);
                let heard: Vec<&str> = notices.iter().map(|notice| notice.text.as_str()).collect();
                said.extend(calls(&seen, desk, &heard));
                said.extend(heard.iter().map(|text| (*text).to_owned()));
                self.slots(&seen, desk, &heard, &mut said);
                said.extend(accounts(&seen, desk, &heard));
                said.extend(sound(&seen, desk));
            }
        }
        said.extend(self.settled_lamps(desk));
        said.extend(self.reminders.due(desk));
        self.seen = Some(desk.clone());
        said
    }

    /// How long nothing need be asked of it if nothing happens.
    pub(super) fn patience(&self, desk: &Desk) -> Duration {
        let second = crate::console::next_change(desk);
        if self.lamps.is_empty() { second } else { second.min(LAMPS_SETTLE) }
    }

    fn slots(&mut self, seen: &Desk, desk: &Desk, heard: &[&str], said: &mut Vec<String>) {
        for slot in &desk.slots {
            let key = slot.key();
            let Some(before) = seen.slot(&key) else { continue };
            let place = desk.place(&key);
            let told = heard.iter().any(|text| mentions(text, &place));
            match (&before.lamp, &slot.lamp) {
                (before_lamp, Lamp::Parked | Lamp::RingingBack) => {
                    let news = of_occupied(desk, before, slot, before_lamp);
                    said.extend(news.filter(|_| !told));
                    self.lamps.remove(&key);
                }
                (Lamp::Parked | Lamp::RingingBack, Lamp::Free) if told || fetched_here(seen, desk, &key) => {}
                (was, is) if same_kind(was, is) => {}
                _ => self.pool(desk.now, key),
            }
            if let Some(claim) = slot.claimed(desk.now).filter(|_| before.claimed(seen.now).is_none()) {
                said.push(format!("{} is fetching {}", claim.by, occupant(desk, slot)));
            }
        }
    }

    fn pool(&mut self, now: Moment, key: SlotKey) {
        if self.lamps.is_empty() {
            self.lamps_since = now;
        }
        self.lamps_newest = now;
        self.lamps.insert(key);
    }

    /// The lamps that have come to rest, in as few sentences as there are states.
    fn settled_lamps(&mut self, desk: &Desk) -> Vec<String> {
        let rests = desk.now.saturating_sub(self.lamps_newest) >= LAMPS_SETTLE;
        let latest = desk.now.saturating_sub(self.lamps_since) >= LAMPS_LATEST;
        if self.lamps.is_empty() || !(rests || latest) {
            return Vec::new();
        }
        let lamps = std::mem::take(&mut self.lamps);
        let of = |is: fn(&Lamp) -> bool| -> Vec<String> {
            let slots = lamps.iter().filter_map(|key| desk.slot(key)).filter(|slot| is(&slot.lamp));
            slots.map(|slot| desk.place(&slot.key())).collect()
        };
        let mut said = Vec::new();
        for (state, slots) in [
            ("free", of(|lamp| matches!(lamp, Lamp::Free))),
            ("stale, their lamps can't be trusted", of(|lamp| matches!(lamp, Lamp::Stale { .. }))),
            ("unknown", of(|lamp| matches!(lamp, Lamp::Unknown))),
            ("refused by the server", of(|lamp| matches!(lamp, Lamp::Refused { .. }))),
        ] {
            match slots.as_slice() {
                [] => {}
                [only] => said.push(format!("{only} is {}", state.split(',').next().unwrap_or(state))),
                several => said.push(many(several, state)),
            }
        }
        said
    }
}

/// How a session begins.
fn beginning(desk: &Desk) -> Vec<String> {
    let mut said =
        vec!["this is parkdeck in line mode. help names all commands, who tells who is where".to_owned()];
    said.extend(desk.notices.iter().map(|notice| notice.text.to_string()));
    said.extend(desk.calls.iter().map(|call| arrived(desk, call)));
    said
}

/// The notices that were added since, the oldest first.
fn new_notices(seen: &Desk, desk: &Desk) -> Vec<Notice> {
    let newest = seen.notices.back();
    let fresh = desk.notices.iter().rev().take_while(|notice| Some(*notice) != newest);
    let mut fresh: Vec<Notice> = fresh.cloned().collect();
    fresh.reverse();
    // One that was mended has only changed its weight: its words were said.
    fresh.retain(|notice| {
        !seen.notices.iter().any(|known| known.at == notice.at && known.text == notice.text)
    });
    fresh
}

/// Whether a sentence speaks of this name or number as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    let edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(name).any(|(at, found)| {
        !found.is_empty()
            && edge(text[..at].chars().next_back())
            && edge(text[at + found.len()..].chars().next())
    })
}

fn calls(seen: &Desk, desk: &Desk, heard: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    for call in &desk.calls {
        match seen.call(call.id) {
            None => said.push(arrived(desk, call)),
            Some(before) => said.extend(changed(seen, desk, before, call, heard)),
        }
    }
    for before in &seen.calls {
        if desk.call(before.id).is_none() {
            let who = called(desk, &before.party);
            let told = heard.iter().any(|text| mentions(text, who) || *text == "hung up");
            let gone = matches!(before.phase, Phase::Parking { .. } | Phase::Transferring { .. });
            if !told && !gone {
                said.push(format!("the call with {who} is over"));
            }
        }
    }
    if seen.in_hand != desk.in_hand
        && let Some(hand) =
            desk.hand().filter(|hand| seen.call(hand.id).is_some_and(|b| b.phase == hand.phase))
    {
        said.push(format!(
            "in hand: call {}, {}, {}",
            hand.id.0,
            called(desk, &hand.party),
            who::doing(hand)
        ));
    }
    said
}

/// A call that has come onto the board.
fn arrived(desk: &Desk, call: &Call) -> String {
    let id = call.id.0;
    match (&call.phase, &call.comeback) {
        (Phase::Ringing, Some(back)) => {
            let from = back.slot.as_ref().map_or_else(|| "a slot".to_owned(), ToString::to_string);
            let waited = wait(back.waited_s.into());
            format!(
                "call {id} is back from {from}: {}, who waited {waited}{}",
                named(desk, &call.party),
                note(call)
            )
        }
        (Phase::Ringing, None) => {
            let line = desk.line(call.line).filter(|_| desk.lines.len() > 1);
            let line = line.map(|line| format!(", on {}", line.account.called())).unwrap_or_default();
            let about = desk.known(&call.party).map(|known| known.about.to_string()).unwrap_or_default();
            let about = if about.is_empty() { about } else { format!(", {about}") };
            let remark = if call.remark.is_empty() { String::new() } else { format!(", {}", call.remark) };
            format!("call {id} rings: {}{about}{line}{remark}{}", named(desk, &call.party), note(call))
        }
        (Phase::Retrieving { target }, _) => {
            format!("call {id}: fetching {} from {}", called(desk, &target.seen.parkee), target.slot)
        }
        _ if call.direction == Direction::Outbound => {
            format!("call {id}: calling {}", named(desk, &call.party))
        }
        _ => format!("call {id}: {}, {}", named(desk, &call.party), who::doing(call)),
    }
}

fn note(call: &Call) -> String {
    if call.note.is_empty() { String::new() } else { format!(", note: {}", call.note) }
}

/// What has changed of a call that was there before.
fn changed(seen: &Desk, desk: &Desk, before: &Call, call: &Call, heard: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    let who = called(desk, &call.party);
    if before.phase != call.phase || before.returned != call.returned {
        said.extend(phase(desk, before, call).filter(|_| !heard.iter().any(|text| mentions(text, who))));
    }
    if before.phase == Phase::Ringing
        && call.phase == Phase::Ringing
        && before.comeback.is_none()
        && call.comeback.is_some()
    {
        said.push(arrived(desk, call));
    }
    if !before.party.agrees_with(&call.party) && before.party != call.party && call.phase != Phase::Ringing {
        said.push(format!("call {} is now with {}", call.id.0, named(desk, &call.party)));
    } else if called(seen, &before.party) != who && call.phase == Phase::Ringing {
        said.push(format!("call {} is {}", call.id.0, named(desk, &call.party)));
    }
    if before.note != call.note {
        said.push(match call.note.is_empty() {
            true => format!("{who} has no note any more"),
            false => format!("note of {who}: {}", call.note),
        });
    }
    let on = |call: &Call| call.recording.is_some();
    if on(before) != on(call) && on(call) {
        said.push(format!("{who} is being recorded"));
    }
    if before.security != call.security
        && let Some(words) = crate::console::words::security_phrase(call)
    {
        said.push(format!("{who}: {}", words.trim_start_matches("⚿ ")));
    }
    said
}

/// The new phase in a sentence; nothing where the next one follows at once.
fn phase(desk: &Desk, before: &Call, call: &Call) -> Option<String> {
    let who = called(desk, &call.party);
    Some(match &call.phase {
        Phase::Ringing | Phase::Answering | Phase::Dialling | Phase::Resuming | Phase::Holding => {
            return None;
        }
        Phase::RingingThere => format!("it rings at {who}"),
        Phase::Retrieving { target } => format!("fetching {who} from {}", target.slot),
        Phase::Verifying { .. } => {
            "the server answers; it is being checked who this is, the microphone is closed".to_owned()
        }
        Phase::PuttingBack { slot } => {
            format!("this is somebody else: going back into {slot}, the microphone is closed")
        }
        Phase::Talking if call.waits_for_key() => {
            format!("{who} is back with you, heard, and does not hear you: answer speaks")
        }
        Phase::Talking if matches!(before.phase, Phase::Parking { .. } | Phase::Transferring { .. }) => {
            format!("{who} is with you again")
        }
        Phase::Talking if matches!(before.phase, Phase::Resuming) => format!("talking to {who} again"),
        Phase::Talking => match call.strength {
            Some(strength @ (Strength::Exact | Strength::Verified)) => {
                format!("talking to {who}, {}", strength.word())
            }
            Some(Strength::Unverified) => format!("talking to {who}, unverified: ask who it is"),
            None => format!("talking to {who}"),
        },
        Phase::Held => format!("{who} is on hold"),
        Phase::Parking { slot: Some(slot), .. } => format!("parking {who} on {slot}"),
        Phase::Parking { slot: None, .. } => format!("parking {who}"),
        Phase::Transferring { to, .. } => format!("handing {who} over to {to}"),
    })
}

/// Who is in a slot, for the middle of a sentence.
fn occupant(desk: &Desk, slot: &Slot) -> String {
    let who = slot.parked.as_ref().map_or("somebody", |parked| called(desk, &parked.parkee));
    format!("{who} from {}", desk.place(&slot.key()))
}

/// A slot in which somebody is now.
fn of_occupied(desk: &Desk, before: &Slot, slot: &Slot, was: &Lamp) -> Option<String> {
    let place = desk.place(&slot.key());
    let parked = slot.parked.as_ref();
    let who = parked.map_or("somebody", |parked| called(desk, &parked.parkee));
    let known_before = before.parked.as_ref().map(|parked| called(desk, &parked.parkee).to_owned());
    let ours = parked.is_some_and(|parked| parked.ours) || before.asking.is_some();
    match (was, &slot.lamp) {
        // The call itself says that it is back; and the sentence of our own park comes with its proof.
        (Lamp::Parked, Lamp::RingingBack) if ours => None,
        (Lamp::Parked | Lamp::RingingBack, Lamp::RingingBack) if was != &slot.lamp => {
            Some(format!("{who} on {place} rings back"))
        }
        (Lamp::Parked | Lamp::RingingBack, _) => {
            let named = known_before.is_some_and(|before| before != who) && who != "somebody";
            named.then(|| format!("on {place} is {who}"))
        }
        _ if ours => None,
        _ => Some(who::of_slot(desk, slot)),
    }
}

/// Whether somebody left a slot because we fetched him.
fn fetched_here(seen: &Desk, desk: &Desk, key: &SlotKey) -> bool {
    let asks = seen.slot(key).is_some_and(|slot| slot.asking.is_some());
    let fetching = |call: &Call| {
        let target = match &call.phase {
            Phase::Retrieving { target } | Phase::Verifying { target, .. } => Some(target),
            _ => None,
        };
        call.line == key.line && target.is_some_and(|target| target.slot == key.id)
    };
    let by_us = |call: CallId| desk.call(call).or_else(|| seen.call(call)).is_some_and(fetching);
    asks || seen.calls.iter().chain(&desk.calls).any(|call| by_us(call.id) || fetching(call))
        || desk.calls.iter().any(|call| came_back_from(call, key))
}

fn came_back_from(call: &Call, key: &SlotKey) -> bool {
    call.line == key.line && call.comeback.as_ref().is_some_and(|back| back.slot.as_ref() == Some(&key.id))
}

fn same_kind(a: &Lamp, b: &Lamp) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn accounts(seen: &Desk, desk: &Desk, heard: &[&str]) -> Vec<String> {
    let mut said = Vec::new();
    let told = |words: &str| heard.iter().any(|text| text.contains(words));
    for (before, line) in seen.lines.iter().zip(&desk.lines) {
        let (was, is) = (&before.account, &line.account);
        let name = is.called();
        match (&was.registration, &is.registration) {
            (Registration::Registered, Registration::Registered) => {}
            (_, Registration::Registered) if !told("registered") => {
                said.push(format!("{name} is registered"))
            }
            (Registration::Failed { reason: before, .. }, Registration::Failed { reason, .. })
                if before == reason => {}
            (_, Registration::Failed { reason, .. }) if !told(reason.as_str()) => {
                said.push(format!("{name} is not registered: {reason}"));
            }
            _ => {}
        }
        let reached = |account: &crate::desk::Account| account.round_trip_ms.is_some();
        if reached(was) && !reached(is) && heard.is_empty() && is.registration == Registration::Registered {
            said.push(format!("{name}: the server does not answer"));
        }
        let waits =
            |account: &crate::desk::Account| account.messages.is_some_and(|messages| messages.has_news());
        if waits(is) && !waits(was) {
            said.push(format!("messages wait in the mailbox of {name}"));
        }
    }
    said
}

fn sound(seen: &Desk, desk: &Desk) -> Vec<String> {
    let mut said = Vec::new();
    if seen.sound.muted != desk.sound.muted {
        let state = if desk.sound.muted { "muted" } else { "open again" };
        said.push(format!("the microphone is {state}"));
    }
    said
}
