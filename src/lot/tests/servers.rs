//! Servers of ours that have proven their callers themselves: a proxy or another phone system whose people park here.

use super::*;

/// Where the proxy is: the next phone that is added.
const PROXY: usize = 5;

/// An office behind a proxy, which is a user that needs no password.
fn behind_a_proxy(lot_lines: &str) -> World {
    let mut world = office_as(|config| {
        let other: toml::Table = lot_lines.parse().unwrap();
        config["lots"][0].as_table_mut().unwrap().extend(other);
        let proxy: toml::Table = "name = 'proxy'\nsecret = 'unused'\naddress = '192.0.2.15:5060'\n\
                                  permissions = { assert_identity = true }"
            .parse()
            .unwrap();
        config["users"].as_array_mut().unwrap().push(proxy.into());
    });
    // It knows no password.
    assert_eq!(world.add_phone("proxy", "wrong", "Proxy"), PROXY);
    world
}

const JO: (&str, &str) = ("P-Asserted-Identity", "\"Jo Other\" <sip:jo@proxy.test>");
const SENT_BY_EVE: (&str, &str) = ("Referred-By", "\"Eve\" <sip:eve@proxy.test>");

#[test]
fn who_is_sent_into_the_lot_comes_back_to_whoever_sent_him_behind_the_server() {
    let mut world = behind_a_proxy("");
    let jo = world.dial_with(PROXY, "700", &[JO, SENT_BY_EVE]);
    world.run_ms(100);
    assert!(world.is_answered(PROXY, jo) && world.hears_music(PROXY));
    let parked = world.lot.lots[0].in_slot("701").unwrap();
    assert_eq!((parked.parkee.label(), parked.parker.identity.label()), ("Jo Other", "Eve"));
    world.run_s(61);
    let back = world.ringing(PROXY);
    let invite = world.invite_of(PROXY, back);
    assert_eq!(invite.uri.to_string(), "sip:eve@192.0.2.15:5060", "{invite:?}");
    assert_eq!(invite.headers.name_addr("P-Asserted-Identity").unwrap().display.as_deref(), Some("Jo Other"));
    world.answer(PROXY, back);
    world.run_ms(100);
    assert_eq!(world.noticed(|n| matches!(n, Notice::CameBack { .. })), 1);
    assert!(world.talk(PROXY, PROXY));
    world.hang_up(PROXY, back);
    world.run_s(1);
    assert!(world.is_over(PROXY, jo));
    world.assert_at_rest();
}

#[test]
fn people_behind_a_server_retrieve_and_see_lamps_each_by_himself() {
    let mut world = behind_a_proxy("");
    let (_, slot) = ann_parks_jane(&mut world);
    let lamps: Vec<_> = (0..3).map(|_| world.watch(PROXY, "701")).collect();
    world.run_ms(100);
    // The same person: the oldest makes room.
    assert_eq!(world.lot.presence.count(), 2);
    assert_eq!(world.lamp(PROXY, lamps[2]).dialogs.len(), 1);
    let eve = world.dial_with(PROXY, &slot, &[("P-Asserted-Identity", "<sip:eve@proxy.test>")]);
    world.run_ms(100);
    assert!(world.is_answered(PROXY, eve) && world.talk(PROXY, JANE));
    assert!(world.told_identity(PROXY, eve).unwrap().contains("Jane Doe"));
}

#[test]
fn a_transferee_is_never_joined_with_whoever_is_parked_where_he_was_sent() {
    let mut world = behind_a_proxy("");
    ann_parks_jane(&mut world);
    let taken = world.dial_with(PROXY, "701", &[JO, SENT_BY_EVE]);
    let free = world.dial_with(PROXY, "702", &[JO, SENT_BY_EVE]);
    world.run_ms(100);
    assert_eq!(world.end_of(PROXY, taken).unwrap().0, Some(486), "{}", world.last_refusal());
    assert!(!world.hears_anything_of(PROXY, JANE) && world.hears_music(JANE));
    assert!(world.is_answered(PROXY, free), "a transfer to a free slot parks there");
    assert_eq!(world.lot.lots[0].in_slot("702").unwrap().parkee.label(), "Jo Other");
}

#[test]
fn only_from_exactly_there_and_never_a_registration() {
    let mut world = behind_a_proxy("");
    let neighbour = world.add_phone("proxy", "wrong", "Neighbour");
    let call = world.dial(neighbour, "700");
    world.register(PROXY);
    world.run_s(3);
    assert!(!world.is_answered(neighbour, call), "another address needs the password");
    assert_eq!(world.lot.registrar.phones("proxy").len(), 0, "and a registration needs it everywhere");
    assert_eq!(world.lot.census().parked, 0);
    // What it asserts goes no further than its own rights: the trunk, for one, is not among them.
    let outside = world.dial_with(PROXY, "00441614960100", &[JO]);
    world.run_s(1);
    assert_eq!(world.end_of(PROXY, outside).unwrap().0, Some(404));
}

#[test]
fn a_user_who_speaks_for_nobody_can_not_have_a_servers_address() {
    for (lines, word) in [
        ("address = '192.0.2.15:5060'", "assert_identity"),
        ("address = '0.0.0.0:5060'\npermissions = { assert_identity = true }", "sends from"),
        ("address = '192.0.2.1:5060'\npermissions = { assert_identity = true }", "own address"),
    ] {
        let mut config: toml::Table = OFFICE.parse().unwrap();
        let user: toml::Table = format!("name = 'proxy'\nsecret = 'x'\n{lines}").parse().unwrap();
        config["users"].as_array_mut().unwrap().push(user.into());
        let config: LotConfig = config.try_into().unwrap();
        let problems = config.problems();
        assert!(
            problems.iter().any(|p| p.path == "users.5.address" && p.message.contains(word)),
            "{problems:?}"
        );
    }
}

#[test]
fn what_a_phone_says_of_who_sent_it_is_not_believed() {
    let mut world = office();
    // Ann parks herself and claims that Bob sent her.
    let ann = world.dial_with(ANN, "700", &[("Referred-By", "<sip:101@parkdeck>")]);
    world.run_ms(100);
    assert!(world.is_answered(ANN, ann));
    assert_eq!(world.lot.lots[0].in_slot("701").unwrap().parker.identity.label(), "Ann");
    world.run_s(61);
    assert!(world.try_ringing(BOB).is_none());
}
