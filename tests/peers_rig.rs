//! The rig itself on trial: before a test blames parkdeck, Asterisk must boot, phones must reach it, a tone
//! must be recognised through it, and a wrong expectation must fail.

mod peers;

use peers::asterisk::{Asterisk, AsteriskOptions, Media, Streams, Version, password};
use peers::baresip::{Baresip, BaresipOptions};
use peers::certificates::Authority;
use peers::kamailio::{Kamailio, KamailioOptions};
use peers::process::sockets_of;
use peers::pty::TerminalOptions;
use peers::sipp::{Caller, CallerOptions};
use peers::tone::{Sine, purity, tone_ms, ulaw_decode, ulaw_encode};
use std::path::Path;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(5);

fn phone(asterisk: &Asterisk, user: &str, hz: f64) -> BaresipOptions {
    BaresipOptions::new(user, &password(user), asterisk.sip()).tone(hz)
}

#[test]
fn a_tone_is_told_from_another_and_from_silence() {
    let heard: Vec<i16> =
        Sine::new(440.0).take(8000).into_iter().map(|sample| ulaw_decode(ulaw_encode(sample))).collect();
    assert!(purity(&heard, 440.0) > 0.99, "µ-law keeps a tone: {}", purity(&heard, 440.0));
    assert_eq!(tone_ms(&heard, 440.0), 1000);
    assert_eq!(tone_ms(&heard, 700.0), 0);
    assert_eq!(tone_ms(&vec![0; 8000], 440.0), 0);
}

#[test]
fn asterisk_22_boots_alone_on_loopback() {
    boots_alone_on_loopback(Version::V22);
}

#[test]
fn asterisk_16_boots_alone_on_loopback() {
    boots_alone_on_loopback(Version::V16);
}

fn boots_alone_on_loopback(version: Version) {
    let asterisk =
        Asterisk::start(AsteriskOptions { slots: 2, manager: true, ..AsteriskOptions::of(version) });
    if version == Version::V16 {
        assert!(asterisk.version().contains(" 16."), "{}", asterisk.version());
    }
    assert!(asterisk.rx("core show version").contains("Asterisk"));
    let lot = asterisk.rx("parking show default");
    assert!(lot.contains("701") && lot.contains("702") && !lot.contains("703"), "two slots: {lot}");
    assert!(asterisk.rx("core show hints").contains("701@parkedcalls"), "{}", asterisk.rx("core show hints"));
    assert!(asterisk.parked().is_empty());
    assert_eq!(asterisk.channels(), 0);
    let beyond: Vec<String> =
        sockets_of(asterisk.pid()).into_iter().filter(|line| !line.contains("127.0.0.1:")).collect();
    // PJSIP's DNS resolver opens one client socket for each address family and never uses it here.
    assert!(beyond.len() <= 2 && beyond.iter().all(|line| line.starts_with("udp")), "{beyond:?}");
}

#[test]
fn two_baresips_hear_each_other_through_asterisk() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let mut alice = Baresip::start(&phone(&asterisk, "alice", 440.0));
    let bob = Baresip::start(&phone(&asterisk, "bob", 700.0).answering());
    asterisk.wait_for_registration("alice", SOON);
    asterisk.wait_for_registration("bob", SOON);
    alice.dial(&asterisk.uri("102"));
    alice.wait_established(SOON);
    assert!(alice.hears(700.0, SOON), "alice must hear bob");
    assert!(bob.hears(440.0, SOON), "bob must hear alice");
    assert!(alice.hears_nothing_of(440.0, Duration::from_millis(500)), "alice must not hear herself");
    assert!(!bob.hears(1234.0, Duration::from_millis(800)), "a tone that nobody says must not be recognised");
    alice.hang_up();
    bob.wait_closed(SOON);
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn a_caller_from_outside_talks_to_a_phone_and_either_may_hang_up() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let mut reception = Baresip::start(&phone(&asterisk, "reception", 700.0));
    asterisk.wait_for_registration("reception", SOON);
    for caller_ends in [true, false] {
        let options = CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100");
        let mut caller = Caller::call(&options);
        caller.wait_ringing(SOON);
        let ringing = reception.wait_ringing(SOON);
        assert!(ringing.contains("01614960100"), "{ringing}");
        reception.answer();
        caller.wait_answered(SOON);
        assert!(caller.voice().hears(700.0, SOON), "the caller must hear the reception");
        assert!(reception.hears(440.0, SOON), "the reception must hear the caller");
        assert!(caller.voice().hears_nothing_of(440.0, Duration::from_millis(300)));
        let ended = reception.count("CALL_CLOSED") + 1;
        if caller_ends {
            caller.hang_up();
        } else {
            reception.hang_up();
            caller.wait_ended_by_peer(SOON);
        }
        reception.wait_event("CALL_CLOSED", ended, SOON);
        assert!(caller.succeeded(SOON), "SIPp's scenario went through: {:?}", caller.story());
        asterisk.wait_for_channels(0, SOON);
    }
}

#[test]
fn a_caller_who_gives_up_while_it_rings_cancels() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let reception = Baresip::start(&phone(&asterisk, "reception", 700.0));
    asterisk.wait_for_registration("reception", SOON);
    let mut caller =
        Caller::call(&CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100").withheld());
    caller.wait_ringing(SOON);
    let ringing = reception.wait_ringing(SOON);
    assert!(!ringing.contains("01614960100"), "a withheld number must not be shown: {ringing}");
    caller.hang_up();
    assert!(caller.has("cancelled"), "{:?}", caller.story());
    reception.wait_closed(SOON);
    assert!(caller.succeeded(SOON), "{:?}", caller.story());
}

#[test]
fn a_caller_with_a_login_is_asked_for_it_and_refused_without() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let mut options = CallerOptions::new(asterisk.sip(), "602", "Alice Adams", "alice");
    options.from = peers::LOOPBACK;
    options.login = Some(("alice".into(), password("alice")));
    let mut caller = Caller::call(&options);
    caller.wait_answered(SOON);
    assert!(caller.voice().hears_something_but(440.0, SOON), "music is heard");
    assert!(caller.is_up());
    caller.hang_up();
    assert!(caller.succeeded(SOON), "{:?}", caller.story());
    options.login = Some(("alice".into(), "a guess".into()));
    Caller::call(&options).wait("refused 401", SOON);
}

#[test]
fn a_caller_to_a_phone_that_is_away_is_refused() {
    let asterisk = Asterisk::start(AsteriskOptions::default());
    let mut caller = Caller::call(&CallerOptions::new(asterisk.sip(), "999", "Jane Doe", "01614960100"));
    caller.wait("refused 404", SOON);
    assert!(!caller.is_up());
    assert!(caller.succeeded(SOON), "{:?}", caller.story());
}

#[test]
fn a_phone_parks_a_caller_who_hears_music_and_another_takes_the_slot() {
    let asterisk = Asterisk::start(AsteriskOptions { slots: 1, ..Default::default() });
    let mut reception = Baresip::start(&phone(&asterisk, "reception", 700.0).answering());
    let mut bob = Baresip::start(&phone(&asterisk, "bob", 1000.0));
    asterisk.wait_for_registration("reception", SOON);
    asterisk.wait_for_registration("bob", SOON);
    let caller = Caller::call(&CallerOptions::new(asterisk.sip(), "100", "Jane Doe", "01614960100"));
    caller.wait_answered(SOON);
    assert!(reception.hears(440.0, SOON));
    reception.transfer(&asterisk.uri("700"));
    peers::wait_until("the slot to be taken", SOON, || (asterisk.parked() == [701]).then_some(()));
    assert!(caller.voice().hears_something_but(700.0, SOON), "a parked caller hears music");
    bob.dial(&asterisk.uri("701"));
    bob.wait_established(SOON);
    assert!(bob.hears(440.0, SOON), "who takes the slot hears the caller");
    assert!(caller.voice().hears(1000.0, SOON), "and the caller hears him");
    assert!(asterisk.parked().is_empty());
}

#[test]
fn a_restarted_asterisk_has_forgotten_its_phones() {
    let mut asterisk = Asterisk::start(AsteriskOptions::default());
    let alice = Baresip::start(&phone(&asterisk, "alice", 440.0));
    asterisk.wait_for_registration("alice", SOON);
    drop(alice);
    let before = asterisk.sip();
    asterisk.restart();
    assert_eq!(before, asterisk.sip());
    assert!(!asterisk.is_registered("alice"));
}

#[test]
fn a_terminal_shows_what_a_program_draws_and_what_it_leaves_behind() {
    let script = r#"printf '\033[?1049h\033[?25l\033[2;3Hboard'; read -r line; printf ' %s' "$line"; read -r line
        printf '\033[?25h\033[?1049l'; exit 3"#;
    let mut terminal = TerminalOptions::new(Path::new("/bin/sh")).arguments(&["-c", script]).start();
    terminal.wait_line(&["  board"], SOON);
    assert_eq!(terminal.unrestored().len(), 2, "{:?}", terminal.unrestored());
    terminal.keys("park<enter>");
    terminal.wait_line(&["board", "park"], SOON);
    assert!(terminal.is_running());
    terminal.keys("<enter>");
    assert_eq!(terminal.wait_exit(SOON).exit_code(), 3);
    assert!(terminal.unrestored().is_empty(), "{:?}", terminal.unrestored());
}

#[test]
fn a_terminal_in_raw_mode_is_seen_as_such() {
    let mut terminal = TerminalOptions::new(Path::new("/bin/sh"))
        .arguments(&["-c", "stty raw -echo; echo done; read x"])
        .start();
    terminal.wait_text("done", SOON);
    assert_eq!(terminal.unrestored(), ["raw mode is still on", "echo is still off"]);
    terminal.signal("TERM");
    terminal.wait_exit(SOON);
}

#[test]
#[should_panic(expected = "“lit” on the screen")]
fn a_wrong_expectation_of_the_screen_fails() {
    let terminal = TerminalOptions::new(Path::new("/bin/sh")).arguments(&["-c", "echo dark; read x"]).start();
    terminal.wait_text("lit", Duration::from_millis(300));
}

#[test]
fn two_baresips_hear_each_other_through_asterisk_over_tls_with_keys_in_the_sdp() {
    let authority = Authority::new("the office");
    let pair = authority.sign("pbx", &["localhost", "127.0.0.1"]);
    let asterisk = Asterisk::start(AsteriskOptions {
        streams: Some(Streams { tls: Some(pair) }),
        media: Media::Sdes,
        ..Default::default()
    });
    asterisk.log_sip();
    let secure = |user: &str, hz| phone(&asterisk, user, hz).secure(asterisk.tls(), authority.file());
    let mut alice = Baresip::start(&secure("alice", 440.0));
    let bob = Baresip::start(&secure("bob", 700.0).answering());
    asterisk.wait_for_registration("alice", SOON);
    asterisk.wait_for_registration("bob", SOON);
    alice.dial(&format!("sip:102@{};transport=tls", asterisk.tls()));
    alice.wait_established(SOON);
    assert!(alice.hears(700.0, SOON) && bob.hears(440.0, SOON), "they hear each other");
    let offers = asterisk.sip_messages();
    let offers: Vec<_> = offers.iter().filter(|m| m.text.contains("m=audio")).collect();
    assert!(
        !offers.is_empty() && offers.iter().all(|m| m.transport == "TLS" && m.text.contains("a=crypto:"))
    );
    alice.hang_up();
    asterisk.wait_for_channels(0, SOON);
}

#[test]
fn kamailio_registers_phones_and_joins_their_calls() {
    let mut kamailio = Kamailio::start(&KamailioOptions::presence());
    let phone = |user: &str, hz| BaresipOptions::new(user, &password(user), kamailio.sip()).tone(hz);
    let mut alice = Baresip::start(&phone("alice", 440.0));
    let bob = Baresip::start(&phone("bob", 700.0).answering());
    alice.wait_registered();
    bob.wait_registered();
    alice.dial(&kamailio.uri("bob"));
    alice.wait_established(SOON);
    assert!(alice.hears(700.0, SOON) && bob.hears(440.0, SOON), "they hear each other");
    kamailio.restart();
    assert_eq!(kamailio.count("heard REGISTER"), 0, "a restart forgets");
}
