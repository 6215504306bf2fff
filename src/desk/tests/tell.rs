//! Telling people, paging, handing over by name, and comebacks: the right sentence about the right caller.

use super::*;

fn desk_with(live: bool) -> Desk {
    let mut desk = desk_on(NewLine {
        label: "reception@pbx.example.com".into(),
        lots: vec![NewLot {
            slots: ["701", "702", "bay"].map(slot).to_vec(),
            page: Some(PageGroup { number: "770".into(), live }),
            comeback_prefix: "Park-".into(),
            ..front()
        }],
        team: vec![Identity::new("Ann", "101"), Identity::new("Ben", "105")],
        ..ordinary()
    });
    desk.people =
        vec![Identity::new("Sam", "120"), Identity::new("Sam Hill", "121"), Identity::new("Dr Patel", "122")];
    desk
}

fn desk() -> Desk {
    desk_with(false)
}

fn arrive(desk: &mut Desk, ms: u64, party: Identity, change: impl FnOnce(&mut CallArrival)) -> CallId {
    let call = desk.new_call_id();
    let mut arrival = arrival(call, party);
    change(&mut arrival);
    desk.learn(at(ms), Event::CallArrived(arrival));
    call
}

fn talking(desk: &mut Desk, ms: u64, note: &str) -> CallId {
    let call = arrive(desk, ms, jane(), |_| ());
    desk.obey(at(ms), Command::Take(call));
    desk.learn(at(ms), Event::CallAnswered { call });
    desk.obey(at(ms), Command::NoteCall { call, text: note.into() });
    call
}

fn prove(desk: &mut Desk, ms: u64, call: CallId, id: &str) -> Vec<Effect> {
    lamp(desk, ms, id, Lamp::Parked);
    desk.learn(at(ms), Event::ParkProven { call, slot: Some(slot(id)) })
}

fn parked(desk: &mut Desk, ms: u64, note: &str) {
    let call = talking(desk, ms, note);
    desk.obey(at(ms), Command::Park { slot: None });
    prove(desk, ms, call, "701");
}

fn newest(desk: &Desk) -> &str {
    desk.notices.back().map_or("", |n| n.text.as_str())
}

#[test]
fn the_sentence_says_who_where_for_whom_and_how_any_phone_takes_him() {
    let mut desk = desk();
    assert_eq!(desk.page_text(&key("701")), None);
    for (note, words) in [
        ("", "Jane Doe waits on 701 · dial 701 (sip:701@pbx.example.com)"),
        ("Sam, bay 3", "Jane Doe waits on 701 for Sam, bay 3 · dial 701 (sip:701@pbx.example.com)"),
        ("For Sam", "Jane Doe waits on 701 For Sam · dial 701 (sip:701@pbx.example.com)"),
        ("wants the invoice", "Jane Doe waits on 701 wants the invoice · dial 701 (sip:701@pbx.example.com)"),
    ] {
        let mut desk = desk.clone();
        parked(&mut desk, 10, note);
        assert_eq!(desk.page_text(&key("701")).unwrap(), words);
    }
    lamp(&mut desk, 20, "702", Lamp::Parked);
    assert!(desk.page_text(&key("702")).unwrap().starts_with("a caller waits on 702"));
}

#[test]
fn people_are_told_about_the_caller_who_was_chosen_and_what_came_of_it_is_said() {
    let mut desk = desk();
    parked(&mut desk, 10, "Sam");
    let tell = |to: &[&str]| Command::Tell {
        slot: key("701"),
        seen: jane(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
    };
    let effects = desk.obey(at(20), tell(&["101", "105"]));
    let sent: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SendMessage { to, text, .. }
                if text.starts_with("Jane Doe waits on 701 for Sam · dial 701") =>
            {
                Some(to.as_str())
            }
            _ => None,
        })
        .collect();
    assert_eq!(sent, ["101", "105"]);
    desk.learn(at(30), Event::MessageAnswered { to: "101".into(), outcome: Ok(()) });
    assert!(newest(&desk).starts_with("telling Ann, Ben"));
    let outcome = Err(Text::new("no phone of theirs is registered"));
    desk.learn(at(40), Event::MessageAnswered { to: "105".into(), outcome });
    assert_eq!(newest(&desk), "told Ann · not told: Ben (no phone of theirs is registered)");
    lamp(&mut desk, 50, "701", Lamp::Free);
    assert_eq!(desk.obey(at(60), tell(&["101"])), []);
    assert_eq!(newest(&desk), "that caller has left 701: nobody was told");
    lamp(&mut desk, 70, "701", Lamp::Parked);
    assert_eq!(desk.obey(at(80), tell(&["101"])), [], "another caller is there now");
}

#[test]
fn park_and_announce_pages_once_the_park_is_proven_and_speaks_into_the_page_alone() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, "");
    let effects = desk.obey(at(20), Command::Page { slot: None });
    assert!(matches!(effects[..], [Effect::Park { .. }]), "{effects:?}");
    let effects = prove(&mut desk, 30, call, "701");
    let page = effects.iter().find_map(|e| match e {
        Effect::Page { call, to, .. } if to == "770" => Some(*call),
        _ => None,
    });
    let page = page.unwrap_or_else(|| panic!("{effects:?}"));
    assert!(desk.calls.is_empty() && desk.in_hand.is_none(), "it is no call of the operator's");
    let announce = Effect::Announce { call: page, slot: slot("701") };
    assert_eq!(desk.learn(at(40), Event::CallAnswered { call: page }), [announce]);
    assert_eq!(desk.learn(at(41), Event::CallAnswered { call: page }), [], "said once");
    assert_eq!(desk.sound_plan(), SoundPlan::default(), "the headset has no part in it");
    assert_eq!(desk.learn(at(9_000), Event::Announced { call: page }), [Effect::HangUp(page)]);
    assert_eq!(newest(&desk), "701 was announced");
}

#[test]
fn a_page_that_fails_says_so_and_a_park_that_fails_is_not_paged() {
    let mut desk = desk();
    let call = talking(&mut desk, 10, "");
    desk.obey(at(20), Command::Page { slot: None });
    let refused = Event::ParkRefused { call, reason: Text::new("full") };
    assert_eq!(desk.learn(at(30), refused), []);
    desk.obey(at(40), Command::Park { slot: None });
    let effects = prove(&mut desk, 50, call, "701");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Page { .. })), "that was another wish");
    // With nobody in hand it pages for who is there.
    let effects = desk.obey(at(60), Command::Page { slot: None });
    let [Effect::Page { call: page, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(desk.obey(at(61), Command::Page { slot: None }), [], "one at a time");
    let reason = Text::new("busy");
    desk.learn(at(70), Event::CallEnded { call: page, reason, by_them: true });
    assert_eq!(newest(&desk), "701 was not announced: busy · the caller stays parked");
    let effects = desk.obey(at(80), Command::Page { slot: None });
    let [Effect::Page { call: page, .. }] = effects[..] else { panic!("{effects:?}") };
    let until = desk.next_deadline().unwrap().max(at(20_080));
    assert_eq!(desk.learn(until, Event::Ticked), [Effect::HangUp(page)]);
    assert!(newest(&desk).contains("the page group didn't answer"));
    let effects = desk.obey(until, Command::Page { slot: None });
    let [Effect::Page { call: page, .. }] = effects[..] else { panic!("{effects:?}") };
    assert!(desk.clone().obey(until, Command::Quit).contains(&Effect::HangUp(page)), "who leaves ends it");
    desk.learn(until, Event::CallEnded { call: page, reason: Text::default(), by_them: true });
    lamp(&mut desk, 40_000, "bay", Lamp::Parked);
    assert_eq!(desk.obey(at(40_001), Command::Page { slot: Some(key("bay")) }), []);
    assert!(newest(&desk).contains("can't be spoken"));
}

#[test]
fn a_live_page_is_a_call_in_hand_and_never_takes_another_callers_place() {
    let mut desk = desk_with(true);
    let call = talking(&mut desk, 10, "");
    desk.obey(at(20), Command::Page { slot: None });
    // Bob is answered before the park is proven.
    let bob = arrive(&mut desk, 25, Identity::new("Bob", "0777"), |_| ());
    desk.obey(at(26), Command::Take(bob));
    desk.learn(at(27), Event::CallAnswered { call: bob });
    let effects = prove(&mut desk, 30, call, "701");
    assert!(!effects.iter().any(|e| matches!(e, Effect::Page { .. } | Effect::Hold(_))), "{effects:?}");
    assert_eq!(desk.in_hand, Some(bob));
    desk.obey(at(40), Command::HangUp);
    let effects = desk.obey(at(50), Command::Page { slot: None });
    let [Effect::Page { call: page, .. }] = effects[..] else { panic!("{effects:?}") };
    assert_eq!(desk.in_hand, Some(page));
    assert_eq!(desk.learn(at(60), Event::CallAnswered { call: page }), []);
    assert_eq!(desk.sound_plan().spoken_to, Some(page));
}

#[test]
fn the_note_names_one_person_or_nobody() {
    for (note, number) in [
        ("for Sam, bay 3", Some("120")),
        ("SAM HILL please", Some("121")),
        ("dr. patel", Some("122")),
        ("Samantha", None),
        ("ann or ben", None),
        ("for Ann", Some("101")),
        ("", None),
    ] {
        let mut desk = desk();
        let call = talking(&mut desk, 10, note);
        let meant = desk.person_meant(desk.call(call).unwrap()).map(|p| p.number.to_string());
        assert_eq!(meant.as_deref(), number, "{note}");
        let effects = desk.obey(at(20), Command::TransferToNamed);
        match number {
            Some(number) => assert_eq!(effects, [Effect::Transfer { call, to: number.into() }]),
            None => assert_eq!(effects, [], "{note}"),
        }
    }
}

#[test]
fn a_comeback_is_told_with_slot_wait_note_and_rings_as_one() {
    let mut desk = desk();
    parked(&mut desk, 1_000, "for Sam, bay 3");
    lamp(&mut desk, 239_000, "701", Lamp::Free);
    arrive(&mut desk, 239_010, jane(), |_| ());
    assert_eq!(newest(&desk), "Jane Doe comes back from 701, waited 3:58 · for Sam, bay 3");
    assert_eq!(desk.sound_plan().ring, RingTone::Comeback);
    assert_eq!(desk.calls[0].note.as_str(), "for Sam, bay 3");
}

#[test]
fn where_the_server_says_only_that_it_is_a_comeback_slot_and_wait_are_known_from_the_lamps() {
    let mut desk = desk();
    parked(&mut desk, 1_000, "for Sam");
    lamp(&mut desk, 61_000, "701", Lamp::Free);
    arrive(&mut desk, 61_010, jane(), |arrival| arrival.comeback = Some((None, 0)));
    let back = desk.calls[0].comeback.clone().unwrap();
    assert_eq!((back.slot, back.waited_s), (Some(slot("701")), 60));
    assert_eq!(desk.calls[0].note.as_str(), "for Sam");
}

#[test]
fn a_prefix_before_the_name_is_a_hint_that_counts_only_when_that_slot_has_just_become_empty() {
    // A colleague's park, with the fallback ringing here.
    let mut desk = desk();
    lamp(&mut desk, 1_000, "701", Lamp::Parked);
    lamp(&mut desk, 46_000, "701", Lamp::Free);
    let party = Identity::new("Park-701:Jane Doe", "01614960100");
    arrive(&mut desk, 46_020, party.clone(), |_| ());
    assert_eq!(newest(&desk), "Jane Doe comes back from 701, waited 0:45");
    assert_eq!(desk.calls[0].party, jane());
    // Anybody can choose that name.
    let mut desk = self::desk();
    arrive(&mut desk, 46_020, party.clone(), |_| ());
    assert_eq!((&desk.calls[0].comeback, &desk.calls[0].party), (&None, &party));
    lamp(&mut desk, 50_000, "702", Lamp::Parked);
    lamp(&mut desk, 51_000, "702", Lamp::Free);
    arrive(&mut desk, 51_010, party.clone(), |_| ());
    assert_eq!(desk.calls[1].comeback, None, "another slot");
    lamp(&mut desk, 60_000, "701", Lamp::Parked);
    lamp(&mut desk, 61_000, "701", Lamp::Free);
    arrive(&mut desk, 70_000, party, |_| ());
    assert_eq!(desk.calls[2].comeback, None, "long ago");
}
