//! The rules behind the proof, one by one: what a free slot is worth as a witness, what the server must have said, which other
//! slots it may be, and what a lamp that goes out again means.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Scene {
    fn dark(&mut self, user: &str) {
        self.server.light(self.now, user, false);
        self.run(Duration::from_millis(1));
    }

    fn bye(&mut self) {
        let call = self.server.call.unwrap();
        self.server.ua.hang_up(self.now, call);
        self.run(Duration::from_millis(20));
    }

    fn doubted(&self) -> Option<Vec<SlotId>> {
        self.heard.iter().find_map(|event| match event {
            Event::ParkDoubted { slots } => Some(slots.clone()),
            _ => None,
        })
    }

    /// Why the desk was told that the parked call's leg has ended.
    fn left(&self) -> Option<String> {
        self.heard.iter().find_map(|event| match event {
            Event::CallEnded { call: CALL, reason, .. } => Some(reason.to_string()),
            _ => None,
        })
    }
}

#[test]
fn a_slot_that_became_free_only_after_we_asked_is_no_witness_of_room() {
    let mut scene = Scene::talking_in("generic");
    ["701", "702", "703"].iter().for_each(|id| scene.light(id));
    scene.park();
    scene.report(0, 200);
    scene.dark("702");
    scene.dark("703");
    scene.light("703");
    scene.run(s(20));
    assert_eq!(scene.proven(), None, "the lot was full when the server looked");
    assert_eq!(scene.server.ended, None);
    // The same with a slot that was free all along.
    let mut scene = Scene::talking_in("generic");
    scene.light("701");
    scene.park();
    scene.report(0, 200);
    scene.light("703");
    assert_eq!(scene.proven(), Some(Some(slot("703"))));
}

#[test]
fn a_free_slot_of_which_a_word_was_missed_is_no_witness_of_room() {
    for missed in [0, 1] {
        let mut scene = Scene::talking_in("generic");
        scene.light("701");
        scene.park();
        scene.report(0, 200);
        let version = scene.server.watchers["702"].1;
        scene.server.say_lamp(scene.now, "702", false, version + missed);
        scene.run(Duration::from_millis(1));
        scene.light("703");
        assert_eq!(scene.proven().is_some(), missed == 0, "somebody may have come and gone in 702");
    }
}

#[test]
fn a_lamp_with_room_beside_it_is_no_proof_before_the_server_says_that_it_has_acted() {
    let mut scene = Scene::talking_in("generic");
    scene.park();
    scene.light("702");
    assert_eq!((scene.proven(), scene.server.ended), (None, None), "it may have lit for somebody before us");
    scene.report(0, 200);
    assert_eq!(scene.proven(), Some(Some(slot("702"))));
}

#[test]
fn of_two_lamps_that_light_before_the_proof_either_may_be_ours_and_both_are_told() {
    let mut scene = Scene::talking();
    scene.park();
    scene.light("701");
    scene.light("702");
    scene.light("702");
    assert_eq!(scene.doubted(), None, "nobody is said to be anywhere yet");
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))));
    assert_eq!(scene.doubted(), Some(vec![slot("701"), slot("702")]));
    // The same where the server's BYE is the proof.
    let mut scene = Scene::talking_in("asterisk-dtmf");
    scene.park();
    scene.run(s(1));
    scene.light("703");
    scene.light("702");
    scene.bye();
    assert_eq!(scene.proven(), Some(Some(slot("703"))));
    assert_eq!(scene.doubted(), Some(vec![slot("703"), slot("702")]));
}

#[test]
fn where_the_server_ends_our_leg_a_lamp_that_went_out_before_its_bye_was_ours_and_the_next_is_anothers() {
    for lit_again in [false, true] {
        let mut scene = Scene::talking_in("asterisk-dtmf");
        scene.park();
        scene.run(s(1));
        scene.light("701");
        scene.dark("701");
        if lit_again {
            scene.light("701");
        }
        scene.bye();
        scene.run(s(6));
        assert_eq!(scene.proven(), None, "somebody has fetched him");
        assert_eq!(scene.left().as_deref(), Some("parked: 701 lit, and has gone out again"));
    }
}

#[test]
fn where_we_end_our_leg_a_lamp_that_goes_out_says_nothing_and_the_probe_decides() {
    let mut scene = Scene::talking();
    scene.park();
    scene.light("701");
    scene.dark("701");
    assert_eq!(scene.proven(), None);
    scene.report(1, 400);
    assert_eq!(scene.proven(), Some(Some(slot("701"))));
    assert_eq!(scene.left(), None);
}
