//! The lot's process ends, by kill -9 or otherwise, and another goes on from its journal.

use super::*;
use crate::lot::memory::SavedPlace;
use crate::sip::Event;
use crate::sip::dialog_info::DialogState;
use rand::RngExt;
use std::time::Duration;

const AWAY: Duration = Duration::from_secs(3);

fn config() -> LotConfig {
    OFFICE.parse::<toml::Table>().unwrap().try_into().unwrap()
}

fn kept_office() -> World {
    let mut world = office();
    world.keep();
    world
}

/// Texts that a phone was sent.
fn texts(world: &World, phone: usize) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::RequestReceived { request, .. } => Some(String::from_utf8_lossy(&request.body).into_owned()),
        _ => None,
    };
    world.phones[phone].events.iter().filter_map(text).collect()
}

fn lost(world: &World) -> Vec<&Notice> {
    world.notices.iter().filter(|notice| matches!(notice, Notice::Lost { .. })).collect()
}

#[test]
fn a_parked_caller_sits_in_the_slot_again_with_music_and_can_be_retrieved() {
    let mut world = kept_office();
    let (jane, slot) = ann_parks_jane(&mut world);
    world.run_s(10);
    world.crash(config(), AWAY);
    world.run_ms(200);
    assert!(!world.is_over(JANE, jane), "the same dialog goes on");
    assert!(world.hears_music(JANE), "{:?}", world.notices);
    assert!(
        world
            .notices
            .iter()
            .any(|n| matches!(n, Notice::Recovered { slot: Some(at), .. } if at.as_str() == slot))
    );
    let parked = world.lot.lots[0].in_slot(&slot).unwrap();
    assert_eq!((parked.parkee.label(), parked.parker.user.as_str()), ("Jane Doe", "ann"));
    assert_eq!(parked.waited_s(world.now), 13, "the wait goes on");
    let bob = world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.is_answered(BOB, bob) && world.talk(BOB, JANE));
    world.hang_up(JANE, jane);
    world.run_s(40);
    assert!(world.is_over(BOB, bob));
    assert_eq!(world.lot.census().legs, 0);
    assert_eq!(world.past.as_ref().unwrap().legs.len(), 0, "and nothing is left in the journal");
}

#[test]
fn the_parker_is_rung_when_the_time_is_over_though_the_lot_was_away_meanwhile() {
    let mut world = kept_office();
    let (_, slot) = ann_parks_jane(&mut world);
    world.run_s(55);
    world.crash(config(), Duration::from_secs(10));
    world.run_ms(100);
    let incoming = world.ringing(ANN);
    world.answer(ANN, incoming);
    world.run_ms(100);
    assert!(world.talk(ANN, JANE), "{:?}", world.notices);
    assert!(world.lot.lots[0].in_slot(&slot).is_none());
}

#[test]
fn a_caller_whose_phone_is_gone_is_lost_his_lamp_goes_out_and_the_parker_is_told() {
    let mut world = kept_office();
    let lamp = world.watch(BOB, "701");
    let (_, slot) = ann_parks_jane(&mut world);
    world.run_s(10);
    world.phones[JANE].dead = true;
    world.crash(config(), AWAY);
    world.run_ms(100);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Confirmed, "nobody knows yet");
    world.run_s(40);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated);
    assert_eq!(lost(&world).len(), 1, "{:?}", world.notices);
    let said = texts(&world, ANN);
    assert!(
        matches!(&said[..], [text] if text.starts_with("Jane Doe (jane), parked in 701 for 0:4")
            && text.ends_with("was lost when the lot restarted: their phone doesn't answer.")),
        "{said:?}"
    );
    let bob = world.dial(BOB, &slot);
    world.run_ms(100);
    assert!(world.is_over(BOB, bob) && world.last_refusal().contains("was lost"), "{}", world.last_refusal());
}

#[test]
fn a_caller_who_hung_up_while_nobody_was_there_is_told_as_such() {
    let mut world = kept_office();
    let (jane, _) = ann_parks_jane(&mut world);
    world.run_s(1);
    let now = world.now;
    world.phones[JANE].agent.hang_up(now, jane);
    world.crash(config(), Duration::from_secs(60));
    world.run_s(1);
    let said = texts(&world, ANN);
    assert!(matches!(&said[..], [text] if text.ends_with("they had hung up.")), "{said:?}");
    assert_eq!((world.lot.census().parked, world.lot.census().legs), (0, 0));
}

#[test]
fn a_parker_without_a_phone_is_told_as_soon_as_he_has_one() {
    let mut world = kept_office();
    ann_parks_jane(&mut world);
    world.phones[JANE].dead = true;
    world.past.as_mut().unwrap().phones.remove("ann");
    world.crash(config(), AWAY);
    world.run_s(40);
    assert_eq!(texts(&world, ANN).len(), 0);
    world.register(ANN);
    world.run_ms(100);
    assert_eq!(texts(&world, ANN).len(), 1);
}

#[test]
fn who_talks_talks_on_and_registrations_and_lamps_are_there() {
    let mut world = kept_office();
    let lamp = world.watch(SHOP, "100");
    let (jane, ann) = jane_talks_with_ann(&mut world);
    world.run_s(2);
    let told = world.lamps_told(SHOP, lamp);
    world.crash(config(), AWAY);
    world.run_ms(200);
    assert!(world.talk(JANE, ANN), "{:?}", world.notices);
    assert_eq!(world.lot.census().phones, 5);
    assert_eq!(world.lamps_told(SHOP, lamp), told + 1, "the full state, once");
    assert_eq!(world.lamp(SHOP, lamp).dialogs[0].state, DialogState::Confirmed);
    world.hang_up(JANE, jane);
    world.run_ms(100);
    assert!(world.is_over(ANN, ann));
    assert_eq!(world.lamp(SHOP, lamp).dialogs[0].state, DialogState::Terminated);
    // Calls find phones that have not registered again.
    talk(&mut world, KURT, BOB, "101");
}

#[test]
fn two_restarts_in_a_row_lose_nobody_and_a_second_one_during_the_first_neither() {
    let mut world = kept_office();
    ann_parks_jane(&mut world);
    for away_ms in [1, 0, 5_000] {
        world.crash(config(), Duration::from_millis(away_ms));
        world.run_ms(if away_ms == 1 { 0 } else { 500 });
    }
    // Two offers may have met: the second comes after a while (RFC 3261 14.1).
    world.run_s(4);
    assert!(world.hears_music(JANE));
    assert_eq!(lost(&world), Vec::<&Notice>::new());
}

#[test]
fn a_retrieve_cut_short_leaves_the_caller_in_the_slot_and_one_that_is_done_leaves_the_two_talking() {
    for (run_ms, talking) in [(2, false), (50, true)] {
        let mut world = kept_office();
        let (_, slot) = ann_parks_jane(&mut world);
        world.dial(BOB, &slot);
        // His 200 has been sent; one more way and his ACK is there.
        world.run_ms(run_ms);
        world.crash(config(), AWAY);
        world.run_s(1);
        assert_eq!(world.talk(BOB, JANE), talking, "{:?}", world.notices);
        assert_eq!(world.lot.lots[0].in_slot(&slot).is_some(), !talking);
        assert!(talking || world.hears_music(JANE));
    }
}

#[test]
fn a_lot_that_the_configuration_has_no_more_gives_its_callers_to_another() {
    let mut world = kept_office();
    let (_, _) = ann_parks_jane(&mut world);
    let mut other = config();
    other.lots[0].name = "back".to_owned();
    other.lots[0].parkpos = crate::lot::config::SlotRange::parse("801-803").unwrap();
    world.crash(other, AWAY);
    world.run_ms(200);
    assert_eq!(world.lot.lots[0].in_slot("801").unwrap().parkee.label(), "Jane Doe");
    assert!(world.hears_music(JANE));
}

#[test]
fn a_ticket_opens_the_same_call_after_a_restart() {
    let mut world = kept_office();
    ann_parks_jane(&mut world);
    let ticket = world.lot.lots[0].in_slot("701").unwrap().ticket.clone();
    world.crash(config(), AWAY);
    world.run_ms(100);
    assert_eq!(world.lot.lots[0].in_slot("701").unwrap().ticket, ticket);
}

#[test]
fn a_killed_lot_never_loses_who_was_told_to_be_parked_at_random_instants() {
    for seed in 0..60 {
        let mut world = kept_office();
        let mut chance = StdRng::seed_from_u64(seed);
        let (jane, ann) = jane_talks_with_ann(&mut world);
        let refer = world.refer(ANN, ann, "700", &[]);
        // Somewhere in the middle of the park, which takes a few round trips of 2 ms.
        let steps = chance.random_range(0..14);
        for _ in 0..steps {
            world.run_ms(1);
        }
        let told = world.phones[ANN]
            .events
            .iter()
            .any(|event| matches!(event, Event::ReferProgress { refer: r, status: 200, .. } if *r == refer));
        world.crash(config(), AWAY);
        world.run_s(2);
        let parked = world.lot.census().parked == 1 && world.hears_music(JANE);
        let talking = world.talk(JANE, ANN);
        assert!(!world.is_over(JANE, jane), "seed {seed}: she is on the line");
        assert!(parked ^ talking, "seed {seed}, after {steps} ms: parked {parked}, talking {talking}");
        assert!(!told || parked, "seed {seed}: who was told that she is parked finds her parked");
    }
}

#[test]
fn what_a_journal_says_that_can_not_be_is_told_and_nothing_more() {
    let mut world = kept_office();
    ann_parks_jane(&mut world);
    let past = world.past.as_mut().unwrap();
    let leg = past.legs.values_mut().next().unwrap();
    leg.source = "nowhere".to_owned();
    past.phones.get_mut("ann").unwrap()[0].contact = "tel:1".to_owned();
    let phones = past.phones["bob"].clone();
    past.phones.insert("nobody".to_owned(), phones.clone());
    past.phones.get_mut("ann").unwrap().extend(phones);
    world.crash(config(), AWAY);
    world.run_ms(100);
    assert_eq!(lost(&world).len(), 1);
    assert_eq!(world.lot.census().legs, 0);
    assert_eq!(texts(&world, BOB).len(), 1, "Ann is registered at Bob's phone now");
    for line in [
        &b""[..],
        b"{",
        b"{\"begun\":{\"format\":1,\"realm\":\"x\"}",
        b"{\"leg_ended\":{\"id\":-1}}",
        b"[]",
        &[b' '; 70_000],
    ] {
        assert!(crate::lot::memory::Past::default().read_line(line).is_err());
    }
}

#[test]
fn a_journal_that_begins_late_has_everything() {
    let mut world = office();
    ann_parks_jane(&mut world);
    assert_eq!(world.lot.poll_entry(), None, "nobody writes anything down");
    world.keep();
    let past = world.past.as_ref().unwrap();
    let places: Vec<&SavedPlace> = past.legs.values().map(|leg| &leg.place).collect();
    assert!(matches!(&places[..], [SavedPlace::Parked(_)]), "{places:?}");
    assert_eq!(past.phones.len(), 5);
}

#[test]
fn a_call_that_rang_rings_again_by_itself_and_the_phone_that_rang_stops() {
    let mut world = kept_office();
    let jane = world.dial(JANE, "100");
    world.run_ms(50);
    let first = world.ringing(ANN);
    world.ring(ANN, first);
    world.run_ms(50);
    assert_eq!(world.past.as_ref().unwrap().rings.len(), 2);
    let secret =
        world.past.as_ref().unwrap().rings.values().any(|ring| ring.message.contains("Authorization"));
    assert!(!secret, "nothing that proves or describes stands in the journal");
    world.crash(config(), AWAY);
    world.run_s(1);
    assert!(world.is_over(ANN, first), "{:?}", world.notices);
    assert!(!world.is_over(JANE, jane), "Jane has done nothing, and still hears ringing");
    let again = world.ringing(ANN);
    assert_ne!(again, first);
    world.answer(ANN, again);
    world.run_ms(100);
    assert!(world.talk(JANE, ANN));
    world.hang_up(JANE, jane);
    world.run_s(40);
    assert_eq!(world.lot.census().legs, 0);
    let past = world.past.as_ref().unwrap();
    assert_eq!((past.legs.len(), past.rings.len()), (0, 0));
}

#[test]
fn why_a_call_comes_back_and_that_its_parker_is_waited_for_outlive_a_restart() {
    let mut config: toml::Table = OFFICE.parse().unwrap();
    config["lots"][0].as_table_mut().unwrap().insert("comebackwhenidle".into(), true.into());
    let config: LotConfig = config.try_into().unwrap();
    let mut world = open_office(config.clone());
    world.keep();
    ann_parks_jane(&mut world);
    talk(&mut world, KURT, ANN, "100");
    world.run_s(61);
    let waiting = |world: &World| world.lot.lots[0].in_slot("701").unwrap().phase;
    assert!(matches!(waiting(&world), slots::Phase::AwaitingParker { .. }));
    world.crash(config.clone(), AWAY);
    world.run_s(1);
    assert!(matches!(waiting(&world), slots::Phase::AwaitingParker { .. }), "{:?}", waiting(&world));
    assert!(world.talk(KURT, ANN) && world.try_ringing(ANN).is_none(), "Ann is on the phone still");

    // Whoever was sent back says so when he rings.
    let mut world = open_office(config.clone());
    world.keep();
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "101", &[]);
    world.run_ms(50);
    world.hang_up(ANN, at_ann);
    world.run_ms(50);
    let at_bob = world.ringing(BOB);
    world.reject(BOB, at_bob, 486);
    world.run_ms(5);
    world.crash(config, AWAY);
    world.run_s(1);
    let back = world.ringing(ANN);
    let reason = world.invite_of(ANN, back).headers.get("Parkdeck-Reason").unwrap().to_owned();
    assert!(reason.starts_with("returned"), "{reason}");
}

#[test]
fn a_caller_without_a_place_takes_nobodys_slot_when_the_lot_starts_again() {
    let mut world = kept_office();
    // Kurt is being transferred by Bob, who is gone; his call is older than Jane's, who is parked.
    let (_, at_bob) = talk(&mut world, KURT, BOB, "101");
    ann_parks_jane(&mut world);
    world.refer(BOB, at_bob, "102", &[]);
    world.run_ms(50);
    world.hang_up(BOB, at_bob);
    world.run_ms(50);
    world.crash(config(), AWAY);
    world.run_ms(200);
    let who = |slot: &str| world.lot.lots[0].in_slot(slot).map(|parked| parked.parkee.label().to_owned());
    assert_eq!(who("701").as_deref(), Some("Jane Doe"), "she is where she was");
    assert_eq!(who("702").as_deref(), Some("Kurt Weill"));
}

#[test]
fn a_caller_who_has_not_heard_the_answer_when_the_lot_is_killed_hears_it_from_the_next() {
    let mut world = kept_office();
    let jane = world.dial(JANE, "100");
    world.run_ms(50);
    let at_ann = world.ringing(ANN);
    // The network is away for just as long as the answer takes.
    world.phones[JANE].dead = true;
    world.answer(ANN, at_ann);
    world.run_ms(50);
    world.phones[JANE].dead = false;
    assert!(!world.is_answered(JANE, jane));
    world.crash(config(), AWAY);
    world.run_s(1);
    // Until her phone has heard it, it takes no re-INVITE.
    assert!(world.is_answered(JANE, jane), "{:?}", world.notices);
    world.run_s(5);
    assert!(world.talk(JANE, ANN), "{:?}", world.notices);
    let journal = serde_json::to_string(&world.past.as_ref().unwrap().legs).unwrap();
    assert!(!journal.contains("unacknowledged"), "what was acknowledged is said no more: {journal}");
    world.hang_up(JANE, jane);
    world.run_s(40);
    assert_eq!(world.lot.census().legs, 0);
}

#[test]
fn a_phone_that_lost_power_over_new_sound_does_not_haunt_the_slot() {
    let mut world = kept_office();
    let (_, slot) = ann_parks_jane(&mut world);
    world.run_s(10);
    world.crash(config(), AWAY);
    // 100 is on its way, the answer is never heard: INVITE, 100 and 200 take a millisecond each.
    world.run_ms(1);
    world.phones[JANE].dead = true;
    world.run_ms(1);
    world.reboot(JANE);
    assert!(world.lot.lots[0].in_slot(&slot).is_some());
    world.run_s(200);
    assert_eq!(lost(&world).len(), 1, "{:?}", world.notices);
    assert!(world.lot.lots[0].in_slot(&slot).is_none());
    assert_eq!(world.lot.census().legs, 0);
}
