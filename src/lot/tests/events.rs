//! Other lamps than dialogs: presence, lists of many, waiting messages.

use super::*;
use crate::sip::{Event, Subscribe, SubscriptionKey, presence, rlmi};

fn subscribe(world: &mut World, phone: usize, extension: &str, event: &str, list: bool) -> SubscriptionKey {
    let (target, send_to) = (world.uri(extension), world.lot_address());
    let subscribe = Subscribe {
        account: Some(world.phones[phone].account),
        target,
        send_to,
        event: event.to_owned(),
        accept: "multipart/related, application/dialog-info+xml, application/pidf+xml".to_owned(),
        expires_s: 600,
        list,
    };
    let key = world.phones[phone].agent.subscribe(world.now, subscribe);
    world.run_ms(50);
    key
}

/// Everything that was told, oldest first: type and body.
fn told(world: &World, phone: usize, wanted: SubscriptionKey) -> Vec<(String, Vec<u8>)> {
    let told = world.phones[phone].events.iter().filter_map(|event| match event {
        Event::Notified { subscription, content_type, body, .. } if *subscription == wanted => {
            Some((content_type.clone(), body.clone()))
        }
        _ => None,
    });
    told.collect()
}

fn refused(world: &World, phone: usize, wanted: SubscriptionKey) -> Option<u16> {
    world.phones[phone].events.iter().find_map(|event| match event {
        Event::SubscriptionRefused { subscription, status, .. } if *subscription == wanted => Some(*status),
        _ => None,
    })
}

#[test]
fn a_phone_that_knows_only_presence_sees_who_rings_talks_and_is_gone() {
    let mut world = office();
    let lamp = subscribe(&mut world, BOB, "100", "presence", false);
    let last = |world: &World| {
        let (kind, body) = told(world, BOB, lamp).pop().unwrap();
        assert_eq!(kind, presence::CONTENT_TYPE);
        let presence = presence::read(&body).unwrap();
        (presence.is_open(), presence.is_busy(), presence.notes[0].clone())
    };
    assert_eq!(last(&world), (Some(true), false, "Ready".into()));
    let jane = world.dial(JANE, "100");
    world.run_ms(100);
    assert_eq!(last(&world), (Some(true), true, "Ringing".into()));
    let ann = world.ringing(ANN);
    world.answer(ANN, ann);
    world.run_ms(100);
    assert_eq!(last(&world), (Some(true), true, "On the phone".into()));
    world.hang_up(JANE, jane);
    world.run_ms(100);
    assert_eq!(last(&world), (Some(true), false, "Ready".into()));
    let account = world.phones[ANN].account;
    world.phones[ANN].agent.unregister(world.now, account);
    world.run_ms(1_100);
    assert_eq!(last(&world), (Some(false), false, "Not registered".into()));
}

const LIST: &str = "[[lists]]\nextension = '790'\nmembers = ['701-703', '100']";

#[test]
fn a_list_tells_all_at_once_and_then_what_has_changed() {
    let mut world = office_of("", LIST);
    let list = subscribe(&mut world, BOB, "790", "dialog", true);
    let read = |world: &World, at: usize| {
        let (kind, body) = told(world, BOB, list)[at].clone();
        let lists = rlmi::read(&kind, &body).unwrap();
        let of = |r: &rlmi::Resource<'_>| {
            let (kind, body) = r.instances[0].content.clone().unwrap();
            assert_eq!(kind, crate::sip::dialog_info::CONTENT_TYPE);
            let info = crate::sip::dialog_info::read(body).unwrap();
            (r.uri.clone(), info.dialogs[0].state.word(), info.dialogs[0].remote.is_some())
        };
        (lists[0].version, lists[0].full, lists[0].resources.iter().map(of).collect::<Vec<_>>())
    };
    let (version, full, lamps) = read(&world, 0);
    assert_eq!((version, full, lamps.len()), (0, true, 4));
    assert!(lamps.iter().all(|(_, state, _)| *state == "terminated"), "{lamps:?}");
    ann_parks_jane(&mut world);
    let all = told(&world, BOB, list).len();
    let (mut slot, mut ann) = (None, None);
    for at in 1..all {
        let (version, full, lamps) = read(&world, at);
        assert_eq!((version as usize, full), (at, false));
        for (uri, state, named) in lamps {
            if uri == "sip:701@parkdeck" { slot = Some((state, named)) } else { ann = Some((uri, state)) }
        }
    }
    assert_eq!(slot, Some(("confirmed", true)));
    assert_eq!(ann, Some(("sip:100@parkdeck".into(), "terminated")));
}

#[test]
fn news_that_come_while_the_last_is_unanswered_go_together() {
    let mut world = office_of("", LIST);
    let list = subscribe(&mut world, BOB, "790", "dialog", true);
    world.phones[BOB].dead = true;
    ann_parks_jane(&mut world);
    talk(&mut world, KURT, ANN, "100");
    world.phones[BOB].dead = false;
    world.run_s(5);
    // Put together, every extension is told as it is now.
    let mut lamps = std::collections::BTreeMap::new();
    for (kind, body) in told(&world, BOB, list) {
        for resource in &rlmi::read(&kind, &body).unwrap()[0].resources {
            let (_, body) = resource.instances[0].content.clone().unwrap();
            let info = crate::sip::dialog_info::read(body).unwrap();
            lamps.insert(resource.uri.clone(), info.dialogs[0].state.word());
        }
    }
    assert_eq!(lamps["sip:701@parkdeck"], "confirmed");
    assert_eq!(lamps["sip:100@parkdeck"], "confirmed");
}

#[test]
fn who_knows_no_lists_is_told_that_it_is_one() {
    let mut world = office_of("", LIST);
    let list = subscribe(&mut world, BOB, "790", "dialog", false);
    assert!(told(&world, BOB, list).is_empty());
    let refusal = world.last_refusal();
    assert!(refusal.starts_with("SIP/2.0 421") && refusal.contains("Require: eventlist"), "{refusal}");
}

#[test]
fn who_may_not_see_a_caller_doesnt_see_him_in_a_list() {
    let mut world = office_as(|config| {
        config.extend(LIST.parse::<toml::Table>().unwrap());
        let shop = config["users"][SHOP]["permissions"].as_table_mut().unwrap();
        shop.insert("pickup".into(), false.into());
    });
    let list = subscribe(&mut world, SHOP, "790", "dialog", true);
    ann_parks_jane(&mut world);
    let all: String =
        told(&world, SHOP, list).iter().map(|(_, b)| String::from_utf8_lossy(b).into_owned()).collect();
    assert!(all.contains("confirmed") && !all.contains("Jane"), "{all}");
}

#[test]
fn nobody_has_a_mailbox_whose_messages_no_provider_keeps() {
    let mut world = office();
    let own = subscribe(&mut world, ANN, "100", "message-summary", false);
    assert_eq!(refused(&world, ANN, own), Some(404));
    let other = subscribe(&mut world, ANN, "100", "conference", false);
    assert_eq!(refused(&world, ANN, other), Some(489));
}
