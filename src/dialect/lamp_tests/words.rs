//! What is believed of what a server tells: until when it holds, what may have been missed, what makes no sense; and the
//! voicemail lamp.

use super::*;

#[test]
fn messages_are_told_where_there_is_a_mailbox_and_forgotten_with_the_subscription() {
    let mut scene = Scene::new(|dialect| dialect.has_mailbox = true, |_, _| None);
    let body = b"Messages-Waiting: yes\r\nVoice-Message: 2/8 (1/0)\r\n";
    scene.keep("reception", message_summary::EVENT, message_summary::CONTENT_TYPE, body);
    let mut scene = scene.start();
    let told = Messages { waiting: true, new: Some(2), old: Some(8), urgent: 1 };
    assert!(scene.heard.contains(&Event::MessagesTold(Some(told))));
    let watcher = scene.watchers[&("reception".to_owned(), message_summary::EVENT.to_owned())];
    scene.policy = |_, _| Some(404);
    scene.server.dismiss(scene.now, watcher, "noresource");
    scene.run(s(1));
    let last = scene.heard.iter().rev().find(|event| matches!(event, Event::MessagesTold(_)));
    assert_eq!(last, Some(&Event::MessagesTold(None)));
    // Without a mailbox nobody asks.
    let mut scene = Scene::new(|_| {}, |_, _| None).start();
    assert!(!scene.asked().iter().any(|(_, package)| package == message_summary::EVENT));
}

#[test]
fn every_lamp_says_until_when_it_holds_and_is_confirmed_by_refreshes() {
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    let until = scene.report("701").fresh_until.unwrap();
    assert!(until > scene.now + s(290) && until <= scene.now + s(300));
    scene.heard.clear();
    scene.run(s(290));
    for id in ["701", "702", "703"] {
        let confirmed = scene.heard.iter().any(
            |event| matches!(event, Event::LampConfirmed { slot, until: later } if slot.as_str() == id && *later > until),
        );
        assert!(confirmed, "{id}");
    }
    assert_eq!(scene.lamps(), [Lamp::Free, Lamp::Free, Lamp::Free]);
}

#[test]
fn a_server_that_talks_nonsense_is_asked_ever_more_rarely_and_the_lamp_says_why() {
    for body in [b"<dialog-info".to_vec(), dialogs(0, DialogState::Confirmed)[..60].to_vec()] {
        let mut scene = Scene::new(|_| {}, |_, _| None);
        scene.keep_all(&body);
        let mut scene = scene.start();
        scene.asked();
        scene.run(s(600));
        let asked = scene.asked().len();
        assert!(asked < 3 * 40, "{asked}");
        for lamp in scene.lamps() {
            let Lamp::Refused { reason } = lamp else { panic!("{lamp:?}") };
            assert!(reason.as_str().contains("can't be read"), "{reason}");
        }
    }
}

#[test]
fn a_repeated_state_changes_nothing_and_an_older_one_asks_once() {
    let mut scene = Scene::new(|_| {}, |_, _| None);
    scene.keep_all(&dialogs(5, DialogState::Terminated));
    let mut scene = scene.start();
    scene.asked();
    scene.tell("701", "dialog", DIALOG, &dialogs(5, DialogState::Terminated));
    scene.run(s(1));
    assert!(scene.asked().is_empty(), "the same again");
    scene.tell("701", "dialog", DIALOG, &dialogs(3, DialogState::Confirmed));
    assert_eq!(scene.lamps()[0], Lamp::Free);
    scene.run(s(1));
    assert_eq!(scene.asked(), asks(&["701"], "dialog"));
}

#[test]
fn a_word_that_was_missed_is_told_of_and_a_refresh_that_follows_the_last_word_is_none() {
    let mut scene = Scene::new(|_| (), |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    scene.tell("701", "dialog", DIALOG, &dialogs(1, DialogState::Confirmed));
    assert!(!gap(&scene, "701"));
    // Asked of our own accord, told once more: nothing lay between.
    scene.keep("701", "dialog", DIALOG, &dialogs(2, DialogState::Confirmed));
    let now = scene.now;
    scene.phone.perform(now, LineId(0), Effect::AskLamp(SlotKey { line: LineId(0), id: slot("701") }));
    scene.run(s(1));
    assert!(!gap(&scene, "701"));
    scene.tell("701", "dialog", DIALOG, &dialogs(4, DialogState::Confirmed));
    assert!(gap(&scene, "701"), "the third word is missing");
    scene.tell("701", "dialog", DIALOG, &dialogs(5, DialogState::Confirmed));
    assert!(!gap(&scene, "701"), "said once");
}

#[test]
fn in_another_dialog_of_the_subscription_anything_may_have_happened_before() {
    let mut scene = Scene::new(|_| (), |_, _| None);
    scene.keep_all(&dialogs(0, DialogState::Terminated));
    let mut scene = scene.start();
    scene.tell("701", "dialog", DIALOG, &dialogs(1, DialogState::Confirmed));
    // The server gives it up; the new one begins as if it went on where the old one ended.
    scene.keep("701", "dialog", DIALOG, &dialogs(2, DialogState::Confirmed));
    let watcher = scene.watchers[&("701".to_owned(), "dialog".to_owned())];
    scene.server.dismiss(scene.now, watcher, "deactivated");
    scene.run(s(3));
    assert_eq!(scene.lamps()[0], Lamp::Parked);
    assert!(gap(&scene, "701"));
}
