//! Many lamps by one subscription (RFC 4662), and one by one what the list leaves out.

use super::*;

/// A list's NOTIFY as Asterisk writes it: slots with their state, `None` for one that is terminated.
fn list(version: u32, full: bool, slots: &[(&str, Option<(u32, DialogState)>)]) -> Vec<u8> {
    let mut resources = String::new();
    let mut parts = String::new();
    for (id, state) in slots {
        let instance = match state {
            Some((version, state)) => {
                let body = String::from_utf8(dialogs(*version, *state)).unwrap();
                parts +=
                    &format!("--amwbz\r\nContent-ID: <c{id}@h>\r\nContent-Type: {DIALOG}\r\n\r\n{body}\r\n");
                format!("<instance id=\"i\" state=\"active\" cid=\"c{id}@h\"/>")
            }
            None => "<instance id=\"i\" state=\"terminated\" reason=\"noresource\"/>".to_owned(),
        };
        resources += &format!("<resource uri=\"sip:{id}@10.0.0.1\">{instance}</resource>");
    }
    format!(
        "--amwbz\r\nContent-ID: <r@h>\r\nContent-Type: application/rlmi+xml\r\n\r\n<list uri=\"sip:parks@h\" \
         version=\"{version}\" fullState=\"{full}\">{resources}</list>\r\n{parts}--amwbz--\r\n"
    )
    .into_bytes()
}

const FREE: Option<(u32, DialogState)> = Some((0, DialogState::Terminated));

fn with_list(policy: Policy) -> Scene {
    let mut scene = Scene::new(|dialect| dialect.lots[0].list = SlotId::new("parks"), policy);
    scene.keep("parks", "dialog", LIST, &list(0, true, &[("701", FREE), ("702", FREE), ("703", FREE)]));
    scene
}

#[test]
fn one_subscription_to_a_list_lights_all_lamps() {
    let mut scene = with_list(|_, _| None).start();
    assert_eq!(scene.asked(), asks(&["parks"], "dialog"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
    let lit = list(1, false, &[("702", Some((1, DialogState::Confirmed)))]);
    scene.tell("parks", "dialog", LIST, &lit);
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free]);
    assert!(scene.asked().is_empty());
}

#[test]
fn a_gap_in_the_list_changes_nothing_and_asks_for_all_of_it() {
    for version in [0, 2, 7] {
        let mut scene = with_list(|_, _| None).start();
        scene.asked();
        scene.tell(
            "parks",
            "dialog",
            LIST,
            &list(version, false, &[("702", Some((1, DialogState::Confirmed)))]),
        );
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free], "version {version}");
        scene.keep(
            "parks",
            "dialog",
            LIST,
            &list(9, true, &[("701", FREE), ("702", Some((5, DialogState::Confirmed))), ("703", FREE)]),
        );
        scene.run(s(1));
        assert_eq!(scene.asked(), asks(&["parks"], "dialog"), "version {version}");
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free], "version {version}");
    }
}

#[test]
fn where_the_server_has_no_list_every_slot_is_asked_for() {
    for policy in [
        (|user, _| (user == "parks").then_some(404)) as Policy,
        |user, _| (user == "parks").then_some(420),
        |user, _| (user == "parks").then_some(489),
    ] {
        let mut scene = with_list(policy);
        scene.keep_all(&dialogs(0, DialogState::Terminated));
        let mut scene = scene.start();
        assert_eq!(scene.asked(), asks(&["parks", "701", "702", "703"], "dialog"));
        assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
        scene.run(s(1000));
        assert!(!scene.asked().iter().any(|(user, _)| user == "parks"));
    }
    // And where "parks" turns out to be a slot like any other.
    let mut scene = with_list(|_, _| None);
    scene.keep("parks", "dialog", DIALOG, &dialogs(0, DialogState::Terminated));
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    assert_eq!(scene.asked().len(), 4);
}

#[test]
fn a_slot_that_the_list_leaves_out_or_gives_up_is_asked_for_by_itself() {
    let mut scene = with_list(|_, _| None);
    scene.keep("parks", "dialog", LIST, &list(0, true, &[("701", FREE), ("703", FREE)]));
    scene.keep("702", "dialog", DIALOG, &dialogs(0, DialogState::Confirmed));
    let mut scene = scene.start();
    assert_eq!(scene.asked(), asks(&["parks", "702"], "dialog"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Free]);
    scene.keep("703", "dialog", DIALOG, &dialogs(4, DialogState::Terminated));
    scene.tell("parks", "dialog", LIST, &list(1, false, &[("703", None)]));
    assert_eq!(scene.asked(), asks(&["703"], "dialog"));
    // Once the list has it again, one subscription is enough.
    scene.tell("parks", "dialog", LIST, &list(2, true, &[("701", FREE), ("702", FREE), ("703", FREE)]));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
    assert_eq!(scene.phone.census().subscriptions, 1);
}

#[test]
fn a_list_that_missed_nothing_has_no_gap_though_its_slots_count_by_leaps() {
    let mut scene = with_list(|_, _| None).start();
    let lit = |list_version, version| {
        list(list_version, false, &[("702", Some((version, DialogState::Confirmed)))])
    };
    scene.tell("parks", "dialog", LIST, &lit(1, 1));
    scene.tell("parks", "dialog", LIST, &list(2, false, &[("701", Some((2, DialogState::Confirmed)))]));
    scene.tell("parks", "dialog", LIST, &lit(3, 3));
    assert!(!gap(&scene, "702"));
    // A list is missing: the full one is asked for, and whoever is there now is anybody.
    scene.keep(
        "parks",
        "dialog",
        LIST,
        &list(6, true, &[("701", FREE), ("702", Some((6, DialogState::Confirmed))), ("703", FREE)]),
    );
    scene.tell("parks", "dialog", LIST, &lit(5, 5));
    scene.run(s(2));
    assert!(gap(&scene, "702"));
}

#[test]
fn two_lots_have_each_its_own_list_or_none_and_their_versions_are_counted_apart() {
    let mut scene = Scene::new(
        |dialect| {
            dialect.lots[0].list = SlotId::new("parks");
            let third = dialect.lots[0].slots.split_off(2);
            let sales = LotNumbers { list: SlotId::new("sales"), ..LotNumbers::new(slot("750"), third) };
            dialect.lots.push(sales);
            dialect.lots.push(LotNumbers::new(slot("760"), vec![slot("761")]));
        },
        |_, _| None,
    );
    scene.keep("parks", "dialog", LIST, &list(7, true, &[("701", FREE), ("702", FREE)]));
    scene.keep("sales", "dialog", LIST, &list(0, true, &[("703", FREE)]));
    scene.keep("761", "dialog", DIALOG, &dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    assert_eq!(scene.asked(), asks(&["parks", "sales", "761"], "dialog"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
    let lit = |version, id| list(version, false, &[(id, Some((1, DialogState::Confirmed)))]);
    scene.tell("sales", "dialog", LIST, &lit(1, "703"));
    scene.tell("parks", "dialog", LIST, &lit(8, "702"));
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Parked, Lamp::Parked]);
    assert_eq!(scene.asked(), [], "neither has missed anything");
    // One is given up: the other goes on.
    scene.tell("sales", "dialog", "text/plain", b"no list any more");
    assert_eq!(scene.asked(), asks(&["703"], "dialog"));
    scene.tell("parks", "dialog", LIST, &lit(9, "701"));
    assert_eq!(scene.lamps()[0], Lamp::Parked);
}
