//! What consoles tell each other, and what of it is believed: names and claims, never a lamp and never a way to lose or
//! to join a caller.

use super::*;

fn ann() -> Identity {
    Identity::new("Ann", "101")
}

/// A desk at a server whose lamps name nobody, with Ann and Ben for colleagues; it is free of everybody.
fn desk() -> Desk {
    desk_on(NewLine { team: vec![ann(), Identity::new("", "105")], ..ordinary() })
}

fn call(parkee: Identity, note: &str, waited_s: u32) -> ToldCall {
    ToldCall { parkee, parker: Text::default(), note: Text::new(note), waited_s }
}

fn told(desk: &mut Desk, ms: u64, from: Identity, id: &str, deed: TeamDeed, call: ToldCall) -> Vec<Effect> {
    let news = TeamNews::About { slot: slot(id), deed, call };
    desk.learn(at(ms), Event::TeamTold { from, news })
}

/// What a desk tells all colleagues: the slots with deeds and calls.
fn words(effects: &[Effect]) -> Vec<(String, TeamDeed, ToldCall)> {
    let word = |effect: &Effect| match effect {
        Effect::TellTeam { to: None, news: TeamNews::About { slot, deed, call }, .. } => {
            Some((slot.to_string(), *deed, call.clone()))
        }
        _ => None,
    };
    effects.iter().filter_map(word).collect()
}

/// Parks the call and proves it, with the lamp.
fn park(desk: &mut Desk, ms: u64, id: CallId, to: &str) -> Vec<Effect> {
    desk.obey(at(ms), Command::Park { slot: None });
    let mut effects = lamp(desk, ms, to, Lamp::Parked);
    effects.extend(desk.learn(at(ms), Event::ParkProven { call: id, slot: Some(slot(to)) }));
    effects
}

fn parked<'d>(desk: &'d Desk, id: &str) -> &'d ParkedCall {
    desk.slot(&key(id)).unwrap().parked.as_ref().unwrap()
}

#[test]
fn once_registered_the_colleagues_are_asked_and_after_an_outage_again() {
    let mut desk = Desk::with_lines([NewLine { team: vec![ann()], ..NewLine::default() }]);
    let hello = |effects: Vec<Effect>| {
        let hello = Effect::TellTeam { line: LineId(0), to: None, news: TeamNews::Hello };
        effects.contains(&hello)
    };
    assert!(hello(desk.learn(at(0), Event::Registered)));
    assert!(!hello(desk.learn(at(1), Event::Registered)), "a refresh is no start");
    let reason = Text::new("gone");
    desk.learn(at(2), Event::RegistrationFailed { reason, retry_at: None });
    assert!(hello(desk.learn(at(3), Event::Registered)));
    let mut alone = Desk::with_lines([NewLine::default()]);
    assert_eq!(alone.learn(at(0), Event::Registered), []);
}

#[test]
fn who_was_parked_by_us_is_told_with_note_and_so_is_a_change_of_the_note() {
    let mut desk = desk();
    let id = talking(&mut desk, 10, jane());
    desk.obey(at(11), Command::NoteCall { call: id, text: "for Sam, bay 3".into() });
    let effects = park(&mut desk, 20, id, "701");
    assert_eq!(words(&effects), [("701".into(), TeamDeed::Parked, call(jane(), "for Sam, bay 3", 0))]);
    assert_eq!(words(&desk.learn(at(30), Event::Ticked)), [], "told once");
    let effects = desk.obey(at(5_020), Command::NoteSlot { slot: key("701"), text: "urgent".into() });
    assert_eq!(words(&effects), [("701".into(), TeamDeed::Noted, call(jane(), "urgent", 5))]);
    lamp(&mut desk, 6_000, "701", Lamp::Free);
    assert_eq!(words(&desk.learn(at(6_001), Event::Ticked)), []);
}

#[test]
fn a_claim_is_told_with_the_key_and_its_end_with_what_came_of_it() {
    let mut desk = desk();
    lamp(&mut desk, 10, "702", Lamp::Parked);
    let effects = desk.obey(at(20), Command::PressSlot(key("702")));
    let Some(Effect::Retrieve { call: id, .. }) = effects.first() else { panic!("{effects:?}") };
    assert!(matches!(words(&effects)[..], [(_, TeamDeed::Claimed, _)]), "before the server's answer");
    let effects = desk.learn(at(30), Event::CallAnswered { call: *id });
    assert_eq!(words(&effects), []);
    let effects = desk.learn(at(40), Event::PartyTold { call: *id, party: jane() });
    assert!(matches!(words(&effects)[..], [(_, TeamDeed::Retrieved, _)]), "{effects:?}");
    // Another one, which fails.
    desk.obey(at(45), Command::HangUp);
    lamp(&mut desk, 50, "703", Lamp::Parked);
    let effects = desk.obey(at(60), Command::PressSlot(key("703")));
    let Some(Effect::Retrieve { call: id, .. }) = effects.first() else { panic!("{effects:?}") };
    let reason = Text::new("gone");
    let effects = desk.learn(at(70), Event::CallEnded { call: *id, reason, by_them: true });
    assert!(matches!(words(&effects)[..], [(_, TeamDeed::Released, _)]), "{effects:?}");
}

#[test]
fn a_colleagues_word_names_the_caller_whose_lamp_is_lit_and_is_compared_when_he_is_retrieved() {
    let mut desk = desk();
    lamp(&mut desk, 1_000, "701", Lamp::Parked);
    assert!(parked(&desk, "701").parkee.is_withheld());
    let effects = told(&mut desk, 1_050, ann(), "701", TeamDeed::Parked, call(jane(), "for Sam", 0));
    assert_eq!(words(&effects), [], "what was told is not told on");
    let there = parked(&desk, "701");
    assert_eq!((&there.parkee, there.parker.label(), there.note.as_str()), (&jane(), "Ann", "for Sam"));
    assert_eq!((there.told_by.as_str(), there.strength, there.ours), ("Ann", Strength::Verified, false));
    let effects = desk.obey(at(2_000), Command::PressSlot(key("701")));
    let Some(Effect::Retrieve { call: id, target }) = effects.first() else { panic!("{effects:?}") };
    assert_eq!((target.strength, &target.seen.parkee), (Strength::Verified, &jane()));
    desk.learn(at(2_010), Event::CallAnswered { call: *id });
    assert_eq!(desk.sound_plan().spoken_to, None);
    let stranger = Identity::new("Eve", "0777");
    let effects = desk.learn(at(2_020), Event::PartyTold { call: *id, party: stranger });
    assert!(effects.iter().any(|e| matches!(e, Effect::Park { .. })), "she goes back unheard: {effects:?}");
    assert_eq!(desk.sound_plan().spoken_to, None);
}

#[test]
fn no_lamp_lights_and_nobody_is_named_by_a_colleagues_word_alone() {
    let mut desk = desk();
    told(&mut desk, 100, ann(), "701", TeamDeed::Parked, call(jane(), "", 0));
    told(&mut desk, 101, ann(), "701", TeamDeed::Claimed, ToldCall::default());
    told(&mut desk, 102, ann(), "799", TeamDeed::Parked, call(jane(), "", 0));
    let there = desk.slot(&key("701")).unwrap();
    assert_eq!((&there.lamp, &there.parked, &there.claim), (&Lamp::Free, &None, &None));
    // The message may be quicker than the lamp.
    lamp(&mut desk, 600, "701", Lamp::Parked);
    assert_eq!(parked(&desk, "701").parkee, jane());
    // But what was told long before the lamp lit is about somebody else.
    told(&mut desk, 700, ann(), "702", TeamDeed::Parked, call(jane(), "", 0));
    lamp(&mut desk, 12_000, "702", Lamp::Parked);
    assert!(parked(&desk, "702").parkee.is_withheld());
    told(&mut desk, 12_100, ann(), "702", TeamDeed::Parked, call(jane(), "", 11));
    assert!(parked(&desk, "702").parkee.is_withheld(), "parked long before this lamp lit: an old message");
}

#[test]
fn a_stranger_is_nobody_and_a_colleagues_name_never_replaces_our_own_knowledge() {
    let mut desk = desk();
    lamp(&mut desk, 10, "701", Lamp::Parked);
    told(&mut desk, 20, Identity::new("Ann", "199"), "701", TeamDeed::Parked, call(jane(), "x", 0));
    told(&mut desk, 20, Identity::default(), "701", TeamDeed::Claimed, call(jane(), "x", 0));
    assert!(parked(&desk, "701").parkee.is_withheld() && desk.slot(&key("701")).unwrap().claim.is_none());
    let id = talking(&mut desk, 30, jane());
    park(&mut desk, 40, id, "702");
    let bob = Identity::new("Bob", "0777");
    told(&mut desk, 50, ann(), "702", TeamDeed::Parked, call(bob.clone(), "no", 0));
    assert_eq!((&parked(&desk, "702").parkee, parked(&desk, "702").note.as_str()), (&jane(), ""));
    // A note about the same caller is welcome, whoever writes it.
    told(&mut desk, 60, ann(), "702", TeamDeed::Noted, call(jane(), "bay 3", 0));
    assert_eq!(parked(&desk, "702").note.as_str(), "bay 3");
    assert!(parked(&desk, "702").ours);
    // Nor the server's.
    desk.lines[0].lots[0].abilities.lamps_name_callers = true;
    let report = LampReport { lamp: Lamp::Parked, parkee: Some(bob.clone()), ..LampReport::default() };
    desk.learn(at(70), Event::LampChanged { slot: slot("703"), report });
    told(&mut desk, 80, ann(), "703", TeamDeed::Parked, call(jane(), "x", 0));
    assert_eq!((&parked(&desk, "703").parkee, parked(&desk, "703").note.as_str()), (&bob, ""));
}

#[test]
fn who_is_fetched_by_a_colleague_comes_last_and_the_key_says_so_before_it_acts() {
    let mut desk = desk();
    lamp(&mut desk, 10, "701", Lamp::Parked);
    lamp(&mut desk, 20, "702", Lamp::Parked);
    told(&mut desk, 30, ann(), "701", TeamDeed::Claimed, ToldCall::default());
    assert_eq!(desk.longest_parked().unwrap().id, slot("702"));
    let effects = desk.obey(at(40), Command::PressSlot(key("701")));
    assert_eq!(effects, []);
    assert!(desk.notices.back().unwrap().text.as_str().contains("Ann is retrieving 701 · press again"));
    let effects = desk.obey(at(1_000), Command::PressSlot(key("701")));
    assert!(matches!(effects.first(), Some(Effect::Retrieve { .. })), "he may be wrong: {effects:?}");
    // The colleague has him: who was slower is told, and no leg is ended by it.
    let effects = told(&mut desk, 1_100, ann(), "701", TeamDeed::Retrieved, call(jane(), "", 0));
    assert!(!effects.iter().any(|e| matches!(e, Effect::HangUp(_))));
    assert!(desk.notices.back().unwrap().text.as_str().contains("701: Ann took Jane Doe"));
    let id = desk.calls[0].id;
    desk.learn(at(1_200), Event::CallEnded { call: id, reason: Text::default(), by_them: true });
    assert!(desk.notices.back().unwrap().text.as_str().contains("was not retrieved: Ann took Jane Doe"));
}

#[test]
fn a_claim_ends_with_the_colleagues_word_with_the_lamp_with_his_restart_and_with_time() {
    for end in 0..4 {
        let mut desk = desk();
        lamp(&mut desk, 10, "701", Lamp::Parked);
        told(&mut desk, 20, ann(), "701", TeamDeed::Claimed, ToldCall::default());
        let claimed = |desk: &Desk| desk.slot(&key("701")).unwrap().claimed(desk.now).is_some();
        assert!(claimed(&desk));
        let ben = Identity::new("", "105");
        told(&mut desk, 25, ben, "701", TeamDeed::Released, ToldCall::default());
        assert!(claimed(&desk), "it is not Ben's");
        match end {
            0 => drop(told(&mut desk, 30, ann(), "701", TeamDeed::Released, ToldCall::default())),
            1 => drop(lamp(&mut desk, 30, "701", Lamp::Free)),
            2 => drop(desk.learn(at(30), Event::TeamTold { from: ann(), news: TeamNews::Hello })),
            _ => {
                let until = desk.next_deadline().unwrap();
                assert!(until <= at(40_020));
                desk.learn(at(40_021), Event::Ticked);
            }
        }
        assert!(!claimed(&desk), "{end}");
    }
}

#[test]
fn who_starts_late_is_told_who_is_where_and_by_whom() {
    let mut old = desk();
    let id = talking(&mut old, 10, jane());
    old.obey(at(11), Command::NoteCall { call: id, text: "for Sam".into() });
    park(&mut old, 20, id, "701");
    lamp(&mut old, 30, "702", Lamp::Parked);
    let ben = Identity::new("Ben", "105");
    told(&mut old, 40, ben.clone(), "702", TeamDeed::Parked, call(Identity::new("Bob", "0777"), "", 0));
    lamp(&mut old, 50, "703", Lamp::Parked);
    let effects = old.learn(at(60_000), Event::TeamTold { from: ann(), news: TeamNews::Hello });
    let mut young = desk();
    let start = 1_000_000;
    for id in ["701", "702", "703"] {
        lamp(&mut young, start, id, Lamp::Unknown);
        lamp(&mut young, start + 1, id, Lamp::Parked);
    }
    let mut count = 0;
    for effect in effects {
        let Effect::TellTeam { to: Some(to), news, .. } = effect else { panic!("{effect:?}") };
        assert_eq!(to.as_str(), "101", "only who asked");
        let from = Identity::new("Old", "105");
        young.learn(at(start + 200), Event::TeamTold { from, news });
        count += 1;
    }
    assert_eq!(count, 2, "of 703 nothing is known");
    assert_eq!((&parked(&young, "701").parkee, parked(&young, "701").note.as_str()), (&jane(), "for Sam"));
    assert_eq!(
        (parked(&young, "701").parker.label(), parked(&young, "701").told_by.as_str()),
        ("Old", "Old")
    );
    assert_eq!(
        (parked(&young, "702").parker.label(), parked(&young, "702").told_by.as_str()),
        ("Ben", "Old")
    );
    let waited = young.now.saturating_sub(parked(&young, "701").since);
    assert_eq!(waited.as_secs(), 59, "since he was parked, not since the lamp was seen");
}

#[test]
fn a_name_that_was_told_in_error_is_taken_back() {
    let mut desk = desk();
    lamp(&mut desk, 10, "701", Lamp::Parked);
    told(&mut desk, 20, ann(), "701", TeamDeed::Parked, call(jane(), "for Sam", 0));
    told(&mut desk, 30, ann(), "701", TeamDeed::Withdrawn, ToldCall::default());
    let there = parked(&desk, "701");
    assert!(there.parkee.is_withheld() && there.note.is_empty() && there.told_by.is_empty());
    assert_eq!(there.strength, Strength::Unverified);
    // The park itself, when it is doubted, is what takes back what was told of it.
    let mut desk = self::desk();
    let id = talking(&mut desk, 10, jane());
    park(&mut desk, 20, id, "701");
    lamp(&mut desk, 30, "702", Lamp::Parked);
    let effects = desk.learn(at(40), Event::ParkDoubted { slots: vec![slot("701"), slot("702")] });
    assert!(matches!(words(&effects)[..], [(_, TeamDeed::Withdrawn, _)]), "{effects:?}");
}

#[test]
fn who_greets_without_end_is_not_answered_without_end() {
    let mut desk = desk();
    let id = talking(&mut desk, 10, jane());
    park(&mut desk, 20, id, "701");
    let mut answers = |ms: u64| {
        let effects = desk.learn(at(ms), Event::TeamTold { from: ann(), news: TeamNews::Hello });
        effects.iter().filter(|e| matches!(e, Effect::TellTeam { .. })).count()
    };
    let quickly: usize = (0..100).map(|n| answers(100 + n)).sum();
    assert_eq!(quickly, 4);
    assert_eq!(answers(30_000), 1, "later again");
}
