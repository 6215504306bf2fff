//! The desk's promises, as sentences: nobody lost, nobody joined, the call that was seen.

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

/// A registered desk with slots 701–703, all free, on a server that verifies.
fn desk() -> Desk {
    let abilities = Abilities { strength: Strength::Verified, ..Abilities::default() };
    let slots = ["701", "702", "703"].map(slot).to_vec();
    let mut desk = Desk::new("reception@pbx", "front", slots, abilities);
    desk.learn(at(0), Event::Registered);
    for id in ["701", "702", "703"] {
        lamp(&mut desk, 1, id, Lamp::Free);
    }
    desk
}

fn lamp(desk: &mut Desk, ms: u64, id: &str, lamp: Lamp) -> Vec<Effect> {
    desk.learn(
        at(ms),
        Event::LampChanged { slot: slot(id), report: LampReport { lamp, ..LampReport::default() } },
    )
}

fn ring(desk: &mut Desk, ms: u64, party: Identity) -> CallId {
    let call = desk.new_call_id();
    let arrival = CallArrival {
        call,
        party,
        called: Text::new("100"),
        comeback: None,
        referred_by_us: false,
        note: Text::default(),
    };
    desk.learn(at(ms), Event::CallArrived(arrival));
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

#[test]
fn a_key_press_lights_no_lamp() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    let effects = desk.obey(at(1000), Command::Park { slot: None });
    assert_eq!(effects, [Effect::Park { call, slot: None, note: Text::default(), party: jane() }]);
    assert!(desk.slots.iter().all(|s| s.lamp == Lamp::Free && s.parked.is_none()));
    assert_eq!(desk.sound_plan().spoken_to, None, "nobody is spoken to while the park is under way");
}

#[test]
fn a_proven_park_shows_who_is_where_and_can_be_undone() {
    let mut desk = desk();
    park_jane(&mut desk);
    let parked = desk.slot(&key("701")).unwrap().parked.clone().unwrap();
    assert_eq!(parked.parkee, jane());
    assert!(parked.ours && desk.calls.is_empty());
    let effects = desk.obey(at(2000), Command::Undo);
    let [Effect::Retrieve { target, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(target.seen.parkee, jane());
}

#[test]
fn a_park_proven_before_its_lamp_tells_of_it_can_be_undone_before_and_after() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("701")) });
    let mut quick = desk.clone();
    assert!(matches!(quick.obey(at(1010), Command::Undo).as_slice(), [Effect::Retrieve { .. }]));
    let key = Some(DialogKey("abc;to-tag=1;from-tag=2".into()));
    let report = LampReport { lamp: Lamp::Parked, parkee: Some(jane()), key, ..LampReport::default() };
    desk.learn(at(1020), Event::LampChanged { slot: slot("701"), report });
    let effects = desk.obey(at(2000), Command::Undo);
    let [Effect::Retrieve { target, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(target.key.is_some(), "and by the name that the lamp told meanwhile");
}

#[test]
fn undo_says_when_it_is_too_late_or_the_caller_is_gone() {
    let mut desk = desk();
    park_jane(&mut desk);
    let mut late = desk.clone();
    assert_eq!(late.obey(at(60_000), Command::Undo), []);
    assert!(last_words(&late).contains("too late to undo"));
    lamp(&mut desk, 2000, "701", Lamp::Free);
    assert_eq!(desk.obey(at(2001), Command::Undo), []);
    assert!(last_words(&desk).contains("has left 701"));
}

#[test]
fn a_refused_park_gives_the_caller_back_with_the_reason() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
    let words = last_words(&desk);
    assert!(words.contains("the lot is full") && words.contains("Jane Doe is with you"), "{words}");
}

#[test]
fn a_caller_who_comes_back_is_heard_at_once_and_hears_the_operator_at_his_key() {
    for key in [Command::Answer, Command::Take(CallId(1))] {
        let mut desk = desk();
        let call = talking(&mut desk, 10, jane());
        assert_eq!(call, CallId(1));
        desk.obey(at(1000), Command::Park { slot: None });
        desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
        let plan = desk.sound_plan();
        assert_eq!((plan.heard, plan.spoken_to), (Some(call), None));
        assert!(last_words(&desk).contains("microphone closed · enter speaks"), "{}", last_words(&desk));
        desk.obey(at(2000), key);
        assert_eq!(desk.sound_plan().spoken_to, Some(call));
    }
}

#[test]
fn a_caller_who_comes_back_parks_again_without_a_word() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert!(matches!(desk.obey(at(2000), Command::Park { slot: None }).as_slice(), [Effect::Park { .. }]));
    desk.learn(at(2500), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.sound_plan().spoken_to, None, "it is as new");
    // Hold and resume are keys of the operator's as well.
    desk.obey(at(3000), Command::Hold);
    desk.learn(at(3010), Event::CallHeld { call });
    desk.obey(at(3100), Command::Hold);
    desk.learn(at(3110), Event::CallResumed { call });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
}

#[test]
fn a_held_call_parks_without_resuming_and_falls_back_to_hold() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(500), Command::Hold);
    desk.learn(at(510), Event::CallHeld { call });
    assert!(matches!(desk.obey(at(1000), Command::Park { slot: None }).as_slice(), [Effect::Park { .. }]));
    desk.learn(at(1500), Event::ParkRefused { call, reason: Text::new("no") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Held);
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn nothing_is_ever_sent_into_a_slot_that_is_not_known_to_be_free() {
    let stale = Lamp::Stale { since: at(1), was_parked: false };
    let refused = Lamp::Refused { reason: Text::new("403") };
    for state in [Lamp::Parked, Lamp::RingingBack, Lamp::Unknown, stale, refused] {
        let mut desk = desk();
        desk.lines[0].abilities.directed_park = true;
        talking(&mut desk, 10, jane());
        lamp(&mut desk, 20, "702", state.clone());
        let effects = desk.obey(at(30), Command::Park { slot: Some(key("702")) });
        assert_eq!(effects, [], "{state:?}");
        let pressed = desk.obey(at(31), Command::PressSlot(key("702")));
        assert!(!pressed.iter().any(|e| matches!(e, Effect::Park { .. })), "{state:?}: {pressed:?}");
        let transferred = desk.clone().obey(at(32), Command::Transfer { to: "702".into() });
        assert!(!transferred.iter().any(|e| matches!(e, Effect::Transfer { .. } | Effect::Park { .. })));
    }
}

#[test]
fn a_full_lot_is_found_out_before_any_packet() {
    let mut desk = desk();
    talking(&mut desk, 10, jane());
    for id in ["701", "702", "703"] {
        lamp(&mut desk, 20, id, Lamp::Parked);
    }
    assert_eq!(desk.can_park(None), Err(ParkBar::LotFull));
    assert_eq!(desk.obey(at(30), Command::Park { slot: None }), []);
    assert!(last_words(&desk).contains("every slot is taken"));
}

#[test]
fn an_occupied_slot_with_a_call_in_hand_holds_and_retrieves_and_never_joins() {
    let mut desk = desk();
    park_jane(&mut desk);
    let other = talking(&mut desk, 3000, bob());
    let effects = desk.obey(at(4000), Command::PressSlot(key("701")));
    assert_eq!(effects[0], Effect::Hold(other));
    assert!(matches!(&effects[1], Effect::Retrieve { target, .. } if target.seen.parkee == jane()));
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn the_microphone_opens_only_when_it_is_the_caller_that_was_seen() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.sound_plan().spoken_to, None, "a 200 is no proof");
    desk.learn(at(4030), Event::PartyTold { call, party: jane() });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
    assert_eq!(desk.call(call).unwrap().strength, Some(Strength::Verified));
}

#[test]
fn an_identity_that_overtakes_the_answer_counts() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4009), Event::PartyTold { call, party: jane() });
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
}

#[test]
fn a_stranger_in_the_slot_is_not_spoken_to_but_put_back() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    let effects = desk.learn(at(4030), Event::PartyTold { call, party: bob() });
    assert!(matches!(effects.as_slice(), [Effect::Park { slot: None, .. }]), "{effects:?}");
    assert_eq!(desk.sound_plan(), SoundPlan::default());
    desk.learn(at(4100), Event::ParkProven { call, slot: Some(slot("702")) });
    assert!(last_words(&desk).contains("Bob Roe is back in 702"), "{}", last_words(&desk));
}

#[test]
fn without_proof_the_operator_decides() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    desk.learn(at(4020), Event::PartyTold { call, party: Identity::new("", "701") });
    desk.learn(desk.next_deadline().unwrap().max(at(6010)), Event::Ticked);
    assert!(last_words(&desk).contains("doesn't say who this is"));
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.obey(at(7000), Command::Answer);
    assert_eq!(desk.sound_plan().spoken_to, Some(call));
    assert_eq!(desk.call(call).unwrap().strength, Some(Strength::Unverified));
}

#[test]
fn a_lamp_that_is_not_fresh_is_asked_before_anything_is_done() {
    let mut desk = desk();
    desk.lines[0].abilities.directed_park = true;
    let call = talking(&mut desk, 10, jane());
    lamp(&mut desk, 20, "702", Lamp::Stale { since: at(1), was_parked: true });
    assert_eq!(desk.obey(at(30), Command::PressSlot(key("702"))), [Effect::AskLamp(key("702"))]);
    let mut occupied = desk.clone();
    let effects = lamp(&mut desk, 40, "702", Lamp::Free);
    assert!(effects.contains(&Effect::Park {
        call,
        slot: Some(slot("702")),
        note: Text::default(),
        party: jane()
    }));
    let effects = lamp(&mut occupied, 40, "702", Lamp::Parked);
    assert!(!effects.iter().any(|e| matches!(e, Effect::Park { .. } | Effect::Retrieve { .. })));
    assert!(last_words(&occupied).contains("press its key again"));
}

#[test]
fn a_comeback_is_recognised_without_help_from_the_server() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(2000), Command::NoteSlot { slot: key("701"), text: "for Sam".into() });
    lamp(&mut desk, 46_003, "701", Lamp::Free);
    let call = ring(&mut desk, 46_005, jane());
    let call = desk.call(call).unwrap();
    assert_eq!(call.comeback, Some(Comeback { slot: Some(slot("701")), waited_s: 45 }));
    assert_eq!(call.note.as_str(), "for Sam");
    assert_eq!(desk.sound_plan().ring, RingTone::Comeback);
}

#[test]
fn a_comeback_that_nobody_answers_is_told_with_the_number_to_call() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 46_003, "701", Lamp::Free);
    let call = ring(&mut desk, 46_005, jane());
    desk.learn(at(66_005), Event::CallEnded { call, reason: Text::default(), by_them: true });
    assert_eq!(
        last_words(&desk),
        "Jane Doe came back from 701 and nobody answered: the call is over · 01614960100"
    );
    let gone = desk.notices.iter().any(|n| n.text.as_str().contains("no longer"));
    assert!(!gone, "a caller who rang is not told of as gone as well: {:?}", desk.notices);
}

#[test]
fn a_caller_of_ours_who_leaves_his_slot_and_does_not_ring_is_told_of_once() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Free);
    assert_eq!(desk.next_deadline(), Some(at(10_000)));
    for ms in [9_500, 10_000, 11_000] {
        desk.learn(at(ms), Event::Ticked);
        let told = last_words(&desk).starts_with("Jane Doe is no longer on 701: taken elsewhere, or hung up");
        assert_eq!(told, ms >= 10_000, "{ms}");
    }
    let told = desk.notices.iter().filter(|n| n.text.as_str().contains("no longer on 701")).count();
    assert_eq!(told, 1);
}

#[test]
fn who_was_told_of_as_gone_and_calls_anew_is_no_comeback_unless_the_server_says_that_we_parked_him() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Free);
    desk.learn(at(10_000), Event::Ticked);
    let call = ring(&mut desk, 11_000, jane());
    assert_eq!(desk.call(call).unwrap().comeback, None);
    desk.learn(at(11_500), Event::CallEnded { call, reason: Text::default(), by_them: true });
    let call = desk.new_call_id();
    let arrival = CallArrival {
        call,
        party: jane(),
        called: Text::new("100"),
        comeback: None,
        referred_by_us: true,
        note: Text::default(),
    };
    desk.learn(at(12_000), Event::CallArrived(arrival));
    assert!(desk.call(call).unwrap().comeback.is_some());
}

#[test]
fn a_caller_of_ours_who_left_while_the_server_was_silent_is_told_of_as_such() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 9000, "701", Lamp::Stale { since: at(8000), was_parked: true });
    lamp(&mut desk, 20_000, "701", Lamp::Free);
    desk.learn(at(21_000), Event::Ticked);
    assert!(last_words(&desk).starts_with("Jane Doe was on 701 before the server fell silent"));
}

#[test]
fn whom_others_parked_leaves_in_silence_and_whom_we_fetched_as_well() {
    let mut desk = desk();
    lamp(&mut desk, 10, "702", Lamp::Parked);
    lamp(&mut desk, 20, "702", Lamp::Free);
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    lamp(&mut desk, 4005, "701", Lamp::Free);
    desk.learn(at(9000), Event::Ticked);
    assert!(desk.notices.iter().all(|n| !n.text.as_str().contains("no longer")), "{:?}", desk.notices);
}

#[test]
fn a_park_that_met_another_before_it_was_proven_claims_neither_slot() {
    let mut desk = desk();
    // Lit before: not in question.
    lamp(&mut desk, 5, "703", Lamp::Parked);
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    lamp(&mut desk, 1001, "701", Lamp::Parked);
    lamp(&mut desk, 1002, "702", Lamp::Parked);
    desk.learn(at(1003), Event::ParkProven { call, slot: Some(slot("701")) });
    assert_eq!(last_words(&desk), "Jane Doe is on 701 or 702: two parks met, the server doesn't say which");
    let ours = desk.slots.iter().filter(|s| s.parked.as_ref().is_some_and(|p| p.ours)).count();
    assert_eq!((ours, desk.undo), (0, None));
}

#[test]
fn of_two_parks_that_met_no_slot_claims_to_be_ours() {
    let mut desk = desk();
    park_jane(&mut desk);
    lamp(&mut desk, 1010, "702", Lamp::Parked);
    desk.learn(at(1010), Event::ParkDoubted { slots: vec![slot("701"), slot("702")] });
    for id in ["701", "702"] {
        let parked = desk.slot(&key(id)).unwrap().parked.as_ref().unwrap();
        assert!(
            parked.parkee.is_withheld() && parked.parker.is_withheld() && !parked.ours,
            "{id}: {parked:?}"
        );
    }
}

#[test]
fn a_retrieved_caller_who_rings_again_is_no_comeback() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    lamp(&mut desk, 4005, "701", Lamp::Free);
    let call = ring(&mut desk, 5000, jane());
    assert_eq!(desk.call(call).unwrap().comeback, None);
}

#[test]
fn hanging_up_never_drops_a_caller_whose_park_is_undecided() {
    let mut desk = desk();
    talking(&mut desk, 10, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    assert_eq!(desk.obey(at(1001), Command::HangUp), []);
    assert!(last_words(&desk).contains("wait for the server's word"));
}

#[test]
fn leaving_with_calls_up_asks_once() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    assert_eq!(desk.obey(at(20), Command::Quit), []);
    assert!(last_words(&desk).contains("1 of your calls would end"));
    let effects = desk.obey(at(30), Command::Quit);
    assert!(effects.contains(&Effect::HangUp(call)) && effects.contains(&Effect::Leave));
}

#[test]
fn memory_of_an_earlier_session_counts_only_while_the_lamp_is_lit() {
    let mut first = desk();
    park_jane(&mut first);
    let memory = first.memory(LineId(0));
    let mut second = Desk::new(
        "x",
        "front",
        first.slots.iter().map(|s| s.id.clone()).collect(),
        first.lines[0].abilities.clone(),
    );
    second.remember(LineId(0), memory);
    assert!(second.slots[0].parked.is_none(), "no lamp, no caller");
    let mut freed = second.clone();
    lamp(&mut second, 10, "701", Lamp::Parked);
    assert_eq!(second.slots[0].parked.as_ref().unwrap().parkee, jane());
    lamp(&mut freed, 10, "701", Lamp::Free);
    lamp(&mut freed, 20, "701", Lamp::Parked);
    assert!(freed.slots[0].parked.as_ref().unwrap().parkee.is_withheld());
}

#[test]
fn a_slot_is_a_slot_however_it_is_typed() {
    for typed in ["701", "7 01", "70-1", "(701)", "sip:701@pbx", "701@pbx", "tel:701"] {
        let mut desk = desk();
        talking(&mut desk, 10, jane());
        lamp(&mut desk, 20, "701", Lamp::Parked);
        let effects = desk.obey(at(30), Command::Transfer { to: typed.into() });
        assert_eq!(effects, [], "{typed}: a transfer there would join two callers");
        let effects = desk.obey(at(40), Command::Dial(typed.into()));
        assert!(effects.iter().any(|e| matches!(e, Effect::Retrieve { .. })), "{typed}: {effects:?}");
    }
}

#[test]
fn a_transfer_that_turned_out_to_be_a_park_can_fail_like_one() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    desk.obey(at(20), Command::Transfer { to: "700".into() });
    desk.learn(at(30), Event::ParkRefused { call, reason: Text::new("the lot is full") });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
}

#[test]
fn giving_up_a_retrieve_ends_nobodys_call() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    assert_eq!(desk.obey(at(4005), Command::HangUp), [], "the server may have taken her out already");
    let effects = desk.learn(at(4010), Event::CallAnswered { call });
    assert!(matches!(effects.as_slice(), [Effect::Park { .. }]), "{effects:?}");
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn a_key_meant_for_a_ring_opens_no_microphone() {
    let mut desk = desk();
    park_jane(&mut desk);
    desk.obey(at(4000), Command::PressSlot(key("701")));
    let call = desk.in_hand.unwrap();
    desk.learn(at(4010), Event::CallAnswered { call });
    assert_eq!(desk.obey(at(4020), Command::Answer), [], "nobody was asked anything yet");
    assert_eq!(desk.sound_plan().spoken_to, None);
    desk.learn(at(4030), Event::PartyTold { call, party: bob() });
    assert!(matches!(desk.call(call).unwrap().phase, Phase::PuttingBack { .. }));
}

#[test]
fn a_caller_who_has_just_begun_to_ring_is_not_turned_away_by_a_late_key() {
    let mut desk = desk();
    let call = ring(&mut desk, 1000, jane());
    assert_eq!(desk.obey(at(1200), Command::HangUp), []);
    assert_eq!(desk.obey(at(2100), Command::HangUp), [Effect::Reject(call)]);
}

mod random {
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
            desk.lines[0].abilities.directed_park = directed;
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
}

#[test]
fn a_transfer_that_the_caller_asks_for_is_told_and_left_to_the_operator() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, jane());
    let effects = desk.learn(at(20), Event::TransferWished { call, to: "Sam".into() });
    assert!(effects.is_empty(), "nobody is put through unasked");
    assert_eq!(last_words(&desk), "Jane Doe asks to be put through to Sam · t does it");
}

#[test]
fn a_call_says_where_it_was_diverted_from_and_that_somebody_else_took_it() {
    let mut desk = desk();
    let call = ring(&mut desk, 10, jane());
    desk.learn(at(11), Event::CallRemarked { call, remark: "diverted from Sam".into() });
    assert_eq!(desk.call(call).unwrap().remark.as_str(), "diverted from Sam");
    let reason = Text::new("answered elsewhere");
    desk.learn(at(20), Event::CallEnded { call, reason, by_them: true });
    assert_eq!(last_words(&desk), "Jane Doe: answered elsewhere");
}
