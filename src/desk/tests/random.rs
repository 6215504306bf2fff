//! Any order of commands and events: the invariants hold.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Key(u8, u8),
    World(u8, u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = (0u8..14, 0u8..4).prop_map(|(k, n)| Step::Key(k, n));
    let world = (0u8..12, 0u8..8).prop_map(|(k, n)| Step::World(k, n));
    proptest::collection::vec(prop_oneof![key, world], 1..80)
}

fn command(kind: u8, n: u8, desk: &Desk) -> Command {
    let id = slot(["701", "702", "703", "709"][usize::from(n)]);
    let call = desk.calls.get(usize::from(n)).map_or(CallId(99), |c| c.id);
    match kind {
        0 => Command::Answer,
        1 => Command::Take(call),
        2 => Command::Choose { forward: n.is_multiple_of(2) },
        3 => Command::HangUp,
        4 => Command::Hold,
        5 => Command::Mute,
        6 => Command::Park { slot: None },
        7 => Command::Park { slot: Some(SlotKey { line: LineId(0), id }) },
        8 | 9 => Command::PressSlot(SlotKey { line: LineId(0), id }),
        10 => Command::RetrieveLongest,
        11 => Command::Transfer { to: id.to_string() },
        12 => Command::Undo,
        _ => Command::NoteSlot { slot: SlotKey { line: LineId(0), id }, text: "note".into() },
    }
}

fn event(kind: u8, n: u8, desk: &mut Desk) -> Event {
    let id = slot(["701", "702", "703"][usize::from(n % 3)]);
    let call = desk.calls.get(usize::from(n % 4)).map_or(CallId(98), |c| c.id);
    let reason = Text::new("no");
    match kind {
        0 => {
            let call = desk.new_call_id();
            Event::CallArrived(CallArrival {
                call,
                party: if n.is_multiple_of(2) { jane() } else { bob() },
                called: Text::default(),
                comeback: None,
                referred_by_us: n > 5,
                note: Text::default(),
            })
        }
        1 | 2 => Event::CallAnswered { call },
        3 => Event::CallEnded { call, reason, by_them: true },
        4 => Event::CallHeld { call },
        5 => Event::CallResumed { call },
        6 => Event::PartyTold { call, party: if n.is_multiple_of(2) { jane() } else { bob() } },
        7 => Event::ParkProven { call, slot: (n < 6).then_some(id) },
        8 => Event::ParkRefused { call, reason },
        9 => Event::HoldRefused { call, reason },
        10 => Event::Ticked,
        _ => {
            let lamp = match n {
                0..=2 => Lamp::Free,
                3..=5 => Lamp::Parked,
                6 => Lamp::RingingBack,
                _ => Lamp::Stale { since: at(0), was_parked: true },
            };
            Event::LampChanged { slot: id, report: LampReport { lamp, ..LampReport::default() } }
        }
    }
}

fn check(desk: &Desk, before: &Desk, effects: &[Effect]) {
    let plan = desk.sound_plan();
    assert!(plan.spoken_to.is_none() || plan.spoken_to == plan.heard, "spoken to unheard: {plan:?}");
    let talking = desk.calls.iter().filter(|c| c.phase == Phase::Talking).count();
    assert!(talking <= 1, "two callers talk at once: {:?}", desk.calls);
    for effect in effects {
        match effect {
            Effect::Park { slot: Some(slot), .. } => {
                assert!(
                    desk.slot(&key(slot.as_str())).is_some_and(Slot::is_known_free),
                    "parked into {slot}, not known free"
                );
            }
            Effect::Transfer { to, .. } => {
                assert!(
                    SlotId::new(to).is_none_or(|to| desk.slot(&key(to.as_str())).is_none()),
                    "transferred into a slot"
                );
            }
            Effect::HangUp(id) => {
                let undecided =
                    |c: &Call| matches!(c.phase, Phase::Parking { .. } | Phase::PuttingBack { .. });
                assert!(!before.call(*id).is_some_and(undecided), "hung up an undecided caller");
            }
            _ => {}
        }
    }
    let ids: std::collections::BTreeSet<_> = desk.calls.iter().map(|c| c.id).collect();
    assert_eq!(ids.len(), desk.calls.len());
    assert!(desk.in_hand.is_none_or(|id| ids.contains(&id)), "a dead call in hand");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn nobody_is_joined_and_nobody_is_dropped(steps in steps(), directed: bool) {
        let mut desk = desk();
        desk.lines[0].lots[0].abilities.directed_park = directed;
        let mut now = 100;
        for step in steps {
            now += 137;
            let before = desk.clone();
            let effects = match step {
                Step::Key(kind, n) => { let c = command(kind, n, &desk); desk.obey(at(now), c) }
                Step::World(kind, n) => { let e = event(kind, n, &mut desk); desk.learn(at(now), e) }
            };
            check(&desk, &before, &effects);
        }
    }
}
