//! Desks to draw and to type at, and the screen as plain text.

use parkdeck::console::{Console, Keymap, Theme, draw, key_events};
use parkdeck::desk::*;
use parkdeck::parking::{Identity, Lamp, SlotId, Strength, Text};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::layout::Rect;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// Every test plays at this moment, in seconds, so that waits can be told as seconds before it.
pub const NOW_S: u64 = 50_000;

pub fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn ago(seconds: u64) -> Duration {
    s(NOW_S - seconds)
}

pub fn slot_id(id: &str) -> SlotId {
    SlotId::new(id).unwrap()
}

/// The slot on the first line.
pub fn key(id: &str) -> SlotKey {
    SlotKey { line: LineId(0), id: slot_id(id) }
}

/// A quiet board: registered, a headset, `count` free slots from 701.
pub fn board(count: u32) -> Desk {
    let slots = (701..701 + count).map(|n| slot_id(&n.to_string())).collect();
    let abilities = Abilities {
        directed_park: true,
        strength: Strength::Exact,
        parking_time_s: Some(240),
        ..Abilities::default()
    };
    let mut desk = Desk::new("reception@pbx", "front", slots, abilities);
    desk.now = s(NOW_S);
    desk.lines[0].account.registration = Registration::Registered;
    desk.lines[0].account.round_trip_ms = Some(3);
    desk.sound = SoundState {
        headset: Some(Ok(Text::new("USB headset"))),
        microphone_level: 45,
        ear_level: 20,
        muted: false,
        off: false,
        ..SoundState::default()
    };
    for slot in &mut desk.slots {
        slot.lamp = Lamp::Free;
        slot.heard_at = Some(ago(100));
    }
    desk
}

fn line(name: &str, label: &str, lot: &str, slots: std::ops::RangeInclusive<u32>) -> NewLine {
    NewLine { name: name.into(), label: label.into(), lots: vec![lot_of(lot, slots)], ..NewLine::default() }
}

fn lot_of(name: &str, slots: std::ops::RangeInclusive<u32>) -> NewLot {
    NewLot {
        name: name.into(),
        slots: slots.map(|n| slot_id(&n.to_string())).collect(),
        abilities: Abilities { directed_park: true, strength: Strength::Exact, ..Abilities::default() },
        ..NewLot::default()
    }
}

fn reachable(desk: &mut Desk, way: &[(&str, &str, Protection, u32)]) {
    for (line, (transport, server, protection, ms)) in desk.lines.iter_mut().zip(way) {
        line.account.registration = Registration::Registered;
        line.account.registered_until = Some(s(NOW_S + 272));
        line.account.round_trip_ms = Some(*ms);
        line.account.way =
            Way { transport: Text::new(transport), server: Text::new(server), protection: *protection };
    }
    desk.now = s(NOW_S);
    desk.sound.headset = Some(Ok(Text::new("USB headset")));
    for slot in &mut desk.slots {
        slot.lamp = Lamp::Free;
        slot.heard_at = Some(ago(100));
    }
}

/// Two accounts whose lots have the same numbers, with calls on both; Jane, on the first, is in hand.
pub fn two_lots() -> Desk {
    let mut desk = Desk::with_lines([
        line("Front desk", "reception@pbx.example.com", "Front", 701..=706),
        line("Warehouse", "100@10.1.0.5", "Yard", 701..=704),
    ]);
    let ways =
        [("TLS", "192.0.2.7:5061", Protection::Verified, 3), ("UDP", "10.1.0.5:5060", Protection::None, 21)];
    reachable(&mut desk, &ways);
    let hand = call(&mut desk, Phase::Talking, 130, "Jane Doe", "0161 496 0100");
    desk.in_hand = Some(hand);
    call(&mut desk, Phase::Ringing, 7, "Tom Okafor", "07700 900321");
    last(&mut desk).line = LineId(1);
    last(&mut desk).called = Text::new("100");
    call(&mut desk, Phase::Ringing, 2, "Dr Patel", "0113 496 0777");
    last(&mut desk).called = Text::new("Sales");
    park(&mut desk, 0, 72, "Nora Lind", "204").note = Text::new("Sam, bay 3");
    park(&mut desk, 6, 31, "Acme Ltd", "+44 20 7946 0018");
    desk
}

/// One account whose server has three lots, the first of which chooses its slots itself; Jane is in hand, and parks go into
/// the second.
pub fn several_lots() -> Desk {
    let mut front = lot_of("front", 701..=706);
    front.abilities.directed_park = false;
    let mut reception = line("", "reception@pbx.example.com", "", 701..=701);
    reception.lots = vec![front, lot_of("sales", 751..=754), lot_of("workshop", 801..=802)];
    let mut desk = Desk::with_lines([reception]);
    reachable(&mut desk, &[("UDP", "192.0.2.7:5060", Protection::None, 3)]);
    let hand = call(&mut desk, Phase::Talking, 130, "Jane Doe", "0161 496 0100");
    desk.in_hand = Some(hand);
    park(&mut desk, 0, 72, "Nora Lind", "204").note = Text::new("Sam, bay 3");
    park(&mut desk, 7, 31, "Acme Ltd", "+44 20 7946 0018");
    desk.lines[0].chosen_lot = LotId(1);
    desk
}

/// Three accounts, one without an answer, one by TLS that nobody verified.
pub fn three_lots() -> Desk {
    let mut desk = Desk::with_lines([
        line("Front desk", "reception@pbx.example.com", "Front", 701..=704),
        line("Warehouse", "100@10.1.0.5", "Yard", 801..=803),
        line("Old switchboard", "reception@old.example.com", "Cellar", 71..=73),
    ]);
    let ways = [
        ("UDP", "192.0.2.7:5060", Protection::None, 3),
        ("TLS", "10.1.0.5:5061", Protection::Unverified, 21),
        ("TCP", "[2001:db8::5]:5060", Protection::None, 5),
    ];
    reachable(&mut desk, &ways);
    let old = &mut desk.lines[2].account;
    old.round_trip_ms = None;
    old.last_trouble = Some((Text::new("the server didn't answer"), ago(95)));
    for slot in desk.slots.iter_mut().skip(7) {
        slot.lamp = Lamp::Stale { since: ago(95), was_parked: false };
    }
    desk.chosen_line = Some(LineId(1));
    park(&mut desk, 1, 12, "Jane Doe", "0161 496 0100");
    desk
}

/// Adds a call that has been in its phase for `seconds`.
pub fn call(desk: &mut Desk, phase: Phase, seconds: u64, name: &str, number: &str) -> CallId {
    let id = desk.new_call_id();
    desk.calls.push(Call {
        id,
        line: LineId(0),
        direction: Direction::Inbound,
        phase,
        party: Identity::new(name, number),
        called: Text::default(),
        since: ago(seconds),
        waiting_since: ago(seconds),
        note: Text::default(),
        comeback: None,
        strength: None,
        told: None,
        remark: Text::default(),
        digits: String::new(),
        security: parkdeck::desk::Security::default(),
        returned: false,
        consult_for: None,
        quality: None,
        recording: None,
    });
    id
}

pub fn last(desk: &mut Desk) -> &mut Call {
    desk.calls.last_mut().unwrap()
}

/// Parks somebody on the `nth` slot, `seconds` ago.
pub fn park<'d>(
    desk: &'d mut Desk,
    nth: usize,
    seconds: u64,
    name: &str,
    number: &str,
) -> &'d mut ParkedCall {
    let slot = &mut desk.slots[nth];
    slot.lamp = Lamp::Parked;
    slot.parked = Some(ParkedCall {
        parkee: Identity::new(name, number),
        parker: Identity::new("you", ""),
        since: ago(seconds),
        since_inferred: false,
        note: Text::default(),
        comes_back_at: Some((ago(seconds) + s(240), true)),
        ours: true,
        strength: Strength::Exact,
        key: None,
        told_by: Text::default(),
    });
    slot.parked.as_mut().unwrap()
}

pub fn say(desk: &mut Desk, severity: Severity, text: &str) {
    let notice = Notice { at: desk.now, severity, text: Text::new(text) };
    desk.notices.push_back(notice);
}

pub fn retrieve_of(desk: &Desk, nth: usize) -> RetrieveTarget {
    let slot = &desk.slots[nth];
    RetrieveTarget {
        slot: slot.id.clone(),
        seen: slot.parked.clone().unwrap(),
        strength: Strength::Verified,
        key: None,
    }
}

/// The board of an ordinary busy moment.
pub fn busy() -> Desk {
    let mut desk = board(12);
    let hand = call(&mut desk, Phase::Talking, 130, "Acme Ltd", "+44 20 7946 0018");
    last(&mut desk).note = Text::new("wants the March invoice");
    last(&mut desk).called = Text::new("Sales");
    desk.in_hand = Some(hand);
    call(&mut desk, Phase::Ringing, 7, "Jane Doe", "0161 496 0100");
    last(&mut desk).called = Text::new("Front desk");
    call(&mut desk, Phase::Ringing, 3, "", "");
    call(&mut desk, Phase::Held, 48, "Dr Patel", "0113 496 0777");
    let parked = park(&mut desk, 0, 72, "Tom Okafor", "07700 900321");
    parked.note = Text::new("Sam, bay 3");
    desk.slots[2].asking = Some(Asking { what: AskingFor::Park(hand), since: ago(0), until: s(NOW_S + 9) });
    let parked = park(&mut desk, 3, 198, "", "07700 900123");
    (parked.parker, parked.ours) = (Identity::new("Ann", "205"), false);
    desk.slots[4].lamp = Lamp::Stale { since: ago(35), was_parked: false };
    desk
}

/// Every lamp state there is, one below the other.
pub fn lamps() -> Desk {
    let mut desk = board(12);
    let asked = call(&mut desk, Phase::Ringing, 1, "Jane Doe", "100");
    let asking = |what| Some(Asking { what, since: ago(1), until: s(NOW_S + 3) });
    desk.slots[1].asking = asking(AskingFor::Park(asked));
    park(&mut desk, 2, 12, "Jane Doe", "0161 496 0100").note = Text::new("Sam, bay 3");
    let parked = park(&mut desk, 3, 75, "Tom Okafor", "07700 900321");
    (parked.parker, parked.ours) = (Identity::new("Ann", "205"), false);
    let parked = park(&mut desk, 4, 150, "李小龙", "07700 900999");
    (parked.strength, parked.since_inferred, parked.comes_back_at) = (Strength::Unverified, true, None);
    park(&mut desk, 5, 221, "Lakshmi Venkataraghavan-Featherstonehaugh", "07700 900555");
    park(&mut desk, 6, 245, "Dr Patel", "").note = Text::new("urgent: ward 7");
    desk.slots[6].lamp = Lamp::RingingBack;
    desk.slots[7].lamp = Lamp::Unknown;
    desk.slots[7].asking = asking(AskingFor::State { then_park: None });
    park(&mut desk, 8, 90, "Nora Lind", "204");
    desk.slots[8].lamp = Lamp::Stale { since: ago(35), was_parked: true };
    desk.slots[9].lamp = Lamp::Stale { since: ago(3), was_parked: false };
    desk.slots[10].lamp = Lamp::Refused { reason: Text::new("403 Forbidden") };
    let parked = park(&mut desk, 11, 5, "", "");
    (parked.parker, parked.ours) = (Identity::default(), false);
    desk.slots[11].remark = Some((Text::new("Ann is retrieving"), s(NOW_S + 5)));
    desk.slots[11].asking = asking(AskingFor::Retrieve(asked));
    desk
}

/// Every phase a call can be in.
pub fn phases() -> Vec<Phase> {
    let mut desk = board(3);
    park(&mut desk, 2, 30, "Jane Doe", "");
    let target = retrieve_of(&desk, 2);
    vec![
        Phase::Ringing,
        Phase::Answering,
        Phase::Dialling,
        Phase::RingingThere,
        Phase::Retrieving { target: target.clone() },
        Phase::Verifying { target, until: s(NOW_S + 2) },
        Phase::PuttingBack { slot: slot_id("703") },
        Phase::Talking,
        Phase::Holding,
        Phase::Held,
        Phase::Resuming,
        Phase::Parking { slot: Some(slot_id("702")), was_held: false },
        Phase::Parking { slot: None, was_held: false },
        Phase::Transferring { to: Text::new("204"), was_held: false },
    ]
}

/// Twelve slots taken and eight calls.
pub fn full() -> Desk {
    let mut desk = board(12);
    let names =
        ["Acme Ltd", "Jane Doe", "Tom Okafor", "Dr Patel", "Nora Lind", "Żółć Müller", "王芳", "محمد علي"];
    for (i, name) in names.iter().enumerate() {
        let phase = if i == 0 {
            Phase::Talking
        } else if i % 3 == 0 {
            Phase::Held
        } else {
            Phase::Ringing
        };
        call(&mut desk, phase, 5 + 9 * i as u64, name, &format!("0161 496 01{i:02}"));
    }
    desk.in_hand = Some(desk.calls[0].id);
    for nth in 0..12 {
        let name = names[nth % 8];
        park(&mut desk, nth, 17 * nth as u64, name, &format!("0113 496 00{nth:02}")).note =
            Text::new(if nth % 2 == 0 { "Sam, bay 3" } else { "" });
    }
    desk
}

/// A park that was proven a moment ago.
pub fn just_parked() -> Desk {
    let mut desk = board(12);
    call(&mut desk, Phase::Ringing, 4, "Tom Okafor", "07700 900321");
    let parked = park(&mut desk, 2, 2, "Jane Doe", "0161 496 0100").clone();
    desk.undo = Some(Undo { line: LineId(0), slot: slot_id("703"), parked, until: s(NOW_S + 8) });
    say(&mut desk, Severity::Info, "Jane Doe is parked on 703 · u takes it back");
    desk
}

pub fn console() -> Console {
    let mut console = Console::new(Keymap::default());
    console.set_clock("14:03:22");
    console
}

/// Types keys, a second apart so that none is a slip.
pub fn type_keys(console: &mut Console, desk: &mut Desk, keys: &str) -> Vec<Command> {
    let mut said = Vec::new();
    for key in key_events(keys).unwrap_or_else(|| panic!("{keys}: not keys")) {
        said.extend(console.key(desk, key));
        desk.now += s(1);
    }
    said
}

/// The screen as text, without the blanks at the ends of lines.
pub fn screen(desk: &Desk, console: &Console, theme: &Theme, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, desk, console, theme)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let Rect { width, height, .. } = buffer.area;
    let mut text = String::new();
    for y in 0..height {
        let mut line = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(symbol.width().max(1)).unwrap();
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub fn dark() -> Theme {
    Theme::named("dark").unwrap()
}

/// The screen of a fresh console at the smallest whole size.
pub fn small(desk: &Desk) -> String {
    screen(desk, &console(), &dark(), 80, 24)
}
