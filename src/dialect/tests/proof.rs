//! Parking by REFER on a server that says yes to everything: which sign is proof, and what becomes of the caller without one.

use super::*;

#[test]
fn our_leg_ends_only_when_lamp_and_probe_have_proven_the_park() {
    let mut scene = Scene::talking();
    scene.park();
    assert_eq!(scene.server.refers[0].1, "700");
    assert_eq!(scene.server.ended, None);
    scene.report(0, 200);
    assert_eq!((scene.proven(), scene.server.ended), (None, None), "neither 202 nor sipfrag 200 is proof");
    scene.light("701");
    assert_eq!((scene.proven(), scene.server.ended), (None, None), "the lamp may be somebody else's");
    assert_eq!(scene.server.refers[1].1, "700", "the probe");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))));
    assert_eq!(scene.server.ended, Some(true));
    assert_eq!(scene.phone.legs(), 0);
}

/// As a real Asterisk does it: its NOTIFYs have no id, so the probe's answer arrives as that of the first REFER.
#[test]
fn the_answer_to_a_probe_proves_the_park_though_it_names_no_refer() {
    let mut scene = Scene::talking();
    scene.light("702");
    scene.light("703");
    scene.park();
    scene.light("701");
    scene.report(0, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, Some(true));
}

#[test]
fn a_refusal_that_names_no_refer_is_the_probes_as_asterisk_sends_it() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    assert_eq!(scene.server.refers.len(), 2, "the probe is out");
    scene.report(0, 400);
    assert_eq!(scene.proven(), Some(Some(slot("703"))), "the last slot is ours, and no timeout was needed");
    assert_eq!((scene.refused(), scene.server.ended), (None, Some(true)));
}

#[test]
fn the_last_slot_taken_by_somebody_else_keeps_the_caller_here() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.proven(), None);
    assert!(scene.refused().unwrap().contains("full"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None, "the caller is still with us");
}

#[test]
fn a_probe_that_parks_after_all_is_noticed() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(2));
    assert!(scene.refused().is_some());
    // 702 becomes free, and the server gets round to the probe.
    scene.server.light(scene.now, "702", false);
    scene.run(Duration::from_millis(50));
    scene.light("702");
    assert_eq!(scene.server.refers.len(), 3, "a lamp in the aftermath is probed again");
    scene.report(2, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
}

#[test]
fn the_servers_sign_that_the_leg_is_connected_again_means_failure() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    let call = scene.server.call.unwrap();
    let identity = ("P-Asserted-Identity".to_owned(), "<sip:0161@10.0.0.1>".to_owned());
    scene.server.ua.update(scene.now, call, vec![identity]);
    scene.run(Duration::from_millis(20));
    assert!(scene.refused().unwrap().contains("last slot"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None);
}

#[test]
fn without_a_lamp_the_lamps_are_asked_again_and_the_caller_stays() {
    let mut scene = Scene::talking();
    scene.park();
    let asked = |scene: &Scene| scene.server.methods.iter().filter(|m| **m == Method::Subscribe).count();
    let before = asked(&scene);
    scene.run(Duration::from_secs(4));
    assert!(asked(&scene) >= before, "renewals stay in their dialogs");
    scene.run(Duration::from_secs(8));
    assert!(scene.refused().unwrap().contains("no lamp lit"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None);
}

#[test]
fn a_lost_lamp_is_found_by_asking_again() {
    let mut scene = Scene::talking();
    scene.park();
    // Lit, but its NOTIFY never came.
    scene.server.watchers.get_mut("702").unwrap().2 = true;
    scene.run(Duration::from_secs(4));
    assert_eq!(scene.server.refers.len(), 2, "found by the renewed subscription, and probed");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
}

#[test]
fn a_second_lamp_within_a_moment_casts_doubt_on_the_first() {
    let mut scene = Scene::talking();
    scene.park();
    scene.light("702");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
    scene.light("701");
    let doubted = Event::ParkDoubted { slots: vec![slot("702"), slot("701")] };
    assert!(scene.heard.contains(&doubted), "{:?}", scene.heard);
}

#[test]
fn nothing_is_ever_referred_to_a_slot() {
    let mut scene = Scene::talking();
    for typed in ["701", "700"] {
        let effect = Effect::Park {
            call: CALL,
            lot: LotId(0),
            slot: Some(slot("701")),
            note: Text::default(),
            party: Identity::default(),
        };
        if typed == "701" {
            scene.phone.perform(scene.now, LineId(0), effect);
        } else {
            scene.phone.perform(scene.now, LineId(0), Effect::Transfer { call: CALL, to: typed.into() });
        }
        scene.run(Duration::from_millis(5));
    }
    assert!(scene.server.refers.iter().all(|(_, target)| target == "700"), "{:?}", scene.server.refers);
}

#[test]
fn an_older_state_changes_nothing_and_is_asked_about() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.heard.clear();
    scene.server.say_lamp(scene.now, "701", false, 0);
    scene.run(Duration::from_millis(1));
    assert_eq!(scene.lamps()[0], Lamp::Parked);
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::LampChanged { .. })));
}

#[test]
fn a_silent_server_makes_every_lamp_stale_and_a_talking_one_fresh() {
    let mut scene = Scene::talking();
    // The wire is cut: what the phone sends goes nowhere.
    let until = scene.now + Duration::from_secs(30);
    while scene.now < until {
        while scene.phone.poll_transmit().is_some() {}
        while let Some(said) = scene.phone.poll_said() {
            if let (_, Said::Desk(event)) = said {
                scene.heard.push(event);
            }
        }
        scene.now =
            scene.phone.next_wake().unwrap_or(until).clamp(scene.now + Duration::from_millis(1), until);
        scene.phone.wake(scene.now);
    }
    assert!(scene.heard.contains(&Event::Unreachable));
    assert!(scene.lamps().iter().all(|l| matches!(l, Lamp::Stale { .. })), "{:?}", scene.lamps());
    scene.run(Duration::from_secs(12));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
}

#[test]
fn what_an_operator_types_becomes_a_uri_of_ours() {
    let scene = Scene::talking();
    let typed = |text: &str| scene.phone.first().uri_typed(text).map(|u| u.to_string());
    assert_eq!(typed("0161 496-0100").as_deref(), Some("sip:01614960100@10.0.0.1"));
    assert_eq!(typed("+44 (20) 7946").as_deref(), Some("sip:+44207946@10.0.0.1"));
    assert_eq!(typed("sam").as_deref(), Some("sip:sam@10.0.0.1"));
    assert_eq!(typed("sam@example.com").as_deref(), Some("sip:sam@example.com"));
    assert_eq!(typed("a b"), None);
    assert_eq!(typed(&"9".repeat(400)), None);
    assert_eq!(typed("1\r\nVia: x"), None);
}

/// Asterisk holds our leg for up to a minute then, without a BYE.
#[test]
fn a_caller_who_goes_just_after_a_failed_park_is_told_and_nothing_is_ended_on_the_hint() {
    let mut scene = Scene::talking();
    scene.light("701");
    scene.light("702");
    scene.park();
    scene.light("703");
    scene.run(Duration::from_secs(2));
    assert!(scene.refused().is_some());
    scene.report(0, 503);
    let told =
        |e: &Event| matches!(e, Event::Told(notice) if notice.text.as_str().contains("this caller has gone"));
    assert!(scene.heard.iter().any(told), "{:?}", scene.heard);
    assert_eq!(scene.server.ended, None);
}
