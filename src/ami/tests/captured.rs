//! Every event as Asterisk 22.10.1 wrote it, and what it means.

use super::*;

pub(super) const LOTS: &str =
    "Response: Success\nActionID: {id}\nEventList: start\nMessage: Parking lots will follow\n
Event: Parkinglot\nActionID: {id}\nName: default\nStartSpace: 701\nStopSpace: 709\nTimeout: 8\n
Event: Parkinglot\nActionID: {id}\nName: shop\nStartSpace: 801\nStopSpace: 803\nTimeout: 45\n
Event: ParkinglotsComplete\nActionID: {id}\nEventList: Complete\nListItems: 2\n\n";

/// The part of an event about the parked channel.
const JANE: &str = "ParkeeChannel: PJSIP/trunk-00000000\nParkeeChannelState: 6\nParkeeChannelStateDesc: Up
ParkeeCallerIDNum: 01614960100\nParkeeCallerIDName: Jane Doe\nParkeeConnectedLineNum: 102
ParkeeConnectedLineName: Bob Brown\nParkeeLanguage: en\nParkeeAccountCode: \nParkeeContext: phones
ParkeeExten: 102\nParkeePriority: 1\nParkeeUniqueid: 1795861739.0\nParkeeLinkedid: 1795861739.0\n";

const JIM: &str = "ParkeeChannel: PJSIP/trunk-00000003\nParkeeChannelState: 6\nParkeeChannelStateDesc: Up
ParkeeCallerIDNum: 01614960200\nParkeeCallerIDName: Jim Hidden\nParkeeConnectedLineNum: 102
ParkeeConnectedLineName: Bob Brown\nParkeeLanguage: en\nParkeeAccountCode: \nParkeeContext: phones
ParkeeExten: 102\nParkeePriority: 1\nParkeeUniqueid: 1795861746.3\nParkeeLinkedid: 1795861746.3\n";

const CAROL: &str = "RetrieverChannel: PJSIP/carol-00000002\nRetrieverChannelState: 6\nRetrieverChannelStateDesc: Up
RetrieverCallerIDNum: 103\nRetrieverCallerIDName: Carol Clark\nRetrieverConnectedLineNum: <unknown>
RetrieverConnectedLineName: <unknown>\nRetrieverLanguage: en\nRetrieverAccountCode: \nRetrieverContext: phones
RetrieverExten: 701\nRetrieverPriority: 1\nRetrieverUniqueid: 1795861744.2\nRetrieverLinkedid: 1795861744.2\n";

fn in_701(left: u32, gone: u32) -> String {
    format!(
        "ParkerDialString: PJSIP/bob\nParkinglot: default\nParkingSpace: 701\nParkingTimeout: {left}\nParkingDuration: {gone}\n"
    )
}

/// An event of the call in 701.
pub(super) fn event(name: &str, about: &str, left: u32, gone: u32) -> String {
    format!("Event: {name}\nPrivilege: call,all\n{about}{}\n", in_701(left, gone))
}

pub(super) fn jane_parked() -> String {
    event("ParkedCall", JANE, 8, 0)
}

pub(super) fn jane_listed(gone: u32) -> String {
    format!("Event: ParkedCall\n{JANE}{}ActionID: {{id}}\n\n", in_701(8 - gone, gone))
}

#[test]
fn the_login_tells_a_hash_and_never_the_secret() {
    let mut scene = Scene::new();
    scene.open(false);
    assert_eq!(scene.sent[0], ["Action: Challenge", "ActionID: parkdeck-1", "AuthType: MD5"]);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 196121208\n\n");
    // md5("196121208" "ami-secret"), by another program.
    let key = "Key: e932bc8cbb3593e2309b1c609a882534".to_owned();
    let login = &scene.sent[1];
    assert_eq!(login[0], "Action: Login");
    assert!(login.contains(&"AuthType: MD5".to_owned()) && login.contains(&key), "{login:?}");
    assert!(login.contains(&"Events: off".to_owned()));
    scene.hear("Response: Success\nActionID: {id}\nMessage: Authentication accepted\n\n");
    assert_eq!(scene.sent[2][2..], ["Operation: Add", "Filter: ^Event: (Un)?ParkedCall"]);
    assert!(scene.sent.iter().flatten().all(|line| !line.contains(SECRET)));
}

#[test]
fn only_what_is_private_or_allowed_is_told_the_secret_itself() {
    let no_challenge = "Response: Error\nActionID: {id}\nMessage: Must specify AuthType\n\n";
    for (private, allowed) in [(true, false), (false, true)] {
        let mut scene = Scene::with(|c| c.allow_plain_login = allowed);
        scene.open(private);
        scene.hear(no_challenge);
        assert!(scene.sent[1].contains(&format!("Secret: {SECRET}")));
    }
    let mut scene = Scene::new();
    scene.open(false);
    scene.hear(no_challenge);
    assert_eq!((scene.sent.len(), scene.disconnects), (1, 1));
    assert!(scene.reason().contains("nothing was told · tls = true"), "{}", scene.reason());
}

#[test]
fn refusals_are_told_in_words_and_not_hurried() {
    let mut scene = Scene::new();
    scene.open(true);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 196121208\n\n");
    scene.hear("Response: Error\nActionID: {id}\nMessage: Authentication failed\n\n");
    assert_eq!(
        scene.reason(),
        "the manager interface refuses this user or his secret (Authentication failed)"
    );
    let Fact::Lost { retry_at, .. } = scene.last_fact() else { unreachable!() };
    assert!(*retry_at >= scene.now + s(15));
    let mut scene = Scene::with(|c| c.lots = vec!["front".into()]);
    scene.open(true);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 1\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\n");
    scene.hear("Response: Success\nActionID: {id}\nMessage: Success\n\n");
    scene.hear("Response: Success\nActionID: {id}\nEvents: On\n\n");
    scene.hear(LOTS);
    assert_eq!(scene.reason(), "the server has no parking lot “front”, but: default, shop");
    let mut scene = Scene::new();
    scene.open(true);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 1\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\n");
    scene.hear("Response: Success\nActionID: {id}\nMessage: Success\n\n");
    scene.hear("Response: Success\nActionID: {id}\nEvents: On\n\n");
    scene.hear("Response: Error\nActionID: {id}\nMessage: Permission denied\n\n");
    assert!(scene.reason().contains("he needs read = call and write = call"), "{}", scene.reason());
}

#[test]
fn a_server_that_has_not_loaded_its_parking_yet_is_tried_again_soon() {
    let mut scene = Scene::new();
    scene.open(true);
    scene.hear("Response: Success\nActionID: {id}\nChallenge: 1\n\n");
    scene.hear("Response: Success\nActionID: {id}\n\nEvent: FullyBooted\nPrivilege: system,all\nStatus: Fully Booted\n\n");
    scene.hear("Response: Success\nActionID: {id}\nMessage: Success\n\n");
    scene.hear("Response: Success\nActionID: {id}\nEvents: On\n\n");
    let unknown =
        "Invalid/unknown command: Parkinglots. Use Action: ListCommands to show available commands.";
    scene.hear(&format!("Response: Error\nActionID: {{id}}\nMessage: {unknown}\n\n"));
    assert!(scene.reason().contains("has no call parking, or not yet"), "{}", scene.reason());
    let Fact::Lost { retry_at, .. } = scene.last_fact() else { unreachable!() };
    assert!(*retry_at <= scene.now + s(1));
}

#[test]
fn who_is_parked_at_the_beginning_is_in_the_list_and_who_may_be_shown_is_asked() {
    let mut scene = Scene::listening(&jane_listed(2));
    let Fact::Connected(all) = scene.last_fact().clone() else { unreachable!() };
    let [jane] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((jane.slot.clone(), jane.parked_for_s, jane.comes_back_in_s), (slot("701"), 2, Some(6)));
    assert_eq!(jane.parkee, Identity::withheld("01614960100"), "nobody has said yet that she may be shown");
    assert!(!jane.vetted && jane.parker_device.is_phone_of("bob") && !jane.parker_device.is_phone_of("bo"));
    assert_eq!(jane.parker.label(), "bob");
    let asked: Vec<_> = scene.sent.iter().filter(|a| a[0] == "Action: Getvar").cloned().collect();
    assert_eq!(asked[0][2..], ["Channel: PJSIP/trunk-00000000", "Variable: CALLERID(pres)"]);
    assert_eq!(asked[1][2..], ["Channel: PJSIP/trunk-00000000", "Variable: CONNECTEDLINE(pres)"]);
    scene.presentation("allowed_not_screened");
    let Fact::Vetted(jane) = scene.last_fact() else { panic!("{:?}", scene.facts) };
    assert_eq!(jane.parker, Identity::new("Bob Brown", "102"));
    assert!(!jane.vetted);
    let first = asked[0][1].clone();
    scene.hear(&format!(
        "Response: Success\n{first}\nVariable: CALLERID(pres)\nValue: allowed_not_screened\n\n"
    ));
    let Fact::Vetted(jane) = scene.last_fact() else { panic!("{:?}", scene.facts) };
    assert_eq!((jane.parkee.clone(), jane.vetted), (Identity::new("Jane Doe", "01614960100"), true));
}

/// The answer to the first question about the call in 701, then to the second.
fn vet(scene: &mut Scene, parkee: &str, parker: &str) {
    let asked: Vec<String> =
        scene.sent.iter().filter(|a| a[0] == "Action: Getvar").rev().take(2).map(|a| a[1].clone()).collect();
    for (id, value) in [(&asked[1], parkee), (&asked[0], parker)] {
        scene.hear(&format!("Response: Success\n{id}\nVariable: x\nValue: {value}\n\n"));
    }
}

#[test]
fn a_withheld_caller_is_known_again_and_never_shown_although_the_event_names_him() {
    for word in ["prohib_not_screened", "prohib", "unavailable", "", "nonsense"] {
        let mut scene = Scene::listening("");
        scene.hear(&event("ParkedCall", JIM, 8, 0));
        vet(&mut scene, word, "allowed");
        let Fact::Vetted(jim) = scene.last_fact() else { panic!("{:?}", scene.facts) };
        assert!(jim.vetted && jim.parkee.is_withheld(), "{word}");
        assert!(jim.parkee.agrees_with(&Identity::withheld("01614960200")));
        let said = format!("{:?}", scene.facts);
        assert!(!said.contains("Jim") && !said.contains("01614960200"), "{said}");
    }
    // Neither when the channel is gone by the time the question arrives, nor when no answer comes at all.
    let mut scene = Scene::listening("");
    scene.hear(&event("ParkedCall", JIM, 8, 0));
    scene.hear("Response: Error\nActionID: {id}\nMessage: No such channel\n\n");
    scene.wait(s(4));
    let Fact::Vetted(jim) = scene.last_fact() else { panic!("{:?}", scene.facts) };
    assert!(jim.vetted && jim.parkee.is_withheld() && jim.parker.label() == "bob");
}

#[test]
fn who_calls_himself_anonymous_is_not_shown_by_his_number() {
    let about = JANE.replace("Jane Doe", "Anonymous");
    let mut scene = Scene::listening("");
    scene.hear(&event("ParkedCall", &about, 8, 0));
    vet(&mut scene, "allowed_not_screened", "prohib_not_screened");
    let Fact::Vetted(call) = scene.last_fact().clone() else {
        scene.facts.pop();
        panic!("{:?}", scene.facts)
    };
    assert!(call.parkee.is_withheld() && call.parker.label() == "bob", "{call:?}");
}

#[test]
fn a_park_is_told_at_once_and_once() {
    let mut scene = Scene::listening("");
    scene.hear(&jane_parked());
    let parked = scene.facts.iter().filter(|f| matches!(f, Fact::Parked(_))).count();
    scene.hear(&jane_parked());
    assert_eq!(parked, 1);
    assert_eq!(scene.facts.iter().filter(|f| matches!(f, Fact::Parked(_))).count(), 1);
}

#[test]
fn who_fetched_him_is_told_when_it_may_be() {
    for (word, name) in [("allowed_not_screened", "Carol Clark"), ("prohib_passed_screen", "withheld")] {
        let mut scene = Scene::listening("");
        scene.hear(&jane_parked());
        vet(&mut scene, "allowed", "allowed");
        let about = format!("{JANE}{CAROL}");
        scene.hear(&event("UnParkedCall", &about, 4, 4));
        let Fact::Unparked(jane) = scene.last_fact() else { panic!("{:?}", scene.facts) };
        assert_eq!((jane.parkee.label(), jane.parked_for_s), ("Jane Doe", 4));
        assert_eq!(scene.sent.last().unwrap()[2], "Channel: PJSIP/carol-00000002");
        scene.presentation(word);
        let Fact::Retrieved { call, device, by } = scene.last_fact() else { panic!("{:?}", scene.facts) };
        assert_eq!((&call.slot, call.parkee.label(), by.label()), (&slot("701"), "Jane Doe", name));
        assert!(device.is_phone_of("carol"));
        assert_eq!(scene.session.kept().0, (0, 0, 0));
    }
}

#[test]
fn giving_up_a_time_out_and_a_swap_are_what_they_are_called() {
    let mut scene = Scene::listening("");
    scene.hear(&jane_parked());
    vet(&mut scene, "allowed", "allowed");
    scene.hear(&event("ParkedCallGiveUp", JANE, 6, 2));
    assert!(matches!(scene.last_fact(), Fact::GaveUp(call) if call.parkee.label() == "Jane Doe"));
    scene.hear(&jane_parked());
    vet(&mut scene, "allowed", "allowed");
    let times_out = JANE
        .replace("ParkeeContext: phones", "ParkeeContext: park-dial")
        .replace("ParkeeExten: 102", "ParkeeExten: PJSIP_bob");
    scene.hear(&event("ParkedCallTimeOut", &times_out, 0, 8));
    assert!(
        matches!(scene.last_fact(), Fact::TimedOut(call) if call.parkee.label() == "Jane Doe" && call.parked_for_s == 8)
    );
    let bob = JANE
        .replace("trunk-00000000", "bob-00000012")
        .replace("01614960100", "102")
        .replace("Jane Doe", "Bob Brown");
    scene.hear(&event("ParkedCall", &bob.replace("1795861739.0", "1795861787.20"), 8, 0));
    let Fact::Parked(call) = scene.last_fact() else { panic!("{:?}", scene.facts) };
    assert!(call.device == call.parker_device, "he waits there himself to hear the slot");
    scene.hear(&event("ParkedCallSwap", JANE, 8, 0));
    assert!(matches!(scene.last_fact(), Fact::Swapped(call) if call.unique_id == "1795861739.0"));
    assert_eq!(scene.session.kept().0.0, 1);
}

#[test]
fn another_lot_and_the_departure_of_an_earlier_call_change_nothing() {
    let mut scene = Scene::listening("");
    let before = scene.facts.len();
    scene.hear(&jane_parked().replace("Parkinglot: default", "Parkinglot: shop"));
    assert_eq!(scene.facts.len(), before);
    scene.hear(&jane_parked());
    scene.hear(&event("ParkedCallGiveUp", JIM, 6, 2));
    assert_eq!(scene.session.kept().0.0, 1, "Jim's leaving doesn't take Jane out");
}

#[test]
fn of_several_lots_all_are_listed_and_told_of_and_a_missing_one_is_named() {
    let with = |lots: [&str; 2]| Scene::with(|config| config.lots = lots.map(str::to_owned).to_vec());
    let mut scene = with(["default", "shop"]);
    scene.open(true);
    scene.log_in("");
    let list = scene.sent.iter().find(|action| action[0] == "Action: ParkedCalls").unwrap();
    assert!(!list.iter().any(|line| line.starts_with("ParkingLot")), "all lots are asked for: {list:?}");
    for (lot, told) in [("default", 1), ("shop", 2), ("third", 2)] {
        let space = |n| format!("ParkingSpace: {n}");
        let call = jane_parked().replace("Parkinglot: default", &format!("Parkinglot: {lot}"));
        let call = call.replace(&space(701), &space(700 + lot.len())).replace("1795861739.0", lot);
        scene.hear(&call);
        let parked = scene.facts.iter().filter(|fact| matches!(fact, Fact::Parked(_))).count();
        assert_eq!(parked, told, "{lot}");
    }
    let mut lacking = with(["default", "third"]);
    lacking.open(true);
    for answer in [
        "Challenge: 196121208",
        "Message: Authentication accepted",
        "Message: Permission denied",
        "Events: On",
    ] {
        lacking.hear(&format!("Response: Success\nActionID: {{id}}\n{answer}\n\n"));
    }
    lacking.hear(LOTS);
    assert_eq!(lacking.reason(), "the server has no parking lot “third”, but: default, shop");
}

/// Time goes on until the list is read again; the server answers whenever it is asked whether it is there.
fn until_listed(scene: &mut Scene) {
    for _ in 0..120 {
        scene.wait(s(1));
        match scene.last() {
            "Action: ParkedCalls" if scene.session.is_reading_the_list() => return,
            "Action: Ping" => scene.hear("Response: Success\nActionID: {id}\nPing: Pong\n\n"),
            _ => {}
        }
    }
    panic!("no list was asked for: {:?}", scene.facts);
}

#[test]
fn the_list_read_again_counts_and_shows_that_the_server_tells_nothing_of_its_own_accord() {
    let mut scene = Scene::listening("");
    until_listed(&mut scene);
    scene.hear(&jane_listed(3));
    scene.hear("Event: ParkedCallsComplete\nActionID: {id}\nTotal: 1\n\n");
    let told = |scene: &Scene| {
        let listed = scene.facts.iter().filter(|f| matches!(f, Fact::Listed(all) if all.len() == 1)).count();
        let deaf = |f: &&Fact| matches!(f, Fact::Troubled { reason } if reason.as_str().contains("read = call is missing"));
        (listed, scene.facts.iter().filter(deaf).count())
    };
    assert_eq!(told(&scene), (1, 1));
    // From now on it is read every few seconds, and not complained of again.
    let before = scene.now;
    until_listed(&mut scene);
    assert!(scene.now - before <= s(6));
    scene.hear(&jane_listed(7));
    scene.hear("Event: ParkedCallsComplete\nActionID: {id}\nTotal: 1\n\n");
    assert_eq!(told(&scene), (2, 1));
}

#[test]
fn who_was_parked_while_the_list_was_read_is_no_sign_of_deafness() {
    let mut scene = Scene::listening("");
    until_listed(&mut scene);
    scene.hear(&jane_listed(0));
    scene.hear("Event: ParkedCallsComplete\nActionID: {id}\nTotal: 1\n\n");
    scene.hear(&jane_parked());
    assert!(!scene.facts.iter().any(|f| matches!(f, Fact::Troubled { .. })));
}
