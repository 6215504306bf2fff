//! The ladder on a running desk: each step once, and the tone into an idle headset only, whatever happens.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn s(seconds: u64) -> Moment {
    Duration::from_secs(seconds)
}

fn desk() -> Desk {
    let lot = NewLot { escalate_s: Some(vec![60, 120, 180]), ..front() };
    let mut desk = desk_on(NewLine { lots: vec![lot], ..ordinary() });
    desk.waiting_tone = true;
    desk
}

fn lamp(desk: &mut Desk, now: Moment, id: &str, lamp: Lamp) {
    let parkee = (lamp == Lamp::Parked).then(|| Identity::new("Jane Doe", "0161"));
    let report = LampReport { lamp, parkee, ..LampReport::default() };
    desk.learn(now, Event::LampChanged { slot: slot(id), report });
}

fn ring(desk: &mut Desk, now: Moment) -> CallId {
    let call = desk.new_call_id();
    desk.learn(now, Event::CallArrived(arrival(call, Identity::new("Bob", "0777"))));
    call
}

/// Lets time pass as the engine does: at the desk's own deadlines.
fn run(desk: &mut Desk, until: Moment) {
    while let Some(at) = desk.next_deadline().filter(|at| *at <= until) {
        desk.learn(at.max(desk.now), Event::Ticked);
        assert!(desk.next_deadline().is_none_or(|next| next > at), "a deadline that stays due");
    }
    desk.learn(until, Event::Ticked);
}

#[test]
fn each_step_is_taken_in_its_time_the_tone_once_and_the_page_offered_once() {
    let mut desk = desk();
    lamp(&mut desk, s(10), "701", Lamp::Parked);
    let step = |desk: &Desk| desk.step_of(&desk.slots[0]);
    run(&mut desk, s(69));
    assert_eq!((step(&desk), desk.sound_plan().waiting_tone), (Step::Calm, false));
    run(&mut desk, s(70));
    assert_eq!((step(&desk), desk.sound_plan().waiting_tone), (Step::Long, false));
    run(&mut desk, s(130));
    assert_eq!((step(&desk), desk.sound_plan().waiting_tone), (Step::Late, true));
    run(&mut desk, s(131));
    assert!(!desk.sound_plan().waiting_tone, "it is short, and not repeated");
    run(&mut desk, s(189));
    assert!(desk.notices.is_empty(), "{:?}", desk.notices);
    run(&mut desk, s(300));
    let offers: Vec<_> = desk.notices.iter().map(|n| n.text.as_str()).collect();
    assert_eq!(offers, ["Jane Doe waits on 701 · g tells the team"]);
    // The next caller in that slot climbs anew.
    lamp(&mut desk, s(310), "701", Lamp::Free);
    lamp(&mut desk, s(320), "701", Lamp::Parked);
    assert_eq!(step(&desk), Step::Calm);
    run(&mut desk, s(440));
    assert!(desk.sound_plan().waiting_tone);
}

#[test]
fn a_tone_that_is_due_waits_for_the_end_of_the_conversation_and_ends_with_the_next() {
    let mut desk = desk();
    lamp(&mut desk, s(10), "701", Lamp::Parked);
    let call = ring(&mut desk, s(20));
    desk.obey(s(21), Command::Answer);
    desk.learn(s(21), Event::CallAnswered { call });
    run(&mut desk, s(200));
    assert!(!desk.sound_plan().waiting_tone);
    desk.obey(s(201), Command::HangUp);
    assert!(desk.sound_plan().waiting_tone);
    let next = ring(&mut desk, s(201) + Duration::from_millis(100));
    assert!(!desk.sound_plan().waiting_tone, "the ringer rings");
    desk.obey(s(201) + Duration::from_millis(200), Command::Take(next));
    assert!(!desk.sound_plan().waiting_tone);
}

#[test]
fn where_it_is_switched_off_nothing_sounds_and_the_rest_of_the_ladder_stays() {
    let mut desk = desk();
    desk.waiting_tone = false;
    lamp(&mut desk, s(10), "701", Lamp::Parked);
    for until in (10..400).step_by(5) {
        run(&mut desk, s(until));
        assert!(!desk.sound_plan().waiting_tone);
    }
    assert_eq!(desk.notices.len(), 1);
}

/// Whatever is pressed and whatever happens: with the tone, nothing else is heard, said or rung.
#[test]
fn the_tone_never_sounds_into_anything() {
    let mut sounded = 0;
    for seed in 0..400 {
        let mut chance = StdRng::seed_from_u64(seed);
        let (mut desk, mut now) = (desk(), s(1));
        for step in 0..150 {
            now += Duration::from_millis(chance.random_range(1..15_000));
            run(&mut desk, now);
            let ids: Vec<CallId> = desk.calls.iter().map(|c| c.id).collect();
            let some = |chance: &mut StdRng| ids.get(chance.random_range(0..ids.len().max(1))).copied();
            let place = ["701", "702", "703"][chance.random_range(0..3)];
            let key = SlotKey { line: LineId(0), id: slot(place) };
            let Some(call) = some(&mut chance).or(Some(CallId(0))) else { continue };
            let reason = Text::new("over");
            match chance.random_range(0..16) {
                0 => drop(ring(&mut desk, now)),
                1 => lamp(&mut desk, now, place, Lamp::Parked),
                2 if chance.random_bool(0.3) => lamp(&mut desk, now, place, Lamp::Free),
                3 => drop(desk.obey(now, Command::Answer)),
                4 => drop(desk.obey(now, Command::Take(call))),
                5 => drop(desk.obey(now, Command::HangUp)),
                6 => drop(desk.obey(now, Command::Hold)),
                7 => drop(desk.obey(now, Command::PressSlot(key))),
                8 => drop(desk.obey(now, Command::Dial("204".into()))),
                9 => drop(desk.obey(now, Command::Park { slot: None })),
                10 => drop(desk.learn(now, Event::CallAnswered { call })),
                11 => drop(desk.learn(now, Event::CallHeld { call })),
                12 => drop(desk.learn(now, Event::CallResumed { call })),
                13 => drop(desk.learn(now, Event::CallProgressed { call })),
                14 => drop(desk.learn(now, Event::ParkProven { call, slot: Some(slot(place)) })),
                _ => drop(desk.learn(now, Event::CallEnded { call, reason, by_them: true })),
            }
            let plan = desk.sound_plan();
            if plan.waiting_tone {
                sounded += 1;
                let alone = SoundPlan { waiting_tone: true, ..SoundPlan::default() };
                assert_eq!(plan, alone, "seed {seed}, step {step}: {:#?}", desk.calls);
            }
        }
    }
    assert!(sounded > 100, "the test must see the tone: {sounded}");
}
