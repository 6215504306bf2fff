//! The ways to park other than Asterisk's by REFER: what goes out, what counts as proof, and who ends our leg.

use super::*;
use crate::desk::{ParkedCall, RetrieveTarget};
use crate::parking::Strength;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The end of the call's leg at the phone, as the desk was told it.
fn ended(scene: &Scene) -> Option<String> {
    scene.heard.iter().find_map(|e| match e {
        Event::CallEnded { call: CALL, reason, .. } => Some(reason.to_string()),
        _ => None,
    })
}

impl Scene {
    fn park_with(&mut self, slot: Option<&str>) {
        let party = Identity::new("Jane Doe", "0161");
        let slot = slot.map(super::slot);
        self.phone.perform(
            self.now,
            LineId(0),
            Effect::Park { call: CALL, lot: LotId(0), slot, note: Text::default(), party },
        );
        self.run(Duration::from_millis(50));
    }

    fn hold(&mut self) {
        self.phone.perform(self.now, LineId(0), Effect::Hold(CALL));
        self.run(Duration::from_millis(50));
        self.heard.clear();
        self.server.offers.clear();
    }

    fn retrieve(&mut self, call: CallId, from: &str, parkee: &Identity) {
        let seen = ParkedCall {
            parkee: parkee.clone(),
            parker: Identity::default(),
            since: self.now,
            since_inferred: false,
            note: Text::default(),
            comes_back_at: None,
            ours: true,
            strength: Strength::Verified,
            key: None,
            told_by: Text::default(),
        };
        let target = RetrieveTarget { slot: slot(from), seen, strength: Strength::Verified, key: None };
        self.phone.perform(self.now, LineId(0), Effect::Retrieve { call, target });
        self.run(Duration::from_millis(50));
    }

    /// The server ends the call that was parked.
    fn server_hangs_up(&mut self) {
        let call = self.server.call.unwrap();
        self.server.ua.hang_up(self.now, call);
        self.run(Duration::from_millis(20));
    }

    fn hung_up_by_phone(&self) -> bool {
        self.server.ended == Some(true)
    }
}

#[test]
fn a_feature_code_is_typed_into_the_call_and_the_servers_bye_behind_a_lit_lamp_is_the_proof() {
    let mut scene = Scene::talking_in("asterisk-dtmf");
    scene.park_with(None);
    assert_eq!((scene.keys.as_str(), scene.server.refers.len()), ("#72", 0));
    scene.light("702");
    scene.run(s(2));
    assert_eq!(scene.proven(), None, "a lamp alone may be anybody's");
    assert!(!scene.hung_up_by_phone());
    scene.server_hangs_up();
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
    assert_eq!(ended(&scene), None);
    assert!(!scene.hung_up_by_phone(), "this server ends our leg itself");
}

#[test]
fn a_bye_that_overtakes_its_lamp_is_proof_once_the_lamp_has_lit() {
    for dialect in ["asterisk-dtmf", "freeswitch"] {
        let mut scene = Scene::talking_in(dialect);
        scene.park_with(None);
        scene.server_hangs_up();
        assert_eq!((scene.proven(), ended(&scene)), (None, None), "{dialect}: nobody knows yet");
        scene.light(if dialect == "freeswitch" { "park+703" } else { "703" });
        assert_eq!(scene.proven(), Some(Some(slot("703"))), "{dialect}");
        scene.run(s(10));
        assert_eq!(ended(&scene), None, "{dialect}");
    }
}

#[test]
fn a_bye_without_a_lamp_is_an_end_and_is_told_as_one() {
    let mut scene = Scene::talking_in("freeswitch");
    scene.park_with(None);
    scene.server_hangs_up();
    scene.run(s(5));
    assert_eq!(scene.proven(), None);
    assert!(ended(&scene).unwrap().contains("no lamp lit"), "{:?}", scene.heard);
}

#[test]
fn keys_that_nobody_hears_leave_the_caller_here_and_tell_what_may_be_missing() {
    let mut scene = Scene::talking_in("asterisk-dtmf");
    scene.park_with(None);
    scene.run(s(12));
    let reason = scene.refused().unwrap();
    assert!(reason.contains("#72") && reason.contains("(K, k)"), "{reason}");
    assert!(!scene.hung_up_by_phone());
}

#[test]
fn a_held_call_is_taken_off_hold_for_its_keys_and_held_again_when_they_did_nothing() {
    let mut scene = Scene::talking_in("asterisk-dtmf");
    scene.hold();
    scene.park_with(None);
    assert_eq!(scene.keys, "#72");
    assert_eq!(scene.server.offers, [sdp::Direction::SendRecv]);
    scene.run(s(12));
    assert!(scene.refused().is_some());
    assert_eq!(scene.server.offers, [sdp::Direction::SendRecv, sdp::Direction::RecvOnly]);
}

#[test]
fn a_lamp_that_lights_for_somebody_else_never_ends_our_leg_where_the_server_ends_it() {
    let mut scene = Scene::talking_in("freeswitch");
    scene.park_with(None);
    scene.report(0, 200);
    scene.light("park+701");
    scene.run(s(20));
    assert_eq!(scene.proven(), None);
    assert!(scene.refused().unwrap().contains("701 has lit"), "{:?}", scene.refused());
    assert!(!scene.hung_up_by_phone());
}

#[test]
fn a_lot_with_room_that_lights_a_lamp_has_parked_and_we_end_our_leg() {
    let mut scene = Scene::talking_in("generic");
    scene.park_with(Some("702"));
    assert_eq!(scene.server.refers[0].1, "702");
    scene.report(0, 200);
    assert_eq!(scene.proven(), None, "200 proves nothing");
    scene.light("702");
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
    assert!(scene.hung_up_by_phone());
    assert_eq!(scene.server.refers.len(), 1, "nothing is asked twice of a server that may take it amiss");
}

#[test]
fn the_last_slots_lamp_may_be_anybodys_so_the_caller_stays_until_the_server_ends_the_leg() {
    for server_ends in [false, true] {
        let mut scene = Scene::talking_in("generic");
        scene.light("701");
        scene.light("702");
        scene.park_with(None);
        scene.report(0, 200);
        scene.light("703");
        assert_eq!(scene.proven(), None);
        if server_ends {
            scene.server_hangs_up();
            assert_eq!(scene.proven(), Some(Some(slot("703"))));
        } else {
            scene.run(s(20));
            assert!(scene.refused().unwrap().contains("703 has lit"));
        }
        assert!(!scene.hung_up_by_phone());
    }
}

#[test]
fn a_code_is_called_beside_the_held_call_and_a_lamp_that_names_the_caller_leads_to_the_proof() {
    let mut scene = Scene::talking_in("broadworks");
    scene.park_with(Some("702"));
    assert_eq!(scene.server.offers, [sdp::Direction::RecvOnly], "held first");
    let codes: Vec<&str> = scene.server.errands.iter().map(|(_, code)| code.as_str()).collect();
    assert_eq!(codes, ["*68702"]);
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::CallHeld { .. })), "the desk asked for no hold");
    scene.light("702");
    assert_eq!(scene.proven(), None);
    scene.server_hangs_up();
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
    scene.run(s(40));
    assert_eq!(scene.phone.census().calls, 0, "the call to the code is over as well");
}

#[test]
fn a_lamp_that_names_another_caller_is_not_ours() {
    let mut scene = Scene::talking_in("broadworks");
    scene.park_with(Some("702"));
    let other = Party { uri: "sip:0999@pbx".into(), ..Party::default() };
    scene.server.say_parked(scene.now, "703", Some(other));
    scene.run(Duration::from_millis(10));
    scene.run(s(12));
    assert!(scene.refused().unwrap().contains("no lamp lit"), "{:?}", scene.refused());
}

#[test]
fn a_refused_code_gives_the_caller_back_off_hold() {
    let mut scene = Scene::talking_in("broadworks");
    scene.server.refuses_codes = true;
    scene.park_with(Some("702"));
    assert!(
        scene.refused().unwrap().contains("the park code was refused: declined"),
        "{:?}",
        scene.refused()
    );
    scene.run(s(1));
    assert_eq!(scene.server.offers, [sdp::Direction::RecvOnly, sdp::Direction::SendRecv]);
    // The port of the call to the code is free again: two were given.
    scene.server.refuses_codes = false;
    scene.park_with(Some("703"));
    assert_eq!(scene.server.errands.len(), 1);
}

#[test]
fn a_server_that_will_not_hold_keeps_the_call_and_no_code_is_called() {
    let mut scene = Scene::talking_in("broadworks");
    scene.server.refuses_offers = true;
    scene.park_with(Some("702"));
    assert!(scene.refused().unwrap().contains("refused to hold"), "{:?}", scene.refused());
    assert!(scene.server.errands.is_empty());
}

#[test]
fn what_a_dialect_dials_to_retrieve_is_its_own_and_a_slot_that_is_somebodys_extension_can_be_called() {
    for (dialect, number, abilities) in
        [("broadworks", "*88702", false), ("portsip", "*88702", false), ("freeswitch", "702", true)]
    {
        let dialect = Dialect::named(dialect, front()).unwrap();
        assert_eq!(dialect.retrieve_number(&slot("702")).as_deref(), Some(number));
        assert_eq!(dialect.abilities(LotId(0), None).slots_are_dialled, abilities);
        assert!(dialect.leads_into_a_slot(number));
    }
}

#[test]
fn a_transfer_to_a_code_that_parks_is_refused_and_one_to_the_slots_owner_is_made() {
    let mut scene = Scene::talking_in("portsip");
    let to = |to: &str| Effect::Transfer { call: CALL, to: to.into() };
    for code in ["700702", "*88702"] {
        scene.phone.perform(scene.now, LineId(0), to(code));
        scene.run(Duration::from_millis(1));
    }
    assert!(scene.server.refers.is_empty());
    scene.phone.perform(scene.now, LineId(0), to("702"));
    scene.run(Duration::from_millis(1));
    assert_eq!(scene.server.refers[0].1, "702");
}

#[test]
fn a_server_that_answers_in_the_name_of_the_code_has_named_nobody() {
    let mut scene = Scene::talking_in("broadworks");
    let parkee = Identity::new("Jane Doe", "0161");
    scene.server.answers_as = Some("*88702".to_owned());
    scene.retrieve(CallId(9), "702", &parkee);
    assert!(scene.heard.contains(&Event::CallAnswered { call: CallId(9) }), "{:?}", scene.heard);
    assert!(!scene.heard.iter().any(|e| matches!(e, Event::PartyTold { .. })), "{:?}", scene.heard);
    scene.server.answers_as = Some("0161".to_owned());
    scene.phone.add_ports(&[20_004]);
    scene.retrieve(CallId(10), "703", &parkee);
    assert!(scene.heard.iter().any(|e| matches!(e, Event::PartyTold { call: CallId(10), .. })));
}
