//! Whatever comes: no panic, nothing without bounds, and a plain end.

use super::super::ledger::MAX_PARKED;
use super::super::reader::{Garbage, MAX_BLOCK, MAX_FIELDS, MAX_LINE};
use super::*;
use proptest::prelude::*;

#[test]
fn what_is_no_manager_interface_is_left_at_its_first_line() {
    for greeting in ["SSH-2.0-OpenSSH_9.2\n", "HTTP/1.1 400 Bad Request\n", "\n", "Asterisk\n"] {
        assert_eq!(items(greeting.as_bytes()), Err(Garbage::NoManager), "{greeting}");
    }
    assert_eq!(items(&vec![b'A'; 1_000]), Err(Garbage::NoManager));
    let mut scene = Scene::new();
    scene.session.opened(scene.now, true);
    scene.hear("SSH-2.0-OpenSSH_9.2\n");
    assert_eq!(scene.reason(), "what answers there is no Asterisk manager interface");
    assert_eq!((scene.disconnects, scene.sent.len()), (1, 0));
}

#[test]
fn a_giant_line_is_left_out_of_its_block_and_a_block_without_end_ends_the_connection() {
    let giant = "x".repeat(MAX_LINE * 10);
    let text = format!("Asterisk Call Manager/1\nEvent: A\nName: {giant}\nB: c\n\n");
    let found = items(text.as_bytes()).unwrap();
    let Item::Block(block) = &found[1] else { panic!() };
    assert_eq!((block.get("Event"), block.get("Name"), block.get("B")), (Some("A"), None, Some("c")));
    let many: String = (0..MAX_FIELDS * 10).map(|i| format!("K{i}: v\r\n")).collect();
    let found = items(format!("Asterisk Call Manager/1\r\n{many}\r\n").as_bytes()).unwrap();
    let Item::Block(block) = &found[1] else { panic!() };
    assert_eq!(block.len(), MAX_FIELDS);
    let endless = format!("Asterisk Call Manager/1\n{}", "a: b\n".repeat(MAX_BLOCK));
    assert_eq!(items(endless.as_bytes()), Err(Garbage::Endless));
}

#[test]
fn a_value_told_twice_says_nothing_and_a_line_without_a_key_is_no_line() {
    let found = items(b"Asterisk Call Manager/1\nA: 1\nA: 2\nB : 3\n\n");
    assert_eq!(found, Err(Garbage::NoField));
    let found = items(b"Asterisk Call Manager/1\nA: 1\na: 2\nB:3\n\n\n\n").unwrap();
    let [Item::Greeting(version), Item::Block(block)] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((version.as_str(), block.get("A"), block.get("b")), ("1", None, Some("3")));
    assert_eq!(items(b"Asterisk Call Manager/1\nnonsense\n"), Err(Garbage::NoField));
}

#[test]
fn thousands_of_parked_calls_stay_within_bounds() {
    let mut scene = Scene::listening("");
    for i in 0..5 * MAX_PARKED {
        let about = captured::jane_parked()
            .replace("ParkingSpace: 701", &format!("ParkingSpace: {i}"))
            .replace("1795861739.0", &format!("1.{i}"));
        scene.hear(&about);
    }
    let ((parked, _, asked), _) = scene.session.kept();
    assert_eq!(parked, MAX_PARKED);
    assert!(asked <= 16);
    for i in 0..500 {
        let event = captured::event(
            "UnParkedCall",
            &format!(
                "ParkeeChannel: SIP/x-0000000a\nParkeeUniqueid: 9.{i}\nRetrieverChannel: PJSIP/carol-0000000{}\n",
                i % 10
            ),
            1,
            1,
        );
        scene.hear(&event);
    }
    assert!(scene.session.kept().0.1 <= 32);
}

#[test]
fn a_list_without_end_is_kept_within_bounds() {
    let mut scene = Scene::listening("");
    scene.wait(s(15));
    scene.hear("Response: Success\nActionID: {id}\nPing: Pong\n\n");
    let mut scene = Scene::new();
    scene.open(true);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 1\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\n");
    scene.hear(captured::LOTS);
    for i in 0..3 * MAX_PARKED {
        scene.hear(&captured::jane_listed(1).replace("ParkingSpace: 701", &format!("ParkingSpace: {i}")));
    }
    scene.hear("Event: ParkedCallsComplete\nActionID: {id}\n\n");
    assert!(matches!(scene.facts.last(), Some(Fact::Connected(all)) if all.len() == MAX_PARKED));
}

/// Pieces of which both sense and nonsense can be made.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"\r\n".to_vec()),
        Just(b"\n\n".to_vec()),
        Just(captured::jane_parked().into_bytes()),
        Just(captured::event("UnParkedCall", "ParkeeChannel: a\n", 1, 2).into_bytes()),
        Just(b"Response: Success\r\nActionID: parkdeck-1\r\nChallenge: 5\r\n\r\n".to_vec()),
        (1u64..9).prop_map(|n| format!("Response: Success\nActionID: parkdeck-{n}\n\n").into_bytes()),
        (1u64..9).prop_map(|n| format!("Response: Error\nActionID: parkdeck-{n}\n\n").into_bytes()),
        (1u64..9)
            .prop_map(|n| format!("Event: ParkedCallsComplete\nActionID: parkdeck-{n}\n\n").into_bytes()),
        (1u64..9).prop_map(|n| captured::LOTS.replace("{id}", &format!("parkdeck-{n}")).into_bytes()),
        "[A-Za-z]{1,9}: [ -~]{0,40}\r\n".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// However the bytes are cut into reads, the same is understood.
    #[test]
    fn the_cuts_between_reads_mean_nothing(pieces in proptest::collection::vec(piece(), 0..20), cut in 1usize..50) {
        let mut bytes = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        bytes.extend(pieces.concat());
        let hear = |size: usize| {
            let mut scene = Scene::new();
            scene.session.opened(scene.now, true);
            for part in bytes.chunks(size) {
                scene.session.received(scene.now, part);
                scene.settle();
            }
            (scene.sent, scene.facts, scene.disconnects)
        };
        prop_assert_eq!(hear(cut), hear(usize::MAX));
    }

    /// Whatever is heard, what is kept is bounded, and the session wakes again or is told of it.
    #[test]
    fn nothing_that_is_heard_is_kept_without_bounds(pieces in proptest::collection::vec(piece(), 0..60)) {
        let mut scene = Scene::new();
        scene.open(true);
        for piece in pieces {
            scene.session.received(scene.now, &piece);
            scene.settle();
            scene.wait(Duration::from_millis(700));
            prop_assert!(scene.session.kept().1 <= (MAX_FIELDS + 1) * MAX_LINE * 3);
            prop_assert!(scene.session.next_wake().is_some());
        }
    }
}
