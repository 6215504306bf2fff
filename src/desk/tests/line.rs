//! Several lines on one desk: whatever happens on one stays there, and nobody is parked in another's lot.

use super::*;

const FRONT: LineId = LineId(0);
const YARD: LineId = LineId(1);

fn slot(line: LineId, id: &str) -> SlotKey {
    SlotKey { line, id: SlotId::new(id).unwrap() }
}

fn line(name: &str) -> NewLine {
    NewLine {
        answers_for: vec!["sam".into()],
        name: name.into(),
        label: format!("reception@{name}"),
        lots: vec![NewLot {
            name: format!("{name} lot"),
            slots: ["701", "702"].map(|id| SlotId::new(id).unwrap()).to_vec(),
            abilities: Abilities { directed_park: true, ..Abilities::default() },
            ..NewLot::default()
        }],
        ..NewLine::default()
    }
}

/// Two lines whose lots have the same numbers, all free and fresh.
fn desk() -> Desk {
    let mut desk = Desk::with_lines([line("Front"), line("Yard")]);
    for line in [FRONT, YARD] {
        desk.learn_on(at(0), line, Event::Registered);
        desk.learn_on(at(0), line, Event::Reached { round_trip_ms: 3 });
        for id in ["701", "702"] {
            lamp(&mut desk, &slot(line, id), Lamp::Free);
        }
    }
    desk
}

fn lamp(desk: &mut Desk, key: &SlotKey, lamp: Lamp) {
    let report = LampReport { lamp, ..LampReport::default() };
    desk.learn_on(desk.now, key.line, Event::LampChanged { slot: key.id.clone(), report });
}

fn talking(desk: &mut Desk, line: LineId, party: Identity) -> CallId {
    let call = desk.new_call_id();
    desk.learn_on(desk.now, line, Event::CallArrived(arrival(call, party)));
    desk.obey(desk.now, Command::Take(call));
    desk.learn_on(desk.now, line, Event::CallAnswered { call });
    call
}

fn words(desk: &Desk) -> String {
    desk.notices.back().map(|n| n.text.to_string()).unwrap_or_default()
}

#[test]
fn a_call_is_never_parked_in_another_lines_lot() {
    for wish in [Command::PressSlot(slot(YARD, "701")), Command::Park { slot: Some(slot(YARD, "701")) }] {
        let mut desk = desk();
        let call = talking(&mut desk, FRONT, jane());
        assert_eq!(desk.obey(at(1000), wish), [], "nothing is sent");
        assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
        let said = words(&desk);
        assert!(said.contains("701 is in lot “Yard lot”") && said.contains("“Front lot”"), "{said}");
    }
    // Nor after the server was asked because the lamp was stale.
    let mut desk = desk();
    talking(&mut desk, FRONT, jane());
    lamp(&mut desk, &slot(YARD, "701"), Lamp::Stale { since: at(0), was_parked: false });
    assert_eq!(
        desk.obey(at(1000), Command::PressSlot(slot(YARD, "701"))),
        [Effect::AskLamp(slot(YARD, "701"))]
    );
    lamp(&mut desk, &slot(YARD, "701"), Lamp::Free);
    assert!(desk.calls.iter().all(|call| call.phase == Phase::Talking), "{:?}", desk.calls);
}

#[test]
fn a_park_without_a_slot_is_judged_by_the_calls_own_lot() {
    let mut desk = desk();
    let call = talking(&mut desk, YARD, jane());
    for id in ["701", "702"] {
        lamp(&mut desk, &slot(YARD, id), Lamp::Parked);
    }
    assert_eq!(desk.can_park(None), Err(ParkBar::LotFull), "though the other lot has room");
    lamp(&mut desk, &slot(YARD, "702"), Lamp::Free);
    let park = Effect::Park { call, lot: LotId(0), slot: None, note: Text::default(), party: jane() };
    assert_eq!(desk.obey(at(1000), Command::Park { slot: None }), [park]);
    lamp(&mut desk, &slot(YARD, "702"), Lamp::Parked);
    desk.learn_on(at(1100), YARD, Event::ParkProven { call, slot: Some(slot(YARD, "702").id) });
    assert!(words(&desk).contains("is parked on 702 Yard lot"), "{}", words(&desk));
    assert_eq!(desk.slot(&slot(YARD, "702")).unwrap().parked.as_ref().unwrap().parkee, jane());
    assert_eq!(desk.slot(&slot(FRONT, "702")).unwrap().parked, None);
    let effects = desk.obey(at(2000), Command::Undo);
    let [Effect::Retrieve { call, .. }] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(desk.call(*call).unwrap().line, YARD, "and is taken back by the line that parked");
}

#[test]
fn lamps_with_the_same_number_are_two_lamps() {
    let mut desk = desk();
    lamp(&mut desk, &slot(YARD, "701"), Lamp::Parked);
    assert!(desk.slot(&slot(FRONT, "701")).unwrap().is_known_free());
    assert!(desk.slot(&slot(YARD, "701")).unwrap().holds_somebody());
}

#[test]
fn a_caller_is_taken_from_another_lines_lot_with_the_hand_on_hold() {
    let mut desk = desk();
    let hand = talking(&mut desk, FRONT, jane());
    lamp(&mut desk, &slot(YARD, "701"), Lamp::Parked);
    let effects = desk.obey(at(1000), Command::PressSlot(slot(YARD, "701")));
    let [Effect::Hold(held), Effect::Retrieve { call, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((*held, desk.call(*call).unwrap().line), (hand, YARD));
}

#[test]
fn new_calls_go_out_by_the_first_line_that_is_reachable_or_by_the_chosen_one() {
    let mut desk = desk();
    let by = |desk: &mut Desk, to: &str| {
        desk.obey(desk.now, Command::Dial(to.into()));
        desk.calls.last().unwrap().line
    };
    assert_eq!(by(&mut desk, "204"), FRONT);
    desk.learn_on(at(10), FRONT, Event::Unreachable);
    assert_eq!(by(&mut desk, "204"), YARD);
    desk.learn_on(at(20), FRONT, Event::Reached { round_trip_ms: 3 });
    desk.obey(at(30), Command::ChooseLine(Some(YARD)));
    assert_eq!(by(&mut desk, "204"), YARD, "the choice stays");
    desk.obey(at(40), Command::ChooseLine(None));
    assert_eq!(by(&mut desk, "204"), FRONT, "and goes round");
    // The number of a slot means the slot of the line that would call it.
    lamp(&mut desk, &slot(YARD, "702"), Lamp::Parked);
    desk.obey(at(50), Command::ChooseLine(None));
    let effects = desk.obey(at(60), Command::Dial("702".into()));
    assert!(effects.iter().any(|e| matches!(e, Effect::Retrieve { .. })), "{effects:?}");
}

#[test]
fn the_voicemail_key_calls_the_mailbox_with_news_else_that_of_the_line_in_hand() {
    let mut desk = desk();
    assert_eq!(desk.obey(at(1), Command::CallVoicemail), []);
    assert!(words(&desk).starts_with("no account has a mailbox"), "{}", words(&desk));
    for (line, number) in [(FRONT, "*97"), (YARD, "*98")] {
        desk.lines[line.index()].voicemail = Text::new(number);
    }
    let called = |desk: &mut Desk| {
        let effects = desk.obey(desk.now, Command::CallVoicemail);
        let call = desk.calls.last().unwrap();
        assert!(
            effects.contains(&Effect::Dial { call: call.id, to: call.called.to_string() }),
            "{effects:?}"
        );
        (call.line, call.called.to_string())
    };
    assert_eq!(called(&mut desk), (FRONT, "*97".into()));
    let news = Messages { waiting: true, new: Some(2), ..Messages::default() };
    desk.learn_on(at(2), YARD, Event::MessagesTold(Some(news)));
    assert_eq!(called(&mut desk), (YARD, "*98".into()));
}

#[test]
fn a_silent_server_is_told_of_its_line_and_leaves_the_others_alone() {
    let mut desk = desk();
    let front = talking(&mut desk, FRONT, jane());
    desk.learn_on(at(1000), YARD, Event::Unreachable);
    assert_eq!(words(&desk), "Yard: the server doesn't answer: no call is on it, lamps can't be trusted");
    assert!(desk.lines[0].account.is_reachable() && !desk.lines[1].account.is_reachable());
    desk.learn_on(at(2000), FRONT, Event::Unreachable);
    assert!(words(&desk).starts_with("Front: the server doesn't answer: its call with you goes on"));
    assert_eq!(desk.call(front).unwrap().phase, Phase::Talking);
    let (reason, retry_at) = (Text::new("no"), None);
    desk.learn_on(at(3000), YARD, Event::RegistrationFailed { reason, retry_at });
    assert!(words(&desk).starts_with("Yard: not registered: no"));
    assert_eq!(desk.lines[0].account.registration, Registration::Registered);
}

#[test]
fn a_comeback_is_one_of_its_own_line_only() {
    let ring = |desk: &mut Desk, line| {
        let call = desk.new_call_id();
        let (called, note) = (Text::default(), Text::default());
        let arrival = CallArrival { call, party: jane(), called, comeback: None, referred_by_us: true, note };
        desk.learn_on(desk.now, line, Event::CallArrived(arrival));
        desk.call(call).unwrap().comeback.is_some()
    };
    let mut desk = desk();
    let call = talking(&mut desk, FRONT, jane());
    desk.obey(at(1000), Command::Park { slot: None });
    lamp(&mut desk, &slot(FRONT, "701"), Lamp::Parked);
    desk.learn_on(at(1010), FRONT, Event::ParkProven { call, slot: Some(slot(FRONT, "701").id) });
    lamp(&mut desk, &slot(FRONT, "701"), Lamp::Free);
    let mut other = desk.clone();
    assert!(!ring(&mut other, YARD), "who calls the warehouse dialled it");
    assert!(ring(&mut desk, FRONT));
}

#[test]
fn what_is_remembered_is_remembered_of_its_line() {
    let mut first = desk();
    let call = talking(&mut first, YARD, jane());
    first.obey(at(1000), Command::Park { slot: None });
    lamp(&mut first, &slot(YARD, "701"), Lamp::Parked);
    first.learn_on(at(1010), YARD, Event::ParkProven { call, slot: Some(slot(YARD, "701").id) });
    let (front, yard) = (first.memory(FRONT), first.memory(YARD));
    assert_eq!((front.len(), yard.len()), (0, 1));
    let mut second = Desk::with_lines([line("Front"), line("Yard")]);
    second.remember(FRONT, front);
    second.remember(YARD, yard);
    lamp(&mut second, &slot(FRONT, "701"), Lamp::Parked);
    lamp(&mut second, &slot(YARD, "701"), Lamp::Parked);
    let who = |line| second.slot(&slot(line, "701")).unwrap().parked.as_ref().unwrap().parkee.clone();
    assert_eq!((who(FRONT), who(YARD)), (Identity::default(), jane()));
}

/// A call that asks to be answered at once, by whom the server asserts it is.
fn asks(desk: &mut Desk, by: &str, comeback: Option<(Option<SlotId>, u32)>) -> (CallId, Vec<Effect>) {
    let call = desk.new_call_id();
    let (called, note) = (Text::new("100"), Text::default());
    let party = Identity::new("Sam", by);
    let arrival = CallArrival { call, party, called, comeback, referred_by_us: false, note };
    desk.learn_on(desk.now, FRONT, Event::CallArrived(arrival));
    let asked = Event::AutoAnswerAsked { call, by: Text::new(by) };
    (call, desk.learn_on(desk.now, FRONT, asked))
}

#[test]
fn a_call_answers_itself_for_those_who_are_named_and_the_board_says_that_we_are_heard() {
    let mut desk = desk();
    let (call, effects) = asks(&mut desk, "SAM", None);
    assert_eq!(effects, [Effect::Answer(call)]);
    assert!(words(&desk).contains("Sam is answered by itself: you are heard"), "{}", words(&desk));
    desk.learn_on(desk.now, FRONT, Event::CallAnswered { call });
    assert_eq!(desk.call(call).unwrap().phase, Phase::Talking);
}

#[test]
fn no_call_answers_itself_for_others_nor_beside_another_call_nor_as_a_comeback() {
    let mut fresh = desk();
    let (call, effects) = asks(&mut fresh, "jane", None);
    assert_eq!((effects, &fresh.call(call).unwrap().phase), (vec![], &Phase::Ringing));
    // The list is empty.
    let mut without = Desk::with_lines([NewLine { answers_for: vec![], ..line("Front") }]);
    assert_eq!(asks(&mut without, "sam", None).1, []);
    for line in [FRONT, YARD] {
        let mut busy = desk();
        let talk = talking(&mut busy, line, jane());
        let (call, effects) = asks(&mut busy, "sam", None);
        assert_eq!((effects, busy.in_hand), (vec![], Some(talk)));
        assert_eq!(busy.call(call).unwrap().phase, Phase::Ringing);
        assert_eq!(busy.call(talk).unwrap().phase, Phase::Talking, "nobody is put on hold for it");
    }
    let mut desk = desk();
    let back = Some((SlotId::new("701"), 30));
    assert_eq!(asks(&mut desk, "sam", back).1, []);
}

#[test]
fn what_is_mended_is_no_longer_called_for() {
    let mut desk = desk();
    let reason = Text::new("no answer from [::1]:5060");
    desk.learn_on(at(10), FRONT, Event::RegistrationFailed { reason, retry_at: None });
    assert_eq!(desk.current_notice().unwrap().severity, Severity::Error);
    desk.learn_on(at(20), FRONT, Event::Registered);
    assert!(desk.notices.iter().all(|notice| notice.severity != Severity::Error), "{:?}", desk.notices);
    assert!(words(&desk).contains("registered again"));
    desk.learn_on(at(30), FRONT, Event::Reached { round_trip_ms: 2 });
    desk.learn_on(at(40), FRONT, Event::Unreachable);
    assert_eq!(desk.current_notice().unwrap().severity, Severity::Error);
    desk.learn_on(at(50), FRONT, Event::Reached { round_trip_ms: 2 });
    assert!(desk.notices.iter().all(|notice| notice.severity != Severity::Error), "{:?}", desk.notices);
    assert!(words(&desk).contains("the server answers"));
}
