//! What the manager interface tells, beside the lamps: names, times, proof, comebacks; and what becomes of it.

use super::*;
use crate::ami::{Device, Fact, Parked};
use crate::desk::{LampReport, ManagerInterface};
use crate::parking::Identity;

const JANE: &str = "0161";

/// Somebody parked by `by` in `id`, not vetted yet.
pub(super) fn parked(id: &str, number: &str, by: &str) -> Parked {
    Parked {
        slot: slot(id),
        unique_id: format!("1.{id}.{number}"),
        linked_id: String::new(),
        device: Device::of("PJSIP/trunk-0000000a"),
        parkee: Identity::withheld(number),
        vetted: false,
        parker_device: Device::of(&format!("PJSIP/{by}")),
        parker: Identity::new(by, ""),
        parked_for_s: 0,
        comes_back_in_s: Some(45),
    }
}

fn vetted(call: Parked, name: &str, number: &str) -> Parked {
    Parked { parkee: Identity::new(name, number), vetted: true, ..call }
}

impl Scene {
    fn ami(&mut self, fact: Fact) {
        self.phone.hear_ami(self.now, LineId(0), fact);
        self.run(Duration::from_millis(1));
    }

    /// The last that was said of a slot's lamp.
    fn told_of(&self, id: &str) -> LampReport {
        let of = |event: &Event| match event {
            Event::LampChanged { slot: which, report } if *which == slot(id) => Some(report.clone()),
            _ => None,
        };
        self.heard.iter().rev().find_map(of).unwrap_or_default()
    }
}

/// Jane talks, and the manager interface tells.
fn in_sync() -> Scene {
    let mut scene = Scene::talking();
    scene.ami(Fact::Connected(vec![]));
    assert_eq!(scene.heard, [Event::ManagerTold(ManagerInterface::Connected)]);
    scene.heard.clear();
    scene
}

#[test]
fn the_servers_word_for_our_caller_is_the_proof_and_no_probe_is_sent() {
    for lamp_first in [true, false] {
        let mut scene = in_sync();
        scene.park();
        if lamp_first {
            scene.light("702");
            assert_eq!(
                (scene.proven(), scene.server.refers.len()),
                (None, 1),
                "the server's word is waited for"
            );
        }
        scene.ami(Fact::Parked(parked("702", JANE, "reception")));
        assert_eq!(scene.proven(), Some(Some(slot("702"))));
        assert_eq!(
            (scene.server.ended, scene.server.refers.len()),
            (Some(true), 1),
            "lamp first: {lamp_first}"
        );
        assert_eq!(scene.phone.legs(), 0);
        // Somebody else's lamp casts no doubt on what the server itself has said.
        scene.light("701");
        assert!(!scene.heard.iter().any(|e| matches!(e, Event::ParkDoubted { .. })), "{:?}", scene.heard);
    }
}

#[test]
fn anybody_elses_park_is_no_proof_of_ours() {
    let himself =
        Parked { device: Device::of("PJSIP/reception-0000000b"), ..parked("702", JANE, "reception") };
    for other in [
        parked("702", "0999", "reception"),
        parked("702", JANE, "bob"),
        parked("702", "", "reception"),
        himself,
    ] {
        let mut scene = in_sync();
        scene.park();
        scene.ami(Fact::Parked(other));
        assert_eq!((scene.proven(), scene.server.ended), (None, None));
    }
}

#[test]
fn where_the_server_says_nothing_the_park_is_proven_as_without_it() {
    let mut scene = in_sync();
    scene.park();
    scene.light("701");
    scene.run(Duration::from_millis(300));
    assert_eq!(scene.server.refers.len(), 2, "the probe is out after all");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))));
}

#[test]
fn a_park_of_which_the_server_says_nothing_is_refused_sooner() {
    let mut scene = in_sync();
    scene.park();
    scene.run(Duration::from_secs(4));
    assert!(scene.refused().unwrap().contains("no lamp lit"), "{:?}", scene.refused());
    assert_eq!(scene.server.ended, None, "the caller is still with us");
}

#[test]
fn a_lamp_gets_the_name_when_it_may_be_shown_and_its_times_at_once() {
    let mut scene = in_sync();
    let call = parked("703", "0777", "bob");
    scene.ami(Fact::Parked(call.clone()));
    assert_eq!(scene.told_of("703"), LampReport::default(), "the lamp is not lit by it");
    scene.light("703");
    let told = scene.told_of("703");
    assert_eq!((told.parkee, told.comes_back_in_s, told.parked_for_s), (None, Some(45), Some(0)));
    assert_eq!(told.parker.unwrap().label(), "bob");
    scene.run(Duration::from_secs(5));
    scene.ami(Fact::Vetted(vetted(call, "Ann", "0777")));
    let told = scene.told_of("703");
    assert_eq!(told.parkee, Some(Identity::new("Ann", "0777")));
    assert_eq!((told.comes_back_in_s, told.parked_for_s), (Some(40), Some(5)));
    assert!(told.fresh_until.is_some(), "and is as fresh as before");
}

#[test]
fn a_withheld_caller_is_told_by_his_digest_only() {
    let mut scene = in_sync();
    scene.light("703");
    let call = Parked { vetted: true, ..parked("703", "0777", "bob") };
    scene.ami(Fact::Parked(call));
    let parkee = scene.told_of("703").parkee.unwrap();
    assert!(parkee.is_withheld() && parkee.agrees_with(&Identity::withheld("0777")));
}

#[test]
fn a_lit_lamp_where_nobody_is_said_to_be_keeps_no_name_after_a_second() {
    let mut scene = in_sync();
    scene.ami(Fact::Parked(vetted(parked("703", "0777", "bob"), "Ann", "0777")));
    scene.light("703");
    assert!(scene.told_of("703").parkee.is_some());
    scene.ami(Fact::Unparked(parked("703", "0777", "bob")));
    scene.run(Duration::from_millis(900));
    assert_eq!(scene.told_of("703").parkee, None, "the lamp may be a moment behind");
    scene.run(Duration::from_millis(200));
    let told = scene.told_of("703");
    assert_eq!((told.lamp, told.parkee), (Lamp::Parked, Some(Identity::default())));
}

#[test]
fn a_lamp_that_disagrees_for_a_second_is_asked_and_so_are_all_after_a_loss() {
    let asked = |scene: &Scene| scene.server.methods.iter().filter(|m| **m == Method::Subscribe).count();
    let renewed = |scene: &mut Scene| {
        // A renewal reaches the server as a refresh, which tells the lamp anew.
        let told = scene.heard.iter().filter(|e| matches!(e, Event::LampChanged { .. })).count();
        scene.heard.clear();
        told
    };
    let registers = |scene: &Scene| scene.server.methods.iter().filter(|m| **m == Method::Register).count();
    let mut scene = in_sync();
    let (before, registered) = (asked(&scene), registers(&scene));
    // Parked, but the lamp stays dark: its NOTIFY was lost.
    scene.server.watchers.get_mut("703").unwrap().2 = true;
    scene.ami(Fact::Parked(vetted(parked("703", "0777", "bob"), "Ann", "0777")));
    scene.run(Duration::from_millis(900));
    assert_eq!(renewed(&mut scene), 0);
    scene.run(Duration::from_millis(200));
    assert_eq!(scene.told_of("703").parkee, Some(Identity::new("Ann", "0777")), "{:?}", scene.heard);
    scene.run(Duration::from_secs(2));
    scene.ami(Fact::Lost { reason: Text::new("gone"), retry_at: scene.now });
    scene.heard.clear();
    scene.ami(Fact::Connected(vec![vetted(parked("703", "0777", "bob"), "Ann", "0777")]));
    scene.run(Duration::from_millis(500));
    assert!(renewed(&mut scene) >= 3, "all three lamps were asked");
    assert_eq!(registers(&scene), registered + 1, "and it is told again that we are here");
    assert_eq!(asked(&scene), before, "within their subscriptions");
}

#[test]
fn a_lamp_that_can_not_be_seen_shows_who_is_there_until_the_interface_is_lost() {
    let mut scene = in_sync();
    scene.phone.with_first(scene.now, |phone| phone.all_lamps_stale(Duration::from_secs(3)));
    scene.run(Duration::from_millis(1));
    scene.ami(Fact::Parked(vetted(parked("703", "0777", "bob"), "Ann", "0777")));
    assert_eq!(scene.told_of("703").lamp, Lamp::Parked);
    scene.ami(Fact::Lost { reason: Text::new("gone"), retry_at: scene.now });
    assert!(matches!(scene.told_of("703").lamp, Lamp::Stale { .. }));
    assert!(matches!(scene.heard.last(), Some(Event::ManagerTold(ManagerInterface::Lost { .. }))));
    scene.light("702");
    let told = scene.told_of("702");
    assert_eq!((told.parkee, told.comes_back_in_s), (None, None), "and nothing of it is told any more");
}

#[test]
fn who_fetched_whom_and_who_gave_up_is_told_except_what_we_did() {
    let mut scene = in_sync();
    let ann = vetted(parked("703", "0777", "bob"), "Ann", "0777");
    scene.ami(Fact::Parked(ann.clone()));
    scene.ami(Fact::Unparked(ann.clone()));
    let by = Identity::new("Carol", "103");
    let retrieved =
        |device: &str| Fact::Retrieved { call: ann.clone(), device: Device::of(device), by: by.clone() };
    scene.ami(retrieved("PJSIP/reception-0000000c"));
    assert_eq!(scene.heard, []);
    scene.ami(retrieved("PJSIP/carol-0000000d"));
    let parkee = Identity::new("Ann", "0777");
    assert_eq!(scene.heard, [Event::Fetched { slot: slot("703"), parkee: parkee.clone(), by: by.clone() }]);
    scene.ami(Fact::GaveUp(Parked { parked_for_s: 9, ..ann.clone() }));
    assert_eq!(scene.heard[1], Event::GaveUp { slot: slot("703"), parkee, waited_s: 9 });
}

#[test]
fn a_phone_that_the_server_calls_otherwise_is_ours_by_the_name_that_was_configured() {
    let ann = vetted(parked("703", "0777", "desk-7"), "Ann", "0777");
    let fetched = |device: &str| Fact::Retrieved {
        call: ann.clone(),
        device: Device::of(device),
        by: Identity::new("Reception", "100"),
    };
    for (configured, ours) in [(None, false), (Some("PJSIP/desk-7"), true), (Some("PJSIP/desk"), false)] {
        let plain = Dialect::named("asterisk", front()).unwrap();
        let dialect = Dialect { device: configured.map(str::to_owned), ..plain };
        let mut scene = Scene::registered_in(dialect, crate::dialect::MediaSecurity::default());
        scene.ami(Fact::Connected(vec![]));
        scene.ami(Fact::Parked(ann.clone()));
        scene.ami(Fact::Unparked(ann.clone()));
        scene.heard.clear();
        scene.ami(fetched("PJSIP/desk-7-0000000c"));
        assert_eq!(scene.heard.is_empty(), ours, "{configured:?}: {:?}", scene.heard);
        // The user's name is no longer ours when another was configured.
        scene.heard.clear();
        scene.ami(fetched("PJSIP/reception-0000000d"));
        assert_eq!(scene.heard.is_empty(), configured.is_none(), "{configured:?}: {:?}", scene.heard);
    }
}

#[test]
fn the_invite_after_a_time_out_is_the_comeback_with_slot_and_wait() {
    for (number, by, expected) in
        [(JANE, "reception", Some((Some(slot("702")), 45))), ("0999", "reception", None), (JANE, "bob", None)]
    {
        let mut scene = Scene::registered(crate::dialect::MediaSecurity::default());
        scene.ami(Fact::Connected(vec![]));
        let call = Parked { parked_for_s: 45, comes_back_in_s: None, ..parked("702", number, by) };
        scene.ami(Fact::TimedOut(call));
        scene.ring(address(1));
        scene.run(Duration::from_millis(50));
        let arrival = scene.heard.iter().find_map(|e| match e {
            Event::CallArrived(arrival) => Some(arrival.comeback.clone()),
            _ => None,
        });
        assert_eq!(arrival, Some(expected), "{number} {by}");
    }
}

#[test]
fn a_time_out_told_after_the_invite_is_about_the_call_that_rings() {
    let mut scene = Scene::registered(crate::dialect::MediaSecurity::default());
    scene.ami(Fact::Connected(vec![]));
    scene.ring(address(1));
    scene.run(Duration::from_millis(50));
    scene.ami(Fact::TimedOut(Parked { parked_for_s: 45, ..parked("702", JANE, "reception") }));
    assert_eq!(scene.heard.last(), Some(&Event::CameBack { call: CALL, slot: slot("702"), waited_s: 45 }));
}

#[test]
fn slots_that_are_not_on_the_board_are_nobodys_business() {
    let mut scene = in_sync();
    scene.ami(Fact::Parked(parked("799", "0777", "bob")));
    scene.ami(Fact::Listed(vec![parked("799", "0777", "bob")]));
    assert!(
        scene
            .heard
            .iter()
            .all(|e| !matches!(e, Event::LampChanged { slot: which, .. } if *which == slot("799")))
    );
}
