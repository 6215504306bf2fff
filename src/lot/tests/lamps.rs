//! Lamps and notes.

use super::*;
use crate::sip::Event;
use crate::sip::dialog_info::{DialogState, Direction};

#[test]
fn a_lamp_tells_who_is_parked_by_whom_how_long_and_with_what_note() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    world.run_ms(20);
    let idle = world.lamp(BOB, lamp);
    assert!(idle.full);
    assert_eq!((idle.entity.as_str(), idle.dialogs[0].state), ("sip:701@parkdeck", DialogState::Terminated));
    let (jane, at_ann) = jane_talks_with_ann(&mut world);
    world.refer(ANN, at_ann, "700", &[("Parkdeck-Note", "for Sam")]);
    world.run_ms(20);
    let lit = world.lamp(BOB, lamp).dialogs[0].clone();
    assert_eq!((lit.state, lit.direction), (DialogState::Confirmed, Some(Direction::Recipient)));
    assert_eq!(lit.remote.unwrap().display.as_deref(), Some("Jane Doe"));
    assert_eq!(lit.referred_by.unwrap().uri, "sip:100@parkdeck");
    assert_eq!((lit.duration_s, lit.note.as_deref()), (Some(0), Some("for Sam")));
    world.run_s(10);
    let now = world.now;
    world.phones[BOB].agent.renew(now, lamp);
    world.run_s(5);
    assert!(matches!(world.lamp(BOB, lamp).dialogs[0].duration_s, Some(10..=15)));
    world.hang_up(JANE, jane);
    world.run_ms(5);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated, "out at once");
    let (told, version) = (world.lamps_told(BOB, lamp), world.lamp(BOB, lamp).version);
    world.run_s(5);
    assert_eq!(world.lamps_told(BOB, lamp), told, "told once for each change");
    assert!(version >= 2);
}

#[test]
fn who_may_not_retrieve_sees_that_and_not_who() {
    let mut world = office();
    let lamp = world.watch(SHOP, "701");
    ann_parks_jane(&mut world);
    let lit = world.lamp(SHOP, lamp).dialogs[0].clone();
    assert_eq!(lit.state, DialogState::Confirmed);
    assert_eq!(
        (lit.remote, lit.call_id, lit.local_tag, lit.referred_by, lit.note),
        (None, None, None, None, None)
    );
}

#[test]
fn an_extension_shows_idle_ringing_and_talking() {
    let mut world = office();
    let lamp = world.watch(BOB, "100");
    world.run_ms(20);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated);
    let jane = world.dial(JANE, "100");
    world.run_ms(20);
    let ringing = world.lamp(BOB, lamp).dialogs[0].clone();
    assert_eq!((ringing.state, ringing.direction), (DialogState::Early, Some(Direction::Recipient)));
    let incoming = world.ringing(ANN);
    world.answer(ANN, incoming);
    world.run_ms(20);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Confirmed);
    world.hang_up(JANE, jane);
    world.run_ms(50);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].state, DialogState::Terminated);
}

#[test]
fn what_does_not_exist_cannot_be_watched() {
    let mut world = office();
    for extension in ["700", "799", "nobody"] {
        let lamp = world.watch(BOB, extension);
        world.run_ms(50);
        let refused = |e: &Event| matches!(e, Event::SubscriptionRefused { subscription, status: 404, .. } if *subscription == lamp);
        assert!(world.phones[BOB].events.iter().any(refused), "{extension}");
    }
}

#[test]
fn a_user_has_at_most_two_subscriptions_to_a_slot() {
    let mut world = office();
    for _ in 0..5 {
        world.watch(BOB, "701");
        world.run_ms(20);
    }
    assert_eq!(world.lot.presence.count(), 2);
    let other = world.watch(ANN, "701");
    world.run_ms(20);
    assert_eq!(world.lot.presence.count(), 3);
    assert_eq!(world.lamp(ANN, other).dialogs[0].state, DialogState::Terminated);
}

#[test]
fn a_watcher_who_leaves_is_forgotten() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    world.run_ms(20);
    let now = world.now;
    world.phones[BOB].agent.unsubscribe(now, lamp);
    world.run_s(40);
    assert_eq!((world.lot.presence.count(), world.lot.census().agent.watchers), (0, 0));
}

#[test]
fn a_note_is_written_on_the_call_that_the_writer_saw_and_on_no_other() {
    let mut world = office();
    let lamp = world.watch(BOB, "701");
    let (_, at_ann) = jane_talks_with_ann(&mut world);
    let refer = world.refer(ANN, at_ann, "700", &[]);
    world.run_ms(50);
    let ticket = world.ticket(ANN, refer);
    let text = ("Content-Type", "text/plain;charset=utf-8");
    let json = ("Content-Type", "application/json");
    assert_eq!(world.message(ANN, "701", &[text, ("Parkdeck-Ticket", &ticket)], "wants Sam"), 200);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].note.as_deref(), Some("wants Sam"));
    let dialog = world.lamp(BOB, lamp).dialogs[0].clone();
    let (id, to, from) = (dialog.call_id.unwrap(), dialog.local_tag.unwrap(), dialog.remote_tag.unwrap());
    let name = format!("{id};to-tag={to};from-tag={from}");
    assert_eq!(world.message(BOB, "701", &[json, ("Parkdeck-Call", &name)], r#"{"note":"bay 3"}"#), 200);
    assert_eq!(world.message(BOB, "701", &[json, ("Parkdeck-Call", &id)], r#"{"note":"bay 4"}"#), 200);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].note.as_deref(), Some("bay 4"));
    assert_eq!(world.message(BOB, "701", &[text, ("Parkdeck-Ticket", "wrong")], "x"), 404);
    assert_eq!(world.message(BOB, "701", &[text], "x"), 400, "which call?");
    assert_eq!(world.message(SHOP, "701", &[text, ("Parkdeck-Ticket", &ticket)], "x"), 403);
    assert_eq!(world.message(BOB, "702", &[text, ("Parkdeck-Ticket", &ticket)], "x"), 404);
    assert_eq!(world.message(BOB, "700", &[text, ("Parkdeck-Ticket", &ticket)], "x"), 404);
    assert_eq!(world.lamp(BOB, lamp).dialogs[0].note.as_deref(), Some("bay 4"));
    world.run_s(61);
    let back = world.ringing(ANN);
    assert_eq!(world.invite_of(ANN, back).headers.get("Parkdeck-Note"), Some("bay 4"));
}
