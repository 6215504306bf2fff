//! How states and times read on the board: words, glyphs, theme scopes and urgency. No drawing here.

use crate::desk::{Call, Desk, Direction, Freshness, MediaCover, ParkedCall, Phase, Slot, Step};
use crate::parking::{Identity, Lamp, Moment, Strength};
use std::time::Duration;

/// Whole seconds between two moments, counted so that every timer on the screen changes at the same instant.
pub(super) fn seconds(now: Moment, since: Moment) -> u64 {
    now.as_secs().saturating_sub(since.as_secs())
}

/// A wait in at most five columns: `mm:ss`, then `1h40m`, then `12h`, then `3d`.
pub(super) fn wait(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match hours {
        _ if minutes < 100 => format!("{minutes:02}:{:02}", seconds % 60),
        0..=9 => format!("{hours}h{:02}m", minutes % 60),
        10..=99 => format!("{hours}h"),
        _ => format!("{}d", (hours / 24).min(9999)),
    }
}

/// A wait told in a sentence: `3:58`.
pub(super) fn told(seconds: u64) -> String {
    if seconds < 6000 { format!("{}:{:02}", seconds / 60, seconds % 60) } else { wait(seconds) }
}

/// How much a waiting caller presses. Escalates by mark and word, and by colour too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Nothing to think of.
    Calm,
    /// Waits long.
    Long,
    /// Waits too long, or is about to come back.
    Late,
}

impl Urgency {
    /// From seconds waited, with the two thresholds.
    fn of(waited_s: u64, long_s: u64, late_s: u64) -> Self {
        match waited_s {
            s if s >= late_s => Self::Late,
            s if s >= long_s => Self::Long,
            _ => Self::Calm,
        }
    }

    /// The mark behind the wait.
    pub(super) fn mark(self) -> &'static str {
        match self {
            Self::Calm => "",
            Self::Long => "!",
            Self::Late => "!!",
        }
    }
}

/// How a parked call presses: as far as it has come on the ladder of its lot.
pub(super) fn parked_urgency(desk: &Desk, slot: &Slot) -> Urgency {
    match desk.step_of(slot) {
        Step::Calm => Urgency::Calm,
        Step::Long => Urgency::Long,
        Step::Late | Step::Page => Urgency::Late,
    }
}

/// Seconds until a parked call comes back, with whether that is inferred.
pub(super) fn countdown(desk: &Desk, slot: &Slot) -> Option<(u64, bool)> {
    let (at, inferred) = slot.parked.as_ref()?.comes_back_at?;
    (slot.lamp == Lamp::Parked).then(|| (at.as_secs().saturating_sub(desk.now.as_secs()), inferred))
}

/// `≈00:42`, or `00:42` when the server told it.
pub(super) fn countdown_text((left_s, inferred): (u64, bool)) -> String {
    format!("{}{}", if inferred { "≈" } else { "" }, wait(left_s))
}

/// How a call presses: a ringing one after ten and twenty seconds, a held one after one and two minutes.
pub(super) fn call_urgency(now: Moment, call: &Call) -> Urgency {
    match call.phase {
        Phase::Ringing => Urgency::of(seconds(now, call.waiting_since), 10, 20),
        Phase::Held => Urgency::of(seconds(now, call.since), 60, 120),
        _ => Urgency::Calm,
    }
}

/// A call's phase in at most ten columns, with its theme scope.
pub(super) fn phase_word(now: Moment, call: &Call) -> (String, &'static str) {
    let mark = call_urgency(now, call).mark();
    match &call.phase {
        Phase::Ringing if call.comeback.is_some() => (format!("BACK{mark}"), "call.comeback"),
        Phase::Ringing => (format!("RINGING{mark}"), "call.ringing"),
        Phase::Answering => ("answered…".into(), "call.asking"),
        Phase::Dialling => ("dialling…".into(), "call.asking"),
        Phase::RingingThere => ("calling…".into(), "call.asking"),
        Phase::Retrieving { .. } => ("fetching…".into(), "call.asking"),
        Phase::Verifying { .. } => ("checking…".into(), "call.checking"),
        Phase::PuttingBack { .. } => ("put back…".into(), "call.checking"),
        Phase::Talking if call.waits_for_key() => ("listening".into(), "call.checking"),
        Phase::Talking => ("talking".into(), "call.talking"),
        Phase::Holding => ("holding…".into(), "call.asking"),
        Phase::Held if mark.is_empty() => ("held".into(), "call.held"),
        Phase::Held => (format!("HELD{mark}"), "call.held.long"),
        Phase::Resuming => ("resuming…".into(), "call.asking"),
        Phase::Parking { .. } => ("parking…".into(), "call.asking"),
        Phase::Transferring { .. } => ("transfer…".into(), "call.asking"),
    }
}

/// What the phase means, in a few words, where the one word doesn't say it all.
pub(super) fn phase_phrase(call: &Call) -> Option<String> {
    Some(match &call.phase {
        Phase::RingingThere => "it rings there".into(),
        Phase::Retrieving { target } => format!("asked for {}", target.slot),
        Phase::Verifying { .. } => "checking who it is… mic closed".into(),
        Phase::PuttingBack { slot } => format!("putting back in {slot}… mic closed"),
        Phase::Parking { slot: Some(slot), .. } => format!("asked for {slot}"),
        Phase::Parking { slot: None, .. } => "asked for a slot".into(),
        Phase::Transferring { to, .. } => format!("to {to}"),
        Phase::Talking if call.waits_for_key() => "back with you… mic closed".into(),
        _ => return None,
    })
}

/// The timer of a call: a waiting caller's whole wait, else the time in this phase.
pub(super) fn call_timer(now: Moment, call: &Call) -> String {
    let since = if call.phase == Phase::Ringing { call.waiting_since } else { call.since };
    wait(seconds(now, since))
}

/// What else is worth saying of a call, most important first; joined with dots and cut where the room ends.
pub(super) fn call_facts(desk: &Desk, call: &Call, number_shown: bool) -> Vec<String> {
    let mut facts = Vec::new();
    if call.phase == Phase::Talking && desk.sound.muted {
        facts.push("MUTED".into());
    }
    facts.extend(super::quality::marks(desk, call));
    facts.extend(phase_phrase(call));
    if let Some(back) = &call.comeback {
        let slot = back.slot.as_ref().map_or_else(|| "from a slot".into(), ToString::to_string);
        facts.push(format!("{slot}, waited {}", told(back.waited_s.into())));
    }
    if call.strength == Some(Strength::Unverified) {
        facts.push("~ unverified".into());
    }
    // Which line it is on tells who is to be spoken for: before the note while it rings.
    let line =
        desk.line(call.line).filter(|_| desk.lines.len() > 1).map(|l| format!("on {}", l.account.called()));
    let (before, after) = if call.phase == Phase::Ringing { (line, None) } else { (None, line) };
    facts.extend(before);
    facts.extend(security_phrase(call));
    if !call.note.is_empty() {
        facts.push(format!("→ {}", call.note));
    }
    facts.push(call.remark.to_string());
    facts.extend(after);
    if call.direction == Direction::Inbound && !call.called.is_empty() {
        facts.push(format!("for {}", call.called));
    }
    if let Some(known) = desk.known(&call.party).filter(|known| !known.about.is_empty()) {
        facts.push(known.about.to_string());
    }
    if let Some(sent) = desk.network_name(&call.party) {
        facts.push(format!("sends “{sent}”"));
    }
    if !number_shown && desk.label(&call.party) != call.party.number.as_str() && !call.party.is_withheld() {
        facts.push(call.party.number.as_str().to_owned());
    }
    if !call.digits.is_empty() {
        facts.push(format!("keys {}", call.digits));
    }
    if let Some(strength @ (Strength::Exact | Strength::Verified)) = call.strength {
        facts.push(strength.word().into());
    }
    facts.retain(|f| !f.is_empty());
    facts
}

/// The lock, or what is missing for it where it is wanted. Glyph and word: no colour says it.
pub(super) fn security_phrase(call: &Call) -> Option<String> {
    let security = &call.security;
    match security.missing() {
        _ if security.is_locked() => Some("⚿ encrypted".into()),
        "" => None,
        missing if security.wanted || security.media != MediaCover::Clear => {
            Some(format!("not encrypted: {missing}"))
        }
        _ => None,
    }
}

/// The lamp's glyph, its word (the wait stands in the word's place when somebody is there), and its scope.
pub(super) struct LampLook {
    /// One column.
    pub(super) glyph: &'static str,
    /// `free`, `01:12`, `stale 00:35` …
    pub(super) word: String,
    /// Theme scope.
    pub(super) scope: &'static str,
}

/// How a slot's lamp looks now.
pub(super) fn lamp(desk: &Desk, slot: &Slot) -> LampLook {
    let look = |glyph, word: String, scope| LampLook { glyph, word, scope };
    match &slot.lamp {
        Lamp::Free if slot.asking.is_some() => look("◐", "asking…".into(), "lamp.asking"),
        Lamp::Free => look("□", "free".into(), "lamp.free"),
        Lamp::Parked => {
            let scope = match parked_urgency(desk, slot) {
                Urgency::Calm => "lamp.parked",
                Urgency::Long => "lamp.parked.long",
                Urgency::Late => "lamp.parked.late",
            };
            look("■", parked_wait(desk, slot), scope)
        }
        Lamp::RingingBack => look("◉", parked_wait(desk, slot), "lamp.back"),
        Lamp::Unknown => look("?", "unknown".into(), "lamp.unknown"),
        Lamp::Stale { since, .. } => {
            look("?", format!("stale {}", wait(seconds(desk.now, *since))), "lamp.stale")
        }
        Lamp::Refused { reason } => look("✕", format!("refused: {reason}"), "lamp.refused"),
    }
}

/// How old the server's word about a slot is, where it said for how long it holds.
pub(super) fn confirmed(desk: &Desk, slot: &Slot) -> Option<String> {
    match slot.freshness(desk.now) {
        Freshness::Confirmed { ago, left: Some(_) } => Some(format!("confirmed {} ago", wait(ago.as_secs()))),
        _ => None,
    }
}

/// The wait of a parked call; `≥` when it may have begun before we first saw the lamp lit.
fn parked_wait(desk: &Desk, slot: &Slot) -> String {
    slot.parked.as_ref().map_or_else(String::new, |p| {
        let least = if p.since_inferred { "≥" } else { "" };
        format!("{least}{}", wait(seconds(desk.now, p.since)))
    })
}

/// The state of an occupied slot as a word, for where there is room.
pub(super) fn occupied_word(desk: &Desk, slot: &Slot) -> &'static str {
    let soon = countdown(desk, slot).is_some_and(|(left_s, _)| left_s <= 30);
    match (&slot.lamp, parked_urgency(desk, slot)) {
        (Lamp::RingingBack, _) => "ringing back",
        (_, Urgency::Long | Urgency::Late) if soon => "BACK SOON",
        (_, Urgency::Late) if desk.step_of(slot) == Step::Page => "TOO LONG, g tells",
        (_, Urgency::Calm) => "parked",
        (_, Urgency::Long) => "long wait",
        (_, Urgency::Late) => "TOO LONG",
    }
}

/// Who is, or was, in a slot; `None` when nobody.
pub(super) fn who(desk: &Desk, slot: &Slot) -> Option<String> {
    let somebody = || slot.parked.as_ref().map_or("somebody", |p| somebody(desk, &p.parkee));
    match slot.lamp {
        Lamp::Parked | Lamp::RingingBack => {
            let weak = slot.parked.as_ref().is_some_and(|p| p.strength == Strength::Unverified);
            let doubt = if slot.remembered { "?" } else { "" };
            Some(format!("{}{}{doubt}", if weak { "~" } else { "" }, somebody()))
        }
        Lamp::Stale { was_parked: true, .. } => Some(format!("was {}", somebody())),
        Lamp::Stale { .. } => Some("was free".into()),
        _ => None,
    }
}

/// A person's label, or `somebody`.
pub(super) fn somebody<'d>(desk: &'d Desk, identity: &'d Identity) -> &'d str {
    if identity.is_withheld() { "somebody" } else { desk.label(identity) }
}

/// What was asked of a slot, in words.
pub(super) fn asking_phrase(slot: &Slot) -> Option<&'static str> {
    use crate::desk::AskingFor;
    slot.asking.as_ref().map(|a| match a.what {
        AskingFor::Park(_) => "asking to park there…",
        AskingFor::Retrieve(_) => "asking for this call…",
        AskingFor::State { .. } => "asking its state…",
    })
}

/// Joins facts: whole ones only, as many as fit; the first is there in any case and may be cut, and so may a note.
pub(super) fn join(facts: &[String], room: u16) -> String {
    let mut text = String::new();
    for fact in facts {
        let joined = match (text.is_empty(), fact.starts_with('≈')) {
            (true, _) => fact.clone(),
            (false, true) => format!("{text} {fact}"),
            (false, false) => format!("{text} · {fact}"),
        };
        let over = super::paint::columns(&joined).saturating_sub(room);
        let may_be_cut = fact.starts_with('→') && over + 8 <= super::paint::columns(fact);
        if text.is_empty() || over == 0 || may_be_cut {
            text = joined;
        }
        if over > 0 && may_be_cut {
            break;
        }
    }
    text
}

/// Other facts about a slot, most pressing first. `roomy` adds those that a narrow row leaves out.
pub(super) fn slot_facts(desk: &Desk, slot: &Slot, roomy: bool) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(claim) = slot.claimed(desk.now) {
        // The narrow row has no room for more.
        facts.push(format!("{} {}", claim.by, if roomy { "is retrieving" } else { "retrieves" }));
    }
    if let Some((remark, _)) = slot.remark.as_ref().filter(|(_, until)| desk.now < *until) {
        facts.push(remark.as_str().to_owned());
    }
    if slot.asking.is_some() && slot.lamp != Lamp::Free {
        facts.push("◐ asking…".into());
    }
    let Some(parked) = slot.parked.as_ref().filter(|_| slot.holds_somebody()) else { return facts };
    if !roomy && slot.lamp == Lamp::RingingBack {
        facts.push("rings back".into());
    }
    let back = countdown(desk, slot);
    if !roomy && let Some(soon) = back.filter(|(left_s, _)| *left_s <= 30) {
        facts.push(format!("back {}", countdown_text(soon)));
    }
    if !parked.note.is_empty() {
        facts.push(format!("→ {}", parked.note));
    }
    let by = by_whom(desk, parked);
    let left = back.filter(|(left_s, _)| *left_s > 30 && !roomy).map(countdown_text);
    // Who parked him matters more when it was somebody else.
    if parked.ours {
        facts.extend(left.into_iter().chain(by))
    } else {
        facts.extend(by.into_iter().chain(left))
    }
    if slot.remembered {
        facts.push("remembered".into());
    }
    if roomy {
        facts.push(parked.strength.word().to_owned());
    }
    facts
}

/// Who parked him; and whose word that and his name are, if it is a colleague's.
pub(super) fn by_whom(desk: &Desk, parked: &ParkedCall) -> Option<String> {
    let (parker, teller) = (desk.label(&parked.parker), parked.told_by.as_str());
    match (parked.parker.is_withheld(), teller) {
        (true, "") => None,
        (true, teller) => Some(format!("told by {teller}")),
        (false, "") => Some(format!("by {parker}")),
        (false, teller) if teller == parker => Some(format!("by {parker}, told")),
        (false, teller) => Some(format!("by {parker}, told by {teller}")),
    }
}

/// How long the picture stays true if nothing happens: to the next second.
///
/// All timers change together, so one redraw a second is enough however many callers wait; with nobody waiting it
/// moves the clock and lets hints fade.
pub fn next_change(desk: &Desk) -> Duration {
    let into = Duration::from_nanos(desk.now.subsec_nanos().into());
    Duration::from_secs(1).saturating_sub(into)
}
