//! Lamps by dialog, by presence and by BroadWorks' callpark: whatever the server knows.

use super::*;

#[test]
fn a_server_that_knows_only_presence_is_asked_for_that() {
    let busy = |word: bool, open: bool| {
        presence::write(&Presence {
            tuples: vec![Tuple { id: "t".into(), open: Some(open), ..Tuple::default() }],
            activities: if word { vec![Activity::OnThePhone] } else { vec![] },
            ..Presence::default()
        })
    };
    let mut scene = Scene::new(|_| {}, |_, package| (package == "dialog").then_some(489));
    scene.keep("701", "presence", presence::CONTENT_TYPE, &busy(true, true));
    scene.keep("702", "presence", presence::CONTENT_TYPE, &busy(false, true));
    scene.keep("703", "presence", presence::CONTENT_TYPE, &busy(false, false));
    let mut scene = scene.start();
    assert_eq!(
        scene.lamps(),
        [Lamp::Parked, Lamp::Free, Lamp::Unknown],
        "closed says nothing of parked calls"
    );
    let asked = scene.asked();
    // The one that is unknown is asked for once more when the server first answers a probe.
    assert!((3..=4).contains(&asked.iter().filter(|(_, package)| package == "presence").count()));
    scene.run(s(2000));
    assert!(scene.asked().iter().all(|(_, package)| package == "presence"), "the other is not tried again");
}

#[test]
fn a_server_that_knows_neither_says_so_on_the_lamp() {
    let scene = Scene::new(|_| {}, |_, _| Some(489)).start();
    assert!(scene.lamps().iter().all(|lamp| matches!(lamp, Lamp::Refused { .. })));
}

#[test]
fn a_callpark_body_names_who_is_parked() {
    let jane = || Party { display: Some("Jane".into()), uri: "sip:7@x".into(), ..Party::default() };
    let body = callpark::write(&CallPark { parked: Some(jane()) });
    let text = String::from_utf8(body.clone()).unwrap();
    let lamp = String::from_utf8(dialogs(0, DialogState::Confirmed)).unwrap();
    let mixed = format!(
        "--b\r\nContent-Type: {DIALOG}\r\n\r\n{lamp}\r\n--b\r\nContent-Type: {}\r\n\r\n{text}\r\n--b--\r\n",
        callpark::CONTENT_TYPE
    );
    let inside = lamp.replace(
        "</dialog>",
        "<callpark><parked><identity display=\"Jane\">sip:7@x</identity></parked></callpark></dialog>",
    );
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep("701", "dialog", callpark::CONTENT_TYPE, &body);
    scene.keep("702", "dialog", "multipart/mixed; boundary=b", mixed.as_bytes());
    scene.keep("703", "dialog", DIALOG, inside.as_bytes());
    let mut scene = scene.start();
    for id in ["701", "702", "703"] {
        let report = scene.report(id);
        assert_eq!(
            (report.lamp, report.parkee.unwrap().name.to_string()),
            (Lamp::Parked, "Jane".into()),
            "{id}"
        );
    }
    scene.tell("701", "dialog", callpark::CONTENT_TYPE, &callpark::write(&CallPark::default()));
    assert_eq!(scene.report("701").lamp, Lamp::Free);
}
