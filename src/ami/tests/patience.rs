//! Time: silence is noticed, losses are mended, pauses grow and end, and nothing of before a loss is believed.

use super::*;

fn lost(scene: &Scene) -> usize {
    scene.facts.iter().filter(|f| matches!(f, Fact::Lost { .. })).count()
}

#[test]
fn a_server_that_has_nothing_to_say_is_asked_whether_it_is_there() {
    let mut scene = Scene::listening("");
    scene.wait(s(14));
    assert_ne!(scene.last(), "Action: Ping");
    scene.wait(s(2));
    assert_eq!(scene.last(), "Action: Ping");
    scene.hear("Response: Success\nActionID: {id}\nPing: Pong\nTimestamp: 1795861733.799112\n\n");
    assert_eq!(lost(&scene), 0);
    scene.wait(s(16));
    assert_eq!(scene.sent.iter().filter(|a| a[0] == "Action: Ping").count(), 2);
    scene.wait(s(6));
    assert_eq!(scene.reason(), "the manager interface doesn't answer");
    assert_eq!(scene.disconnects, 1);
    assert_eq!(scene.session.kept().0, (0, 0, 0));
}

#[test]
fn every_step_of_the_login_has_its_deadline() {
    let answers = [
        "Response: Success\nActionID: {id}\nChallenge: 1\n\n",
        "Response: Success\nActionID: {id}\n\n",
        "Response: Success\nActionID: {id}\n\n",
        "Response: Success\nActionID: {id}\n\n",
        captured::LOTS,
    ];
    for heard in 0..=answers.len() {
        let mut scene = Scene::new();
        scene.open(true);
        answers[..heard].iter().for_each(|answer| scene.hear(answer));
        scene.wait(s(5));
        assert_eq!(lost(&scene), 1, "after {heard} answers");
    }
    let mut scene = Scene::new();
    scene.session.opened(scene.now, true);
    scene.wait(s(5));
    assert_eq!(lost(&scene), 1, "no greeting");
    let mut scene = Scene::new();
    scene.wait(s(20));
    assert_eq!((lost(&scene), scene.disconnects), (1, 1), "no connection");
}

#[test]
fn the_pauses_grow_differ_and_have_an_end() {
    let pauses = |seed: u64| {
        let mut scene = Scene::with(|c| c.seed = seed);
        let mut pauses = Vec::new();
        for round in 1..=12 {
            scene.close("connection refused");
            let Some(Fact::Lost { retry_at, .. }) = scene.facts.last() else { unreachable!() };
            pauses.push((*retry_at - scene.now).as_secs_f64());
            scene.wait(s(61));
            assert!(scene.connects > round);
        }
        pauses
    };
    let (one, other) = (pauses(1), pauses(2));
    assert_ne!(one, other, "two consoles don't knock at the same moment");
    for pauses in [one, other] {
        assert!(pauses[0] <= 1.0 && pauses[11] >= 30.0, "{pauses:?}");
        assert!(pauses.iter().all(|p| *p <= 60.0), "{pauses:?}");
    }
}

#[test]
fn after_a_lasting_session_the_pauses_begin_anew_and_after_a_short_one_they_do_not() {
    let mut scene = Scene::new();
    for _ in 0..8 {
        scene.close("connection refused");
        scene.wait(s(61));
    }
    scene.open(true);
    scene.log_in("");
    scene.now += s(5);
    scene.close("the far end closed the connection");
    let Some(Fact::Lost { retry_at, .. }) = scene.facts.last() else { unreachable!() };
    assert!(*retry_at >= scene.now + s(30));
    scene.wait(s(61));
    scene.open(true);
    scene.log_in("");
    scene.now += s(31);
    scene.close("the far end closed the connection");
    let Some(Fact::Lost { retry_at, .. }) = scene.facts.last() else { unreachable!() };
    assert!(*retry_at <= scene.now + s(1));
}

#[test]
fn nothing_of_before_a_loss_is_believed_after_it() {
    let mut scene = Scene::listening(&captured::jane_listed(1));
    scene.hear("Event: Half a block\nKey: val");
    scene.close("the far end closed the connection");
    assert_eq!(scene.session.kept(), ((0, 0, 0), 0));
    scene.wait(s(2));
    assert_eq!(scene.connects, 2);
    scene.open(true);
    scene.log_in("");
    assert!(matches!(scene.facts.last(), Some(Fact::Connected(all)) if all.is_empty()));
    // What still comes of the old connection is no concern of the new one.
    let before = scene.facts.len();
    scene.session.opened(scene.now, true);
    scene.settle();
    assert_eq!(scene.facts.len(), before);
}

#[test]
fn who_leaves_says_good_bye_and_does_not_come_back() {
    let mut scene = Scene::listening("");
    scene.session.stop();
    scene.settle();
    assert_eq!((scene.last(), scene.disconnects), ("Action: Logoff", 1));
    assert_eq!(scene.session.next_wake(), None);
    scene.close("closed");
    assert_eq!(lost(&scene), 0);
}
