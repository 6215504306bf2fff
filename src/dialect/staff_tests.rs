//! Colleagues' phones by dialog and by presence, against a scripted server.

use super::lamp_tests::{DIALOG, Policy, Scene, s};
use crate::desk::{Event, StaffLamp};
use crate::parking::Identity;
use crate::sip::dialog_info::{self, DialogElement, DialogInfo, DialogState, Direction, Party};
use crate::sip::presence::{self, Activity, Presence, Tuple};
use std::time::Duration;

const SAM: &str = "104";

fn scene(policy: Policy) -> Scene {
    let mut scene = Scene::with_staff(|_| (), policy, &[SAM]);
    scene.keep(SAM, "dialog", DIALOG, &phone(0, DialogElement::default()));
    scene.keep(SAM, presence::EVENT, presence::CONTENT_TYPE, &is_there(true, None));
    scene.start()
}

fn phone(version: u32, dialog: DialogElement) -> Vec<u8> {
    let dialogs = vec![DialogElement { id: SAM.into(), ..dialog }];
    dialog_info::write(&DialogInfo { version, full: true, entity: "sip:104@pbx".into(), dialogs })
}

fn is_there(open: bool, doing: Option<Activity>) -> Vec<u8> {
    let tuple = Tuple { id: "1".into(), open: Some(open), ..Tuple::default() };
    let activities = doing.into_iter().collect();
    presence::write(&Presence {
        entity: "sip:104@pbx".into(),
        tuples: vec![tuple],
        activities,
        ..Presence::default()
    })
}

fn last(scene: &Scene) -> Option<(StaffLamp, Identity)> {
    scene.heard.iter().rev().find_map(|event| match event {
        Event::StaffTold { number, lamp, caller } if number.as_str() == SAM => {
            Some((lamp.clone(), caller.clone()))
        }
        _ => None,
    })
}

fn lamp(scene: &Scene) -> StaffLamp {
    last(scene).map(|(lamp, _)| lamp).unwrap_or_default()
}

#[test]
fn what_the_dialogs_of_a_phone_mean_for_its_lamp() {
    let mut scene = scene(|_, _| None);
    assert_eq!(lamp(&scene), StaffLamp::Free);
    let up = DialogElement { state: DialogState::Confirmed, ..DialogElement::default() };
    let silent = Party {
        uri: "sip:104@pbx".into(),
        target: Some("sip:104@10.0.0.9".into()),
        params: vec![("+sip.rendering".into(), "no".into())],
        ..Party::default()
    };
    let rings =
        |direction| DialogElement { state: DialogState::Early, direction, ..DialogElement::default() };
    for (version, (dialog, wanted)) in (1..).zip([
        (rings(Some(Direction::Recipient)), StaffLamp::Ringing),
        (rings(None), StaffLamp::Ringing),
        (rings(Some(Direction::Initiator)), StaffLamp::Talking),
        (up.clone(), StaffLamp::Talking),
        (DialogElement { local: Some(silent), ..up.clone() }, StaffLamp::Held),
        (DialogElement::default(), StaffLamp::Free),
    ]) {
        scene.tell(SAM, "dialog", DIALOG, &phone(version, dialog));
        assert_eq!(lamp(&scene), wanted, "version {version}");
    }
}

#[test]
fn who_rings_at_a_colleague_is_told_where_the_server_tells_it() {
    let mut scene = scene(|_, _| None);
    let jane = Party { display: Some("Jane Doe".into()), uri: "sip:0161@pbx".into(), ..Party::default() };
    let rings = DialogElement {
        state: DialogState::Early,
        direction: Some(Direction::Recipient),
        remote: Some(jane),
        ..DialogElement::default()
    };
    scene.tell(SAM, "dialog", DIALOG, &phone(1, rings));
    assert_eq!(last(&scene), Some((StaffLamp::Ringing, Identity::new("Jane Doe", "0161"))));
}

#[test]
fn a_phone_that_is_in_no_call_is_free_only_if_somebody_can_be_reached_there() {
    let mut scene = scene(|_, _| None);
    let pidf = presence::CONTENT_TYPE;
    scene.tell(SAM, presence::EVENT, pidf, &is_there(false, None));
    assert_eq!(lamp(&scene), StaffLamp::Away);
    // "On the phone" is no reason to call him away: the dialogs say what he does.
    scene.tell(SAM, presence::EVENT, pidf, &is_there(false, Some(Activity::OnThePhone)));
    assert_eq!(lamp(&scene), StaffLamp::Free);
    scene.tell(SAM, presence::EVENT, pidf, &is_there(true, None));
    assert_eq!(lamp(&scene), StaffLamp::Free);
}

#[test]
fn one_package_is_enough_and_a_server_without_either_is_said_to_tell_nothing() {
    let mut by_dialog = scene(|_, package| (package == "presence").then_some(489));
    assert_eq!(lamp(&by_dialog), StaffLamp::Free);
    by_dialog.asked();
    by_dialog.run(Duration::from_secs(4_000));
    assert!(
        by_dialog.asked().iter().all(|(_, package)| package == "dialog"),
        "no presence is asked for again"
    );

    let mut by_presence = scene(|user, package| (user == SAM && package == "dialog").then_some(489));
    assert_eq!(lamp(&by_presence), StaffLamp::Free);
    by_presence.tell(
        SAM,
        presence::EVENT,
        presence::CONTENT_TYPE,
        &is_there(true, Some(Activity::OnThePhone)),
    );
    assert_eq!(lamp(&by_presence), StaffLamp::Talking);
    by_presence.tell(SAM, presence::EVENT, presence::CONTENT_TYPE, &is_there(false, None));
    assert_eq!(lamp(&by_presence), StaffLamp::Away);

    let neither = scene(|user, _| (user == SAM).then_some(404));
    let StaffLamp::Refused { reason } = lamp(&neither) else { panic!("{:?}", lamp(&neither)) };
    assert!(reason.as_str().contains("no hint"), "{reason}");
}

#[test]
fn a_server_that_falls_silent_leaves_nobody_free() {
    let mut scene = scene(|_, _| None);
    assert_eq!(lamp(&scene), StaffLamp::Free);
    let now = scene.now;
    // Nothing that is sent arrives any more.
    let until = now + s(60);
    while scene.now < until {
        scene.now = scene.phone.next_wake().unwrap().max(scene.now);
        scene.phone.wake(scene.now);
        while scene.phone.poll_transmit().is_some() {}
        while let Some((_, said)) = scene.phone.poll_said() {
            if let super::Said::Desk(event) = said {
                scene.heard.push(event);
            }
        }
    }
    assert!(matches!(lamp(&scene), StaffLamp::Stale { .. }), "{:?}", lamp(&scene));
    scene.run(s(60));
    assert_eq!(lamp(&scene), StaffLamp::Free);
}
