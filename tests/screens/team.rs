//! What colleagues and the ladder add to the board, as it is read.

use crate::desks::*;
use parkdeck::desk::*;
use parkdeck::parking::{Identity, Strength, Text};

macro_rules! picture {
    ($name:expr, $screen:expr) => {
        insta::with_settings!({
            snapshot_path => ".",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, { insta::assert_snapshot!($name, $screen) })
    };
}

/// A board with colleagues, a page group, and callers on every step of the ladder.
fn team() -> Desk {
    let mut desk = busy();
    desk.lines[0].team = vec![Identity::new("Ann", "101"), Identity::new("Ben", "105")];
    desk.lines[0].lots[0].page = Some(PageGroup { number: "770".into(), live: false });
    desk.people =
        vec![Identity::new("Ann", "101"), Identity::new("Sam", "120"), Identity::new("Dr Patel", "122")];
    desk.calls[0].note = Text::new("for Sam, the March invoice");
    desk.slots[2].asking = None;
    let told = park(&mut desk, 5, 130, "Nora Lind", "07700 900204");
    (told.parker, told.ours, told.told_by) = (Identity::new("Ann", ""), false, Text::new("Ann"));
    (told.note, told.strength) = (Text::new("for Ben"), Strength::Verified);
    let told = park(&mut desk, 6, 30, "Tom Ford", "07700 900205");
    (told.parker, told.ours, told.told_by) = (Identity::new("Ann", ""), false, Text::new("Ben"));
    park(&mut desk, 7, 218, "Żółć Müller", "0113 496 0100");
    let until = desk.now + s(20);
    let claim = Claim { by: Text::new("Ann"), number: Text::new("101"), until, told: false };
    desk.slots[0].claim = Some(claim);
    desk
}

#[test]
fn claims_told_names_and_the_ladder_are_read_at_a_glance() {
    picture!("team_80", screen(&team(), &console(), &dark(), 80, 24));
    picture!("team_160", screen(&team(), &console(), &dark(), 160, 50));
    let (mut desk, mut console) = (team(), console());
    type_keys(&mut console, &mut desk, "tab down down down down down");
    desk.now = s(NOW_S);
    picture!("team_chosen_80", screen(&desk, &console, &dark(), 80, 24));
}

#[test]
fn the_window_that_tells_the_team_shows_what_others_will_read() {
    for (name, keys) in [("tell", "g"), ("tell_search", "g s a"), ("tell_typed", "g 2 0 4 down")] {
        let (mut desk, mut console) = (team(), console());
        type_keys(&mut console, &mut desk, keys);
        desk.now = s(NOW_S);
        picture!(format!("overlay_{name}_80"), screen(&desk, &console, &dark(), 80, 24));
        if name == "tell" {
            picture!("overlay_tell_160", screen(&desk, &console, &dark(), 160, 50));
        }
    }
}

#[test]
fn what_is_chosen_in_that_window_is_done_for_the_caller_who_was_there() {
    let seen = Identity::new("", "07700 900123");
    let go = |keys: &str| {
        let (mut desk, mut console) = (team(), console());
        let said = type_keys(&mut console, &mut desk, keys);
        (said, console.copy_request())
    };
    // 704 has waited longest of those whom nobody is fetching… but for 708.
    let (said, copied) = go("g enter");
    assert_eq!(
        (said, copied.as_deref()),
        (vec![], Some("Żółć Müller waits on 708 · dial 708 (sip:708@pbx)"))
    );
    let slot = key("704");
    let tell = |to: &[&str]| Command::Tell {
        slot: slot.clone(),
        seen: seen.clone(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
    };
    assert_eq!(go("tab down down down g down enter").0, [tell(&["101", "105"])]);
    assert_eq!(go("tab down down down g b e n down enter").0, [tell(&["105"])]);
    assert_eq!(go("tab down down down g 2 0 4 enter").0, [tell(&["204"])]);
    assert_eq!(go("tab down down down g down down enter").0, [Command::Page { slot: Some(slot.clone()) }]);
    assert_eq!(go("tab down down down G").0, [Command::Page { slot: Some(slot) }]);
    assert_eq!(go("G").0, [Command::Page { slot: None }]);
    assert_eq!(go("T").0, [Command::TransferToNamed]);
    // Another caller sits there by the time enter is pressed.
    let (mut desk, mut console) = (team(), console());
    type_keys(&mut console, &mut desk, "tab down down down g");
    park(&mut desk, 3, 1, "Eve", "1");
    assert_eq!(type_keys(&mut console, &mut desk, "down enter"), []);
    assert!(screen(&desk, &console, &dark(), 80, 24).contains("that caller has left"));
    let mut empty = board(2);
    let mut console = self::console();
    assert_eq!(
        type_keys(&mut console, &mut empty, "g 1 enter"),
        [],
        "a wrong moment: no slot key is pressed"
    );
}

/// The same with phones that are watched, in every state.
fn staff() -> Desk {
    let mut desk = team();
    let ago = |seconds| desk.now.saturating_sub(s(seconds));
    let lamps = [
        ("Sam", StaffLamp::Free),
        ("Ann", StaffLamp::Talking),
        ("Bay 3", StaffLamp::Ringing),
        ("Dr Patel", StaffLamp::Held),
        ("Stores", StaffLamp::Away),
        ("", StaffLamp::Unknown),
        ("Workshop", StaffLamp::Stale { since: ago(40) }),
        ("Kitchen", StaffLamp::Refused { reason: Text::new("404") }),
    ];
    let colleague = |(nth, (name, lamp)): (usize, (&str, StaffLamp))| Colleague {
        line: LineId(0),
        who: Identity::new(name, &(120 + nth).to_string()),
        since: ago(20),
        caller: match lamp {
            StaffLamp::Ringing => Identity::new("Nora Lind", "07700 900204"),
            _ => Identity::default(),
        },
        lamp,
    };
    desk.staff = lamps.into_iter().enumerate().map(colleague).collect();
    desk.slots[3].remembered = true;
    desk.slots[3].parked.as_mut().unwrap().strength = Strength::Unverified;
    desk
}

#[test]
fn a_colleagues_phone_is_read_without_colour_and_the_hint_names_him_only_as_what_he_is() {
    picture!("staff_80", screen(&staff(), &console(), &dark(), 80, 24));
    picture!("staff_160", screen(&staff(), &console(), &dark(), 160, 50));
    for (lamp, word) in [
        (StaffLamp::Free, "hand to Sam: free"),
        (StaffLamp::Talking, "Sam: talking"),
        (StaffLamp::Unknown, "Sam: unknown"),
    ] {
        let mut desk = staff();
        desk.staff[0].lamp = lamp;
        let shown = screen(&desk, &console(), &dark(), 160, 50);
        assert!(shown.contains(word), "{word} in {shown}");
    }
}

#[test]
fn a_colleagues_key_hands_over_picks_up_or_calls() {
    let go = |hand: bool, keys: &str| {
        let (mut desk, mut console) = (staff(), console());
        if !hand {
            desk.in_hand = None;
        }
        type_keys(&mut console, &mut desk, keys)
    };
    assert_eq!(go(true, "f1 enter"), [Command::Transfer { to: "120".into() }]);
    assert_eq!(go(false, "f1 enter"), [Command::Dial("120".into())]);
    assert_eq!(go(false, "f1"), []);
    assert_eq!(go(false, "f3"), [Command::PickUp { line: LineId(0), number: Text::new("122") }]);
    // With a caller in hand nobody else is taken by the way.
    assert_eq!(go(true, "f3"), []);
}
